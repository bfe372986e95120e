"""A stream for `async for`. What both kinds of stream share is in `streams.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import AsyncGeneratorType
from typing import TYPE_CHECKING, Any

from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.results import Result

from .call import TICK_S
from .streams import ALREADY_RUNNING, StreamBase
from .waiting import Waiter

if TYPE_CHECKING:
    from typing_extensions import Self

    from .stream_call import StreamCall


class AsyncSource:
    """Reads an async source a slice ahead, in a task of its own.

    It is a task, so that finished rows can be yielded while the source is slow. It does not refer to the
    stream; so a stream that nothing refers to ends at once, and not when the garbage collector runs.
    """

    def __init__(self, source: AsyncIterator[object], most: int, waiter: Waiter) -> None:
        self._source = source
        self._most = most
        self._waiter = waiter
        self._rows: list[object] = []
        self._has_room = asyncio.Event()
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(self._read())
        self._task.add_done_callback(lambda _: waiter.wake())

    async def _read(self) -> None:
        try:
            async for row in self._source:
                self._rows.append(row)
                self._waiter.wake()
                while len(self._rows) >= self._most:
                    self._has_room.clear()
                    await self._has_room.wait()
        except asyncio.CancelledError:
            # Here, and not where the stream is closed: its end may have to run in the task that began it.
            source: object = self._source
            if isinstance(source, AsyncGeneratorType):
                await source.aclose()
            raise

    def take(self) -> list[object]:
        """The rows that were read since the last call."""
        rows, self._rows = self._rows, []
        # A closed loop raises here.
        with suppress(RuntimeError):
            self._has_room.set()
        return rows

    def is_over(self) -> bool:
        """Whether the source has ended, and all of it was taken."""
        return self._task.done() and not self._rows

    def trouble(self) -> BaseException | None:
        """The exception of the source, if any. Call it only when the source has ended."""
        if not self._task.cancelled():
            return self._task.exception()
        # Cancelled by `close`, or by the source itself, which waited for something that was cancelled.
        return None if self._closed else asyncio.CancelledError("the source of the rows was cancelled")

    def belongs_here(self) -> bool:
        """Whether it reads in the loop that is running now."""
        return self._task.get_loop() is asyncio.get_running_loop()

    def is_current(self) -> bool:
        """Whether the source is running now, and not another task."""
        return self._task is asyncio.current_task()

    def close(self) -> None:
        """Reads no further."""
        if self._closed:
            # Cancelling again would also cancel the end of a generator.
            return
        self._closed = True
        if not self._task.get_loop().is_closed():
            self._task.cancel()

    async def wait_until_closed(self) -> None:
        """Waits for the end of a generator, where that is possible."""
        if self.belongs_here() and not self.is_current():
            await asyncio.wait({self._task})


class AsyncStream(StreamBase[Result], AsyncIterator[Result]):
    """The results in input order, as soon as they are known. For one task; also an async context manager.

    A stream reads ahead of the consumer by a bounded number of rows (`read_ahead`). If it is left
    early, it sends no new request. `BulkEnricher.recover` returns the results of its requests in flight, and
    those that were paid for but not yet yielded. If `anext()` is cancelled, nothing is lost: the next
    `anext()` continues.

    An async generator as the source is closed with the stream, and `aclose()` waits until it is. You cannot
    continue with it, because it is read ahead in a task of its own, which is cancelled. Any other source is
    left as `Stream` leaves it.
    """

    __module__ = "exactbuyer"

    def __init__(self, call: StreamCall[Result, Any], source: Iterator[Any] | AsyncIterator[object]) -> None:
        super().__init__(call, source)
        self._waiter: Waiter | None = None
        self._reader: AsyncSource | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        if self._is_asked_twice():
            raise RuntimeError(ALREADY_RUNNING)
        try:
            if self._call.has_item() or await self._advance():
                return self._call.hand_out()
            if not self._closed:
                self._end_reading()
                self._finish()
        except asyncio.CancelledError:
            # Only this wait was cancelled; closing the stream is `aclose()`.
            raise
        except BaseException:
            self._detach()
            raise
        raise StopAsyncIteration

    def _is_asked_twice(self) -> bool:
        """Whether its own source asks, or a second task. A task in a closed loop waits no more."""
        if self._reader is not None and self._reader.is_current():
            return True
        return self._is_running and self._waiter is not None and self._waiter.belongs_here()

    async def _advance(self) -> bool:
        if self._closed:
            return False
        waiter = self._waiter = self._waiter_here()
        try:
            self._is_running = True
            return await self._wait_for_item(waiter)
        finally:
            self._is_running = False

    async def _wait_for_item(self, waiter: Waiter) -> bool:
        call = self._call
        while True:
            if isinstance(self._source, AsyncIterator):
                self._feed_from(self._source, waiter)
            else:
                while call.wants() and call.pull(self._source):  # noqa: ASYNC110 - lets others run
                    await asyncio.sleep(0)
            if not waiter.waiting:
                call.collect()
            call.tick()
            refused = self._refused()
            if call.has_item() and not refused:
                return True
            if call.over():
                return False
            polling = call.wants() and self._reader is None
            await waiter.wait(0.0 if polling else TICK_S)

    def _feed_from(self, source: AsyncIterator[object], waiter: Waiter) -> None:
        """Feeds what has been read meanwhile; at the source's end says so, with what it raised if it did."""
        call = self._call
        if call.ended:
            return
        reader = self._reader = self._reader or AsyncSource(source, call.part_rows, waiter)
        if not reader.belongs_here():
            reader.close()
            call.feed_part(reader.take())
            lost = (
                "an async source can be read only in the event loop in which it was begun, which is another"
            )
            call.end(ExactBuyerError(lost))
            return
        if call.wants() and (rows := reader.take()):
            call.feed_part(rows)
        if reader.is_over():
            trouble = reader.trouble()
            if trouble is not None and not isinstance(trouble, Exception):
                # `recover()` returns the rows in flight, and the rows before them.
                self._detach()
                raise trouble
            call.end(trouble)

    def _waiter_here(self) -> Waiter:
        """A waiter for the loop that is running now: the loop of an earlier one may be closed."""
        if self._waiter is not None and self._waiter.belongs_here():
            return self._waiter
        if self._waiter is not None:
            self._waiter.close()
        return Waiter(self._call)

    def _detach(self) -> None:
        try:
            super()._detach()
        finally:
            self._end_reading()

    def _end_reading(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._waiter is not None:
            self._waiter.close()

    async def aclose(self) -> None:
        """Sends nothing new, and waits up to `grace` for requests in flight. `recover()` returns the rest."""
        if not self._closed:
            call = self._call
            call.keep_for_recovery()
            self._closed = True
            waiter = self._waiter = self._waiter_here()
            try:
                call.stop()
                if self._reader is not None:
                    self._reader.close()
                await waiter.until_over()
            finally:
                call.detach()
                self._end_reading()
                call.log_unread_rows()
        self._let_go()
        if self._reader is not None:
            await self._reader.wait_until_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *error: object) -> None:
        if kind is GeneratorExit:
            # The collector closes the coroutine, which can wait for nothing any more.
            self._detach()
        else:
            await self.aclose()
