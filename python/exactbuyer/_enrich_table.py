"""The calls for tables: the blocking `enrich_table` and the awaitable `enrich_table_async`.

Each reads its arguments and begins a call. What a call is, and how it runs and ends, is in `_calls`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ._calls.options import CallOptions
from ._calls.streams import TableStream
from ._calls.table_calls import ClusterCall, StoredClusterCall, TableCall, TableStreamCall
from ._calls.waiting import out_of_the_loop, run_to_end, run_to_end_async
from ._frames.cluster.detect import cluster_frame_of, is_cluster_frame
from ._frames.cluster.planner import ClusterInput
from ._frames.detect import is_query, is_reader
from ._frames.readers import reader_of
from ._frames.request import By, Columns, Split, TableRequest
from ._frames.table_input import TableInput
from ._traceback import short_traceback
from .exceptions import ConfigError
from .report.message import wrong
from .report.progress import ProgressOption, Watch

if TYPE_CHECKING:
    from ._calls.session import Session
    from .field_types import FieldType, RequiredField

DataT = TypeVar("DataT")


class TableCalls:
    """The calls of `BulkEnricher` for tables."""

    __slots__ = ()

    _session: Session

    @overload
    def enrich_table(
        self,
        data: list[dict[str, Any]],
        by: By,
        *,
        columns: Columns | None = ...,
        prefix: str = ...,
        split: Split | None = ...,
        region: Hashable | None = ...,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
        answers: str | PathLike[str] | None = ...,
        progress: ProgressOption = ...,
    ) -> list[dict[str, Any]]: ...

    @overload
    def enrich_table(
        self,
        data: DataT,
        by: By,
        *,
        columns: Columns | None = ...,
        prefix: str = ...,
        split: Split | None = ...,
        region: Hashable | None = ...,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
        answers: str | PathLike[str] | None = ...,
        progress: ProgressOption = ...,
    ) -> DataT: ...

    def enrich_table(
        self,
        data: object,
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
        answers: str | PathLike[str] | None = None,
        progress: ProgressOption = "auto",
    ) -> object:
        """Looks up the rows of a table by one or more of its columns, and adds columns with the results.

        Args:
            data: A pandas or polars frame (eager or lazy), a pyarrow table, record batch or record batch
                reader, a duckdb relation, a list of dicts, any object with Arrow's PyCapsule interface, or a
                frame of a cluster: a DataFrame of Spark or Dask, or a Dataset of Ray
                (docs/guides/cluster.md).
            by: The name of the column to look up; or a list of names, best first: in each row, the next
                column is paid for only if the one before finds nobody; or a mapping from names to field
                types, as in `{"mobile": "phone"}`. A column has text in any encoding, lists of text, whole
                numbers, or only nulls. A cell that cannot be looked up makes its row `invalid`, unless
                another column of the row can be looked up.
            columns: Names from `DEFAULT_COLUMNS`, or a mapping from names to paths in the contact, as in
                `{"title": "employment.job.title", "all": "$"}`. A path may have a type, as in
                `("likelihood", "float64")`; values that do not fit it are null. `None`: all of
                `DEFAULT_COLUMNS`.
            prefix: The beginning of the name of every added column, so that the names differ from yours.
            split: The separators between several values of one cell: one, as in `";"`, several, as in
                `[";", ","]`, or a mapping from columns to their separators, as in `{"emails": [";", "|"]}`. A
                line feed means any kind of line break.
            region: The name of a column with the country of the phone numbers in each row: ISO 3166 codes or
                names of countries. For an empty cell, the enricher's `default_region` is used. If a cell has
                another text, a number without a country code makes its row `invalid`.
            field_type: The field type of the columns for which `by` gives none. `None`: it is inferred for
                each value.
            required_fields: Replaces the enricher's own setting in this call.
            max_credits: Lowers the enricher's limit for this call, in credits.
            refresh: Looks up again what the store has, **and pays again**. The new answers are used from then
                on.
            store_only: Sends nothing and needs no key. Rows that the store cannot answer are `not_sent`.
            answers: For frames of a cluster: the path or URL of a folder that the workers can read. The
                answers are written there as Parquet, in a subfolder for this call, which the receipt names;
                `store.purge` does not reach them. `None`: they are kept in memory, up to 200,000 distinct
                rows.
            progress: As for `enrich`.

        Returns:
            The same kind of table: the rows in order, your columns and index unchanged, then `status`,
            `matched_by`, `source`, `fetched_at`, `reason` and those of `columns`, each with the prefix.
            Columns that an earlier call added with this prefix are removed, even those that this call does
            not add: for a second pass, pass another `prefix`. If the table's library cannot join the new
            columns, they are returned as Arrow data, with a warning. The receipt is `last_receipt`,
            and is also under `"exactbuyer_receipt"` in pandas' `attrs` or the schema's metadata (not for a
            reader, whose schema is created before the receipt).

            For a reader, the result is a reader that computes while it is read. It recognises duplicates as
            `stream` does: without a store, a duplicate more than 100,000 rows after the last row with the
            same identifier is paid for again.

            For a frame of a cluster, everything is paid for when this method is called, and only this process
            sends. The result is a lazy frame that joins your rows with the answers: to compute it again costs
            nothing. A row that the frame did not have before is `not_sent`. All rows with the same
            identifiers have the same `source`.

        Raises:
            ConfigError: A column is missing, has the name of a column to add, or has a type that cannot be
                looked up. Or the table's library cannot join the new columns, for example because it does not
                have the type of one of them. Nothing was sent.
            TypeError: `data` is not a table. The message says what to pass instead.
            ExactBuyerError: A problem with settings, not with rows, such as a wrong key. The exception's
                `table` has every row in its place.
            KeyboardInterrupt: As for `enrich`, with a `table`. What `recover()` returns has a `table`, too.

        Warns:
            IncompleteWarning: Rows are open; their `status` says which.
            ColumnWarning: More than nine in ten values of a column in `by` cannot be read, and it has ten or
                more; or it has three or more, and none can be read.
                Or ten or more contacts were found, and none of them has a value for a column that you
                defined, or none has a value that fits the type of that column. Or this call removes columns
                of an earlier one and does not add them again (before anything is sent). Or the new columns
                could not be joined, and are returned as Arrow data.

        A call costs the same as `enrich`; for a reader, the same as `stream`.

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
        with short_traceback:
            self._session.history.forget_last_results()
            options = CallOptions.checked(
                field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
            )
            table_request = TableRequest.checked(
                by, columns, prefix, split, options.field_type, region=region
            )
            settings = self._session.settings
            if answers is not None and not is_cluster_frame(data):
                raise wrong("answers", "is only for frames of Spark, Dask or Ray: leave it out")
            # Before readers: frames of some releases of Spark can hand on Arrow data, as a reader does.
            if is_cluster_frame(data):
                # A job of the cluster may take long: what would end the call anyway should end it before.
                self._session.check(options)
                frame = ClusterInput(cluster_frame_of(data), table_request, settings, answers)
                frame.warn_of_removed()
                frame.prepare()
                kind = ClusterCall if settings.store is None else StoredClusterCall
                watch = Watch(progress, frame.rows)
                call: TableCall | ClusterCall
                call = self._session.begin(kind, "enrich_table", options, watch).work_on(frame)
            elif is_reader(data):
                reader = reader_of(data, table_request, settings)
                reader.warn_of_removed()
                stream = self._session.begin(TableStreamCall, "enrich_table", options, Watch(progress, None))
                stream.work_on(reader)
                return reader.out(TableStream(stream, reader.parts(lambda: stream.part_rows)).batches())
            else:
                table_input = TableInput(data, table_request, settings)
                call = self._begin_in_memory("enrich_table", table_input, options, progress)
        return run_to_end(call, call.source.parts(), "record").table

    @overload
    async def enrich_table_async(
        self,
        data: list[dict[str, Any]],
        by: By,
        *,
        columns: Columns | None = ...,
        prefix: str = ...,
        split: Split | None = ...,
        region: Hashable | None = ...,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
        progress: ProgressOption = ...,
    ) -> list[dict[str, Any]]: ...

    @overload
    async def enrich_table_async(
        self,
        data: DataT,
        by: By,
        *,
        columns: Columns | None = ...,
        prefix: str = ...,
        split: Split | None = ...,
        region: Hashable | None = ...,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
        progress: ProgressOption = ...,
    ) -> DataT: ...

    async def enrich_table_async(
        self,
        data: object,
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
    ) -> object:
        """The awaitable version of `enrich_table`: same arguments, results, errors and costs.

        It takes neither readers nor frames of a cluster.

        If it is cancelled, the same happens as with `enrich_async`; what `recover()` returns has a `table`.

        A reader raises a `ConfigError`, because reading it would block the loop.

        Example:
            >>> import asyncio, polars
            >>> from exactbuyer import BulkEnricher
            >>> people = polars.DataFrame({"mail": ["ana@acme.example", None]})
            >>> with BulkEnricher.sandbox() as enricher:
            ...     table = asyncio.run(enricher.enrich_table_async(people, by="mail"))
            >>> table["eb_status"][1]
            'missing'
        """
        with short_traceback:
            self._session.history.forget_last_results()
            options = CallOptions.checked(
                field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
            )
            table_request = TableRequest.checked(
                by, columns, prefix, split, options.field_type, region=region
            )
            if is_cluster_frame(data):
                raise ConfigError(
                    "a frame of a cluster blocks the loop while its jobs run: pass it to enrich_table, as in "
                    "await asyncio.to_thread(enricher.enrich_table, frame, by=…)"
                )
            table_input = await self._read_out_of_the_loop(data, table_request)
            if table_input.rows:
                await self._session.open_store(options)
            call = self._begin_in_memory("enrich_table_async", table_input, options, progress)
        return (await run_to_end_async(call, call.source.parts(), "record")).table

    async def _read_out_of_the_loop(self, data: object, table_request: TableRequest) -> TableInput:
        """Reads a table: a query in a thread, others in the loop, so that no task changes them meanwhile."""
        settings = self._session.settings
        if is_query(data):
            return await out_of_the_loop(lambda: TableInput(data, table_request, settings))
        return TableInput(data, table_request, settings)

    def _begin_in_memory(
        self, name: str, table_input: TableInput, options: CallOptions, progress: ProgressOption
    ) -> TableCall:
        """Begins the call for a table that is there as a whole."""
        table_input.warn_of_removed()
        watch = Watch(progress, table_input.rows)
        asking = None if table_input.rows else 0
        return self._session.begin(TableCall, name, options, watch, asking=asking).work_on(table_input)
