"""The parts of a call that only the command line needs. Shared with `exactbuyer.cli`, and with nothing else.

A run from file to file is a stream of tables. A signal may interrupt it only while it waits, so that no row
gets lost between input and output; and what a stopped run has paid for is written, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from ._calls.options import CallOptions
from ._calls.streams import TableStream
from ._calls.table_calls import TableStreamCall
from ._frames.table_input import block_rows
from .report.progress import ProgressOption, Watch

if TYPE_CHECKING:
    from ._frames.readers import TableReader
    from .enricher import BulkEnricher


class _FileCall(TableStreamCall):
    while_waiting: Callable[[], AbstractContextManager[None]]

    @property
    def part_rows(self) -> int:
        # Whole blocks from the beginning: a file is read to its end.
        return block_rows(self.settings.window_rows)

    def _wait(self, timeout_s: float) -> None:
        with self.while_waiting():
            super()._wait(timeout_s)

    def stop_for_reader(self) -> None:
        if not self.over():
            self.stop()
        self._watch.say(
            f"exactbuyer: stopping. Waiting up to {self.settings.grace:g} s for the program that reads the "
            f"output. Ctrl-C again leaves at once."
        )


class FileStream(TableStream):
    """Looks up the rows of a file, and yields blocks of them with their new columns.

    `while_waiting` is entered whenever it waits for a reply.
    """

    def __init__(
        self,
        enricher: BulkEnricher,
        reader: TableReader,
        *,
        refresh: bool,
        store_only: bool,
        max_credits: int | None,
        progress: ProgressOption,
        rows: int | None,
        while_waiting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        options = CallOptions.checked(None, None, max_credits, refresh=refresh, store_only=store_only)
        self._session = enricher._session  # noqa: SLF001 - shared, see above
        call = self._session.begin(_FileCall, "enrich", options, Watch(progress, rows))
        call.while_waiting = while_waiting
        call.work_on(reader)
        super().__init__(call, reader.parts(lambda: call.part_rows))

    @property
    def is_over(self) -> bool:
        """Whether the outcome of every row has been taken."""
        return self._call.over()

    @property
    def is_stored(self) -> bool:
        """Whether a store has all its answers."""
        return self._call.is_stored()

    @property
    def unstored(self) -> int:
        """How many lookups have an answer that the store does not have."""
        return self._call.unstored()

    def troubles(self) -> list[tuple[str, str]]:
        """The errors that the run met, the worst first: class and message."""
        return [(kind, message) for kind, message, *_ in self._call.run.troubles()]

    def wait_until_over(self) -> None:
        """Waits for the requests in flight of a stream that was stopped."""
        self._call.until_over()

    def stop_for_reader(self) -> None:
        """Sends nothing new, and says that its output has to be read now. Waits for nothing."""
        cast("_FileCall", self._call).stop_for_reader()

    def leave(self) -> None:
        """Stops, waits for nothing, and leaves the rows to `recover()`."""
        self._detach()

    def close_enricher_at_once(self) -> None:
        """Closes the enricher without waiting for its requests in flight."""
        self._session.close(0.0)
