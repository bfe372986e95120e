"""Runs the command line as a process, as people do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

COMMAND = [sys.executable, "-W", "error::ResourceWarning", "-m", "exactbuyer"]
FAST = ["--requests-per-minute", "1000000"]
PATIENCE_S = 120


def environment(key: str | None = "a-key") -> dict[str, str]:
    """The process's environment, offline, with this key."""
    inherited = {name: value for name, value in os.environ.items() if name != "EXACTBUYER_API_KEY"}
    return inherited | {"EXACTBUYER_OFFLINE": "1"} | ({"EXACTBUYER_API_KEY": key} if key else {})


def run(*arguments: object, stdin: bytes = b"", key: str | None = "a-key", cwd: Path | None = None) -> Any:
    """What became of a command: its streams are bytes."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=environment(key),
        cwd=cwd,
        timeout=PATIENCE_S,
        check=False,
    )


def start(*arguments: object, **how: Any) -> subprocess.Popen[bytes]:
    """A command under way."""
    return subprocess.Popen([*COMMAND, *map(str, arguments)], env=environment(), **how)


def against(sandbox: Sandbox) -> list[str]:
    """The options for this sandbox."""
    return ["--base-url", sandbox.url, *FAST]


def last_line(done: Any) -> dict[str, Any]:
    """The JSON that stands on the last line of standard error."""
    told: dict[str, Any] = json.loads(done.stderr.decode().splitlines()[-1])
    return told


def until(condition: Callable[[], bool]) -> None:
    """Waits for something that another process brings about."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"


def people(rows: int, first: int = 0) -> str:
    """A CSV file of so many people."""
    lines = (f"{number:06d},person{number}@acme.example" for number in range(first, first + rows))
    return "\n".join(["id,mail", *lines]) + "\n"
