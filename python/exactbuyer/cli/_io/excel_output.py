"""Writes an .xlsx file: every text as text, whatever it looks like. Knows nothing of calls."""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from exactbuyer._core import csv_lines
from exactbuyer.cli._console import print_message
from exactbuyer.cli.exit_codes import FileError, UsageError
from exactbuyer.report.wording import count

from .files import require

if TYPE_CHECKING:
    from .outline import Outline
    from .sources import Source

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_CHARACTERS = 32_767
"""Excel's limits (support.microsoft.com, "Excel specifications and limits", read on 2026-11-28). A character
is a unit of UTF-16."""

_MOST_DIGITS = 10**15
"""Excel keeps 15 digits of a number: longer ones are written as text."""

_OPTIONS = {
    # Otherwise a sheet with more than 2 GiB of XML fails at its end, when all of it is paid for. Smaller
    # files stay the same: zipfile uses the extension only where it has to.
    "use_zip64": True,
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_CHECKED_ROWS = 1 << 14


def _records(text: bytes) -> list[list[str]]:
    """The cells of CSV text from the core. Before Python 3.11, the csv module cannot read NUL."""
    rows: list[list[str]] = [[]]
    for quoted, plain, end in _CELL.findall(text.decode()):
        rows[-1].append(quoted.replace('""', '"') if quoted else plain)
        if end != ",":
            rows.append([])
    return rows[:-1]


_CELL = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n)')


def sheet_name(name: str | None) -> str:
    """A name that Excel accepts: the given one, cut to 31 units of UTF-16, with "_" for what it refuses."""
    fitting = _REFUSED_IN_NAMES.sub("_", name or "").encode("utf-16-le")[: 2 * _MAX_NAME_UNITS]
    text = fitting.decode("utf-16-le", "ignore").strip("'")
    # Excel keeps the name "History" for itself.
    return "Sheet1" if not text.strip() or text.casefold() == "history" else text


_REFUSED_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f\ufffe\uffff]")
_MAX_NAME_UNITS = 31


class ExcelSink:
    """Writes CSV with commas as rows of a sheet, in a temporary folder. Copies the file at the end."""

    def __init__(self, stream: IO[bytes], sheet: str, schema: Any) -> None:
        self._stream = stream
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name, "sheet.xlsx")
        self._book: Any = None
        self._sheet: Any = None
        self._row = self._cut = 0
        try:
            self._begin(sheet, schema)
        except BaseException:
            self.abandon()
            raise

    def _begin(self, sheet: str, schema: Any) -> None:
        types = require("pyarrow", ".xlsx").types
        self._book = require("xlsxwriter", ".xlsx").Workbook(
            str(self._path), {**_OPTIONS, "tmpdir": self._folder.name}
        )
        self._sheet = self._book.add_worksheet(sheet)
        # The library writes text between <r> and </r> as XML, because its own formatted text looks like that.
        self._sheet._xml_rich_inline_string = self._write_plain  # noqa: SLF001 - there is no public way
        self._writers = [
            self._number
            if types.is_integer(field.type) or types.is_floating(field.type)
            else self._boolean
            if types.is_boolean(field.type)
            else self._text
            for field in schema
        ]
        # A cell that somebody edits later stays text, too.
        as_text = self._book.add_format({"num_format": "@"})
        for column, write in enumerate(self._writers):
            if write == self._text:
                self._sheet.set_column(column, column, None, as_text)
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MAX_ROWS}"})

    def write(self, text: bytes) -> None:
        """Writes rows. The first ones are the header, and lines above it: these have no types."""
        rows, is_head = _records(text), self._row == 0
        if self._row + len(rows) > MAX_ROWS:
            raise FileError(
                f"the output has more rows than the {MAX_ROWS:,} of a sheet: name a .csv or .parquet file "
                f"with -o"
            )
        for row in rows:
            try:
                for column, cell in enumerate(row):
                    if cell:
                        write = self._text if is_head else self._writers[column]
                        write(column, cell)
            except BaseException:
                # The file may still be kept, but not with a part of a row.
                self._sheet.table.pop(self._row, None)
                raise
            self._row += 1

    def finish(self, notes: Mapping[str, Any]) -> None:  # noqa: ARG002 - a sheet has no place for notes
        """Writes the file."""
        try:
            self._book.close()
        except require("xlsxwriter.exceptions", ".xlsx").XlsxFileError as error:
            cause = error.args[0] if error.args else None
            raise (
                cause if isinstance(cause, OSError) else OSError(errno.EFBIG, os.strerror(errno.EFBIG))
            ) from error
        with self._path.open("rb") as made:
            shutil.copyfileobj(made, self._stream)
        self._folder.cleanup()
        if self._cut:
            cells = count(self._cut, "cell")
            print_message(
                f"warning: {cells} of the output had more than {MAX_CHARACTERS:,} characters, the most that "
                f"Excel allows, and {'is' if self._cut == 1 else 'are'} cut, with … at the end: .csv, .jsonl "
                f"and .parquet hold all of it"
            )

    def abandon(self) -> None:
        """Leaves nothing behind."""
        with suppress(Exception):
            self._book.fileclosed = True
            self._sheet.row_data_fh.close()
        self._folder.cleanup()

    def _write_plain(self, text: str, attributes: Any) -> None:
        self._sheet._xml_inline_string(text, preserve=True, attributes=attributes)  # noqa: SLF001 - as above

    def _text(self, column: int, text: str) -> None:
        fitting = _fitting(text)
        self._cut += fitting != text
        self._sheet.write_string(self._row, column, fitting)

    def _number(self, column: int, text: str) -> None:
        number = float(text)
        if math.isfinite(number) and abs(number) < _MOST_DIGITS:
            self._sheet.write_number(self._row, column, number)
        else:
            self._text(column, text)

    def _boolean(self, column: int, text: str) -> None:
        self._sheet.write_boolean(self._row, column, text == "true")


