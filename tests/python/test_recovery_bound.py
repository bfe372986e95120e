"""Calls that are cancelled and never recovered: what is kept is bounded, and nothing is dropped silently."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from keys import KEY
from store_runs import emails

from exactbuyer import BulkEnricher, Results, StoreWarning
from exactbuyer._calls import call_history
from exactbuyer._calls.call import Call
from exactbuyer._calls.list_call import ListCall
from exactbuyer._calls.options import CallOptions
from exactbuyer._calls.stream_call import RowStreamCall
from exactbuyer._frames.readers import PyarrowTableReader
from exactbuyer.exceptions import Interrupted
from exactbuyer.report.progress import Watch

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from exactbuyer.sandbox import Sandbox

ROWS = 10
CALLS = 12
PEOPLE = emails(ROWS * CALLS)
HANGING_S = 600.0


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
    """Waits until no request of the cancelled calls, each of one request, is under way."""
    for call in [*enricher._session.history._interrupted]:
        # Returns as soon as the answer is there. The limit only ends a test that would hang.
        assert call.run.wait(HANGING_S), "a request was not answered"
        assert not call.run.progress()["in_flight"]
    assert not enricher.receipt.credits_in_doubt


@pytest.mark.parametrize("kept", ["with a store", "without"])
def test_what_is_kept_is_bounded(
    everybody: Sandbox,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kept: str,
) -> None:
    monkeypatch.setattr(call_history, "MOST_ROWS", 4 * ROWS)
    monkeypatch.setattr(call_history, "MOST_ROWS_WITH_STORE", 2 * ROWS)
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
                recovered = [enricher.recover() or Results()]
        else:
            recovered = [enricher.recover() or Results()]
        while (rows := enricher.recover()) is not None:
            recovered.append(rows)
        assert [len(rows) for rows in recovered] == [ROWS] * (2 if store else 4)
        # The newest calls are kept; `recover()` returns the oldest of them first.
        assert recovered[-1][0]["value"] == PEOPLE[-ROWS]
        assert enricher.receipt.credits == before.credits
        if store is not None:
            paid = enricher.enrich(PEOPLE).receipt.credits
            assert enricher.receipt.credits == everybody.ledger.credits == before.credits + paid


def test_the_newest_call_is_kept_however_large(everybody: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_history, "MOST_ROWS", 1)
    with BulkEnricher(KEY, base_url=everybody.url) as enricher, enricher.stream(PEOPLE) as stream:
        next(stream)
        stream.close()
        enricher.enrich(["last@acme.example"])
        assert len(enricher.recover() or []) == len(PEOPLE) - 1


def leave(enricher: BulkEnricher, name: str) -> None:
    """Leaves a stream with one row that was answered and not handed out."""
    with enricher.stream([f"{name}@acme.example"] * 2) as stream:
        next(stream)


@pytest.mark.parametrize("most", [3, 2])
def test_a_contact_that_the_store_does_not_keep_is_not_given_up_as_stored(
    everybody: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(call_history, "MOST_ROWS", most)
    monkeypatch.setattr(call_history, "MOST_ROWS_WITH_STORE", 1)
    # The store does not keep Bob's contact, because it mentions somebody who was purged.
    everybody.person("bob@acme.example", {"manager": "Eve@acme.example"})
    with BulkEnricher(KEY, base_url=everybody.url, store=path) as enricher:
        enricher.enrich(["eve@acme.example"])
        enricher.store.purge("eve@acme.example")
        for name in ("bob", "carla", "dora"):
            leave(enricher, name)
            enricher.enrich(["last@acme.example"])
        assert enricher.store.find("carla@acme.example")
        assert not enricher.store.find("bob@acme.example")
        if most == 3:
            first = enricher.recover() or Results()
            assert [row["value"] for row in first] == ["bob@acme.example"]
        else:
            with pytest.warns(StoreWarning, match="rows of 1 call .* recover"):
                first = enricher.recover() or Results()
        while first[0]["value"] != "dora@acme.example":
            first = enricher.recover() or Results()
        assert enricher.recover() is None


def test_the_answers_of_a_store_that_is_gone_are_not_given_up_as_stored(
    everybody: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BulkEnricher(KEY, base_url=everybody.url, store=path) as enricher:
        for name in ("bob", "carla"):
            leave(enricher, name)
        for file in path.parent.iterdir():
            file.unlink()
        monkeypatch.setattr(call_history, "MOST_ROWS_WITH_STORE", 0)
        enricher._session.history.trim()
        assert [row["value"] for row in enricher.recover() or []] == ["bob@acme.example"]


def another_call() -> ListCall:
    """A call of another enricher, that is not under way."""
    options = CallOptions.checked(None, None, None, refresh=False, store_only=False)
    return BulkEnricher(KEY, store=None)._session.begin(ListCall, "enrich", options, Watch(False, 0))


@pytest.mark.parametrize("name", ["enrich", "stream"])
def test_a_call_is_not_given_up_while_its_own_caller_still_takes_its_rows(
    fakes: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(call_history, "MOST_ROWS", 0)
    enricher = BulkEnricher(KEY, store=None)
    history, kind = enricher._session.history, {"enrich": ListCall, "stream": RowStreamCall}[name]
    collect = kind.collect

    def trim_and_collect(call: Any) -> None:
        # As another thread may at this moment: everything is answered, and nothing of it is taken yet.
        newest = another_call()
        history.keep_for_recovery(newest)
        history.trim()
        history.drop(newest)
        collect(call)

    def press(_: Any) -> None:
        engine.before_wait = lambda _: None
        monkeypatch.setattr(kind, "collect", trim_and_collect)
        raise KeyboardInterrupt

    engine: Any = enricher._session._engine
    engine.before_wait = press
    with pytest.raises(Interrupted) as caught:
        list(getattr(enricher, name)(PEOPLE[:ROWS], progress=False))
    assert [row["status"] for row in caught.value.results or []] == ["not_sent"] * ROWS
    assert not enricher._session.history.take_given_up()
    # From then on it may be.
    history.keep_for_recovery(another_call())
    history.trim()
    assert history.take_given_up() == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_streams_of_which_nothing_is_left_do_not_hide_what_was_paid_for(
    everybody: Sandbox, is_async: bool
) -> None:
    enricher = BulkEnricher("any", base_url=everybody.url)
    for _ in range(3):
        assert len(list(itertools.islice(enricher.stream(PEOPLE[:3]), 3))) == 3
    stream = enricher.stream(PEOPLE[3:6])
    next(stream)
    del stream
    recovered: list[Any] = []
    # The loop of the documentation.
    while (part := asyncio.run(enricher.recover_async()) if is_async else enricher.recover()) is not None:
        recovered += part
    assert [row["value"] for row in recovered] == PEOPLE[4:6]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_nothing_is_sent_after_an_error_while_a_block_is_joined(
    everybody: Sandbox, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    rows = [f"p{number}@acme.example" for number in range(400)]
    batches = pa.table({"mail": rows}).to_batches(max_chunksize=10)
    enricher = BulkEnricher("any", base_url=everybody.url, store=None, chunk_size=10, max_in_doubt=20)
    join, joined = PyarrowTableReader.join, []

    def joined_or_failed(self: Any, source: Any, block: Any) -> list[Any]:
        joined.append(source)
        if len(joined) == 3:
            raise error
        return join(self, source, block)

    monkeypatch.setattr(PyarrowTableReader, "join", joined_or_failed)
    source = pa.RecordBatchReader.from_batches(batches[0].schema, batches)
    reader = enricher.enrich_table(source, by="mail", columns=[])
    taken = reader.read_next_batch().num_rows
    rest: list[int] = []
    with pytest.raises(error) as caught:
        rest.extend(batch.num_rows for batch in reader)
    taken += sum(rest)
    # The traceback, which prompts keep, refers to the stream.
    assert caught.tb is not None
    recovered = enricher.recover()
    assert recovered is not None
    statuses = recovered.table["eb_status"].to_pylist()
    assert recovered.first_row == taken
    assert taken + statuses.count("found") == everybody.ledger.credits < len(rows)
    if error is KeyboardInterrupt:
        assert isinstance(caught.value, Interrupted)
        assert caught.value.table.equals(recovered.table)


def test_rows_of_a_table_whose_run_an_internal_error_ended_are_unknown(
    everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    # The rows are announced to the table, and have no outcome.
    monkeypatch.setattr(Call, "feed", end)
    monkeypatch.setattr(Call, "is_broken", lambda _: True)
    enricher = BulkEnricher("any", base_url=everybody.url)
    with pytest.raises(Interrupted) as caught:
        enricher.enrich_table(pa.table({"mail": PEOPLE[:2]}), by="mail", columns=[])
    assert caught.value.table["eb_status"].to_pylist() == ["unknown", "unknown"]
    reasons = caught.value.table["eb_reason"].to_pylist()
    assert reasons == ["an internal error ended the run: it may have been charged"] * 2
