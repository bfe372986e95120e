"""Joins new columns with a table by code of its library: once on trial, and what if it fails afterwards.

It fails afterwards when everything is paid for. So whatever it raises, the new columns are returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exactbuyer._core import DEFAULT_COLUMNS, Batches
from exactbuyer.exceptions import ConfigError

from .libraries import has_pyarrow, home_of_class, library

if TYPE_CHECKING:
    from .request import TableRequest

ALL_COLUMNS = "Arrow data with your columns and the new ones"
NEW_COLUMNS = "Arrow data with the new columns alone: its row n belongs to row n of yours"

Join = Callable[["TableRequest", int], object]
"""Joins the new columns of a request with so many rows of a table."""


def is_failure(error: BaseException) -> bool:
    """Whether code of a library has failed; not if Ctrl-C or the end of the process or of a task came.

    `MemoryError` is a failure, too: what is returned instead exists already. A panic of a library written in
    Rust, such as polars, is not an `Exception`.
    """
    kinds = type(error).__mro__
    return isinstance(error, Exception) or any(kind.__name__ == "PanicException" for kind in kinds)


def joined_or(
    join: Callable[[], Any], instead: Iterable[tuple[str, Callable[[], Any]]]
) -> tuple[Any, str | None]:
    """What `join` returns; if a library fails in it, the first of `instead` that can be made.

    Each of `instead` says what it is, and makes it, or returns `None`.

    Returns:
        The table; and `None`, or why it is not the joined one, and what it is.
    """
    try:
        return join(), None
    except BaseException as error:
        if not is_failure(error):
            raise
        # Not its text, which may quote values of the table.
        why = f"the new columns could not be joined with yours ({type(error).__name__})"
        for what, make in instead:
            table = _unless_it_fails(make)
            if table is not None:
                return table, f"{why}: the table is {what}"
        raise


def in_arrow(batches: Batches) -> Any:
    """The batches as a table of pyarrow, which can do more, if pyarrow is installed and can read them."""
    table = _unless_it_fails(lambda: library("pyarrow").table(batches)) if has_pyarrow() else None
    return batches if table is None else table


def _unless_it_fails(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except BaseException as error:
        if not is_failure(error):
            raise
        return None


def blank(request: TableRequest, rows: int, *, large_text: bool = False) -> Batches:
    """The new columns of so many rows, as if none of them had been sent."""
    table = request.table(large_text=large_text)
    table.expect(rows)
    table.finish(rows)
    return Batches.concat(table, table.blocks())


def rehearse(join: Join, request: TableRequest, rows: int, kind: type[Any]) -> None:
    """Joins new columns with an empty slice of a table of `rows` rows, before anything is sent.

    Some libraries cannot join tables without rows, so only one that cannot join the first row either is
    refused.

    Raises:
        ConfigError: The library cannot join the new columns.
    """
    # Any library that has the types of the fixed columns has those of the default columns, too.
    probe = replace(request, columns=tuple(filter(_has_own_type, request.columns)))
    error = _error_of(join, probe, 0)
    if error is None:
        return
    most = min(rows, 1)
    if most and (error := _error_of(join, probe, most)) is None:
        return
    where = home_of_class(kind) or "the join"
    # Not the error's text, which may quote values of the table.
    data = f"data of type {kind.__name__} ({where} raised {type(error).__name__})"
    blamed = _blamed(join, probe, most)
    if blamed is None:
        raise ConfigError(
            f"the new columns cannot be joined with {data}: convert it to a table of pandas, polars or "
            f"pyarrow first. Nothing was sent"
        ) from error
    name, path, of_type = blamed
    which = f"with the path {path!r}" if of_type is None else f"of type {of_type}"
    raise ConfigError(
        f"column {name!r} {which} cannot be joined with {data}: give it another type, such as 'string', "
        f"'float64' or 'json'. Nothing was sent"
    ) from error


def _has_own_type(column: tuple[str, str, Any]) -> bool:
    kind = column[2]
    # A type of Arrow is not compared: it may not like to be compared with a text.
    is_default = (kind is None or isinstance(kind, str)) and column in DEFAULT_COLUMNS
    return not is_default


def _blamed(join: Join, probe: TableRequest, rows: int) -> tuple[str, str, Any] | None:
    """The first column that alone makes the join fail, if any does."""
    if not probe.columns or _error_of(join, replace(probe, columns=()), rows) is not None:
        return None
    fails = (
        column
        for column in probe.columns
        if _error_of(join, replace(probe, columns=(column,)), rows) is not None
    )
    return next(fails, None)


def _error_of(join: Join, request: TableRequest, rows: int) -> BaseException | None:
    # The library's warnings are not hidden: filters of warnings belong to the process, and a thread that
    # changes them at the same time could switch off all warnings for good.
    try:
        join(request, rows)
    except MemoryError:
        raise
    except Warning:
        # Warnings were turned into errors. The library has not refused anything.
        return None
    except BaseException as error:
        if not is_failure(error):
            raise
        return error
    return None
