"""How rows are read from a source in slices. What a row means is read by the core."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from typing import cast

PATIENCE_S = 0.05
"""How long one slice is read from a source before finished rows are looked at."""


class CutShort(list[object]):
    """The rows before an interruption of the source, such as Ctrl-C, which is raised once they are fed."""

    def __init__(self, rows: Iterable[object], interrupt: BaseException) -> None:
        super().__init__(rows)
        self.interrupt = interrupt


def looks_wrong(rows: object) -> bool:
    """Whether this is iterable, but may not be a sequence of rows. The core decides.

    Examples: a string, a pair, a mapping, a frame. Cut into slices, these would no longer be recognised.
    """
    return (
        isinstance(rows, (str, bytes, bytearray, Mapping, tuple))
        or hasattr(type(rows), "columns")
        or hasattr(type(rows), "__dataframe__")
        or not isinstance(rows, Iterable)
    )


def slices(rows: Iterable[object], size: int) -> Iterator[Sequence[object]]:
    """The rows in slices of `size`, or in shorter slices if the source is slow.

    An exception of the source is raised after the rows before it are delivered, so a caller can continue with
    the same iterator. A column is cut, not iterated over: its parts are still columns, so the type of their
    numbers is known.
    """
    if _is_column(rows):
        for at in range(0, len(cast("Sequence[object]", rows)), size):
            yield cut(cast("Sequence[object]", rows), at, at + size)
        return
    iterator, ended = iter(rows), False
    while not ended:
        part: list[object] = []
        trouble: BaseException | None = None
        deadline = time.monotonic() + PATIENCE_S
        try:
            for row in iterator:
                part.append(row)
                if len(part) >= size or time.monotonic() > deadline:
                    break
            else:
                ended = True
        except BaseException as raised:  # noqa: BLE001 - raised in its place, below
            trouble = raised
        if part:
            yield part if trouble is None or isinstance(trouble, Exception) else CutShort(part, trouble)
        if trouble is not None:
            raise trouble


def cut(rows: Sequence[object], start: int, stop: int) -> Sequence[object]:
    """The rows from `start` to `stop` by position, as what they are."""
    return cast("Sequence[object]", getattr(rows, "iloc", rows)[start:stop])


def length(rows: object) -> int | None:
    """How many rows there are, where the source says so."""
    return len(rows) if isinstance(rows, Sized) else None


def _is_column(rows: object) -> bool:
    if isinstance(rows, list):
        return True
    sized = hasattr(type(rows), "__len__") and hasattr(type(rows), "__getitem__")
    return sized and any(hasattr(type(rows), name) for name in ("to_pylist", "to_list", "tolist"))
