"""Calls that take rows as they come, and hand out what is known in order. How a call ends is in `call.py`.

Owns how a source is read: at most as many rows as the window holds, in slices that fill a request.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from exactbuyer.report.log import SHOWN_BY_CLI, log
from exactbuyer.report.results import Result
from exactbuyer.report.wording import count
from exactbuyer.results import Results

from .call import Call
from .slices import CutShort, cut

if TYPE_CHECKING:
    from exactbuyer._core import Rows

ItemT = TypeVar("ItemT")
ReadyT = TypeVar("ReadyT")

_FIRST_CHUNKS = 4
"""How many requests are read ahead at first: as many as are in flight at first."""

_GROWTH = 4
"""Later, the rows that are read ahead are this many times those that the consumer has taken. So a consumer
that leaves after a few rows has not paid for tens of thousands."""


class StreamCall(Call, Generic[ItemT, ReadyT]):
    """A call that hands out items in order, each for one row or more, and keeps them until then.

    `_ready` has what items are made of, in order.
    """

    whole = False
    fed = 0
    ended = False
    """Whether no more rows come."""
    trouble: Exception | None = None
    """What the source raised, or the reader of its rows. It is raised in its place."""

    def __init__(self, *begun: Any) -> None:
        super().__init__(*begun)
        self._ready: deque[ReadyT] = deque()
        self._handed_out = 0

    @property
    def part_rows(self) -> int:
        """The most rows that are read at a time."""
        return min(self.settings.chunk_size, self._options.read_ahead or self.settings.chunk_size)

    def has_room(self) -> bool:
        """Whether a part of the source may be read."""
        kept = self.kept_rows()
        most = self._options.read_ahead
        if most is None:
            most = self.settings.window_rows
            # Room for two parts: of a short source, the end must be read before its last request is sent.
            first = max(_FIRST_CHUNKS * self.settings.chunk_size, 2 * self.part_rows)
            if kept >= max(first, _GROWTH * self.handed_out()):
                return False
        return kept + self.part_rows <= most

    def feed(self, rows: Rows) -> None:
        self.fed += len(rows)
        super().feed(rows)

    def wants(self) -> bool:
        """Whether a part of the source may be read now."""
        return not self.ended and self.has_room()

    def pull(self, source: Iterator[Any]) -> bool:
        """Reads a part of the source and feeds it; whether the source had a whole one at once."""
        try:
            part = next(source)
        except StopIteration:
            self.end()
            return False
        except Exception as trouble:  # noqa: BLE001 - raised in its place
            self.end(trouble)
            return False
        self.feed_part(part)
        if isinstance(part, CutShort):
            raise part.interrupt
        return len(part) == self.part_rows

    def feed_part(self, part: Any) -> None:
        """Feeds the rows of a part of the source."""
        try:
            rows = self.read(part, self.fed)
        except Exception as trouble:  # noqa: BLE001 - raised in its place
            self.feed_before_trouble(part)
            self.end(trouble)
        except BaseException:
            # Ctrl-C, or the exception of a signal handler. The source has given these rows away: they are fed
            # all the same, and `recover()` returns them.
            self.feed_part(part)
            raise
        else:
            self.keep_part(part)
            self.feed(rows)

    def end(self, trouble: Exception | None = None) -> None:
        """No more rows come, for this reason if there is one."""
        if not self.ended:
            self.ended, self.trouble = True, trouble
            self.run.finish()

    def read(self, part: Any, first_row: int) -> Rows:
        """Reads the rows of a part of the source; `first_row` is the number of the first."""
        raise NotImplementedError

    def feed_before_trouble(self, part: Any) -> None:
        """Feeds the rows of a part before the first that cannot be read."""

    def keep_part(self, part: Any) -> None:
        """Keeps a part of the source, whose rows are fed next."""

    def has_item(self) -> bool:
        """Whether :meth:`hand_out` has one."""
        return bool(self._ready)

    def hand_out(self) -> ItemT:
        """The next item. Only after :meth:`has_item`."""
        raise NotImplementedError

    def handed_out(self) -> int:
        """How many rows the consumer has."""
        return self._handed_out

    def waiting(self) -> int:
        """How many rows wait here to be handed out."""
        raise NotImplementedError

    def kept_rows(self) -> int:
        return self.fed - self.handed_out()

    def log_unread_rows(self) -> None:
        """Logs that rows were left behind, if there are any."""
        if self.is_given_up or self.is_amid_history():
            return
        if (left := self.kept_rows()) > 0:
            log(
                logging.WARNING,
                "the stream was left with %s read and not handed out: "
                "enricher.recover() returns them, and what was paid for among them",
                count(left, "row"),
                extra=SHOWN_BY_CLI,
            )

    def _where_results_are(self) -> str:
        return f"The rows that were not handed out yet are in {self._places()}."


class RowStreamCall(StreamCall[Result, Result]):
    """A call that hands out the result of each row."""

    def read(self, part: Any, first_row: int) -> Rows:
        return self._session.read(part, self._options, first_row)

    def feed_before_trouble(self, part: Any) -> None:
        good = next((at for at, row in enumerate(part) if not self._readable(row)), 0)
        self.feed(self.read(cut(part, 0, good), self.fed))

    def _readable(self, row: object) -> bool:
        try:
            self.read([row], 0)
        except Exception:  # noqa: BLE001 - the question is whether it raises
            return False
        return True

    def collect(self) -> None:
        # Results are taken and kept in a single C call. A Ctrl-C between the two would lose a list that was
        # taken and not yet kept.
        taken = cast("Iterator[list[Result]]", map(self.run.take, (self.settings.chunk_size,)))
        self._ready.extend(chain.from_iterable(taken))

    def hand_out(self) -> Result:
        row, handed_out = self._ready[0], self._handed_out + 1
        # No function is called between these statements: as above, a Ctrl-C could come in between.
        self._handed_out = handed_out
        del self._ready[0]
        return row

    def waiting(self) -> int:
        return len(self._ready)

    def rest(self) -> Results:
        return Results(self._ready, first_row=self._handed_out)

    def release_remaining(self) -> None:
        first_row = self._handed_out
        self._ready, self._handed_out = deque(), first_row
