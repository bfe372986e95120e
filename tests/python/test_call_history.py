"""What an enricher remembers of its calls, whatever the collector does meanwhile."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, cast

import pytest

from exactbuyer import BulkEnricher, Receipt, StoreWarning
from exactbuyer._calls import call_history
from exactbuyer._calls.call import Call
from exactbuyer._calls.call_history import CallHistory

if TYPE_CHECKING:
    from types import ModuleType

    from exactbuyer.sandbox import Sandbox

ROWS = ["ana@acme.example", "bo@acme.example", "cy@acme.example"]
WAIT_S = 20.0


class Left:
    """A call that was left, as far as the books ask."""

    def __init__(self) -> None:
        self.settled: Receipt | None = None
        self.is_handed_out = False
        self.is_given_up = False

    def receipt_so_far(self) -> Receipt | None:
        return None if self.settled is not None else Receipt(sent=7)


def end(history: CallHistory, call: Any, receipt: Receipt) -> None:
    """Does what a stream does that nobody holds any more."""
    history.keep_for_recovery(call)
    history.add_receipt(call, receipt)
    history.drop(call)


def test_the_last_receipt_is_that_of_the_call_that_ended_or_was_interrupted_last() -> None:
    history, interrupted = CallHistory(), cast("Any", Left())
    assert history.last() == Receipt()
    end(history, cast("Any", Left()), Receipt(sent=1))
    assert history.last() == Receipt(sent=1)
    history.keep_for_recovery(interrupted)
    assert history.last() == Receipt(sent=7)
    end(history, cast("Any", Left()), Receipt(sent=2))
    assert history.last() == Receipt(sent=2)
    history.add_receipt(interrupted, Receipt(sent=8))
    assert history.last() == Receipt(sent=8)
    # A call that is dropped to save memory ended before.
    history.add_receipt(cast("Any", Left()), Receipt(sent=9), is_last=False)
    assert history.last() == Receipt(sent=8)


@pytest.mark.parametrize("ask", ["enter", "total"])
def test_a_stream_that_is_collected_while_receipts_are_added_is_counted_once(
    monkeypatch: pytest.MonkeyPatch, ask: str
) -> None:
    history, call, collected = CallHistory(), cast("Any", Left()), cast("Any", Left())
    end(history, cast("Any", Left()), Receipt(sent=1, requests=1))
    history.keep_for_recovery(call)
    add = Receipt.__add__

    left = [collected]

    def add_and_collect(one: Receipt, other: Receipt) -> Receipt:
        total = add(one, other)
        if left:
            end(history, left.pop(), Receipt(sent=20, requests=1))
        return total

    monkeypatch.setattr(Receipt, "__add__", add_and_collect)
    seen: list[int] = []

    def use() -> None:
        if ask == "enter":
            history.add_receipt(call, Receipt(sent=300, requests=1))
        seen.append(history.total().sent)

    # In a thread that may be left behind: what waits for itself waits for ever.
    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    assert seen == [321 if ask == "enter" else 28]
    assert history.total().requests == (3 if ask == "enter" else 2)


def can_be_used(history: CallHistory) -> bool:
    """Whether another thread can use the history now."""
    thread = threading.Thread(target=history.total, daemon=True)
    thread.start()
    thread.join(WAIT_S)
    return not thread.is_alive()


class Asking(logging.Handler):
    """A handler with a lock, as all have. The thread that holds it may need the history for a stream."""

    def __init__(self, history: CallHistory) -> None:
        super().__init__()
        self.history = history
        self.lines: dict[str, bool] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.lines[record.getMessage()] = can_be_used(self.history)


@pytest.fixture
def left(fakes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> BulkEnricher:
    """An enricher that has two calls that were left, and gives one of them up at its next call."""
    enricher = BulkEnricher("any", store=None, chunk_size=2)
    for _ in range(2):
        next(enricher.stream(ROWS, progress=False))
    monkeypatch.setattr(call_history, "MOST_ROWS", 0)
    return enricher


def test_nothing_is_logged_while_the_history_is_locked(left: BulkEnricher) -> None:
    history = left._session.history
    log = Asking(history)
    logging.getLogger("exactbuyer").addHandler(log)
    try:
        left.enrich(ROWS, progress=False)
    finally:
        logging.getLogger("exactbuyer").removeHandler(log)
    assert [free for line, free in log.lines.items() if "no longer kept" in line] == [True]
    with pytest.warns(StoreWarning, match="rows of 1 call "):
        assert len(left.recover() or []) == len(ROWS) - 1
    assert left.recover() is None


def test_nor_is_a_display_called(everybody: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    enricher = BulkEnricher("any", base_url=everybody.url, store=None)
    loop = asyncio.new_event_loop()
    task = loop.create_task(enricher.enrich_async(ROWS, progress=False))
    while not enricher._session.history.calls():
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    free: list[bool] = []
    tick = Call.tick

    def ask_and_tick(call: Call, **how: Any) -> None:
        free.append(can_be_used(enricher._session.history))
        tick(call, **how)

    monkeypatch.setattr(Call, "tick", ask_and_tick)
    assert len(enricher.recover() or []) == len(ROWS)
    assert set(free) == {True}
    assert not task.done()
    # asyncio logs the end of a pending task: here, and not in the test after this one. A thread may still
    # hold the task.
    ended = weakref.ref(task)
    del task
    deadline = time.monotonic() + WAIT_S
    while ended() is not None:
        gc.collect()
        assert time.monotonic() < deadline, "the task was never freed"


def test_a_stream_that_is_collected_amid_the_history_logs_nothing_and_loses_nothing(
    fakes: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    enricher = BulkEnricher("any", store=None, chunk_size=2)
    stream = enricher.stream(ROWS, progress=False)
    next(stream)
    caplog.clear()
    with enricher._session.history._lock:
        del stream
        gc.collect()
    assert not caplog.records
    assert [row["value"] for row in enricher.recover() or []] == ROWS[1:]


def test_a_call_that_was_given_up_does_not_come_back(left: BulkEnricher) -> None:
    history = left._session.history
    call = history._interrupted[0]
    # As if it had been awaited in a loop that is closed later.
    loop = asyncio.new_event_loop()
    call.await_in(loop)
    left.enrich(ROWS, progress=False)
    assert call.is_given_up
    loop.close()
    with pytest.warns(StoreWarning):
        assert left.recover()
    call.detach()
    assert left.recover() is None
