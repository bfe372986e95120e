"""Runs in which much happens at once, each judged by the vendor's own books: who was billed, and how often.

The sizes are arguments: `tests/python/test_money.py` runs them small, `soak.py` large. Each says in a line
what it saw. An `IncompleteWarning` is an error to whoever runs them: it carries the rows.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lateness import Lateness

from exactbuyer import BulkEnricher, ExactBuyerError, IncompleteWarning, Receipt, Results
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exactbuyer import Progress

FAST: dict[str, Any] = {"requests_per_minute": 1_000_000, "api_key": "any"}

STATM = Path("/proc/self/statm")

# A tenth of all requests, of every kind: free, billed and lost, billed and spoilt.
BAD_LUCK: dict[Any, float] = {
    "status_503": 0.03,
    "status_429": 0.005,
    "reset_before_billing": 0.01,
    "reset_after_billing": 0.015,
    "status_500_after_billing": 0.01,
    "truncate": 0.01,
    "fewer": 0.01,
    "reorder": 0.01,
}

# A vendor in a process of its own, which tells its books, and how late its threads ran, when it is asked.
VENDOR = """
import json, sys
sys.path.insert(0, sys.argv[1])
from exactbuyer.sandbox import Sandbox
from lateness import Lateness

sandbox = Sandbox(requests_per_minute=None, match_rate=1.0, latency=0.02)
with Lateness() as lateness:
    print(sandbox.url, flush=True)
    for _ in sys.stdin:
        books = [sandbox.ledger.credits, sandbox.ledger.billed, lateness.worst_s]
        print(json.dumps(books), flush=True)
"""


def ask(enricher: BulkEnricher, rows: Sequence[str], **how: Any) -> Results:
    """Asks for them, whatever becomes of them; checks what every call promises."""
    try:
        results = enricher.enrich(rows, on_error="record", **{"progress": False} | how)
    except (IncompleteWarning, ExactBuyerError) as told:
        results = told.results or Results()
    assert [row["value"] for row in results] == list(rows)
    check_identity(results.receipt)
    counts = Counter(row["status"] for row in results)
    assert {name: getattr(results.receipt, name) for name in counts} == dict(counts)
    return results


def check_identity(receipt: Receipt) -> None:
    """A receipt's rows are the sum of their statuses, and nothing is under way."""
    done = receipt.missing + receipt.invalid + receipt.found + receipt.not_found + receipt.rejected
    assert receipt.rows == done + receipt.unknown + receipt.not_sent, receipt
    assert receipt.under_way == 0, receipt
    assert receipt.duplicates + receipt.from_store <= receipt.rows, receipt


def check_books(charged: int, billed: dict[str, int], receipts: Iterable[Receipt]) -> None:
    """Nobody was billed twice, and what is known and in doubt brackets what was billed."""
    total = sum(receipts, Receipt())
    twice = sum(times > 1 for times in billed.values())
    assert twice == 0, f"{twice} identifiers billed more than once"
    assert total.credits <= charged <= total.credits + total.credits_in_doubt, (charged, total)


