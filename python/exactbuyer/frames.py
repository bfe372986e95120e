"""Every kind of table that can be enriched: how its columns are read, and ours put beside them.

Told by what a table can do and where its class comes from: no library is imported to look. Knows
nothing of calls.
"""

from __future__ import annotations

import json
import re
import unicodedata
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from . import _core
from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

RECEIPT_KEY = "exactbuyer_receipt"
"""Where a table's `attrs` or schema metadata hold the receipt of the call that enriched it."""

COLUMNS_KEY = "exactbuyer_columns"
"""Where they hold which columns were added, by prefix."""

Cells = tuple[object, str]
"""A column to look up: of Arrow, or a list, and the name of its type."""


class Notes(dict[str, Any]):
    """What a table remembers of the call: the receipt, and the columns that were added."""

    def as_json(self) -> dict[str, str]:
        """The same for a place that holds text only."""
        return {key: json.dumps(value) for key, value in self.items()}


class Frame(Protocol):
    """A table that is there as a whole."""

    def names(self) -> list[Hashable]:
        """Its columns' labels, in order."""
        ...

    def index_names(self) -> list[Hashable]:
        """What its index is called, level by level, where it has one: it is no column."""
        ...

    def label(self, name: str) -> Hashable:
        """What a column that is added under this name is called there."""
        ...

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:
        """A column to look up, or that of the regions. The label is one of `names`, once."""
        ...

    def keeps_large_text(self) -> bool:
        """Whether it would convert text to 64-bit offsets, so that it is better made with them."""
        ...

    def added_before(self) -> Mapping[str, list[str]]:
        """The columns that it says were added to it before, by prefix."""
        ...

    def beside(self, added: _core.Batches, dropped: list[Any], notes: Notes) -> Any:
        """The same kind of table, without what is dropped, with what was added."""
        ...


def known_columns(metadata: Mapping[Any, Any] | None) -> Mapping[str, list[str]]:
    """Which columns a schema's metadata says were added, by prefix."""
    metadata = metadata or {}
    # pyarrow's keys are bytes.
    told = metadata.get(COLUMNS_KEY.encode(), metadata.get(COLUMNS_KEY))
    try:
        known: Any = json.loads(told) if told is not None else {}
    except (ValueError, RecursionError):
        known = {}
    return noted_columns(known)


def noted_columns(note: object) -> Mapping[str, list[str]]:
    """Which columns a note says were added, by prefix; whatever else stands in its place says none."""
    known = cast("dict[Any, object]", note) if isinstance(note, dict) else {}
    return {
        prefix: [name for name in cast("Iterable[Any]", names) if isinstance(name, str)]
        for prefix, names in known.items()
        if isinstance(prefix, str) and isinstance(names, list)
    }


def as_kind(kind: type[Any], batches: Any) -> Any:
    """The batches as this kind of thing, where it can be made of them; else as they are."""
    make = getattr(kind, "from_arrow", None)
    return make(batches) if callable(make) else batches


def arrow_input(data: object) -> _core.ArrowInput:
    """What hands its rows on by Arrow's C interface, opened.

    Raises:
        TypeError: What it hands on is no table.
    """
    try:
        return _core.ArrowInput(data)
    except ValueError as trouble:
        raise TypeError(
            f"data is of type {type(data).__name__}, and hands on Arrow data that is no table ({trouble}): "
            f"pass a table, and the name of its column as by"
        ) from None
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def arrow_table(data: object) -> _core.Batches:
    """What hands its rows on by Arrow's C interface, read whole.

    Raises:
        TypeError: What it hands on is no table, or cannot be read.
    """
    source = arrow_input(data)
    try:
        return _core.Batches.concat(source, list(source))
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def _unreadable(data: object, trouble: Exception) -> TypeError:
    # What the trouble says is somebody else's words, and may quote what is in the table.
    return TypeError(
        f"data is of type {type(data).__name__}, and what it hands on by Arrow's C interface cannot be read "
        f"({type(trouble).__name__}): make it a table of pandas, polars or pyarrow first"
    )


def library(name: str) -> Any:
    """pandas, polars or pyarrow, as a module without types: one of its tables has come along."""
    return import_module(name)


def has_pyarrow() -> bool:
    """Whether pyarrow can be imported."""
    return find_spec("pyarrow") is not None


def is_reader(data: object) -> bool:
    """Whether it can be read only once, batch by batch."""
    if home_of(data) == "pyarrow":
        return type(data).__name__ == "RecordBatchReader"
    if home_of(data) in {"pandas", "polars"} or not hasattr(data, "__arrow_c_stream__"):
        return False
    # A table knows how long it is.
    return not hasattr(type(data), "__len__") and not hasattr(data, "num_rows")


