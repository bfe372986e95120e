"""A process that is stopped (Ctrl-Z, a laptop's sleep) for longer than its time limits, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from exactbuyer.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))

from lateness import Lateness

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")

TIMEOUTS_S = (1.0, 8.0)
"""The second is tried only if the machine was too slow for the first."""

REQUESTS = 4
"""As many as a run sends at once at first."""

CALL = f"""
import json, sys, time
from exactbuyer import BulkEnricher

enricher = BulkEnricher(
    sys.argv[2], base_url=sys.argv[1], store=None, chunk_size=10, max_retries=0, timeout=float(sys.argv[3]),
    connect_timeout=float(sys.argv[3]),
)
rows = [f"p{{number}}@acme.example" for number in range({10 * REQUESTS})]
began = time.monotonic()
took = enricher.enrich(rows, on_error="record", progress=False).receipt
print(json.dumps([began, [took.found, took.unknown, took.credits, took.credits_in_doubt, took.stopped]]))
"""


class Attempt(NamedTuple):
    """A call whose process was stopped for longer than its time limit."""

    took: list[object]
    """What it took."""
    times_billed: set[int]
    """How often each person was billed."""
    ran_s: float
    """How long the call ran before the process was stopped, at most."""
    late_s: float
    """How late threads of the sandbox's process ran until then, and while it was stopped."""

    def was_read(self) -> bool:
        """Whether every answer was read."""
        return self.took == [10 * REQUESTS, 0, 10 * REQUESTS, 0, None] and self.times_billed == {1}

    def was_too_slow(self, timeout_s: float) -> bool:
        """Whether a request may have reached its limit before the process was stopped, or got its answer only
        after it went on.
        """
        return self.ran_s >= timeout_s or self.late_s >= timeout_s / 4


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def test_answers_that_came_while_the_process_was_stopped_are_read() -> None:
    attempts: list[Attempt] = []
    for timeout_s in TIMEOUTS_S:
        attempts.append(stopped_for_longer_than(timeout_s))
        if attempts[-1].was_read():
            return
        assert attempts[-1].was_too_slow(timeout_s), f"answers were not read: {attempts}"
    pytest.fail(f"the machine is too slow for this test: {attempts}")


@pytest.mark.parametrize(
    ("ran_s", "late_s", "is_slow"), [(0.9, 0.2, False), (1.0, 0.0, True), (0.5, 0.3, True)]
)
def test_lost_answers_are_a_fault_unless_the_machine_was_slow(
    ran_s: float, late_s: float, *, is_slow: bool
) -> None:
    attempt = Attempt([30, 10, 30, 10, None], {1}, ran_s, late_s)
    assert not attempt.was_read()
    assert attempt.was_too_slow(1.0) is is_slow


def stopped_for_longer_than(timeout_s: float) -> Attempt:
    """Makes a call, and stops its process until all its time limits are over."""
    with Sandbox(match_rate=1.0, latency=0.5) as sandbox:
        command = [sys.executable, "-c", CALL, sandbox.url, sandbox.api_key, str(timeout_s)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
            try:
                with Lateness() as lateness:
                    wait_until(lambda: len(sandbox.ledger.requests) == REQUESTS)
                    process.send_signal(signal.SIGSTOP)
                    wait_until(lambda: state(process.pid) == "T")
                    stopped = time.monotonic()
                    wait_until(lambda: time.monotonic() > stopped + 2.5 * timeout_s)
                    process.send_signal(signal.SIGCONT)
                out, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        # On Linux, where this test runs, both processes have the same monotonic clock.
        began, took = json.loads(out)
        return Attempt(took, set(sandbox.ledger.billed.values()), stopped - began, lateness.worst_s)
