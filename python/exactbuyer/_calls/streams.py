"""Results in order for rows that arrive one after the other: a bounded window between two iterators.

Owns how a source is read: at most as many rows as the window holds, in slices that fill a request. Finished
rows never wait for a slow source.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol

from exactbuyer._traceback import short_traceback
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.results import Result
from exactbuyer.report.wording import count

from .call import SHOWN_BY_CLI, TICK_S
from .slices import cut
from .stream_call import ItemT, StreamCall

if TYPE_CHECKING:
    from typing_extensions import Self

    from exactbuyer._core import Rows
    from exactbuyer.report.receipt import Receipt

logger = logging.getLogger("exactbuyer")


class ReadRows(Protocol):
    """Reads the rows of a part of the source; `first_row` is the number of the first."""

    def __call__(self, part: Any, /, *, first_row: int) -> Rows:
        """Reads them."""
        ...


class Intake:
    """Between a source and a run: parts in, and the first trouble kept until its place comes."""

    def __init__(self, call: StreamCall[Any], read: ReadRows) -> None:
        self.call = call
        self.trouble: Exception | None = None
        self.ended = False
        self._read = read

    def feed(self, part: Any) -> None:
        """Feeds the rows of a part of the source."""
        try:
            rows = self._read(part, first_row=self.call.fed)
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            self._feed_before_trouble(part)
            self.end(trouble)
        else:
            self.call.keep_part(part)
            self.call.feed(rows)

    def _feed_before_trouble(self, part: Any) -> None:
        """Feeds the rows of a part before the first that cannot be read."""
        good = next((at for at, row in enumerate(part) if not self._readable(row)), 0)
        self.call.feed(self._read(cut(part, 0, good), first_row=self.call.fed))

    def end(self, trouble: Exception | None = None) -> None:
        """No more rows come, for this reason if there is one."""
        if not self.ended:
            self.ended, self.trouble = True, trouble
            self.call.run.finish()

    def pull(self, source: Iterator[Any]) -> bool:
        """Reads a part and feeds it; whether the source had a whole one at once."""
        try:
            part = next(source)
        except StopIteration:
            self.end()
            return False
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            self.end(trouble)
            return False
        self.feed(part)
        return len(part) == self.call.part_rows

    def wants(self) -> bool:
        """Whether a part may be read now."""
        return not self.ended and self.call.has_room()

    def _readable(self, row: object) -> bool:
        try:
            self._read([row], first_row=0)
        except Exception:  # noqa: BLE001 - the question is whether it raises
            return False
        return True


class StreamBase(Generic[ItemT]):
    """What all streams share."""

    def __init__(self, call: StreamCall[ItemT], intake: Intake) -> None:
        self._call = call
        self._intake = intake
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
        self._intake.end()
        return True

    def _finish(self) -> None:
        """At the end: raises or warns where there is reason to, then what the source raised."""
        self._closed = True
        call, intake = self._call, self._intake
        is_incomplete = not intake.ended or call.fed > call.handed_out() + call.waiting()
        if is_incomplete and not call.is_broken():
            results = call.settle()
            raise ExactBuyerError(
                f"the enricher was closed while this stream ran: it ends after "
                f"{count(call.handed_out(), 'row')}, before its source did",
                results=results,
                receipt=call.receipt(),
            )
        call.conclude("record")
        if intake.trouble is not None:
            with short_traceback:
                raise intake.trouble

    def _detach(self) -> None:
        if not self._closed:
            self._call.detach()
            self._closed = True
            log_unread_rows(self._call)

    def __del__(self) -> None:
        # Left in the middle: waits for nothing here, for this may run anywhere.
        with suppress(Exception):
            self._detach()


class BlockingStream(StreamBase[ItemT], Iterator[ItemT]):
    """An iterator over the items of a stream, in order. `source` yields the parts that are read."""

    def __init__(self, call: StreamCall[ItemT], intake: Intake, source: Iterator[Any]) -> None:
        super().__init__(call, intake)
        self._source = source

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ItemT:
        try:
            # Handing out joins a block of a table with its columns, which takes a while.
            if self._call.has_item() or self._advance():
                return self._call.hand_out()
            if not self._closed:
                self._finish()
        except KeyboardInterrupt:
            self._closed = True
            raise self._call.interrupt() from None
        except BaseException:
            self._detach()
            raise
        raise StopIteration

    def _advance(self) -> bool:
        """Reads and waits until there is an item, or will be none."""
        call, intake = self._call, self._intake
        while not self._closed:
            while intake.wants() and intake.pull(self._source):
                pass
            # While the source is slow, its next part is waited for in `pull`, not here.
            call.step(0.0 if intake.wants() else TICK_S)
            refused = self._refused()
            if call.has_item() and not refused:
                return True
            if call.over():
                break
        return False

    def close(self) -> None:
        """Sends nothing new, and waits up to `grace` for requests in flight. `recover()` returns the rest."""
        if self._closed:
            return
        call = self._call
        call.keep_for_recovery()
        self._closed = True
        try:
            call.stop()
            call.until_over()
        finally:
            call.detach()
            log_unread_rows(call)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Stream(BlockingStream[Result]):
    """The results in input order, as soon as they are known. For one consumer; also a context manager.

    A stream reads ahead of the consumer by a bounded number of rows (`read_ahead`). If it is left
    early, it sends no new request. `BulkEnricher.recover` returns the results of its requests in flight, and
    those that were paid for but not yet yielded.
    """

    __module__ = "exactbuyer"


def log_unread_rows(call: StreamCall[Any]) -> None:
    """Logs that rows were left behind, if there are any."""
    left = call.fed - call.handed_out()
    if left > 0:
        logger.warning(
            "the stream was left with %s read and not handed out: "
            "enricher.recover() returns them, and what was paid for among them",
            count(left, "row"),
            extra=SHOWN_BY_CLI,
        )
