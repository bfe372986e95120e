"""What each column of a table contributes, as people see it. Only data and its wording.

In rows that are lists, a column is a position in the list. Knows nothing of tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from .message import Message, Term
from .wording import count

_SHOWN = 5


class ColumnCount(NamedTuple):
    """How many values of a column can be read."""

    column: str | int
    """The name of the column. For rows that are lists, the position in the list, from 0."""

    values: int
    """The cells of the column that are not empty. A cell with several values counts once."""

    skipped: int
    """The cells that cannot be read, and whose row has another value that can be looked up. So the row is not
    `invalid`."""

    reasons: tuple[tuple[str, int], ...] = ()
    """Why cells cannot be read, each reason with the number of cells, the most frequent reason first."""

    @property
    def unreadable(self) -> int:
        """All cells that cannot be read, also those of rows that are `invalid`."""
        return sum(cells for _, cells in self.reasons)


def columns_of_core(counts: Iterable[Any]) -> tuple[ColumnCount, ...]:
    """The counts of the core, which has numbers instead of names."""
    return tuple(
        ColumnCount(number, values, skipped, tuple(reasons)) for number, values, skipped, reasons in counts
    )


def added(some: Iterable[ColumnCount], more: Iterable[ColumnCount]) -> tuple[ColumnCount, ...]:
    """The sums of two lists of columns, by column."""
    sums: dict[str | int, ColumnCount] = {}
    for one in (*some, *more):
        known = sums.get(one.column, ColumnCount(one.column, 0, 0))
        reasons = Counter(dict(known.reasons))
        reasons.update(dict(one.reasons))
        sums[one.column] = ColumnCount(
            one.column, known.values + one.values, known.skipped + one.skipped, (*reasons.most_common(),)
        )
    return tuple(sums.values())


def is_placeholder(reason: str) -> bool:
    """Whether this reason is about a word that means that there is no value: it should be in `na_values`."""
    return isinstance(reason, Message) and Term("na_values") in reason.parts


def skipped_notes(columns: Iterable[ColumnCount]) -> list[str]:
    """A line for each column with skipped values. Such rows are not `invalid`, so nothing else shows them."""
    skipped = [column for column in columns if column.skipped]
    notes: list[str] = [unreadable_note(column) for column in skipped[:_SHOWN]]
    more = len(skipped) - _SHOWN
    if more > 0:
        one, many = ("entry", "entries") if isinstance(skipped[0].column, int) else ("column", "columns")
        which = f"more {one} has" if more == 1 else f"more {many} have"
        notes.append(f"{more:,} {which} values that cannot be read")
    return notes


def unreadable_note(column: ColumnCount) -> Message:
    """How many values of a column cannot be read, and the most frequent reason."""
    name = f"entry {column.column}" if isinstance(column.column, int) else f"column {column.column}"
    reason, cells = column.reasons[0]
    most_often = "" if cells == column.unreadable else f", most often ({cells:,})"
    many = f"{column.unreadable:,} of {count(column.values, 'value')}"
    return Message(f"{name}: {many} cannot be read{most_often}: ", reason)
