"""Calls for frames of a cluster: the distinct rows are looked up, and their answers are saved as they come.

Owns how many rows wait between the run and the place of the answers. What a frame needs is in
`_frames/cluster`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exactbuyer._frames.cluster.planner import ClusterInput
from exactbuyer._frames.table_input import BLOCK_ROWS
from exactbuyer.results import Results

from .table_calls import WholeTableCall, taken

if TYPE_CHECKING:
    from exactbuyer._core import Rows, Run
    from exactbuyer.report.progress import Watch
    from exactbuyer.report.receipt import Receipt

    from .options import CallOptions
    from .session import Session


class ClusterCall(WholeTableCall[ClusterInput]):
    """A call that knows all distinct rows before it sends anything: it recognises duplicates without a store.

    It keeps all of them in memory, about 100 bytes each.
    """

    def __init__(self, run: Run, name: str, session: Session, options: CallOptions, watch: Watch) -> None:
        super().__init__(run, name, session, options, watch)
        self._fed = 0

    def feed(self, rows: Rows) -> None:
        while not self._has_room(len(rows)) and not self.over():
            self.step()
        # An error about settings would also refuse all other rows.
        if not self.refused():
            self._fed += len(rows)
            super().feed(rows)

    def _has_room(self, more: int) -> bool:  # noqa: ARG002
        return True

    def collect(self) -> None:
        super().collect()
        self.source.answers.blocks.extend(taken(self.source.table))
        self.source.answers.save()

    def rest(self) -> Results:
        answers = self.source.answers
        self._finish(len(self.source.spool))
        answers.blocks.extend(taken(self.source.table))
        answers.save(last=True)
        return Results(table=self.source.done())

    def _current_receipt(self) -> Receipt:
        return replace(super()._current_receipt(), answers=self.source.answers.folder)


class StoredClusterCall(ClusterCall):
    """The same with a store, which recognises what was sent before: only some rows are in memory."""

    whole = False
    window = BLOCK_ROWS
    """Rows are distinct: a lookup comes again only as an alternative in a row with several columns."""

    def _has_room(self, more: int) -> bool:
        undelivered = self._fed - self.source.answers.received
        return not undelivered or undelivered + more <= self.settings.window_rows


def call_of_frame(*, has_store: bool) -> type[ClusterCall]:
    """The kind of call for frames of a cluster."""
    return StoredClusterCall if has_store else ClusterCall
