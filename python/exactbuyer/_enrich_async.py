"""The awaitable calls `enrich_async`, `stream_async`, `recover_async` and `aclose`.

Each reads its arguments and begins a call. What a call is, and how it runs and ends, is in `_calls`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ._calls.async_streams import AsyncStream
from ._calls.list_call import ListCall
from ._calls.options import CallOptions, OnError, check_on_error, refuse_invalid
from ._calls.slices import length, looks_wrong, slices
from ._calls.stream_call import RowStreamCall
from ._calls.waiting import Waiter, raise_if_cancelled, run_to_end_async
from ._traceback import short_traceback
from .exceptions import StoreError
from .report.progress import ProgressOption, Watch
from .results import Results, has_rows

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._calls.call import Call
    from ._calls.session import Session
    from ._core import Rows
    from .field_types import FieldType, RequiredField

_ROWS_BETWEEN_BREATHS = 10_000


class AwaitableCalls:
    """The awaitable calls of `BulkEnricher`."""

    __slots__ = ()

    _session: Session

    async def enrich_async(
        self,
        rows: Iterable[object] | AsyncIterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        on_error: OnError = "raise",
        progress: ProgressOption = "auto",
    ) -> Results:
        """The awaitable version of `enrich`: the same arguments, results, errors and costs.

        `rows` may also be an async iterable.

        If it is cancelled, it ends at once, and no new request is sent. The requests in flight finish in the
        background, and `recover()` or `recover_async()` returns what was paid for.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     results = asyncio.run(enricher.enrich_async(["ana@acme.example", None]))
            >>> len(results)
            2
        """
        with short_traceback:
            self._session.history.forget_last_results()
            on_error = check_on_error(on_error)
            options = CallOptions.checked(
                field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
            )
            parts = await self._read_in_parts(rows, options)
            if on_error == "raise":
                refuse_invalid(parts)
            watch, asking = Watch(progress, sum(map(len, parts))), sum(part.asking() for part in parts)
            if asking:
                await self._session.open_store(options)
            call = self._session.begin(ListCall, "enrich_async", options, watch, asking=asking)
            call.keep_index(rows)
        return await run_to_end_async(call, parts, on_error)

    def stream_async(
        self,
        rows: Iterable[object] | AsyncIterable[object],
        *,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
        read_ahead: int | None = None,
        progress: ProgressOption = "auto",
    ) -> AsyncStream:
        """The version of `stream` for `async for`: the same arguments, results, errors and costs.

        `rows` may also be an async iterable.

        As with `stream`, a duplicate more than 100,000 rows after the last row with the same identifier is
        answered from the store; without a store it is paid for again.

        Use `async with` under a timeout, and wherever you may leave the loop early: the end of the block
        stops the stream. Without `async with`, the stream continues within its window until nothing refers to
        it any more; an exception that is being handled may still refer to it.

        Returns:
            An async iterator over the same dicts. It is also an async context manager, and has a `receipt`.

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
            if not isinstance(rows, AsyncIterable) and looks_wrong(rows):
                self._session.read(rows, options)
            call = self._session.begin(RowStreamCall, "stream_async", options, Watch(progress, length(rows)))
        source = aiter(rows) if isinstance(rows, AsyncIterable) else slices(rows, call.part_rows)
        return AsyncStream(call, source)

    async def recover_async(self) -> Results | None:
        """The awaitable version of `recover`: the same result. If it is cancelled, nothing is lost.

        Returns:
            As `recover`.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> asyncio.run(BulkEnricher().recover_async()) is None
            True
        """
        while (call := self._session.take_oldest()) is not None:
            # Streams whose rows were all handed out have nothing to recover.
            if has_rows(results := await self._recovered_async(call)):
                return results
        return None

    async def _recovered_async(self, call: Call) -> Results:
        waiter = Waiter(call)
        try:
            # A waiter that was cancelled a moment ago lets go when the loop has turned.
            await asyncio.sleep(0)
            await waiter.until_over()
            results = call.settle()
            await raise_if_cancelled()
            call.warn_if_unjoined(results)
        except BaseException as error:
            # A call whose results cannot be taken goes to the end: the others must not wait for it.
            self._session.history.put_back(call, first=isinstance(error, asyncio.CancelledError))
            waiter.close()
            raise
        return results

    async def aclose(self) -> None:
        """The awaitable version of `close`: the loop stays free while requests in flight get their `grace`.

        The end of an `async with` block calls it.

        Example:
            >>> import asyncio
            >>> from exactbuyer import BulkEnricher
            >>> async def main():
            ...     async with BulkEnricher.sandbox() as enricher:
            ...         return await enricher.enrich_async(["ana@acme.example", None])
            >>> len(asyncio.run(main()))
            2
        """
        # If this is cancelled, closing goes on, and the next call waits for it.
        await asyncio.shield(asyncio.wrap_future(self._session.closing()))

    async def __aenter__(self) -> Self:
        # For streams, which begin without an `await`. A call says what is wrong with the store.
        with suppress(StoreError):
            await self._session.open_store()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    async def _read_in_parts(
        self, rows: Iterable[object] | AsyncIterable[object], options: CallOptions
    ) -> list[Rows]:
        """Reads all rows, letting the loop run in between."""
        if isinstance(rows, AsyncIterable):
            rows = [row async for row in rows]
        elif isinstance(rows, list):
            # Other tasks may change theirs while the loop runs.
            rows = list(rows)
        if looks_wrong(rows):
            return [self._session.read(rows, options)]
        parts: list[Rows] = []
        count = 0
        for part in slices(rows, _ROWS_BETWEEN_BREATHS):
            parts.append(self._session.read(part, options, count))
            count += len(part)
            await asyncio.sleep(0)
        return parts
