"""Closing: what is in flight is waited for, however often, from wherever and with whatever interruption."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from keys import KEY
from store_runs import emails

from exactbuyer import BulkEnricher
from exactbuyer._calls import session
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

PEOPLE = emails(20)


@pytest.fixture
def slow() -> Iterator[Sandbox]:
    """A sandbox that takes a moment to answer."""
    with Sandbox(match_rate=1.0, requests_per_minute=None, latency=0.5) as sandbox:
        yield sandbox


def leave_in_flight(enricher: BulkEnricher, sandbox: Sandbox) -> None:
    """Leaves a request in flight for which nobody waits."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(enricher.enrich_async(PEOPLE, progress=False))
        while not sandbox.ledger.requests:  # noqa: ASYNC110 - the ledger has no event
            await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())


def interrupted(enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closes it, and presses Ctrl-C while that waits."""

    class Engine:
        def close(self, _: float) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(enricher._session, "_engine", Engine())
        with pytest.raises(KeyboardInterrupt):
            enricher.close()


def cancelled(enricher: BulkEnricher, _: pytest.MonkeyPatch) -> None:
    """Closes it in an event loop that does not wait until it is closed."""

    async def close() -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(enricher.aclose(), 0.01)

    asyncio.run(close())


def concurrent(enricher: BulkEnricher, _: pytest.MonkeyPatch) -> None:
    """Lets another thread begin to close it."""
    closing = threading.Event()
    stop = enricher._session.stop

    def stop_and_tell(grace_s: float) -> None:
        stop(grace_s)
        closing.set()

    enricher._session.stop = stop_and_tell  # type: ignore[method-assign]
    threading.Thread(target=enricher.close, daemon=True).start()
    assert closing.wait(60)


@pytest.mark.parametrize("at_exit", [False, True])
@pytest.mark.parametrize("begin", [interrupted, cancelled, concurrent])
def test_closing_again_waits_for_what_is_in_flight(
    begin: Callable[[BulkEnricher, pytest.MonkeyPatch], None],
    slow: Sandbox,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    at_exit: bool,
) -> None:
    monkeypatch.setattr(session, "AT_EXIT_S", 60.0)
    enricher = BulkEnricher(KEY, base_url=slow.url, store=path)
    leave_in_flight(enricher, slow)
    monkeypatch.setattr(session, "_open", [enricher._session])
    begin(enricher, monkeypatch)
    if at_exit:
        session._at_exit()
    else:
        enricher.close()
    with Store(path) as store:
        info = store.info()
    assert (info.hits, info.credits_in_doubt) == (len(PEOPLE), 0)
    assert slow.ledger.credits == len(PEOPLE)
    assert not path.with_name(f"{path.name}-wal").exists()
    assert [row["status"] for row in enricher.recover() or []] == ["found"] * len(PEOPLE)


def test_an_interrupted_close_leaves_the_sandbox_to_its_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    with BulkEnricher.sandbox(match_rate=1, latency=0.5, store=None) as enricher:
        leave_in_flight(enricher, enricher.sandbox_server)
        interrupted(enricher, monkeypatch)
        enricher.close()
        assert [row["status"] for row in enricher.recover() or []] == ["found"] * len(PEOPLE)


def test_every_enricher_is_stopped_before_one_is_waited_for(
    fakes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrichers = [BulkEnricher("any", store=None) for _ in range(3)]
    streams = [enricher.stream(PEOPLE, progress=False) for enricher in enrichers]
    engines: list[Any] = [enricher._session._engine for enricher in enrichers]
    monkeypatch.setattr(session, "_open", [enricher._session for enricher in enrichers])
    stopped: list[bool] = []

    def close(_: float) -> None:
        stopped.extend(run.stopped is not None for engine in engines for run in engine.runs)
        raise OSError("the disk fails")

    for engine in engines:
        engine.close = close
    session._at_exit()
    assert stopped == [True] * 3 * len(streams)


def test_a_call_that_begins_while_the_enricher_is_closed_is_refused(fakes: ModuleType) -> None:
    enricher = BulkEnricher("any", store=None)
    engine: Any = enricher._session._engine
    start = engine.start

    def close_and_start(**how: Any) -> Any:
        enricher.close()
        return start(**how)

    engine.start = close_and_start
    with pytest.raises(ValueError, match="closed"):
        enricher.enrich(PEOPLE)
    assert [run.values for run in engine.runs] == [[]]
