"""Every kind of table that can be enriched: how its columns are read, and ours put beside them.

Told by what a table can do and where its class comes from: no library is imported to look. Knows
nothing of calls.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol, cast

from . import _core
from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

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

    def rows(self) -> int:
        """How many rows it has."""
        ...

    def cells(self, label: Hashable) -> Cells:
        """A column to look up. The label is one of `names`, once."""
        ...

    def added_before(self) -> Mapping[str, list[str]]:
        """The columns that it says were added to it before, by prefix."""
        ...

    def beside(self, added: _core.Batches, dropped: list[str], notes: Notes) -> Any:
        """The same kind of table, without what is dropped, with what was added."""
        ...


def known_columns(metadata: Mapping[Any, Any] | None) -> Mapping[str, list[str]]:
    """Which columns a schema's metadata says were added, by prefix."""
    told = (metadata or {}).get(COLUMNS_KEY.encode())
    try:
        known: Any = json.loads(told) if told is not None else {}
    except ValueError:
        known = {}
    return cast("Mapping[str, list[str]]", known) if isinstance(known, dict) else {}


class PolarsFrame:
    """A frame of polars, eager or lazy."""

    def __init__(self, data: Any) -> None:
        self._lazy = type(data).__name__ == "LazyFrame"
        self._frame = data.collect() if self._lazy else data

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def rows(self) -> int:
        return self._frame.height

    def cells(self, label: Hashable) -> Cells:
        column = self._frame.get_column(label)
        return (column.to_list() if str(column.dtype) == "Object" else column), ""

    def added_before(self) -> Mapping[str, list[str]]:
        return {}

    def beside(self, added: _core.Batches, dropped: list[str], notes: Notes) -> Any:  # noqa: ARG002
        import polars

        beside = polars.DataFrame(added)
        frame = self._frame.drop(dropped).hstack(beside) if self._frame.width else beside
        return frame.lazy() if self._lazy else frame


class PyarrowFrame:
    """A table or a record batch of pyarrow's."""

    def __init__(self, data: Any) -> None:
        import pyarrow

        self._batch = isinstance(data, pyarrow.RecordBatch)
        self._table = pyarrow.Table.from_batches([data]) if self._batch else data

    def names(self) -> list[Hashable]:
        return list(self._table.column_names)

    def rows(self) -> int:
        return self._table.num_rows

    def cells(self, label: Hashable) -> Cells:
        return self._table.column(label), ""

    def added_before(self) -> Mapping[str, list[str]]:
        return known_columns(self._table.schema.metadata)

    def beside(self, added: _core.Batches, dropped: list[str], notes: Notes) -> Any:
        import pyarrow

        table, beside = self._table.drop_columns(dropped), pyarrow.table(added)
        for field, column in zip(beside.schema, beside.columns, strict=True):
            table = table.append_column(field, column)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **notes.as_json()})
        if not self._batch:
            return table
        # Of no rows there is no batch at all.
        whole = table.combine_chunks().to_batches() or [None]
        return whole[0] or pyarrow.RecordBatch.from_pylist([], schema=table.schema)


class CapsuleFrame:
    """Anything else that hands its rows on by Arrow's C interface, read whole."""

    def __init__(self, data: Any) -> None:
        self._kind = type(data)
        source = _core.ArrowInput(data)
        self._batches = _core.Batches.concat(source, list(source))

    def names(self) -> list[Hashable]:
        return list(self._batches.names())

    def rows(self) -> int:
        return len(self._batches)

    def cells(self, label: Hashable) -> Cells:
        return self._batches.column(cast("str", label)), ""

    def added_before(self) -> Mapping[str, list[str]]:
        return {}

    def beside(self, added: _core.Batches, dropped: list[str], notes: Notes) -> Any:
        joined = self._batches.beside(added, dropped, list(notes.as_json().items()))
        return as_kind(self._kind, joined)


def as_kind(kind: type[Any], batches: Any) -> Any:
    """The batches as this kind of thing, where it can be made of them; else as they are."""
    make = getattr(kind, "from_arrow", None)
    return make(batches) if callable(make) else batches


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
    home, name = home_of(data), type(data).__name__
    if home == "polars" and name in {"DataFrame", "LazyFrame"}:
        return PolarsFrame(data)
    if home == "pyarrow" and name in {"Table", "RecordBatch"}:
        return PyarrowFrame(data)
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        from ._pandas import PandasFrame

        return PandasFrame(data)
    if hasattr(data, "__arrow_c_stream__") and home not in {"pandas", "polars"}:
        if hasattr(data, "dtype") or hasattr(data, "type"):
            raise TypeError(f"data is one column ({name}): pass the table, and its name as by")
        return CapsuleFrame(data)
    fix = "pass it to enrich" if isinstance(data, (list, tuple)) or hasattr(data, "dtype") else "make it one"
    raise TypeError(
        f"data is of type {name}, which is no table of pandas, polars, pyarrow, or anything that hands on "
        f"Arrow data: {fix}"
    )


def check_label(names: list[Hashable], label: Hashable) -> None:
    """Checks that a column to look up is there, once.

    Raises:
        ConfigError: There is none of this label, or more than one.
    """
    count = names.count(label)
    if count == 1:
        return
    what = "no column" if not count else f"{count} columns"
    some = ", ".join(repr(name) for name in names[:_NAMED])
    more = ", …" if len(names) > _NAMED else ""
    raise ConfigError(f"by names {label!r}, and the table has {what} of that name; it has {some}{more}")


_NAMED = 20


def home_of(data: object) -> str:
    for kind in type(data).__mro__:
        home = kind.__module__.partition(".")[0]
        if home in {"pandas", "polars", "pyarrow"}:
            return home
    return ""
