"""The sandbox in a process of its own, on a core of its own. Knows nothing of who is measured."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cores import SERVER_CORE, pin

if TYPE_CHECKING:
    from collections.abc import Iterator

# No limit but the machine's: what is compared is the clients.
OPTIONS = ("--requests-per-minute", "0")


@contextmanager
def on_server_core() -> Iterator[None]:
    """What is started inside inherits the server's core."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    pin(SERVER_CORE)
    yield
    if before is not None:
        os.sched_setaffinity(0, before)


@contextmanager
def serve(*more: str) -> Iterator[str]:
    """Yields the URL of a sandbox; `EXACTBUYER_BENCH_SERVER` names another command that prints one."""
    own = shlex.split(os.environ.get("EXACTBUYER_BENCH_SERVER", ""))
    command = own or [sys.executable, "-m", "exactbuyer.sandbox", *OPTIONS]
    with on_server_core():
        process = subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url.startswith("http"):
                sys.exit(f"{' '.join(command)} printed no URL as its first line, but {url!r}")
            yield url.rstrip("/")
        finally:
            process.terminate()
