"""CSV files as programs write them: notes above the header, a `sep=` line, odd names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from cli_runs import against, run

from exactbuyer import BulkEnricher
from exactbuyer.cli import Ending, main

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
        assert main(given) == Ending.DONE
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
    assert main([*jsonl, "-q"]) == Ending.DONE
    assert (tmp_path / "out.jsonl").read_text().startswith('{"First Name":"Ana"')


def test_notes_before_the_header_may_be_counted(everybody: Sandbox, tmp_path: Path) -> None:
    text = "mail,mail\n-\nmail,n\nana@acme.example,1\n"
    made = enriched(everybody, text, tmp_path, "--by", "mail", "--skip-rows", "2")
    assert made.startswith("mail,mail\n-\nmail,n,eb_status,")
    assert main(["plan", str(tmp_path / "in.csv"), "--by", "mail", "--skip-rows", "3"]) == Ending.USAGE


def test_a_stream_has_notes_too(everybody: Sandbox) -> None:
    done = run("enrich", "-", "--from", "csv", *BY, *against(everybody), "-y", stdin=LINKEDIN.encode())
    assert done.returncode == 0
    assert b"ana@acme.example,found," in done.stdout


def test_a_header_that_is_not_found_has_a_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text(LINKEDIN)
    assert main(["plan", str(tmp_path / "in.csv"), "--by", "mail"]) == Ending.USAGE
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
