"""OUTPUT: what became of each row, in the order of the input. Data only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from .receipt import Receipt
from .wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable

Status: TypeAlias = Literal["found", "not_found", "missing", "invalid", "rejected", "unknown", "not_sent"]
"""What became of a row."""

STATUSES: tuple[Status, ...] = get_args(Status)


class Result(TypedDict):
    """What became of one row."""

    value: Any
    """The caller's own spelling: of a list the one that was found, else the first; `None` if missing."""

    enriched_contact: dict[str, Any] | None
    """The vendor's object, complete and untouched; `None` unless the row is `found`."""

    status: Status
    """What became of it."""


class Problem(NamedTuple):
    """Why a row is neither `found`, `not_found` nor `missing`. Never holds a person's data."""

    row: int
    """Its place in the input, from 0."""

    status: Status
    """What became of it."""

    reason: str
    """Why, in words."""


class Results(list[Result]):
    """A list with one `Result` a row, in input order, and what the call took.

    It is a list in every way; a slice of it is a plain one. Its repr shows counts, not a thousand
    people.

    Args:
        rows: The results.
        receipt: What the call took.
        problems: Why rows are neither `found`, `not_found` nor `missing`: of every such row of a list, of
            a stream the first million.
        first_row: Which row of the input comes first, where the rows before it had already been
            handed out by a stream.
        table: Of a call of `enrich_table`: the table, as far as the call had come. The list itself is
            then empty, and yet counts as true: there is something in it.

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
