"""The doors for tables: `enrich_table`, which blocks, and `enrich_table_async`, to await.

Own how such a call waits. What it is, and how it ends, is in `_tables`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from ._bell import Bell, heed_cancellation
from ._calls import TICK_S
from ._desk import Terms
from ._readers import reader_of
from ._tables import Job, TableCall, TableStream, TableStreamCall
from .columns import Wish
from .frames import is_reader
from .progress import Watch

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from ._desk import Desk
    from .columns import By, Columns, Split
    from .progress import ProgressOption
    from .rows import FieldType, RequiredField

DataT = TypeVar("DataT")


class TableDoors:
    """`BulkEnricher`'s doors for tables."""

    __slots__ = ()

    _desk: Desk

    def enrich_table(
        self,
        data: DataT,
        by: By,
        *,
        columns: Columns | None = None,
        prefix: str = "eb_",
        split: Split | None = None,
        region: Hashable | None = None,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        progress: ProgressOption = "auto",
    ) -> DataT:
        """Looks up a table's rows by one or more of its columns, and puts what is found beside them.

        Args:
            data: A frame of pandas or polars (eager or lazy), a table, record batch or record-batch
                reader of pyarrow's, or anything that exports Arrow's PyCapsule interface.
            by: The name of the column to look up; a list of several in order of preference, the next
                of a row being paid for only if the one before finds nobody; or a mapping from names to
                field types, as in `{"mobile": "phone"}`. Columns of text in any encoding, of lists of
                text, of whole numbers, or of nothing but nulls. Cells that cannot be looked up make
                their row `invalid`, unless another column can be.
            columns: Names out of `DEFAULT_COLUMNS`, or a mapping from names to paths into the
                contact, as in `{"title": "employment.job.title", "all": "$"}`; with a type, as in
                `("likelihood", "float64")`, values of another are null. `None`: all of
                `DEFAULT_COLUMNS`.
            prefix: Stands before every name that is added, so that none is one of yours.
            split: What stands between several values of one cell: a mark, as in `";"`, several, as in
                `[";", ","]`, or a mapping from columns to their marks, as in `{"emails": [";", "|"]}`.
                A line break stands for every kind of line break.
            region: The name of a column that says where the phone numbers of each row are from: ISO 3166
                codes, or names of countries. Where it is empty, the enricher's `default_region` counts. If it
                names no country, a number without a country code makes its row `invalid`.
            field_type: Of values whose column `by` gives none; `None`: inferred for each.
            required_fields: Instead of the enricher's own, for this call.
            max_credits: Tightens the enricher's ceiling for this call, in credits.
            refresh: Asks again for what the store has, **and pays again**; the new answers replace it.
            store_only: Sends nothing, and needs no key: what the store cannot answer is `not_sent`.
            progress: As for `enrich`.

        Returns:
            The same kind of thing: the rows in order, your columns and index as they were, then
            `status`, `matched_by`, `source`, `fetched_at`, `reason` and those of `columns`, all under
            the prefix. Columns of an earlier call with this prefix are replaced. A reader gives a
            reader, computed as it is consumed, which recognises duplicates as `stream` does: without a
            store, one more than 100,000 rows after the last of its kind is paid for again. The receipt is
            `last_receipt`, and in pandas' `attrs` or the schema's metadata under `"exactbuyer_receipt"`
            (a reader's schema comes before it).

        Raises:
            ConfigError: A column is missing, in the way, or of a type that cannot be looked up.
                Nothing was sent.
            TypeError: `data` is no table; the message names the fix.
            ExactBuyerError: What is about settings, not rows, such as a wrong key. The table is in
                the exception's `table`, every row in place.
            KeyboardInterrupt: As `enrich`, with a `table`; so has what `recover()` returns.

        Warns:
            IncompleteWarning: Rows stayed open; their `status` says which.
            ColumnWarning: More than nine in ten of the rows that hold something are `invalid`, of ten or
                more; or none of ten or more contacts has a value for a column of yours, or none that fits
                its type.

        Costs what `enrich` costs; a reader costs what `stream` costs.

        Example:
            >>> import pandas
            >>> from exactbuyer import BulkEnricher
            >>> people = pandas.DataFrame({"mail": ["ana@acme.example", None]}, index=[7, 8])
            >>> with BulkEnricher.sandbox() as enricher:
            ...     table = enricher.enrich_table(people, by="mail", columns=["full_name", "title"])
            >>> list(table.columns)  # doctest: +NORMALIZE_WHITESPACE
            ['mail', 'eb_status', 'eb_matched_by', 'eb_source', 'eb_fetched_at', 'eb_reason',
             'eb_full_name', 'eb_title']
            >>> table.loc[8, "eb_status"]
            'missing'
        """
        terms = Terms.checked(
            field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
        )
        wish = Wish.checked(by, columns, prefix, split, terms.field_type, region=region)
        settings = self._desk.settings
        if is_reader(data):
            reader = reader_of(data, wish, settings)
            stream = self._desk.begin(TableStreamCall, "enrich_table", terms, Watch(progress, None))
            stream.begin(reader)
            return cast("DataT", reader.out(TableStream(stream, reader).parts()))
        job = Job(data, wish, settings)
        call = self._desk.begin(TableCall, "enrich_table", terms, Watch(progress, job.rows))
        call.begin(job)
        try:
            for rows in job.parts():
                call.feed(rows)
            call.run.finish()
            while not call.over():
                call.step()
            return cast("DataT", call.conclude("record").table)
        except KeyboardInterrupt:
            raise call.interrupt() from None
        except BaseException:
            call.break_off()
            raise

    async def enrich_table_async(
        self,
        data: DataT,
        by: By,
        *,
        columns: Columns | None = None,
        prefix: str = "eb_",
        split: Split | None = None,
        region: Hashable | None = None,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        progress: ProgressOption = "auto",
    ) -> DataT:
        """`enrich_table`, awaited: the same arguments, results, errors and costs; but no readers.

        Cancelling it is as with `enrich_async`; what `recover()` returns then has a `table`.

        Args:
            data: As for `enrich_table`, but no reader: reading one on would block the loop.
            by: As for `enrich_table`.
            columns: As for `enrich_table`.
            prefix: As for `enrich_table`.
            split: As for `enrich_table`.
            region: As for `enrich_table`.
            field_type: As for `enrich_table`.
            required_fields: As for `enrich_table`.
            max_credits: As for `enrich_table`.
            refresh: As for `enrich_table`.
            store_only: As for `enrich_table`.
            progress: As for `enrich_table`.

        Returns:
            As `enrich_table`.

        Raises:
            ConfigError: As `enrich_table`, or `data` is a reader.
            ExactBuyerError: As `enrich_table`.

        Example:
            >>> import asyncio, polars
            >>> from exactbuyer import BulkEnricher
            >>> people = polars.DataFrame({"mail": ["ana@acme.example", None]})
            >>> with BulkEnricher.sandbox() as enricher:
            ...     table = asyncio.run(enricher.enrich_table_async(people, by="mail"))
            >>> table["eb_status"][1]
            'missing'
        """
        terms = Terms.checked(
            field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
        )
        wish = Wish.checked(by, columns, prefix, split, terms.field_type, region=region)
        job = Job(data, wish, self._desk.settings)
        call = self._desk.begin(TableCall, "enrich_table_async", terms, Watch(progress, job.rows))
        call.begin(job)
        bell = Bell(call)
        try:
            for rows in job.parts():
                call.feed(rows)
                await asyncio.sleep(0)
            call.run.finish()
            while not call.over():
                await bell.wait(TICK_S)
                if not bell.waiting:
                    call.collect()
                call.tick()
            call.settle()
            await heed_cancellation()
            return cast("DataT", call.conclude("record").table)
        except BaseException:
            # First of all what was paid for is put where `recover` finds it.
            call.break_off()
            bell.close()
            raise
