"""What a command says and how it ends: help, streams, exit codes, questions, keys."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import against, last_line, people, run
from keys import KEY

import exactbuyer
from exactbuyer import sandbox
from exactbuyer.cli import ExitCode, main
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text("mail,id\nana@acme.example,1\n,2\nana@acme.example,3\nnobody,4\n")
    return file


def test_the_version_and_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version").stdout.decode() == f"exactbuyer {exactbuyer.__version__}\n"
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(command in told for command in ("enrich", "plan", "sandbox"))
    # None of them is cut off.
    assert main(["store", "--help"]) == 0
    shown = (told + capsys.readouterr().out).splitlines()
    assert [line for line in shown if line.startswith("  ") and line.endswith("...")] == []


@pytest.mark.parametrize("command", ["enrich", "plan"])
def test_every_option_is_explained(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    told = capsys.readouterr().out
    options = re.findall(r"^  (-[^\n]*?)(?:  +(\S[^\n]*))?\n(?: {20,}(\S))?", told, re.MULTILINE)
    assert len(options) > 15
    assert all(beside or below for _, beside, below in options), options


def test_exit_codes_are_distinct_and_documented(capsys: pytest.CaptureFixture[str]) -> None:
    assert len({int(ending) for ending in ExitCode}) == len(list(ExitCode))
    documented = DOCS.read_text()
    assert main(["enrich", "--help"]) == 0
    told = capsys.readouterr().out
    for ending in ExitCode:
        assert f"| {int(ending)} |" in documented, ending
        assert str(int(ending)) in told or ending is ExitCode.BUG


@pytest.mark.parametrize("arguments", [["enrich"], ["--fast"], ["sell"], ["enrich", "x.csv", "--by"]])
def test_what_it_cannot_read_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    told = capsys.readouterr()
    assert not told.out
    assert told.err.startswith(("Usage: exactbuyer", "Error: "))
    assert main(["--json", *arguments]) == ExitCode.USAGE
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["exit_code"] == ExitCode.USAGE


def test_without_the_extra_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exactbuyer.cli, "find_spec", lambda name: None)
    assert main(["enrich", "x.csv", "--by", "mail"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "pip install 'exactbuyer[cli]' (in a checkout: '.[cli]')" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("there", [True, False])
def test_the_sandbox_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    given: list[object] = []

    def serve(arguments: list[str]) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr(sandbox, "main", serve)
    if not there:
        monkeypatch.setattr(exactbuyer.cli, "find_spec", lambda name: None)
    assert main(["sandbox", "--port", "8000", "--help"]) == 0
    assert given == [["--port", "8000", "--help"]]


def test_data_to_stdout_talk_to_stderr(csv: Path) -> None:
    done = run("enrich", csv, "--by", "mail", "--sandbox", "--column", "full_name", "--json")
    assert done.returncode == ExitCode.DONE
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith("mail,id,eb_status,")
    assert [line.split(",")[:3] for line in lines[1:]][1:] == [
        ["", "2", "missing"],
        ["ana@acme.example", "3", lines[1].split(",")[2]],
        ["nobody", "4", "invalid"],
    ]
    told = last_line(done)
    assert (told["rows"], told["missing"], told["invalid"], told["exit_code"]) == (4, 1, 1, 0)
    assert "COMPLETE: 4 rows" in done.stderr.decode()
    assert "eb_reason" in done.stderr.decode()


def test_quiet_says_nothing_where_nothing_went_wrong(csv: Path, tmp_path: Path) -> None:
    done = run("enrich", csv, "--by", "mail", "--sandbox", "-q", "-o", tmp_path / "out.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 5


def test_a_plan_spends_nothing_and_needs_no_key(csv: Path, tmp_path: Path) -> None:
    done = run("plan", csv, "--by", "mail", "--credit-price", "0.05", "EUR", key=None)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "at most 1 (EUR 0.05)" in done.stdout.decode()
    assert "invalid   1 row (4): not recognised as " in done.stdout.decode()
    told = json.loads(run("plan", csv, "--by", "mail", "--json", key=None).stdout)
    assert (told["rows"], told["duplicates"], told["max_credits"]) == (4, 1, 1)
    # As the program prints numbers, and as Python writes them.
    for most in ("5,000", "5_000"):
        told = json.loads(run("plan", csv, "--by", "mail", "--max-credits", most, "--json").stdout)
        assert told["ceiling_left"] == 5_000
    for most in ("5.000", "5,00", "5,000.0", "1,5"):
        refused = run("plan", csv, "--by", "mail", "--max-credits", most)
        assert refused.returncode == ExitCode.USAGE
        assert f"'{most}' is not a whole number, such as 5000 or 5,000" in refused.stderr.decode()
    output = tmp_path / "out.csv"
    done = run("enrich", csv, "--by", "mail", "--dry-run", "-o", output, key=None)
    assert (done.returncode, output.exists()) == (0, False)
    assert "at most 1" in done.stdout.decode()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "nothing"], "--by names a column that the table lacks. Its columns: 'mail', 'status'"),
        (["--by", "mail", "--by", "mail"], "twice"),
        (
            ["--by", "email=mail"],
            "'mail' is not a field type; use email, phone or social_profile; did you mean --by mail=",
        ),
        (["--by", "mail=mail"], "'mail' is not a field type; use email, phone or social_profile\n"),
        (["--by", "mail", "--from", "xls"], "--from is one of csv, tsv, jsonl, parquet"),
        (["--by", "mail", "-o", "out.xls"], "no spreadsheets but .xlsx can be written"),
        (["--by", "mail", "-o", "out.xlsx.gz"], ".xlsx is compressed inside"),
        (["--by", "mail", "-o", "out.xlsx", "--excel-safe"], "--excel-safe is for CSV"),
        (["--by", "mail", "--sheet", "People"], "--sheet is for .xlsx, and the input is csv"),
        (["--by", "mail", "--column", "x=a:int65"], "date or timestamp\n"),
        (["--by", "mail", "-o", "out.txt"], "pass --to"),
        (["--by", "mail", "-o", "out.csv/"], "out.csv/ is a folder: name a file in it"),
        (["--by", "mail", "--tag", "a=b", "--tag", "a=c"], "--tag names 'a' twice"),
        (["--by", "mail", "-o", "out.parquet.gz"], "leave out .gz"),
        (["--by", "mail", "-o", "out.jsonl", "--excel-safe"], "--excel-safe is for CSV"),
        (["--by", "mail", "--column", "shoe_size"], "give it a path"),
        (["--by", "mail", "--column", "x=a..b"], "path"),
        (["--by", "mail", "--max-credits", "-1"], "--max-credits must be a whole number"),
        (["--by", "mail", "--delimiter", ";;"], "--delimiter must be one character"),
        (["--by", "mail", "--from", "jsonl", "--delimiter", ";"], "--delimiter is for CSV"),
        (["--by", "mail", "--column", "=title"], "--column must be a name"),
        (["--by", "mail", "--column", "title", "--column", "title=id"], "--column names 'title' twice"),
        (["--by", "mail", "--grace", "-1"], "--grace must be a number of seconds from 0 to"),
        (["--by", "mail", "--timeout", "nan"], "--timeout must be a number of seconds"),
        (["--by", "mail", "--chunk-size", "2000"], "--chunk-size must be a whole number"),
        (
            ["--by", "mail", "--sandbox", "--base-url", "http://127.0.0.1:1"],
            "--sandbox and --base-url cannot be combined",
        ),
        (["--by", "mail", "--prefix", ""], "prefix"),
        (["--by", "mail", "--key-file", "nowhere"], "No such file"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text("mail,status\nana@acme.example,1\n")
    assert main(["enrich", "people.csv", *options, "--yes"]) == ExitCode.USAGE
    told = capsys.readouterr()
    assert not told.out
    assert said in told.err
    assert told.err.startswith("exactbuyer: ")
    assert told.err.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["people.csv"]


def test_a_type_may_be_given_and_a_column_may_look_like_one(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mobile,a=phone\n7734749362,x\n7734749362,ana@acme.example\n")
    options = ["--default-region", "US", *against(everybody), "-o", tmp_path / "out.csv", "-q"]
    assert run("enrich", file, "--by", "a=phone", "--by", "mobile=phone", *options).returncode == 0
    rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert [row[3] for row in rows] == ["eb_matched_by", "mobile", "a=phone"]


def test_a_file_with_another_delimiter_is_recognised(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mail;id\nana@acme.example;1\n")
    done = run("enrich", file, "--by", "mail", *against(everybody))
    assert done.returncode == ExitCode.USAGE
    assert "--delimiter ';'" in done.stderr.decode()
    done = run("enrich", file, "--by", "mail", "--delimiter", ";", *against(everybody), "--column", "title")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[0] == (
        "mail;id;eb_status;eb_matched_by;eb_source;eb_fetched_at;eb_reason;eb_title"
    )


def refused(sandbox: Sandbox) -> None:
    sandbox.reject("person1@acme.example")


def broke(sandbox: Sandbox) -> None:
    sandbox.top_up(0)


@pytest.mark.parametrize(
    ("settings", "prepare", "options", "ending"),
    [
        ({}, lambda sandbox: None, [], ExitCode.DONE),
        ({}, refused, [], ExitCode.ROWS_FAILED),
        ({"credits": 5}, lambda sandbox: None, ["--chunk-size", "5"], ExitCode.CREDITS),
        ({}, lambda sandbox: None, ["--max-credits", "3"], ExitCode.CREDITS),
        ({"api_key": "another"}, lambda sandbox: None, [], ExitCode.KEY_REFUSED),
        ({}, lambda sandbox: sandbox.fail("reset_after_billing", times=1), [], ExitCode.UNKNOWN),
        ({}, lambda sandbox: sandbox.fail("status_404"), [], ExitCode.SERVICE),
        ({}, lambda sandbox: sandbox.fail("status_503"), ["--max-retries", "0"], ExitCode.ROWS_FAILED),
    ],
)
def test_exit_codes(
    settings: dict[str, Any],
    prepare: Callable[[Sandbox], None],
    options: list[str],
    ending: ExitCode,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, output = tmp_path / "people.csv", tmp_path / "out.csv"
    file.write_text(people(10))
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")
    with Sandbox(match_rate=1.0, requests_per_minute=None, **settings) as sandbox:
        prepare(sandbox)
        given = [
            "enrich",
            str(file),
            "--by",
            "mail",
            "-o",
            str(output),
            *against(sandbox),
            *options,
            "--json",
        ]
        assert main(given) == ending
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert told["exit_code"] == ending
    assert bool(told["error"]) == (ending != ExitCode.DONE)
    whole = ending not in {ExitCode.KEY_REFUSED, ExitCode.SERVICE}
    assert output.exists() == whole
    if whole:
        assert len(output.read_text().splitlines()) == 11
        assert told["rows"] == 10
    assert {file.name for file in tmp_path.iterdir()} <= {"people.csv", "out.csv"}


def test_a_missing_key_is_told_before_anything_is_opened(csv: Path, tmp_path: Path) -> None:
    done = run("enrich", csv, "--by", "mail", "-o", tmp_path / "out.csv", key=None)
    assert done.returncode == ExitCode.USAGE
    assert b"EXACTBUYER_API_KEY, or pass --key-file" in done.stderr
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_key_file_has_to_be_safe(csv: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    with Sandbox(api_key=KEY, requests_per_minute=None) as sandbox:
        given = ["enrich", csv, "--by", "mail", "--key-file", key, *against(sandbox)]
        key.chmod(0o640)
        done = run(*given, key=None)
        assert done.returncode == ExitCode.USAGE
        assert "chmod 600" in done.stderr.decode()
        key.chmod(0o600)
        for text in (KEY.encode(), b"\xef\xbb\xbf" + KEY.encode() + b"\r\n"):
            key.write_bytes(text)
            assert run(*given, key=None).returncode == 0
        for text in (b"", b"secret one\nsecret two", b"\xff", b"secret" * 1000):
            key.write_bytes(text)
            done = run(*given, key=None)
            assert done.returncode == ExitCode.USAGE
            assert b"holds no API key: it should be its only line" in done.stderr
            assert b"secret" not in done.stderr


def test_offline_nothing_is_begun(csv: Path) -> None:
    given = ["enrich", csv, "--by", "mail", "-o", csv.with_name("out.csv"), "--yes"]
    done = run(*given, cwd=csv.parent)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert done.stderr.decode() == (
        "exactbuyer: EXACTBUYER_OFFLINE is set, so that nothing can be sent to api.exactbuyer.com: unset it, "
        "or pass --sandbox, or --store-only for what the store has\n"
    )
    assert [entry.name for entry in csv.parent.iterdir()] == [csv.name]
    assert run(*given, "--dry-run", cwd=csv.parent).returncode == ExitCode.DONE
    assert run(*given, "--sandbox", cwd=csv.parent).returncode == ExitCode.DONE


@pytest.mark.parametrize("options", [[], ["--yes"], ["--sandbox"], ["--max-credits", "5"]])
def test_what_to_look_at_is_told_of_a_small_file_too(
    options: list[str], tmp_path: Path, everybody: Sandbox
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("mail\n" + "info@acme.example\n" * 200 + "ana@acme.example\n")
    given = ["enrich", file, "--by", "mail", "-o", tmp_path / "out.csv", *options]
    given += [] if "--sandbox" in options else against(everybody)
    done = run(*given)
    assert done.returncode == 0
    assert b"check     row 1's email appears in 200 rows: a placeholder?" in done.stderr
    assert run(*given, "-q").stderr == b""


@pytest.mark.parametrize("name", ["once.csv", "once.jsonl", "once.parquet", "once.xlsx"])
def test_columns_of_an_earlier_output_that_are_removed_are_told(
    name: str, csv: Path, everybody: Sandbox
) -> None:
    once = csv.with_name(name)
    given = ["--by", "mail", *against(everybody), "--column", "title"]
    assert run("enrich", csv, "-o", once, *given, "--column", "city").returncode == ExitCode.DONE
    done = run("enrich", once, "-o", csv.with_name("again.csv"), *given)
    assert done.returncode == ExitCode.DONE
    removed = "columns of an earlier call are removed, and this call does not add them again: 'eb_city'."
    instead = "To keep them, pass another --prefix, such as 'eb2_'"
    told = done.stderr.decode()
    assert told.count("columns of an earlier call") == 1
    assert f"exactbuyer: warning: {removed} {instead}" in told.splitlines()
    kept = run("enrich", once, "-o", csv.with_name("kept.csv"), *given, "--column", "city")
    assert b"columns of an earlier call" not in kept.stderr


@pytest.mark.parametrize("rows", [10, 200, 1_001])
@pytest.mark.parametrize("source", ["people.csv", "-"])
def test_a_column_that_holds_no_identifiers_is_refused(source: str, rows: int, tmp_path: Path) -> None:
    text = "name,mail\n" + "Ana,ana@acme.example\n" * rows + ",bob@acme.example\n"
    (tmp_path / "people.csv").write_text(text)
    output = tmp_path / "out.csv"
    output.write_text("an earlier output,eb_status\n")
    given = ["enrich", source, "--from", "csv", "--sandbox", "-o", output, "--force", "--json"]
    done = run(*given, "--by", "name", stdin=text.encode(), cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    told = done.stderr.decode()
    name = "standard input" if source == "-" else source
    assert f"no row of {name} can be looked up" in told
    # A long file, and a stream, are looked through only once.
    assert ("(row 1: not recognised" in told) is (source != "-" and rows <= 1_000)
    assert "check the column of --by, or pass --na-value" in told
    assert "Ana" not in told
    assert last_line(done)["exit_code"] == ExitCode.USAGE
    assert output.read_text() == "an earlier output,eb_status\n"
    # What counts as empty is not refused.
    assert run(*given, "--by", "name", "--na-value", "Ana", stdin=text.encode(), cwd=tmp_path).returncode == 0


def test_a_few_rows_that_cannot_be_looked_up_are_rows_like_others(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name\n" + "Ana\n" * 9)
    done = run("enrich", tmp_path / "people.csv", "--by", "name", "--sandbox", "-o", tmp_path / "out.csv")
    assert done.returncode == 0
    assert (tmp_path / "out.csv").read_text().count("invalid") == 9
