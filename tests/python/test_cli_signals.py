"""A command that a signal stopped dies by it, so that a shell stops, too, and buys no further file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import COMMAND, PATIENCE_S, against, environment, people, until

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.cli import _app as app
from exactbuyer.cli._console import Console
from exactbuyer.cli._io.output import Output
from exactbuyer.cli._signals import Signals

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh") if shutil.which(shell)]


def command(folder: Path, sandbox: Sandbox) -> list[str]:
    """A command whose first request hangs. The output's place is still to be named."""
    file = folder / "people.csv"
    file.write_text(people(20))
    sandbox.fail("hang", request=1)
    given = ["enrich", file, "--by", "mail", *against(sandbox), "--chunk-size", 10, "--max-concurrency", 1]
    return [*COMMAND, *map(str, given), "--store", "none", "--yes", "--grace", "0.1", "-o"]


@pytest.mark.parametrize("shell", SHELLS)
def test_ctrl_c_ends_the_loop_of_a_shell(shell: str, tmp_path: Path, everybody: Sandbox) -> None:
    loop = 'cd "$0"; for name in one two; do "$@" "$name.csv"; echo "after $name"; done'
    process = subprocess.Popen(
        [shell, "-c", loop, str(tmp_path), *command(tmp_path, everybody)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: len(everybody.ledger.requests) == 1)
    # As a terminal does: to the shell and to the command.
    os.killpg(process.pid, signal.SIGINT)
    out, told = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (-signal.SIGINT, b""), told
    assert b"stopped by Ctrl-C" in told
    assert b"Traceback" not in told
    assert len(everybody.ledger.requests) == 1
    assert not (tmp_path / "two.csv").exists()


@pytest.mark.parametrize(
    ("number", "shown"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_shell_shows_the_exit_codes_of_the_list(
    number: signal.Signals, shown: int, tmp_path: Path, everybody: Sandbox
) -> None:
    process = subprocess.Popen(
        ["sh", "-c", '"$@" & echo $!; wait $!; echo $?', "sh", *command(tmp_path, everybody), "out.csv"],
        env=environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # What is ignored when a shell begins, as under `nohup`, stays ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stdout is not None
    of_command = int(process.stdout.readline())
    until(lambda: len(everybody.ledger.requests) == 1)
    os.kill(of_command, number)
    out, told = process.communicate(timeout=PATIENCE_S)
    assert int(out) == shown, told


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)]
)
def test_a_signal_before_anything_is_sent_has_its_own_exit_code(
    number: signal.Signals,
    ending: ExitCode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in.csv").write_text(people(1))
    monkeypatch.setattr(app, "_survey", lambda *_: signal.raise_signal(number))
    # It returns: a program that uses it as a function must not be ended.
    assert main(["enrich", str(tmp_path / "in.csv"), "--by", "mail", "--sandbox"]) == ending
    assert "stopped; nothing was sent" in capsys.readouterr().err


LATE = {
    "before the output is in its place": (Output, "finish"),
    "while the store is closed": (BulkEnricher, "__exit__"),
    "before the receipt": (Console, "conclude"),
}


@pytest.mark.parametrize("moment", LATE)
@pytest.mark.parametrize(
    ("number", "ending", "said"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED, "stopped by Ctrl-C when the output was complete"),
        (signal.SIGTERM, ExitCode.TERMINATED, "stopped by SIGTERM when the output was complete"),
    ],
)
def test_a_signal_after_the_last_answer_ends_the_command_too(
    tmp_path: Path,
    everybody: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    number: signal.Signals,
    ending: ExitCode,
    said: str,
    moment: str,
) -> None:
    owner, name = LATE[moment]
    then = getattr(owner, name)

    def signalled(*given: Any, **how: Any) -> Any:
        signal.raise_signal(number)
        return then(*given, **how)

    monkeypatch.setattr(owner, name, signalled)
    (tmp_path / "in.csv").write_text(people(3))
    output = tmp_path / "out.csv"
    given = ["enrich", str(tmp_path / "in.csv"), "--by", "mail", "-o", str(output), "--json"]
    assert main([*given, *against(everybody)]) == ending
    assert output.read_text().count(",found,") == 3
    told = capsys.readouterr().err
    assert "COMPLETE: 3 rows" in told
    assert f"{output} has every row" in told
    assert "nothing was sent" not in told
    if moment != "before the receipt":
        last = json.loads(told.splitlines()[-1])
        assert (last["exit_code"], last["error"], last["credits"]) == (ending, said, 3)
        assert f"exactbuyer: {said}" in told.splitlines()


def test_a_second_signal_leaves_the_receipt(
    tmp_path: Path, everybody: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def conclude(*_: Any, **__: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("the second did not interrupt it")

    monkeypatch.setattr(Console, "conclude", conclude)
    (tmp_path / "in.csv").write_text(people(3))
    given = ["enrich", str(tmp_path / "in.csv"), "--by", "mail", "-o", str(tmp_path / "out.csv")]
    assert main([*given, *against(everybody)]) == ExitCode.INTERRUPTED
    assert "nothing was sent" not in capsys.readouterr().err


_ENDS_WITH = """
import signal, sys
from exactbuyer import cli
if sys.argv[2] == "survives":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
cli.main = lambda: int(sys.argv[1])
print("written")
cli.run_as_process()
"""


@pytest.mark.parametrize(
    ("exit_code", "dies_by"),
    [
        (ExitCode.INTERRUPTED, signal.SIGINT),
        (ExitCode.TERMINATED, signal.SIGTERM),
        *((code, None) for code in sorted({*ExitCode} - {ExitCode.INTERRUPTED, ExitCode.TERMINATED})),
    ],
)
def test_only_a_signal_ends_a_process_by_signal(exit_code: ExitCode, dies_by: signal.Signals | None) -> None:
    # The first process of a container survives, because the system drops signals that it does not handle.
    for how, expected in (("dies", int(exit_code) if dies_by is None else -dies_by), ("survives", exit_code)):
        done = subprocess.run(
            [sys.executable, "-c", _ENDS_WITH, str(int(exit_code)), how],
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (expected, b"written\n", b"")


def test_the_second_signal_never_waits() -> None:
    signals = Signals()
    with signals.watched(), signals.held():
        # The first one came while it waited for a reply.
        with pytest.raises(KeyboardInterrupt), signals.released():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
