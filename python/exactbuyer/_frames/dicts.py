"""Lists of dictionaries, one for each row, as `csv.DictReader` and JSON give them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from exactbuyer.report.wording import from_us

from .frame import Cells, Frame
from .libraries import has_pyarrow, library

if TYPE_CHECKING:
    from exactbuyer._core import Batches

    from .metadata import Notes


class DictsFrame(Frame):
    """A list of dictionaries. A key that a row does not have is an empty cell."""

    def __init__(self, rows: Sequence[object]) -> None:
        for number, row in enumerate(rows):
            if not isinstance(row, Mapping):
                raise TypeError(
                    f"data is a list of dicts, but its row {number} is of type {type(row).__name__}"
                )
        # Copies: the caller may change theirs while a call is under way.
        self._rows: list[dict[Any, Any]] = [dict(row) for row in rows]  # type: ignore[call-overload]

    def names(self) -> list[Hashable]:
        return list(dict.fromkeys(name for row in self._rows for name in row))

    def has_names(self) -> bool:
        return bool(self._rows)

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:  # noqa: ARG002
        return [row.get(label) for row in self._rows], ""

    def cut(self, rows: int) -> None:
        self._rows = self._rows[:rows]

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:  # noqa: ARG002
        names = added.names()
        columns = [_values(added, name) for name in names]
        new = zip(*columns, strict=True) if columns else ()
        return [
            {name: cell for name, cell in row.items() if name not in dropped}
            | dict(zip(names, cells, strict=True))
            for row, cells in zip(self._rows, new, strict=True)
        ]


def _values(added: Batches, name: str) -> list[Any]:
    """A column as Python objects."""
    values, kind = added.objects(name)
    if kind == "timestamp":
        return [None if value is None else from_us(value) for value in values]
    if kind == "date":
        return [None if value is None else date.fromisoformat(value) for value in values]
    if kind == "object" and has_pyarrow():
        return library("pyarrow").table(added).column(name).to_pylist()  # type: ignore[no-any-return]
    return values
