"""The lines above the header of a CSV file: Excel's `sep=` line and notes. They are kept in the output."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from exactbuyer.frames import as_seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SEP = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=([^"\r\n])"?(?:\r\n|\n|\r)', re.IGNORECASE)
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LOOKED_THROUGH = 1 << 16


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


def preamble_of(
    blocks: Iterator[bytes], delimiter: str | None, usual: str, skip_rows: int | None, labels: Iterable[str]
) -> Preamble:
    """Reads as far as the header.

    Args:
        blocks: The file's bytes, as they come.
        delimiter: The delimiter, if it was given.
        usual: The usual delimiter of the kind of file.
        skip_rows: How many lines are above the header; `None`: the header is searched for.
        labels: The columns to look up: the first record that has them all is the header.
    """
    begins = b""
    for block in blocks:
        begins += block
        if _LINE_END.search(begins) and (skip_rows is None or _end_of(begins, skip_rows, 0) is not None):
            break
    sep = _SEP.match(begins)
    names = sep[1].decode("latin-1") if sep is not None else None
    start = sep.end() if sep is not None else 0
    if skip_rows is not None:
        end = _end_of(begins, skip_rows, start)
        return Preamble(begins, len(begins) if end is None else end, skip_rows, names)
    mark, wanted = delimiter or names or usual, list(labels)
    if wanted and _header_line(begins[start:], mark, wanted, records=1) is None:
        for block in blocks:
            begins += block
            if len(begins) >= _LOOKED_THROUGH:
                break
        lines = _header_line(begins[start:_LOOKED_THROUGH], mark, wanted)
        end = _end_of(begins, lines, start) if lines else None
        if end is not None and lines is not None:
            return Preamble(begins, end, lines, names)
    return Preamble(begins, start, 0, names)


def _header_line(begins: bytes, delimiter: str, labels: list[str], records: int = 50) -> int | None:
    """How many lines are above the first record that has all labels; looks at the first `records` ones."""
    rows = csv.reader(io.StringIO(begins.decode("utf-8-sig", "replace"), newline=""), delimiter=delimiter)
    before = 0
    try:
        for _, row in zip(range(records), rows, strict=False):
            if all(as_seen(row, label) in row for label in labels):
                return before
            before = rows.line_num
    except csv.Error:
        # The reader of the file will report the fault.
        pass
    return None


def _end_of(begins: bytes, lines: int, start: int) -> int | None:
    """The offset at which so many lines after `start` end; `None` if there are fewer."""
    for _ in range(lines):
        end = _LINE_END.search(begins, start)
        if end is None:
            return None
        start = end.end()
    return start
