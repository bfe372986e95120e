"""PLAN, as people see it: what a call would send, and what it could cost. Only data and its wording."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from .columns import ColumnCount, columns_of_core, skipped_notes
from .message import PYTHON, Message, Term, said
from .results import Problem
from .wording import count, duration, html_table, money, plain, span, span_of, text_table

if TYPE_CHECKING:
    from exactbuyer.settings import Settings

_WINDOW_S = 60

_ENOUGH = 100
"""Lookups whose answers say something of the next ones."""

_LISTS_DIFFER = 0.03
"""How far the share found differs from one list to another, beyond chance."""


def min_duration_s(requests: int, requests_per_minute: int) -> float:
    """The minimum time for so many requests: one window is sent at once, and the rest waits."""
    return float(max(requests - 1, 0) // requests_per_minute * _WINDOW_S)


class Suspect(NamedTuple):
    """An identifier in suspiciously many rows: it may be a placeholder."""

    row: int
    """The first row with the identifier, from 0; -1 for a frame of a cluster, where rows have no numbers."""

    field_type: str
    """The field type of the identifier."""

    rows: int
    """The number of rows with the identifier."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """What a call would send, and what it could cost. A plan needs no network and no key.

    It prints as a table, at a prompt and in a notebook.

    If rows are lists, the number of lookups depends on the answers. Then the two numbers of a range differ.

    Attributes:
        rows: Rows read.
        missing: Rows that are empty.
        invalid: Rows that cannot be looked up.
        duplicates: Rows that the lookup of another row answers, free of charge. `stream` and the command line
            recognise duplicates only within 100,000 rows. Later duplicates are answered from the store;
            without a store they are paid for again.
        from_store: Rows that are answered from the store, free of charge.
        open_rows: Rows that will not be sent and get no answer: those that an earlier run left in doubt, and
            those that were purged or dropped; with `store_only=True`, all rows that the store cannot answer.
            (In a receipt, purged and dropped rows are not among the open ones.)
        bought_again: How many of the identifiers to send already have a contact in the store that is too old,
            was found with other required fields, or is refreshed: **they are paid for again**.
        to_send: The number of identifiers to send, as a range: from the case that every first identifier of a
            row matches to the case that none does.
        requests: The number of requests, likewise.
        max_credits: The maximum cost in credits; never more than is left of the limit.
        credits_without_limit: The maximum cost if there were no limit. If it is higher, rows may stay open.
        ceiling: The enricher's limit, in credits; `None` if it has none.
        ceiling_left: What is left of the limit; every doubt counts as spent.
        expected_credits: The likely cost, as a range, estimated from the store's latest requests with these
            required fields; `None` if there are too few of them.
        min_duration_s: The minimum duration in seconds, because of `requests_per_minute`.
        problems: The rows that cannot be looked up, with the reasons.
        suspects: Identifiers that may be placeholders.
        columns: For each column in `by`, or for each position in rows that are lists: how many of its values
            can be read. Empty for a frame of a cluster.
        credit_price: The price of one credit and its currency, if the enricher has one.
    """

    rows: int = 0
    missing: int = 0
    invalid: int = 0
    duplicates: int = 0
    from_store: int = 0
    open_rows: int = 0
    bought_again: int = 0
    to_send: tuple[int, int] = (0, 0)
    requests: tuple[int, int] = (0, 0)
    max_credits: int = 0
    credits_without_limit: int = 0
    ceiling: int | None = None
    ceiling_left: int | None = None
    expected_credits: tuple[int, int] | None = None
    min_duration_s: float = 0.0
    problems: tuple[Problem, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    columns: tuple[ColumnCount, ...] = ()
    credit_price: tuple[Decimal, str] | None = None

    @classmethod
    def from_core(
        cls,
        counts: Mapping[str, Any],
        invalid: list[tuple[int, str]],
        settings: Settings,
        max_credits: int | None,
        spent: int = 0,
    ) -> Plan:
        """The plan of rows, from the core's counts; `spent` is used if no store counts the credits."""
        budget = settings.budget
        counts = dict(counts)
        left: int | None = counts.pop("room")
        lately: Mapping[str, int] | None = counts.pop("lately")
        if left is None and budget is not None:
            left = max(budget.credits - spent, 0) if budget.per != "run" else budget.credits
        most = min(
            [counts["max_credits"], *(ceiling for ceiling in (left, max_credits) if ceiling is not None)]
        )
        counts["suspects"] = tuple(Suspect(**suspect) for suspect in counts["suspects"])
        counts["columns"] = columns_of_core(counts["columns"])
        counts["credits_without_limit"], counts["max_credits"] = counts["max_credits"], most
        return cls(
            **counts,
            ceiling=None if budget is None else budget.credits,
            ceiling_left=left,
            expected_credits=_expected(lately, counts["to_send"], most),
            min_duration_s=min_duration_s(counts["requests"][0], settings.requests_per_minute),
            problems=tuple(Problem(row, "invalid", reason) for row, reason in invalid),
            credit_price=settings.credit_price,
        )

    def to_dict(self) -> dict[str, Any]:
        """The plan as numbers, texts, lists and `None`, as JSON and databases need it.

        Returns:
            One entry for each attribute, as `exactbuyer plan --json` has them, but rows are numbered from 0.
            Ranges are `[low, high]`, problems `[row, status, reason]`, suspects `[row, field_type, rows]`,
            columns `[column, values, skipped, [[reason, cells], …]]`; the price is `[amount, currency]`,
            both as text.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> plan = BulkEnricher().plan(["ana@acme.example", "?"]).to_dict()
            >>> plan["max_credits"], plan["to_send"], plan["problems"][0][:2]
            (1, [1, 1], [1, 'invalid'])
        """
        return plain(vars(self))

    def as_text(self, *, words: Mapping[str, str] = PYTHON) -> str:
        """The plan as a small table, in the words of an audience."""
        lines = [(label, number, said(note, words)) for label, number, note in self._lines()]
        return "\n".join(
            [
                *text_table(count(self.rows, "row"), lines),
                f"credits   {said(self._credits(), words)}",
                *(f"check     {said(check, words)}" for check in self.checks()),
            ]
        )

    def __str__(self) -> str:
        return self.as_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        checks = [("check", "", check) for check in self.checks()]
        return html_table(
            count(self.rows, "row"), [*self._lines(), ("credits", "", self._credits()), *checks]
        )

    def _lines(self) -> list[tuple[str, str, str]]:
        idle = self.missing + self.invalid
        free = self.duplicates + self.from_store
        see = [Term("plan_problems")] if self.invalid else []
        skipped = _parts((self.missing, "missing"), (self.invalid, "invalid"))
        duplicates = "duplicate" if self.duplicates == 1 else "duplicates"
        if self.to_send[0] < self.credits_without_limit:
            # Of rows with the same first identifier, each may need another second one.
            duplicates += " if somebody is found by the first identifier"
        free_parts = _parts((self.duplicates, duplicates), (self.from_store, "from the store"))
        lines: list[tuple[str, str, str]] = []
        lines += [("skipped", f"{idle:,}", Message(skipped, *see))] if idle else []
        lines += [("free", f"{free:,}", free_parts)] if free else []
        why = Message(
            "in doubt since an earlier run, purged or dropped; with ",
            Term("store_only"),
            ", also those that the store does not have",
        )
        lines += [("not sent", f"{self.open_rows:,}", why)] if self.open_rows else []
        asked = f"{span_of(*self.to_send, 'identifier')} in {span_of(*self.requests, 'request')}"
        lead = "" if not self.min_duration_s else f", taking {duration(self.min_duration_s)} or more"
        return [*lines, ("to look up", f"{self.rows - idle - free - self.open_rows:,}", asked + lead)]

    def _credits(self) -> str:
        text = f"at most {self.max_credits:,}"
        if self.credit_price is not None:
            text += f" ({money(self.max_credits, self.credit_price)})"
        if self.expected_credits is not None:
            text += f", likely {span(*self.expected_credits)}"
        return Message(text, *self._held_by())

    def _held_by(self) -> tuple[str, ...]:
        """The note that the limit bounds the credits, if it does."""
        if self.ceiling is None or self.ceiling_left is None:
            return ()
        if not self.max_credits == self.ceiling_left < self.credits_without_limit:
            return ()
        if not self.ceiling_left:
            return (": ", Term("max_credits"), f" ({self.ceiling:,}) is used up")
        more = f"; without it, at most {self.credits_without_limit:,}"
        return (f": {self.ceiling_left:,} of ", Term("max_credits"), f" ({self.ceiling:,}) left{more}")

    def checks(self) -> list[str]:
        """What to check before anything is sent, in words; rows are numbered from 0."""
        again = f"{count(self.bought_again, 'identifier')} the store has a contact for: to be paid for again"
        suspects = [
            f"{_whose(row, kind)} appears in {count(rows, 'row')}: a placeholder?"
            for row, kind, rows in self.suspects
        ]
        return [*([again] if self.bought_again else []), *skipped_notes(self.columns), *suspects]


def _parts(*parts: tuple[int, str]) -> str:
    """The parts of a sum that is shown before them: a single one needs no number."""
    there = [(number, what) for number, what in parts if number]
    return there[0][1] if len(there) == 1 else " · ".join(f"{number:,} {what}" for number, what in there)


def _whose(row: int, field_type: str) -> str:
    noun = field_type.replace("_", " ")
    if row >= 0:
        return f"row {row:,}'s {noun}"
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _expected(
    lately: Mapping[str, int] | None, to_send: tuple[int, int], most: int
) -> tuple[int, int] | None:
    """What lookups will likely find, from the outcome of the latest requests."""
    if lately is None or lately["answered"] < _ENOUGH:
        return None
    answered = lately["answered"]
    share = lately["hits"] / answered
    # Two standard errors of the share and of the draw; and lists differ.
    spread = 2 * math.sqrt(share * (1 - share) * (1 / answered + 1 / max(to_send[1], 1))) + _LISTS_DIFFER
    low = min(math.floor(max(share - spread, 0.0) * to_send[0]), most)
    return low, min(math.ceil(min(share + spread, 1.0) * to_send[1]), most)
