"""Pipes that are slow, stalled or shared: nothing is lost while they are read, and a signal ends a wait."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import os
import select
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import PATIENCE_S, against, last_line, people, run, start, until

from exactbuyer._files.waiting import write_some
from exactbuyer.cli import ExitCode, main

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and signals are POSIX's")

ROWS = 5_000
IN_SMALL_BLOCKS = ["--chunk-size", 100, "--max-concurrency", 1]
STOPPED = {signal.SIGINT: "stopped by Ctrl-C", signal.SIGTERM: "stopped by SIGTERM"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(people(ROWS))
    return file


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Two connected ends, one to read and one to write, which the test closes. Node gives sockets."""
    if request.param == "pipe":
        return os.pipe()
    reader, writer = socket.socketpair()
    return reader.detach(), writer.detach()


def is_full(writer: int) -> bool:
    """Whether nothing more fits in."""
    return not select.select([], [writer], [], 0)[1]


def is_drained(reader: int) -> bool:
    """Whether all that was written was read by another process."""
    return not select.select([reader], [], [], 0)[0]


def everything(reader: int) -> bytes:
    """Reads to the end, and closes it."""
    with os.fdopen(reader, "rb") as stream:
        return stream.read()


def whole_rows(text: bytes) -> int:
    """How many whole rows there are. The text may end within a row."""
    rows = list(csv.reader(io.StringIO(text[: text.rfind(b"\n") + 1].decode(), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    return len(rows) - 1


def enriching(file: Path, sandbox: Sandbox, writer: int, *more: object) -> subprocess.Popen[bytes]:
    given = ["enrich", file, "--by", "mail", *against(sandbox), "--store", "none", "--yes", "--json", *more]
    return start(*given, stdout=writer, stderr=subprocess.PIPE)


def test_a_reader_of_a_pipe_that_does_not_block_gets_everything(
    ends: tuple[int, int], file: Path, everybody: Sandbox
) -> None:
    reader, writer = ends
    os.set_blocking(writer, False)
    command = enriching(file, everybody, writer)
    until(lambda: is_full(writer))
    assert not os.get_blocking(writer)
    os.close(writer)
    assert whole_rows(everything(reader)) == ROWS == everybody.ledger.credits
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.DONE, told


def test_what_comes_late_from_a_pipe_that_does_not_block_is_read(
    ends: tuple[int, int], tmp_path: Path, everybody: Sandbox
) -> None:
    reader, writer = ends
    os.set_blocking(reader, False)
    given = ["enrich", "-", "--from", "csv", "--by", "mail", *against(everybody), "--store", "none", "--yes"]
    command = start(*given, "-o", tmp_path / "out.csv", stdin=reader)
    head, rest = people(50).encode().split(b"\n", 1)
    os.write(writer, head + b"\n")
    until(lambda: is_drained(reader))
    os.write(writer, rest)
    os.close(writer)
    assert command.wait(PATIENCE_S) == ExitCode.DONE
    os.close(reader)
    assert whole_rows((tmp_path / "out.csv").read_bytes()) == 50


def test_names_that_come_late_are_read_and_answers_wait_for_their_reader(
    file: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    store = tmp_path / "people.db"
    given = ["enrich", file, "--by", "mail", *against(everybody), "--store", store, "--yes", "-q"]
    assert run(*given, "-o", tmp_path / "out.csv").returncode == ExitCode.DONE
    (names, asking), (reader, writer) = os.pipe(), os.pipe()
    os.set_blocking(names, False)
    os.set_blocking(writer, False)
    # There is no room until somebody reads.
    before = os.write(writer, bytes(1 << 24))
    command = start("store", "--store", store, "find", "-", stdin=names, stdout=writer)
    os.close(writer)
    os.write(asking, b"person1@acme.example\n")
    until(lambda: is_drained(names))
    os.write(asking, b"person2@acme.example\n")
    os.close(asking)
    assert everything(reader)[before:].count(b"\n") == 2
    assert command.wait(PATIENCE_S) == ExitCode.DONE
    os.close(names)


@pytest.mark.parametrize("number", STOPPED)
@pytest.mark.parametrize("flag", ["blocks", "does not block"])
def test_one_signal_ends_a_run_whose_output_nobody_reads(
    flag: str, number: signal.Signals, ends: tuple[int, int], file: Path, everybody: Sandbox
) -> None:
    reader, writer = ends
    os.set_blocking(writer, flag == "blocks")
    command = enriching(file, everybody, writer, "--grace", 0.1)
    until(lambda: is_full(writer))
    command.send_signal(number)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -number, told
    os.close(writer)
    receipt = last_line(_Told(told))
    assert receipt["error"] == f"{STOPPED[number]} with output unread"
    assert receipt["credits"] == everybody.ledger.credits
    assert receipt["kept_rows"] == whole_rows(everything(reader))
    assert 0 < receipt["lost_credits"] == receipt["credits"] - receipt["kept_rows"]


class _Told:
    """What a process has told, for `last_line`."""

    def __init__(self, stderr: bytes) -> None:
        self.stderr = stderr


@pytest.mark.parametrize("kind", ["csv.gz", "csv.zst", "jsonl", "tsv", "parquet"])
def test_of_a_stalled_output_only_what_can_be_read_counts_as_kept(
    kind: str, file: Path, everybody: Sandbox
) -> None:
    reader, writer = os.pipe()
    command = enriching(file, everybody, writer, "--to", kind, *IN_SMALL_BLOCKS, "--grace", 0.1)
    until(lambda: is_full(writer))
    command.send_signal(signal.SIGTERM)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signal.SIGTERM, told
    os.close(writer)
    receipt = last_line(_Told(told))
    content = everything(reader)
    if kind == "parquet":
        # It cannot be read without its end.
        assert (receipt["kept_rows"], receipt["lost_credits"]) == (None, receipt["credits"])
        return
    if kind == "csv.gz":
        import zlib

        content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content)
    assert 0 < receipt["kept_rows"] == receipt["credits"] - receipt["lost_credits"]
    if kind == "csv.gz":
        assert content.count(b"\n") - 1 >= receipt["kept_rows"]
    if kind in ("jsonl", "tsv"):
        assert content.count(b"\n") - (kind == "tsv") == receipt["kept_rows"]


@pytest.mark.parametrize("kind", ["csv", "csv.gz"])
def test_a_reader_that_goes_on_within_the_grace_gets_what_was_paid_for(
    kind: str, file: Path, everybody: Sandbox
) -> None:
    reader, writer = os.pipe()
    command = enriching(file, everybody, writer, "--to", kind, "--grace", PATIENCE_S, *IN_SMALL_BLOCKS)
    until(lambda: is_full(writer))
    command.send_signal(signal.SIGTERM)
    assert command.stderr is not None
    assert b"Waiting up to 120 s for the program that reads the output" in command.stderr.readline()
    os.close(writer)
    content = everything(reader)
    told = command.stderr.read()
    command.stderr.close()
    assert command.wait(PATIENCE_S) == -signal.SIGTERM, told
    receipt = last_line(_Told(told))
    assert (receipt["kept"], receipt["lost_credits"]) == ("the output", 0)
    rows = whole_rows(gzip.decompress(content) if kind == "csv.gz" else content)
    assert receipt["credits"] == everybody.ledger.credits <= receipt["kept_rows"] == rows < ROWS


def test_the_second_signal_does_not_wait_for_the_reader(file: Path, everybody: Sandbox) -> None:
    reader, writer = os.pipe()
    command = enriching(file, everybody, writer, "--grace", 10 * PATIENCE_S)
    until(lambda: is_full(writer))
    command.send_signal(signal.SIGTERM)
    assert command.stderr is not None
    assert b"Ctrl-C again leaves at once" in command.stderr.readline()
    command.send_signal(signal.SIGTERM)
    told = command.stderr.read()
    command.stderr.close()
    assert command.wait(PATIENCE_S) == -signal.SIGTERM, told
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("number", STOPPED)
def test_one_signal_ends_the_wait_for_a_reader_of_a_named_pipe(
    number: signal.Signals,
    tmp_path: Path,
    everybody: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in.csv").write_text(people(2))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    open_here, refused = os.open, []

    def signal_after_it_was_refused(path: Any, *how: Any, **more: Any) -> int:
        try:
            return open_here(path, *how, **more)
        except OSError as error:
            if error.errno == errno.ENXIO:
                refused.append(path)
                if len(refused) == 2:
                    signal.raise_signal(number)
            raise

    monkeypatch.setattr(os, "open", signal_after_it_was_refused)
    given = ["enrich", str(tmp_path / "in.csv"), "--by", "mail", "-o", str(pipe), "--to", "csv"]
    exit_code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
    assert main([*given, *against(everybody), "--store", "none"]) == exit_code
    assert refused == [str(pipe)] * 2
    assert "stopped; nothing was sent" in capsys.readouterr().err
    assert everybody.ledger.requests == []


@pytest.mark.parametrize("number", STOPPED)
def test_a_signal_while_the_input_has_not_begun_has_its_own_end(
    number: signal.Signals, tmp_path: Path, everybody: Sandbox
) -> None:
    reader, writer = os.pipe()
    given = ["enrich", "-", "--from", "csv", "--by", "mail", *against(everybody), "--store", "none", "--yes"]
    command = start(*given, "-o", tmp_path / "out.csv", stdin=reader, stderr=subprocess.PIPE)
    # It reads a part of the header, and waits for the rest.
    os.write(writer, b"id,ma")
    until(lambda: is_drained(reader))
    command.send_signal(number)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -number
    assert told.strip() == b"exactbuyer: stopped; nothing was sent"
    os.close(reader)
    os.close(writer)


def test_what_a_full_disk_has_of_standard_output_is_not_lost(
    file: Path, tmp_path: Path, everybody: Sandbox
) -> None:
    import resource

    output = tmp_path / "out.csv"
    given = ["enrich", file, "--by", "mail", *against(everybody), "--store", "none", "--yes", "--json"]
    with output.open("wb") as stream:
        command = start(
            *given, *IN_SMALL_BLOCKS,
            stdout=stream, stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY)),
        )  # fmt: skip
        _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.FILES, told
    receipt = last_line(_Told(told))
    rows = whole_rows(output.read_bytes())
    assert (receipt["kept"], receipt["kept_rows"]) == ("the output", rows)
    assert receipt["lost_credits"] == everybody.ledger.credits - rows
    assert f"the output has {rows:,} rows; answers worth".encode() in told


def test_a_part_that_another_writer_took_the_room_for_is_written_later() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    turns: list[int] = []
    taken = b"x" * os.write(writer, bytes(1 << 24))
    reading = threading.Thread(target=lambda: turns.append(len(os.read(reader, len(taken)))))

    def read_in_the_first_turn() -> None:
        if not reading.ident:
            reading.start()
            reading.join()

    assert write_some(writer, memoryview(b"piece"), read_in_the_first_turn) == 5
    assert turns == [len(taken)]
    os.close(writer)
    assert everything(reader) == b"piece"
