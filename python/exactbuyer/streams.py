"""Results in order over rows that come as they come: a bounded window between two iterators.

Owns how a source is read: no more of it than the window holds, in slices that fill a request, and
never so patiently that finished rows wait for a slow source.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from ._bell import Bell
from ._calls import TICK_S
from .rows import cut
from .wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from ._calls import StreamCall
    from ._core import Rows
    from .receipt import Receipt
    from .results import Result

logger = logging.getLogger("exactbuyer")


class ReadRows(Protocol):
    """Reads rows; `first_row` is the number of the first."""

    def __call__(self, rows: Iterable[object], *, first_row: int) -> Rows:
        """Reads them."""
        ...


class _Intake:
    """Between a source and a run: slices in, and the first trouble kept until its place comes."""

    def __init__(self, call: StreamCall, read: ReadRows) -> None:
        self.call = call
        self.trouble: Exception | None = None
        self.ended = False
        self._read = read

    def feed(self, rows: Sequence[object]) -> None:
        """Feeds rows; of rows that cannot be read, those before the first such row."""
        try:
            read = self._read(rows, first_row=self.call.fed)
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            good = next((at for at, row in enumerate(rows) if not self._readable(row)), 0)
            self.call.feed(self._read(cut(rows, 0, good), first_row=self.call.fed))
            self.end(trouble)
        else:
            self.call.feed(read)

    def end(self, trouble: Exception | None = None) -> None:
        """No more rows come, for this reason if there is one."""
        if not self.ended:
            self.ended, self.trouble = True, trouble
            self.call.run.finish()

    def pull(self, source: Iterator[Sequence[object]]) -> bool:
        """Reads a slice and feeds it; whether the source had a whole one at once."""
        try:
            rows = next(source)
        except StopIteration:
            self.end()
            return False
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            self.end(trouble)
            return False
        self.feed(rows)
        return len(rows) == self.call.settings.chunk_size

    def wants(self) -> bool:
        """Whether a slice may be read now."""
        return not self.ended and self.call.has_room()

    def _readable(self, row: object) -> bool:
        try:
            self._read([row], first_row=0)
        except Exception:  # noqa: BLE001 - the question is whether it raises
            return False
        return True


class _Window:
    """What both kinds of stream share."""

    def __init__(self, call: StreamCall, read: ReadRows) -> None:
        self._call = call
        self._intake = _Intake(call, read)
        self._closed = False

    @property
    def receipt(self) -> Receipt:
        """What the stream has taken so far; final once it is over."""
        return self._call.receipt()

    def _refused(self) -> bool:
        """Whether the run met something about settings, and is now only to be brought to its end."""
        if not self._call.refused():
            return False
        self._intake.end()
        return True

    def _finish(self) -> None:
        """At the end: raises or warns where there is reason to, then what the source raised."""
        self._closed = True
        self._call.conclude("record")
        if self._intake.trouble is not None:
            raise self._intake.trouble

    def _break_off(self) -> None:
        if not self._closed:
            self._closed = True
            self._call.break_off()
            _tell_left(self._call)

    def __del__(self) -> None:
        # Left in the middle: waits for nothing here, for this may run anywhere.
        with suppress(Exception):
            self._break_off()


class Stream(_Window, Iterator["Result"]):
    """Results in input order, as they become known. For one consumer; a context manager.

    Reads ahead of the consumer by a bounded window (`Settings.window_rows`). Left early, it
    starts nothing new; what was in flight, and what had been paid for but not yet handed out, is in
    `BulkEnricher.recover`.
    """

    def __init__(self, call: StreamCall, read: ReadRows, source: Iterator[Sequence[object]]) -> None:
        super().__init__(call, read)
        self._source = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Result:
        if self._call.has_row():
            return self._call.hand_out()
        if self._closed:
            raise StopIteration
        try:
            more = self._advance()
        except KeyboardInterrupt:
            self._closed = True
            raise self._call.interrupt() from None
        except BaseException:
            self._break_off()
            raise
        if more:
            return self._call.hand_out()
        self._finish()
        raise StopIteration

    def _advance(self) -> bool:
        """Reads and waits until there is a row, or will be none."""
        call, intake = self._call, self._intake
        while True:
            while intake.wants() and intake.pull(self._source):
                pass
            # While the source is slow, its next row is waited for in `pull`, not here.
            call.step(0.0 if intake.wants() else TICK_S)
            refused = self._refused()
            if call.has_row() and not refused:
                return True
            if call.over():
                return False

    def close(self) -> None:
        """Starts nothing new, waits up to the grace for what is in flight; the rest is in `recover()`."""
        if self._closed:
            return
        self._closed = True
        call = self._call
        try:
            call.stop()
            while not call.over():
                call.step()
        finally:
            call.break_off()
            _tell_left(call)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncStream(_Window, AsyncIterator["Result"]):
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
                while intake.wants() and intake.pull(self._source):
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
            _tell_left(call)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _tell_left(call: StreamCall) -> None:
    left = call.fed - call.handed_out()
    if left > 0:
        logger.warning(
            "the stream was left with %s read and not handed out: what they cost is paid, "
            "and enricher.recover() returns them",
            count(left, "row"),
        )
