"""The store, as people ask it: what was bought, what is in doubt, what it cost, who is to be forgotten.

Owns the questions and their words. Nothing here opens the file, which two SQLite libraries in one
process would damage: the core does. What an answer looks like is in `_stored`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from . import _core
from ._export import write_export
from ._places import file_at
from ._secret import Hidden
from ._store_arguments import check_parts, check_whole, moment
from ._store_file import StoreFile, opened
from ._stored import Answer, Doubt, Entry, Info, Merged, Migrated, Purged, Reconciliation, Resolved, in_ms
from .budget import time_zone
from .exceptions import ConfigError, InvalidIdentifierError
from .results import Problem
from .rows import check_field_type, check_text
from .wording import as_given

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta, tzinfo
    from os import PathLike
    from pathlib import Path

    from .rows import FieldType

__all__ = [
    "Answer",
    "Doubt",
    "Entry",
    "Info",
    "Merged",
    "Migrated",
    "Purged",
    "Reconciliation",
    "Resolution",
    "Resolved",
    "Store",
    "migrate",
]

Resolution: TypeAlias = Literal["resend", "drop"]
"""What is to become of what is in doubt."""


class Store(StoreFile):
    """What was asked and paid, in one file that outlives the process.

    An enricher's own is `enricher.store`; `Store(path)` opens one without an enricher, to look into
    it. Opened when it is first needed, and anew in a forked child; usable from many threads; a
    context manager. The file holds personal data: it is readable by its owner alone, and never
    holds the API key.

    Ctrl-C takes back what is asked, also while another program keeps the file locked. What was
    written by then is whole and stays: a purge or a merge that was broken off is to be done again.

    Args:
        path: The file. It has to be there: only enrichers make one.
        default_region: The country of phone numbers without a country code, as for `BulkEnricher`.

    Raises:
        StoreError: From whatever is asked: the file cannot be read or written, lies on a disk that
            cannot be relied on, is no store, or was written by another version.

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
        """Every lookup that may have been charged and has no answer, the oldest first.

        Returns:
            One `Doubt` a lookup: whom it asks for, when it went out, what happened, and what it may
            have cost.
        """
        return [Doubt.of(doubt) for doubt in opened(self).unknown()]

    def resolve_unknown(self, resolution: Resolution) -> Resolved:
        """Decides what becomes of everything in doubt, once you have seen the vendor's usage page.

        Args:
            resolution: `"resend"`: the next call asks again, **which may pay twice**. `"drop"`: it is
                left alone, `not_sent` from then on until `allow`. Either way what it may have cost
                stays on the books, and what is under way right now is not touched.

        Returns:
            How many lookups that were, and the credits that they may have cost.

        Raises:
            ConfigError: It is neither.
        """
        if cast("object", resolution) not in ("resend", "drop"):
            raise ConfigError(
                f"what is unknown is resolved by 'resend' (asks again, may pay twice) or 'drop' (leaves it); "
                f"not {as_given(resolution, ('resend', 'drop'))}"
            )
        return Resolved(**opened(self).resolve_unknown(resolution == "resend"))

    def receipts(self) -> list[Entry]:
        """The journal: every request, the oldest first, and what it came to. Purges leave it as it is.

        Returns:
            One `Entry` a request.
        """
        entries: list[Entry] = []
        while page := opened(self).receipts(entries[-1].request if entries else 0):
            entries += map(Entry.of, page)
        return entries

    def summary(
        self, by: Iterable[str] = ("month",), *, tz: str | tzinfo | None = None, as_frame: bool | None = None
    ) -> Any:
        """The journal, added up.

        Args:
            by: Any of `"day"`, `"month"`, `"year"`, and names of the enrichers' `tags`, in the order
                of the columns.
            tz: Where days, months and years begin; UTC by default.
            as_frame: Whether to give a pandas frame. `None`: if pandas is installed.

        Returns:
            A frame, else a list of dicts: for each group its parts by their names (`None` where
            a request has no such tag), `requests`, `lookups`, `hits`, `credits`,
            `credits_in_doubt`; in the order of the groups.

        Raises:
            ConfigError: There is no such time zone; `by` is no list of names, or has one that is neither
                a part of the date nor a tag of any request.
        """
        if isinstance(by, str):
            raise ConfigError("by is a list of names, as in by=['month']")
        try:
            names = list(by)
        except TypeError:
            raise ConfigError("by is a list of names, as in by=['month']") from None
        if not all(isinstance(name, str) for name in cast("list[object]", names)):
            raise ConfigError("by is a list of names: 'day', 'month', 'year', or those of tags")
        check_text("by", *names)
        rows: list[dict[str, Any]] = []
        for row in opened(self).summary(names, time_zone(tz)):
            group = row.pop("group")
            rows.append({**dict(zip(names, group, strict=True)), **row})
        check_parts(names, rows)
        if as_frame is False:
            return rows
        try:
            import pandas as pd
        except ImportError:
            if as_frame:
                raise
            return rows
        counts = ["requests", "lookups", "hits", "credits", "credits_in_doubt"]
        return pd.DataFrame(rows, columns=[*names, *counts])

    def reconcile(self, month: str, invoiced: int, *, tz: str | tzinfo | None = None) -> Reconciliation:
        """A month's books against the vendor's invoice.

        Args:
            month: As in `"2026-10"`.
            invoiced: Credits on the invoice.
            tz: Where the vendor's month begins; UTC by default.

        Returns:
            What is known to be charged, what is in doubt, the difference, and whether the doubts
            explain it; print it.

        Raises:
            ConfigError: There is no such month or time zone.
        """
        check_text("month", month)
        check_whole("invoiced", invoiced)
        return Reconciliation(month=month, **opened(self).reconcile(month, invoiced, time_zone(tz)))

    def info(self) -> Info:
        """What is in it; print it, or show it in a notebook.

        Counts everything: some seconds, where there are millions.
        """
        return Info.of(self._path, opened(self).info())

    def find(self, what: object, *, field_type: FieldType | None = None) -> list[Answer]:
        """Everything on file about a person: all that `purge` would remove.

        That is whoever was asked for by it, whose contact mentions it in whatever spelling, and replies that
        were kept because they could not be read and that may hold it (status `unreadable`). Reads the whole
        store: one to three seconds for each million contacts.

        Args:
            what: An identifier, as a row of `enrich` is; or any text, such as a name.
            field_type: What the identifier is. `None`: inferred.

        Returns:
            One `Answer` for each that was found, contacts included.

        Raises:
            ConfigError: There is nothing to look for.
        """
        check_text("what", what)
        read = self._read(what, field_type)
        if not read.asking() and not read.invalid():
            raise ConfigError("there is nothing to find: give an identifier, or a text")
        if read.invalid():
            if not isinstance(what, str):
                raise self._refusal(read)
            return [Answer.of(answer) for answer in opened(self).find_text(what.strip())]
        return [Answer.of(answer) for answer in opened(self).find(read)]

    def purge(
        self,
        identifier: object = None,
        *,
        older_than: timedelta | datetime | None = None,
        field_type: FieldType | None = None,
    ) -> Purged:
        """Forgets a person, or everything old: no byte of it stays in any file of the store.

        Contacts of others that mention the identifier, in any spelling, are removed, too; those that arrive
        later are delivered and not stored. Every kept reply that is not complete JSON is removed, because
        nobody can say whom it holds. A keyed hash, the date, what it had cost and the journal's counts are
        kept. A purged lookup is `not_sent` from then on, until `allow`.

        Args:
            identifier: Whom: a row, as for `enrich`.
            older_than: Or everything answered before, and what processes that have died sent before
                then: a moment with its time zone, or an age. What is under way stays.
            field_type: What the identifier is. `None`: inferred.

        Returns:
            What it did; print it. `cleaned` is false if another process was just reading:
            purge again then.

        Raises:
            ConfigError: Neither is given, or both.
            InvalidIdentifierError: It is no identifier; `find` takes any text.
        """
        if (identifier is None) == (older_than is None):
            raise ConfigError("say whom to purge, or older_than=…: one of the two")
        if older_than is not None:
            return Purged(**opened(self).purge_before(in_ms(moment(older_than))))
        return Purged(**opened(self).purge(self._one(identifier, field_type)))

    def allow(self, identifier: object, *, field_type: FieldType | None = None) -> bool:
        """Lets someone be asked for again who was purged, or dropped while in doubt.

        Args:
            identifier: Whom: a row, as for `enrich`.
            field_type: What the identifier is. `None`: inferred.

        Returns:
            Whether they were.

        Raises:
            InvalidIdentifierError: It is no identifier.
        """
        return opened(self).allow(self._one(identifier, field_type))

    def export(self, path: str | PathLike[str], *, force: bool = False) -> int:
        """Writes every answer to a file, readable by its owner alone.

        Args:
            path: By its ending: `.jsonl` (JSON Lines), `.jsonl.gz`, or `.parquet` (which needs
                pyarrow). An earlier export is replaced, once everything is written.
            force: Whether any other file may be replaced. A store or another SQLite database never is.

        Returns:
            How many answers there are in it: `field_type`, `value` (the canonical form),
            `required_fields`, `status`, `fetched_at`, `request` and `enriched_contact` (in Parquet
            its JSON text). Where a lookup was asked again, each answer is there.

        Raises:
            ConfigError: The path has another ending, or is a store or a file that is not an earlier export.
            OSError: It cannot be written.
        """
        hidden, path = Hidden(path), ""
        file = file_at("path", hidden)
        return write_export(opened(self).export(), file, self._path, force=force)

    def backup(self, path: str | PathLike[str]) -> Path:
        """Copies the store as it is at this moment to a new file, readable by its owner alone.

        The store may be in use at the same time, by other processes, too. The copy is a complete store;
        requests that are under way are in doubt there. Use it instead of the original, or `merge` it: if
        both are used, each pays for the same people.

        Args:
            path: The new file. It must not exist.

        Returns:
            Where it is.

        Raises:
            ConfigError: `path` exists, or side files of a store are beside it.
            StoreError: The store cannot be read, or the copy not be written. No new file is left then.
        """
        hidden, path = Hidden(path), ""
        to = file_at("path", hidden).absolute()
        opened(self).backup(to)
        return to

    def merge(self, other: str | PathLike[str]) -> Merged:
        """Takes over everything that another store of the same service has, its journal included.

        The other store may be a copy of this one. If both have an answer to a lookup, the newer one is
        served, and the other is kept. Stores can be merged in any order, in any direction and repeatedly: no
        request is counted twice.

        Args:
            other: The other's file. It stays as it is.

        Returns:
            What was taken over; print it.

        Raises:
            ConfigError: It is another service's, or this store itself.
        """
        hidden, other = Hidden(other), ""
        file = file_at("other", hidden)
        return Merged(**opened(self).merge(file))

    def unread_reply(self, request: int) -> bytes | None:
        """A reply that was charged and could not be read whole, as it came; `None` where there is none.

        Args:
            request: The request's number, as in `unknown()` and `receipts()`.
        """
        check_whole("request", request)
        return opened(self).read_unread(request)

    def __repr__(self) -> str:
        return f"Store({str(self._path)!r})"

    def __str__(self) -> str:
        return str(self.info()) if self.exists() else f"{self!r}: nothing yet"

    def _repr_html_(self) -> str:
        return self.info()._repr_html_() if self.exists() else f"{self!r}: nothing yet"

    def _read(self, what: object, field_type: object) -> _core.Rows:
        return _core.Rows(
            [what],
            field_type=check_field_type(field_type),
            default_region=self._default_region,
            na_values=self._na_values,
        )

    def _one(self, identifier: object, field_type: object) -> _core.Rows:
        read = self._read(identifier, field_type)
        if not read.asking():
            raise self._refusal(read)
        return read

    @staticmethod
    def _refusal(read: _core.Rows) -> InvalidIdentifierError:
        why = [reason for _, reason in read.invalid()] or ["there is nothing in it"]
        return InvalidIdentifierError(
            f"it is no identifier ({why[0]}): give an e-mail address, a phone number or a profile's address",
            errors=[Problem(0, "invalid", why[0])],
        )


def migrate(path: str | PathLike[str]) -> Migrated:
    """Brings a store's file up to this version of the package. Never happens by itself.

    Args:
        path: The file. Nobody else may use it meanwhile.

    Returns:
        What was done, and where the backup is; print it.

    Raises:
        StoreError: It is open anywhere, was written by a newer version, or cannot be written: it is
            as it was.
    """
    hidden, path = Hidden(path), ""
    return Migrated(**_core.migrate_store(file_at("path", hidden)))
