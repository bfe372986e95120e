"""What is asked before much is spent, at a terminal and without one."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from cli_runs import PATIENCE_S, against, environment, people

from exactbuyer.cli import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

CTRL_C = b"\x03"

# For it, a sandbox is the real service, whose people cost something.
_COSTLY = """
import builtins, sys
# It writes its prompt to standard output if that is no terminal. Some versions of click call it.
builtins.input = None
from exactbuyer.cli import _app, main
_app.LOOPBACK = "another service"
sys.exit(main())
"""


def at_a_cost(*arguments: object) -> list[str]:
    """A command that takes a sandbox for the real service."""
    return [sys.executable, "-c", _COSTLY, *map(str, arguments)]


def test_it_asks_before_it_spends_much(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "many.csv"
    file.write_text(people(1_001))
    for given, said in (([file], "at most 1,001"), (["-", "--from", "csv"], "a stream")):
        command = at_a_cost("enrich", *given, "--by", "mail", *against(everybody))
        done = subprocess.run(
            command, input=people(3).encode(), capture_output=True, env=environment(), check=False
        )
        assert done.returncode == ExitCode.USAGE
        assert said in done.stderr.decode()
        assert "--yes" in done.stderr.decode()
    assert not everybody.ledger.requests


def answered(file: Path, sandbox: Sandbox, answer: bytes) -> tuple[int, str, bytes]:
    """A command at a terminal, given this answer: how it ended, what it showed, and its output."""
    ours, theirs = pty.openpty()
    output = file.with_name("out.csv")
    try:
        with output.open("wb") as stream:
            process = subprocess.Popen(
                at_a_cost("enrich", file, "--by", "mail", *against(sandbox)),
                stdin=theirs,
                stderr=theirs,
                stdout=stream,
                env=environment(),
                # The terminal becomes its own, so that Ctrl-C reaches it.
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
            )
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer)
        # Linux reports an error once nobody has the terminal open any more.
        with suppress(OSError):
            while piece := _read(ours, answer):
                shown += piece
        process.wait(PATIENCE_S)
    finally:
        os.close(ours)
    return process.returncode, shown.decode(), output.read_bytes()


def _read(terminal: int, answer: bytes) -> bytes:
    # Ctrl-C may come just before the process begins to wait: then it is pressed again, as people do.
    while answer == CTRL_C and not select.select([terminal], [], [], 1)[0]:
        os.write(terminal, answer)
    return os.read(terminal, 4096)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals of this kind")
def test_a_question_can_be_answered(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "many.csv"
    file.write_text(people(1_001))
    # The last is Ctrl-D: no answer, and no signal either.
    for answer in (b"n\n", b"\n", b"\x04"):
        ending, shown, output = answered(file, everybody, answer)
        assert (ending, "exactbuyer: nothing was sent" in shown.splitlines()) == (ExitCode.USAGE, True)
        assert "Spend up to 1,001 credits?" in shown
        assert output == b""
    ending, shown, output = answered(file, everybody, CTRL_C)
    assert (ending, output) == (ExitCode.INTERRUPTED, b"")
    assert "exactbuyer: stopped; nothing was sent" in shown.splitlines()
    assert not everybody.ledger.requests
    ending, shown, output = answered(file, everybody, b"what?\ny\n")
    assert (ending, everybody.ledger.credits) == (ExitCode.DONE, 1_001), shown
    assert shown.count("[y/N]") == 2
    # Of the question, nothing is in the output.
    assert output.startswith(b"id,mail,eb_status")
