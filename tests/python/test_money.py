"""Much at once, judged by the vendor's books: `tests/soak/soak.py` runs the same for as long as one likes."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))

import scenarios


def test_nobody_is_billed_twice_whatever_goes_wrong() -> None:
    assert "none twice" in scenarios.bad_luck(100_000, seed=3)


def test_threads_share_one_ceiling_and_what_is_in_flight() -> None:
    assert "50 threads" in scenarios.many_threads(50, 200)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_a_vendor_that_stands_still_costs_no_more_than_is_told() -> None:
    assert "none twice" in scenarios.outage(signal.SIGSTOP, 500)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a process cannot be killed so here")
def test_a_vendor_that_dies_leaves_every_row_with_its_status() -> None:
    assert "not sent" in scenarios.outage(signal.SIGKILL, 500)


def test_an_answer_that_is_lost_at_a_short_limit_is_a_fault_unless_the_machine_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = 'sandbox.fail("reset_after_billing", request=2)'
    faulty = scenarios.VENDOR.replace("with Lateness", f"{fault}\nwith Lateness")
    monkeypatch.setattr(scenarios, "VENDOR", faulty)
    monkeypatch.setattr(scenarios, "was_too_slow", lambda *_: False)
    with pytest.raises(AssertionError, match="an answer was lost at a limit of 1 s"):
        scenarios.outage(signal.SIGKILL, 500)
    monkeypatch.setattr(scenarios, "was_too_slow", lambda *_: True)
    assert scenarios._outage(signal.SIGKILL, 500, 1.0) is None


@pytest.mark.parametrize(("late_s", "is_slow"), [(0.0, False), (0.1, False), (0.2, True), (3.0, True)])
def test_a_machine_is_slow_if_its_threads_run_late(late_s: float, *, is_slow: bool) -> None:
    assert scenarios.was_too_slow(late_s, 1.0) is is_slow


@pytest.mark.skipif(not scenarios.STATM.exists(), reason="memory is read as on Linux")
def test_a_stream_without_an_end_keeps_going() -> None:
    measured = scenarios.endless_stream(20_000, probes=4)
    assert [read for read, _ in measured] == [5_000, 10_000, 15_000, 20_000]
    assert all(mb > 0 for _, mb in measured)
