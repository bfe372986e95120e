"""A stream of tables: blocks of a table that is read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from .streams import Intake, Stream

if TYPE_CHECKING:
    from exactbuyer._frames.readers import TableReader

    from .table_calls import TableStreamCall


class TableIntake(Intake):
    """Between a reader and a run: as for rows, but what is read is a block of a table."""

    def feed(self, rows: Any) -> None:
        try:
            read = self._read(rows, first_row=self.call.fed)
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            self.end(trouble)
        else:
            cast("Any", self.call).feed(read, rows)


class TableStream(Stream):
    """Blocks of a table in the order of its rows, as they become known."""

    def __init__(self, call: TableStreamCall, reader: TableReader) -> None:
        source = reader.parts(call.part_rows)
        super().__init__(cast("Any", call), reader.read, source)
        self._intake = TableIntake(cast("Any", call), reader.read)

    def parts(self) -> Iterator[Any]:
        """The batches of each block: a block of very large contacts has several."""
        for block in self:
            yield from cast("Any", block)
