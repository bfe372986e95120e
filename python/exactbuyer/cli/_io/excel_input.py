"""A sheet of an .xlsx file, read as records of text. Knows nothing of calls or output.

A sheet is loaded whole. Its cells become CSV text, so that headers, notes above them and short rows are
handled as in a CSV file.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

from exactbuyer._core import csv_record
from exactbuyer.cli._console import print_message
from exactbuyer.cli.exit_codes import FileError, UsageError
from exactbuyer.report.wording import count

from .files import Location, reading, require, spooled
from .preamble import MOST_RECORDS, Preamble, rows_above_header
from .sources import CsvSource

_BATCH_ROWS = 1_000
_EXACT_FLOATS = 1 << 53
_MOST_CELLS = 1 << 26
"""The library allocates every cell up to the last one, 32 bytes each, and aborts the process if it cannot."""

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"


class ExcelSource(CsvSource):
    """Rows of a sheet."""

    def __init__(self, location: Location, *, is_surveyed: bool = False) -> None:
        with _reporting_errors(location), reading(location), _binary(location) as stream:
            workbook = _opened(stream, location)
            self.sheets: list[str] = workbook.sheet_names
            self.sheet = sheet = _chosen(workbook, location)
            _check_size(stream, sheet, location)
            if not is_surveyed:
                _warn_of_formulas(stream, sheet, location)
            rows = _filled(workbook.get_sheet_by_name(sheet).iter_rows())
            first = list(islice(rows, max(MOST_RECORDS, (location.skip_rows or 0) + 1)))
        if not first:
            raise FileError(f"{location.name}: sheet {sheet!r} is empty; all sheets: {_named(workbook)}")
        if len(self.sheets) > 1 and location.sheet is None and not is_surveyed:
            print_message(
                f"{location.name}: of {len(self.sheets)} sheets, {sheet!r} is read; --sheet names another"
            )
        above = location.skip_rows
        if above is None:
            above = rows_above_header(first, location.labels)
        begins = _as_csv(first[:above])
        preamble = Preamble(begins, len(begins), above, None)
        rest = chain(first[above:], rows)
        blocks = map(_as_csv, iter(lambda: list(islice(rest, _BATCH_ROWS)), []))
        # The text is made here, with commas.
        super().__init__(
            replace(location, delimiter=","), preamble=preamble, blocks=blocks, is_surveyed=is_surveyed
        )


def names_of(location: Location) -> list[str]:
    """The columns of the only sheet of a file; none if it has several. Loads an unchanged file once."""
    with reading(location):
        stat = Path(location.path).stat()
    return _names_of(location, (stat.st_ino, stat.st_size, stat.st_mtime_ns))


@lru_cache(maxsize=1)
def _names_of(location: Location, _version: object) -> list[str]:
    source = ExcelSource(location, is_surveyed=True)
    # An output has one sheet: if there are more, they are somebody's.
    return source.names if len(source.sheets) == 1 else []


@contextmanager
def _reporting_errors(location: Location) -> Generator[None]:
    try:
        yield
    except BaseException as error:
        # A panic in the library's Rust code is not an `Exception`.
        name = type(error).__name__
        if not (isinstance(error, zipfile.BadZipFile) or "Calamine" in name or name == "PanicException"):
            raise
        raise FileError(f"{location.name} is not an .xlsx file, or is damaged") from error


def _binary(location: Location) -> IO[bytes]:
    return spooled(location) if location.is_stream else Path(location.path).open("rb")


def _opened(stream: IO[bytes], location: Location) -> Any:
    begins = stream.read(len(_ZIP))
    if begins == _OLE:
        message = "is an old .xls file, or has a password: save it as .xlsx, without a password"
        raise FileError(f"{location.name} {message}")
    if begins != _ZIP:
        raise FileError(f"{location.name} is not a .xlsx file: pass its format with --from")
    stream.seek(0)
    return require("python_calamine", ".xlsx").CalamineWorkbook.from_filelike(stream)


def _named(workbook: Any) -> str:
    return ", ".join(map(repr, workbook.sheet_names))


def _chosen(workbook: Any, location: Location) -> str:
    """The name of the sheet to read. As in Excel, capitals do not matter."""
    sheet = location.sheet
    if sheet is not None:
        folded = [name for name in workbook.sheet_names if name.casefold() == sheet.strip().casefold()]
        if sheet in workbook.sheet_names or len(folded) == 1:
            return sheet if sheet in workbook.sheet_names else str(folded[0])
        raise UsageError(f"{location.name} has no sheet {sheet!r}: it has {_named(workbook)}")
    kinds = require("python_calamine", ".xlsx")
    tables = [each for each in workbook.sheets_metadata if each.typ == kinds.SheetTypeEnum.WorkSheet]
    shown = [each for each in tables if each.visible == kinds.SheetVisibleEnum.Visible]
    if not tables:
        raise FileError(f"{location.name} has no sheet with cells")
    return str((shown or tables)[0].name)


def _filled(rows: Iterable[list[Any]]) -> Iterator[list[str]]:
    """The rows as text, without empty ones at the end."""
    empty: list[list[str]] = []
    for row in rows:
        texts = [_text(cell) for cell in row]
        if any(texts):
            yield from empty
            empty.clear()
            yield texts
        else:
            empty.append(texts)


def _text(cell: Any) -> str:
    """A cell as text. The library gives an empty text for an empty cell and for an error such as `#N/A`."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # A phone number that was typed as a number.
        is_whole = cell.is_integer() and abs(cell) < _EXACT_FLOATS
        return str(int(cell)) if is_whole else repr(cell)
    if isinstance(cell, (date, datetime, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return str(cell)


def _as_csv(rows: list[list[str]]) -> bytes:
    # Not by Python's csv module: before 3.13 it does not quote every line end, and before 3.11 it has no NUL.
    return b"".join(csv_record(row, ord(",")) for row in rows)


@contextmanager
def _cells(stream: IO[bytes], sheet: str) -> Generator[IO[bytes]]:
    """The XML with the cells of a sheet; nothing if it is in an unusual place."""
    with zipfile.ZipFile(stream) as archive:
        part = _part_of(archive, sheet)
        with archive.open(part) if part is not None else io.BytesIO() as xml:
            yield xml


def _check_size(stream: IO[bytes], sheet: str, location: Location) -> None:
    """Checks that a sheet can be loaded: one stray cell far from the others makes it very large."""
    with _cells(stream, sheet) as xml:
        columns, rows = _extent(xml)
    if _number_of(columns) * rows > _MOST_CELLS:
        raise FileError(
            f"{location.name}: the cells of sheet {sheet!r} reach to row {rows:,} and column "
            f"{columns.decode()}, which is too much to load: delete what stands far from the table, or save "
            f"it as CSV"
        )


def _warn_of_formulas(stream: IO[bytes], sheet: str, location: Location) -> None:
    """Warns of formulas without a result, as a program that does not calculate writes them."""
    cells = 0
    # The library reads some files that are damaged.
    with suppress(zipfile.BadZipFile, zlib.error), _cells(stream, sheet) as xml:
        cells = _formulas_without_result(xml)
    if cells:
        print_message(
            f"warning: {location.name}: {count(cells, 'formula')} of sheet {sheet!r} without a result "
            f"{'is' if cells == 1 else 'are'} read as empty: open the file in a spreadsheet program, and "
            f"save it"
        )


def _formulas_without_result(xml: IO[bytes]) -> int:
    found, text = 0, b""
    for block in iter(partial(xml.read, _BLOCK_BYTES), b""):
        text += block
        # The cell after the last complete one goes on in the next block.
        end = max((cell.end() for cell in _END_OF_CELL.finditer(text)), default=0)
        found += sum(_TEXT_RESULT not in attributes for attributes in _FORMULA.findall(text, 0, end))
        if _END_OF_CELLS.search(text, end):
            break
        text = text[end:]
    return found


def _extent(xml: IO[bytes]) -> tuple[bytes, int]:
    """The last column and the last row of a sheet. Most programs note them before the cells."""
    text = xml.read(_BLOCK_BYTES)
    noted = _DIMENSION.search(text)
    if noted is not None:
        return noted[1], int(noted[2])
    letters, rows = {b"Z"}, 0
    while text:
        letters.update(_FAR_COLUMN.findall(text))
        found = _ROW.findall(text)
        rows = int(found[-1]) if found else rows
        block = xml.read(_BLOCK_BYTES)
        text = text[-_TAG_BYTES:] + block if block else b""
    return max(letters, key=_number_of), rows


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number


_DIMENSION = re.compile(rb'<(?:\w+:)?dimension\s[^>]*?ref="[A-Z]+\d+:([A-Z]+)(\d+)"')
_FAR_COLUMN = re.compile(rb' r="([A-Z]{2,3})\d')
_ROW = re.compile(rb'<(?:\w+:)?row [^>]*?\br="(\d+)"')
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v[^>]*></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
"""A cell with a formula and an empty result, or none."""
_END_OF_CELL = re.compile(rb"</(?:\w+:)?c>")
_END_OF_CELLS = re.compile(rb"</(?:\w+:)?sheetData>")
_TEXT_RESULT = b't="str"'
"""The attribute of a cell whose formula has a text as its result, which may be empty."""
_BLOCK_BYTES = 1 << 20
_TAG_BYTES = 256
_RELATED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def _part_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The part of the archive with the cells of a sheet; `None` if it is in an unusual place."""
    try:
        # What is read here decides only whether the sheet is refused.
        book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
        links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    except (KeyError, ET.ParseError):
        return None
    ids = [
        each.get(_RELATED)
        for each in book.iter()
        if each.tag.endswith("}sheet") and each.get("name") == sheet
    ]
    targets = [each.get("Target", "") for each in links if each.get("Id") in ids]
    parts = [target.lstrip("/") if target.startswith("/") else f"xl/{target}" for target in targets]
    return next((part for part in parts if part in archive.namelist()), None)
