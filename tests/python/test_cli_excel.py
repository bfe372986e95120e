"""Excel's .xlsx files: cells as text, sheets by name, limits, and what is left when a run is stopped."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from cli_runs import against, run
from excel_books import ADDED, CITY, book, cells, enriched, fill

from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._io import excel_input as _excel
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

ROW = [
    "\x00",
    "=1+1",
    "007",
    "  pad ",
    "http://acme.example",
    "a\r\nb\nc",
    "_x0041_",
    "\x01",
    "\x0b\x0c\x1b\x1f\x7f\x85",
    "a\rb",
    "\r",
    "\n",
    "c\r\r\nd",
    '"',
    "é😀",
    "+12015550123",
]


# python-calamine before 0.9, which is the last for CPython 3.10, panics on a sheet without cells.
EMPTY_SHEET = (
    "sheet 'Empty' is empty; all sheets: 'Hidden', 'People'"
    if tuple(map(int, version("python-calamine").split(".")[:2])) >= (0, 9)
    else "is not an .xlsx file, or is damaged"
)


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


def test_a_cell_is_text_and_stays_text(everybody: Sandbox, tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(len(ROW))]
    source = book(tmp_path / "in.xlsx", [["mail", *names], ["ana@acme.example", *ROW]])
    header, row = cells(enriched(everybody, source, tmp_path / "out.xlsx", "--by", "mail"))
    assert header == ["mail", *names, *ADDED]
    # openpyxl leaves the escapes of .xlsx as they are.
    escaped = re.compile("_x([0-9A-F]{4})_")
    assert [escaped.sub(lambda code: chr(int(code[1], 16)), cell) for cell in row[1 : len(ROW) + 1]] == ROW
    assert row[len(ROW) + 1] == "found"
    as_csv = enriched(everybody, tmp_path / "out.xlsx", tmp_path / "out.csv", "--by", "mail")
    written = as_csv.read_bytes().decode()
    if sys.version_info < (3, 11):
        # Python's own reader takes no zero.
        written = written.replace("\0", "(zero)")
    _, again = csv.reader(io.StringIO(written, newline=""))
    assert [cell.replace("(zero)", "\0") for cell in again[1 : len(ROW) + 1]] == ROW


@pytest.mark.parametrize("line_end", ["\r", "\r\n", "\n", "\r\r", "\n\r", "\0", "\x0b"])
def test_a_line_end_in_a_cell_makes_no_row(line_end: str, everybody: Sandbox, tmp_path: Path) -> None:
    text = f"{line_end}Ana{line_end}VIP{line_end}"
    above = [["Contacts" + text, None]]
    rows = [["name" + text, "mail"], [text, "ana@acme.example"], ["Bob", "bob@acme.example"], ["Ana", text]]
    source = book(tmp_path / "in.xlsx", [*above, *rows])
    read = cells(enriched(everybody, source, tmp_path / "out.xlsx", "--by", "mail"))
    assert {entry.value for entry in everybody.ledger.entries} == {"ana@acme.example", "bob@acme.example"}
    escaped = text.replace("\r", "_x000D_").replace("\0", "_x0000_").replace("\x0b", "_x000B_")
    assert [row[0] for row in read] == ["Contacts" + escaped, "name" + escaped, escaped, "Bob", "Ana"]
    assert [row[2] for row in read[2:4]] == ["found", "found"]
    assert read[4][1] == escaped


def test_text_that_looks_like_formatted_text_stays_text(everybody: Sandbox, tmp_path: Path) -> None:
    texts = ["<r>a</r>", "<r>&\0</r>", "<r>  </r>", "<r></r>"]
    (tmp_path / "in.csv").write_text("mail,x\n" + "".join(f",{text}\n" for text in texts))
    output = enriched(everybody, tmp_path / "in.csv", tmp_path / "out.xlsx", "--by", "mail")
    assert [row[1].replace("_x0000_", "\0") for row in cells(output)[1:]] == texts


def test_control_characters_of_a_contact_are_escaped(everybody: Sandbox, tmp_path: Path) -> None:
    everybody.person("ana@acme.example", {"location": {"city": "a\x00b\rc\x0b\ufffe<r>"}})
    (tmp_path / "in.csv").write_text("mail\nana@acme.example\n")
    header, row = cells(enriched(everybody, tmp_path / "in.csv", tmp_path / "out.xlsx", "--by", "mail"))
    assert row[header.index("eb_city")] == "a_x0000_b_x000D_c_x000B__xFFFE_<r>"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("x" * 32, "x" * 31),
        ("😀" * 16, "😀" * 15),
        ("a[b]:c*d?e/f\\g", "a_b__c_d_e_f_g"),
        ("'quoted'", "quoted"),
        ("x" * 30 + "'y", "x" * 30),
        ("tab\there\x01", "tab_here_"),
        ("''", "Sheet1"),
        (" ", "Sheet1"),
        ("History", "Sheet1"),
        ("Ann's & Bob's", "Ann's & Bob's"),
    ],
)
def test_a_sheet_name_that_excel_refuses_is_changed(
    name: str, written: str, everybody: Sandbox, tmp_path: Path
) -> None:
    source = renamed(book(tmp_path / "in.xlsx", [["mail"], ["ana@acme.example"]]), name)
    output = enriched(everybody, source, tmp_path / "out.xlsx", "--by", "mail")
    assert openpyxl.load_workbook(output).sheetnames == [written]


def renamed(path: Path, name: str) -> Path:
    """The workbook with another name of its sheet, as programs that check nothing write it."""
    escaped = "".join(f"&#{ord(letter)};" if letter >= " " or letter == "\t" else "\x01" for letter in name)
    with zipfile.ZipFile(path) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content.replace(b'"People"', f'"{escaped}"'.encode()))
    return path


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (12015550123, "12015550123"),
        (12015550123.0, "12015550123"),
        (12015550123.5, "12015550123.5"),
        (0.1, "0.1"),
        (1e22, "1e+22"),
        (-7, "-7"),
        (True, "true"),
        (False, "false"),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime.fromisoformat("2024-01-31T10:30:15"), "2024-01-31T10:30:15"),
        (time(10, 30), "10:30:00"),
        ("12015550123.0", "12015550123.0"),
        (None, ""),
    ],
)
def test_a_cell_of_another_type_becomes_text(
    cell: Any, text: str, everybody: Sandbox, tmp_path: Path
) -> None:
    source = book(tmp_path / "in.xlsx", [["mail", "x"], ["ana@acme.example", cell]])
    output = enriched(everybody, source, tmp_path / "out.jsonl", "--by", "mail")
    assert json.loads(output.read_text())["x"] == text


def test_a_duration_is_its_hours() -> None:
    assert _excel._text(timedelta(hours=30, seconds=5)) == "30:00:05"


def test_a_phone_number_that_was_typed_as_a_number_is_looked_up(everybody: Sandbox, tmp_path: Path) -> None:
    source = book(tmp_path / "in.xlsx", [["phone", "land"], [12015550123, "US"], [302345678, "Germany"]])
    given = ["--by", "phone=phone", "--region-column", "land", "--column", "phones"]
    output = enriched(everybody, source, tmp_path / "out.xlsx", *given)
    assert {entry.value for entry in everybody.ledger.entries} == {"+12015550123", "+49302345678"}
    header, *rows = cells(output)
    for row in rows:
        assert str(row[header.index("eb_phones")]).startswith("+")


def test_an_error_in_a_cell_is_nothing(everybody: Sandbox, tmp_path: Path) -> None:
    made = xlsxwriter.Workbook(str(tmp_path / "in.xlsx"))
    sheet = made.add_worksheet()
    fill(sheet, [["mail", "x"], ["ana@acme.example"]])
    sheet.write_formula(1, 1, "=NA()", None, "#N/A")
    sheet.write_formula(2, 0, "=1/0", None, "#DIV/0!")
    sheet.write_formula(2, 1, '="a"&"b"', None, "ab")
    made.close()
    output = enriched(everybody, tmp_path / "in.xlsx", tmp_path / "out.jsonl", "--by", "mail")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["mail"], row["x"], row["eb_status"]) for row in rows] == [
        ("ana@acme.example", "", "found"),
        ("", "ab", "missing"),
    ]


@pytest.mark.parametrize("above", [[], [["Contacts\nof 2024"]], [[], ["sep=;"], []]])
@pytest.mark.parametrize("counted", [False, True])
def test_rows_above_the_header_are_found_and_stay(
    above: list[list[Any]],
    everybody: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    counted: bool,
) -> None:
    table = [
        ["E-mail\n Address", "\ufeffid"],
        ["ana@acme.example", "1"],
        [],
        ["eve@acme.example", "2"],
        ["", " "],
    ]
    source = book(tmp_path / "in.xlsx", [*above, *table])
    skipped = ["--skip-rows", str(len(above))] if counted else []
    by = ["--by", "E-mail Address", *skipped]
    read = cells(enriched(everybody, source, tmp_path / "out.xlsx", *by))
    told = capsys.readouterr().err
    assert (f"the header is row {len(above) + 1}; no row above it is looked up" in told) is bool(above)
    assert [row[0] for row in read] == [row[0] if row else None for row in [*above, *table[:-1]]] + [None]
    assert read[len(above)][2:] == ADDED
    assert [row[2] for row in read[len(above) + 1 :]] == ["found", "missing", "found", "missing"]


def several(path: Path) -> Path:
    made = xlsxwriter.Workbook(str(path))
    made.add_worksheet("Hidden").hide()
    fill(made.add_worksheet("People"), [["mail"], ["ana@acme.example"]])
    fill(made.add_worksheet("Others & more"), [["mail"], ["eve@acme.example"], ["bob@acme.example"]])
    made.add_worksheet("Empty")
    made.get_worksheet_by_name("People").activate()
    made.get_worksheet_by_name("People").set_first_sheet()
    made.close()
    return path


def test_a_sheet_is_named_or_the_first_that_is_visible(
    everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = several(tmp_path / "in.xlsx")
    by = ["--by", "mail"]
    enriched(everybody, source, tmp_path / "out.xlsx", *by)
    assert "of 4 sheets, 'People' is read; --sheet names another" in capsys.readouterr().err
    other = enriched(everybody, source, tmp_path / "others.xlsx", *by, "--sheet", "others & More")
    assert openpyxl.load_workbook(other).sheetnames == ["Others & more"]
    assert len(cells(other)) == 3
    for sheet, ending, message in [
        (
            "Nobody",
            ExitCode.USAGE,
            "has no sheet 'Nobody': it has 'Hidden', 'People', 'Others & more', 'Empty'",
        ),
        ("Empty", ExitCode.FILES, EMPTY_SHEET),
    ]:
        assert main(["plan", str(source), *by, "--sheet", sheet]) == ending
        assert message in capsys.readouterr().err
    # A workbook with sheets of somebody's is no earlier output, whatever the first holds.
    made = openpyxl.load_workbook(other)
    made.create_sheet("Mine")
    made.save(other)
    given = ["enrich", str(source), *by, "-o", str(other), *against(everybody), "--sheet", "People"]
    assert main(given) == ExitCode.USAGE
    assert "--force" in capsys.readouterr().err
    assert main([*given, "--force"]) == ExitCode.DONE


def test_a_header_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(book(tmp_path / "in.xlsx", [[], ["Contacts"], [], ["mail", "id"], ["ana@acme.example", 1]]))
    assert main(["plan", source, "--by", "email"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "If there are rows above the names of the columns, pass --skip-rows N; also check --sheet" in told
    assert main(["plan", source, "--by", "email", "--skip-rows", "3"]) == ExitCode.USAGE
    assert "did you mean 'mail'?" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_other_kinds_become_sheets_and_sheets_other_kinds(
    kind: str, everybody: Sandbox, tmp_path: Path
) -> None:
    first = book(tmp_path / "in.xlsx", [["mail", "id"], ["ana@acme.example", "007"], [None, 'é\n"x"']])
    middle = enriched(everybody, first, tmp_path / f"middle.{kind}", "--by", "mail")
    header, found, missing = cells(enriched(everybody, middle, tmp_path / "out.xlsx", "--by", "mail"))
    assert header == ["mail", "id", *ADDED]
    assert found[:3] == ["ana@acme.example", "007", "found"]
    assert [cell or None for cell in missing[:3]] == [None, 'é\n"x"', "missing"]


def test_numbers_of_parquet_are_numbers_where_no_digit_is_lost(everybody: Sandbox, tmp_path: Path) -> None:
    table = pa.table({
        "mail": ["ana@acme.example", None],
        "n": pa.array([5, None], pa.int64()),
        "long": pa.array([2**60, None], pa.int64()),
        "x": pa.array([0.5, float("inf")]),
        "yes": [True, None],
        "list": [["a", "b"], None],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "in.parquet")
    given = ["--by", "mail", "--column", "score=likelihood:float64"]
    header, first, second = cells(enriched(everybody, tmp_path / "in.parquet", tmp_path / "out.xlsx", *given))
    assert first[1:6] == [5, "1152921504606846976", 0.5, True, "a;b"]
    assert second[1:6] == [None, None, "inf", None, None]
    assert isinstance(first[header.index("eb_score")], (int, float, type(None)))


def test_streams_are_sheets_too(everybody: Sandbox, tmp_path: Path) -> None:
    source = book(tmp_path / "in.xlsx", [["mail"], ["ana@acme.example"]])
    given = ["enrich", "-", "--from", "xlsx", "--by", "mail", "-y", *CITY, *against(everybody)]
    done = run(*given, stdin=source.read_bytes())
    assert done.returncode == 0, done.stderr
    (tmp_path / "out.xlsx").write_bytes(done.stdout)
    assert cells(tmp_path / "out.xlsx")[1][:2] == ["ana@acme.example", "found"]


@pytest.mark.parametrize(
    ("begins", "message"),
    [
        (b"", "is not a .xlsx file: pass its format with --from"),
        (b"mail\nana@acme.example\n", "is not a .xlsx file: pass its format with --from"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old .xls file, or has a password"),
        (b"PK\x03\x04junk", "is not an .xlsx file, or is damaged"),
        (None, "is not an .xlsx file, or is damaged"),
    ],
)
def test_what_is_no_workbook_is_told(
    begins: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.xlsx"
    whole = book(tmp_path / "whole.xlsx", [["mail"], ["ana@acme.example"]]).read_bytes()
    source.write_bytes(whole[: len(whole) // 2] if begins is None else begins)
    assert main(["plan", str(source), "--by", "mail"]) == ExitCode.FILES
    assert f"{source} {message}" in capsys.readouterr().err


def test_formulas_without_a_result_are_told(
    tmp_path: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    # openpyxl writes formulas without calculating them.
    for row in [["mail", "city"], ['=B2&"@x.example"', "=1+1"], ["ana@acme.example", "Rome"]]:
        sheet.append(row)
    made.save(tmp_path / "in.xlsx")
    enriched(everybody, tmp_path / "in.xlsx", tmp_path / "out.csv", "--by", "mail")
    told = capsys.readouterr().err
    # Once in each of the two runs.
    assert told.count("2 formulas of sheet 'Sheet' without a result are read as empty") == 2
    calculated = book(tmp_path / "calculated.xlsx", [["mail"], ["ana@acme.example"], ['=""'], ["=1+1"]])
    enriched(everybody, calculated, tmp_path / "out2.csv", "--by", "mail")
    assert "without a result" not in capsys.readouterr().err
