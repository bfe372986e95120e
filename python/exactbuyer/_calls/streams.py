"""Results in order for rows that arrive one after the other: a bounded window between two iterators.

Owns how a stream waits, ends and is left. Finished rows never wait for a slow source. How a source is read is
in `stream_call.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic

from exactbuyer._traceback import short_traceback
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.results import Result
from exactbuyer.report.wording import count

from .call import TICK_S
from .stream_call import ItemT, StreamCall

if TYPE_CHECKING:
    from typing_extensions import Self

    from exactbuyer.report.receipt import Receipt


ALREADY_RUNNING = (
    "this stream is already executing: its own source, its progress function, or another thread or task has "
    "asked for a row while it was waiting for one"
)


class StreamBase(Generic[ItemT]):
    """What all streams share."""

    _is_running = False
    """Whether it is reading its source or waiting: then nobody else may ask for an item."""

    def __init__(self, call: StreamCall[ItemT, Any], source: Iterator[Any] | AsyncIterator[object]) -> None:
        self._call = call
        self._source = source
        self._closed = False
        call.register()

    @property
    def receipt(self) -> Receipt:
        """The receipt of the stream so far. It is final when the stream is over."""
        return self._call.receipt()

    def _refused(self) -> bool:
        """Whether the run met something about settings, and is now only to be brought to its end."""
        if not self._call.refused():
            return False
        self._call.end()
        return True

    def _finish(self) -> None:
        """At the end: raises or warns where there is reason to, then what the source raised."""
        self._closed = True
        call = self._call
        is_incomplete = not call.ended or call.fed > call.handed_out() + call.waiting()
        if is_incomplete and not call.is_broken():
            results = call.settle()
            raise ExactBuyerError(
                f"the enricher was closed while this stream ran: it ends after "
                f"{count(call.handed_out(), 'row')}, before its source did",
                results=results,
                receipt=call.receipt(),
            )
        call.conclude("record")
        if call.trouble is not None:
            with short_traceback:
                raise call.trouble

    def _detach(self) -> None:
        if not self._closed:
            self._call.detach()
            self._closed = True
            self._call.log_unread_rows()

    def _let_go(self) -> None:
        """Drops the source, so that a generator that nobody else refers to is closed now."""
        source, self._source = self._source, iter(())
        # This one is ours, and refers to the caller's. It is running if the source itself closes the stream.
        if isinstance(source, Generator):
            with suppress(ValueError):
                source.close()

    def __del__(self) -> None:
        # Left in the middle: waits for nothing here, for this may run anywhere.
        with suppress(Exception):
            self._detach()


class BlockingStream(StreamBase[ItemT], Iterator[ItemT]):
    """An iterator over the items of a stream, in order. `source` yields the parts that are read."""

    _source: Iterator[Any]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ItemT:
        if self._is_running:
            raise RuntimeError(ALREADY_RUNNING)
        try:
            # Handing out joins a block of a table with its columns, which takes a while.
            if self._call.has_item() or self._advance():
                return self._call.hand_out()
            if not self._closed:
                self._finish()
        except KeyboardInterrupt:
            try:
                interrupted = self._call.interrupt()
            except KeyboardInterrupt:
                # The next Ctrl-C came before `interrupt` had begun: both count as one.
                interrupted = self._call.interrupt()
            self._closed = True
            raise interrupted from None
        except BaseException:
            self._detach()
            raise
        raise StopIteration

    def _advance(self) -> bool:
        """Reads and waits until there is an item, or will be none."""
        call = self._call
        try:
            self._is_running = True
            while not self._closed:
                while call.wants() and call.pull(self._source):
                    pass
                # While the source is slow, its next part is waited for in `pull`, not here.
                call.step(0.0 if call.wants() else TICK_S)
                refused = self._refused()
                if call.has_item() and not refused:
                    return True
                if call.over():
                    break
            return False
        finally:
            self._is_running = False

    def close(self) -> None:
        """Sends nothing new, and waits up to `grace` for requests in flight. `recover()` returns the rest."""
        if not self._closed:
            call = self._call
            call.keep_for_recovery()
            self._closed = True
            try:
                call.stop()
                call.until_over()
            finally:
                call.detach()
                call.log_unread_rows()
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Stream(BlockingStream[Result]):
    """The results in input order, as soon as they are known. For one consumer; also a context manager.

    A stream reads ahead of the consumer by a bounded number of rows (`read_ahead`). If it is left
    early, it sends no new request. `BulkEnricher.recover` returns the results of its requests in flight, and
    those that were paid for but not yet yielded.

    `close()`, or the end of a `with` block, lets go of the source. So a generator that nobody else refers to
    is closed. One that you refer to stays open, and you can continue with it: the rows before its next row
    were yielded, or `recover()` returns them, also after Ctrl-C in the source.
    """

    __module__ = "exactbuyer"


class TableStream(BlockingStream[list[Any]]):
    """Blocks of a table in the order of its rows, as they become known: each as a list of batches."""

    def batches(self) -> Iterator[Any]:
        """The batches of all blocks. Once it is left, nothing is sent, even if others refer to the stream."""
        try:
            for block in self:
                yield from block
        finally:
            self._detach()
