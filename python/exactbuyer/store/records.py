"""The results of calls on a store. Only data and its wording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from exactbuyer.report.message import PYTHON, Message, Term, said
from exactbuyer.report.wording import count, html_table, text_table

if TYPE_CHECKING:
    from exactbuyer.field_types import FieldType
    from exactbuyer.report.results import Contact, Status

RequestOutcome: TypeAlias = Literal[
    "answered", "unknown", "left", "refused", "too_large", "paused", "busy", "not_sent"
]
"""How a request ended. `left`: the process that sent it ended before the answer came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A lookup that may have been charged."""

    field_type: FieldType
    value: str
    """The identifier, in canonical form."""
    required_fields: tuple[str, ...]
    request: int
    """The number of its request in the journal."""
    sent_at: datetime
    """When the request was sent, in UTC."""
    credits: int
    """Credits that it may have cost in addition to the known ones: 0 if the known credits of its request
    include it."""
    reason: str
    """What happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """A request of the journal."""

    request: int
    """Its number."""
    sent_at: datetime
    """When it was sent, in UTC."""
    settled_at: datetime | None
    """When it ended; `None` while it is in flight."""
    outcome: RequestOutcome | None
    """How it ended; `None` while it is in flight."""
    http_status: int | None
    took_s: float | None
    required_fields: tuple[str, ...]
    lookups: int
    hits: int
    misses: int
    rejected: int
    unknown: int
    credits: int
    """Credits that are known to be charged."""
    credits_in_doubt: int
    """Credits that may have been charged in addition."""
    key_fingerprint: int
    """A number for the key that was used: the same for the same key. The key cannot be derived from it."""
    tags: Mapping[str, str]
    """The tags of the enricher."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in the store."""

    field_type: FieldType
    value: str
    """The identifier, in canonical form."""
    required_fields: tuple[str, ...]
    status: Status | Literal["unreadable"]
    """`unreadable`: a kept reply that could not be read and may contain the person sought by `find`.
    `value` is then the identifier of this person."""
    request: int
    """The number of its request in the journal."""
    fetched_at: datetime
    """When the service answered, in UTC."""
    enriched_contact: Contact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The result of a decision about lookups in doubt."""

    lookups: int
    """The number of lookups that were in doubt."""
    credits: int
    """The credits that they may have cost, which stay in the journal. With `"not_charged"`: all credits that
    were in doubt, and no longer count."""
    resolution: str
    """What was decided: `"resend"`, `"drop"` or `"not_charged"`."""

    def __str__(self) -> str:
        if not self.lookups and not self.credits:
            return "nothing was in doubt"
        most = count(self.credits, "credit")
        left = (
            f"{most} no longer in doubt" if self.resolution == "not_charged" else f"0 to {most} stay in doubt"
        )
        return f"{count(self.lookups, 'lookup')} resolved; {left}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The journal of a month, compared with the invoice."""

    month: str
    charged: int
    """Credits that are known to be charged."""
    in_doubt: int
    """Credits that may have been charged in addition."""
    invoiced: int
    """Credits on the invoice."""
    difference: int
    """Invoiced credits minus known credits; negative if the invoice has fewer."""
    fits: bool
    """Whether the doubts explain the difference."""

    def __str__(self) -> str:
        text = f"{self.month}: charged {self.charged:,}"
        text += f" (+ up to {self.in_doubt:,} in doubt)" if self.in_doubt else ""
        text += f", invoiced {self.invoiced:,}"
        if not self.difference:
            return f"{text}: they agree"
        amount = f"{abs(self.difference):,} {'more' if self.difference > 0 else 'fewer'}"
        if self.fits:
            return f"{text}: {amount}, which the doubts explain"
        ask = "does anything else use this key, or another store?"
        return f"{text}: {amount}, which the doubts do not explain: {ask}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is in a store. It prints as a table, at a prompt and in a notebook."""

    path: Path
    service: str
    """The service whose answers it has: a host, or `loopback`."""
    schema_version: int
    rules_version: int
    """The version of the rules of canonical forms."""
    created_at: datetime
    bytes: int
    """Size on the disk, including side files."""
    requests: int
    under_way: int
    """Requests that have not been answered yet."""
    hits: int
    """Answers with a contact, including earlier answers about the same person."""
    misses: int
    """Answers without a contact, likewise."""
    unknown: int
    """Lookups in doubt."""
    purged: int
    """Identifiers that were purged."""
    credits: int
    """Credits that are known to be charged."""
    credits_in_doubt: int
    """Credits that may have been charged in addition."""

    def as_text(self, *, words: Mapping[str, str] = PYTHON) -> str:
        """A small table, in the words of an audience."""
        lines = [(label, number, said(note, words)) for label, number, note in self._lines()]
        return "\n".join([*text_table(f"{self.path}", lines), *(f"{a:<8}  {b}" for a, b in self._last())])

    def __str__(self) -> str:
        return self.as_text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(
            f"{self.path}", [*self._lines(), *((label, "", text) for label, text in self._last())]
        )

    def _lines(self) -> list[tuple[str, str, str]]:
        lines = [
            ("contacts", self.hits, "including earlier ones of the same person"),
            ("not found", self.misses, ""),
            ("unknown", self.unknown, Message(Term("unknown_and_resolve"))),
            ("purged", self.purged, Message("not sent until ", Term("allow"))),
            ("requests", self.requests, f"{self.under_way:,} under way" if self.under_way else ""),
        ]
        return [
            (label, f"{number:,}", note)
            for label, number, note in lines
            if number or label in {"contacts", "requests"}
        ]

    def _last(self) -> list[tuple[str, str]]:
        charged = count(self.credits, "credit")
        charged += f" (+ up to {self.credits_in_doubt:,} in doubt)" if self.credits_in_doubt else ""
        size = f"{self.bytes / 1e6:,.1f} MB, for {self.service}, since {self.created_at:%Y-%m-%d}"
        return [("charged", charged), ("file", size)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What a purge did."""

    identifiers: int
    """The number of identifiers that are `not_sent` from now on."""
    answers: int
    """The number of answers that were removed."""
    contacts: int
    """How many of these answers had a contact."""
    intents: int
    """Requests in flight whose identifiers were removed from the store."""
    replies: int
    """Kept replies that could not be read and may have contained the person. They were removed completely."""
    credits: int
    """The credits that the contacts had cost."""
    cleaned: bool
    """Whether no byte is left in the store's files. If it is false, purge again."""
    leftovers: list[str]
    """Backups that may still contain what was removed: delete them."""

    def __str__(self) -> str:
        text = (
            f"purged {count(self.answers, 'answer')} ({count(self.contacts, 'contact')}, "
            f"{count(self.credits, 'credit')}); {count(self.identifiers, 'identifier')} not sent from now on"
        )
        if self.replies:
            text += f"; {count(self.replies, 'kept reply', 'kept replies')} that may hold them removed"
        if not self.cleaned:
            text += "; another process was reading, so that traces stay in the log: purge again"
        if self.leftovers:
            text += f"; backups may still hold it, delete them: {', '.join(self.leftovers)}"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge did."""

    requests: int
    """Requests that were taken over, with their answers."""
    lookups: int
    known: int
    """Requests that this store already had."""
    under_way: int
    """Requests that were in flight during the merge: merge again when they are over."""
    purged_there: int
    """Identifiers that were purged from the other store and not here. Only the other store can tell which:
    purge them here, too. It is 0 if one store is a copy of the other, because purges are taken over then."""
    cleaned: bool
    """False if people were erased here because they had been purged from the other store, and the log could
    not be emptied, because another process was reading: merge again then."""

    def __str__(self) -> str:
        text = f"{count(self.lookups, 'lookup')} of {count(self.requests, 'request')} taken over"
        text += f"; {self.known:,} were here already" if self.known else ""
        text += (
            f"; {self.under_way:,} were under way: merge again when they are over" if self.under_way else ""
        )
        if self.purged_there:
            text += f"; {count(self.purged_there, 'identifier')} were purged there: purge them here, too"
        if not self.cleaned:
            text += "; another process was reading, so erased data may still be in the log: merge again"
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What a migration did."""

    backup: Path | None
    """The path of the backup; `None` if there was nothing to do."""
    rekeyed: int
    """Lookups whose canonical form has changed."""
    merged: int
    """Lookups that now have the same canonical form as another lookup of their request. Both are still
    exported."""
    purged: int
    """Identifiers that were purged under the old rules. If their canonical form has changed, purge them
    again."""

    def __str__(self) -> str:
        if self.backup is None:
            return "nothing to do: the store is of this version"
        text = f"migrated; as it was, it is in {self.backup}; {count(self.rekeyed, 'lookup')} re-keyed"
        text += f", {self.merged:,} of them merged" if self.merged else ""
        if self.purged and self.rekeyed:
            text += f"; {count(self.purged, 'identifier')} purged under the old rules: purge them again"
        return text
