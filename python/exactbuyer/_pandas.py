"""pandas' frames: how their columns are read, and ours put beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .exceptions import ConfigError
from .frames import COLUMNS_KEY, has_pyarrow

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from . import _core
    from .frames import Cells, Notes


class PandasFrame:
    """A frame of pandas', or of a class derived from it."""

    def __init__(self, data: Any) -> None:
        self._frame = data

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def rows(self) -> int:
        return len(self._frame)

    def cells(self, label: Hashable) -> Cells:
        column = self._frame.iloc[:, list(self._frame.columns).index(label)]
        name = str(column.dtype)
        if getattr(column.dtype, "kind", "O") in "bmMc":
            raise ConfigError(
                f"column {label!r} is of type {name}, which cannot be looked up: by names columns of text or "
                f"of whole numbers"
            )
        if name != "object" and has_pyarrow():
            import pyarrow

            try:
                return pyarrow.array(column, from_pandas=True), name
            except (pyarrow.ArrowException, TypeError, ValueError):
                # Categories of all sorts: whatever they are, they are objects.
                pass
        return cast("list[Any]", column.tolist()), name

    def added_before(self) -> Mapping[str, list[str]]:
        known = self._frame.attrs.get(COLUMNS_KEY)
        return cast("Mapping[str, list[str]]", known) if isinstance(known, dict) else {}

    def beside(self, added: _core.Batches, dropped: list[str], notes: Notes) -> Any:
        import pandas

        frame = self._frame
        kept = frame.loc[:, [name not in set(dropped) for name in frame.columns]] if dropped else frame
        arrays = _arrays(added)
        beside = pandas.DataFrame(arrays, index=frame.index)
        beside.columns = _labels(list(arrays), frame.columns)
        # One step for all: column by column pandas would warn of a frame in many pieces.
        joined = pandas.concat([kept, beside], axis=1).__finalize__(frame)
        joined.columns.names = frame.columns.names
        joined.attrs.update(notes)
        return joined


def _labels(names: list[str], columns: Any) -> Any:
    import pandas

    if columns.nlevels == 1:
        return pandas.Index(names, dtype=object)
    return pandas.MultiIndex.from_tuples([(name, *[""] * (columns.nlevels - 1)) for name in names])


def _arrays(added: _core.Batches) -> dict[str, Any]:
    import pandas

    if has_pyarrow():
        import pyarrow

        table = pyarrow.table(added)
        return {
            name: pandas.arrays.ArrowExtensionArray(column)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    return {name: _without_arrow(*added.objects(name)) for name in added.names()}


def _without_arrow(values: list[Any], kind: str) -> Any:
    import pandas

    if kind == "timestamp":
        return pandas.to_datetime(pandas.array(values, dtype="Int64"), unit="us", utc=True)
    if kind == "object":
        return pandas.Series(values, dtype=object).array
    return pandas.array(values, dtype=cast("Any", kind))
