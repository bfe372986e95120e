"""What a command says in the end: how much is done, what is left of it, what running it again costs."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import PATIENCE_S, against, last_line, people, run, start

from exactbuyer import Receipt
from exactbuyer.cli import ExitCode
from exactbuyer.cli._advice import KeptOutput, RunResult, next_step, title_of
from exactbuyer.cli._command_options import CommandOptions
from exactbuyer.cli._words import RESOLVE
from exactbuyer.cli.exit_codes import exit_code_of_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox

PAID_AGAIN = "running it again pays for everybody again: use --store FILE"
KEEP_IT = "Keep out.csv: 7 answers in it are not in the store. If you run it again, pass another -o"
ONLY_THE_REST = "run the same command again: it pays only for the rest"


def done(receipt: Receipt, ending: ExitCode = ExitCode.INTERRUPTED, **more: Any) -> RunResult:
    usual: dict[str, Any] = {"input_rows": 100, "is_whole": False, "costs": True}
    usual["is_stored"] = receipt.in_store
    return RunResult(exit_code=ending, receipt=receipt, **usual | more)


def step(ended: RunResult, **options: Any) -> str:
    return next_step(ended, CommandOptions({"prefix": "eb_", **options}), "out.csv")


BOUGHT = Receipt(rows=60, found=50, not_sent=10, credits=50, in_store=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ONLY_THE_REST),
        ({"refresh": True}, "run the same command without --refresh: what this run bought is in the store"),
        (
            {"max_age_days": 0.0},
            "run the same command without --max-age 0: what this run bought is in the store",
        ),
        (
            {"max_age_days": 30.0},
            "it pays only for the rest, and for answers older than 30 days by then (--max-age)",
        ),
        ({"max_age_days": 1.0}, "and for answers older than 1 day by then (--max-age)"),
    ],
)
@pytest.mark.parametrize(
    "ending", [ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.FILES, ExitCode.CREDITS]
)
def test_only_what_the_store_serves_again_is_called_free(
    ending: ExitCode, options: dict[str, Any], said: str
) -> None:
    assert said in step(done(BOUGHT, ending), **options)


def test_where_nothing_was_bought_nothing_is_left_out() -> None:
    nothing = done(Receipt(rows=60, not_sent=60, in_store=True))
    assert step(nothing, refresh=True) == step(nothing, max_age_days=0.0) == "run the same command again"


@pytest.mark.parametrize(
    "doubts", [{"unknown": 10}, {"credits_in_doubt": 10}], ids=["without an answer", "left in flight"]
)
@pytest.mark.parametrize("ending", [ExitCode.INTERRUPTED, ExitCode.FILES, ExitCode.BUG, ExitCode.STORE])
def test_doubts_are_resolved_before_it_is_run_again(ending: ExitCode, doubts: dict[str, Any]) -> None:
    told = step(done(Receipt(rows=60, found=50, credits=50, in_store=True, **doubts), ending), store="a b.db")
    if ending is ExitCode.STORE and "unknown" not in doubts:
        assert told.startswith("fix what stopped it, and ")
    assert told.endswith(
        f"check the service's usage page, then exactbuyer store --store 'a b.db' {RESOLVE}; "
        f"then {ONLY_THE_REST}"
    )


def test_what_the_store_does_not_have_is_bought_without_store_only() -> None:
    told = step(done(BOUGHT, ExitCode.ROWS_FAILED, is_whole=True), store_only=True)
    assert told == "the store does not have these: run it without --store-only to buy them"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"kept": KeptOutput("out.partial.csv", 40), "lost_credits": 1},
            f"out.partial.csv has 40 rows; answers worth 1 credit are lost; {PAID_AGAIN}",
        ),
        ({"lost_credits": 50}, f"nothing was kept; answers worth 50 credits are lost; {PAID_AGAIN}"),
        (
            {"ending": ExitCode.PIPE_CLOSED, "lost_credits": 50},
            f"nothing was kept of what nobody reads any more; {PAID_AGAIN}",
        ),
        (
            {"ending": ExitCode.PIPE_CLOSED, "costs": False},
            "nothing: the program that read the output has ended, and invented people cost nothing",
        ),
        ({"costs": False}, "run the same command again"),
    ],
)
def test_without_a_store_it_is_told_what_is_lost(more: dict[str, Any], said: str) -> None:
    assert step(done(Receipt(rows=60, found=50, not_sent=10, credits=50), **more)) == said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"kept": KeptOutput("out.partial.csv", 40)},
            "out.partial.csv has 40 rows, among them 7 answers that the store does not have; "
            + ONLY_THE_REST,
        ),
        ({"lost_credits": 7}, f"nothing was kept; answers worth 7 credits are lost; {ONLY_THE_REST}"),
        (
            {"ending": ExitCode.STORE, "is_whole": True},
            f"fix what stopped it, and {ONLY_THE_REST}. {KEEP_IT}",
        ),
    ],
)
def test_what_the_store_does_not_have_is_not_called_free(more: dict[str, Any], said: str) -> None:
    assert step(done(BOUGHT, is_stored=False, unstored=7, **more)) == said


def test_an_output_with_answers_that_could_not_be_stored_is_to_be_kept() -> None:
    receipt = Receipt(rows=60, found=60, not_stored=7, credits=60)
    exit_code = exit_code_of_run([], receipt)
    assert exit_code is ExitCode.STORE
    whole = done(receipt, ending=exit_code, is_whole=True, is_stored=False, unstored=7)
    assert step(whole) == KEEP_IT


@pytest.mark.parametrize(
    ("receipt", "more", "said"),
    [
        (BOUGHT, {}, "INCOMPLETE: 10 of the 60 rows read so far are open; 40 of 100 rows were not read"),
        (BOUGHT, {"input_rows": None}, "INCOMPLETE: 10 of the 60 rows read so far are open"),
        (Receipt(rows=60, found=60), {}, "INCOMPLETE: 40 of 100 rows were not read"),
        (Receipt(rows=60, found=60), {"input_rows": None}, "INCOMPLETE: stopped after 60 rows"),
        (
            Receipt(rows=100, found=100),
            {"ending": ExitCode.FILES},
            "INCOMPLETE: every row has its answer, the output is not written",
        ),
        # Whoever closed the pipe had seen enough.
        (Receipt(rows=100, found=100), {"ending": ExitCode.PIPE_CLOSED}, None),
        (BOUGHT, {"is_whole": True}, None),
    ],
)
def test_rows_that_were_not_read_are_counted(
    receipt: Receipt, more: dict[str, Any], said: str | None
) -> None:
    assert title_of(done(receipt, **more)) == said


def test_what_was_refreshed_is_not_promised_to_be_free(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "people.csv"
    file.write_text(people(20))
    given = ["enrich", file, "--by", "mail", "-o", tmp_path / "out.csv", *against(everybody)]
    given += ["--store", tmp_path / "people.db"]
    assert run(*given).returncode == 0
    refreshed = run(*given, "--refresh", "--max-credits", 30, "--chunk-size", 10)
    assert refreshed.returncode == ExitCode.CREDITS
    assert b"run the same command without --refresh: what this run bought is in the store" in refreshed.stderr
    assert everybody.ledger.credits == 30
    assert run(*given).returncode == 0
    assert everybody.ledger.credits == 30


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
def test_what_was_free_frightens_nobody(tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(people(3_000))
    reader, writer = os.pipe()
    os.close(reader)
    command = start("enrich", file, "--by", "mail", "--sandbox", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.PIPE_CLOSED
    assert (
        b"next      nothing: the program that read the output has ended, and invented people cost nothing"
        in told
    )
    assert b"again" not in told


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of two megabytes."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can make a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this root may not make a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def rows_of(file: Path) -> int:
    """How many rows a file has, each of which is whole."""
    rows = []
    with gzip.open(file, "rt", newline="") if file.suffix == ".gz" else file.open(newline="") as stream:
        try:
            for row in csv.reader(stream):
                rows.append(row)
        except EOFError:
            # The end of the packing is missing, and no row.
            assert file.suffix == ".gz"
    assert {len(row) for row in rows} == {len(rows[0])}
    return len(rows) - 1


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.parquet"])
def test_of_a_full_disk_it_is_told_how_many_rows_it_has(
    name: str, small_disk: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(people(40_000))
    # As answers come in small parts, some of the rows find room.
    given = ["enrich", file, "--by", "mail", "-o", small_disk / name, "--chunk-size", 100, "--json"]
    ended = run(*given, "--max-in-doubt", 200, *against(everybody))
    assert ended.returncode == ExitCode.FILES, ended.stderr
    charged = last_line(ended)["credits"]
    assert charged == everybody.ledger.credits > 0
    left = [entry.name for entry in small_disk.iterdir()]
    if name == "out.parquet":
        assert left == []
        said = f"nothing was kept; answers worth {charged:,} credits are lost; {PAID_AGAIN}"
    else:
        assert left == [name.replace("out", "out.partial")]
        rows = rows_of(small_disk / left[0])
        assert 0 < rows < charged
        said = f"{left[0]} has {rows:,} rows; answers worth {charged - rows:,} credits are lost; {PAID_AGAIN}"
    assert said in ended.stderr.decode()
    told = last_line(ended)
    kept = (told["kept_rows"], charged - told["lost_credits"])
    assert kept == ((None, 0) if name == "out.parquet" else (rows, rows))
    # That something is lost, is said in any case.
    assert b"running it again pays for everybody again" in run(*given, "-q", *against(everybody)).stderr


def test_a_partial_file_without_a_row_is_not_left(
    small_disk: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(people(20))
    # Room for the header.
    (small_disk / "rest").write_bytes(b"x" * ((2 << 20) - 8192))
    ended = run("enrich", file, "--by", "mail", "-o", small_disk / "out.csv", *against(everybody))
    assert ended.returncode == ExitCode.FILES
    assert b"nothing was kept; answers worth 20 credits are lost" in ended.stderr
    assert [entry.name for entry in small_disk.iterdir()] == ["rest"]
