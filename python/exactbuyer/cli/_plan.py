"""What an input of any length would look up and could cost: planned in windows, which are added up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from exactbuyer._core import Batches
from exactbuyer.cli._io.files import require
from exactbuyer.report.columns import added
from exactbuyer.report.plan import Plan, Suspect, min_duration_s

from ._words import in_options
from .exit_codes import UsageError

if TYPE_CHECKING:
    from exactbuyer import BulkEnricher
    from exactbuyer._frames.request import TableRequest
    from exactbuyer.cli._io.sources import Source
    from exactbuyer.report.receipt import Receipt

WINDOW_ROWS = 100_000
"""Rows planned at once: duplicates are recognised within them. A run recognises duplicates within at least as
many rows, so it never costs more than its plan says."""

_KEPT = 1_000


def planned(
    source: Source, enricher: BulkEnricher, table_request: TableRequest, *, refresh: bool, store_only: bool
) -> Plan:
    """The plan of an input, read to its end.

    Returns:
        The plan, with the first thousand problems. For more than `WINDOW_ROWS` rows it is an upper bound: a
        duplicate of a row in another window counts as a lookup of its own.

    Raises:
        ConfigError: A column cannot be looked up.
        CommandError: It cannot be read.
    """
    whole = Plan(credit_price=enricher.settings.credit_price)
    for window in _windows(source, table_request.labels):
        plan = enricher.plan(
            window,
            by=dict(table_request.by),
            split=table_request.split,
            region=table_request.region,
            refresh=refresh,
            store_only=store_only,
        )
        whole = _sum(whole, plan, enricher)
    return whole


def check_readable(counts: Plan | Receipt, name: str) -> None:
    """Refuses an input if none of ten or more rows can be looked up: the wrong column was probably named.

    `counts` is the plan of all rows, or the receipt at their end. Of such rows, nothing was sent.

    Raises:
        UsageError: Every row that is not empty is invalid, and there are enough of them.
    """
    if counts.invalid < _ENOUGH_ROWS or counts.invalid + counts.missing < counts.rows:
        return
    problems = counts.problems if isinstance(counts, Plan) else ()
    why = f" (row {problems[0].row + 1:,}: {in_options(problems[0].reason)})" if problems else ""
    raise UsageError(
        f"no row of {name} can be looked up{why}: check the column of --by, or pass --na-value for texts "
        f"that mean no value; `exactbuyer plan` shows all reasons. Nothing was sent"
    )


def _windows(source: Source, names: list[str]) -> Iterator[Any]:
    """The columns of these names, in tables of at most so many rows."""
    window: list[Any] = []
    for part in source.columns(WINDOW_ROWS, names):
        if window and sum(map(len, window)) + len(part) > WINDOW_ROWS:
            yield _table(window)
            window = []
        window.append(part)
    if window:
        yield _table(window)


def _table(window: list[Any]) -> Any:
    if isinstance(window[0], Batches):
        return Batches.concat(window[0], window)
    return require("pyarrow", "Parquet").Table.from_batches(window)


def _sum(one: Plan, next_one: Plan, enricher: BulkEnricher) -> Plan:
    settings = enricher.settings
    to_send = _added(one.to_send, next_one.to_send)
    most = one.max_credits + next_one.max_credits
    likely = [plan.expected_credits for plan in (one, next_one) if plan.rows]
    problems = [problem._replace(row=problem.row + one.rows) for problem in next_one.problems[:_KEPT]]
    suspects = [Suspect(row + one.rows, kind, rows) for row, kind, rows in next_one.suspects]
    return replace(
        next_one,
        **{name: getattr(one, name) + getattr(next_one, name) for name in _COUNTS},
        to_send=to_send,
        requests=_requests(one, next_one, settings.chunk_size),
        max_credits=most if next_one.ceiling_left is None else min(most, next_one.ceiling_left),
        credits_without_limit=one.credits_without_limit + next_one.credits_without_limit,
        expected_credits=None if not likely or None in likely else reduce(_added, filter(None, likely)),
        min_duration_s=min_duration_s(_full(to_send[0], settings.chunk_size), settings.requests_per_minute),
        problems=(*one.problems, *problems)[:_KEPT],
        columns=added(one.columns, next_one.columns),
        suspects=tuple(sorted((*one.suspects, *suspects), key=lambda suspect: -suspect.rows)[:_SUSPECTS]),
    )


_ENOUGH_ROWS = 10
"""Fewer say nothing about a column: a file may have one row, and that may be wrong."""

_COUNTS = ("rows", "missing", "invalid", "duplicates", "from_store", "open_rows", "bought_again")
_SUSPECTS = 5


def _added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _requests(one: Plan, other: Plan, chunk_size: int) -> tuple[int, int]:
    """Requests run on from one window into the next, so that only the last one may not be full.

    The lookups of an alternative may come too late for that. Then they are in requests of their own, as many
    as in the window with the most.
    """
    low, high = _added(one.to_send, other.to_send)
    more = max(plan.requests[1] - _full(plan.to_send[1], chunk_size) for plan in (one, other))
    return _full(low, chunk_size), _full(high, chunk_size) + more


def _full(lookups: int, chunk_size: int) -> int:
    return -(-lookups // chunk_size)
