"""Tables that can be read only once, batch by batch: how a batch is read, and ours put beside it.

The batches of pyarrow's readers stay pyarrow objects, so that an exception of the source keeps its class. The
core reads the batches of all other objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from exactbuyer._core import ArrowOutput, Batches, Rows
from exactbuyer.exceptions import ColumnWarning
from exactbuyer.report._warnings import warn_of_column

from .arrow import schema_beside, table_beside
from .joining import ALL_COLUMNS, NEW_COLUMNS, in_arrow, is_failure, joined_or
from .libraries import arrow_input, arrow_table, as_kind, exportable, home_of, library
from .metadata import COLUMNS_KEY, Notes, known_columns
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
        known = known_columns(metadata)
        super().__init__([*names], table_request, known.get(table_request.prefix, []))
        self.table_request.check([*names])
        # Without a receipt, which is known only at the end.
        self.notes = Notes({COLUMNS_KEY: {**known, self.table_request.prefix: self.table.names()}})

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._kind: type[Any] = type(cast("object", data))
        self._source: Any = arrow_input(data)
        return self._source.names(), self._source.metadata()

    def parts(self, most_rows: Callable[[], int]) -> Iterator[Any]:
        """The rows of the reader in parts. `most_rows()` is the most rows that the next part may have."""
        for batch in self._source:
            at = 0
            while at < len(batch):
                rows = most_rows()
                yield batch.slice(at, rows)
                at += rows

    def read(self, rows: Any, *, first_row: int) -> Rows:
        """Reads the rows of one part."""

        def cells(label: str, **_: bool) -> Cells:
            return rows.column(label), ""

        return read_lookup_columns(cells, self.table_request, self._settings).rows(0, len(rows), first_row)

    def join(self, source: Any, block: Batches) -> list[Any]:
        """A part with its new columns."""
        return [source.beside(block, self.dropped, self.notes.changes())]

    def rest(self, ready: list[tuple[Batches, Any]]) -> Any:
        """Parts that were not handed out, as one table, or Arrow data: see `unjoined`. At least one part."""

        def joined() -> Any:
            return self.whole([batch for block, source in ready for batch in self.join(source, block)])

        def all_columns() -> Any:
            changes = self.notes.changes()
            parts = [self.as_batches(source).beside(block, self.dropped, changes) for block, source in ready]
            return in_arrow(Batches.concat(parts[0], parts))

        def new_columns() -> Any:
            return in_arrow(Batches.concat(self.table, [block for block, _ in ready]))

        table, self.unjoined = joined_or(joined, [(ALL_COLUMNS, all_columns), (NEW_COLUMNS, new_columns)])
        return table

    def whole(self, joined: list[Any]) -> Any:
        """Parts as one table."""
        return Batches.concat(joined[0], joined)

    def as_batches(self, source: Any) -> Batches:
        """A part, as batches of the core's."""
        return cast("Batches", source)

    def out(self, parts: Iterator[Any]) -> Any:
        """Parts to come, as a reader of the same kind."""
        return self._made(Batches.concat(self.table, []), parts)

    def _made(self, added: Batches, parts: Iterator[Any]) -> Any:
        """Parts with the added columns, as a reader of the same kind."""
        schema = Batches.concat(self._source, []).beside(added, self.dropped, self.notes.changes())
        read = _Remembered(parts)
        try:
            made = as_kind(self._kind, ArrowOutput(schema, read))
        except BaseException as error:
            if not is_failure(error) or not read.parts:
                raise
            if read.error is not None and not is_failure(read.error):
                # Ctrl-C, which the class has turned into an error of its own.
                raise read.error from None
            # It has read some parts: whatever it makes of them, they are paid for.
            make, cause = f"{self._kind.__name__}.from_arrow", type(error).__name__
            # Not raised where warnings are errors: only what is returned here has these parts.
            with suppress(ColumnWarning):
                warn_of_column(
                    f"{make} has read the result and failed ({cause}), so the result is Arrow data"
                )
            return ArrowOutput(schema, read.again())
        read.forget()
        return made


class PyarrowTableReader(TableReader):
    """A record-batch reader of pyarrow's."""

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._kind = type(data)
        self._source = data
        return data.schema.names, data.schema.metadata

    def join(self, source: Any, block: Batches) -> list[Any]:
        pa = library("pyarrow")
        table = table_beside(pa.Table.from_batches([source]), block, self.dropped)
        table = table.replace_schema_metadata(self.notes.beside(source.schema.metadata))
        return cast("list[Any]", table.to_batches())

    def whole(self, joined: list[Any]) -> Any:
        pa = library("pyarrow")
        return pa.Table.from_batches(joined)

    def as_batches(self, source: Any) -> Batches:
        # Without metadata, of which the core reads only text.
        columns = [exportable(column) for column in source.columns]
        return arrow_table(library("pyarrow").table(columns, names=source.schema.names))

    def _made(self, added: Any, parts: Iterator[Any]) -> Any:
        pa = library("pyarrow")
        schema = schema_beside(self._source.schema, added, self.dropped, self.notes)
        return pa.RecordBatchReader.from_batches(schema, parts)


class _Remembered:
    """Parts that are kept as long as their reader may fail, because they can be read only once."""

    def __init__(self, parts: Iterator[Any]) -> None:
        self._source = parts
        self._keeps = True
        self.parts: list[Any] = []
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            part = next(self._source)
        except StopIteration:
            raise
        except BaseException as error:
            self.error = error
            raise
        if self._keeps:
            self.parts.append(part)
        return part

    def forget(self) -> None:
        """Keeps no parts any more."""
        self._keeps, self.parts = False, []

    def again(self) -> Iterator[Any]:
        """What was read so far, and then what comes, or the same error."""
        yield from self.parts
        if self.error is not None:
            raise self.error
        yield from self._source


def reader_of(data: object, table_request: TableRequest, settings: Settings) -> TableReader:
    """The reader, as what it is."""
    kind = PyarrowTableReader if home_of(data) == "pyarrow" else TableReader
    return kind(data, table_request, settings)
