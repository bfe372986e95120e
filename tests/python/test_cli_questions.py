"""What is asked before much is spent, at a terminal and without one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_runs import against, environment, people

from exactbuyer.cli import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

# For it, a sandbox is the real service, whose people cost something.
_COSTLY = """
import sys
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


def answered(file: Path, sandbox: Sandbox, answer: bytes) -> tuple[int, str]:
    """A command at a terminal, given this answer."""
    ours, theirs = pty.openpty()
    try:
        output = file.with_name("out.csv")
        command = at_a_cost("enrich", file, "--by", "mail", "-o", output, *against(sandbox))
        process = subprocess.Popen(
            command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=environment()
        )
        os.close(theirs)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, answer)
        process.communicate(timeout=60)
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
    finally:
        os.close(ours)
    return process.returncode, shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no terminals of this kind")
def test_a_question_can_be_answered(tmp_path: Path, everybody: Sandbox) -> None:
    file = tmp_path / "many.csv"
    file.write_text(people(1_001))
    # The last is Ctrl-D: no answer, and no signal either.
    for answer in (b"n\n", b"\x04"):
        ending, shown = answered(file, everybody, answer)
        assert (ending, "exactbuyer: nothing was sent" in shown.splitlines()) == (ExitCode.USAGE, True)
        assert "Spend up to 1,001 credits?" in shown
    assert not everybody.ledger.requests
    ending, shown = answered(file, everybody, b"y\n")
    assert (ending, everybody.ledger.credits) == (ExitCode.DONE, 1_001), shown
