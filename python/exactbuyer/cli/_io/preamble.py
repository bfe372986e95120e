"""The lines above the header of a CSV file: Excel's `sep=` line and notes. They are kept in the output."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from exactbuyer._frames.labels import looks_personal, matching_label
from exactbuyer.cli.exit_codes import UsageError

if TYPE_CHECKING:
    from .files import Location

_SEP = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([^"\r\n])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_WHOLE_LINE_END = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""Not a carriage return that comes last: the line feed after it may not be read yet."""
_LOOKED_THROUGH = 1 << 16
MOST_LINE_BYTES = 64 << 20
"""A longer line is not read to its end: the splitter refuses longer records (`MAX_RECORD_BYTES` in Rust)."""
MOST_RECORDS = 50
"""The header is one of so many first records."""


class Preamble(NamedTuple):
    """The lines above the header.

    Attributes:
        begins: The file's first bytes, as far as they had to be read.
        length: How many of these bytes are above the header.
        lines: How many lines that are, without the `sep=` line.
        delimiter: The delimiter in the `sep=` line, if there is one.
    """

    begins: bytes
    length: int
    lines: int
    delimiter: str | None


def preamble_of(blocks: Iterator[bytes], location: Location, usual: str) -> Preamble:
    """Reads as far as the header. `usual` is the usual delimiter of the kind of file."""
    skip_rows, labels = location.skip_rows, location.labels
    begins, line = _first_lines(blocks, skip_rows or 0)
    sep = _SEP.match(begins)
    names = sep[1].decode("latin-1") if sep is not None else None
    start = sep.end() if sep is not None else 0
    if skip_rows is not None:
        end = _end_of(begins, skip_rows, start)
        if end is None:
            # There are fewer lines, or one is too long: the splitter gets it, and refuses it.
            end = line if len(begins) - line > MOST_LINE_BYTES else len(begins)
        return Preamble(bytes(begins), end, skip_rows, names)
    if not labels:
        return Preamble(bytes(begins), start, 0, names)
    mark = location.delimiter or names or usual
    is_cut = len(begins) > _LOOKED_THROUGH or not begins.endswith((b"\n", b"\r"))
    records = _records(begins[start:_LOOKED_THROUGH], mark, is_cut=is_cut)
    if not (records and _has_all(records[0].cells, labels)):
        for block in blocks:
            begins += block
            if len(begins) >= _LOOKED_THROUGH:
                break
        is_cut = len(begins) >= _LOOKED_THROUGH
        records = _records(begins[start:_LOOKED_THROUGH], mark, is_cut=is_cut)
    lines = _lines_above(records, labels)
    end = _end_of(begins, lines, start)
    above = Preamble(bytes(begins), start, 0, names)
    return above if end is None else above._replace(length=end, lines=lines)


def _first_lines(blocks: Iterator[bytes], skip_rows: int) -> tuple[bytearray, int]:
    """Reads the lines to skip and one more, or as far as a line that is too long.

    Returns:
        The bytes, and the offset of the first line whose end was not searched for, or not found.
    """
    begins, line, looked_through = bytearray(), 0, 0
    wanted = skip_rows + 1
    for block in blocks:
        begins += block
        while wanted and (end := _WHOLE_LINE_END.search(begins, max(line, looked_through))):
            line, wanted = end.end(), wanted - 1
        if not wanted or len(begins) - line > MOST_LINE_BYTES:
            break
        # Its last byte again: what follows it may show that a line ends there.
        looked_through = len(begins) - 1
    return begins, line


class _Record(NamedTuple):
    """One of the first records: how many lines are above it, and its cells."""

    lines: int
    cells: list[str]

    @property
    def width(self) -> int:
        """How many cells it has, without empty ones at its end."""
        return max((index for index, cell in enumerate(self.cells, 1) if cell.strip()), default=0)


def rows_above_header(rows: list[list[str]], labels: Sequence[str]) -> int:
    """How many of the first rows of a sheet are above its header."""
    records = [_Record(above, cells) for above, cells in enumerate(rows[:MOST_RECORDS])]
    blank = next((record.lines for record in records if record.width), 0)
    return (_lines_above(records, labels) if labels else 0) or blank


def _records(begins: bytes | bytearray, delimiter: str, *, is_cut: bool) -> list[_Record]:
    """The first records. If the bytes may end within a record, the last one is left out."""
    rows = csv.reader(io.StringIO(begins.decode("utf-8-sig", "replace"), newline=""), delimiter=delimiter)
    records: list[_Record] = []
    lines = 0
    try:
        for _, cells in zip(range(MOST_RECORDS), rows, strict=False):
            records.append(_Record(lines, cells))
            lines = rows.line_num
    except csv.Error:
        # The reader of the file will report the fault.
        return records
    return records[:-1] if is_cut and len(records) < MOST_RECORDS else records


def _lines_above(records: list[_Record], labels: Sequence[str]) -> int:
    """How many lines are above the header; 0 if no record can be told from the rows and notes around it.

    A row of data, or a note, may have the labels in its cells by chance. If a row were taken for the header,
    the rows above it would not be looked up.
    """
    fitting = (index for index, record in enumerate(records) if _has_all(record.cells, labels))
    above = [records[index].lines for index in fitting if _is_header(records, index)]
    if len(above) > 1:
        raise UsageError(
            "several lines may be the names of the columns, for they have what --by names: pass "
            f"--skip-rows N, the number of lines above them, such as {above[0]:,} or {above[-1]:,}"
        )
    return above[0] if above else 0


def _is_header(records: list[_Record], index: int) -> bool:
    """Whether this record is wider than all above it, not narrower than those below, and names columns."""
    record = records[index]
    above = max((other.width for other in records[:index]), default=0)
    below = [other for other in records[index + 1 :] if other.width]
    if any(other.width > len(record.cells) for other in below):
        return False
    if not above:
        return True
    if record.width == above == 1:
        # A single column is as wide as a note. Then nothing above may be a row to look up.
        return bool(below) and _is_personal(below[0]) and not any(map(_is_personal, records[: index + 1]))
    if above >= record.width or _is_personal(record):
        return False
    # A row with one cell too many is followed by rows without it. Without rows, the lines above are notes.
    return len(below[0].cells) >= record.width if below else above == 1


def _is_personal(record: _Record) -> bool:
    return any(map(looks_personal, record.cells))


def _has_all(cells: list[str], labels: Sequence[str]) -> bool:
    return all(matching_label(cells, label) in cells for label in labels)


def _end_of(begins: bytes | bytearray, lines: int, start: int) -> int | None:
    """The offset at which so many lines after `start` end; `None` if there are fewer."""
    for _ in range(lines):
        end = _LINE_END.search(begins, start)
        if end is None:
            return None
        start = end.end()
    return start
