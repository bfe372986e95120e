"""Errors that nobody expected, of a library or of this package: what was paid for is kept, and reported."""

from __future__ import annotations

import csv
import errno
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from cli_runs import against, people, until
from excel_books import cells

from exactbuyer._files.atomic import Draft
from exactbuyer.cli import ExitCode, _app, main
from exactbuyer.cli import _run as _runs
from exactbuyer.cli._io import output as _output
from exactbuyer.cli._io.excel_output import ExcelSink
from exactbuyer.cli._io.parquet import ParquetSink
from exactbuyer.cli.exit_codes import FileError
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer.sandbox import Sandbox

ERRORS = [ValueError("Ana Almeida"), MemoryError(), csv.Error("line contains NUL"), SystemError()]
KINDS: dict[str, tuple[type, str]] = {
    "csv": (_output._Pieces, "write"),
    "csv.gz": (_output._Pieces, "write"),
    "jsonl": (_output._Pieces, "write"),
    "parquet": (ParquetSink, "write"),
    "xlsx": (ExcelSink, "write"),
}
SLOWLY = ["--chunk-size", "10", "--max-concurrency", "1", "--max-in-doubt", "10", "-y", "--column", "city"]
PIECE_ROWS = 5
"""How many rows are read and written at once with these options."""


class Panic(BaseException):
    """As a panic of a Rust library is: no `Exception`."""


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


def failing_after(times: int, error: BaseException, then: Callable[..., Any]) -> Callable[..., Any]:
    """A method that works a few times, and then always fails."""
    left = [None] * times

    def call(*args: Any, **how: Any) -> Any:
        if not left:
            raise error
        left.pop()
        return then(*args, **how)

    return call


def break_method(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: BaseException, *, after: int
) -> None:
    monkeypatch.setattr(owner, name, failing_after(after, error, getattr(owner, name)))


def enrich(sandbox: Sandbox, folder: Path, kind: str, *options: str, rows: int = 60) -> int:
    (folder / "in.csv").write_text(people(rows))
    given = ["enrich", str(folder / "in.csv"), "--by", "mail", "-o", str(folder / f"out.{kind}"), "--json"]
    return main([*given, *SLOWLY, *against(sandbox), *options])


def kept_rows(file: Path) -> int:
    if file.suffix == ".xlsx":
        return len(cells(file)) - 1
    if file.suffix == ".parquet":
        return int(pq.read_table(file).num_rows)
    if file.suffix == ".gz":
        import zlib

        # Without its end, as on a full disk.
        text = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(file.read_bytes()).decode()
    else:
        text = file.read_text()
    return text.count("\n") - (file.suffix != ".jsonl")


@pytest.fixture(params=ERRORS, ids=lambda error: type(error).__name__)
def error(request: pytest.FixtureRequest) -> BaseException:
    error: BaseException = request.param
    return error


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_kept_if_an_output_fails(
    error: BaseException,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    kind: str,
) -> None:
    owner, name = KINDS[kind]
    # gzip writes its header, and each piece, in several parts.
    break_method(monkeypatch, owner, name, error, after=16 if kind == "csv.gz" else 4)
    ending = enrich(everybody, tmp_path, kind)
    assert ending == ExitCode.BUG
    told = capsys.readouterr().err
    assert f"unexpected error ({type(error).__name__})" in told
    assert "Ana Almeida" not in told
    assert "Traceback" not in told
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.csv", f"out.partial.{kind}"}
    last = json.loads(told.splitlines()[-1])
    rows = kept_rows(tmp_path / f"out.partial.{kind}")
    assert rows == last["kept_rows"] > 0
    assert last["exit_code"] == ExitCode.BUG
    assert last["lost_credits"] == everybody.ledger.credits - rows


