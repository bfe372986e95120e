"""Streams: how far they read ahead, what becomes of a source's trouble, how they are left."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from exactbuyer import AsyncStream, BulkEnricher, ConfigError, IncompleteWarning, UnknownOutcomeError
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator
    from types import ModuleType

    from exactbuyer import Progress, Result


class Source:
    """Endless rows that count how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        while True:
            self.taken += 1
            yield f"person{self.taken - 1}@acme.example"


def enricher_of(fakes: ModuleType, **settings: Any) -> BulkEnricher:
    return BulkEnricher("any", store=None, **settings)


def test_it_reads_no_further_than_the_window(fakes: ModuleType) -> None:
    source = Source()
    enricher = enricher_of(fakes, chunk_size=10, max_in_doubt=30)
    assert enricher.settings.window_rows == 60
    with enricher.stream(source) as stream:
        for number, row in enumerate(stream):
            assert row["value"] == f"person{number}@acme.example"
            # A slice may have been taken out of the run and not yet handed out.
            assert source.taken <= number + 1 + 60 + 10
            if number == 500:
                break
    assert source.taken < 600


def test_an_async_source_is_read_no_further_than_the_window(fakes: ModuleType) -> None:
    source = Source()

    async def rows() -> AsyncIterator[str]:
        for row in source:
            yield row

    async def consume() -> None:
        async with enricher_of(fakes, chunk_size=10, max_in_doubt=30).stream_async(rows()) as stream:
            number = 0
            async for row in stream:
                assert row["value"] == f"person{number}@acme.example"
                # As above, and one slice may wait between the source and the run.
                assert source.taken <= number + 1 + 60 + 20
                number += 1
                if number == 500:
                    break

    asyncio.run(consume())
    assert source.taken < 600


