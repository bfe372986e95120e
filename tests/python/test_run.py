"""A run by its own calls: feeding, waiting, taking, stopping; threads, tasks and forks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from exactbuyer._core import Engine, Rows, Run
from exactbuyer.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT_S = 20.0
"""More than anything here takes: what waits so long has failed."""


class Service(ThreadingHTTPServer):
    """The vendor, as small as it can be: finds whoever has a name before the `m` of the alphabet."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[list[str]] = []
        self.arrived = threading.Event()
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        values = [query["value"] for query in json.loads(form["query_list"][0])]
        self.server.asked.append(values)
        self.server.arrived.set()
        self.server.may_answer.wait(WAIT_S)
        contacts = [{"value": v, "enriched_contact": {"full_name": v} if v < "m" else None} for v in values]
        enriched = sum(contact["enriched_contact"] is not None for contact in contacts)
        body = json.dumps({"contacts": contacts, "records_enriched": enriched}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    # Looks often whether to shut down: each test waits for that.
    threading.Thread(target=service.serve_forever, args=(0.005,), daemon=True).start()
    yield service
    service.may_answer.set()
    service.shutdown()
    service.server_close()


@contextmanager
def run_of(service: Service, **settings: Any) -> Iterator[Run]:
    engine = Engine({"base_url": service.url, **settings})
    yield engine.start(api_key="canary")
    engine.close(0.0)


def fill(run: Run, rows: int) -> list[Any]:
    into: list[Any] = [None] * rows
    while not run.over():
        assert run.wait(WAIT_S)
        run.fill(into)
    return into


def take(run: Run, most: int = 1_000) -> list[Any]:
    taken: list[Any] = []
    while not run.over():
        assert run.wait(WAIT_S)
        taken += run.take(most)
    return taken


def email(name: str) -> str:
    return f"{name}@acme.example"


MIXED: list[object] = [
    "Ana@ACME.example",
    None,
    "zoe@acme.example",
    "ana@acme.example",
    "ana@",
    ["zoe@acme.example", "", " bob@acme.example"],
    ["", "zoe@acme.example", "yan@acme.example"],
    [None, ""],
    [None, "@", "bob@"],
    ("email", "bob@acme.example"),
]
OUTCOMES = [
    ("Ana@ACME.example", "found", email("ana")),
    (None, "missing", None),
    ("zoe@acme.example", "not_found", None),
    ("ana@acme.example", "found", email("ana")),
    ("ana@", "invalid", None),
    (" bob@acme.example", "found", email("bob")),
    ("zoe@acme.example", "not_found", None),
    (None, "missing", None),
    ("@", "invalid", None),
    ("bob@acme.example", "found", email("bob")),
]


def outcome(row: dict[str, Any]) -> tuple[Any, str, str | None]:
    contact = row["enriched_contact"]
    return row["value"], row["status"], contact and contact["full_name"]


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("chunk_size", [1, 2, 1_000])
def test_every_row_has_its_own_value_and_outcome(service: Service, chunk_size: int, in_order: bool) -> None:
    with run_of(service, chunk_size=chunk_size) as run:
        run.feed(Rows(MIXED))
        run.finish()
        rows = take(run, 3) if in_order else fill(run, len(MIXED))
        assert [outcome(row) for row in rows] == OUTCOMES
        assert [(row, status) for row, status, _ in run.problems()] == [(4, "invalid"), (8, "invalid")]
        receipt = run.receipt()
        assert (receipt["rows"], receipt["found"], receipt["invalid"], receipt["credits"]) == (10, 4, 2, 2)
        assert receipt["elapsed_s"] > 0
        assert receipt["stopped"] is None
        assert run.troubles() == []
        assert run.progress()["done"] == 10


def test_the_values_are_the_callers_own_objects(service: Service) -> None:
    class Text(str):
        """A text of the caller's own kind."""

        __slots__ = ()

    value = Text("ana@acme.example")
    with run_of(service) as run:
        run.feed(Rows([value, [value]]))
        run.finish()
        first, second = fill(run, 2)
        assert first["value"] is second["value"] is value
        assert first["enriched_contact"] == second["enriched_contact"]
        assert first["enriched_contact"] is not second["enriched_contact"]


def test_numbers_come_back_as_their_digits(service: Service) -> None:
    with run_of(service, default_region="US") as run:
        run.feed(Rows([17734749362, 17734749362.0], field_type="phone", default_region="US"))
        run.finish()
        assert [row["value"] for row in fill(run, 2)] == ["17734749362"] * 2
        assert service.asked == [["+17734749362"]]


def test_rows_are_fed_in_parts_and_numbered_through(service: Service) -> None:
    names = [email(f"a{n}") for n in range(30)]
    with run_of(service) as run:
        for start in range(0, 30, 10):
            run.feed(Rows(names[start : start + 10]))
        run.finish()
        assert [row["value"] for row in take(run)] == names


def test_rows_are_fed_once(service: Service) -> None:
    with run_of(service) as run:
        rows = Rows([email("ana")])
        run.feed(rows)
        agains: list[Callable[[], object]] = [lambda: run.feed(rows), rows.invalid, lambda: rows.plan({})]
        for again in agains:
            with pytest.raises(RuntimeError, match="fed to a run already"):
                again()


def test_a_list_too_short_to_fill_loses_nothing(service: Service) -> None:
    with run_of(service) as run:
        run.feed(Rows([email("ana"), email("bob")]))
        run.finish()
        assert run.wait(WAIT_S)
        with pytest.raises(IndexError, match="fewer places"):
            run.fill([])
        assert [row["status"] for row in fill(run, 2)] == ["found", "found"]


def test_waiting_ends_in_time(service: Service) -> None:
    service.may_answer.clear()
    with run_of(service, grace_s=0.0) as run:
        run.feed(Rows([email("ana")]))
        run.finish()
        assert run.wait(0.0) is False
        assert service.arrived.wait(WAIT_S)
        run.stop(0.0)
        (row,) = fill(run, 1)
        assert row["status"] == "unknown"
        ((at, status, why),) = run.problems()
        assert (at, status) == (0, "unknown")
        assert why.startswith("stopped before the answer came")


def test_a_wait_is_any_time_from_now_on(service: Service) -> None:
    with run_of(service) as run:
        run.finish()
        for ever in [1e300, float("inf")]:
            assert run.wait(ever) is True
        for never in [-1.0, float("nan")]:
            with pytest.raises(ValueError, match="from 0 up"):
                run.wait(never)
        run.stop(float("inf"))


def test_one_consumes_at_a_time(service: Service) -> None:
    service.may_answer.clear()
    with run_of(service) as run:
        run.feed(Rows([email("ana")]))
        run.finish()
        other = threading.Thread(target=run.wait, args=(WAIT_S,))
        other.start()
        assert service.arrived.wait(WAIT_S)
        consumers: list[Callable[[], object]] = [
            lambda: run.wait(0.0),
            lambda: run.fill([None]),
            lambda: run.take(1),
        ]
        for consume in consumers:
            with pytest.raises(RuntimeError, match="another thread or task"):
                consume()
        assert run.progress()["in_flight"] == 1
        service.may_answer.set()
        other.join(WAIT_S)
        assert [row["status"] for row in fill(run, 1)] == ["found"]


def test_a_cancelled_wait_changes_nothing(service: Service) -> None:
    async def main() -> list[Any]:
        service.may_answer.clear()
        with run_of(service) as run:
            run.feed(Rows([email("ana"), email("zoe")]))
            run.finish()
            waiting = asyncio.ensure_future(run.wait_async())
            await asyncio.to_thread(service.arrived.wait, WAIT_S)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            service.may_answer.set()
            into: list[Any] = [None, None]
            while not run.over():
                await run.wait_async()
                run.fill(into)
            return into

    assert [row["status"] for row in asyncio.run(main())] == ["found", "not_found"]


def test_ctrl_c_is_seen_while_waiting(service: Service) -> None:
    service.may_answer.clear()
    with run_of(service) as run:
        run.feed(Rows([email("ana")]))
        run.finish()

        def interrupt() -> None:
            service.arrived.wait(WAIT_S)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (on a busy machine before `start` is back)
            threading.Thread(target=interrupt).start()
            run.wait(WAIT_S)
        service.may_answer.set()
        assert [row["status"] for row in fill(run, 1)] == ["found"]


def test_closing_stops_every_run_and_keeps_what_was_paid(service: Service) -> None:
    service.may_answer.clear()
    engine = Engine({"base_url": service.url, "chunk_size": 1, "max_concurrency": 1})
    run = engine.start(api_key="canary")
    run.feed(Rows([email("ana"), email("bob")]))
    run.finish()
    assert service.arrived.wait(WAIT_S)

    def answer_once_stopped() -> None:
        while run.receipt()["stopped"] is None:
            os.sched_yield()
        service.may_answer.set()

    threading.Thread(target=answer_once_stopped).start()
    engine.close(WAIT_S)
    assert [row["status"] for row in fill(run, 2)] == ["found", "not_sent"]
    assert run.receipt()["stopped"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("settings", [{}, {"max_credits": 10}])
def test_a_fork_starts_afresh_or_says_why_not(service: Service, settings: dict[str, Any]) -> None:
    with run_of(service, **settings) as run:
        run.feed(Rows([email("ana")]))
        run.finish()
        fill(run, 1)
    # In a process of its own: nothing of the test runner's is forked. That it has threads is the
    # point, and what CPython warns of since 3.12.
    script = f"""
import os
from exactbuyer._core import Engine, Rows
from exactbuyer.exceptions import ConfigError

def run():
    run = engine.start(api_key="canary")
    run.feed(Rows(["bob@acme.example"]))
    run.finish()
    into = [None]
    while not run.over():
        assert run.wait({WAIT_S})
        run.fill(into)
    return run, into[0]["status"]

settings = {{"base_url": {service.url!r}, **{settings!r}}}
engine = Engine(settings)
parents, status = run()
assert status == "found"
child = os.fork()
if not child:
    verdict = 1
    try:
        try:
            parents.wait(0.0)
        except RuntimeError as trouble:
            assert "belongs to the process" in str(trouble)
        del parents
        _, status = run()
        assert status == "found"
        assert "max_credits" not in settings
        verdict = 0
    except ConfigError as refused:
        assert "max_credits" in settings and "forked copy" in str(refused)
        verdict = 0
    finally:
        os._exit(verdict)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert run()[1] == "found"
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", script],
        timeout=3 * WAIT_S,
        check=False,
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_interpreter_ends_with_a_run_under_way(service: Service) -> None:
    service.may_answer.clear()
    script = f"""
import asyncio
from exactbuyer._core import Engine, Rows

async def main():
    run = Engine({{"base_url": {service.url!r}}}).start(api_key="canary")
    run.feed(Rows(["ana@acme.example"]))
    try:
        await asyncio.wait_for(run.wait_async(), 0.1)
    except asyncio.TimeoutError:
        pass
    return run

run = asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=WAIT_S, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_enricher_has_one_key(service: Service) -> None:
    engine = Engine({"base_url": service.url})
    engine.start(api_key="canary")
    with pytest.raises(ConfigError, match="another than at this enricher's first call"):
        engine.start(api_key="other")
