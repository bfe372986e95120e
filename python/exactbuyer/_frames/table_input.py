"""A table that is enriched: its columns are checked and read into the core, and columns are added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from exactbuyer._core import Batches, ByColumns, Rows, Table
from exactbuyer.exceptions import ConfigError

from .detect import frame_of, is_reader
from .labels import looks_personal
from .libraries import aligned
from .metadata import COLUMNS_KEY, RECEIPT_KEY, Notes

if TYPE_CHECKING:
    from exactbuyer.report.receipt import Receipt
    from exactbuyer.settings import Settings

    from .frame import Cells, Frame
    from .request import TableRequest


BLOCK_ROWS = 8_192
"""Rows of one record batch: enough for Arrow, and few enough that they are soon complete."""


def block_rows(window_rows: int) -> int:
    """Most rows of one block of a call that is read while it is sent: several have to fit into its window."""
    return max(1, min(BLOCK_ROWS, window_rows // 4))


class TextRules(NamedTuple):
    """The settings that decide how the texts of cells are read."""

    default_region: str | None
    na_values: tuple[str, ...]


class TableInput:
    """A table, and what is wanted of it."""

    def __init__(self, data: object, table_request: TableRequest, settings: Settings) -> None:
        if is_reader(data):
            raise ConfigError(
                "data can be read only once, batch by batch: here it has to be a table, such as "
                "reader.read_all() gives"
            )
        self.frame: Frame = frame_of(data)
        table_request = table_request.resolved_in(self.frame.names())
        self.table: Table = table_request.table(large_text=self.frame.keeps_large_text())
        self.table_request = table_request
        self._names = self.table.names()
        self._known = dict(self.frame.added_before())
        before = self._known.get(table_request.prefix, [])
        self.dropped = table_request.replaced(self.frame.names(), self._names, before, self.frame.label)
        if self.frame.has_names():
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
        notes = Notes({RECEIPT_KEY: receipt.to_dict()})
        notes[COLUMNS_KEY] = {**self._known, self.table_request.prefix: self._names}
        return self.frame.beside(added, self.dropped, notes)


def read_lookup_columns(
    cells: Mapping[Any, Cells],
    region: Cells | None,
    table_request: TableRequest,
    settings: Settings | TextRules,
) -> ByColumns:
    """The columns to look up."""
    given = [
        (_shown_to_core(label), kind, aligned(cells[label][0]), cells[label][1], list(marks))
        for (label, kind), marks in zip(table_request.by, table_request.marks, strict=True)
    ]
    regions = None
    if region is not None:
        regions = _shown_to_core(table_request.region), aligned(region[0]), region[1]
    try:
        return ByColumns(
            given, region=regions, default_region=settings.default_region, na_values=settings.na_values
        )
    except (ConfigError, MemoryError):
        raise
    except Exception as trouble:
        # An exception of Arrow's C interface does not say which column caused it.
        columns = [(name, column) for name, _, column, *_ in given] + ([regions[:2]] if regions else [])
        at = next((column for column in columns if not _can_be_read(*column)), None)
        if at is None:
            raise
        name, column = at
        kind = getattr(column, "dtype", None) or getattr(column, "type", None) or type(column).__name__
        raise ConfigError(
            f"column {name!r} is of type {kind}, which cannot be read by Arrow's C interface: make it text "
            f"first"
        ) from trouble


def _shown_to_core(label: Any) -> str:
    # The core needs the name for what it raises, and for nothing else.
    return "with a person's name" if looks_personal(label) else str(label)


def _can_be_read(name: str, cells: object) -> bool:
    try:
        ByColumns([(name, None, cells, "", [])])
    except Exception:  # noqa: BLE001 - the question is whether it raises
        return False
    return True