def _characters(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


def _fitting(text: str) -> str:
    """The text, or as much of it as a cell can hold."""
    if len(text) * 2 <= MAX_CHARACTERS or _characters(text) <= MAX_CHARACTERS:
        return text
    units = text.encode("utf-16-le")[: (MAX_CHARACTERS - 1) * 2]
    return units.decode("utf-16-le", "ignore") + "…"


def check_sheet(outline: Outline, above: int) -> None:
    """Checks that an output fits into a sheet, as far as that is known."""
    columns, rows = len(outline.names()), outline.source.rows
    if columns > MAX_COLUMNS:
        raise UsageError(
            f"the output has {columns:,} columns, and a sheet at most {MAX_COLUMNS:,}: name a .csv or "
            f".parquet file with -o. Nothing was sent"
        )
    if rows is not None and rows + above > MAX_ROWS:
        raise UsageError(
            f"{outline.source.name} has {count(rows, 'row')}, and a sheet has room for {MAX_ROWS - above:,}: "
            f"name a .csv or .parquet file with -o. Nothing was sent"
        )


def check_cells(source: Source) -> None:
    """Checks that every cell of an input fits into a cell of a sheet: what is the caller's is not cut."""
    pyarrow = require("pyarrow", ".xlsx")
    for name in source.names:
        _check_length(name, f"{source.name}: the name of a column")
    first = 0
    for part in source.parts(_CHECKED_ROWS):
        table = pyarrow.table(source.table(part))
        for index, field in enumerate(table.schema):
            if not _may_be_long(table.column(index)):
                continue
            # As it is written: also of lists, structs, binaries and dictionaries.
            lines = _records(csv_lines(table.select([index]), ord(","), []))
            for row, (text,) in enumerate(lines, first + 1):
                _check_length(text, f"{source.name}: column {field.name!r} of row {row:,}")
        first += len(part)


def _may_be_long(column: Any) -> bool:
    types, compute = require("pyarrow", ".xlsx").types, require("pyarrow.compute", ".xlsx")
    if types.is_string(column.type) or types.is_large_string(column.type):
        return (compute.max(compute.binary_length(column)).as_py() or 0) > MAX_CHARACTERS
    return not (
        types.is_primitive(column.type) or types.is_decimal(column.type) or types.is_null(column.type)
    )


def _check_length(text: str, what: str) -> None:
    if _fitting(text) != text:
        raise UsageError(
            f"{what} has {_characters(text):,} characters, and a cell of a sheet at most {MAX_CHARACTERS:,}: "
            f"name a .csv or .parquet file with -o. Nothing was sent"
        )
