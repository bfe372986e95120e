"""Event loops that end during a call: what was sent is in the receipt, and `recover()` returns it."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from keys import KEY

from exactbuyer import AsyncStream, BulkEnricher, ExactBuyerError, IncompleteWarning, Results
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

ROWS = [f"person{number}@acme.example" for number in range(6)]

if TYPE_CHECKING:
    RunCall = Callable[[BulkEnricher, Any], Coroutine[Any, Any, Any]]


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """A sandbox that takes a moment to answer."""
    with Sandbox(match_rate=1.0, requests_per_minute=None, latency=0.3) as sandbox:
        yield sandbox


async def enrich(enricher: BulkEnricher, look: Any) -> Any:
    return await enricher.enrich_async(ROWS, progress=look)


async def first_of_a_stream(enricher: BulkEnricher, look: Any) -> Any:
    async with enricher.stream_async(ROWS, progress=look) as stream:
        return await anext(stream)


async def first_of_an_async_source(enricher: BulkEnricher, look: Any) -> Any:
    async with enricher.stream_async(source(), progress=look) as stream:
        return await anext(stream)


async def source() -> AsyncIterator[str]:
    for row in ROWS:
        yield row


async def enrich_a_table(enricher: BulkEnricher, look: Any) -> Any:
    table = pytest.importorskip("polars").DataFrame({"mail": ROWS})
    return await enricher.enrich_table_async(table, by="mail", progress=look)


CALLS = [enrich, first_of_a_stream, first_of_an_async_source, enrich_a_table]


def under_way(
    run_call: RunCall, enricher: BulkEnricher, loop: asyncio.AbstractEventLoop
) -> asyncio.Task[Any]:
    """A task of this loop, which has stopped with its first request in flight."""
    in_flight = asyncio.Event()

    def look(progress: Any) -> None:
        if progress.in_flight:
            in_flight.set()

    async def begin() -> asyncio.Task[Any]:
        task = asyncio.ensure_future(run_call(enricher, look))
        await in_flight.wait()
        return task

    return loop.run_until_complete(begin())


def one_at_a_time(sandbox: Sandbox) -> BulkEnricher:
    return BulkEnricher(KEY, base_url=sandbox.url, chunk_size=2, max_concurrency=1, max_in_doubt=2)


def statuses(results: Any) -> list[str]:
    """The statuses of the rows of a list, or of a table."""
    if results.table is not None:
        return list(results.table["eb_status"])
    return [row["status"] for row in results]


@pytest.mark.parametrize("run_call", CALLS)
@pytest.mark.parametrize("recover_in", ["no loop", "a new loop"])
def test_a_loop_that_is_closed_under_a_call_loses_nothing(
    slow: Sandbox, run_call: RunCall, recover_in: str, caplog: pytest.LogCaptureFixture
) -> None:
    enricher = one_at_a_time(slow)
    loop = asyncio.new_event_loop()
    task = under_way(run_call, enricher, loop)
    loop.close()
    # Counted at once: what is in flight may be charged.
    assert enricher.receipt.credits + enricher.receipt.credits_in_doubt == 2
    recovered = enricher.recover() if recover_in == "no loop" else asyncio.run(enricher.recover_async())
    assert recovered is not None
    assert slow.ledger.credits == enricher.receipt.credits == 2
    assert enricher.receipt.credits_in_doubt == 0
    assert statuses(recovered)[:2] == ["found", "found"]
    # Nothing waits for the call any more, so nothing else is sent.
    assert set(statuses(recovered)[2:]) <= {"not_sent"}
    assert enricher.recover() is None
    assert not task.done()
    del task
    gc.collect()
    assert enricher.recover() is None
    assert enricher.receipt.credits == 2
    caplog.clear()


@pytest.mark.parametrize("run_call", CALLS)
def test_a_loop_that_nobody_holds_any_more_loses_nothing(slow: Sandbox, run_call: RunCall) -> None:
    enricher = one_at_a_time(slow)
    with warnings.catch_warnings():
        # asyncio says that the loop was not closed, which is the point.
        warnings.simplefilter("ignore", ResourceWarning)
        under_way(run_call, enricher, asyncio.new_event_loop())
        gc.collect()
        # Until the answer comes, the waiting future holds a reference to the loop; afterwards nothing does.
        deadline = time.monotonic() + 30.0
        while (recovered := enricher.recover()) is None:
            assert time.monotonic() < deadline
            assert enricher.receipt.credits + enricher.receipt.credits_in_doubt >= 2
            gc.collect()
        gc.collect()
    assert statuses(recovered).count("found") == enricher.receipt.credits == slow.ledger.credits > 0


def test_a_loop_that_has_only_stopped_goes_on(slow: Sandbox) -> None:
    enricher = one_at_a_time(slow)
    loop = asyncio.new_event_loop()
    task = under_way(enrich, enricher, loop)
    assert enricher.receipt.credits + enricher.receipt.credits_in_doubt >= 2
    assert enricher.recover() is None, "its task can still go on"
    assert len(loop.run_until_complete(task)) == 6
    assert enricher.receipt.credits == slow.ledger.credits == 6
    loop.close()
    assert enricher.recover() is None


def test_asyncio_run_that_ends_with_tasks_pending_loses_nothing(slow: Sandbox) -> None:
    enricher = one_at_a_time(slow)
    tasks: list[Any] = []

    async def main() -> None:
        in_flight = asyncio.Event()

        def look(progress: Any) -> None:
            if progress.in_flight:
                in_flight.set()

        tasks.append(asyncio.ensure_future(enricher.enrich_async(ROWS, progress=look)))
        await in_flight.wait()

    asyncio.run(main())
    assert tasks[0].cancelled()
    assert statuses(enricher.recover() or [])[:2] == ["found", "found"]
    assert slow.ledger.credits == enricher.receipt.credits == 2


async def next_of(stream: AsyncStream) -> Any:
    return await anext(stream)


def test_a_stream_goes_on_in_a_new_loop(slow: Sandbox) -> None:
    enricher = one_at_a_time(slow)
    stream = enricher.stream_async(ROWS)
    first = asyncio.new_event_loop()
    got = [first.run_until_complete(anext(stream))]
    # When the loop ends, the second row has arrived, and the third is awaited.
    got.append(first.run_until_complete(anext(stream)))
    waiting = first.create_task(next_of(stream))
    first.run_until_complete(asyncio.sleep(0))
    first.run_until_complete(asyncio.sleep(0))
    first.close()

    async def rest() -> list[Any]:
        return [row async for row in stream]

    with warnings.catch_warnings():
        # Whether the run was stopped when the first loop was found closed depends on the timing.
        warnings.simplefilter("ignore", IncompleteWarning)
        got += asyncio.run(rest())
    assert [row["value"] for row in got] == ROWS
    assert not waiting.done()
    del waiting
    assert slow.ledger.credits == enricher.receipt.credits


def test_an_async_source_of_another_loop_is_read_no_further(slow: Sandbox) -> None:
    enricher = one_at_a_time(slow)
    stream = enricher.stream_async(source())
    first = asyncio.new_event_loop()
    got = [first.run_until_complete(anext(stream))]
    first.run_until_complete(first.shutdown_asyncgens())
    first.close()

    async def rest() -> None:
        async for row in stream:
            got.append(row)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteWarning)
        with pytest.raises(ExactBuyerError, match="event loop in which it was begun"):
            asyncio.run(rest())
    left = len(enricher.recover() or [])
    assert got[0]["status"] == "found"
    assert len(got) + left <= 6
    assert slow.ledger.credits == enricher.receipt.credits


def test_a_closed_loop_is_quiet() -> None:
    code = """
