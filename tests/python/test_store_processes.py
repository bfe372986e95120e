"""Several processes and one store: nothing is paid for twice, ceilings hold, and the dead leave doubts."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from keys import KEY
from store_runs import asked, emails, enricher

from exactbuyer import Budget, BulkEnricher, ConfigError, IncompleteWarning
from exactbuyer.sandbox import Sandbox

PEOPLE = emails(60)
LIMIT_S = 60.0


HEAD = """
import json, os, sys, warnings
from exactbuyer import *

url, path, *rest = map(json.loads, sys.argv[1:])
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs this; what it prints last is its answer, in JSON."""
    given = [json.dumps(str(each) if isinstance(each, Path) else each) for each in arguments]
    # That a process with threads forks is the point, and what CPython warns of since 3.12.
    quiet = ["-W", "ignore:This process:DeprecationWarning"]
    return subprocess.Popen(
        [sys.executable, *quiet, "-c", HEAD + textwrap.dedent(script), *given],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EXACTBUYER_API_KEY": KEY},
    )


def answer(process: subprocess.Popen[str]) -> Any:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


ENRICH = """
rows, settings = rest
enricher = BulkEnricher(base_url=url, store=path, **settings)
with enricher, warnings.catch_warnings():
    warnings.simplefilter("ignore", IncompleteWarning)
    results = enricher.enrich(rows, on_error="record")
