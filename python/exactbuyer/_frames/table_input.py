"""A table that is enriched: its columns are checked and read into the core, and columns are added."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from exactbuyer._core import Batches, ByColumns, Rows, Table
from exactbuyer.exceptions import ConfigError
from exactbuyer.report._warnings import warn_of_column
from exactbuyer.report.message import Message, Term

from .detect import frame_of, is_reader
from .joining import ALL_COLUMNS, NEW_COLUMNS, blank, in_arrow, joined_or, rehearse
from .labels import label_for_message, looks_personal
from .libraries import exportable
from .metadata import COLUMNS_KEY, RECEIPT_KEY, Notes

if TYPE_CHECKING:
    from exactbuyer.field_types import FieldType
    from exactbuyer.report.receipt import Receipt
    from exactbuyer.settings import Settings

    from .frame import Cells
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


class TableSource:
    """A table of some kind, and what is wanted of it.

    Attributes:
        table_request: What is wanted, with the names that the table's columns have.
        table: The columns that the table gets, under construction.
        dropped: The labels of the columns of an earlier call, which these replace.
        rows: The number of rows; 0 if the table comes batch by batch.
        unjoined: Why the result is not the joined table, and what it is, if its library could not join it.
    """

    rows = 0

    def __init__(
        self,
        names: list[Hashable],
        table_request: TableRequest,
        added_before: Iterable[str] = (),
        label: Callable[[str], Hashable] = str,
        *,
        large_text: bool = False,
    ) -> None:
        self.table_request = table_request.resolved_in(names)
        self.table: Table = self.table_request.table(large_text=large_text)
        self.dropped = self.table_request.replaced(names, self.table.names(), added_before, label)
        added = set(map(label, self.table.names()))
        self._removed = [name for name in self.dropped if name not in added]
        self.unjoined: str | None = None

    def warn_of_removed(self) -> None:
        """Warns if columns of an earlier call would be lost. Before anything is sent."""
        if self._removed:
            names = ", ".join(map(label_for_message, self._removed))
            warn_of_column(
                Message(
                    "columns of an earlier call are removed, and this call does not add them again: ",
                    f"{names}. To keep them, pass another ",
                    Term("prefix"),
                    ", such as 'eb2_'",
                )
            )


class TableInput(TableSource):
    """A table that is there as a whole. `blocks` are its new columns, as far as they are known."""

    def __init__(self, data: object, table_request: TableRequest, settings: Settings) -> None:
        if is_reader(data):
            raise ConfigError(
                "data can be read only once, batch by batch: here it has to be a table, such as "
                "reader.read_all() gives"
            )
        self._frame = frame = frame_of(data)
        self._known = dict(frame.added_before())
        before = self._known.get(table_request.prefix, [])
        large_text = frame.keeps_large_text()
        super().__init__(frame.names(), table_request, before, frame.label, large_text=large_text)
        if frame.has_names():
            self.table_request.check(frame.names(), frame.index_names())
        self._by = read_lookup_columns(frame.cells, self.table_request, settings)
        self.rows = len(self._by)
        self.blocks: list[Batches] = []
        rehearse(self._rehearsed, self.table_request, self.rows, type(data))

    def _rehearsed(self, request: TableRequest, rows: int) -> object:
        added = blank(request, rows, large_text=self._frame.keeps_large_text())
        some = copy(self._frame)
        some.cut(rows)
        return some.beside(added, self.dropped, self._notes({}))

    def parts(self) -> Iterator[Rows]:
        """The rows, read block by block."""
        for at in range(0, self.rows, BLOCK_ROWS):
            yield self._by.rows(at, at + BLOCK_ROWS, at)

    def all_rows(self) -> Rows:
        """The rows, read at once."""
        return self._by.rows(0, self.rows, 0)

    def done(self, receipt: Receipt) -> Any:
        """The table with its new columns, of the same kind as it was, or Arrow data: see `unjoined`."""
        added = Batches.concat(self.table, self.blocks)
        notes = self._notes(receipt.to_dict())

        def all_columns() -> Any:
            own = self._frame.batches()
            if own is None:
                return None
            return in_arrow(own.beside(added, self.dropped, notes.changes()))

        instead = [(ALL_COLUMNS, all_columns), (NEW_COLUMNS, lambda: in_arrow(added))]
        table, self.unjoined = joined_or(lambda: self._frame.beside(added, self.dropped, notes), instead)
        return table

    def _notes(self, receipt: dict[str, Any]) -> Notes:
        columns = {**self._known, self.table_request.prefix: self.table.names()}
        return Notes({RECEIPT_KEY: receipt, COLUMNS_KEY: columns})


def read_lookup_columns(
    cells_of: Callable[..., Cells], table_request: TableRequest, settings: Settings | TextRules
) -> ByColumns:
    """The columns to look up; `cells_of` reads a column, as `Frame.cells` does."""
    given: list[tuple[str, FieldType | None, object, str, list[str]]] = []
    for (label, kind), marks in zip(table_request.by, table_request.marks, strict=True):
        cells, name = cells_of(label)
        given.append((_shown_to_core(label), kind, exportable(cells), name, list(marks)))
    regions = None
    if table_request.region is not None:
        cells, name = cells_of(table_request.region, is_region=True)
        regions = _shown_to_core(table_request.region), exportable(cells), name
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
        dtype = getattr(column, "dtype", None) or getattr(column, "type", None) or type(column).__name__
        raise ConfigError(
            f"column {name!r} is of type {dtype}, which cannot be read by Arrow's C interface: make it text "
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
