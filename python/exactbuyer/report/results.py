"""OUTPUT: the outcome of each row, in the order of the input. Data only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from .receipt import Receipt
from .wording import count

Status: TypeAlias = Literal["found", "not_found", "missing", "invalid", "rejected", "unknown", "not_sent"]
"""The outcome of a row."""

STATUSES: tuple[Status, ...] = get_args(Status)


class Result(TypedDict):
    """The outcome of one row."""

    value: Any
    """The value in the caller's spelling. For a list: the one that was found, else the first. `None` if the
    row is missing."""

    enriched_contact: dict[str, Any] | None
    """The service's object, complete and unchanged; `None` unless the row is `found`."""

    status: Status
    """The outcome."""


class Problem(NamedTuple):
    """Why a row is neither `found`, `not_found` nor `missing`. It never contains personal data."""

    row: int
    """The place of the row in the input, from 0."""

    status: Status
    """The outcome."""

    reason: str
    """The reason, in words."""


class Results(list[Result]):
    """A list with one `Result` for each row, in input order, and the receipt of the call.

    It is a `list`; a slice of it is a plain list. Its repr shows counts and no people.

    Args:
        rows: The results.
        receipt: The receipt of the call.
        problems: Why rows are neither `found`, `not_found` nor `missing`. For a list, all such rows; for a
            stream, the first million.
        first_row: The number of the first row in this list. It is not 0 if a stream had already yielded the
            rows before it.
        table: For `enrich_table`: the table, as far as the call had come. The list itself is then empty, but
            `bool(results)` is true.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> with BulkEnricher.sandbox() as enricher:
        ...     results = enricher.enrich([None, ""])
        >>> results
        <Results: 2 rows: 2 missing>
        >>> results[0]
        {'value': None, 'enriched_contact': None, 'status': 'missing'}
    """

    receipt: Receipt
    problems: list[Problem]
    first_row: int
    table: Any

    def __init__(
        self,
        rows: Iterable[Result] = (),
        *,
        receipt: Receipt | None = None,
        problems: Iterable[Problem] = (),
        first_row: int = 0,
        table: Any = None,
    ) -> None:
        super().__init__(rows)
        self.receipt = receipt or Receipt()
        self.problems = list(problems)
        self.first_row = first_row
        self.table = table

    def __bool__(self) -> bool:
        return len(self) > 0 or self.table is not None

    def __repr__(self) -> str:
        if self.table is not None:
            return f"<Results: a table of {count(self.receipt.rows, 'row')}, in .table>"
        counts = Counter(row["status"] for row in self)
        named = [f"{counts[status]:,} {status.replace('_', ' ')}" for status in STATUSES if counts[status]]
        return f"<Results: {count(len(self), 'row')}{': ' if named else ''}{', '.join(named)}>"

    def _repr_html_(self) -> str:
        return self.receipt._repr_html_()
