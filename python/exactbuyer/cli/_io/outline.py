"""The columns of an output, and what all kinds of output have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exactbuyer._core import Batches
from exactbuyer._frames.arrow import schema_beside, table_beside

from .files import require
from .formulas import check_names, defused

if TYPE_CHECKING:
    from exactbuyer._frames.readers import TableReader

    from .sources import Source


class Joiner:
    """Joins rows with their added columns. By default, nothing is written before or after the rows."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._source: Any = outline.source

    def head(self) -> Any:
        """What is written before the first row."""
        return b""

    def join(self, part: Any, block: Batches) -> Any:
        """Rows with their added columns: as bytes, or as what the output's sink takes."""
        raise NotImplementedError

    def tail(self) -> bytes:
        """What is written after the last row."""
        return b""

    def whole_rows(self, begins: bytes) -> int:  # noqa: ARG002
        """How many rows are whole in the first bytes of joined rows."""
        return 0


class Outline:
    """The columns of an output, for all joiners."""

    def __init__(self, source: Source, reader: TableReader, *, defuse: bool) -> None:
        self.source = source
        self.table = reader.table
        self.table_request = reader.table_request
        self.added = self.table.names()
        self.dropped = reader.dropped
        self.notes = reader.notes
        self.defuse = defuse
        if defuse:
            check_names(self.added)
        self.prefix = self.table_request.prefix
        self.as_json = [self.prefix + name for name, _, kind in self.table_request.columns if kind == "json"]

    def joined(self, part: Any, block: Batches) -> Any:
        """A part with its added columns, as Arrow data."""
        theirs = self.source.table(part)
        if isinstance(theirs, Batches):
            return theirs.beside(block, self.dropped, [])
        pyarrow = require("pyarrow", "Parquet")
        # The core reads only metadata that is text. All metadata is written with the output's schema anyway.
        plain = pyarrow.schema([field.remove_metadata() for field in theirs.schema])
        return table_beside(pyarrow.Table.from_arrays(theirs.columns, schema=plain), block, self.dropped)

    def safe(self, block: Batches, delimiter: str) -> Batches:
        """The added columns, as they are written to CSV where formulas are to be kept out."""
        return defused(block, delimiter) if self.defuse else block

    def names(self) -> list[str]:
        """The columns of the output."""
        return [name for name in self.source.names if name not in self.dropped] + self.added


def schema_of(outline: Outline) -> Any:
    """The schema of the output."""
    pyarrow = require("pyarrow", "Parquet")
    theirs = outline.source.schema
    if theirs is None:
        theirs = pyarrow.schema([(name, pyarrow.string()) for name in outline.source.names])
    return schema_beside(theirs, outline.table, outline.dropped, outline.notes)