import asyncio, time
from exactbuyer import BulkEnricher
from exactbuyer.sandbox import Sandbox

with Sandbox(match_rate=1.0, latency=0.2) as sandbox:
    enricher = BulkEnricher("any", base_url=sandbox.url)
    loop = asyncio.new_event_loop()
    in_flight = asyncio.Event()
    look = lambda progress: progress.in_flight and in_flight.set()
    task = loop.create_task(enricher.enrich_async(["ana@acme.example"], progress=look))
    loop.run_until_complete(in_flight.wait())
    loop.close()
    task._log_destroy_pending = False
    deadline = time.monotonic() + 30
    while enricher.receipt.credits_in_doubt and time.monotonic() < deadline:
        pass
    print(enricher.receipt.credits, len(enricher.recover() or []))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 1\n", "")


def test_the_end_of_an_async_block_waits_without_the_loop(slow: Sandbox) -> None:
    async def main() -> tuple[int, Results]:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        async with BulkEnricher(KEY, base_url=slow.url) as enricher:
            task = asyncio.ensure_future(enricher.enrich_async(ROWS))
            while not slow.ledger.requests:  # noqa: ASYNC110 - the ledger has no event
                await asyncio.sleep(0.01)
            task.cancel()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(enricher.aclose(), 0.01)
            counting = asyncio.ensure_future(count())
        counting.cancel()
        recovered = await enricher.recover_async()
        assert recovered is not None
        return turns, recovered

    turns, results = asyncio.run(main())
    assert turns > 1
    assert {result["status"] for result in results} == {"found"}
