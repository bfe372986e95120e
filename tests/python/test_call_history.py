"""What an enricher remembers of its calls, whatever the collector does meanwhile."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from exactbuyer import Receipt
from exactbuyer._calls.call_history import CallHistory

WAIT_S = 20.0


class Left:
    """A call that was left, as far as the books ask."""

    def __init__(self) -> None:
        self.settled: Receipt | None = None
        self.is_handed_out = False

    def receipt_so_far(self) -> Receipt | None:
        return None if self.settled is not None else Receipt(sent=7)


def end(history: CallHistory, call: Any, receipt: Receipt) -> None:
    """Does what a stream does that nobody holds any more."""
    history.keep_for_recovery(call)
    history.add_receipt(call, receipt)
    history.drop(call)


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
