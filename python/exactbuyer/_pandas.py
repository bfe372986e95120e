"""pandas' frames: how their columns are read, and ours put beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .exceptions import ConfigError
from .frames import COLUMNS_KEY, has_pyarrow, library, noted_columns, shown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from . import _core
    from .frames import Cells, Notes


class PandasFrame:
    """A frame of pandas', or of a class derived from it."""

    def __init__(self, data: Any) -> None:
        # Its own list of columns and rows: the caller may change theirs while a call is under way.
        self._frame = data.copy(deep=False)

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def index_names(self) -> list[Hashable]:
        return [name for name in self._frame.index.names if name is not None]

    def label(self, name: str) -> Hashable:
        below = self._frame.columns.nlevels - 1
        # As pandas itself fills up the levels of a column that is set by its first alone.
        return (name, *[""] * below) if below else name

    def cells(self, label: Hashable) -> Cells:
        column = self._frame.iloc[:, list(self._frame.columns).index(label)]
        name = str(column.dtype)
        if getattr(column.dtype, "kind", "O") in "bmMc":
            raise ConfigError(
                f"column {shown(label)} is of type {name}, which cannot be looked up: by names columns of "
                f"text or of whole numbers"
            )
        if name != "object" and has_pyarrow():
            pa = library("pyarrow")

            try:
                return pa.array(column, from_pandas=True), name
            except (pa.ArrowException, TypeError, ValueError):
                # Categories of all sorts: whatever they are, they are objects.
                pass
        return cast("list[Any]", column.tolist()), name

    def added_before(self) -> Mapping[str, list[str]]:
        return noted_columns(self._frame.attrs.get(COLUMNS_KEY))

    def beside(self, added: _core.Batches, dropped: list[Any], notes: Notes) -> Any:
        pd = library("pandas")

        frame = self._frame
        kept = frame.loc[:, [name not in set(dropped) for name in frame.columns]] if dropped else frame
        arrays = _arrays(added)
        beside = pd.DataFrame(arrays, index=frame.index)
        labels = [self.label(name) for name in arrays]
        is_deep = frame.columns.nlevels > 1
        beside.columns = pd.MultiIndex.from_tuples(labels) if is_deep else pd.Index(labels, dtype=object)
        # One step for all: column by column pandas would warn of a frame in many pieces.
        joined = pd.concat([kept, beside], axis=1).__finalize__(frame)
        joined.columns.names = frame.columns.names
        joined.attrs.update(notes)
        return joined


def _arrays(added: _core.Batches) -> dict[str, Any]:
    pd = library("pandas")

    if has_pyarrow():
        pa = library("pyarrow")

        table = pa.table(added)
        return {
            name: pd.arrays.ArrowExtensionArray(column)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    return {name: _without_arrow(*added.objects(name)) for name in added.names()}


def _without_arrow(values: list[Any], kind: str) -> Any:
    pd = library("pandas")

    if kind == "timestamp":
        return pd.to_datetime(pd.array(values, dtype="Int64"), unit="us", utc=True)
    if kind == "object":
        return pd.Series(values, dtype=object).array
    return pd.array(values, dtype=cast("Any", kind))
