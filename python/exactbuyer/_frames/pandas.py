"""pandas' frames: how their columns are read, and ours put beside them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, cast

from exactbuyer.exceptions import ConfigError

from .frame import Cells, Frame
from .labels import label_for_message
from .libraries import has_pyarrow, home_of, library
from .metadata import COLUMNS_KEY, Notes, noted_columns

if TYPE_CHECKING:
    from exactbuyer._core import Batches


def index_of(rows: object) -> Any:
    """The index of a column of pandas'; `None` for everything else."""
    if home_of(rows) != "pandas" or getattr(rows, "ndim", 0) != 1:
        return None
    index: Any = getattr(rows, "index", None)
    # With names of its own: the caller may rename theirs.
    return None if index is None else index.copy()


class PandasFrame(Frame):
    """A frame of pandas', or of a class derived from it."""

    def __init__(self, data: Any) -> None:
        # Its own list of columns and rows: the caller may change theirs while a call is under way.
        self._frame = data.copy(deep=False)
        self._looked_up: list[Any] = []

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def index_names(self) -> list[Hashable]:
        return [name for name in self._frame.index.names if name is not None]

    def label(self, name: str) -> Hashable:
        below = self._frame.columns.nlevels - 1
        # As pandas itself fills up the levels of a column that is set by its first alone.
        return (name, *[""] * below) if below else name

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:
        column = self._frame.iloc[:, list(self._frame.columns).index(label)]
        if not is_region:
            self._looked_up.append(column.dtype)
        # The name says how exact its numbers are.
        values = _dtype_of_values(column.dtype)
        name = str(values)
        pd = library("pandas")
        # Arrow would pass on periods as plain numbers.
        is_period = isinstance(values, (pd.PeriodDtype, pd.IntervalDtype))
        if is_period or getattr(values, "kind", "O") in "bmMc":
            why = (
                "hold regions: region names a column of text with ISO 3166 codes or names of countries"
                if is_region
                else "be looked up: by names columns of text or of whole numbers"
            )
            raise ConfigError(f"column {label_for_message(label)} is of type {values}, which cannot {why}")
        if str(column.dtype) != "object" and has_pyarrow():
            pa = library("pyarrow")
            try:
                return pa.array(column, from_pandas=True), name
            except (pa.ArrowException, TypeError, ValueError):
                # Categories of all sorts: whatever they are, they are objects.
                pass
        return cast("list[Any]", column.tolist()), name

    def keeps_large_text(self) -> bool:
        pd = library("pandas")
        return has_pyarrow() and isinstance(pd.Series(["text"]).dtype, pd.StringDtype)

    def added_before(self) -> Mapping[str, list[str]]:
        return noted_columns(self._frame.attrs.get(COLUMNS_KEY))

    def cut(self, rows: int) -> None:
        self._frame = self._frame.iloc[:rows]

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        pd = library("pandas")
        frame = self._frame
        kept = frame.loc[:, [name not in set(dropped) for name in frame.columns]] if dropped else frame
        arrays = _arrays(added, self._text_dtype())
        beside = pd.DataFrame(arrays, index=frame.index)
        labels = [self.label(name) for name in arrays]
        is_deep = frame.columns.nlevels > 1
        beside.columns = pd.MultiIndex.from_tuples(labels) if is_deep else pd.Index(labels, dtype=object)
        # One step for all: column by column pandas would warn of a frame in many pieces.
        joined = pd.concat([kept, beside], axis=1).__finalize__(frame)
        joined.columns.names = frame.columns.names
        joined.attrs.update(notes)
        return joined

    def _text_dtype(self) -> Any:
        """The dtype for text: pandas' usual one; if that is `object`, that of the caller's text columns."""
        pd = library("pandas")
        usual = pd.Series(["text"]).dtype
        if not _is_object(usual) or any(map(_is_object, self._looked_up)):
            return usual
        theirs = [*self._looked_up, *self._frame.dtypes]
        return next((dtype for dtype in theirs if _is_text(dtype)), usual)


def _dtype_of_values(dtype: Any) -> Any:
    """The dtype of a column's values: that of its categories, if it has any."""
    return dtype.categories.dtype if isinstance(dtype, library("pandas").CategoricalDtype) else dtype


def _is_object(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") == "O" and getattr(dtype, "name", "") == "object"


def _is_text(dtype: Any) -> bool:
    pd = library("pandas")
    if isinstance(dtype, pd.StringDtype):
        return True
    pa = library("pyarrow") if isinstance(dtype, pd.ArrowDtype) else None
    return pa is not None and dtype.pyarrow_dtype in {pa.string(), pa.large_string()}


def _arrays(added: Batches, text_dtype: Any) -> dict[str, Any]:
    if not has_pyarrow():
        return {name: _without_arrow(*added.objects(name), text_dtype) for name in added.names()}
    pa = library("pyarrow")
    table = pa.table(added)
    columns = zip(table.column_names, table.columns, strict=True)
    return {name: _array(column, text_dtype) for name, column in columns}


def _array(column: Any, text_dtype: Any) -> Any:
    """An Arrow column with pandas' own dtype. Lists, for which pandas has no dtype, stay Arrow's."""
    pa, pd = library("pyarrow"), library("pandas")
    kind = column.type
    if kind == pa.string_view():
        kind = pa.large_string()
        column = column.cast(kind)
    is_text = kind in {pa.string(), pa.large_string()}
    # Only `object` copies the text: it has a Python object for each cell.
    if pa.types.is_nested(kind) or (is_text and isinstance(text_dtype, pd.ArrowDtype)):
        return pd.arrays.ArrowExtensionArray(column)
    if is_text:
        return column.to_pandas().array if _is_object(text_dtype) else text_dtype.__from_arrow__(column)
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype().__from_arrow__(column)
    if pa.types.is_integer(kind):
        # Nullable integers: floats would lose digits beyond 2**53.
        name = str(kind).replace("int", "Int").replace("u", "U")
        return pd.api.types.pandas_dtype(name).__from_arrow__(column)
    if pa.types.is_timestamp(kind) and kind.tz == "UTC":
        # A tenth of the time of `to_pandas`, which starts threads and looks the zone up.
        return pd.DatetimeTZDtype(kind.unit, "UTC").__from_arrow__(column)
    # `.array` has no index, by which pandas would align it with the frame.
    return column.to_pandas(date_as_object=False).array


def _without_arrow(values: list[Any], kind: str, text_dtype: Any) -> Any:
    pd = library("pandas")
    if kind == "timestamp":
        return pd.to_datetime(pd.array(values, dtype="Int64"), unit="us", utc=True).as_unit("us")
    if kind == "date":
        return pd.array(library("numpy").array(values, dtype="datetime64[ms]"))
    if kind == "object":
        return pd.Series(values, dtype=object).array
    if kind == "string":
        return pd.array(values, dtype=text_dtype)
    return pd.array(values, dtype=cast("Any", kind))
