"""Calls for frames of a cluster: the distinct rows are looked up, and their answers are saved as they come.

Owns how many rows wait between the run and the place of the answers. What a frame needs is in
`_frames/cluster`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from exactbuyer._frames.table_input import BLOCK_ROWS
from exactbuyer.results import Results

from .table_calls import TableCall, TableCallBase, taken

if TYPE_CHECKING:
    from exactbuyer._core import Rows
    from exactbuyer._frames.cluster.planner import ClusterInput
    from exactbuyer._frames.table_input import TableInput
    from exactbuyer.report.receipt import Receipt


class ClusterCall(TableCall):
    """A call that knows all distinct rows before it sends anything: it recognises duplicates without a store.

    It keeps all of them in memory, about 100 bytes each.
    """

    def begin(self, table_input: TableInput | ClusterInput) -> None:
        super().begin(table_input)
        self._input = cast("ClusterInput", table_input)
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
        TableCallBase.collect(self)
        self._input.answers.blocks.extend(taken(self.table))
        self._input.answers.save()

    def rest(self) -> Results:
        answers = self._input.answers
        self.table.finish(len(self._input.spool))
        answers.blocks.extend(taken(self.table))
        answers.save(last=True)
        return Results(table=self._input.done())

    def _current_receipt(self) -> Receipt:
        return replace(super()._current_receipt(), answers=self._input.answers.folder)


class StoredClusterCall(ClusterCall):
    """The same with a store, which recognises what was sent before: only some rows are in memory."""

    whole = False
    window = BLOCK_ROWS
    """Rows are distinct: a lookup comes again only as an alternative in a row with several columns."""

    def _has_room(self, more: int) -> bool:
        undelivered = self._fed - self._input.answers.received
        return not undelivered or undelivered + more <= self.settings.window_rows


def call_of_frame(*, has_store: bool) -> type[ClusterCall]:
    """The kind of call for frames of a cluster."""
    return StoredClusterCall if has_store else ClusterCall
