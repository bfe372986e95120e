"""A call whose rows are read and handed out one after the other. How a call ends is in `call.py`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from exactbuyer.results import Results

from .call import Call

if TYPE_CHECKING:
    from exactbuyer._core import Rows, Run
    from exactbuyer.report.progress import Watch
    from exactbuyer.report.results import Result

    from .session import Session

logger = logging.getLogger("exactbuyer")


class StreamCall(Call):
    """A call whose rows are read and handed out in order. Keeps the results until they are handed out."""

    whole = False

    def __init__(self, run: Run, name: str, session: Session, watch: Watch) -> None:
        super().__init__(run, name, session, watch)
        logger.info("%s: begun", name)
        self.fed = 0
        self.part_rows = self.settings.chunk_size
        """The most rows that are read at a time."""
        self._read_ahead = self.settings.window_rows
        self._taken: list[list[Result]] = []
        self._current: list[Result] = []
        self._at = 0
        self._handed_out = 0

    def limit_read_ahead(self, read_ahead: int | None) -> None:
        """Sets how many rows may be read before the consumer has taken the rows before them."""
        if read_ahead is not None:
            self._read_ahead = read_ahead
            self.part_rows = min(self.part_rows, read_ahead)

    def has_room(self) -> bool:
        """Whether a slice may be read."""
        return self.kept_rows() + self.part_rows <= self._read_ahead

    def feed(self, rows: Rows) -> None:
        """Gives the run more rows."""
        self.fed += len(rows)
        self._feed(rows)

    def collect(self) -> None:
        # Results are taken and kept in a single C call. A Ctrl-C between the two would lose a list that was
        # taken and not yet kept.
        taken = map(self.run.take, (self.settings.chunk_size,))
        self._taken.extend(cast("Iterable[list[Result]]", taken))

    def has_row(self) -> bool:
        """Whether :meth:`hand_out` has one."""
        while self._at >= len(self._current):
            if not self._taken:
                return False
            # No function is called between these assignments: as above, a Ctrl-C could come in between.
            taken, handed_out = self._taken, self._handed_out + len(self._current)
            self._current, self._at, self._handed_out = taken[0], 0, handed_out
            del taken[0]
        return True

    def hand_out(self) -> Result:
        """The next row. Only after :meth:`has_row`."""
        row = self._current[self._at]
        self._at += 1
        return row

    def handed_out(self) -> int:
        """How many rows the consumer has."""
        return self._handed_out + self._at

    def kept_rows(self) -> int:
        return self.fed - self.handed_out()

    def waiting(self) -> int:
        """How many rows wait here to be handed out."""
        return len(self._current) - self._at + sum(map(len, self._taken))

    def rest(self) -> Results:
        rows = self._current[self._at :]
        first_row = self.handed_out()
        for taken in self._taken:
            rows.extend(taken)
        return Results(rows, first_row=first_row)

    def release_remaining(self) -> None:
        first_row = self.handed_out()
        self._current, self._taken, self._handed_out, self._at = [], [], first_row, 0

    def _where_results_are(self) -> str:
        return f"The rows that were not handed out yet are in {self._places()}."
