"""Tables that can be read only once, batch by batch: how a batch is read, and ours put beside it.

The batches of pyarrow's readers stay pyarrow objects, so that an exception of the source keeps its class. The
core reads the batches of all other objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from exactbuyer._core import ArrowOutput, Batches, Rows

from .arrow import schema_beside, table_beside
from .libraries import arrow_input, as_kind, home_of, library
from .metadata import known_columns
from .table_input import TableSource, read_lookup_columns

if TYPE_CHECKING:
    from exactbuyer.settings import Settings

    from .frame import Cells
    from .request import TableRequest


class TableReader(TableSource):
    """A reader, and what is wanted of it."""

    def __init__(self, data: Any, table_request: TableRequest, settings: Settings) -> None:
        self._settings = settings
        names, metadata = self._open(data)
        super().__init__([*names], table_request, known_columns(metadata).get(table_request.prefix, []))
        self.table_request.check([*names])

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._kind: type[Any] = type(cast("object", data))
        self._source: Any = arrow_input(data)
        return self._source.names(), self._source.metadata()

    def parts(self, rows: int) -> Iterator[Any]:
        """The rows of the reader, in parts of at most so many rows."""
        for batch in self._source:
            for at in range(0, len(batch), rows):
                yield batch.slice(at, rows)

    def read(self, rows: Any, *, first_row: int) -> Rows:
        """Reads the rows of one part."""

        def cells(label: str, **_: bool) -> Cells:
            return rows.column(label), ""

        return read_lookup_columns(cells, self.table_request, self._settings).rows(0, len(rows), first_row)

    def join(self, source: Any, block: Batches) -> list[Any]:
        """A part with its new columns."""
        return [source.beside(block, self.dropped, [])]

    def whole(self, joined: list[Any]) -> Any:
        """Parts as one table."""
        return Batches.concat(joined[0], joined)

    def out(self, parts: Iterator[Any]) -> Any:
        """Parts to come, as a reader of the same kind."""
        none = Batches.concat(self.table, [])
        schema = Batches.concat(self._source, []).beside(none, self.dropped, [])
        return as_kind(self._kind, ArrowOutput(schema, parts))


class PyarrowTableReader(TableReader):
    """A record-batch reader of pyarrow's."""

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._source = data
        return data.schema.names, data.schema.metadata

    def join(self, source: Any, block: Batches) -> list[Any]:
        pa = library("pyarrow")
        table = table_beside(pa.Table.from_batches([source]), block, self.dropped)
        return cast("list[Any]", table.to_batches())

    def whole(self, joined: list[Any]) -> Any:
        pa = library("pyarrow")
        return pa.Table.from_batches(joined)

    def out(self, parts: Iterator[Any]) -> Any:
        pa = library("pyarrow")
        schema = schema_beside(self._source.schema, self.table, self.dropped)
        return pa.RecordBatchReader.from_batches(schema, parts)


def reader_of(data: object, table_request: TableRequest, settings: Settings) -> TableReader:
    """The reader, as what it is."""
    kind = PyarrowTableReader if home_of(data) == "pyarrow" else TableReader
    return kind(data, table_request, settings)
