"""Ctrl-C while the store keeps somebody waiting: it is seen, and what was asked can be asked again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_runs import emails, enricher

from exactbuyer import BulkEnricher
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store, migrate
from exactbuyer.store._file import core_of

PEOPLE = emails(5)

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.executescript(sys.argv[2])
print("held", flush=True)
sys.stdin.readline()
"""


class Holder:
    """Another program that keeps the store locked, until it is told to let go."""

    def __init__(self, path: Path, *, alone: bool) -> None:
        # Who has a store for himself keeps others from opening it; who writes, only from writing.
        how = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE" if alone else "BEGIN IMMEDIATE"
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def holds(self) -> bool:
        return self._process.poll() is None

    def release_remaining(self) -> None:
        self._process.communicate("\n", timeout=60)


@pytest.fixture
def path(everybody: Sandbox, tmp_path: Path) -> Path:
    """A store that knows all of them, with another beside it."""
    for name in ["people.db", "other.db"]:
        with enricher(everybody, tmp_path / name) as people:
            people.enrich(PEOPLE)
    return tmp_path / "people.db"


def pressed_while(waiting: Callable[[], Any]) -> bool:
    """Presses Ctrl-C once this waits; whether it ended in that."""
    main, over = threading.get_ident(), threading.Event()

    def press() -> None:
        # A thread that stands at the same instruction for so long waits there, detached.
        stood, looks = None, 0
        while looks < 5_000 and not over.is_set():
            frame = sys._current_frames()[main]
            stands = (id(frame), frame.f_lasti)
            looks = looks + 1 if stands == stood else 0
            stood = stands
            os.sched_yield()
        if not over.is_set():
            signal.raise_signal(signal.SIGINT)

    presser = threading.Thread(target=press)
    try:
        presser.start()
        waiting()
    except KeyboardInterrupt:
        return True
    finally:
        over.set()
        presser.join()
    return False


ASKED: dict[str, Callable[[Store], object]] = {
    "info": lambda store: store.info(),
    "purge": lambda store: store.purge(PEOPLE[0]),
    "purge what is old": lambda store: store.purge(older_than=timedelta(0)),
    "merge": lambda store: store.merge(store.path.with_name("other.db")),
    "resolve": lambda store: store.resolve_unknown("resend"),
    "allow": lambda store: store.allow(PEOPLE[0]),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_waits_for_another_program_is_taken_back(path: Path, what: str) -> None:
    ask = ASKED[what]
    with Store(path) as store:
        holder = Holder(path, alone=False)
        assert pressed_while(lambda: ask(store))
        # Nor does it keep whoever only reads from it.
        assert [answer.value for answer in store.find(PEOPLE[0])] == PEOPLE[:1]
        assert holder.holds(), "it was not waited for"
        holder.release_remaining()
        info = store.info()
        assert (info.hits, info.purged) == (len(PEOPLE), 0), "what was taken back is not done later"
        ask(store)


@pytest.mark.parametrize("what", ["info", "find", "enrich", "plan", "migrate"])
def test_opening_a_store_that_another_program_has_is_taken_back(
    everybody: Sandbox, path: Path, what: str
) -> None:
    people = enricher(everybody, path)
    store = Store(path)
    asked: dict[str, Callable[[], object]] = {
        "info": store.info,
        "find": lambda: store.find(PEOPLE[0]),
        "enrich": lambda: people.enrich(PEOPLE),
        "plan": lambda: people.plan(PEOPLE),
        "migrate": lambda: migrate(path),
    }
    holder = Holder(path, alone=True)
    assert pressed_while(asked[what])
    assert holder.holds(), "it was not waited for"
    holder.release_remaining()
    asked[what]()
    people.close()
    store.close()


async def stream(people: BulkEnricher) -> list[Any]:
    async with people, people.stream_async(PEOPLE) as rows:
        return [row async for row in rows]


async def table(people: BulkEnricher) -> list[Any]:
    got = await people.enrich_table_async([{"mail": mail} for mail in PEOPLE], by="mail")
    return [{"status": row["eb_status"]} for row in got]


AWAITED: dict[str, Callable[[BulkEnricher], Coroutine[Any, Any, list[Any]]]] = {
    "enrich": lambda people: people.enrich_async(PEOPLE),
    "table": table,
    "stream": stream,
}


@pytest.mark.parametrize("call", AWAITED)
def test_the_loop_runs_while_another_program_has_the_store(everybody: Sandbox, path: Path, call: str) -> None:
    people, holder = enricher(everybody, path), Holder(path, alone=True)

    async def main() -> list[Any]:
        async def release() -> None:
            # The other program lets go of the store long before the wait for it ends, if the loop runs.
            for _ in range(10):
                await asyncio.sleep(0)
            await asyncio.to_thread(holder.release_remaining)

        rows, _ = await asyncio.gather(AWAITED[call](people), release())
        return list(rows)

    assert [row["status"] for row in asyncio.run(main())] == ["found"] * len(PEOPLE)


def test_a_store_that_opens_after_its_enricher_is_closed_is_closed_again(
    everybody: Sandbox, path: Path
) -> None:
    people, holder = enricher(everybody, path), Holder(path, alone=True)

    async def main() -> None:
        call = asyncio.ensure_future(people.enrich_async(PEOPLE))
        while not any(thread.name == "exactbuyer-async" for thread in threading.enumerate()):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
        await people.aclose()

    asyncio.run(main())
    (opening,) = (thread for thread in threading.enumerate() if thread.name == "exactbuyer-async")
    holder.release_remaining()
    opening.join()
    assert not core_of(people.store).is_open()