receipt = results.receipt
print(json.dumps([[row["status"] for row in results], receipt.credits, receipt.from_store]))
"""


def test_the_next_process_pays_only_for_the_rest(everybody: Sandbox, path: Path) -> None:
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:40])
    statuses, paid, from_store = answer(start(ENRICH, everybody.url, path, PEOPLE, {}))
    assert (set(statuses), paid, from_store) == ({"found"}, 20, 40)


def test_overlapping_lists_are_paid_for_once(everybody: Sandbox, path: Path) -> None:
    lists = [PEOPLE[:40], PEOPLE[20:], PEOPLE[::-1], PEOPLE[::2]]
    running = [start(ENRICH, everybody.url, path, rows, {"chunk_size": 3}) for rows in lists]
    answers = [answer(process) for process in running]
    assert [len(statuses) for statuses, *_ in answers] == [40, 40, 60, 30]
    assert {status for statuses, *_ in answers for status in statuses} == {"found"}
    assert sum(paid for _, paid, _ in answers) == everybody.ledger.credits == 60
    assert everybody.ledger.most_in_flight >= 1


@pytest.mark.parametrize("per", ["store", "month"])
def test_a_ceiling_holds_across_processes(everybody: Sandbox, path: Path, per: str) -> None:
    script = ENRICH.replace(
        "rows, settings = rest", "rows, per = rest\nsettings = {'max_credits': Budget(25, per)}"
    )
    running = [start(script, everybody.url, path, PEOPLE[at::3], per) for at in range(3)]
    answers = [answer(process) for process in running]
    assert sum(paid for _, paid, _ in answers) == everybody.ledger.credits == 25
    assert sorted({status for statuses, *_ in answers for status in statuses}) == ["found", "not_sent"]


def test_what_a_killed_process_had_sent_is_in_doubt(everybody: Sandbox, path: Path) -> None:
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:10])
    everybody.fail(request=2, fault="hang")
    process = start(ENRICH, everybody.url, path, PEOPLE[:30], {"max_concurrency": 1})
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None and asked(everybody) < 2 and time.monotonic() < deadline:
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=LIMIT_S)

    with enricher(everybody, path, max_credits=100) as people:
        with pytest.warns(IncompleteWarning, match="20 rows may have been charged earlier"):
            results = people.enrich(PEOPLE[:40])
        assert [row["status"] for row in results] == ["found"] * 10 + ["unknown"] * 20 + ["found"] * 10
        assert (results.receipt.inherited, results.receipt.inherited_credits) == (20, 20)
        assert results.receipt.credits == 10
        assert [doubt.value for doubt in people.store.unknown()] == PEOPLE[10:30]
        resolved = people.resolve_unknown("resend")
        assert (resolved.lookups, resolved.credits) == (20, 20)
        assert {row["status"] for row in people.enrich(PEOPLE[:40])} == {"found"}
        # Counted as spent, though it may never have been charged.
        assert people.plan([f"new{number}@acme.example" for number in range(100)]).max_credits == 100 - 60
    # Each was billed once by us; the hanging request's are the vendor's to tell.
    assert max(everybody.ledger.times_billed(person) for person in PEOPLE[:10]) == 1


def test_a_pause_is_everybodys(everybody: Sandbox, path: Path) -> None:
    """What one process is told by a 429, all who share store and key keep to."""
    script = """
    first, others = rest
    enricher = BulkEnricher(base_url=url, store=path)
    if first:
        enricher.enrich(first)
        print("waits", flush=True)
        sys.stdin.readline()
    try:
        enricher.enrich(others)
        print(json.dumps("sent"))
    except RateLimitError as error:
        print(json.dumps([str(error), [row["status"] for row in error.results]]))
    """
    running = start(script, everybody.url, path, PEOPLE[:1], PEOPLE[1:2])
    assert running.stdout is not None
    assert running.stdout.readline() == "waits\n"
    # An hour is more than any run sleeps: who has heard of it says so and stops.
    everybody.fail(request=2, fault="status_429", retry_after=3600)
    told = [answer(start(script, everybody.url, path, [], PEOPLE[2:3]))]
    told.append(answer(start(script, everybody.url, path, [], PEOPLE[3:4])))
    told.append(answer(running))
    for message, statuses in told:
        assert "pause" in message
        assert statuses == ["not_sent"]
    assert asked(everybody) == 2, "the first, and the one that was told to pause"
    # Of another key nobody has said so.
    other = start(
        script.replace("url, store", "url, api_key='another', store"), everybody.url, path, [], PEOPLE[4:5]
    )
    assert answer(other) == "sent"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("settings", [{}, {"max_credits": 100}])
def test_a_forked_child_opens_the_store_anew(
    everybody: Sandbox, path: Path, settings: dict[str, Any]
) -> None:
    script = """
    rows, settings = rest
    enricher = BulkEnricher(base_url=url, store=path, **settings)
    store = enricher.store
    stream = enricher.stream(rows)
    next(stream)
    child = os.fork()
    if not child:
        code = 1
        try:
            receipt = enricher.enrich([*rows, "child@acme.example"]).receipt
            assert receipt.found == len(rows) + 1, receipt
            assert store.info().hits >= len(rows) + 1
            # What was begun before the fork is the parent's.
            assert enricher.recover() is None
            enricher.close()
            code = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    left = list(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        receipt = enricher.enrich([*rows, "child@acme.example"]).receipt
    enricher.close()
    print(json.dumps([os.waitstatus_to_exitcode(status), len(left), receipt.from_store]))
    """
    assert answer(start(script, everybody.url, path, PEOPLE, settings)) == [0, 59, 61]
    assert everybody.ledger.credits == 61


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forks_while_others_write(everybody: Sandbox, path: Path) -> None:
    """Whatever the store's threads are doing just then, a fork neither hangs nor harms."""
    script = """
    import threading
    rows, = rest
    enricher = BulkEnricher(base_url=url, store=path, chunk_size=1)
    busy = threading.Thread(target=enricher.enrich, args=(rows,))
    busy.start()
    codes = []
    for number in range(8):
        child = os.fork()
        if not child:
            code = 1
            try:
                own = BulkEnricher(base_url=url, store=path)
                assert own.enrich([f"child{number}@acme.example"])[0]["status"] == "found"
                own.close()
                code = 0
            finally:
                os._exit(code)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    busy.join()
    print(json.dumps([codes, enricher.enrich(rows).receipt.from_store]))
    """
    assert answer(start(script, everybody.url, path, PEOPLE)) == [[0] * 8, 60]
    assert everybody.ledger.credits == 68


def test_a_pickled_copy_spends_from_the_same_ceiling(everybody: Sandbox, path: Path) -> None:
    people = enricher(everybody, path, max_credits=10)
    # Before it has asked anything: the copy must find the one that counts.
    pickled = pickle.dumps(people)
    script = """
    import pickle
    rows, pickled = rest
    with pickle.loads(bytes.fromhex(pickled)) as copied:
        print(json.dumps(copied.enrich(rows).receipt.credits))
    """
    assert answer(start(script, everybody.url, path, PEOPLE[:6], pickled.hex())) == 6
    assert people.plan(PEOPLE).max_credits == 4
    people.close()


def test_a_copy_without_its_store_does_not_send(everybody: Sandbox, path: Path, tmp_path: Path) -> None:
    with enricher(everybody, path, max_credits=10) as people:
        copied = pickle.loads(pickle.dumps(people))
        per_run = pickle.loads(
            pickle.dumps(BulkEnricher(KEY, base_url=everybody.url, max_credits=Budget(3, "run")))
        )
    assert per_run.enrich(PEOPLE[:3]).receipt.credits == 3, "a ceiling of each call is nobody else's"
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(ConfigError, match="does not have the store"):
        copied.enrich(PEOPLE)
    with enricher(everybody, path) as other:
        other.enrich(PEOPLE[:1])
    with pytest.raises(ConfigError, match="does not have the store"):
        copied.enrich(PEOPLE)
    assert everybody.ledger.credits == 4
    copied.close()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
def test_too_many_open_files_are_told_as_such(everybody: Sandbox, path: Path) -> None:
    """However far it gets: never as a damaged store, or as one to be put elsewhere."""
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:1])
    script = """
    import resource
    from exactbuyer.store import Store

    told = []
    Store(path).close()
    taken = [os.open(os.devnull, os.O_RDONLY)]
    for spare in range(30):
        limit = taken[0] + 1 + spare
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        try:
            with Store(path) as store:
                told.append(store.info().hits)
        except StoreError as error:
            told.append(str(error))
        if told[-1] == 1:
            break
    print(json.dumps(told))
    """
    *told, hits = answer(start(script, everybody.url, path))
    assert hits == 1, "nothing was left behind"
    assert told
    for message in told:
        assert "too many files open" in message, message


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
def test_an_answer_that_cannot_be_stored_still_arrives(everybody: Sandbox, path: Path) -> None:
    """And what cannot be noted beforehand is not sent. The disk is full: no file may grow any more."""
    script = """
    import resource, threading
    from exactbuyer.sandbox import Sandbox

    rows, = rest
    told = []
    with Sandbox(match_rate=1.0) as own, BulkEnricher("any", base_url=own.url, store=path) as enricher:
        own.fail(request=1, fault="slow", pause=1.0)
        def fill_the_disk():
            while not own.ledger.requests:
                os.sched_yield()
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        disk = threading.Thread(target=fill_the_disk)
        disk.start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = enricher.enrich(rows)
        disk.join()
        told += [type(warning.message).__name__ for warning in caught]
        told += [sorted({row["status"] for row in results}), results.receipt.not_stored]
        try:
            enricher.enrich(["late@acme.example"])
        except StoreError as error:
            told += [type(error).__name__, error.results[0]["status"], len(own.ledger.requests)]
        # There is room again: what was kept for so long is stored with the next commit.
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        enricher.enrich(["late@acme.example"])
        told.append(enricher.enrich(rows).receipt.from_store)
    print(json.dumps(told))
    """
    told = answer(start(script, everybody.url, path, PEOPLE[:10]))
    assert told == ["StoreWarning", ["found"], 10, "StoreError", "not_sent", 1, 10]
