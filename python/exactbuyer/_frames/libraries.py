"""Which library an object belongs to, and how it is read through Arrow's C interface.

A library is imported only when one of its objects is passed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from exactbuyer._core import ArrowInput, Batches

_EXPORTS_VIEWS = 25
"""The first version of pyarrow that exports views of short texts correctly."""

_ALIGNMENT = 8
"""Of the largest numbers in a buffer, in bytes."""


def as_kind(kind: type[Any], batches: Any) -> Any:
    """The batches as this kind of thing, where it can be made of them; else as they are."""
    make = getattr(kind, "from_arrow", None)
    if not callable(make):
        return batches
    made = make(batches)
    if made is None:
        raise TypeError(f"{kind.__name__}.from_arrow returns None")
    return made


def library(name: str) -> Any:
    """pandas, polars or pyarrow, as a module without types: one of its tables has come along."""
    return import_module(name)


def library_for(method: str, name: str) -> Any:
    """The same for a method that makes one of its tables, without one that has come along."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ImportError(f"{method} needs {name}, which is not installed: pip install {name}") from None


def has_pyarrow() -> bool:
    """Whether pyarrow can be imported."""
    return find_spec("pyarrow") is not None


def home_of(data: object) -> str:
    """Which of these libraries its class comes from, or is derived from; `""` if none."""
    return home_of_class(type(data))


def home_of_class(kind: type[Any]) -> str:
    """The same for the class itself."""
    for base in kind.__mro__:
        home = base.__module__.partition(".")[0].lstrip("_")
        if home in {"pandas", "polars", "pyarrow", "duckdb"}:
            return home
    return ""


def exportable(cells: Any) -> Any:
    """A pyarrow column that Arrow's C interface can hand on. Other objects are unchanged.

    - Buffers must be aligned. Those from a pickle may begin anywhere, such as those of a frame that a worker
      of Dask received.
    - Before version 25, pyarrow exports a view of short texts in a way that crashes the reader.
    """
    if home_of(cells) != "pyarrow" or not hasattr(cells, "type"):
        return cells
    chunks = cells.chunks if hasattr(cells, "chunks") else [cells]
    pa = library("pyarrow")
    crashes = int(pa.__version__.split(".")[0]) < _EXPORTS_VIEWS and _has_views(cells.type)
    if all(map(_is_aligned, chunks)) and not crashes:
        return cells
    # It copies, and so aligns.
    return pa.chunked_array([pa.concat_arrays([_plain(chunk)]) for chunk in chunks], _plain_type(cells.type))


def _has_views(kind: Any) -> bool:
    if library("pyarrow").types.is_string_view(kind):
        return True
    return hasattr(kind, "value_type") and _has_views(kind.value_type)


def _plain(array: Any) -> Any:
    """The same texts without views and without a dictionary."""
    pa = library("pyarrow")
    if pa.types.is_dictionary(array.type):
        array = pa.DictionaryArray.from_arrays(array.indices, _plain(array.dictionary)).dictionary_decode()
    return array.cast(_plain_type(array.type))


def _plain_type(kind: Any) -> Any:
    pa = library("pyarrow")
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_list(kind) and _has_views(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_large_list(kind) and _has_views(kind):
        return pa.large_list(_plain_type(kind.value_type))
    return kind


def _is_aligned(array: Any) -> bool:
    buffers: list[Any] = list(array.buffers())
    if hasattr(array, "dictionary"):
        buffers += array.dictionary.buffers()
    return all(buffer is None or not buffer.address % _ALIGNMENT for buffer in buffers)


def arrow_input(data: object) -> ArrowInput:
    """Opens an object that has Arrow's C interface."""
    try:
        return ArrowInput(data)
    except ValueError as trouble:
        raise TypeError(
            f"data is of type {type(data).__name__}, and hands on Arrow data that is no table ({trouble}): "
            f"pass a table, and the name of its column as by"
        ) from None
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def arrow_table(data: object) -> Batches:
    """Reads an object that has Arrow's C interface completely."""
    source = arrow_input(data)
    try:
        return Batches.concat(source, list(source))
    except MemoryError:
        raise
    except Exception as trouble:  # noqa: BLE001 - whatever the other side says
        raise _unreadable(data, trouble) from None


def _unreadable(data: object, trouble: Exception) -> TypeError:
    # The text of the exception is not ours, and may quote values of the table.
    return TypeError(
        f"data is of type {type(data).__name__}, and what it hands on by Arrow's C interface cannot be read "
        f"({type(trouble).__name__}): make it a table of pandas, polars or pyarrow first"
    )
