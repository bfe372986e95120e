"""`doctor`, `completion` and `man`: what concerns the installation, not a run."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import COMMAND, environment, run

from exactbuyer import __version__
from exactbuyer.cli._setup.doctor import doctor
from exactbuyer.cli.exit_codes import ExitCode
from exactbuyer.settings._secret import KEY_VARIABLE

if TYPE_CHECKING:
    from exactbuyer.sandbox import Sandbox

NAMES = ["version", "libraries", "key", "proxy", "TLS", "store", "rate", "address"]


def findings(done: Any) -> dict[str, dict[str, Any]]:
    return {line["name"]: line for line in map(json.loads, done.stdout.decode().splitlines())}


def state_of(*arguments: object, key: str | None = "a-key") -> tuple[int, dict[str, str]]:
    done = run("doctor", "--json", *arguments, key=key)
    found = findings(done)
    assert list(found) == NAMES
    assert "a-key" not in done.stdout.decode()
    return done.returncode, {name: line["state"] for name, line in found.items()}


def test_nothing_is_wrong_and_nobody_is_sent(everybody: Sandbox) -> None:
    done = run("doctor", "--base-url", everybody.url)
    assert done.returncode == ExitCode.DONE
    lines = done.stdout.decode().splitlines()
    assert [line[:24].split()[:2] for line in lines] == [["ok", name] for name in NAMES]
    assert f"exactbuyer {__version__} · CPython" in lines[0]
    assert "status 404" in lines[-1]
    (request,) = everybody.ledger.requests
    assert request.target == "HEAD /"
    assert not request.has_key
    assert (request.body_bytes, request.lookups, request.credits) == (0, 0, 0)


def test_offline_the_address_is_left_alone() -> None:
    exit_code, state = state_of()
    assert exit_code == ExitCode.DONE
    assert state == dict.fromkeys(NAMES, "ok") | {"address": "not checked"}


def test_a_key_that_is_missing_is_wrong(tmp_path: Path) -> None:
    exit_code, state = state_of(key=None)
    assert (exit_code, state["key"]) == (ExitCode.USAGE, "wrong")
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text("from-a-file\n")
    exit_code, state = state_of("--key-file", file, key=None)
    assert (exit_code, state["key"]) == (ExitCode.DONE, "ok")


def test_a_port_where_nobody_listens_is_wrong() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        done = run("doctor", "--json", "--base-url", url)
    found = findings(done)["address"]
    assert done.returncode == found["exit_code"] == ExitCode.SERVICE
    assert "no program listens" in found["text"]
    # In the words of the command line.
    assert "check --base-url" in found["text"]


def test_a_store_that_cannot_be_used_is_wrong(tmp_path: Path) -> None:
    damaged = tmp_path / "people.db"
    damaged.write_bytes(b"not a database" * 100)
    exit_code, state = state_of("--store", damaged)
    assert (exit_code, state["store"]) == (ExitCode.STORE, "wrong")
    exit_code, state = state_of("--store", "/dev/null/people.db")
    assert (exit_code, state["store"]) == (ExitCode.STORE, "wrong")


@pytest.mark.parametrize(
    ("owner", "function", "name", "exit_code"),
    [
        (shutil, "disk_usage", "store", ExitCode.STORE),
        # Before Python 3.14, of a folder that nobody else may enter.
        (Path, "exists", "store", ExitCode.STORE),
        (platform, "machine", "version", ExitCode.FILES),
    ],
)
def test_what_the_system_does_not_let_it_check_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    owner: object,
    function: str,
    name: str,
    exit_code: ExitCode,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "a name")

    monkeypatch.setenv(KEY_VARIABLE, "a-key")
    monkeypatch.setattr(owner, function, refuse)
    arguments = ["--json", "--store", str(tmp_path / "people.db")]
    assert doctor.main(arguments, standalone_mode=False) == exit_code
    found = {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [at for at, line in found.items() if line["state"] == "wrong"] == [name]
    assert "this cannot be checked: Permission denied" in found[name]["text"]


def test_a_store_that_is_there_is_described(everybody: Sandbox, tmp_path: Path) -> None:
    store, people = tmp_path / "people.db", tmp_path / "people.csv"
    people.write_text("mail\nana.almeida@acme.example\n")
    run("enrich", people, "--by", "mail", "--base-url", everybody.url, "--store", store)
    found = findings(run("doctor", "--json", "--base-url", everybody.url, "--store", store))
    assert f"{store}: 1 contact · " in found["store"]["text"]
    assert "almeida" not in str(found)


def test_a_wrong_option_ends_it(tmp_path: Path) -> None:
    done = run("doctor", "--base-url", "ftp://elsewhere.example")
    assert done.returncode == ExitCode.USAGE
    assert b"--base-url" in done.stderr


# ---- completion ----


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's home, and the program in their PATH."""
    for name in ("XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path / "bin" / "exactbuyer"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exactbuyer "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def completed(*words: str) -> list[str]:
    """What the program offers for the last word."""
    asked = {"_EXACTBUYER_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words)}
    done = subprocess.run(
        COMMAND,
        env=environment() | asked | {"COMP_CWORD": str(len(words) - 1)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_commands_options_and_files_are_completed() -> None:
    assert completed("exactbuyer", "do") == ["plain,doctor"]
    assert "plain,--max-credits" in completed("exactbuyer", "enrich", "--max")
    assert completed("exactbuyer", "enrich", "--require", "work") == ["plain,work_email"]
    for words in (["peo"], ["people.csv", "-o", "peo"], ["--store", "peo"], ["--ca-bundle", "peo"]):
        assert completed("exactbuyer", "enrich", *words) == ["file,peo"]


def test_bash_completes_after_one_command(home: Path) -> None:
    before = b"# mine, in Latin-1: \xe9"
    start_up = home / ".bashrc"
    start_up.write_bytes(before)
    for _ in range(2):
        done = run("completion", "bash", "--install")
        assert done.returncode == 0, done.stderr
    lines = start_up.read_bytes().splitlines()
    assert lines[0] == before
    # Installed twice, it is read once.
    assert len(lines) == 2
    script = (
        f". {start_up}; COMP_WORDS=(exactbuyer do); COMP_CWORD=1; _exactbuyer_completion exactbuyer; "
        'echo "${COMPREPLY[@]}"; complete -p exactbuyer'
    )
    shell = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, env=environment(), check=True
    )
    assert shell.stdout.splitlines()[0].strip() == "doctor"
    assert "_exactbuyer_completion" in shell.stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("shell", "files"),
    [
        ("zsh", [".zshrc", ".config/exactbuyer/completion.zsh"]),
        ("fish", [".config/fish/completions/exactbuyer.fish"]),
    ],
)
def test_other_shells_read_it_too(shell: str, files: list[str], home: Path) -> None:
    done = run("completion", shell, "--install")
    assert done.returncode == 0, done.stderr
    for name in files:
        assert str(home / name) in done.stderr.decode()
        assert "exactbuyer" in (home / name).read_text()
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n", str(home / files[-1])], check=True)


def test_the_shell_is_that_of_the_login(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    done = run("completion")
    assert "function _exactbuyer_completion" in done.stdout.decode()
    assert not (home / ".config").exists()
    monkeypatch.setenv("SHELL", "/bin/dash")
    done = run("completion", "--install")
    assert done.returncode == ExitCode.USAGE
    assert b"bash, zsh, fish" in done.stderr


# ---- the manual page ----


def test_the_manual_page_has_every_command_and_option() -> None:
    done = run("man")
    page = done.stdout.decode()
    assert done.returncode == 0
    assert page.startswith(".TH EXACTBUYER 1")
    commands = [line for line in page.splitlines() if line.startswith(".SS")]
    for name in ("enrich", "plan", "sandbox", "doctor", "completion", "man", r"store find", r"store info"):
        assert any(f"exactbuyer {name}" in line for line in commands), name
    for text in (r"\-\-max\-credits N", ".SH EXIT STATUS", "EXACTBUYER_API_KEY", r"\-\-require"):
        assert text in page
    # Every line that begins like a request is one.
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".PP", ".TP"}
