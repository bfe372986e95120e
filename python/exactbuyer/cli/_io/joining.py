"""Joins the rows as they were read with the added columns, in the output's kind of file.

If the input is of the same kind, its bytes are copied unchanged: a cell keeps its quotes, a line its spaces.
Knows nothing of where the output goes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from exactbuyer._core import (
    Batches,
    CsvPart,
    CsvSplitter,
    JsonPart,
    JsonSplitter,
    csv_lines,
    csv_record,
    json_lines,
)
from exactbuyer.cli.exit_codes import FileError, UsageError

from .excel_output import ExcelSink, sheet_name
from .outline import Joiner, Outline, schema_of
from .parquet import ParquetSink
from .sources import DELIMITERS, CsvSource, JsonSource, Source

if TYPE_CHECKING:
    from .files import FileKind, Location


class CsvBeside(Joiner):
    """From CSV to CSV with the same delimiter: every byte stays."""

    def head(self) -> bytes:
        return cast("bytes", self._source.header.beside_names(self._outline.added, self._outline.dropped))

    def join(self, part: CsvPart, block: Batches) -> bytes:
        safe = self._outline.safe(block, self._source.delimiter)
        return part.beside(safe, self._outline.dropped, self._outline.defuse)

    def tail(self) -> bytes:
        return cast("bytes", self._source.trailer())

    def whole_rows(self, begins: bytes) -> int:
        return _whole_records(begins, self._outline, ord(self._source.delimiter))


class JsonBeside(Joiner):
    """From JSON Lines to JSON Lines: every byte stays."""

    def join(self, part: JsonPart, block: Batches) -> bytes:
        return part.beside(block, self._outline.dropped, self._outline.as_json)

    def tail(self) -> bytes:
        return cast("bytes", self._source.trailer())

    def whole_rows(self, begins: bytes) -> int:
        return _whole_objects(begins)


class CsvLines(Joiner):
    """From another kind to CSV."""

    def __init__(self, outline: Outline, delimiter: str) -> None:
        super().__init__(outline)
        self._delimiter = ord(delimiter)
        self._defused = outline.added if outline.defuse else []

    def head(self) -> bytes:
        return csv_record(self._outline.names(), self._delimiter)

    def join(self, part: Any, block: Batches) -> bytes:
        joined = self._outline.joined(part, self._outline.safe(block, chr(self._delimiter)))
        return csv_lines(joined, self._delimiter, self._defused)

    def whole_rows(self, begins: bytes) -> int:
        return _whole_records(begins, self._outline, self._delimiter)


class JsonLines(Joiner):
    """From another kind to JSON Lines."""

    def join(self, part: Any, block: Batches) -> bytes:
        return json_lines(self._outline.joined(part, block), self._outline.as_json)

    def whole_rows(self, begins: bytes) -> int:
        return _whole_objects(begins)


class ParquetTables(Joiner):
    """To Parquet: its sink writes the head and the tail."""

    def join(self, part: Any, block: Batches) -> Any:
        return self._outline.joined(part, block)


def _whole_records(begins: bytes, outline: Outline, delimiter: int) -> int:
    splitter = CsvSplitter(delimiter)
    splitter.feed(csv_record(outline.names(), delimiter))
    splitter.header()
    return _complete(splitter, begins)


def _whole_objects(begins: bytes) -> int:
    return _complete(JsonSplitter(), begins)


def _complete(splitter: CsvSplitter | JsonSplitter, begins: bytes) -> int:
    splitter.feed(begins)
    # Without `finish`, it does not give out a record that may go on.
    return sum(1 for _ in iter(lambda: splitter.take(1), None))


def sink_of(outline: Outline, kind: FileKind) -> Callable[[Any], Any] | None:
    """Makes the sink for an output that is not written as bytes, given its stream; `None`: it is bytes."""
    if kind == "parquet":
        return partial(ParquetSink, schema=schema_of(outline))
    if kind == "xlsx":
        return partial(ExcelSink, sheet=sheet_name(outline.source.sheet), schema=schema_of(outline))
    return None


def keeps_bytes(source: Source, output: Location) -> bool:
    """Whether the rows are copied byte for byte, because the kind of file stays the same."""
    kind, delimiter = output.kind, output.delimiter
    if isinstance(source, CsvSource):
        if kind == "xlsx":
            return source.sheet is not None
        if delimiter is None and source.says_delimiter and kind == "csv":
            return True
        return kind in DELIMITERS and source.delimiter == (delimiter or DELIMITERS[kind])
    return isinstance(source, JsonSource) and kind == "jsonl"


def check_encoding(source: Source, output: Location) -> None:
    """Refuses bytes of an unknown encoding if they would have to become text.

    Raises:
        UsageError: The rows are not copied byte for byte.
    """
    if isinstance(source, CsvSource) and source.is_bytes and not keeps_bytes(source, output):
        raise UsageError(
            "--encoding bytes is for CSV that becomes CSV with the same delimiter: pass the encoding of the "
            "input, such as --encoding cp1252"
        )


def joiner_of(outline: Outline, output: Location) -> Joiner:
    """The joiner from the source's kind of file to that of the output."""
    source, kind = outline.source, output.kind
    if keeps_bytes(source, output):
        return CsvBeside(outline) if isinstance(source, CsvSource) else JsonBeside(outline)
    check_encoding(source, output)
    if kind == "xlsx":
        return CsvLines(outline, ",")
    if kind in DELIMITERS:
        return CsvLines(outline, output.delimiter or DELIMITERS[kind])
    twice = next((name for name, times in Counter(source.names).items() if times > 1), None)
    if twice is not None:
        raise FileError(
            f"{source.name} has two columns called {twice!r}, which only CSV can have: rename one of them"
        )
    return ParquetTables(outline) if kind == "parquet" else JsonLines(outline)