def bad_luck(rows: int, seed: int) -> str:
    """A list with 30 % duplicates in other spellings, while a tenth of all requests goes wrong; asked again,
    for what was not sent, until everything was.
    """
    chance = random.Random(seed)
    people = [f"person{number}@acme.example" for number in range(rows * 7 // 10)]
    wanted = [*people, *(person.upper() for person in chance.choices(people, k=rows - len(people)))]
    chance.shuffle(wanted)
    ceiling = len(people) // 4
    with Sandbox(seed=seed, requests_per_minute=None) as vendor:
        for fault, probability in BAD_LUCK.items():
            vendor.fail(fault, probability=probability, retry_after=1 if fault == "status_429" else None)
        receipts: list[Receipt] = []
        answers: dict[str, Any] = {}
        left = wanted
        while left:
            limit = None if receipts else ceiling
            with BulkEnricher(base_url=vendor.url, chunk_size=200, max_credits=limit, **FAST) as enricher:
                results = ask(enricher, left)
            receipts.append(results.receipt)
            if limit is not None:
                assert vendor.ledger.credits <= ceiling
            for row in results:
                key = row["value"].lower()
                if row["status"] != "not_sent":
                    said = (row["status"], row["enriched_contact"])
                    assert answers.setdefault(key, said) == said
            left = [row["value"] for row in results if row["status"] == "not_sent"]
            assert len(receipts) < 100, f"{len(left)} rows are still not sent"
        ledger = vendor.ledger
        check_books(ledger.credits, ledger.billed, receipts)
        statuses = Counter(status for status, _ in answers.values())
        assert set(answers) == set(people)
        assert {person for person, (status, _) in answers.items() if status == "found"} <= set(ledger.billed)
        assert all(answers[person][0] in {"found", "unknown"} for person in ledger.billed)
        struck = Counter(request.fault for request in ledger.requests if request.fault)
        assert statuses["unknown"], "no bad luck cost an answer: too few requests"
        assert len(struck) >= 4, struck
        return (
            f"{rows:,} rows, {len(ledger.requests):,} requests, {sum(struck.values()):,} of them struck; "
            f"{ledger.credits:,} billed, none twice; {len(receipts)} calls; {dict(statuses)}"
        )


def many_threads(threads: int, rows_each: int) -> str:
    """Threads on one enricher, with people of their own and people whom all ask for, under one ceiling."""
    shared = [f"shared{number}@acme.example" for number in range(rows_each // 2)]
    ceiling = threads * rows_each // 2
    together = threading.Barrier(threads)
    done: list[Results] = []

    def work(number: int) -> None:
        own = [f"person{number}.{at}@acme.example" for at in range(rows_each - len(shared))]
        together.wait(60)
        done.append(ask(enricher, [*own, *shared]))

    with (
        Sandbox(match_rate=1.0, requests_per_minute=None, latency=0.01) as vendor,
        BulkEnricher(base_url=vendor.url, chunk_size=50, max_credits=ceiling, **FAST) as enricher,
    ):
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(300)
        assert len(done) == threads
        ledger = vendor.ledger
        total = sum((results.receipt for results in done), Receipt())
        assert ledger.credits == total.credits <= ceiling
        assert enricher.receipt.credits == total.credits
        assert (enricher.receipt.rows, total.rows) == (threads * rows_each, threads * rows_each)
        contacts = [row for results in done for row in results if row["value"] == shared[0]]
        found = [row["enriched_contact"] for row in contacts if row["status"] == "found"]
        assert all(contact == found[0] for contact in found)
        return f"{threads} threads of {rows_each:,} rows; {ledger.credits:,} billed of at most {ceiling:,}"


@contextmanager
def vendor_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A vendor in a process of its own, and its URL."""
    with subprocess.Popen(
        [sys.executable, "-c", VENDOR, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def outage(number: signal.Signals, rows: int) -> str:
    """A vendor whose process is stopped (and goes on later) or killed in the middle of a run.

    A request waits for a short time only, or a stopped vendor would take long. On a slow machine this may be
    too short for a vendor that is not stopped yet. Only if threads really ran late, the run is made again
    with a longer time: otherwise the answer was lost by a fault.
    """
    for timeout_s in TIMEOUTS_S:
        seen = _outage(number, rows, timeout_s)
        if seen is not None:
            return seen
    raise AssertionError(
        f"the vendor needed more than {TIMEOUTS_S[-1]:g} s for a request before it was struck"
    )


TIMEOUTS_S = (1.0, 4.0, 16.0, 64.0)


def books_of(process: subprocess.Popen[str]) -> tuple[int, dict[str, int], float]:
    """What the vendor charged, how often it billed each identifier, and how late its threads ran."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("books\n")
    process.stdin.flush()
    charged, billed, late_s = json.loads(process.stdout.readline())
    return charged, billed, late_s


def was_too_slow(late_s: float, timeout_s: float) -> bool:
    """Whether threads ran so late that a request, which waits for several of them, may exceed its limit."""
    return late_s >= timeout_s / 8


def _outage(number: signal.Signals, rows: int, timeout_s: float) -> str | None:
    """One run. `None` if a request was lost before the vendor was struck, because the machine is too slow."""
    wanted = [f"person{at}@acme.example" for at in range(rows)]

    with vendor_process() as (process, url):

        def strike(progress: Progress) -> None:
            if progress.done >= rows // 5 and progress.in_flight and not struck and not lost:
                if progress.credits < progress.done:
                    lost.append(progress.done - progress.credits)
                    return
                os.kill(process.pid, number)
                struck.append(progress.done)

        struck: list[int] = []
        lost: list[int] = []
        with (
            Lateness() as lateness,
            BulkEnricher(
                base_url=url, chunk_size=10, timeout=timeout_s, max_retries=1, max_concurrency=4, **FAST
            ) as enricher,
        ):
            results = ask(enricher, wanted, progress=strike)
        receipt = results.receipt
        if lost or (not struck and receipt.unknown):
            *_, late_s = books_of(process)
            late_s = max(late_s, lateness.worst_s)
            lost_at = f"an answer was lost at a limit of {timeout_s:g} s"
            assert was_too_slow(late_s, timeout_s), f"{lost_at}; threads ran only {late_s:.3f} s late"
            return None
        assert struck, "the run was over before the vendor was struck"
        assert receipt.found >= struck[0]
        assert receipt.found + receipt.unknown + receipt.not_sent == rows
        assert receipt.credits == receipt.found
        seen = f"{receipt.found:,} found, {receipt.unknown:,} unknown, {receipt.not_sent:,} not sent"
        if number == signal.SIGKILL:
            # Its books are gone; that the rest was not answered is all that can be seen from here.
            assert receipt.open_rows
            return f"killed after {struck[0]:,} of {rows:,} rows: {seen}"
        process.send_signal(signal.SIGCONT)
        charged, billed, _ = books_of(process)
        check_books(charged, billed, [receipt])
        told = {row["value"] for row in results if row["status"] in {"found", "unknown"}}
        assert set(billed) <= told
        assert receipt.unknown, "a vendor that stands still answered everything"
        return f"stopped after {struck[0]:,} of {rows:,} rows: {seen}; {charged:,} billed, none twice"


def endless_stream(rows: int, probes: int) -> list[tuple[int, float]]:
    """A stream without an end, read so far: how many rows were read, and the memory then, in MB."""

    def source() -> Iterator[str | None]:
        number = 0
        while True:
            number += 1
            # Some missing, some doubled, some that cannot be looked up.
            yield None if number % 50 == 0 else f"person{number - number % 7 % 2}@acme.example"

    measured: list[tuple[int, float]] = []
    with (
        vendor_process() as (_, url),
        BulkEnricher(base_url=url, **FAST) as enricher,
        enricher.stream(source(), progress=False) as stream,
    ):
        for read, row in enumerate(stream, start=1):
            assert row["status"] in {"found", "missing"}
            if read % (rows // probes) == 0:
                measured.append((read, resident_mb()))
            if read == rows:
                break
    return measured


def resident_mb() -> float:
    """Memory of this process that is in use now, in MB. Linux only."""
    pages = int(STATM.read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
