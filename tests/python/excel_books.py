"""Workbooks, and the command line on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openpyxl
import xlsxwriter
from cli_runs import against

from exactbuyer.cli import ExitCode, main

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

ADDED = ["eb_status", "eb_matched_by", "eb_source", "eb_fetched_at", "eb_reason", "eb_city"]
CITY = ["--column", "city"]


def book(path: Path, rows: list[list[Any]], *, name: str = "People", **options: Any) -> Path:
    """A workbook with these cells: texts as texts."""
    made = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm:ss", **options})
    fill(made.add_worksheet(name), rows)
    made.close()
    return path


def fill(sheet: Any, rows: list[list[Any]]) -> None:
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            write = sheet.write_string if isinstance(cell, str) else sheet.write
            write(number, column, cell)


def cells(path: Path) -> list[list[Any]]:
    """The cells of a file's only sheet, as another library reads them; every text is a text."""
    made = openpyxl.load_workbook(path)
    (sheet,) = made.worksheets
    for row in sheet.iter_rows():
        assert {cell.data_type for cell in row if isinstance(cell.value, str)} <= {"s"}
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def enriched(sandbox: Sandbox, source: Path, output: Path, *options: str) -> Path:
    given = ["enrich", str(source), "-o", str(output), *against(sandbox), *CITY, *options]
    for _ in range(2):
        # The second run replaces the first run's output.
        assert main(given) == ExitCode.DONE
    assert [entry.name for entry in output.parent.iterdir() if entry.name.endswith(".tmp")] == []
    return output
