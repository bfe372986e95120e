"""What is written where nobody has configured logging, and that who has is left alone."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from exactbuyer import BulkEnricher, UnknownOutcomeError
from exactbuyer.cli._console import Console
from exactbuyer.exceptions import ConfigError
from exactbuyer.report import log, progress
from exactbuyer.report.log import announce, follow_environment
from exactbuyer.report.progress import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Fault

ROWS = ["ana.almeida@acme.example", "bo.berg@acme.example"]


@pytest.fixture(autouse=True)
def logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """A logger that nobody has configured: pytest has handlers on all others."""
    logger = logging.Manager(logging.RootLogger(logging.WARNING)).getLogger("exactbuyer")
    monkeypatch.setattr(log, "logger", logger)
    monkeypatch.delenv(log.VARIABLE, raising=False)
    yield logger
    monkeypatch.delenv(log.VARIABLE, raising=False)
    follow_environment()
    assert logger.handlers == []


@pytest.fixture
def users(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> list[logging.LogRecord]:
    """Somebody has configured logging: what their handler got."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", records.append)
    assert logger.parent is not None
    logger.parent.addHandler(handler)
    return records


def run() -> None:
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        enricher.enrich(ROWS)


def test_a_script_gets_a_line_every_thirty_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    watch = Watch("auto", 400)
    counts = {"rows": 400, "done": 100, "open_rows": 0, "credits": 7}
    for second in range(1, 100):
        clock.now = float(second)
        watch.tick(lambda: counts)
    watch.tick(lambda: counts | {"done": 400}, last=True)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[0] == "exactbuyer: 100/400 rows  25% | 7 credits | 0 req/min"
    assert lines[3] == "exactbuyer: 400/400 rows 100% | 7 credits | 0 req/min"


def test_a_short_run_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().err == ""


def test_off_writes_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(log.VARIABLE, "off")
    follow_environment()
    announce("100/400 rows")
    log.logger.warning("a warning")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("level", "lines"), [("info", 2), ("DEBUG", 3)])
