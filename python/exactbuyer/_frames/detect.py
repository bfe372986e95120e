"""Every kind of table that can be enriched: how its columns are read, and ours put beside them.

A kind is recognised by the methods of a table and by the module of its class, so no library is imported.
Knows nothing of calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import IOBase
from os import PathLike
from typing import TYPE_CHECKING, cast

from .arrow import CapsuleFrame, PyarrowFrame, RelationFrame
from .dicts import DictsFrame
from .libraries import home_of
from .pandas import PandasFrame
from .polars import PolarsFrame

if TYPE_CHECKING:
    from .frame import Frame


def is_reader(data: object) -> bool:
    """Whether it can be read only once, batch by batch."""
    if home_of(data) == "pyarrow":
        return type(data).__name__ == "RecordBatchReader"
    if home_of(data) in {"pandas", "polars"} or not hasattr(data, "__arrow_c_stream__"):
        return False
    # A table knows how long it is.
    return not hasattr(type(data), "__len__") and not hasattr(data, "num_rows")


def is_query(data: object) -> bool:
    """Whether its rows are computed when it is read, in whatever thread: a lazy frame of polars.

    Not a relation of duckdb: its connection can be used by one thread at a time.
    """
    return home_of(data) == "polars" and type(data).__name__ == "LazyFrame"


def frame_of(data: object) -> Frame:
    """The table, as what it is."""
    home, name = home_of(data), type(data).__name__
    if home == "polars" and name in {"DataFrame", "LazyFrame"}:
        return PolarsFrame(data)
    if home == "pyarrow" and name in {"Table", "RecordBatch"}:
        return PyarrowFrame(data)
    # Not what only looks like it, as frames of modin do: pandas cannot join columns with these.
    if home == "pandas" and hasattr(data, "iloc") and hasattr(data, "columns"):
        return PandasFrame(data)
    if _is_list_of_dicts(data):
        return DictsFrame(cast("list[object]", data))
    exports = hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__")
    if home == "duckdb" and exports and hasattr(data, "query"):
        return RelationFrame(data)
    if exports and home not in {"pandas", "polars"}:
        return CapsuleFrame(data)
    raise TypeError(
        f"data is of type {name}, which is no table of pandas, polars or pyarrow, no list of dicts, and "
        f"nothing that hands on Arrow data: {_fix_of(data)}"
    )


def _fix_of(data: object) -> str:
    """What to pass instead."""
    home = home_of(data)
    if data is None or isinstance(data, (str, PathLike, IOBase)):
        return "read it first, as with pandas.read_csv, or use `exactbuyer enrich` on the command line"
    if home == "duckdb":
        return "pass a relation, such as con.sql('select * from people') gives"
    if isinstance(data, list) or hasattr(data, "dtype"):
        return "pass it to enrich"
    if home == "pyarrow" and (hasattr(data, "to_reader") or hasattr(data, "scanner")):
        return f"pass data.{'scanner().' if hasattr(data, 'scanner') else ''}to_reader()"
    # Rows of a generator, of csv.DictReader or in a tuple.
    fix = "pass data.to_pandas()" if hasattr(data, "to_pandas") else "make it one"
    is_frame = hasattr(data, "columns")
    if not (home or is_frame or isinstance(data, (Mapping, bytes, bytearray))) and isinstance(data, Iterable):
        return "pass list(data), if these are dicts"
    return fix


def _is_list_of_dicts(data: object) -> bool:
    rows = cast("list[object]", data) if isinstance(data, list) else None
    return rows is not None and (not rows or isinstance(rows[0], Mapping))
