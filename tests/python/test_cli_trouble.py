"""A command that is stopped: pipes closed early, full disks, Ctrl-C. What was paid for stays within reach."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import COMMAND, PATIENCE_S, against, environment, last_line, people, run, start, until

from exactbuyer.cli import ExitCode, main
from exactbuyer.cli import _app as app
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits are POSIX's")

SLOWLY = ["--max-concurrency", "1", "--chunk-size", "10", "--column", "full_name"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(people(20_000))
    return file


def statuses(file: Path) -> list[str]:
    """The status of each row, each of which is whole."""
    with file.open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert {len(row) for row in rows} == {8}
    return [row[2] for row in rows[1:]]


def left(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} - {"people.csv"}


def test_a_pipe_that_is_closed_stops_the_spending(file: Path, everybody: Sandbox) -> None:
    command = start(
        "enrich", file, "--by", "mail", *SLOWLY, *against(everybody), "--json",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline().startswith(b"id,mail,eb_status")
    command.stdout.close()
    told = command.stderr.read().decode()
    command.stderr.close()
    assert command.wait(PATIENCE_S) == ExitCode.PIPE_CLOSED
    assert "Traceback" not in told
    receipt = json.loads(told.splitlines()[-1])
    assert receipt["exit_code"] == ExitCode.PIPE_CLOSED
    assert receipt["input_rows"] == 20_000 > receipt["rows"]
    assert receipt["stopped"] == "stopped, as nobody reads the output any more"
    assert "nothing was kept of what nobody reads any more; running it again pays for everybody again" in told
    assert receipt["credits"] == everybody.ledger.credits < 20_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_a_full_disk_is_told(file: Path, tmp_path: Path, everybody: Sandbox) -> None:
    given = [
        "enrich",
        file,
        "--by",
        "mail",
        *against(everybody),
        "--column",
        "full_name",
        "--chunk-size",
        "50",
    ]
    done = run(*given, "-o", "/dev/full", "--to", "csv")
    assert done.returncode == ExitCode.FILES
    assert "/dev/full cannot be written: No space left on device" in done.stderr.decode()
    with Path("/dev/full").open("wb") as full:
        command = start(*given, stdout=full, stderr=subprocess.PIPE)
        _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.FILES
    assert b"standard output cannot be written" in told
    assert left(tmp_path) == set()


@pytest.mark.parametrize("command", ["plan", "enrich"])
def test_a_plan_that_nobody_reads_is_no_bug(command: str, file: Path) -> None:
    given = [command, file, "--by", "mail", *(["--dry-run"] if command == "enrich" else [])]
    reader, writer = os.pipe()
    os.close(reader)
    process = start(*given, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, told) == (ExitCode.PIPE_CLOSED, b"")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("wb") as full:
            process = start(*given, stdout=full, stderr=subprocess.PIPE)
            _, told = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, told.count(b"\n")) == (ExitCode.FILES, 1), told


@pytest.mark.parametrize(("closed", "said"), [("<&-", b"no standard input"), (">&-", b"no standard output")])
def test_streams_that_are_not_there_are_told(
    closed: str, said: bytes, file: Path, everybody: Sandbox
) -> None:
    source = ["-", "--from", "csv"] if closed == "<&-" else [str(file)]
    given = [*COMMAND, "enrich", *source, "--by", "mail", "--yes", *against(everybody)]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *given],
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == ExitCode.FILES, done.stderr
    assert said in done.stderr


def limited(size: int) -> Callable[[], None]:
    """Lets no file grow beyond this size, as a full disk would."""

    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize(
    ("name", "size"),
    [("out.csv", 8_000_000), ("out.parquet", 1_000_000), ("out.csv.gz", 1_000_000), ("out.xlsx", 1_000_000)],
)
def test_a_disk_that_fills_up_leaves_what_was_there(
    name: str, size: int, file: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    output = tmp_path / name
    output.write_text("what was there")
    command = start(
        "enrich", file, "--by", "mail", *against(everybody), "-o", output, "--chunk-size", "100", "--json",
        "--force",
        stderr=subprocess.PIPE, preexec_fn=limited(size),
    )  # fmt: skip
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.FILES, told
    assert f"{name} cannot be written: File too large".encode() in told
    assert output.read_text() == "what was there"
    partial = tmp_path / name.replace("out", "out.partial")
    assert left(tmp_path) - {name} <= {partial.name}
    assert json.loads(told.splitlines()[-1])["credits"] == everybody.ledger.credits
    if name == "out.csv":
        with partial.open(newline="") as stream:
            rows = list(csv.reader(stream))
        assert {len(row) for row in rows} == {22}
        assert {row[2] for row in rows[1:]} == {"found"}
        assert f"{partial.name} has {len(rows) - 1:,} rows; answers worth".encode() in told


def test_what_could_not_be_put_into_its_place_is_not_said_to_be_there(
    file: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    everybody.fail("hang", request=4)
    output = tmp_path / f"{'o' * 251}.csv"
    command = start(
        "enrich", file, "--by", "mail", *SLOWLY, *against(everybody), "--json", "--grace", 0.1,
        "-o", output, stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: len(everybody.ledger.requests) == 4)
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signal.SIGINT, told
    assert b"nothing was kept; answers worth 30 credits are lost" in told
    receipt = json.loads(told.splitlines()[-1])
    assert (receipt["kept"], receipt["kept_rows"], receipt["lost_credits"]) == (None, None, 30)


def test_what_went_to_standard_output_is_there(file: Path, tmp_path: Path, everybody: Sandbox) -> None:
    everybody.fail("hang", request=4)
    output = tmp_path / "out.csv"
    with output.open("wb") as stream:
        command = start(
            "enrich", file, "--by", "mail", *SLOWLY, *against(everybody), "--json", "--grace", 0.1,
            stdout=stream, stderr=subprocess.PIPE,
        )  # fmt: skip
        until(lambda: len(everybody.ledger.requests) == 4)
        command.send_signal(signal.SIGINT)
        _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signal.SIGINT, told
    met = statuses(output)
    assert met[:30] == ["found"] * 30
    assert f"the output has {len(met):,} rows; running it again pays".encode() in told
    receipt = json.loads(told.splitlines()[-1])
    assert (receipt["kept"], receipt["kept_rows"], receipt["lost_credits"]) == ("the output", len(met), 0)


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_ctrl_c_leaves_what_was_paid_for(
    number: signal.Signals, ending: ExitCode, file: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    everybody.fail("hang", request=4)
    output = tmp_path / "out.csv"
    command = start(
        "enrich", file, "--by", "mail", *SLOWLY, *against(everybody), "-o", output, "--json", "--grace", 0.1,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: len(everybody.ledger.requests) == 4)
    command.send_signal(number)
    _, told = command.communicate(timeout=PATIENCE_S)
    receipt = json.loads(told.splitlines()[-1])
    assert (command.returncode, receipt["exit_code"]) == (-number, ending), told
    assert (receipt["credits"], receipt["credits_in_doubt"]) == (30, 10)
    assert everybody.ledger.credits == 40
    assert left(tmp_path) == {"out.partial.csv"}
    met = statuses(tmp_path / "out.partial.csv")
    assert met[:30] == ["found"] * 30
    assert met[30:40] == ["unknown"] * 10
    assert set(met[40:]) <= {"not_sent"}
    kept = (
        f"out.partial.csv has {len(met):,} rows; running it again pays for everybody again: use --store FILE"
    )
    assert kept in told.decode()
    assert (
        f"of the {len(met):,} rows read so far are open; {20_000 - len(met):,} of 20,000 rows were not read"
        in told.decode()
    )
    assert (
        receipt["stopped"]
        == receipt["error"]
        == f"stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}"
    )


def test_ctrl_c_while_a_stream_is_waited_for(everybody: Sandbox) -> None:
    command = start(
        "enrich", "-", "--from", "csv", "--by", "mail", *SLOWLY, *against(everybody), "--yes", "--json",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert command.stdin is not None
    assert command.stdout is not None
    command.stdin.write(b"id,mail\n")
    command.stdin.flush()
    assert command.stdout.readline().startswith(b"id,mail,")
    command.send_signal(signal.SIGINT)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signal.SIGINT, told
    assert b"Traceback" not in told


def test_the_second_ctrl_c_leaves_at_once(file: Path, tmp_path: Path, everybody: Sandbox) -> None:
    everybody.fail("hang", request=1)
    command = start(
        "enrich", file, "--by", "mail", *SLOWLY, *against(everybody), "-o", tmp_path / "out.csv",
        "--grace", str(10 * PATIENCE_S), stderr=subprocess.PIPE,
    )  # fmt: skip
    assert command.stderr is not None
    until(lambda: len(everybody.ledger.requests) == 1)
    command.send_signal(signal.SIGINT)
    told = command.stderr.readline()
    assert b"Ctrl-C again leaves at once" in told
    command.send_signal(signal.SIGINT)
    told = command.stderr.read()
    command.stderr.close()
    assert command.wait(PATIENCE_S) == -signal.SIGINT, told
    assert not (tmp_path / "out.csv").exists()


def test_the_output_appears_only_when_it_is_whole(file: Path, tmp_path: Path, everybody: Sandbox) -> None:
    everybody.fail("slow", request=3, pause=0.05)
    output = tmp_path / "out.csv"
    output.write_text("before")
    output.chmod(0o640)
    link = tmp_path / "link.csv"
    link.symlink_to(output)
    done = run(
        "enrich",
        file,
        "--by",
        "mail",
        *against(everybody),
        "-o",
        link,
        "--column",
        "full_name",
        "--json",
        "--force",
    )
    assert last_line(done)["exit_code"] == 0
    assert link.is_symlink()
    assert (len(statuses(output)), output.stat().st_mode & 0o777) == (20_000, 0o640)
    assert left(tmp_path) == {"out.csv", "link.csv"}
    fresh = tmp_path / "fresh.csv"
    mask = os.umask(0)
    os.umask(mask)
    assert run("enrich", file, "--by", "mail", *against(everybody), "-o", fresh).returncode == 0
    assert fresh.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/stdout of this kind")
def test_a_pipe_by_name_is_written_to_and_not_replaced(tmp_path: Path, everybody: Sandbox) -> None:
    source, pipe = tmp_path / "in.csv", tmp_path / "pipe"
    source.write_text(people(5))
    os.mkfifo(pipe)
    command = start("enrich", source, "--by", "mail", *against(everybody), "-o", pipe, "--to", "csv", "-q")
    assert len(pipe.read_text().splitlines()) == 6
    assert command.wait(PATIENCE_S) == 0
    assert pipe.is_fifo()


def test_nobody_to_tell(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    command = [*COMMAND, "enrich", str(file), "--by", "mail", "--sandbox", "--yes", "-o", str(output)]
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *command],
        env=environment(),
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0
    assert "eb_status" in output.read_text().splitlines()[0]


_INTERRUPTED_IMPORT = """
import signal, sys

