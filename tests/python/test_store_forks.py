"""Forks of a process that uses a store: none is kept waiting, and neither side loses or repeats anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from store_runs import asked, emails, enricher
from test_store_processes import answer, start
from typing_extensions import Self

from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from typing_extensions import Self

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

PEOPLE = emails(20)

# Another program: a second SQLite library in this process would be another case.
HOLD = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1], isolation_level=None) as other:
    other.execute("BEGIN IMMEDIATE")
    print("held", flush=True)
    sys.stdin.readline()
    other.execute("ROLLBACK")
"""


class Holder:
    """Another program that holds the store's write lock until it is told to release it."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def release_remaining(self) -> None:
        self.process.communicate("\n", timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_fork_does_not_wait_for_another_programs_lock(everybody: Sandbox, path: Path) -> None:
    """Neither with one waiting call nor with four. The calls continue in the parent, and only there."""
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:1])
    script = """
    import threading
    known, rows = rest
    enricher = BulkEnricher(base_url=url, store=path)
    enricher.enrich(known)
    print("open", flush=True)
    sys.stdin.readline()
    results = {}
    def call(row):
        results[row] = enricher.enrich([row])[0]["status"]
    calls = [threading.Thread(target=call, args=(row,)) for row in rows]
    for each in calls:
        each.start()
    children = []
    for _ in range(20):
        child = os.fork()
        if not child:
            code = 1
            try:
                # The calls under way belong to the parent; the child makes a call of its own.
                assert enricher.enrich(known).receipt.from_store == 1
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    waiting = all(each.is_alive() for each in calls)
    print(json.dumps(waiting), flush=True)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    for each in calls:
        each.join()
    enricher.close()
    print(json.dumps([codes, results]))
    """
    for rows in (PEOPLE[1:2], PEOPLE[2:6]):
        process = start(script, everybody.url, path, PEOPLE[:1], rows)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with Holder(path) as holder:
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "true\n", "all forks were over before any call gave up"
            holder.release_remaining()
        codes, results = answer(process)
        assert codes == [0] * 20
        assert results == dict.fromkeys(rows, "found")
    assert everybody.ledger.credits == 6, "each once"
    assert asked(everybody) == 6


def test_a_fork_goes_ahead_of_what_takes_long(everybody: Sandbox, path: Path) -> None:
    """The parent's other threads continue; the child cannot use the store."""
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:3])
    older = "UPDATE meta SET value = 0 WHERE name = 'rules_version'"
    subprocess.run(
        [sys.executable, "-c", f"import sqlite3; sqlite3.connect({str(path)!r}).executescript({older!r})"],
        check=True,
    )
    script = """
    import pathlib, threading
    from exactbuyer.store import Store, migrate
    print("ready", flush=True)
    sys.stdin.readline()
    done = []
    migration = threading.Thread(target=lambda: done.append(migrate(path)))
    migration.start()
    folder = pathlib.Path(path).parent
    while not [file for file in folder.glob("*.backup-*") if file.suffix != ".unfinished"]:
        os.sched_yield()
    ticks, running = 0, True
    def tick():
        global ticks
        while running:
            ticks += 1
    ticking = threading.Thread(target=tick)
    ticking.start()
    before = ticks
    child = os.fork()
    if not child:
        code = 1
        try:
            Store(path).info()
        except StoreError as error:
            code = 0 if "was forked while a store was in use" in str(error) else 2
        finally:
            os._exit(code)
    during, running = ticks - before, False
    ticking.join()
    # The migration still waits for the other program.
    print(json.dumps([during > 10_000, migration.is_alive()]), flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    migration.join()
    with Store(path) as store:
        print(json.dumps([code, len(done), store.info().hits]))
    """
    process = start(script, everybody.url, path)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with Holder(path) as holder:
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "[true, true]\n"
        holder.release_remaining()
    assert answer(process) == [0, 1, 3]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed there")
def test_a_forked_child_keeps_nothing_of_its_parents_store(everybody: Sandbox, path: Path) -> None:
    """Otherwise the parent's locks would be held until the child ends."""
    script = """
    rows, = rest
    enricher = BulkEnricher(base_url=url, store=path)
    enricher.enrich(rows)
    child = os.fork()
    if not child:
        names = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        links = [os.readlink(name) for name in names if os.path.islink(name)]
        os._exit(len([link for link in links if link.startswith(path)]))
    left = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    enricher.close()
    print(json.dumps(left))
    """
    assert answer(start(script, everybody.url, path, PEOPLE[:1])) == 0
