"""The one class that matters: :class:`BulkEnricher`.

Owns the doors, sync and async, and nothing behind them: a call's own state is in `_calls`, what is
not frozen about an enricher in `_desk`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ._bell import Bell
from ._calls import TICK_S, ListCall, StreamCall, check_on_error, refuse_invalid
from ._desk import Desk, Terms
from ._secret import Secret
from .plan import Plan
from .progress import Watch
from .results import Results
from .rows import length, looks_wrong, slices
from .settings import BASE_URL, checked
from .streams import AsyncStream, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Self

    from ._calls import OnError
    from ._core import Rows
    from .progress import ProgressOption
    from .receipt import Receipt
    from .rows import FieldType, RequiredField
    from .sandbox import Sandbox
    from .settings import Body, Duration, OnUnknown, Settings

_ROWS_BETWEEN_BREATHS = 10_000


class BulkEnricher:
    """Looks up people by e-mail, phone or social profile, in bulk: every row back in place, paid for once.

    Frozen once made, usable from many threads, and a context manager. It pickles, never with its
    key: the copy reads it from the environment where it is opened, and refuses to send if it has a
    ceiling, which it could not share.

    Args:
        api_key: The key. `None`: read from the environment variable `EXACTBUYER_API_KEY` when it is
            first needed.
        required_fields: A match counts, and costs, only if it has all of these: `email`,
            `work_email`, `personal_email`, `phone`, `social_profile`. None by default: anything counts.
        store: Where answers are remembered across runs. Only `None` in this version: nowhere.
        max_credits: The ceiling on what this enricher may spend in this process, in credits, from
            0; every doubt is counted as spent. `None`: no ceiling.
        max_in_doubt: Most lookups in flight or unknown at any moment of a call, from 1. 20,000 by
            default: what the worst moment can cost unseen. It bounds throughput, too.
        on_unknown: What becomes of a lookup that may have been charged but got no readable answer:
            `"hold"` leaves it, its rows are `unknown`; `"resend"` asks again and **may pay twice**.
        requests_per_minute: Most requests in any 60 s, 1 to 1,000,000. 200 by default: what the
            vendor allows. All enrichers of the process with one key share it; the lowest wins.
        max_concurrency: Most requests in flight, 1 to 1,024. 64 by default: 200 requests a minute
            at 20 s each. It is approached from 4 up, and left when the service struggles.
        chunk_size: Most lookups of one request, 1 to 1,000, the vendor's limit and the default.
        max_retries: How often what is free of charge is tried again, 0 to 100. 5 by default: about
            a minute of trouble.
        timeout: Most that one request may take, in seconds or as a `timedelta`, up to a day. 300 s
            by default: whoever gives up early on 1,000 records may still be charged for them.
        connect_timeout: Most that connecting may take, likewise. 10 s by default: connecting is free.
        grace: How long requests in flight may still take once a call is stopped, likewise. 30 s by
            default: they are paid for already.
        default_region: The country of phone numbers without a country code, as in `"US"` (ISO 3166).
            `None`: such numbers are invalid.
        max_age: How old an answer from a store may be. Has an effect only with a store.
        miss_max_age: How old a `not_found` from a store may be. Has an effect only with a store.
        na_values: Strings that count as missing, on top of `None`, NaN and blanks.
        body: How requests are encoded: `"form"` as in the vendor's sample, or `"json"`.
        base_url: Where the service is: https, or this machine.
        proxy: A proxy's URL. `None`: `HTTPS_PROXY` and `NO_PROXY` are honoured.
        ca_bundle: A PEM file of authorities to trust on top of the system's.
        credit_price: What one credit costs, as in `(0.05, "EUR")`: plans and receipts then say it in
            money, too.
        tags: Notes for a store to keep with each run. Has an effect only with a store.

    Raises:
        ConfigError: A setting is wrong; the message names it, its range and the reason.

    Costs nothing before the first call that sends.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> with BulkEnricher.sandbox(max_credits=100) as enricher:
        ...     results = enricher.enrich(["ana@acme.example", None])
        >>> [row["value"] for row in results]
        ['ana@acme.example', None]

    Source: `contact-enrichment/bulk-enrichment-api` and `master/rate-limiting` on docs.exactbuyer.com.
    """

    __slots__ = ("__weakref__", "_desk")

    _desk: Desk

    def __init__(
        self,
        api_key: str | None = None,
        *,
        required_fields: Iterable[RequiredField] = (),
        store: None = None,
        max_credits: int | None = None,
        max_in_doubt: int = 20_000,
        on_unknown: OnUnknown = "hold",
        requests_per_minute: int = 200,
        max_concurrency: int = 64,
        chunk_size: int = 1000,
        max_retries: int = 5,
        timeout: Duration = 300.0,
        connect_timeout: Duration = 10.0,
        grace: Duration = 30.0,
        default_region: str | None = None,
        max_age: Duration | None = None,
        miss_max_age: Duration | None = timedelta(days=7),
        na_values: Iterable[str] = (),
        body: Body = "form",
        base_url: str = BASE_URL,
        proxy: str | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        credit_price: tuple[float | int | str | Decimal, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        # The key leaves this frame first of all: a traceback that prints locals must not show it.
        key, api_key = None if api_key is None else Secret(api_key), None
        settings = checked(
            required_fields=required_fields,
            store=store,
            max_credits=max_credits,
            max_in_doubt=max_in_doubt,
            on_unknown=on_unknown,
            requests_per_minute=requests_per_minute,
            max_concurrency=max_concurrency,
            chunk_size=chunk_size,
            max_retries=max_retries,
            timeout=timeout,
            connect_timeout=connect_timeout,
            grace=grace,
            default_region=default_region,
            max_age=max_age,
            miss_max_age=miss_max_age,
            na_values=na_values,
            body=body,
            base_url=base_url,
            proxy=proxy,
            ca_bundle=ca_bundle,
            credit_price=credit_price,
            tags=tags,
        )
        object.__setattr__(self, "_desk", Desk(settings, key))

    @classmethod
    def sandbox(cls, **settings: Any) -> Self:
        """An enricher against a stand-in vendor of its own: no key, no cost, invented people.

        The stand-in runs in this process as long as the enricher lives, and is its `sandbox_server`.

        Args:
            **settings: As for `BulkEnricher` itself, but for `api_key` and `base_url`.

        Returns:
            An enricher like any other.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     print(enricher.enrich([None])[0]["status"])
            missing
        """
        from .sandbox import Sandbox

        server = Sandbox()
        settings = {"api_key": server.api_key, "base_url": server.url} | settings
        enricher = cls(**settings)
        enricher._desk.server = server
        return enricher

    @property
    def sandbox_server(self) -> Sandbox | None:
        """The stand-in vendor of an enricher made by `sandbox()`; `None` for any other."""
        return self._desk.server

    @property
    def settings(self) -> Settings:
        """What it was made with, checked; durations in seconds."""
        return self._desk.settings

    @property
    def receipt(self) -> Receipt:
        """What all its calls in this process took, added up."""
        return self._desk.books.total()

    @property
    def last_receipt(self) -> Receipt | None:
        """What the call that ended last took; `None` before the first."""
        return self._desk.books.last

    def plan(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
    ) -> Plan:
        """What `enrich` would ask and could cost with these arguments. No network, no key, no cost.

        Args:
            rows: As for `enrich`.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`.

        Returns:
            Counts of rows, lookups, requests and credits; print it, or show it in a notebook.

        Raises:
            TypeError: Rows cannot be read as such; the message names the fix.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> plan = BulkEnricher().plan(["ana@acme.example", "ANA@acme.example", "?", None])
            >>> plan.rows, plan.missing, plan.invalid, plan.duplicates, plan.to_send
            (4, 1, 1, 1, (1, 1))
        """
        terms = Terms.checked(field_type, required_fields, max_credits)
        read = self._desk.read(rows, terms)
        settings = self._desk.settings
        return Plan.from_core(read.plan(settings.for_core()), read.invalid(), settings, terms.max_credits)

    def enrich(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        on_error: OnError = "raise",
        progress: ProgressOption = "auto",
    ) -> Results:
        """Looks up every row, and gives one result a row, in order.

        Args:
            rows: An iterable of rows: a list, a column of pandas, polars, numpy or Arrow. A row is a
                string, a `(field_type, value)` pair, the vendor's `{"field_type": …, "value": …}`, or
                a *list* of those in order of preference: the second is paid for only if the first
                finds nobody. `None`, NaN, blanks and `na_values` are missing, and never sent.
            field_type: What plain values are, for all rows. `None`: inferred for each.
            required_fields: Instead of the enricher's own, for this call.
            max_credits: Tightens the enricher's ceiling for this call, in credits.
            on_error: `"raise"`: rows that cannot be looked up raise before anything is sent; what
                goes wrong later lets the rest finish, and then raises. `"record"`: only the rows'
                `status` says so, with one warning if rows stay open.
            progress: `"auto"`: after a second a bar in a terminal or notebook, elsewhere a log line
                each 10 s. `True` or `False`: a bar, or nothing. A function: called with a
                `Progress` now and then.

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
        and at most `max_credits` with every doubt counted.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     results = enricher.enrich(["ana@acme.example", "ana@acme.example", None])
            >>> len(results), results.receipt.sent, results.receipt.missing
            (3, 1, 1)

        Source: `contact-enrichment/bulk-enrichment-api` on docs.exactbuyer.com.
        """
        on_error = check_on_error(on_error)
        terms = Terms.checked(field_type, required_fields, max_credits)
        read = self._desk.read(rows, terms)
        if on_error == "raise":
            refuse_invalid([read])
        call = self._desk.begin(ListCall, "enrich", terms, Watch(progress, len(read)))
        try:
            call.feed([read])
            while not call.over():
                call.step()
        except KeyboardInterrupt:
            raise call.interrupt() from None
        except BaseException:
            call.break_off()
            raise
        return call.conclude(on_error)

    async def enrich_async(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        on_error: OnError = "raise",
        progress: ProgressOption = "auto",
    ) -> Results:
        """`enrich`, awaited: the same arguments, results, errors and costs.

        Cancelling it returns at once and starts nothing new; what is in flight is still received,
        and `recover()` or `recover_async()` returns what was paid for.

        Args:
            rows: As for `enrich`.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`.
            on_error: As for `enrich`.
            progress: As for `enrich`.

        Returns:
            As `enrich`: one result a row, in order.

        Raises:
            ExactBuyerError: As `enrich`.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     results = asyncio.run(enricher.enrich_async(["ana@acme.example", None]))
            >>> len(results)
            2
        """
        on_error = check_on_error(on_error)
        terms = Terms.checked(field_type, required_fields, max_credits)
        parts = await self._read_in_parts(rows, terms)
        if on_error == "raise":
            refuse_invalid(parts)
        call = self._desk.begin(ListCall, "enrich_async", terms, Watch(progress, sum(map(len, parts))))
        bell = Bell(call.run)
        try:
            call.feed(parts)
            while not call.over():
                await bell.wait(TICK_S)
                if not bell.waiting:
                    call.collect()
                call.tick()
        except BaseException:
            bell.close()
            call.break_off()
            raise
        return call.conclude(on_error)

    def stream(
        self,
        rows: Iterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        progress: ProgressOption = "auto",
    ) -> Stream:
        """Looks up rows as they come, and gives their results in order, as they become known.

        Reads ahead of the consumer by a bounded number of rows, twice what can be in flight and at
        most 100,000: that many may be asked, and paid, before the first is taken. A duplicate is
        recognised while its first row is within that window. Best used in a `with` block: left
        early it then stops at once, also where Ctrl-C comes in code between two rows.

        Args:
            rows: Any iterable of rows as for `enrich`, endless ones too; read only as needed.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`, for the whole stream.
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

        Costs what `enrich` costs.

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
        terms = Terms.checked(field_type, required_fields, max_credits)
        if looks_wrong(rows):
            self._desk.read(rows, terms)
        call = self._desk.begin(StreamCall, "stream", terms, Watch(progress, length(rows)))
        source = slices(rows, self._desk.settings.chunk_size)
        return Stream(call, partial(self._desk.read, terms=terms), source)

    def stream_async(
        self,
        rows: Iterable[object] | AsyncIterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        progress: ProgressOption = "auto",
    ) -> AsyncStream:
        """`stream` for `async for`: the same arguments, results, errors and costs.

        Args:
            rows: Any iterable of rows, or an async one.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`, for the whole stream.
            progress: As for `enrich`.

        Returns:
            An async iterator of the same dicts; an async context manager; with a `receipt`.

        Raises:
            ExactBuyerError: As `stream`.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> async def values():
            ...     with BulkEnricher.sandbox() as enricher:
            ...         return [
            ...             row["value"] async for row in enricher.stream_async(["ana@acme.example", None])
            ...         ]
            >>> asyncio.run(values())
            ['ana@acme.example', None]
        """
        terms = Terms.checked(field_type, required_fields, max_credits)
        if not isinstance(rows, AsyncIterable) and looks_wrong(rows):
            self._desk.read(rows, terms)
        call = self._desk.begin(StreamCall, "stream_async", terms, Watch(progress, length(rows)))
        chunk_size = self._desk.settings.chunk_size
        source = aiter(rows) if isinstance(rows, AsyncIterable) else slices(rows, chunk_size)
        return AsyncStream(call, partial(self._desk.read, terms=terms), source)

    def recover(self) -> Results:
        """What an interrupted, cancelled or abandoned call had paid for: each call once, the oldest first.

        Waits for what such a call still has in flight, up to the `grace` it was given. Sends
        nothing, costs nothing.

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
        call = self._desk.books.oldest()
        if call is None:
            return Results()
        try:
            while not call.over():
                call.step()
            return call.settle()
        except BaseException:
            self._desk.books.keep_first(call)
            raise

    async def recover_async(self) -> Results:
        """`recover`, awaited: the same result. Cancelling it loses nothing.

        Returns:
            As `recover`.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> asyncio.run(BulkEnricher().recover_async())
            <Results: 0 rows>
        """
        call = self._desk.books.oldest()
        if call is None:
            return Results()
        bell = Bell(call.run)
        try:
            # A waiter that was cancelled a moment ago lets go when the loop has turned.
            await asyncio.sleep(0)
            while not call.over():
                await bell.wait(TICK_S)
                if not bell.waiting:
                    call.collect()
            return call.settle()
        except BaseException:
            bell.close()
            self._desk.books.keep_first(call)
            raise

    def close(self) -> None:
        """Stops every call of this enricher, and waits up to `grace` for what is in flight.

        Calls in other threads then end, the rest of their rows `not_sent`. Receipts and `recover()`
        stay; whatever sends raises from then on. Closing again does nothing.
        """
        self._desk.close(self._desk.settings.grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        told = self._desk.settings.told()
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an enricher is frozen: make another one to change {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an enricher is frozen: {name} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self._desk.settings)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    async def _read_in_parts(self, rows: Iterable[object], terms: Terms) -> list[Rows]:
        """Reads all rows, letting the loop run in between."""
        if looks_wrong(rows):
            return [self._desk.read(rows, terms)]
        parts: list[Rows] = []
        count = 0
        for part in slices(rows, _ROWS_BETWEEN_BREATHS):
            parts.append(self._desk.read(part, terms, count))
            count += len(part)
            await asyncio.sleep(0)
        return parts


def _unpickled(kind: type[BulkEnricher], settings: Settings) -> BulkEnricher:
    enricher = kind.__new__(kind)
    object.__setattr__(enricher, "_desk", Desk(settings, None, copied=True))
    return enricher