@pytest.mark.filterwarnings("ignore:store=None keeps nothing")
def test_a_stream_reads_ahead_as_far_as_the_readme_says(fakes: ModuleType) -> None:
    enricher, source = enricher_of(fakes), Source()
    most = enricher.settings.window_rows
    with enricher.stream(source) as stream:
        next(stream)
        first = source.taken
        for _ in range(20_000):
            next(stream)
        # As in the tests above, one slice more.
        assert most <= source.taken - 20_000 <= most + 1_000
    readme = " ".join((Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").split())
    assert f"{first:,} at first, and up to {most:,} once you have taken some" in readme


@pytest.mark.parametrize("rows", [1, 999, 1_000, 2_500, 3_999])
@pytest.mark.parametrize("is_table", [False, True])
@pytest.mark.filterwarnings("ignore:store=None keeps nothing")
def test_the_end_of_a_short_source_is_read_before_the_last_request_is_sent(
    everybody: Sandbox, rows: int, is_table: bool
) -> None:
    people = [f"person{number}@acme.example" for number in range(rows)]
    is_read = False

    def until_read(parts: Iterable[Any]) -> Iterator[Any]:
        nonlocal is_read
        yield from parts
        is_read = True

    # Otherwise it would wait for more rows, which could fill it.
    with BulkEnricher("any", base_url=everybody.url, store=None) as enricher:
        if is_table:
            table = pa.table({"mail": people})
            reader = pa.RecordBatchReader.from_batches(table.schema, until_read(table.to_batches()))
            enricher.enrich_table(reader, by="mail", columns=[]).read_next_batch()
        else:
            with enricher.stream(until_read(people)) as results:
                next(results)
        assert is_read


def test_a_reader_that_is_left_early_costs_no_more_than_a_stream() -> None:
    people = pa.table({"mail": [f"p{number}@x.example" for number in range(50_000)]})
    with BulkEnricher.sandbox(match_rate=1, grace=0) as enricher:
        reader = enricher.enrich_table(people.to_reader(), by="mail", columns=[])
        assert reader.read_next_batch().num_rows == 1_000
        reader.close()
        del reader
        assert enricher.receipt.rows <= 5_000


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("is_async", [False, True])
def test_read_ahead_limits_what_may_be_paid_for(rows: int, is_async: bool) -> None:
    async def three(stream: AsyncStream) -> list[Any]:
        async with stream:
            return [await anext(stream) for _ in range(3)]

    with BulkEnricher.sandbox(match_rate=1, grace=0) as enricher:
        if is_async:
            found = asyncio.run(three(enricher.stream_async(Source(), read_ahead=rows)))
        else:
            with enricher.stream(Source(), read_ahead=rows) as stream:
                found = [next(stream) for _ in range(3)]
        assert [row["status"] for row in found] == ["found"] * 3
        assert 3 <= enricher.sandbox_server.ledger.credits <= 3 + rows
        for wrong in (0, 1.5, "7"):
            with pytest.raises(
                ConfigError, match="read_ahead must be a whole number from 1 to 1,000,000, or None"
            ):
                enricher.stream(Source(), read_ahead=wrong)  # type: ignore[arg-type]


def test_rows_before_the_sources_trouble_come_first(
    fakes: ModuleType, run_stream_call: Callable[..., list[Result]]
) -> None:
    def rows() -> Iterator[str]:
        yield "ana"
        yield "bo"
        raise OSError("the file ended early")

    enricher = enricher_of(fakes)
    with pytest.raises(OSError, match="ended early"):
        run_stream_call(enricher, rows())
    assert enricher.receipt.found == 2


def test_rows_before_one_that_cannot_be_read_come_first(
    fakes: ModuleType, run_stream_call: Callable[..., list[Result]]
) -> None:
    enricher = enricher_of(fakes)
    with pytest.raises(TypeError, match="row 2 is a bool"):
        run_stream_call(enricher, ["ana", "bo", True, "cy"])
    assert enricher.receipt.found == 2


def test_rows_before_one_that_cannot_be_read_count_as_read(
    fakes: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    with enricher_of(fakes).stream(["ana", "bo", True, "cy"]) as stream:
        next(stream)
    assert "left with 1 row read and not handed out" in caplog.text


@pytest.mark.parametrize("name", ["enrich", "stream"])
def test_an_internal_error_that_ends_a_run_is_raised_whatever_the_caller_wants(
    fakes: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    enricher, message = enricher_of(fakes), "an internal error ended this run"
    engine: Any = enricher._session._engine

    def break_it(run: Any) -> None:
        # The run is over, and no row has a result.
        run.trouble = [("UnknownOutcomeError", message, None, False)]
        monkeypatch.setattr(run, "over", lambda: True)
        monkeypatch.setattr(run, "_advance", lambda: None)

    engine.before_wait = break_it
    options = {"on_error": "record"} if name == "enrich" else {}
    with pytest.raises(UnknownOutcomeError, match=message) as caught:
        list(getattr(enricher, name)(["ana"], progress=False, **options))
    assert repr(caught.value.results) == (
        "<Results: 1 row: 1 unknown>" if name == "enrich" else "<Results: 0 rows>"
    )


def test_left_early_the_rest_is_recovered_once(fakes: ModuleType, caplog: pytest.LogCaptureFixture) -> None:
    enricher = enricher_of(fakes, chunk_size=10, max_in_doubt=30)
    for number, _ in enumerate(enricher.stream(Source())):
        if number == 4:
            break
    assert "recover()" in caplog.text
    rest = enricher.recover()
    assert rest is not None
    assert rest.first_row == 5
    assert rest[0]["value"] == "person5@acme.example"
    assert rest[0]["status"] == "found"
    assert {row["status"] for row in rest} <= {"found", "not_sent"}
    assert len(rest) == rest.receipt.rows - 5
    assert enricher.recover() is None
    assert enricher.receipt == rest.receipt


def test_left_early_it_does_not_call_the_function_for_progress(fakes: ModuleType) -> None:
    """A stream that is deleted may be left in any thread, and while locks are held."""
    shown: list[Progress] = []
    enricher = enricher_of(fakes, chunk_size=10, max_in_doubt=30)
    stream = enricher.stream(Source(), progress=shown.append)
    next(stream)
    before = len(shown)
    assert before
    del stream
    gc.collect()
    assert len(enricher.recover() or []) > 0
    assert len(shown) == before


def test_left_at_its_end_there_is_nothing_to_recover(fakes: ModuleType) -> None:
    enricher = enricher_of(fakes)
    stream = enricher.stream(["ana", "bo"])
    assert [next(stream)["value"], next(stream)["value"]] == ["ana", "bo"]
    stream.close()
    assert enricher.recover() is None
    assert enricher.receipt.rows == 2
    assert next(stream, None) is None


def test_a_cancelled_anext_loses_nothing(fakes: ModuleType) -> None:
    async def consume() -> list[str]:
        gate = asyncio.Event()

        async def rows() -> AsyncIterator[str]:
            yield "ana"
            await gate.wait()
            yield "bo"

        stream = enricher_of(fakes).stream_async(rows())
        values = [(await anext(stream))["value"]]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        gate.set()
        return values + [row["value"] async for row in stream]

    assert asyncio.run(consume()) == ["ana", "bo"]


def test_a_slow_source_holds_no_finished_row_back(fakes: ModuleType) -> None:
    async def consume() -> None:
        asked: asyncio.Queue[str | None] = asyncio.Queue()

        async def rows() -> AsyncIterator[str]:
            while (row := await asked.get()) is not None:
                yield row

        async with enricher_of(fakes).stream_async(rows()) as stream:
            # Each row is asked for only when the one before has come back.
            for row in ("ana", "bo", "cy"):
                asked.put_nowait(row)
                assert (await anext(stream))["value"] == row
            asked.put_nowait(None)
            assert await anext(stream, None) is None

    asyncio.run(consume())


def test_a_stream_ends_at_a_ceiling_that_a_store_keeps(tmp_path: Path) -> None:
    people = [f"person{number}@acme.example" for number in range(200)]
    with BulkEnricher.sandbox(store=tmp_path / "s.db", max_in_doubt=500, max_credits=20) as enricher:

        async def statuses() -> list[str]:
            asked = asyncio.Event()

            async def source() -> AsyncIterator[str]:
                for person in people:
                    yield person
                # Never at its end by itself: what is left is to be told all the same.
                await asked.wait()

            seen: list[str] = []
            async with enricher.stream_async(source(), progress=False) as stream:
                async for row in stream:
                    seen.append(row["status"])
                    if len(seen) == len(people):
                        asked.set()
            return seen

        with pytest.warns(IncompleteWarning, match="max_credits"):
            seen = asyncio.run(asyncio.wait_for(statuses(), 60))
        assert len(seen) == len(people)
        assert seen.count("found") == enricher.receipt.credits <= 20
        assert "not_sent" in seen
        assert enricher.sandbox_server.ledger.credits == enricher.receipt.credits


def test_a_source_that_was_cancelled_is_no_end() -> None:
    async def source() -> AsyncIterator[str]:
        yield "ana@acme.example"
        raise asyncio.CancelledError

    async def seen(enricher: BulkEnricher) -> list[str | None]:
        async with enricher.stream_async(source(), progress=False) as stream:
            return [row["value"] async for row in stream]

    with BulkEnricher.sandbox() as enricher:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(seen(enricher))
        assert [row["value"] for row in enricher.recover() or []] == ["ana@acme.example"]


def test_what_one_recovers_no_other_does() -> None:
    async def recovered() -> list[int]:
        with Sandbox(latency=0.2) as vendor:
            enricher = BulkEnricher(vendor.api_key, base_url=vendor.url, chunk_size=10)
            stream = enricher.stream_async([f"person{number}@acme.example" for number in range(40)])
            await anext(stream)
            closing = asyncio.create_task(stream.aclose())
            await asyncio.sleep(0)
            first = await enricher.recover_async()
            assert first is not None
            await closing
            return [len(first), len(await enricher.recover_async() or [])]

    assert asyncio.run(recovered()) == [39, 0]
