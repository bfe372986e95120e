"""Reads an input file as parts of some thousand rows, each with the columns to look up.

A part of a text file keeps its bytes, so they can be written unchanged. Knows nothing of calls or output.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from exactbuyer._core import Batches, CsvPart, CsvSplitter, JsonPart, JsonSplitter
from exactbuyer.cli._console import print_message
from exactbuyer.cli.exit_codes import CommandError, FileError
from exactbuyer.exceptions import ExactBuyerError

from .encoding import BYTES, as_utf_8, what_it_is_instead
from .files import Location, in_lines, packing_of
from .preamble import Preamble, preamble_of

DELIMITERS = {"csv": ",", "tsv": "\t"}
_PEEKED_ROWS = 1_000


class Source:
    """A file, opened: read once."""

    name: str
    names: list[str]
    rows: int | None = None
    """How many rows it has, if that is known before they are read."""
    sheet: str | None = None
    """The sheet that it is read from."""
    schema: Any = None
    """The types of its columns, if they are not all text."""
    metadata: Mapping[bytes, bytes] | None = None
    """The file's own metadata."""

    def parts(self, rows: int) -> Iterator[Any]:
        """Its rows, in parts of at most so many. Each has `column(name)` and a length."""
        raise NotImplementedError

    def columns(self, rows: int, names: list[str]) -> Iterator[Any]:
        """Only these columns of its rows, as Arrow data, in parts of at most so many."""
        raise NotImplementedError

    def table(self, part: Any) -> Any:
        """A part as Arrow data."""
        raise NotImplementedError


class _TextSource(Source):
    """Text, cut into parts as its bytes come."""

    _splitter: CsvSplitter | JsonSplitter
    _blocks: Iterator[bytes]

    def columns(self, rows: int, names: list[str]) -> Iterator[Batches]:
        for part in self.parts(rows):
            with file_errors(self.name):
                yield _only(part, names)

    def trailer(self) -> bytes:
        """What follows the last record."""
        return self._splitter.trailer()

    def _read(self, rows: int) -> Iterator[Any]:
        more = True
        while more:
            yield from iter(lambda: self._splitter.take(rows), None)
            more = self._feed()
        yield from iter(lambda: self._splitter.take(rows), None)

    def _feed(self) -> bool:
        """Reads the next bytes. Returns whether there were any."""
        block = next(self._blocks, None)
        with file_errors(self.name):
            if block is None:
                self._splitter.finish()
            else:
                self._splitter.feed(block)
        return block is not None


class CsvSource(_TextSource):
    """Records of a CSV or TSV file.

    Args:
        location: The file.
        is_surveyed: The file was read before, and the message about its header was shown then.
        preamble: What is above the header, if that is known already.
        blocks: What comes after the bytes in `preamble`; `None`: the file's bytes.
    """

    def __init__(
        self,
        location: Location,
        *,
        is_surveyed: bool = False,
        preamble: Preamble | None = None,
        blocks: Iterator[bytes] | None = None,
    ) -> None:
        self.is_bytes = location.encoding == BYTES
        self.name = location.name
        usual = DELIMITERS.get(location.kind, ",")
        blocks = _as_text(location) if blocks is None else blocks
        preamble = preamble or preamble_of(blocks, location, usual)
        self.lines_above = preamble.lines
        self.delimiter = location.delimiter or preamble.delimiter or usual
        self.says_delimiter = preamble.delimiter is not None
        if preamble.lines and not is_surveyed:
            line = "row" if location.kind == "xlsx" else "line"
            number = preamble.lines + 1 + self.says_delimiter
            print_message(
                f"{location.name}: the header is {line} {number:,}; no {line} above it is looked up"
            )
        self._splitter = splitter = CsvSplitter(ord(self.delimiter), preamble.length)
        self._blocks = chain([preamble.begins], blocks)
        self._trouble: CommandError | None = None
        try:
            while (header := splitter.header()) is None and self._feed():
                pass
        except CommandError as trouble:
            # The error is in a row after the header, and is raised when that row is read. The names may show
            # its cause, such as a wrong delimiter.
            header, self._trouble = splitter.header(), trouble
            if header is None:
                raise
        header = header or splitter.header()
        if header is None:
            raise FileError(f"{location.name} is empty: its first record has to name its columns")
        self.header = header
        self.names = header.names()

    def parts(self, rows: int) -> Iterator[CsvPart]:
        if self._trouble is not None:
            raise self._trouble
        yield from self._read(rows)

    def table(self, part: CsvPart) -> Batches:
        with file_errors(self.name):
            return part.table()


class JsonSource(_TextSource):
    """Records of a JSON Lines file."""

    def __init__(self, location: Location, names: list[str] | None = None) -> None:
        self.name = location.name
        self._splitter = JsonSplitter()
        self._blocks = _as_text(location)
        self._first: JsonPart | None = None
        if names is None:
            self._first = next(self._read(_PEEKED_ROWS), None)
            names = [] if self._first is None else self.names_of(self._first)
        self.names = names

    def parts(self, rows: int) -> Iterator[JsonPart]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._read(rows)

    def names_of(self, part: JsonPart) -> list[str]:
        """The names that the objects of a part have."""
        with file_errors(self.name):
            return part.names()

    def table(self, part: JsonPart) -> Batches:
        with file_errors(self.name):
            return part.table(self.names)


def _only(part: CsvPart | JsonPart, names: list[str]) -> Batches:
    first, *others = (part.column(name) for name in names)
    for other in others:
        first = first.beside(other, [], [])
    return first


@contextmanager
def file_errors(name: str) -> Generator[None]:
    """Raises an error in the text of a file as a `FileError`."""
    try:
        yield
    except ExactBuyerError:
        raise
    except ValueError as error:
        raise FileError(f"{name}: {error}") from None


def _as_text(location: Location) -> Iterator[bytes]:
    """The text of a file, in UTF-8."""
    otherwise = "pass the file's own encoding"
    if location.encoding is None:
        otherwise = "pass its encoding, such as --encoding cp1252 for a file from Windows or Excel"
        if location.kind in DELIMITERS:
            otherwise += ", or --encoding bytes to copy its bytes as they are"
    blocks = location.blocks()
    for first in blocks:
        _check_beginning(location, first)
        with file_errors(location.name):
            yield from as_utf_8(chain([first], blocks), location.encoding, otherwise=otherwise)


def _check_beginning(location: Location, block: bytes) -> None:
    """Refuses a file whose first bytes show that it is not text, or text of another encoding."""
    what = what_it_is_instead(block, location.encoding)
    packing = packing_of(block)
    if packing:
        twice = "twice: unpack it once" if location.packing else f"pass --from {location.kind}.{packing}"
        what = f"is compressed{' ' if location.packing else ': '}{twice}"
    elif block.startswith(b"PK\x03\x04"):
        what = "is a ZIP archive, or a spreadsheet: unpack it, or pass --from xlsx"
    elif block.startswith(b"PAR1"):
        what = "is Parquet: pass --from parquet"
    elif location.kind == "jsonl" and block.lstrip().startswith(b"["):
        what = f"is an array, and should have one object a line: {in_lines(location.path)}"
    if what is not None:
        raise FileError(f"{location.name} {what}")
