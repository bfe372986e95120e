"""OUTPUT: what a call took, in rows, lookups, requests and credits. Data and its wording only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from .exceptions import ExactBuyerError, UnknownOutcomeError
from .wording import count, duration, html_table, money, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a call took. Receipts add up: `sum(receipts, Receipt())`.

    In rows, `rows` is the sum of `missing`, `invalid`, `found`, `not_found`, `rejected`, `unknown`
    and `not_sent` once a call is over (before, the difference is `under_way`); `duplicates` and
    `from_store` say how many of these cost nothing of their own.

    Attributes:
        rows: Rows read.
        missing: Rows with nothing to ask.
        invalid: Rows that cannot be looked up.
        found: Rows with a contact.
        not_found: Rows that the vendor was asked about, and has nobody for.
        rejected: Rows whose record the vendor refused.
        unknown: Rows that were sent and may have been charged; no readable answer came.
        not_sent: Rows that were not sent, or refused free of charge.
        duplicates: Rows answered by another row's lookup.
        from_store: Rows answered by the store.
        sent: Lookups that went out, each time they did.
        requests: Requests that went out, whatever became of them.
        credits: Credits known to be charged.
        credits_in_doubt: Credits that may have been charged on top.
        misfits: Values of contacts that did not fit the type of a table's column, and are null there.
        elapsed_s: How long it took, in seconds.
        stopped: Why it stopped before the end; `None` if it did not.
        credit_price: What one credit costs, with its currency, where the enricher was told.

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
    sent: int = 0
    requests: int = 0
    credits: int = 0
    credits_in_doubt: int = 0
    misfits: int = 0
    elapsed_s: float = 0.0
    stopped: str | None = None
    credit_price: tuple[Decimal, str] | None = None

    @classmethod
    def from_core(cls, counts: Mapping[str, Any], credit_price: tuple[Decimal, str] | None) -> Receipt:
        """The receipt of a run, from the core's counts."""
        known = {field.name for field in fields(cls)}
        told = {name: value for name, value in counts.items() if name in known}
        return cls(**told, credit_price=credit_price)

    @property
    def under_way(self) -> int:
        """Rows whose outcome is still to come: 0 once a call is over."""
        done = self.missing + self.invalid + self.found + self.not_found + self.rejected
        return self.rows - done - self.unknown - self.not_sent

    @property
    def open_rows(self) -> int:
        """Rows without an answer: unknown, not sent, or under way."""
        return self.unknown + self.not_sent + self.under_way

    @property
    def cost(self) -> Decimal | None:
        """What the known credits cost; `None` where no price is known."""
        return None if self.credit_price is None else self.credit_price[0] * self.credits

    def raise_for_incomplete(self) -> None:
        """Raises if rows are open: for jobs that must not take half for whole.

        Raises:
            UnknownOutcomeError: Rows may have been charged, and have no answer.
            ExactBuyerError: Rows were not sent.
        """
        if not self.open_rows:
            return
        kind = UnknownOutcomeError if self.unknown else ExactBuyerError
        parts = [f"{self.unknown:,} unknown"] if self.unknown else []
        parts += [f"{self.not_sent:,} not sent"] if self.not_sent else []
        parts += [f"{self.under_way:,} under way"] if self.under_way else []
        why = f" ({self.stopped})" if self.stopped else ""
        open_rows = f"{self.open_rows:,} of {count(self.rows, 'row')} open: {', '.join(parts)}{why}"
        raise kind(f"{open_rows}. Next: {self._next_step()}.", receipt=self)

    def __add__(self, other: Receipt) -> Receipt:
        if not isinstance(other, Receipt):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        if other == Receipt():
            return self
        if self == Receipt():
            return other
        return Receipt(
            **{name: getattr(self, name) + getattr(other, name) for name in _ADDED},
            stopped=other.stopped or self.stopped,
            # Credits of two prices add up, their money does not.
            credit_price=self.credit_price if self.credit_price == other.credit_price else None,
        )

    def as_text(self, *, see: str = "results.problems", step: str | None = None) -> str:
        """The receipt as a small table.

        Args:
            see: Where the reasons of rows are.
            step: What to do next; `None`: what Python does next.
        """
        return "\n".join(
            [
                *text_table(self._title(), self._lines(see), duration(self.elapsed_s)),
                f"charged   {self._charged()}",
                f"next      {step or self._next_step()}",
            ]
        )

    def __str__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        title = f"{self._title()} in {duration(self.elapsed_s)}"
        last = [("charged", "", self._charged()), ("next", "", self._next_step())]
        return html_table(title, [*self._lines(), *last])

    def _title(self) -> str:
        if self.open_rows:
            return f"INCOMPLETE: {self.open_rows:,} of {count(self.rows, 'row')} open"
        return f"COMPLETE: {count(self.rows, 'row')}"

    def _lines(self, see: str = "results.problems") -> list[tuple[str, str, str]]:
        free = [f"{count(self.duplicates, 'duplicate')}"] if self.duplicates else []
        free += [f"{self.from_store:,} from the store"] if self.from_store else []
        doubt = f"0 to {count(self.credits_in_doubt, 'credit')}" if self.credits_in_doubt else ""
        lines = [
            ("found", self.found, ""),
            ("not found", self.not_found, "free"),
            ("missing", self.missing, "nothing to ask"),
            ("invalid", self.invalid, f"cannot be looked up: see {see}"),
            ("rejected", self.rejected, f"refused by the vendor, free: see {see}"),
            ("unknown", self.unknown, doubt),
            ("not sent", self.not_sent, self.stopped or ""),
            ("under way", self.under_way, ""),
        ]
        shown = [(label, f"{rows:,}", note) for label, rows, note in lines if rows or label == "found"]
        return [*shown, ("of which", "", f"{' · '.join(free)}: free")] if free else shown

    def _charged(self) -> str:
        charged = count(self.credits, "credit")
        doubt = f"{self.credits_in_doubt:,}"
        if self.credit_price is not None:
            charged += f", {money(self.credits, self.credit_price)}"
            doubt = money(self.credits_in_doubt, self.credit_price)
        if self.credits_in_doubt:
            charged += f" (+ up to {doubt} in doubt)"
        return f"{charged} in {count(self.requests, 'request')}"

    def _next_step(self) -> str:
        if self.under_way:
            return "wait for the rows under way; of a call that was broken off, recover() returns them"
        if self.unknown and self.not_sent:
            return (
                "put right what stopped it, then ask again only for the rows that are not_sent; for those "
                "that are unknown, compare the vendor's usage page first"
            )
        if self.unknown:
            return (
                "compare the vendor's usage page: asking again for the rows that are unknown may pay for "
                "them twice"
            )
        if self.not_sent:
            return (
                "put right what stopped it, then ask again only for the rows that are not_sent: the others "
                "are done"
            )
        if self.invalid or self.rejected:
            return "correct the rows named in results.problems and ask for those again; the others are done"
        return "nothing: every row has its answer"


_ADDED = [field.name for field in fields(Receipt) if field.name not in {"stopped", "credit_price"}]
