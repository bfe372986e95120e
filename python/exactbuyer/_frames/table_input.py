"""A table that is enriched as a whole: its columns checked, its rows read, the columns added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exactbuyer._core import Batches
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.receipt import receipt_as_dict

from .detect import frame_of, is_reader
from .lookup_columns import read_lookup_columns
from .metadata import COLUMNS_KEY, RECEIPT_KEY, Notes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer._core import Rows, Table
    from exactbuyer.report.receipt import Receipt
    from exactbuyer.settings import Settings

    from .frame import Frame
    from .request import TableRequest


BLOCK_ROWS = 8_192
"""Rows of one record batch: enough for Arrow, and few enough that they are soon complete."""


class TableInput:
    """A table, and what is wanted of it.

    Raises:
        ConfigError: A column is missing, or in the way.
        TypeError: It is no table.
    """

    def __init__(self, data: object, table_request: TableRequest, settings: Settings) -> None:
        if is_reader(data):
            raise ConfigError(
                "data can be read only once, batch by batch: here it has to be a table, such as "
                "reader.read_all() gives"
            )
        self.frame: Frame = frame_of(data)
        table_request = table_request.met(self.frame.names())
        self.table: Table = table_request.table()
        self.table_request = table_request
        self._names = self.table.names()
        self._known = dict(self.frame.added_before())
        before = self._known.get(table_request.prefix, [])
        self.dropped = table_request.replaced(self.frame.names(), self._names, before, self.frame.label)
        table_request.check(self.frame.names(), self.frame.index_names())
        cells = {label: self.frame.cells(label) for label, _ in table_request.by}
        region = (
            None if table_request.region is None else self.frame.cells(table_request.region, is_region=True)
        )
        self._by = read_lookup_columns(cells, region, table_request, settings)
        self.rows = len(self._by)

    def parts(self) -> Iterator[Rows]:
        """The rows, read block by block."""
        for at in range(0, self.rows, BLOCK_ROWS):
            yield self._by.rows(at, at + BLOCK_ROWS, at)

    def all_rows(self) -> Rows:
        """The rows, read at once."""
        return self._by.rows(0, self.rows, 0)

    def done(self, blocks: list[Batches], receipt: Receipt) -> Any:
        """The table with its new columns, of the same kind as it was."""
        added = Batches.concat(self.table, blocks)
        notes = Notes({RECEIPT_KEY: receipt_as_dict(receipt)})
        notes[COLUMNS_KEY] = {**self._known, self.table_request.prefix: self._names}
        return self.frame.beside(added, self.dropped, notes)


def cell_reason(reason: str) -> str:
    """Why a row cannot be looked up, where it is a cell and not a list that holds it."""
    return reason.replace(
        "give them as a list, in order of preference, or in a table say split",
        "say what stands between them, as in split=';'",
    )
