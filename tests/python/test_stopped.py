"""A process that is stopped (Ctrl-Z, a laptop's sleep) for longer than its time limits, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

TIMEOUTS_S = (1.0, 8.0)
"""On a busy machine the first may be too short for an answer, although the process is not stopped yet."""

REQUESTS = 4
"""As many as a run sends at once at first."""

CALL = f"""
import json, sys
from exactbuyer import BulkEnricher

enricher = BulkEnricher(
    sys.argv[2], base_url=sys.argv[1], store=None, chunk_size=10, max_retries=0, timeout=float(sys.argv[3]),
    connect_timeout=float(sys.argv[3]),
)
rows = [f"p{{number}}@acme.example" for number in range({10 * REQUESTS})]
took = enricher.enrich(rows, on_error="record", progress=False).receipt
print(json.dumps([took.found, took.unknown, took.credits, took.credits_in_doubt, took.stopped]))
"""


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_answers_that_came_while_the_process_was_stopped_are_read() -> None:
    took: list[tuple[object, set[int]]] = []
    for timeout_s in TIMEOUTS_S:
        took.append(stopped_for_longer_than(timeout_s))
        if took[-1] == ([10 * REQUESTS, 0, 10 * REQUESTS, 0, None], {1}):
            return
    pytest.fail(f"answers were not read: {took}")


def stopped_for_longer_than(timeout_s: float) -> tuple[object, set[int]]:
    """What a call took whose process was stopped, and how often each person was billed."""
    with Sandbox(match_rate=1.0, latency=0.5) as sandbox:
        command = [sys.executable, "-c", CALL, sandbox.url, sandbox.api_key, str(timeout_s)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
            try:
                wait_until(lambda: len(sandbox.ledger.requests) == REQUESTS)
                process.send_signal(signal.SIGSTOP)
                wait_until(lambda: state(process.pid) == "T")
                until = time.monotonic() + 2.5 * timeout_s
                wait_until(lambda: time.monotonic() > until)
                process.send_signal(signal.SIGCONT)
                out, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        return json.loads(out), set(sandbox.ledger.billed.values())
