"""The doors that block: `enrich`, `stream`, `recover`. Never touch asyncio, so they work inside any loop.

Own how such a call waits. What a call is, and how it ends, is in `_calls`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ._calls import ListCall, check_on_error, refuse_invalid
from ._desk import Terms
from ._stream_call import StreamCall
from .progress import Watch
from .results import Results
from .rows import length, looks_wrong, slices
from .streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._calls import OnError
    from ._desk import Desk
    from .progress import ProgressOption
    from .rows import FieldType, RequiredField


class SyncDoors:
    """`BulkEnricher`'s doors for code that waits."""

    __slots__ = ()

    _desk: Desk

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
        """Looks up every row, and gives one result a row, in order.

        Args:
            rows: An iterable of rows: a list, a column of pandas, polars, numpy or Arrow. A row is a
                string, a `(field_type, value)` pair, the vendor's `{"field_type": …, "value": …}`, or
                a *list* of those in order of preference: the second is paid for only if the first
                finds nobody. A pair may have the country of a phone number as its third part, and a
                mapping as `"region"`: an ISO 3166 code or a name, instead of `default_region`. `None`, NaN,
                blanks and `na_values` are missing, and never sent.
            field_type: What plain values are, for all rows. `None`: inferred for each.
            required_fields: Instead of the enricher's own, for this call.
            max_credits: Tightens the enricher's ceiling for this call, in credits.
            refresh: Asks again for what the store has, **and pays again**; the new answers replace it.
            store_only: Sends nothing, and needs no key: what the store cannot answer is `not_sent`.
            on_error: `"raise"`: rows that cannot be looked up raise before anything is sent; what
                goes wrong later lets the rest finish, and then raises. `"record"`: only the rows'
                `status` says so, with one warning if rows stay open.
            progress: `"auto"`: after a second a bar in a terminal or notebook, elsewhere a log line
                each 10 s (INFO, logger `exactbuyer`). `True` or `False`: a bar, or nothing. A
                function: called with a `Progress` now and then.

        Returns:
            A list of dicts with the keys `value`, `enriched_contact` and `status`, one a row, in
            order, with a `receipt` and `problems`.

        Raises:
            TypeError: Rows cannot be read as such, or as rows at all; the message names the fix.
            InvalidIdentifierError: Rows cannot be looked up. Nothing was sent.
            ExactBuyerError: See `on_error`. What was paid for is in the exception's `results`, and what it
                took in its `receipt`.
            KeyboardInterrupt: Ctrl-C, once what was in flight has been answered; it has `results`
                and `receipt`, too, and so has `recover()`. A second Ctrl-C leaves at once.

        Costs one credit for each row found that is neither a duplicate of another row nor missing,
        and at most `max_credits` with every doubt counted. Duplicates are paid for once, however far apart
        they are: nothing is sent before all rows were read.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     results = enricher.enrich(["ana@acme.example", "ana@acme.example", None])
            >>> len(results), results.receipt.sent, results.receipt.missing
            (3, 1, 1)

        Source: `contact-enrichment/bulk-enrichment-api` on docs.exactbuyer.com.
        """
        on_error = check_on_error(on_error)
        terms = Terms.checked(
            field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
        )
        read = self._desk.read(rows, terms)
        if on_error == "raise":
            refuse_invalid([read])
        watch = Watch(progress, len(read))
        call = self._desk.begin(ListCall, "enrich", terms, watch, asking=read.asking())
        try:
            call.feed([read])
            while not call.over():
                call.step()
            return call.conclude(on_error)
        except KeyboardInterrupt:
            raise call.interrupt() from None
        except BaseException:
            call.break_off()
            raise

    def stream(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        progress: ProgressOption = "auto",
    ) -> Stream:
        """Looks up rows as they come, and gives their results in order, as they become known.

        Reads ahead of the consumer by a bounded number of rows, twice what can be in flight and at
        most 100,000: that many may be asked, and paid, before the first is taken. A duplicate is
        recognised within 100,000 rows of the last row with the same identifier. One further apart is
        answered by the store; without a store **it is paid for again**. `enrich` recognises all duplicates.
        Best used in a `with` block: if the block is left early, the stream stops at once, also when Ctrl-C
        comes between two rows.

        Args:
            rows: Any iterable of rows as for `enrich`, endless ones too; read only as needed.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`, for the whole stream.
            refresh: As for `enrich`.
            store_only: As for `enrich`.
            progress: As for `enrich`.

        Returns:
            An iterator of the same dicts, one a row, in order; a context manager; with a `receipt`.

        Raises:
            TypeError: A row cannot be read as such; raised in its place, after the rows before it.
            ExactBuyerError: What is about settings, not rows, such as a wrong key; the rows not handed
                out yet are in its `results`.
            KeyboardInterrupt: As `enrich`.

        Warns:
            IncompleteWarning: At the end, if rows stayed open.

        Costs what `enrich` costs, and without a store once more for each duplicate further apart.

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
        terms = Terms.checked(
            field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
        )
        if looks_wrong(rows):
            self._desk.read(rows, terms)
        call = self._desk.begin(StreamCall, "stream", terms, Watch(progress, length(rows)))
        source = slices(rows, self._desk.settings.chunk_size)
        return Stream(call, partial(self._desk.read, terms=terms), source)

    def recover(self) -> Results:
        """What an interrupted, cancelled or abandoned call had paid for: each call once, the oldest first.

        A call also counts as abandoned when the event loop in which it was awaited has been closed.

        Waits for what such a call still has in flight, up to the `grace` it was given. Sends
        nothing, costs nothing.

        Calls that nobody recovers are kept up to 100,000 rows in all; with a store, which also has the
        answers, up to 10,000. The latest call is always kept. Beyond the limit, the oldest calls are given
        up once nothing of them is in flight. Their receipts stay. If the store has the answers, asking for
        the same rows again is free. If no store has them, they are lost: a log line of level WARNING says so
        at the time, and a `StoreWarning` here. A store does not have contacts that mention a purged person,
        nor answers that it could not store: calls with such answers count as calls without a store.

        Returns:
            The rows of one such call, in order, with its receipt: all rows of an `enrich`, of a
            stream those that were not handed out (`first_row` says which comes first). Empty if
            there is no such call: `while part := enricher.recover(): …`

        Raises:
            KeyboardInterrupt: Ctrl-C; the call can still be recovered.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> BulkEnricher().recover()
            <Results: 0 rows>
        """
        call = self._desk.oldest()
        if call is None:
            return Results()
        try:
            while not call.over():
                call.step()
            return call.settle()
        except KeyboardInterrupt:
            self._desk.books.put_back(call, first=True)
            raise
        except BaseException:
            # Behind the others: what cannot be handed out must not keep them from it.
            self._desk.books.put_back(call, first=False)
            raise
