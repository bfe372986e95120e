"""What a store answers: data and its wording only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal

from .wording import count, html_table, text_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .results import Status
    from .rows import FieldType

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(ms: int) -> datetime:
    """A moment in milliseconds since 1970, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def in_ms(at: datetime) -> int:
    """The other way round."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def clock(at: datetime) -> str:
    """A moment as people and the vendor's log write it."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A lookup that may have been charged."""

    field_type: FieldType
    value: str
    """Whom it asked for, in canonical form."""
    required_fields: tuple[str, ...]
    request: int
    """The number of its request in the journal."""
    sent_at: datetime
    """When that went out, in UTC."""
    credits: int
    """Credits that it may have cost unseen: 0 where the request's known credits include it."""
    reason: str
    """What happened."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> Doubt:
        """From the core's words."""
        sent_at, required = moment(told.pop("sent_ms")), tuple(told.pop("required_fields"))
        return cls(**told, sent_at=sent_at, required_fields=required)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request of the journal."""

    request: int
    """Its number."""
    sent_at: datetime
    """When it went out, in UTC."""
    settled_at: datetime | None
    """When it was over; `None` while it is under way."""
    outcome: str
    """`answered`, `unknown`, `left` (its process died), `refused`, `too_large`, `paused`, `busy`, `not_sent`;
    empty while it is under way.
    """
    http_status: int | None
    took_s: float | None
    required_fields: tuple[str, ...]
    lookups: int
    hits: int
    misses: int
    rejected: int
    unknown: int
    credits: int
    """Known to be charged."""
    credits_in_doubt: int
    """That may have been charged on top."""
    key_fingerprint: int
    """Stands for the key that it was sent with: the same for the same key, and says nothing about it."""
    tags: Mapping[str, str]
    """The enricher's."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> Entry:
        """From the core's words."""
        settled_ms, took_ms = told.pop("settled_ms"), told.pop("took_ms")
        return cls(
            sent_at=moment(told.pop("sent_ms")),
            settled_at=None if settled_ms is None else moment(settled_ms),
            took_s=None if took_ms is None else took_ms / 1000,
            required_fields=tuple(told.pop("required_fields")),
            **told,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer on file."""

    field_type: FieldType
    value: str
    """Whom it was asked for, in canonical form."""
    required_fields: tuple[str, ...]
    status: Status | Literal["unreadable"]
    """`unreadable`: a reply that could not be read was kept, and may hold the person that is looked for.
    `value` is then that person's identifier."""
    request: int
    """The number of its request in the journal."""
    fetched_at: datetime
    """When it was answered, in UTC."""
    enriched_contact: dict[str, Any] | None

    @classmethod
    def of(cls, told: dict[str, Any]) -> Answer:
        """From the core's words."""
        record = told.pop("record")
        return cls(
            fetched_at=moment(told.pop("fetched_at_ms")),
            required_fields=tuple(told.pop("required_fields")),
            enriched_contact=None if record is None else json.loads(record),
            **told,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What became of what was in doubt."""

    lookups: int
    """How many were resolved."""
    credits: int
    """What they may have cost, which stays on the books."""

    def __str__(self) -> str:
        most = count(self.credits, "credit")
        return f"{count(self.lookups, 'lookup')} resolved; 0 to {most} stay in doubt on the books"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A month's books against the invoice."""

    month: str
    charged: int
    """Credits known to be charged."""
    in_doubt: int
    """Credits that may have been charged on top."""
    invoiced: int
    """Credits on the invoice."""
    difference: int
    """What the invoice has more than is known; negative where it has less."""
    fits: bool
    """Whether the doubts explain the difference."""

    def __str__(self) -> str:
        books = f"{self.month}: charged {self.charged:,}"
        books += f" (+ up to {self.in_doubt:,} in doubt)" if self.in_doubt else ""
        books += f", invoiced {self.invoiced:,}"
        if not self.difference:
            return f"{books}: they agree"
        amount = f"{abs(self.difference):,} {'more' if self.difference > 0 else 'fewer'}"
        if self.fits:
            return f"{books}: {amount}, which the doubts explain"
        ask = "does anything else use this key, or another store?"
        return f"{books}: {amount}, which the doubts do not explain: {ask}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """What is in a store. It shows as a table, at a prompt and in a notebook."""

    path: Path
    service: str
    """Whose answers: a host, or `loopback`."""
    schema_version: int
    rules_version: int
    """Of the rules of canonical forms."""
    created_at: datetime
    bytes: int
    """On the disk, side files included."""
    requests: int
    under_way: int
    """Requests that have not been answered yet."""
    hits: int
    """Answers with a contact: earlier ones about the same person count, too."""
    misses: int
    """Answers that nobody was found; as above."""
    unknown: int
    """Lookups in doubt."""
    purged: int
    """Identifiers that were purged."""
    credits: int
    """Known to be charged."""
    credits_in_doubt: int
    """That may have been charged on top."""

    @classmethod
    def of(cls, path: Path, told: dict[str, Any]) -> Info:
        """From the core's words."""
        return cls(path=path, created_at=moment(told.pop("created_ms")), **told)

    def __str__(self) -> str:
        return "\n".join(
            [*text_table(f"{self.path}", self._lines()), *(f"{a:<8}  {b}" for a, b in self._last())]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(
            f"{self.path}", [*self._lines(), *((label, "", text) for label, text in self._last())]
        )

    def _lines(self) -> list[tuple[str, str, str]]:
        doubt = "store.unknown(); then resolve_unknown('resend') or ('drop')"
        lines = [
            ("contacts", self.hits, "earlier ones of a person count, too"),
            ("not found", self.misses, ""),
            ("unknown", self.unknown, doubt),
            ("purged", self.purged, "not sent until store.allow(…)"),
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
    """Who is `not_sent` from now on."""
    answers: int
    """Answers that are gone."""
    contacts: int
    """Of which contacts."""
    intents: int
    """Requests under way that no longer say whom they ask for."""
    replies: int
    """Replies that could not be read and may hold the person: they were removed as a whole."""
    credits: int
    """What the contacts had cost."""
    cleaned: bool
    """Whether no byte is left in the store's files; if not, purge again."""
    leftovers: list[str]
    """Backups that may still hold what is gone: delete them."""

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
    """Requests taken over, with all that they came to."""
    lookups: int
    known: int
    """Requests that were here already."""
    under_way: int
    """Requests under way just then: merge again when they are over."""
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
    """Where the file is as it was; `None` if there was nothing to do."""
    rekeyed: int
    """Lookups whose canonical form is another now."""
    merged: int
    """Lookups that are the same as another of their request now; both are still exported."""
    purged: int
    """Identifiers purged under the old rules: if their form is another now, purge them again."""

    def __str__(self) -> str:
        if self.backup is None:
            return "nothing to do: the store is of this version"
        text = f"migrated; as it was, it is in {self.backup}; {count(self.rekeyed, 'lookup')} re-keyed"
        text += f", {self.merged:,} of them merged" if self.merged else ""
        if self.purged and self.rekeyed:
            text += f"; {count(self.purged, 'identifier')} purged under the old rules: purge them again"
        return text