def test_the_log_goes_to_stderr_if_it_is_asked_for(
    level: str, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(log.VARIABLE, level)
    run()
    written = capsys.readouterr().err.splitlines()
    assert len(written) == lines
    assert "exactbuyer INFO enrich: 2 rows to read" in written[0]
    assert "2 found, 0 not found, 0 open; 2 credits" in written[1]
    # A second call does not write everything twice.
    run()
    assert len(capsys.readouterr().err.splitlines()) == lines


@pytest.mark.parametrize(
    ("fault", "retry_after", "line"),
    [
        (
            "status_503",
            1,
            "INFO enrich: a request for 2 lookups was not charged, and is sent again in 1.0 s: {}",
        ),
        (
            "status_422",
            None,
            "INFO enrich: a request for 2 lookups was not charged, and is sent again in halves: {}",
        ),
        ("status_429", 1, "WARNING enrich: no request is sent for 1.0 s: {}"),
        ("status_500", None, "WARNING enrich: a request for 2 lookups may have been charged: {}"),
    ],
)
def test_the_log_says_what_happens_to_requests(
    fault: Fault,
    retry_after: int | None,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(log.VARIABLE, "info")
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        enricher.sandbox_server.fail(fault, request=1, retry_after=retry_after)
        with suppress(UnknownOutcomeError):
            enricher.enrich(ROWS)
    written = capsys.readouterr().err
    assert line.format(f"the service answered {fault[-3:]}") in written
    assert written.count("the service answered") == 1


def test_the_log_names_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(log.VARIABLE, "debug")
    run()
    written = capsys.readouterr().err.casefold()
    assert "2 lookups sent" in written
    assert not [part for part in ("ana", "almeida", "acme", "berg") if part in written]


def test_who_has_configured_logging_gets_records_and_no_lines(
    users: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    announce("100/400 rows")
    assert users == []  # their level is WARNING
    monkeypatch.setenv(log.VARIABLE, "info")
    run()
    announce("200/400 rows")
    assert users[-1].getMessage() == "200/400 rows"
    assert len(users) == 3
    assert capsys.readouterr().err == ""


class Failing(logging.Handler):
    """A user's handler that fails at one record and at all after it."""

    def __init__(self, first: int, error: BaseException) -> None:
        super().__init__()
        self.left, self.error = first, error

    def emit(self, record: logging.LogRecord) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


async def streamed(enricher: BulkEnricher) -> list[Any]:
    return [row async for row in enricher.stream_async(ROWS)]


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize(
    "call",
    [
        lambda enricher: enricher.enrich(ROWS),
        lambda enricher: list(enricher.stream(ROWS)),
        lambda enricher: asyncio.run(enricher.enrich_async(ROWS)),
        lambda enricher: asyncio.run(streamed(enricher)),
        lambda enricher: enricher.enrich_table([{"mail": row} for row in ROWS], by="mail"),
    ],
    ids=["enrich", "stream", "enrich_async", "stream_async", "enrich_table"],
)
def test_a_handler_that_fails_ends_no_call(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], call: Any, first: int
) -> None:
    logger.addHandler(handler := Failing(first, ValueError("ana.almeida@acme.example")))
    logger.setLevel(logging.DEBUG)
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        enricher.sandbox_server.fail("status_503", request=1)
        assert len(call(enricher)) == len(ROWS)
        assert enricher.receipt.credits == len(ROWS)
        assert enricher.recover() is None
    logger.removeHandler(handler)
    assert handler.left < 0
    line = "exactbuyer: a log record is lost: a handler of logging raised ValueError"
    assert capsys.readouterr().err.splitlines() == [line] * -handler.left


@pytest.mark.parametrize("first", range(1, 4))
def test_what_a_handler_exits_from_is_recovered(logger: logging.Logger, first: int) -> None:
    logger.addHandler(handler := Failing(first, SystemExit(3)))
    logger.setLevel(logging.DEBUG)
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        enricher.sandbox_server.fail("status_503", request=1)
        with pytest.raises(SystemExit):
            enricher.enrich(ROWS)
        logger.removeHandler(handler)
        assert len(enricher.recover() or []) == len(ROWS)
        assert enricher.recover() is None


def test_threads_that_begin_at_once_write_every_line_once(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(log.VARIABLE, "info")
    # Lets a second thread catch up, unless it has to wait for the first.
    both = threading.Barrier(2, timeout=0.3)
    is_configured = log._is_configured

    def look_together() -> bool:
        configured = is_configured()
        with suppress(threading.BrokenBarrierError):
            both.wait()
        return configured

    with monkeypatch.context() as patch:
        patch.setattr(log, "_is_configured", look_together)
        threads = [threading.Thread(target=follow_environment) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (handler,) = logger.handlers
    logger.info("100 rows")
    assert capsys.readouterr().err.count("100 rows") == 1
    follow_environment()
    assert logger.handlers == [handler]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent() -> None:
    is_held, is_forked = threading.Event(), threading.Event()

    def hold() -> None:
        with log._lock:
            is_held.set()
            is_forked.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    child = os.fork()
    if not child:
        follower = threading.Thread(target=follow_environment, daemon=True)
        follower.start()
        follower.join(5)
        os._exit(follower.is_alive())
    is_forked.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_level_that_somebody_has_set_stays(
    users: list[logging.LogRecord], logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger.setLevel(logging.ERROR)
    monkeypatch.setenv(log.VARIABLE, "debug")
    follow_environment()
    assert logger.level == logging.ERROR
    announce("100/400 rows")
    assert users == []


def test_another_value_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(log.VARIABLE, "inof")
    with BulkEnricher.sandbox() as enricher:
        with pytest.raises(ConfigError, match=r"EXACTBUYER_LOG must be off, info or debug; got .*'info'"):
            enricher.enrich(ROWS)
        assert enricher.sandbox_server.ledger.requests == []


@pytest.mark.parametrize(("level", "lines"), [("off", 0), ("info", 1), ("debug", 2)])
def test_the_command_line_follows_it(
    level: str, lines: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(log.VARIABLE, level)
    with Console().showing_log():
        logging.getLogger("exactbuyer").info("100 rows")
        logging.getLogger("exactbuyer").debug("100 lookups")
    assert len(capsys.readouterr().err.splitlines()) == lines
