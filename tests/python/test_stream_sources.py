"""Sources of streams: which are closed with the stream, and what becomes of their rows after Ctrl-C."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from exactbuyer import BulkEnricher
from exactbuyer.exceptions import Interrupted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

    from exactbuyer.sandbox import Sandbox


class Closing:
    """Rows of a generator, and whether it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def rows(self) -> Iterator[str]:
        try:
            for number in range(9):
                yield f"person{number}@acme.example"
        finally:
            self.is_closed = True

    async def rows_async(self) -> AsyncIterator[str]:
        try:
            for row in self.rows():
                yield row
            # Not at its end before it is closed.
            await asyncio.Event().wait()
        finally:
            self.is_closed = False
            await asyncio.sleep(0)
            self.is_closed = True


def test_a_generator_that_nobody_else_has_is_closed_with_the_stream(fakes: ModuleType) -> None:
    source, enricher = Closing(), BulkEnricher("any", store=None, chunk_size=2)
    with enricher.stream(source.rows(), read_ahead=2) as stream:
        next(stream)
        assert not source.is_closed
    assert source.is_closed


def test_a_generator_that_the_caller_has_goes_on_after_the_stream(fakes: ModuleType) -> None:
    source, enricher = Closing(), BulkEnricher("any", store=None, chunk_size=2)
    rows = source.rows()
    with enricher.stream(rows, read_ahead=2) as stream:
        got = [next(stream)["value"]]
    got += [row["value"] for row in enricher.recover() or []]
    assert not source.is_closed
    assert [*got, *rows] == list(Closing().rows())


def test_a_stream_can_be_closed_by_its_own_source(everybody: Sandbox) -> None:
    def rows() -> Iterator[str]:
        yield "ana@acme.example"
        streams[0].close()
        yield "bo@acme.example"

    enricher = BulkEnricher("any", base_url=everybody.url, store=None, chunk_size=1)
    streams = [enricher.stream(rows(), progress=False)]
    assert {row["value"] for row in streams[0]} <= {"ana@acme.example", "bo@acme.example"}
    assert enricher.receipt.credits == everybody.ledger.credits


@pytest.mark.parametrize("rows_before", [0, 3])
@pytest.mark.parametrize("kind", ["sync", "async", "sync source of async"])
def test_a_source_that_takes_from_its_own_stream_is_told_so(
    everybody: Sandbox, rows_before: int, kind: str
) -> None:
    enricher = BulkEnricher("any", base_url=everybody.url, store=None, chunk_size=2)
    before = list(Closing().rows())[:rows_before]
    streams: list[Any] = []
    got: list[Any] = []

    def rows() -> Iterator[str]:
        yield from before
        stream = streams[0]
        yield next(stream) if kind == "sync" else stream.__anext__().send(None)

    async def rows_async() -> AsyncIterator[str]:
        for row in before:
            yield row
        yield await anext(streams[0])

    async def take_async() -> None:
        streams.append(enricher.stream_async(rows() if "source" in kind else rows_async(), progress=False))
        async for row in streams[0]:
            got.append(row)

    def take() -> None:
        streams.append(enricher.stream(rows(), progress=False))
        got.extend(streams[0])

    with pytest.raises(RuntimeError, match="already executing"):
        take() if kind == "sync" else asyncio.run(take_async())
    assert enricher.receipt.credits == everybody.ledger.credits == rows_before
    assert [row["value"] for row in [*got, *(enricher.recover() or [])]] == before


def test_two_tasks_cannot_wait_for_one_stream(everybody: Sandbox) -> None:
    enricher = BulkEnricher("any", base_url=everybody.url, store=None, chunk_size=2)

    async def take() -> tuple[list[str], list[str]]:
        async with enricher.stream_async(Closing().rows(), progress=False) as stream:
            both: list[Any] = await asyncio.gather(anext(stream), anext(stream), return_exceptions=True)
            assert isinstance(both[1], RuntimeError)
            return [both[0]["value"]], [row["value"] async for row in stream]

    first, others = asyncio.run(take())
    assert [*first, *others] == list(Closing().rows())


@pytest.mark.parametrize("way", ["block", "deleted"])
def test_an_async_generator_is_closed_with_the_stream(fakes: ModuleType, way: str) -> None:
    async def main() -> bool:
        source, enricher = Closing(), BulkEnricher("any", store=None, chunk_size=2)
        if way == "block":
            async with enricher.stream_async(source.rows_async(), read_ahead=2) as stream:
                await anext(stream)
            return source.is_closed
        stream = enricher.stream_async(source.rows_async(), read_ahead=2)
        await anext(stream)
        del stream
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others)
        return source.is_closed

    assert asyncio.run(main())


class Interrupting:
    """An iterator of rows out of which Ctrl-C comes once; it can go on after that."""

    def __init__(self, before: int) -> None:
        self.number = -1
        self._before = before

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.number + 1 == self._before:
            self._before = -1
            raise KeyboardInterrupt
        self.number += 1
        return f"person{self.number}@acme.example"


@pytest.mark.parametrize("before", [0, 7, 17])
@pytest.mark.parametrize("is_async", [False, True])
def test_ctrl_c_in_the_source_loses_none_of_its_rows(everybody: Sandbox, before: int, is_async: bool) -> None:
    source = Interrupting(before)
    enricher = BulkEnricher("any", base_url=everybody.url, store=None, chunk_size=10, max_in_doubt=10)
    got: list[Any] = []

    async def consume() -> None:
        async for row in enricher.stream_async(source, progress=False):
            got.append(row)

    def run() -> None:
        if is_async:
            asyncio.run(consume())
        else:
            got.extend(iter(enricher.stream(source, progress=False)))

    with pytest.raises(KeyboardInterrupt) as caught:
        run()
    rest = list(enricher.recover() or [])
    if isinstance(caught.value, Interrupted):
        assert caught.value.results == rest
    numbers = [*range(before)]
    assert [row["value"] for row in [*got, *rest]] == [f"person{number}@acme.example" for number in numbers]
    assert [row["status"] for row in rest[-7:]] == ["not_sent"] * min(before, 7)
    assert next(source) == f"person{before}@acme.example"
    # The first request may have been sent before.
    found = [row["status"] for row in [*got, *rest]].count("found")
    assert everybody.ledger.credits == enricher.receipt.credits == found <= before - before % 10
