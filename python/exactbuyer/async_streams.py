"""A stream for `async for`. What both kinds of stream share is in `streams`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ._bell import Bell
from ._calls import TICK_S
from .streams import Window, tell_left

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from ._calls import StreamCall
    from .results import Result
    from .streams import ReadRows


class AsyncStream(Window, AsyncIterator["Result"]):
    """Results in input order, as they become known. For one task; an async context manager.

    Reads ahead of the consumer by a bounded window (`Settings.window_rows`). Left early, it
    starts nothing new; what was in flight, and what had been paid for but not yet handed out, is in
    `BulkEnricher.recover`. A cancelled `anext()` loses nothing: the next one goes on.
    """

    def __init__(
        self, call: StreamCall, read: ReadRows, source: Iterator[Sequence[object]] | AsyncIterator[object]
    ) -> None:
        super().__init__(call, read)
        self._source = source
        self._bell: Bell | None = None
        self._reader: asyncio.Task[None] | None = None
        self._read_ahead: list[object] = []
        self._has_room = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result:
        if self._call.has_row():
            return self._call.hand_out()
        if self._closed:
            raise StopAsyncIteration
        try:
            more = await self._advance()
        except asyncio.CancelledError:
            # Only this wait was cancelled; closing the stream is `aclose()`.
            raise
        except BaseException:
            self._end_reading()
            self._break_off()
            raise
        if more:
            return self._call.hand_out()
        self._end_reading()
        self._finish()
        raise StopAsyncIteration

    async def _advance(self) -> bool:
        call, intake = self._call, self._intake
        bell = self._bell = self._bell or Bell(call.run)
        while True:
            if isinstance(self._source, AsyncIterator):
                self._feed_from(self._source, bell)
            else:
                while intake.wants() and intake.pull(self._source):  # noqa: ASYNC110 - lets others run
                    await asyncio.sleep(0)
            if not bell.waiting:
                call.collect()
            call.tick()
            refused = self._refused()
            if call.has_row() and not refused:
                return True
            if call.over():
                return False
            polling = intake.wants() and self._reader is None
            await bell.wait(0.0 if polling else TICK_S)

    def _feed_from(self, source: AsyncIterator[object], bell: Bell) -> None:
        """Feeds what a task of its own has read meanwhile.

        A task, so that finished rows can be handed out while the source is waited for.
        """
        if self._reader is None and not self._intake.ended:
            self._reader = asyncio.get_running_loop().create_task(self._read_source(source, bell))
            self._reader.add_done_callback(lambda _: bell.ring())
        if self._intake.wants():
            rows, self._read_ahead = self._read_ahead, []
            if rows:
                self._intake.feed(rows)
            self._has_room.set()
        self._end_with_reader()

    async def _read_source(self, source: AsyncIterator[object], bell: Bell) -> None:
        chunk = self._call.settings.chunk_size
        async for row in source:
            self._read_ahead.append(row)
            bell.ring()
            while len(self._read_ahead) >= chunk:
                self._has_room.clear()
                await self._has_room.wait()

    def _end_with_reader(self) -> None:
        """Once the source has ended and all of it is fed: says so, with what it raised if it did."""
        reader = self._reader
        if reader is None or not reader.done() or self._read_ahead or self._intake.ended:
            return
        trouble = None if reader.cancelled() else reader.exception()
        if trouble is not None and not isinstance(trouble, Exception):
            raise trouble
        self._intake.end(trouble)

    def _end_reading(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        if self._bell is not None:
            self._bell.close()

    async def aclose(self) -> None:
        """Starts nothing new, waits up to the grace for what is in flight; the rest is in `recover()`."""
        if self._closed:
            return
        self._closed = True
        call = self._call
        bell = self._bell = self._bell or Bell(call.run)
        try:
            call.stop()
            if self._reader is not None:
                self._reader.cancel()
            while not call.over():
                await bell.wait(TICK_S)
                if not bell.waiting:
                    call.collect()
        finally:
            self._end_reading()
            call.break_off()
            tell_left(call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
