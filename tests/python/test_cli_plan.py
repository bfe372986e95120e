"""The command `exactbuyer plan`: what a file would look up and could cost."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from cli_runs import people

import exactbuyer.cli._plan
from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._io.files import KINDS

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plan_of_a_long_file_is_the_sum_of_its_windows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "long.csv"
    file.write_text(people(70) + people(70)[8:] + ",\nx,y\n")
    told = []
    for window in (1_000, 50):
        monkeypatch.setattr(exactbuyer.cli._plan, "WINDOW_ROWS", window)
        assert main(["plan", str(file), "--by", "mail", "--json", "--chunk-size", "50"]) == 0
        told.append(json.loads(capsys.readouterr().out))
    whole, parts = told
    assert (whole["to_send"], whole["duplicates"], whole["requests"]) == ([70, 70], 70, [2, 2])
    assert (parts["to_send"], parts["duplicates"], parts["requests"]) == ([140, 140], 0, [3, 3])
    assert whole["problems"] == parts["problems"]
    assert [problem[0] for problem in whole["problems"]] == [142], "counted from 1"
    assert {name: whole[name] for name in ("rows", "missing", "invalid")} == {
        "rows": 142,
        "missing": 1,
        "invalid": 1,
    }


def test_a_plan_of_a_file_with_alternatives_counts_the_requests_that_they_may_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "people.csv"
    rows = [f"a{number}@acme.example,b{number}@acme.example" for number in range(70)]
    file.write_text("\n".join(["work,home", *rows]) + "\n")
    planned = []
    for window in (1_000, 50):
        monkeypatch.setattr(exactbuyer.cli._plan, "WINDOW_ROWS", window)
        command = ["plan", str(file), "--by", "work", "--by", "home", "--json", "--chunk-size", "50"]
        assert main(command) == 0
        planned.append(json.loads(capsys.readouterr().out))
    plan = BulkEnricher(chunk_size=50).plan(pd.read_csv(file), by=["work", "home"])
    for each in planned:
        assert (each["to_send"], each["requests"]) == ([70, 140], list(plan.requests))
    # 140 lookups fill three requests; the alternatives may need one of their own.
    assert plan.requests == (2, 4)


@pytest.mark.parametrize(
    ("option", "what", "of_input", "of_output"),
    [
        (["--sheet", "People"], ".xlsx", {"xlsx"}, set()),
        (["--encoding", "cp1252"], "text files", {"csv", "tsv", "jsonl"}, set()),
        (["--skip-rows", "0"], "CSV and .xlsx", {"csv", "tsv", "xlsx"}, set()),
        (["--delimiter", ";"], "CSV", {"csv", "tsv"}, {"csv"}),
        (["--excel-safe"], "CSV", set(), {"csv", "tsv"}),
    ],
)
def test_an_option_for_other_kinds_of_file_is_refused(
    option: list[str],
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    of_input: set[str],
    of_output: set[str],
) -> None:
    for read, written in itertools.product(KINDS, [None, *KINDS] if of_input else KINDS):
        # There is no such input: what is refused is refused before it is looked for.
        given = ["plan" if written is None else "enrich", str(tmp_path / f"in.{read}"), "--by", "mail"]
        output = [] if written is None else ["-o", str(tmp_path / f"out.{written}"), "--sandbox"]
        is_for_it = read in of_input or written in of_output or bool(of_output and written is None)
        assert main([*given, *option, *output]) == (ExitCode.FILES if is_for_it else ExitCode.USAGE)
        told = capsys.readouterr().err
        assert (f"{option[0]} is for {what}, and " in told) is not is_for_it