def test_an_error_of_the_library_for_excel_is_an_output_that_cannot_be_written(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_string = xlsxwriter.worksheet.Worksheet.write_string

    def fail_once(sheet: Any, row: int, column: int, text: str) -> Any:
        if (row, column) == (4 * PIECE_ROWS + 2, 5):
            raise xlsxwriter.exceptions.XlsxInputError("Ana Almeida")
        return write_string(sheet, row, column, text)

    monkeypatch.setattr(xlsxwriter.worksheet.Worksheet, "write_string", fail_once)
    assert enrich(everybody, tmp_path, "xlsx") == ExitCode.FILES
    told = capsys.readouterr().err
    assert "out.xlsx cannot be written: XlsxWriter refuses its rows" in told
    assert "Ana Almeida" not in told
    rows = cells(tmp_path / "out.partial.xlsx")[1:]
    # Of the piece that failed one row is there, and is not counted. The next row is not there in part.
    assert json.loads(told.splitlines()[-1])["kept_rows"] == len(rows) - 1 == 4 * PIECE_ROWS
    assert {row[2] for row in rows} == {"found"}


@pytest.mark.parametrize("kind", ["xlsx", "csv.gz"])
def test_an_output_that_cannot_be_begun_leaves_nothing(
    kind: str,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = xlsxwriter.exceptions.XlsxInputError("Ana Almeida")
    owner, name = (xlsxwriter.Workbook, "add_format") if kind == "xlsx" else KINDS[kind]
    # The library itself makes the first two formats.
    break_method(monkeypatch, owner, name, error, after=2)
    assert enrich(everybody, tmp_path, kind) == ExitCode.FILES
    assert "cannot be written" in capsys.readouterr().err
    assert everybody.ledger.requests == []
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.csv"}


@pytest.mark.parametrize("where", ["join", "read", "parts"])
@pytest.mark.parametrize("error", [ValueError("Ana Almeida"), MemoryError(), Panic()], ids=repr)
def test_what_was_written_is_kept_if_reading_or_joining_fails(
    error: BaseException,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    where: str,
) -> None:
    if where == "parts":
        parts = _runs._FileReader.parts

        def some(reader: Any, most_rows: Callable[[], int]) -> Any:
            for part, _ in zip(parts(reader, most_rows), range(3), strict=False):
                yield part
            raise error

        monkeypatch.setattr(_runs._FileReader, "parts", some)
    else:
        break_method(monkeypatch, _runs._FileReader, where, error, after=3)
    ending = enrich(everybody, tmp_path, "csv")
    told = capsys.readouterr().err
    assert ending == ExitCode.BUG
    assert "Ana Almeida" not in told
    last = json.loads(told.splitlines()[-1])
    if not everybody.ledger.credits:
        # A panic ends the call at once, perhaps before anything is sent.
        assert isinstance(error, Panic)
        assert last["kept_rows"] is None
        return
    assert last["kept_rows"] == kept_rows(tmp_path / "out.partial.csv") == 3 * PIECE_ROWS
    assert last["lost_credits"] == max(everybody.ledger.credits - 3 * PIECE_ROWS, 0)


def test_requests_in_flight_are_waited_for_if_rows_cannot_be_joined(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def join(*_: object) -> object:
        until(lambda: len(everybody.ledger.requests) == 2)
        raise FileError("a row does not fit")

    monkeypatch.setattr(_runs._FileReader, "join", join)
    # Longer than a request in flight is waited for when the enricher is closed at once.
    everybody.fail("slow", request=2, pause=1.0)
    path = tmp_path / "people.db"
    assert enrich(everybody, tmp_path, "csv", "--store", str(path), rows=20) == ExitCode.FILES
    told = capsys.readouterr().err
    assert "exactbuyer: a row does not fit" in told
    assert "run the same command again: it pays only for the rest" in told
    assert "usage page" not in told
    with Store(path) as store:
        assert list(store.unknown()) == []
    assert everybody.ledger.credits == 20


def test_with_a_store_the_same_command_pays_only_for_the_rest(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path / "people.db")]
    with monkeypatch.context() as patched:
        break_method(patched, ExcelSink, "write", ValueError(), after=4)
        assert enrich(everybody, tmp_path, "xlsx", *store) == ExitCode.BUG
    assert "run the same command again: it pays only for the rest" in capsys.readouterr().err
    assert enrich(everybody, tmp_path, "xlsx", *store) == ExitCode.DONE
    assert everybody.ledger.credits == 60
    assert len(cells(tmp_path / "out.xlsx")) == 61


def test_an_output_that_fails_at_its_end_is_reported(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_method(monkeypatch, ExcelSink, "finish", ValueError(), after=0)
    assert enrich(everybody, tmp_path, "xlsx") == ExitCode.BUG
    assert "nothing was kept; answers worth 60 credits are lost" in capsys.readouterr().err
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.csv"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_output_that_cannot_be_moved_to_its_place_is_kept(
    kind: str,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    move = Draft.move
    failed: list[Path] = []

    def fail_once(draft: Draft, target: Path, mode: int, *, replace: bool) -> None:
        if not failed:
            failed.append(target)
            raise OSError(errno.EIO, "the disk fails")
        move(draft, target, mode, replace=replace)

    monkeypatch.setattr(Draft, "move", fail_once)
    assert enrich(everybody, tmp_path, kind) == ExitCode.FILES
    last = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (last["kept_rows"], last["lost_credits"]) == (60, 0)
    assert kept_rows(tmp_path / f"out.partial.{kind}") == 60


@pytest.mark.parametrize("how", ["environment", "logger"])
def test_the_traceback_is_logged_at_debug(
    how: str,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if how == "environment":
        monkeypatch.setenv("EXACTBUYER_DEBUG", "1")
    else:
        monkeypatch.setattr(logging.getLogger("exactbuyer"), "level", logging.DEBUG)
    break_method(monkeypatch, ExcelSink, "write", ValueError("the cause"), after=1)
    assert enrich(everybody, tmp_path, "xlsx") == ExitCode.BUG
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert "ValueError: the cause" in told


OUTSIDE_A_RUN = {
    "surveyed": ["enrich", "--dry-run", "--json"],
    "check_cells": ["enrich", "-o", "out.xlsx", "--json"],
    "planned": ["plan", "--json"],
}


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("name", OUTSIDE_A_RUN)
def test_an_error_outside_a_run_ends_with_one_line(
    error: BaseException,
    everybody: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    name: str,
    debug: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    if debug:
        monkeypatch.setenv("EXACTBUYER_DEBUG", "1")
    break_method(monkeypatch, _app, name, error, after=0)
    Path("in.csv").write_text(people(3))
    command, *options = OUTSIDE_A_RUN[name]
    assert main([command, "in.csv", "--by", "mail", *options, *against(everybody)]) == ExitCode.BUG
    told = capsys.readouterr().err
    assert ("Traceback" in told) == debug
    assert debug or "Ana Almeida" not in told
    last = json.loads(told.splitlines()[-1])
    assert last["exit_code"] == ExitCode.BUG
    assert last["error"].startswith(f"unexpected error ({type(error).__name__})")
    assert everybody.ledger.requests == []
