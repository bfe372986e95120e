"""`--excel-safe`: no text that is added is a formula, however a spreadsheet splits the line."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from cli_runs import against, run

from exactbuyer._frames.libraries import arrow_table
from exactbuyer.cli import ExitCode
from exactbuyer.cli._io.formulas import defused, defused_text

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("x;=cmd|' /C calc'!A0", "x;'=cmd|' /C calc'!A0"),
        (";=1", ";'=1"),
        ("x\n=1", "x\n'=1"),
        ("x\t@sum", "x\t'@sum"),
        ("x\r\n-1+1", "x\r\n'-1+1"),
        (" =1", "' =1"),
        ("\0=1", "'\0=1"),
        ("\ufeff=1", "'\ufeff=1"),
        ("\u00a0=1", "'\u00a0=1"),
        ("\u200b=1", "'\u200b=1"),
        ("x; \u200b\u00a0＝1", "x;' \u200b\u00a0＝1"),
        ('x;"=1"', 'x;\'"=1"'),
        ("+17735550142", "+17735550142"),
        ("+17735550142;+4930123456;=1", "+17735550142;+4930123456;'=1"),
        ("+1 773 555", "'+1 773 555"),
        ("'=1", "'=1"),
        ("Ana; Bob - Eve = 2", "Ana; Bob - Eve = 2"),
        ("ana@acme.example;bob@acme.example", "ana@acme.example;bob@acme.example"),
        ('{"a":[1,-5],"b":"x"}', '{"a":[1,-5],"b":"x"}'),
        ("Acme,=cmd|' /C calc'!A0", "Acme,=cmd|' /C calc'!A0"),
        ("", ""),
    ],
)
def test_every_part_that_may_be_a_formula_gets_an_apostrophe(text: str, written: str) -> None:
    assert defused_text(text, ",") == written
    assert defused_text(written, ",") == written
    table = pa.table({"one": [text, None], "several": [["Ana", text, None], None], "n": [-1, None]})
    columns = pa.table(defused(arrow_table(table), ","))
    assert columns.to_pydict() == {
        "one": [written, None],
        "several": [["Ana", written, None], None],
        "n": [-1, None],
    }
    assert columns.schema == table.schema


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Acme,=cmd|' /C calc'!A0", "Acme,'=cmd|' /C calc'!A0"),
        ('["x","=1"]', '["x",\'"=1"]'),
        ("a,b;=1", "a,b;'=1"),
        ("-1+1,-1+1", "'-1+1,'-1+1"),
        # Contacts stay JSON.
        ('{"geo":[71.05,-5],"a":[1,-2.5e-3,-7]}', '{"geo":[71.05,-5],"a":[1,-2.5e-3,-7]}'),
        ("Acme, Inc.", "Acme, Inc."),
    ],
)
def test_a_comma_separates_where_it_is_not_the_delimiter(delimiter: str, text: str, written: str) -> None:
    assert defused_text(text, delimiter) == written
    columns = pa.table(defused(arrow_table(pa.table({"one": [text]})), delimiter))
    assert columns.to_pydict() == {"one": [written]}


def test_no_cell_is_a_formula_at_any_separator(everybody: Sandbox, tmp_path: Path) -> None:
    evil = {"full_name": "x;=1+1,=3", "tags": ["y", "=cmd|' /C calc'!A0", "\u200b@1"], "note": "z\n=2"}
    everybody.person("ana@acme.example", evil)
    source = tmp_path / "in.csv"
    source.write_text("mail,note\nana@acme.example,=theirs\n")
    columns = [f"--column={name}" for name in ("full_name", "tags=tags[*]", "note=note", "contact")]
    semicolons = tmp_path / "semicolons.csv"
    semicolons.write_text(source.read_text().replace(",", ";"))
    for file, output, delimiter in (
        (source, "out.csv", ","),
        (source, "out.tsv", "\t"),
        (semicolons, "out-too.csv", ";"),
    ):
        given = ["enrich", file, "--by", "mail", "-o", tmp_path / output, *columns, "--excel-safe"]
        done = run(*given, *against(everybody), *(["--delimiter", ";"] if delimiter == ";" else []))
        assert done.returncode == 0, done.stderr
        text = (tmp_path / output).read_text()
        row = next(csv.DictReader(io.StringIO(text), delimiter=delimiter))
        # What is the caller's is not changed.
        assert row["note"] == "=theirs"
        assert row["eb_full_name"] == ("x;'=1+1,=3" if delimiter == "," else "x;'=1+1,'=3")
        assert row["eb_tags"] == "y;'=cmd|' /C calc'!A0;'\u200b@1"
        for separator in ",;\t":
            cells = [cell for cells in csv.reader(io.StringIO(text), delimiter=separator) for cell in cells]
            assert [cell for cell in cells if cell.startswith("=")] in ([], ["=theirs"])


@pytest.mark.parametrize("prefix", ["=", " @", "x;=", "x,=", "\u200b+"])
def test_a_name_that_is_a_formula_is_refused(prefix: str, everybody: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("mail\nana@acme.example\n")
    given = ["enrich", source, "--by", "mail", "--excel-safe", "--prefix", prefix, *against(everybody)]
    done = run(*given)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert b"choose another --prefix or --column" in done.stderr
    assert not everybody.ledger.requests
