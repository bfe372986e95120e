"""The blocking calls `enrich`, `stream` and `recover`, and `last_results`, the results of the last call.

They do not use asyncio, so they work inside any loop. Each reads its arguments and begins a call. What a call
is, and how it runs and ends, is in `_calls`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._calls.list_call import ListCall
from ._calls.options import CallOptions, OnError, check_on_error, refuse_invalid
from ._calls.slices import length, looks_wrong, slices
from ._calls.stream_call import RowStreamCall
from ._calls.streams import Stream
from ._calls.waiting import run_to_end
from ._traceback import short_traceback
from .report.progress import ProgressOption, Watch
from .results import Results, has_rows

if TYPE_CHECKING:
    from ._calls.call import Call
    from ._calls.session import Session
    from .field_types import FieldType, RequiredField


class BlockingCalls:
    """The blocking calls of `BulkEnricher`."""

    __slots__ = ()

    _session: Session

    def enrich(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        on_error: OnError = "raise",
        progress: ProgressOption = "auto",
    ) -> Results:
        """Looks up every row, and returns one result for each row, in the order of the rows.

        Args:
            rows: An iterable of rows, such as a list or a column of pandas, polars, numpy or Arrow. A row is
                a string, a pair `(field_type, value)`, the API's form `{"field_type": …, "value": …}`, or a
                *list* of these, best first: the second is paid for only if the first finds nobody. A pair may
                have the country of a phone number as its third part, and a mapping may have it under
                `"region"`: an ISO 3166 code or a name, which replaces `default_region`. `None`, NaN, blanks
                and `na_values` are missing, and are never sent.
            field_type: The field type of all plain values. `None`: it is inferred for each value.
            required_fields: Replaces the enricher's own setting in this call.
            max_credits: Lowers the enricher's limit for this call, in credits.
            refresh: Looks up again what the store has, **and pays again**. The new answers are used from then
                on.
            store_only: Sends nothing and needs no key. Rows that the store cannot answer are `not_sent`.
            on_error: `"raise"`: invalid rows raise before anything is sent; if a problem occurs later, the
                rest of the rows is finished first, and then the call raises. `"record"`: problems are
                recorded in the `status` of the rows, with one warning if rows are open. With either value,
                rows that an earlier run left `unknown` only cause a warning;
                `receipt.raise_for_incomplete()` raises for them.
            progress: `"auto"`: in a terminal or notebook, a bar after one second; elsewhere, a line every
                30 s, on stderr or, if you have configured logging, in the log (INFO, logger `exactbuyer`).
                `EXACTBUYER_LOG=off` switches the lines off. `True`: a bar. `False`: nothing. A function: it
                is called with a `Progress` from time to time.

        Returns:
            A list with one dict for each row, in order, with the keys `value`, `enriched_contact` and
            `status`. The list also has a `receipt` and `problems`.

        Raises:
            TypeError: `rows`, or one of them, has a wrong type. The message says what to pass instead.
            ValueError: A pair or a mapping has a field type that does not exist. The message has the row's
                number.
            InvalidIdentifierError: Some rows cannot be looked up. Nothing was sent.
            ExactBuyerError: See `on_error`. The exception's `results` have everything that was paid for, and
                its `receipt` has the cost.
            KeyboardInterrupt: Ctrl-C. It is raised when the requests in flight have been answered, and also
                has `results` and `receipt`. A second Ctrl-C raises it at once, without them: `recover()`
                returns the results.

        After an exception, `last_results` has the results, too.

        A call costs one credit for each row that is found and neither a duplicate nor answered from the
        store, and at most `max_credits`, with every doubt counted as spent. Duplicates are paid for once,
        however far apart they are, because all rows are read before anything is sent.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     results = enricher.enrich(["ana@acme.example", "ana@acme.example", None])
            >>> len(results), results.receipt.sent, results.receipt.missing
            (3, 1, 1)

        Source: `contact-enrichment/bulk-enrichment-api` on docs.exactbuyer.com.
        """
        with short_traceback:
            self._session.history.forget_last_results()
            on_error = check_on_error(on_error)
            options = CallOptions.checked(
                field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
            )
            read = self._session.read(rows, options)
            if on_error == "raise":
                refuse_invalid([read])
            watch = Watch(progress, len(read))
            call = self._session.begin(ListCall, "enrich", options, watch, asking=read.asking())
            call.keep_index(rows)
        return run_to_end(call, [read], on_error)

    def stream(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        read_ahead: int | None = None,
        progress: ProgressOption = "auto",
    ) -> Stream:
        """Looks up rows as they arrive, and yields their results in order, as soon as they are known.

        A stream reads ahead of the consumer, so that requests are full and several are in flight. **As many
        rows may be looked up and paid for** before the consumer takes them. `read_ahead` sets how many: with
        fewer than `chunk_size`, requests are smaller. `None`: four requests at first; then four times as many
        rows as the consumer has taken, at most twice the number that can be in flight (by default 40,000),
        and at most 100,000.

        A duplicate is recognised within 100,000 rows of the last row with the same identifier. A later
        duplicate is answered from the store; without a store **it is paid for again**. `enrich` recognises
        all duplicates.

        Use a `with` block: if the block is left early, the stream stops at once, even if Ctrl-C comes between
        two rows.

        `rows` is any iterable, even an endless one, and is read only as needed. The other arguments are those
        of `enrich`; `max_credits` is for the whole stream.

        Returns:
            An iterator over the same dicts, one for each row, in order. It is also a context manager, and has
            a `receipt`.

        Raises:
            TypeError: A row has a wrong type. It is raised in the place of this row, after the results of the
                rows before it.
            ValueError: A row has a field type that does not exist. It is raised in the same place.
            ExactBuyerError: A problem with settings, not with rows, such as a wrong key. Its `results` have
                the rows that were not yielded yet.
            KeyboardInterrupt: As `enrich`.

        Warns:
            IncompleteWarning: At the end, if rows are open.

        A stream costs the same as `enrich`. Without a store, each duplicate that is too far apart is paid for
        again.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with (
            ...     BulkEnricher.sandbox() as enricher,
            ...     enricher.stream(["ana@acme.example", None]) as results,
            ... ):
            ...     for row in results:
            ...         print(row["value"])
            ana@acme.example
            None
        """
        with short_traceback:
            self._session.history.forget_last_results()
            options = CallOptions.checked(
                field_type,
                required_fields,
                max_credits,
                refresh=refresh,
                store_only=store_only,
                read_ahead=read_ahead,
            )
            if looks_wrong(rows):
                self._session.read(rows, options)
            call = self._session.begin(RowStreamCall, "stream", options, Watch(progress, length(rows)))
        return Stream(call, slices(rows, call.part_rows))

    @property
    def last_results(self) -> Results | None:
        """The results of the call that ended last, also if it raised: all its rows, with what it paid for.

        After an exception or Ctrl-C, an assignment such as `r = enricher.enrich(rows)` has not happened: then
        `r = enricher.last_results` does it. For `enrich_table`, `last_results.table` is the table; for a
        stream, these are the rows that it has not yielded.

        They are kept in memory until the next call of this enricher, even if you have dropped them
        yourself (about 4 MB for 1,000 people). `del enricher.last_results` frees them at once.

        It is `None` before the first call, while a call is running, and after a call that was refused before
        it sent anything, that was cancelled, or that a second Ctrl-C ended. A cancelled call may still have
        requests in flight: `recover()` waits for them.

        Example:
            >>> from exactbuyer import BulkEnricher, UnknownOutcomeError
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     enricher.sandbox_server.fail("reset_after_billing", request=1)
            ...     try:
            ...         results = enricher.enrich(["ana.almeida@acme.example", None])
            ...     except UnknownOutcomeError:
            ...         results = enricher.last_results
            >>> [row["status"] for row in results]
            ['unknown', 'missing']
        """
        return self._session.history.last_results

    @last_results.deleter
    def last_results(self) -> None:
        self._session.history.last_results = None

    def recover(self) -> Results | None:
        """Returns what interrupted, cancelled and abandoned calls have paid for, the oldest call first.

        Each such call is returned once. A call also counts as abandoned if the event loop in which it was
        awaited has been closed.

        It waits for the requests that the call still has in flight, for at most the call's `grace`. It sends
        nothing and costs nothing.

        Calls that were not recovered are kept up to 100,000 rows in total; with a store, which also has the
        answers, up to 10,000 rows. The latest call is always kept. Beyond the limit, the oldest calls are
        dropped when none of their requests is in flight. Their receipts are kept. If the store has the
        answers, the same rows can be looked up again at no cost. If no store has them, they are lost: a log
        line of level WARNING reports it when it happens, and `recover` warns with `StoreWarning`. A store has
        neither contacts that mention a purged person nor answers that it could not store; calls with such
        answers count as calls without a store.

        Returns:
            The rows of one such call, in order, with its receipt: all rows of an `enrich`, or the rows that a
            stream has not yielded (`first_row` is the number of the first). `None` if there is no such call,
            so use `while (part := enricher.recover()) is not None: …` (the results of `enrich_table` are in
            `part.table`, and the list is empty).

        Raises:
            KeyboardInterrupt: Ctrl-C. The call can still be recovered.

        Warns:
            StoreWarning: Calls were dropped because they were too many.
            ColumnWarning: The new columns of an `enrich_table` could not be joined with its table, and are
                returned as Arrow data.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> BulkEnricher().recover() is None
            True
        """
        while (call := self._session.take_oldest()) is not None:
            # Streams whose rows were all handed out have nothing to recover.
            if has_rows(results := self._recovered(call)):
                return results
        return None

    def _recovered(self, call: Call) -> Results:
        try:
            call.until_over()
            results = call.settle()
            call.warn_if_unjoined(results)
        except BaseException as error:
            # A call whose results cannot be taken goes to the end: the others must not wait for it.
            self._session.history.put_back(call, first=isinstance(error, KeyboardInterrupt))
            raise
        return results
