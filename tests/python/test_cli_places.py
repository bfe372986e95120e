"""Places that cannot be what they were named for: said before anything is sent, with what to do instead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import PATIENCE_S, against, people, run, start, until
from test_cli_trouble import SLOWLY

from exactbuyer._files import atomic
from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._io import output

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
    assert main(["plan", str(tmp_path / "x.json"), "--by", "mail"]) == ExitCode.USAGE
    made = f"jq -c '.[]' {tmp_path / 'x.json'} > {tmp_path / 'x.jsonl'}"
    assert (
        f"if it has one object a line, pass --from jsonl; if it is an array: {made}"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(("kind", "said"), [("parquet", "Parquet"), ("csv.gz", "what is compressed")])
def test_what_no_terminal_can_show_is_not_written_to_one(
    kind: str, said: str, everybody: Sandbox, csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        given = ["enrich", str(csv), "--by", "mail", "--to", kind, *against(everybody)]
        assert main(given) == ExitCode.USAGE
    assert not everybody.ledger.requests
    assert f"{said} is not written to a terminal: name a file with -o" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_not_made_for_a_store(
    csv: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["enrich", str(csv), "--by", "mail", *against(everybody)]
    assert main([*given, "--store", str(csv.parent / "nowhere" / "people.db")]) == ExitCode.USAGE
    assert main([*given, "-o", str(csv.parent / "nowhere" / "out.csv")]) == ExitCode.FILES
    told = capsys.readouterr().err
    nowhere = csv.parent / "nowhere"
    assert f"--store is in the folder {nowhere}, which does not exist: make the folder first" in told
    assert f"make the folder {nowhere} first" in told
    assert not everybody.ledger.requests
    assert [entry.name for entry in csv.parent.iterdir()] == ["in.csv"]


def left_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()} - {"in.csv"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_what_a_killed_run_has_left_goes_with_the_next_one(csv: Path, everybody: Sandbox) -> None:
    import fcntl

    folder = csv.parent
    everybody.fail("hang", request=1)
    given = ["enrich", csv, "--by", "mail", "-o", folder / "out.csv", *against(everybody)]
    killed = start(*given, stderr=subprocess.DEVNULL)
    until(lambda: bool(everybody.ledger.requests))
    killed.kill()
    killed.wait(PATIENCE_S)
    (left,) = left_in(folder)
    assert left.startswith(".out.csv.")
    # Of a process that lives, of another output, and whatever anybody else calls so.
    living, *others = [
        ".out.csv.a1b2c3d4.exactbuyer.tmp",
        ".out.csvx.a1b2c3d4.exactbuyer.tmp",
        ".out.csv.mine.tmp",
    ]
    for name in others:
        (folder / name).touch()
    with (folder / living).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert run(*given, "-q").returncode == 0
        assert left_in(folder) == {"out.csv", living, *others}
    assert run(*given, "-q").returncode == 0
    assert left_in(folder) == {"out.csv", *others}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_draft_that_was_taken_for_left_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    met: list[Path] = []
    locked = atomic._locked

    def taken_first(descriptor: int, *, wait: bool) -> bool:
        if not met:
            # Between its making and its locking somebody else writes the same output to its end.
            met.extend(tmp_path.iterdir())
            met[0].unlink()
        return locked(descriptor, wait=wait)

    monkeypatch.setattr(atomic, "_locked", taken_first)
    draft = atomic.Draft(tmp_path / "out.csv")
    assert len(met) == 1
    assert draft.path.exists()
    os.close(draft.descriptor)
    draft.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/fd of this kind")
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("kind", ["socket", "pipe"])
def test_standard_output_is_written_to_by_any_name(
    name: str, kind: str, everybody: Sandbox, csv: Path
) -> None:
    ends = socket.socketpair() if kind == "socket" else os.pipe()
    reader, writer = (end if isinstance(end, int) else end.detach() for end in ends)
    command = start(
        "enrich", csv, "--by", "mail", *against(everybody), "-o", name, "--to", "csv", stdout=writer
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        assert len(stream.readlines()) == 2
    assert command.wait(PATIENCE_S) == ExitCode.DONE


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/fd of this kind")
def test_a_descriptor_that_cannot_be_written_to_is_told_before_anything_is_sent(
    everybody: Sandbox, csv: Path
) -> None:
    reader, writer = os.pipe()
    command = start(
        "enrich", csv, "--by", "mail", *against(everybody), "-o", f"/dev/fd/{reader}", "--to", "csv",
        pass_fds=[reader], stderr=subprocess.PIPE,
    )  # fmt: skip
    _, said = command.communicate(timeout=PATIENCE_S)
    os.close(reader)
    os.close(writer)
    assert command.returncode == ExitCode.FILES
    assert b"cannot be written" in said
    assert not everybody.ledger.requests


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX's")
def test_a_file_that_takes_the_place_of_a_pipe_is_left_alone(
    everybody: Sandbox, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check = output.check_output

    def check_and_replace(*given: Any) -> Path | None:
        target = check(*given)
        if pipe.is_fifo():
            pipe.unlink()
            pipe.write_bytes(b"another's")
        return target

    monkeypatch.setattr(output, "check_output", check_and_replace)
    given = ["enrich", str(csv), "--by", "mail", "-o", str(pipe), "--to", "csv", *against(everybody)]
    assert main(given) == ExitCode.FILES
    assert pipe.read_bytes() == b"another's"
    assert not everybody.ledger.requests


@pytest.mark.skipif(os.name != "posix", reason="limits are POSIX's")
@pytest.mark.parametrize("flags", [os.O_APPEND, 0])
def test_what_a_file_had_before_it_was_standard_output_stays(
    flags: int, tmp_path: Path, everybody: Sandbox
) -> None:
    """As with `>> out`, and with `(echo header; exactbuyer …) > out`, on a disk that becomes full."""
    import resource

    file, out = tmp_path / "people.csv", tmp_path / "out.csv"
    file.write_text(people(20_000))
    out.write_bytes(b"x" * 6_000)
    descriptor = os.open(out, os.O_WRONLY | flags)
    if not flags:
        os.lseek(descriptor, 0, os.SEEK_END)
    command = start(
        "enrich", file, "--by", "mail", *SLOWLY, *against(everybody),
        stdout=descriptor, stderr=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, resource.RLIM_INFINITY)),
    )  # fmt: skip
    os.close(descriptor)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == ExitCode.FILES, told
    before, written = out.read_bytes()[:6_000], out.read_bytes()[6_000:]
    assert before == b"x" * 6_000
    assert written.startswith(b"id,mail,eb_status")
    assert written.endswith(b"\n")
