"""Places that cannot be what they were named for: said before anything is sent, with what to do instead."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_runs import against

from exactbuyer.cli import Ending, main

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_text("mail\nana@acme.example\n")
    return file


def test_a_file_that_may_be_an_array_is_told_how_to_become_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(tmp_path / "x.json"), "--by", "mail"]) == Ending.USAGE
    made = f"jq -c '.[]' {tmp_path / 'x.json'} > {tmp_path / 'x.jsonl'}"
    assert f"Say --from jsonl. It is an array? {made}" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "said"), [("parquet", "Parquet"), ("csv.gz", "what is compressed")])
def test_what_no_terminal_can_show_is_not_written_to_one(
    kind: str, said: str, everybody: Sandbox, csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        given = ["enrich", str(csv), "--by", "mail", "--to", kind, *against(everybody)]
        assert main(given) == Ending.USAGE
    assert not everybody.ledger.requests
    assert f"{said} is not written to a terminal: name a file with -o" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_not_made_for_a_store(
    csv: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["enrich", str(csv), "--by", "mail", *against(everybody)]
    assert main([*given, "--store", str(csv.parent / "nowhere" / "people.db")]) == Ending.STORE
    assert main([*given, "-o", str(csv.parent / "nowhere" / "out.csv")]) == Ending.FILES
    told = capsys.readouterr().err
    assert told.count(f"make the folder {csv.parent / 'nowhere'} first") == 2
    assert not everybody.ledger.requests
    assert [entry.name for entry in csv.parent.iterdir()] == ["in.csv"]
