"""OUTPUT: what a call did and cost, in rows, lookups, requests and credits. Only data and its wording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from exactbuyer import exceptions

from .columns import ColumnCount, added, columns_of_core, skipped_notes
from .message import PYTHON, said
from .wording import count, duration, html_table, money, plain, text_table, utc_text, with_times


class Note(NamedTuple):
    """Something unusual about replies that were charged."""

    text: str
    """What was unusual, and how it was counted."""

    requests: int
    """The number of requests that got such a reply."""


_PROBLEMS = "results.problems"


@dataclass(frozen=True, kw_only=True, repr=False)
class Receipt:
    """What a call did and cost. Receipts can be added: `sum(receipts, Receipt())`.

    When a call is over, `rows` is the sum of `missing`, `invalid`, `found`, `not_found`, `rejected`,
    `unknown` and `not_sent`. Before, the difference is `under_way`. `duplicates` and `from_store` count the
    rows among these that cost nothing. A receipt prints as a table, at a prompt and in a notebook.

    Attributes:
        rows: Rows read.
        missing: Rows that are empty.
        invalid: Rows that cannot be looked up.
        found: Rows with a contact.
        not_found: Rows for which the service found nobody.
        rejected: Rows whose record the service refused.
        unknown: Rows that were sent and may have been charged, but got no readable answer.
        not_sent: Rows that were not sent, or were refused free of charge.
        duplicates: Rows that were answered by the lookup of another row. A stream counts only duplicates
            within 100,000 rows of the last row with the same identifier; later ones are `from_store`, or were
            paid for again.
        from_store: Rows that were answered from the store.
        found_duplicates: The rows in `found` that are duplicates.
        found_from_store: The rows in `found` that were answered from the store.
        inherited: The rows in `unknown` that an earlier run left in doubt.
        inherited_credits: What these may have cost in that run. It is not included in this receipt's credits.
        inherited_since: When the first of these was sent, in UTC.
        barred: The rows in `not_sent` that were purged from the store, or dropped while in doubt.
        bought_again: Lookups that were sent although the store has a contact: because it is too old or was
            found with other `required_fields`, or because of `refresh=True`.
        not_stored: Lookups whose answers are in the results but could not be stored.
        in_store: Whether a store has recorded what was paid for and what is in doubt.
        store_only: Whether the call had `store_only=True`, so that nothing was sent.
        sent: Lookups that were sent. A lookup that was sent twice counts twice.
        requests: Requests that were sent, whatever their outcome.
        credits: Credits that are known to be charged.
        credits_in_doubt: Credits that may have been charged in addition.
        misfits: Values that did not fit the type of a table's column and are null there.
        elapsed_s: How long the call took, in seconds.
        stopped: Why the call stopped before its end; `None` if it did not.
        stopped_error: The class of the error that stopped it, by name, such as `"InsufficientCreditsError"`;
            `None` if none did. For programs, which should not read `stopped`.
        notes: What was unusual about replies that were charged, such as why credits are in doubt although no
            row is `unknown`.
        credit_price: The price of one credit and its currency, if the enricher has one.
        answers: For a frame of a cluster: the folder where its answers were written, if there is one. What is
            purged from the store stays there.
        reasons: For a table: the name of the column with the reasons of rows. `None`: `results.problems` has
            them.
        columns: For each column in `by`, or for each position in rows that are lists: how many of its values
            can be read. Empty for a frame of a cluster.

    Example:
        >>> from exactbuyer import Receipt
        >>> morning = Receipt(rows=3, found=2, not_found=1, sent=3, requests=1, credits=2)
        >>> evening = Receipt(rows=1, found=1, sent=1, requests=1, credits=1)
        >>> (morning + evening).credits
        3
    """

    rows: int = 0
    missing: int = 0
    invalid: int = 0
    found: int = 0
    not_found: int = 0
    rejected: int = 0
    unknown: int = 0
    not_sent: int = 0
    duplicates: int = 0
    from_store: int = 0
    found_duplicates: int = 0
    found_from_store: int = 0
    inherited: int = 0
    inherited_credits: int = 0
    inherited_since: datetime | None = None
    barred: int = 0
    bought_again: int = 0
    not_stored: int = 0
    in_store: bool = False
    store_only: bool = False
    sent: int = 0
    requests: int = 0
    credits: int = 0
    credits_in_doubt: int = 0
    misfits: int = 0
    elapsed_s: float = 0.0
    stopped: str | None = None
    stopped_error: str | None = None
    notes: tuple[Note, ...] = ()
    credit_price: tuple[Decimal, str] | None = None
    answers: str | None = None
    reasons: str | None = None
    columns: tuple[ColumnCount, ...] = ()

    @classmethod
    def from_core(
        cls,
        counts: Mapping[str, Any],
        credit_price: tuple[Decimal, str] | None,
        *,
        in_store: bool = False,
        store_only: bool = False,
    ) -> Receipt:
        """The receipt of a run, from the core's counts."""
        values = with_times(counts)
        del values["withheld"]  # It concerns whether rows may be dropped, not people.
        values["notes"] = tuple(Note(*note) for note in counts["notes"])
        values["columns"] = columns_of_core(counts["columns"])
        return cls(**values, credit_price=credit_price, in_store=in_store, store_only=store_only)

    @property
    def stopped_by_caller(self) -> bool:
        """Whether it was stopped by Ctrl-C, `close()` or cancelling, so that nothing has to be corrected."""
        return self.stopped is not None and self.stopped_error is None

    @property
    def under_way(self) -> int:
        """Rows whose outcome is not known yet: 0 when the call is over."""
        done = self.missing + self.invalid + self.found + self.not_found + self.rejected
        return self.rows - done - self.unknown - self.not_sent

    @property
    def open_rows(self) -> int:
        """Rows that can still get an answer: unknown, not sent, or under way.

        Rows that were purged or dropped are not among them: they have none on purpose.
        """
        return self.unknown + self._unsent + self.under_way

    @property
    def _unsent(self) -> int:
        return self.not_sent - self.barred

    @property
    def cost(self) -> Decimal | None:
        """The cost of the known credits; `None` if no price is known."""
        return None if self.credit_price is None else self.credit_price[0] * self.credits

    @property
    def found_paid(self) -> int:
        """Rows found that were paid for: neither duplicates nor from the store."""
        return self.found - self.found_duplicates - self.found_from_store

    @property
    def next_step(self) -> str:
        """What to do next, in words."""
        if self.under_way:
            return "wait for the rows under way; recover() returns those of an interrupted call"
        lookups = count(self.not_stored, "lookup")
        keep = f"keep these results: the store does not have the answers to {lookups}"
        if self.open_rows:
            return f"{self._for_open_rows()}; {keep}" if self.not_stored else self._for_open_rows()
        if self.invalid or self.rejected:
            named = f"have a reason in {self.reasons}" if self.reasons else f"{_PROBLEMS} names"
            return f"correct the rows that {named}, and run these again; the others are done"
        if self.not_stored:
            return keep
        if self.barred:
            return (
                "nothing: each row has its answer, or was purged or dropped (store.allow(…) lets a person be "
                "looked up again)"
            )
        return "nothing: every row has its answer" if self.rows else "nothing: there are no rows"

    def _for_open_rows(self) -> str:
        first = "run this again" if self.stopped_by_caller else "fix what stopped it, then run this again"
        first += " for the rows that are not_sent"
        if self.unknown and self._unsent:
            resolve = self._resolve() if self.in_store else "check the service's usage page first"
            return f"{first}; for those that are unknown, {resolve}"
        if self.unknown:
            return self._resolve()
        if self.store_only:
            return "the store does not have these: run this without store_only=True to buy them"
        return first if self.not_sent == self.rows else f"{first}: the others are done"

    @property
    def why_open(self) -> str:
        """Why rows are open, in words."""
        if self.stopped:
            return self.stopped
        if self.inherited:
            rows = count(self.inherited, "row")
            return f"{rows} may have been charged earlier ({self._inherited()}); {self.next_step}"
        return "the run was stopped"

    def raise_for_incomplete(self) -> None:
        """Raises if rows are open: for jobs that must not continue with incomplete results.

        Rows that were purged or dropped do not count: see `open_rows`.

        Raises:
            UnknownOutcomeError: Some rows may have been charged and have no answer.
            ExactBuyerError: Some rows were not sent. Its class is the one in `stopped_error`.
        """
        if not self.open_rows:
            return
        name = "UnknownOutcomeError" if self.unknown else self.stopped_error or "ExactBuyerError"
        kind: type[exceptions.ExactBuyerError] = getattr(exceptions, name)
        parts = [f"{self.unknown:,} unknown"] if self.unknown else []
        parts += [f"{self._unsent:,} not sent"] if self._unsent else []
        parts += [f"{self.under_way:,} under way"] if self.under_way else []
        why = f" ({self.stopped})" if self.stopped else ""
        open_rows = f"{self.open_rows:,} of {count(self.rows, 'row')} open: {', '.join(parts)}{why}"
        raise kind(f"{open_rows}. Next: {self.next_step}.", receipt=self)

    def __add__(self, other: Receipt) -> Receipt:
        if not isinstance(other, Receipt):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        if other == Receipt():
            return self
        if self == Receipt():
            return other
        return Receipt(
            **{name: getattr(self, name) + getattr(other, name) for name in _NUMBERS},
            stopped=other.stopped or self.stopped,
            stopped_error=other.stopped_error if other.stopped else self.stopped_error,
            inherited_since=min(filter(None, [self.inherited_since, other.inherited_since]), default=None),
            in_store=self.in_store or other.in_store,
            store_only=self.store_only and other.store_only,
            notes=_added(self.notes, other.notes),
            # Credits of two prices add up, their money does not.
            credit_price=self.credit_price if self.credit_price == other.credit_price else None,
            # If both have a folder, the later one is kept: each receipt has its own folder.
            answers=other.answers or self.answers,
            reasons=self.reasons if self.reasons == other.reasons else None,
            columns=added(self.columns, other.columns),
        )

    def __radd__(self, other: object) -> Receipt:
        # `sum` begins with 0.
        return self if other == 0 else NotImplemented

    def to_dict(self) -> dict[str, Any]:
        """The receipt as numbers, texts, lists and `None`, as JSON and databases need it.

        Returns:
            One entry for each attribute. The time is text in ISO 8601; the price is `[amount, currency]`,
            both as text; a column is `[column, values, skipped, [[reason, cells], …]]`.

        Example:
            >>> from exactbuyer import Receipt
            >>> receipt = Receipt(rows=3, found=2, credits=2).to_dict()
            >>> receipt["rows"], receipt["credits"]
            (3, 2)
        """
        return plain(vars(self))

    def as_text(
        self,
        *,
        see: str | None = None,
        step: str | None = None,
        title: str | None = None,
        words: Mapping[str, str] = PYTHON,
    ) -> str:
        """The receipt as a small table.

        Args:
            see: Where the reader finds the reasons of rows. `None`: in `reasons`, or in `results.problems`.
            step: What to do next. `None`: `next_step`, which is for users of the Python API.
            title: The title of the table. `None`: it says whether rows are open.
            words: The words of the audience, for the reasons of columns.
        """
        return "\n".join(
            [
                *text_table(title or self._title(), self._lines(see), duration(self.elapsed_s)),
                *(f"{label:<8}  {said(text, words)}" for label, text in self._last_lines(step)),
            ]
        )

    def __str__(self) -> str:
        return self.as_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        title = f"{self._title()} in {duration(self.elapsed_s)}"
        return html_table(title, [*self._lines(), *((label, "", text) for label, text in self._last_lines())])

    def _title(self) -> str:
        if self.open_rows:
            return f"INCOMPLETE: {self.open_rows:,} of {count(self.rows, 'row')} open"
        return f"COMPLETE: {count(self.rows, 'row')}"

    def _lines(self, see: str | None = None) -> list[tuple[str, str, str]]:
        see = see or self.reasons or _PROBLEMS
        doubts = [f"0 to {count(self.credits_in_doubt, 'credit')}"] if self.credits_in_doubt else []
        doubts += [f"{self.inherited:,} from earlier: {self._inherited()}"] if self.inherited else []
        doubt = " · ".join(doubts)
        lines = [
            ("found", self.found, self._found_how()),
            ("not found", self.not_found, "free"),
            ("missing", self.missing, "nothing to look up"),
            ("invalid", self.invalid, f"cannot be looked up: see {see}"),
            ("rejected", self.rejected, f"refused by the service, free: see {see}"),
            ("unknown", self.unknown, doubt),
            ("not sent", self.not_sent, self._not_sent_why()),
            ("under way", self.under_way, ""),
        ]
        return [(label, f"{rows:,}", note) for label, rows, note in lines if rows or label == "found"]

    def _found_how(self) -> str:
        duplicates = count(self.found_duplicates, "duplicate")
        parts = [f"{self.found_paid:,} paid"] if self.found_paid else []
        parts += [f"{self.found_from_store:,} from the store"] if self.found_from_store else []
        parts += [duplicates] if self.found_duplicates else []
        return "paid" if self.found and self.found_paid == self.found else " · ".join(parts)

    def _not_sent_why(self) -> str:
        barred = [f"{self.barred:,} purged or dropped"] if self.barred else []
        return " · ".join([*barred, *([self.stopped] if self.stopped else [])])

    def _last_lines(self, step: str | None = None) -> list[tuple[str, str]]:
        notes = [f"{text} ({count(requests, 'request')})" for text, requests in self.notes]
        notes += skipped_notes(self.columns)
        if self.bought_again:
            notes.append(f"{count(self.bought_again, 'lookup')} sent that the store had a contact for")
        if self.misfits:
            misfits = count(self.misfits, "value does", "values do")
            notes.append(f"{misfits} not fit the type of a column, and null stands there")
        if self.not_stored:
            notes.append(f"the answers to {count(self.not_stored, 'lookup')} could not be stored")
        lines = [("charged", self._charged()), *(("note", note) for note in notes)]
        lines.append(("next", step or self.next_step))
        if self.answers is not None:
            lines.append(
                ("answers", f"in {self.answers}, where purge() does not reach them: delete them there")
            )
        return lines

    def _inherited(self) -> str:
        since = "" if self.inherited_since is None else f", sent since {utc_text(self.inherited_since)}"
        return f"0 to {count(self.inherited_credits, 'credit')}{since}"

    def _resolve(self) -> str:
        first = "check the service's usage page"
        if self.in_store:
            return f"{first}, then {PYTHON['resolve_doubts']}"
        return f"{first}: asking again for the rows that are unknown may pay for them twice"

    def _charged(self) -> str:
        charged = count(self.credits, "credit")
        doubt = f"{self.credits_in_doubt:,}"
        if self.credit_price is not None:
            charged += f", {money(self.credits, self.credit_price)}"
            doubt = money(self.credits_in_doubt, self.credit_price)
        if self.credits_in_doubt:
            charged += f" (+ up to {doubt} in doubt)"
        return f"{charged} in {count(self.requests, 'request')}"


def _added(some: tuple[Note, ...], more: tuple[Note, ...]) -> tuple[Note, ...]:
    requests = Counter(dict(some))
    requests.update(dict(more))
    return tuple(Note(*note) for note in requests.items())


_NUMBERS = [field.name for field in fields(Receipt) if field.type in {"int", "float"}]
