"""Calls that are cancelled and never recovered: what is kept is bounded, and nothing is dropped silently."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from keys import KEY
from store_runs import emails

from exactbuyer import BulkEnricher, StoreWarning, _books

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

ROWS = 10
CALLS = 12
PEOPLE = emails(ROWS * CALLS)


def cancel_many(enricher: BulkEnricher) -> None:
    """Cancels many calls, each with its request answered or in flight."""

    async def cancelled(rows: list[str]) -> None:
        in_flight = asyncio.Event()

        def look(progress: Any) -> None:
            if progress.in_flight or progress.done:
                in_flight.set()

        task = asyncio.ensure_future(enricher.enrich_async(rows, progress=look))
        await in_flight.wait()
        task.cancel()
        await asyncio.wait({task})

    async def main() -> None:
        for at in range(0, len(PEOPLE), ROWS):
            await cancelled(PEOPLE[at : at + ROWS])

    asyncio.run(main())


def wait_until_answered(enricher: BulkEnricher) -> None:
    """Waits until no request of the cancelled calls is under way."""
    deadline = time.monotonic() + 30.0
    while enricher.receipt.credits_in_doubt:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("kept", ["with a store", "without"])
def test_what_is_kept_is_bounded(
    everybody: Sandbox,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kept: str,
) -> None:
    monkeypatch.setattr(_books, "MOST_ROWS", 4 * ROWS)
    monkeypatch.setattr(_books, "MOST_ROWS_WITH_STORE", 2 * ROWS)
    store = path if kept == "with a store" else None
    with BulkEnricher(KEY, base_url=everybody.url, store=store) as enricher:
        cancel_many(enricher)
        wait_until_answered(enricher)
        # What was in flight when the last call was cancelled is given up at the next call.
        enricher.enrich(["last@acme.example"])
        before = enricher.receipt
        assert before.credits == everybody.ledger.credits
        if store is None:
            assert sum(record.levelno == logging.WARNING for record in caplog.records) == CALLS - 4
            with pytest.warns(StoreWarning, match=f"rows of {CALLS - 4} calls .* recover"):
                recovered = [enricher.recover()]
        else:
            recovered = [enricher.recover()]
        while rows := enricher.recover():
            recovered.append(rows)
        assert [len(rows) for rows in recovered] == [ROWS] * (2 if store else 4)
        # The newest calls are kept; `recover()` returns the oldest of them first.
        assert recovered[-1][0]["value"] == PEOPLE[-ROWS]
        assert enricher.receipt.credits == before.credits
        if store is not None:
            paid = enricher.enrich(PEOPLE).receipt.credits
            assert enricher.receipt.credits == everybody.ledger.credits == before.credits + paid


def test_the_newest_call_is_kept_however_large(everybody: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_books, "MOST_ROWS", 1)
    with BulkEnricher(KEY, base_url=everybody.url) as enricher, enricher.stream(PEOPLE) as stream:
        next(stream)
        stream.close()
        enricher.enrich(["last@acme.example"])
        assert len(enricher.recover()) == len(PEOPLE) - 1
