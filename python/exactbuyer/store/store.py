"""The store: what was bought, what is in doubt, what it cost, and the data of people.

Owns the calls on a store and their messages. Nothing here opens the file, because two SQLite libraries in one
process would damage it: the core opens it. The types of the results are in `records.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from exactbuyer._core import Rows, migrate_store
from exactbuyer._traceback import short_traceback
from exactbuyer.exceptions import ConfigError
from exactbuyer.field_types import FieldType, check_field_type
from exactbuyer.report.message import wrong
from exactbuyer.report.results import not_an_identifier
from exactbuyer.report.wording import as_given, to_ms, with_times
from exactbuyer.settings import time_zone
from exactbuyer.settings._checks import check_text, file_at, whole
from exactbuyer.settings._secret import Hidden

from ._arguments import MOST_WHOLE, check_parts, check_requests, moment
from ._export import write_export
from ._file import StoreFile, opened
from .records import Answer, Doubt, Info, JournalEntry, Merged, Migrated, Purged, Reconciliation, Resolved

Resolution: TypeAlias = Literal["resend", "drop", "not_charged"]
"""What to do with lookups in doubt."""


class Store(StoreFile):
    """A store: what was looked up, answered and paid, in one file.

    `enricher.store` is the store of an enricher. `Store(path)` opens a store without an enricher. The file is
    opened when it is first needed, and again in a forked child. Several threads can use a store, and it is a
    context manager. The file has personal data: only its owner can read it. It never contains the API key.

    Ctrl-C interrupts every call, even while another program keeps the file locked. An interrupted purge or
    merge has completed some of its steps and not begun the others: repeat it.

    Args:
        path: The file. It must exist: only enrichers create stores.
        default_region: The country of phone numbers without a country code, as for `BulkEnricher`.

    Raises:
        StoreError: Every call can raise it: the file cannot be read or written, is on a disk that cannot be
            relied on, is not a store, or was written by another version.

    Example:
        >>> import pathlib, tempfile
        >>> from exactbuyer import BulkEnricher
        >>> from exactbuyer.store import Store
        >>> path = pathlib.Path(tempfile.mkdtemp(), "people.db")
        >>> with BulkEnricher.sandbox(store=path) as enricher:
        ...     receipt = enricher.enrich(["ana@acme.example", "bob@acme.example"]).receipt
        >>> with Store(path) as store:
        ...     store.info().credits == receipt.credits
        True
    """

    __slots__ = ()

    def unknown(self) -> list[Doubt]:
        """Returns every lookup that may have been charged and has no answer, the oldest first.

        Returns:
            One `Doubt` for each lookup: the identifier, when it was sent, what happened, and what it may have
            cost.
        """
        return [Doubt(**with_times(doubt)) for doubt in opened(self).unknown()]

    def resolve_unknown(self, resolution: Resolution, *, requests: Iterable[int] | None = None) -> Resolved:
        """Decides about lookups in doubt. Look at the usage page of the service first.

        Args:
            resolution: `"resend"`: the next call sends them again, **which may pay twice**. `"drop"`: they
                are not sent again; they are `not_sent` until `allow`. In both cases, what they may have cost
                stays in the journal. `"not_charged"`: the usage page shows that none of the credits in doubt
                was charged; `info().credits_in_doubt` is their number. The next call sends the lookups again,
                and these credits no longer count as spent. Requests in flight are not affected.
            requests: Only the doubts of these requests: numbers as in `unknown()` and `receipts()`. `None`:
                all doubts.

        Returns:
            The number of lookups, and the credits that they may have cost; with `"not_charged"`, all credits
            that no longer count.

        Raises:
            ConfigError: `resolution` has another value, or a request has left nothing in doubt.
        """
        if cast("object", resolution) not in get_args(Resolution):
            raise ConfigError(
                f"what is unknown is resolved by 'resend' (asks again, may pay twice), 'drop' (leaves it) or "
                f"'not_charged' (asks again, and the credits no longer count); "
                f"not {as_given(resolution, get_args(Resolution), is_word=True)}"
            )
        numbers = None
        if requests is not None:
            in_doubt = {doubt.request for doubt in self.unknown()}
            if resolution == "not_charged":
                # Also after the lookups were resolved, and for replies without a count.
                in_doubt |= {entry.request for entry in self.receipts() if entry.credits_in_doubt}
            numbers = check_requests(requests, in_doubt)
        return Resolved(**opened(self).resolve_unknown(resolution, numbers), resolution=resolution)

    def receipts(self) -> list[JournalEntry]:
        """Returns the journal: every request and its outcome, the oldest first. Purges do not change it.

        Returns:
            One `JournalEntry` for each request.
        """
        entries: list[JournalEntry] = []
        while page := opened(self).receipts(entries[-1].request if entries else 0):
            entries += [JournalEntry(**with_times(entry)) for entry in page]
        return entries

    def summary(
        self, by: Iterable[str] = ("month",), *, tz: str | tzinfo | None = None
    ) -> list[dict[str, Any]]:
        """Adds up the journal by time and by tags. `pandas.DataFrame(store.summary())` makes a frame of it.

        Args:
            by: `"day"`, `"month"`, `"year"`, or names from the enrichers' `tags`, in the order of the
                columns.
            tz: The time zone in which days, months and years begin. UTC by default.

        Returns:
            One dict for each group, in the order of the groups. The keys are the names in `by` (`None` if a
            request has no such tag), `requests`, `lookups`, `hits`, `credits` and `credits_in_doubt`.

        Raises:
            ConfigError: The time zone does not exist; or `by` is not a list of names, or has a name that is
                neither a part of the date nor a tag of any request.
        """
        if isinstance(by, str):
            raise wrong("by", "must be a list of names, as in by=['month']")
        try:
            names = list(by)
        except TypeError:
            raise wrong("by", "must be a list of names, as in by=['month']") from None
        if not all(isinstance(name, str) for name in cast("list[object]", names)):
            raise wrong("by", "must be a list of names: 'day', 'month', 'year', or those of tags")
        check_text("by", *names)
        rows: list[dict[str, Any]] = []
        for row in opened(self).summary(names, time_zone(tz)):
            group = row.pop("group")
            rows.append({**dict(zip(names, group, strict=True)), **row})
        check_parts(names, rows)
        return rows

    def reconcile(self, month: str, invoiced: int, *, tz: str | tzinfo | None = None) -> Reconciliation:
        """Compares what the journal has for a month with the invoice of the service.

        Args:
            month: The month, as in `"2026-10"`.
            invoiced: The credits on the invoice.
            tz: The time zone in which the invoice's month begins. UTC by default.

        Returns:
            The credits that are known to be charged, those in doubt, the difference, and whether the doubts
            explain it. Print it.

        Raises:
            ConfigError: The month or the time zone does not exist.
        """
        check_text("month", month)
        whole("invoiced", invoiced, 0, MOST_WHOLE)
        return Reconciliation(month=month, **opened(self).reconcile(month, invoiced, time_zone(tz)))

    def info(self) -> Info:
        """Returns what the store contains. It prints as a table.

        This counts everything, which takes some seconds for millions of answers.
        """
        return Info(path=self._path, **with_times(opened(self).info()))

    def find(self, what: object, *, field_type: FieldType | None = None) -> list[Answer]:
        """Returns everything that is stored about a person: all that `purge` would remove.

        These are the answers to lookups by this identifier, every contact that mentions it in any usual
        spelling, and every kept reply that could not be read and may contain it (status `unreadable`). The
        whole store is read, which takes one to three seconds for each million contacts.

        Args:
            what: An identifier, as a row for `enrich`; or any other text, such as a name, which is searched
                for in contacts and in the identifiers that were looked up.
            field_type: The field type of the identifier. `None`: it is inferred.

        Returns:
            One `Answer` for each answer found, with its contact.

        Raises:
            ConfigError: `what` is empty.
            InvalidIdentifierError: `what` is an identifier that cannot be looked up: it is masked, lacks its
                country code or is several; or it is not of the `field_type` that is passed.
        """
        check_text("what", what)
        read = self._read(what, field_type)
        invalid = read.invalid()
        if not read.asking() and not invalid:
            raise ConfigError("there is nothing to find: give an identifier, or a text")
        if invalid:
            if not isinstance(what, str) or field_type is not None or not read.is_other_text():
                raise not_an_identifier(read)
            return _answers(opened(self).find_text(what.strip()))
        return _answers(opened(self).find(read))

    def purge(
        self,
        identifier: object = None,
        *,
        older_than: timedelta | datetime | None = None,
        field_type: FieldType | None = None,
    ) -> Purged:
        """Deletes a person, or everything old, from every file of the store, down to the last byte.

        Contacts of other people that mention the identifier, in any usual spelling, are removed too. If such
        a contact arrives later, it is delivered but not stored. Every kept reply that is not complete JSON is
        removed, because its missing part may have mentioned the person. A keyed hash, the date, the cost and
        the counts of the journal are kept. A purged lookup is `not_sent` until `allow`.

        Args:
            identifier: The person, as a row for `enrich`.
            older_than: Instead of a person: a time with a time zone, or an age. Everything that was answered
                before that time is deleted, and the unanswered requests that dead processes sent before it.
                Requests in flight stay. Its lookups may be sent again, except those in doubt or dropped.
            field_type: The field type of the identifier. `None`: it is inferred.

        Returns:
            What was removed. Print it. If `cleaned` is false, another process was reading: purge again.

        Raises:
            ConfigError: Neither or both of `identifier` and `older_than` are passed, or `older_than` is in
                the future.
            InvalidIdentifierError: `identifier` cannot be read as one. (`find` takes any text.)
        """
        if (identifier is None) == (older_than is None):
            raise ConfigError("say whom to purge, or older_than=…: one of the two")
        if older_than is not None:
            return _purged(opened(self).purge_before(to_ms(moment(older_than))))
        return _purged(opened(self).purge(self._one(identifier, field_type)))

    def allow(self, identifier: object, *, field_type: FieldType | None = None) -> bool:
        """Allows a person who was purged, or dropped while in doubt, to be looked up again.

        Args:
            identifier: The person, as a row for `enrich`.
            field_type: The field type of the identifier. `None`: it is inferred.

        Returns:
            Whether the person had been purged or dropped.

        Raises:
            InvalidIdentifierError: `identifier` cannot be read as one.
        """
        return opened(self).allow(self._one(identifier, field_type))

    def export(self, path: str | PathLike[str], *, force: bool = False) -> int:
        """Writes every answer to a file that only its owner can read (on Windows: who can read the folder).

        Args:
            path: The file. Its ending sets the format: `.jsonl` (JSON Lines), `.jsonl.gz`, or `.parquet`
                (needs pyarrow). An earlier export is replaced when the new one is complete.
            force: Whether any other file may be replaced. A store or another SQLite database never is.

        Returns:
            The number of answers written. Each has `field_type`, `value` (the canonical form),
            `required_fields`, `status`, `fetched_at`, `request` and `enriched_contact` (in Parquet as JSON
            text). If a lookup was sent several times, the file has each answer.

        Raises:
            ConfigError: The path has another ending, or is a store or a file that is not an earlier export.
            OSError: The file cannot be written.
        """
        hidden, path = Hidden(path), ""
        file = file_at("path", hidden)
        return write_export(opened(self).export, file, self._path, force=force)

    def backup(self, path: str | PathLike[str]) -> Path:
        """Copies the store as it is at this moment to a new file that only its owner can read.

        The store may be in use meanwhile, also by other processes. The copy is a complete store; requests in
        flight are in doubt there. Use the copy instead of the original, or `merge` it: if both are used, each
        pays for the same people.

        Args:
            path: The new file. It must not exist.

        Returns:
            The absolute path of the new file.

        Raises:
            ConfigError: `path` exists, side files of a store are next to it, or its name ends like that of a
                side file (`-wal`, `-shm`, `-journal`, `-owners`, `.unfinished`).
            StoreError: The store cannot be read, or the copy cannot be written. Then no new file is left
                behind.
        """
        hidden, path = Hidden(path), ""
        to = file_at("path", hidden).absolute()
        opened(self).backup(to)
        return to

    def merge(self, other: str | PathLike[str]) -> Merged:
        """Takes over everything from another store of the same service, including its journal.

        The other store may be a copy of this one. If both have an answer to a lookup, the newer one is used,
        and the other is kept. Stores can be merged in any order, in any direction and repeatedly: no request
        is counted twice.

        Args:
            other: The file of the other store. It is not changed.

        Returns:
            What was taken over. Print it.

        Raises:
            ConfigError: `other` is the store of another service, or this store itself.
        """
        hidden, other = Hidden(other), ""
        file = file_at("other", hidden)
        return Merged(**opened(self).merge(file))

    def unread_reply(self, request: int) -> bytes | None:
        """Returns a charged reply that could not be read completely, as it arrived, or `None`.

        Args:
            request: The number of the request, as in `unknown()` and `receipts()`.
        """
        whole("request", request, 0, MOST_WHOLE)
        return opened(self).read_unread(request)

    def __repr__(self) -> str:
        return f"Store({str(self._path)!r})"

    def __str__(self) -> str:
        return str(self.info()) if self.exists() else f"{self!r}: nothing yet"

    def _repr_html_(self) -> str:
        return self.info()._repr_html_() if self.exists() else f"{self!r}: nothing yet"

    def _read(self, what: object, field_type: object) -> Rows:
        with short_traceback:
            return Rows(
                [what],
                field_type=check_field_type(field_type),
                default_region=self._default_region,
                na_values=self._na_values,
            )

    def _one(self, identifier: object, field_type: object) -> Rows:
        read = self._read(identifier, field_type)
        if not read.asking():
            raise not_an_identifier(read)
        return read


def migrate(path: str | PathLike[str]) -> Migrated:
    """Upgrades the file of a store to this version of the package. This never happens by itself.

    Args:
        path: The file. Nothing else may use it meanwhile.

    Returns:
        What was done, and where the backup is. Print it.

    Raises:
        StoreError: The file is in use, was written by a newer version, or cannot be written. It is
            unchanged.
    """
    hidden, path = Hidden(path), ""
    counts, backup = migrate_store(file_at("path", hidden))
    return Migrated(backup=backup, **counts)


def _answers(found: Iterable[Mapping[str, Any]]) -> list[Answer]:
    return [
        Answer(**with_times(answer) | {"enriched_contact": json.loads(answer["enriched_contact"] or "null")})
        for answer in found
    ]


def _purged(counts: Mapping[str, Any]) -> Purged:
    return Purged(**dict(counts, leftovers=list(counts["leftovers"])))