class Interrupting:
    def find_spec(self, name, *_):
        if name == "exactbuyer.cli._app":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from exactbuyer.cli import main
sys.exit(main(["--version"]))
"""


def test_ctrl_c_while_modules_are_imported_ends_quietly() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_IMPORT], capture_output=True, check=False, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, b"", b"")


@pytest.mark.parametrize(("rows", "most"), [(1_200, 1_200), (500, 1_000)])
def test_no_more_is_spent_than_was_approved(
    *,
    rows: int,
    most: int,
    tmp_path: Path,
    everybody: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rows are appended while the user looks at the plan, or after it if nobody is asked."""
    file = tmp_path / "people.csv"
    file.write_text(people(rows))
    planned = app._plan

    def plan_then_append(*arguments: Any) -> Any:
        plan = planned(*arguments)
        with file.open("a") as more:
            more.write(people(2_000, rows).split("\n", 1)[1])
        return plan

    # The sandbox is taken for the real service, and this for a terminal.
    monkeypatch.setattr(app, "LOOPBACK", "another service")
    monkeypatch.setattr(app, "_plan", plan_then_append)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: "y\n")
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")
    given = ["enrich", file, "--by", "mail", "-o", tmp_path / "out.csv", "--store", "none"]
    ended = main([*map(str, given), *against(everybody), "--no-progress", "--chunk-size", "100"])
    told = capsys.readouterr().err
    assert told.count("[y/N]") == told.count(f"Spend up to {most:,} credits? [y/N]: ") == (rows > 1_000)
    assert (ended, everybody.ledger.credits) == (ExitCode.CREDITS, most)
    assert f"this run may spend {most:,} credits, and needs more than was planned: the input or the" in told
    assert "To continue, run the same command again: it pays for everybody again" in told
