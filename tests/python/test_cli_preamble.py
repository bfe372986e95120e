"""CSV files as programs write them: notes above the header, a `sep=` line, odd names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from cli_runs import against, run

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._header import name_columns
from exactbuyer.cli._io import preamble as _preamble
from exactbuyer.cli._io.files import Location
from exactbuyer.cli._io.preamble import preamble_of

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

LINKEDIN = (
    'Notes:\n"When exporting your connection data, you may notice that some addresses are missing.\n'
    'You will only see email addresses, for connections who have allowed it"\n\n'
    "First Name,Last Name,URL,Email Address\nAna,Almeida,https://www.linkedin.com/in/ana,ana@acme.example\n"
)
BY = ["--by", "Email Address"]


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


def enriched(sandbox: Sandbox, text: str | bytes, tmp_path: Path, *options: str) -> str:
    """The output for a file, with the status as the only added column."""
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(text if isinstance(text, bytes) else text.encode())
    given = ["enrich", str(source), "-o", str(output), *against(sandbox), "--column", "city", *options]
    for _ in range(2):
        # The second run replaces the first run's output.
        assert main(given) == ExitCode.DONE
    return output.read_bytes().decode()


def test_notes_before_the_header_are_found_and_stay(
    everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = enriched(everybody, LINKEDIN, tmp_path, *BY)
    assert "in.csv: the header is line 5" in capsys.readouterr().err
    before, header, row, end = made.rsplit("\n", 3)
    assert (before + "\n", end) == (LINKEDIN.split("First Name", 1)[0], "")
    assert header.startswith("First Name,Last Name,URL,Email Address,eb_status,")
    assert "ana@acme.example,found," in row
    jsonl = ["enrich", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.jsonl"), *BY, *against(everybody)]
    assert main([*jsonl, "-q"]) == ExitCode.DONE
    assert (tmp_path / "out.jsonl").read_text().startswith('{"First Name":"Ana"')


def test_notes_before_the_header_may_be_counted(everybody: Sandbox, tmp_path: Path) -> None:
    text = "mail,mail\n-\nmail,n\nana@acme.example,1\n"
    made = enriched(everybody, text, tmp_path, "--by", "mail", "--skip-rows", "2")
    assert made.startswith("mail,mail\n-\nmail,n,eb_status,")
    assert main(["plan", str(tmp_path / "in.csv"), "--by", "mail", "--skip-rows", "3"]) == ExitCode.USAGE


def test_a_stream_has_notes_too(everybody: Sandbox) -> None:
    done = run("enrich", "-", "--from", "csv", *BY, *against(everybody), "-y", stdin=LINKEDIN.encode())
    assert done.returncode == 0
    assert b"ana@acme.example,found," in done.stdout


def test_a_header_that_is_not_found_has_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text(LINKEDIN)
    assert main(["plan", str(tmp_path / "in.csv"), "--by", "mail"]) == ExitCode.USAGE
    assert "pass --skip-rows N" in capsys.readouterr().err


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_names_the_delimiter(
    mark: str, line: str, end: str, everybody: Sandbox, tmp_path: Path
) -> None:
    text = end.join([f"{mark}{line}", "mail;name", "ana@acme.example;Ana, of Acme", ""])
    made = enriched(everybody, text, tmp_path, "--by", "mail")
    assert made.startswith(f"{mark}{line}{end}mail;name;eb_status;")
    assert "ana@acme.example;Ana, of Acme;found;" in made
    assert f"{mark}{line}{end}" in enriched(everybody, text, tmp_path, "--by", "mail", "--delimiter", ";")


def test_delimiters_at_the_end_of_rows_are_no_cells(everybody: Sandbox, tmp_path: Path) -> None:
    made = enriched(
        everybody, "mail,n\nana@acme.example,1,\nana@acme.example,2,,,\n", tmp_path, "--by", "mail"
    )
    assert [line.split(",")[:3] for line in made.splitlines()[1:]] == [
        ["ana@acme.example", "1", "found"],
        ["ana@acme.example", "2", "found"],
    ]


NAMES = [
    "E-mail Address",
    "E-mail\u00a0Address",
    "E-mail\nAddress",
    "\ufeffE-mail Address",
    " E-mail  Address\u200b ",
]


@pytest.mark.parametrize("there", NAMES)
@pytest.mark.parametrize("given", NAMES)
def test_names_are_matched_as_people_see_them(
    there: str, given: str, everybody: Sandbox, tmp_path: Path
) -> None:
    enriched(everybody, f'"{there}",n\nana@acme.example,1\n', tmp_path, "--by", given)
    frame = pd.DataFrame({there: ["ana@acme.example"]})
    with BulkEnricher("any", base_url=everybody.url) as enricher:
        made = enricher.enrich_table(frame, by=given)
        assert list(made["eb_status"]) == ["found"]
        assert made.columns[0] == there
        assert enricher.plan(frame, by=given).rows == 1


def test_a_name_that_is_there_means_itself(everybody: Sandbox) -> None:
    frame = pd.DataFrame({"E-mail Address": ["ana@acme.example"], "E-mail\u00a0Address": ["no address"]})
    with BulkEnricher("any", base_url=everybody.url) as enricher:
        assert list(enricher.enrich_table(frame, by="E-mail Address")["eb_status"]) == ["found"]


def planned(text: str, tmp_path: Path, *options: str) -> int:
    """The exit code of a plan for this file, which costs nothing."""
    (tmp_path / "in.csv").write_bytes(text.encode())
    return main(["plan", str(tmp_path / "in.csv"), *options])


PEOPLE = "Ana,ana@acme.example,open\nBob,bob@acme.example,{}\nCy,cy@acme.example,open\n"


@pytest.mark.parametrize(
    "text",
    [
        # A row has the name of the column in a cell.
        "name,mail,notes\n" + PEOPLE.format("status"),
        "name,mail,notes\n" + PEOPLE.format(" status\u00a0"),
        "name,mail,notes\n" + PEOPLE.format("status") * 40,
        # And one cell more than the names.
        "name,mail\nAna,Berlin\nBob,Rome,status\nCy,Oslo\n",
        "name,mail\nAna,Berlin\nBob,Rome,status\n",
        "name,mail\nAna,Berlin\nBob,bob@acme.example,status\nCy,Oslo,x\n",
        # One column.
        "mail\nana@acme.example\nstatus\n",
        "\n\nname,mail\nAna,status\n",
        "\ufeffname,mail\nAna,status\nBob,x\n",
        # As wide as the line above it.
        "Report,2026\nname,status\nAna,x\n",
    ],
)
def test_a_row_never_passes_for_the_names_of_the_columns(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planned(text, tmp_path, "--by", "status") == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "the header is line" not in told
    assert "pass --skip-rows N" in told
    first = next(line for line in text.strip("\ufeff\n").splitlines())
    names = first.split(",")
    # A line that may be a person's is not shown.
    assert all(repr(name) in told for name in names) is name_columns(names), told


def test_one_of_two_columns_is_not_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "name,mail\n" + "Ana,ana@acme.example\nphone,mail\n"
    assert planned(text, tmp_path, "--by", "mail", "--by", "phone") == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "(number 2 of 2)" in told
    assert "'name', 'mail'" in told


HEADERS = {
    "plain": "Name,mail,city",
    "white space": "Name, mail ,city",
    "no-break space": "Name,mail\u00a0,city",
    "byte-order mark": "Name,\ufeffmail,city",
    "quoted": '"Name","mail","city"',
}
NOTES = {
    "none": "",
    "notes": "Contacts\n\nMade in 2026\n",
    "padded notes": "Contacts,,\n,,\nMade,2026,\n",
    "a note that names the column": "Contacts\nThese have a,mail\n",
    "a first line that names the column": "By,mail\n",
    "a byte-order mark before notes": "\ufeffContacts\n",
}


@pytest.mark.parametrize("notes", NOTES)
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("skip", ["found", "counted"])
def test_the_names_of_the_columns_are_found_below_notes(
    notes: str, header: str, skip: str, everybody: Sandbox, tmp_path: Path
) -> None:
    text = f"{NOTES[notes]}{HEADERS[header]}\nAna,ana@acme.example,mail\nBob,bob@acme.example,x\n"
    skipped = [] if skip == "found" else ["--skip-rows", str(NOTES[notes].count("\n"))]
    made = enriched(everybody, text, tmp_path, "--by", "mail", *skipped)
    assert made.startswith(f"{NOTES[notes]}{HEADERS[header]},")
    assert [line.split(",")[:4] for line in made.splitlines()[-2:]] == [
        ["Ana", "ana@acme.example", "mail", "found"],
        ["Bob", "bob@acme.example", "x", "found"],
    ]


def test_a_single_column_is_found_below_a_note(everybody: Sandbox, tmp_path: Path) -> None:
    made = enriched(everybody, "Contacts\n\nmail\nana@acme.example\nmail\n", tmp_path, "--by", "mail")
    assert made.startswith("Contacts\n\nmail,eb_status,")
    assert "\nana@acme.example,found," in made


@pytest.mark.parametrize("header", ["mail,city", "city,mail,,"])
def test_notes_without_rows_below_them(header: str, tmp_path: Path) -> None:
    assert planned(f"Contacts\n\n{header}\n", tmp_path, "--by", "mail") == ExitCode.DONE
    assert planned(f"Contacts\n\n{header}", tmp_path, "--by", "mail") == ExitCode.DONE


def test_two_lines_that_may_be_the_names_of_the_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Columns,mail,,\nname,mail,city\nAna,ana@acme.example,Rome\n"
    assert planned(text, tmp_path, "--by", "mail") == ExitCode.USAGE
    assert "such as 0 or 1" in capsys.readouterr().err
    for lines in ("0", "1"):
        assert planned(text, tmp_path, "--by", "mail", "--skip-rows", lines) == ExitCode.DONE


@pytest.mark.parametrize("lines", ["1", "2", "9"])
def test_lines_that_are_counted_wrongly_are_told(
    lines: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "name,mail\nAna,Rome\nBob,Oslo\n"
    assert planned(text, tmp_path, "--by", "mail", "--skip-rows", lines) in {ExitCode.USAGE, ExitCode.FILES}
    told = capsys.readouterr().err
    assert ("is empty" if lines == "9" else "Also check --skip-rows") in told
    assert not re.search("Ana|Rome|Bob|Oslo", told)


@pytest.mark.parametrize("skip_rows", [None, 0, 1, 2, 9])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("first", ["sep=;", "Notes", "a;mail"])
def test_it_does_not_count_in_how_many_blocks_a_file_comes(
    first: str, end: str, skip_rows: int | None
) -> None:
    text = end.join([first, "of today", "a;mail", "1;ana@acme.example", ""]).encode()
    location = Location("in.csv", "csv", skip_rows=skip_rows, labels=("mail",))
    whole, *others = (
        preamble_of(iter([text[at : at + size] for at in range(0, len(text), size)]), location, ";")
        for size in (len(text), 1, 2, 3)
    )
    assert [other[1:] for other in others] == [whole[1:]] * 3


@pytest.mark.parametrize("skip_rows", [None, 0, 1, 5])
def test_a_line_without_an_end_is_not_read_to_the_end(
    skip_rows: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_preamble, "MOST_LINE_BYTES", 100_000)
    looked_at: list[int] = []

    class Counting:
        def search(self, text: bytearray, start: int) -> Any:
            looked_at.append(len(text) - start)
            return whole_line_end.search(text, start)

    whole_line_end = _preamble._WHOLE_LINE_END
    monkeypatch.setattr(_preamble, "_WHOLE_LINE_END", Counting())
    blocks = [*([b"a,b\n"] if skip_rows else []), *[b"x" * 10_000] * 100]
    location = Location("in.csv", "csv", skip_rows=skip_rows, labels=("mail",))
    preamble = preamble_of(iter(blocks), location, ",")
    assert 100_000 < len(preamble.begins) < 200_000
    # The splitter gets the line, and refuses it.
    assert preamble.length == (4 if skip_rows else 0)
    # No byte is looked through again and again.
    assert 0 < sum(looked_at) < 200_000


@pytest.mark.parametrize("options", [[], ["--skip-rows", "1"]])
def test_a_line_that_is_too_long_is_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = b"x" * (_preamble.MOST_LINE_BYTES + 1)
    (tmp_path / "in.csv").write_bytes(b"note\n" + text if options else text)
    assert main(["plan", str(tmp_path / "in.csv"), "--by", "mail", *options]) == ExitCode.FILES
    line = 2 if options else 1
    assert f"the record that begins in line {line} does not end within 64 MiB" in capsys.readouterr().err