def frame_of(data: object) -> Frame:
    """The table, as what it is.

    Raises:
        TypeError: It is none; the message names the fix.
    """
    # They import this room for their words.
    from ._arrow_frames import CapsuleFrame, PolarsFrame, PyarrowFrame
    from ._pandas import PandasFrame

    home, name = home_of(data), type(data).__name__
    if home == "polars" and name in {"DataFrame", "LazyFrame"}:
        return PolarsFrame(data)
    if home == "pyarrow" and name in {"Table", "RecordBatch"}:
        return PyarrowFrame(data)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return PandasFrame(data)
    exports = hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")
    if exports and home not in {"pandas", "polars"}:
        return CapsuleFrame(data)
    fix = "pass it to enrich" if isinstance(data, (list, tuple)) or hasattr(data, "dtype") else "make it one"
    if data is None or isinstance(data, (str, PathLike)):
        fix = "read it first, as with pandas.read_csv, or use `exactbuyer enrich` on the command line"
    raise TypeError(
        f"data is of type {name}, which is no table of pandas, polars, pyarrow, or anything that hands on "
        f"Arrow data: {fix}"
    )


def check_labels(
    names: list[Hashable],
    labels: Sequence[Hashable],
    index_names: Iterable[Hashable] = (),
    *,
    argument: Literal["by", "region"] = "by",
) -> None:
    """Checks that the columns to look up are there, each once.

    What is not there is not repeated: given a column instead of its name, it is a person's.

    Args:
        names: The columns that there are.
        labels: Those to look up.
        index_names: What the levels of a frame's index are called.
        argument: The argument that names them.

    Raises:
        ConfigError: There is none of this label, or more than one.
    """
    for place, label in enumerate(labels, 1):
        count = names.count(label)
        if count == 1:
            continue
        if count:
            raise ConfigError(f"{argument} names a column that the table has {count} of: rename all but one")
        which = f" (number {place} of {len(labels)})" if len(labels) > 1 else ""
        fix = _fix_of(names, label, index_names)
        if argument == "region":
            fix += ". If all rows have the same region, set default_region"
        raise ConfigError(f"{argument} names a column that the table does not have{which}{fix}")


def as_seen(names: Iterable[Any], label: Any) -> Any:
    """The name that looks like the label; the label itself if no name does, or several do.

    Line breaks and no-break spaces count as spaces, and characters without width, such as a byte-order mark,
    are ignored.
    """
    there = list(names)
    if label in there or not isinstance(label, str):
        return label
    looks = _look(label)
    alike = [name for name in there if isinstance(name, str) and _look(name) == looks]
    return alike[0] if len(alike) == 1 else label


def _look(name: str) -> str:
    shown = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFC", shown).split())


def _fix_of(names: list[Hashable], label: Hashable, index_names: Iterable[Hashable]) -> str:
    if _is_made_of(label, names):
        return ": several columns go in a list, by=[…, …]; a tuple is one label of several levels"
    if label in list(index_names):
        return ": it is the index: pass frame.reset_index()"
    near = nearest(names, label)
    if any(map(looks_personal, names)):
        if near is not None and not looks_personal(near):
            return f": did you mean {near!r}?"
        return (
            ", and the names that it has look like a person's: was it read without its header, as with "
            "pandas.read_csv(…, header=None)?"
        )
    meant = f": did you mean {near!r}? It" if near is not None else "; it"
    some = ", ".join(map(repr, names[:_NAMED])) or "none at all"
    more = ", …" if len(names) > _NAMED else ""
    return f"{meant} has {some}{more}"


_NAMED = 20


def _is_made_of(label: object, names: list[Hashable]) -> bool:
    """Whether it is several of the names."""
    parts = cast("tuple[Hashable, ...]", label) if isinstance(label, tuple) else ()
    return bool(parts) and set(parts) <= set(names)


def looks_personal(name: object) -> bool:
    """Whether the name of a column looks like something that stands in a column, and so may be a person's."""
    text = str(name)
    if "@" in text or "://" in text or "linkedin.com/" in text.casefold():
        return True
    is_number = sum(map(str.isdigit, text)) >= _DIGITS and text.upper() == text
    return is_number and _DATE.fullmatch(text) is None


_DIGITS = 7
_DATE = re.compile(r"(19|20)\d\d([-/.]?\d\d){1,2}([ T].*)?")
"""What tables that were turned round have for names."""


def shown(label: object) -> str:
    """A column's label as it may be shown, after the word."""
    return "whose name looks like a person's" if looks_personal(label) else repr(label)


def nearest(names: Iterable[Hashable], label: Hashable) -> Hashable | None:
    """The one of these names that may have been meant, if any is near enough."""
    folded = {str(name).strip().casefold(): name for name in names}
    near = get_close_matches(str(label).strip().casefold(), folded, n=1)
    return folded[near[0]] if near else None


def home_of(data: object) -> str:
    """Which of the three libraries its class comes from, or is derived from; `""` if none."""
    for kind in type(data).__mro__:
        home = kind.__module__.partition(".")[0]
        if home in {"pandas", "polars", "pyarrow"}:
            return home
    return ""
