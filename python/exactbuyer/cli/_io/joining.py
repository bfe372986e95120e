"""What is written: rows as they were read, with what was found beside them, in the output's kind of file.

From a kind to the same kind nothing that was there is written anew: a cell keeps its quotes, a line
its spaces. Knows nothing of where it is written.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from exactbuyer._core import Batches, csv_lines, csv_record, json_lines
from exactbuyer._frames.metadata import COLUMNS_KEY, known_columns
from exactbuyer.cli.exit_codes import FileError

from .files import require
from .sources import DELIMITERS, CsvSource, JsonSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer._core import CsvPart, JsonPart, Table
    from exactbuyer._frames.request import TableRequest

    from .files import FileKind
    from .sources import Source


class Joiner(Protocol):
    """Makes of rows and columns what is written."""

    def head(self) -> Any:
        """What stands before the first row."""
        ...

    def join(self, part: Any, block: Batches) -> Any:
        """Rows with their columns: bytes, or what the output's kind of file is written of."""
        ...

    def tail(self) -> bytes:
        """What stands after the last row."""
        ...


class Outline:
    """What all joiners know of the columns.

    Args:
        source: What is read.
        table: The columns that are added.
        table_request: What they were asked for as.
        dropped: The columns of an earlier call that they replace.
        defuse: Text that is added may not be a formula.
    """

    def __init__(
        self, source: Source, table: Table, table_request: TableRequest, dropped: list[str], *, defuse: bool
    ) -> None:
        self.source = source
        self.table = table
        self.added = table.names()
        self.dropped = dropped
        self.defuse = defuse
        self.prefix = table_request.prefix
        self.as_json = [
            table_request.prefix + name for name, _, kind in table_request.columns if kind == "json"
        ]

    def joined(self, part: Any, block: Batches) -> Any:
        """A part with its columns, as something of Arrow's."""
        theirs = self.source.table(part)
        if isinstance(theirs, Batches):
            return theirs.beside(block, self.dropped, [])
        pyarrow = require("pyarrow", "Parquet")
        # The core reads only metadata that is text. All metadata is written with the output's schema anyway.
        plain = pyarrow.schema([field.remove_metadata() for field in theirs.schema])
        table = pyarrow.Table.from_arrays(theirs.columns, schema=plain).drop_columns(self.dropped)
        beside = pyarrow.table(block)
        for field, column in zip(beside.schema, beside.columns, strict=True):
            table = table.append_column(field, column)
        return table

    def names(self) -> list[str]:
        """The columns of the output."""
        return [name for name in self.source.names if name not in self.dropped] + self.added


class CsvBeside:
    """From CSV to CSV with the same delimiter: every byte stays."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._source = cast("CsvSource", outline.source)

    def head(self) -> bytes:
        self._source.warn_of_text(self._source.header)
        return self._source.header.beside_names(self._outline.added, self._outline.dropped)

    def join(self, part: CsvPart, block: Batches) -> bytes:
        self._source.warn_of_text(part)
        return part.beside(block, self._outline.dropped, self._outline.defuse)

    def tail(self) -> bytes:
        return self._source.trailer()


class JsonBeside:
    """From JSON Lines to JSON Lines: every byte stays."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._source = cast("JsonSource", outline.source)

    def head(self) -> bytes:
        return b""

    def join(self, part: JsonPart, block: Batches) -> bytes:
        return part.beside(block, self._outline.dropped, self._outline.as_json)

    def tail(self) -> bytes:
        return self._source.trailer()


class CsvLines:
    """From another kind to CSV."""

    def __init__(self, outline: Outline, delimiter: str) -> None:
        self._outline = outline
        self._delimiter = ord(delimiter)
        self._defused = outline.added if outline.defuse else []

    def head(self) -> bytes:
        return csv_record(self._outline.names(), self._delimiter)

    def join(self, part: Any, block: Batches) -> bytes:
        return csv_lines(self._outline.joined(part, block), self._delimiter, self._defused)

    def tail(self) -> bytes:
        return b""


class JsonLines:
    """From another kind to JSON Lines."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline

    def head(self) -> bytes:
        return b""

    def join(self, part: Any, block: Batches) -> bytes:
        return json_lines(self._outline.joined(part, block), self._outline.as_json)

    def tail(self) -> bytes:
        return b""


class ParquetTables:
    """To Parquet: its sink writes the head and the tail."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline

    def head(self) -> bytes:
        return b""

    def join(self, part: Any, block: Batches) -> Any:
        return self._outline.joined(part, block)

    def tail(self) -> bytes:
        return b""


def schema_of(outline: Outline) -> Any:
    """The schema of the output."""
    pyarrow = require("pyarrow", "Parquet")
    theirs = getattr(outline.source, "schema", None)
    if theirs is None:
        theirs = pyarrow.schema([(name, pyarrow.string()) for name in outline.source.names])
    kept = [field for field in theirs if field.name not in outline.dropped]
    return pyarrow.schema(kept + list(pyarrow.schema(outline.table)), metadata=theirs.metadata)


def sink_of(outline: Outline, kind: FileKind) -> Callable[[Any], Any] | None:
    """What writes an output that is not written as bytes, given its stream; `None`: it is bytes."""
    if kind == "parquet":
        from .parquet import ParquetSink

        return partial(ParquetSink, schema=schema_of(outline), metadata=notes_of(outline))
    if kind == "xlsx":
        from .excel_output import ExcelSink, sheet_name

        sheet = sheet_name(getattr(outline.source, "sheet", None))
        return partial(ExcelSink, sheet=sheet, schema=schema_of(outline))
    return None


def notes_of(outline: Outline) -> dict[str, str]:
    """What the output says of the columns that were added, so that a later call can replace them."""
    known = known_columns(outline.source.metadata)
    return {COLUMNS_KEY: json.dumps({**known, outline.prefix: outline.added})}


def keeps_bytes(source: Source, kind: FileKind, delimiter: str | None) -> bool:
    """Whether rows of a text file stay as they are, byte for byte: their kind of file does."""
    if isinstance(source, CsvSource):
        if kind == "xlsx":
            return source.sheet is not None
        if delimiter is None and source.says_delimiter and kind == "csv":
            return True
        return kind in DELIMITERS and source.delimiter == (delimiter or DELIMITERS[kind])
    return isinstance(source, JsonSource) and kind == "jsonl"


def joiner_of(outline: Outline, kind: FileKind, delimiter: str | None) -> Joiner:
    """The joiner from the source's kind of file to this one.

    Raises:
        CommandError: The source's names cannot be those of such a file.
    """
    source = outline.source
    if kind == "xlsx":
        from .excel_output import ExcelRows

        return ExcelRows(CsvBeside(outline) if keeps_bytes(source, kind, ",") else CsvLines(outline, ","))
    if keeps_bytes(source, kind, delimiter):
        return CsvBeside(outline) if isinstance(source, CsvSource) else JsonBeside(outline)
    if isinstance(source, CsvSource):
        source.check_text(source.header)
    if kind in DELIMITERS:
        return CsvLines(outline, delimiter or DELIMITERS[kind])
    twice = next((name for name, times in Counter(source.names).items() if times > 1), None)
    if twice is not None:
        raise FileError(
            f"{source.name} has two columns called {twice!r}, which only CSV can have: rename one of them"
        )
    return ParquetTables(outline) if kind == "parquet" else JsonLines(outline)
