"""A stream of tables: blocks of a table that is read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .streams import BlockingStream, Intake

if TYPE_CHECKING:
    from exactbuyer._frames.readers import TableReader

    from .table_calls import TableStreamCall


class _BlockIntake(Intake):
    """Between a reader and a run."""

    def _feed_before_trouble(self, part: Any) -> None:
        """Feeds nothing: a block is read as a whole, or not at all."""


class TableStream(BlockingStream[list[Any]]):
    """Blocks of a table in the order of its rows, as they become known: each as a list of batches."""

    def __init__(self, call: TableStreamCall, reader: TableReader) -> None:
        super().__init__(call, _BlockIntake(call, reader.read), reader.parts(call.part_rows))

    def batches(self) -> Iterator[Any]:
        """The batches of all blocks. Once it is left, nothing is sent, even if others refer to the stream."""
        try:
            for block in self:
                yield from block
        finally:
            self._detach()
