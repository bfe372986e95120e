"""The system refuses to start threads: we raise an error of our own, nothing is sent, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from keys import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox

LIMIT_S = 60.0

HEAD = """
import asyncio, os, resource, sys, threading, warnings
import exactbuyer
from exactbuyer import BulkEnricher, ExactBuyerError
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store
import tqdm, tqdm.autonotebook

url, key, path = sys.argv[1:]

def no_more_threads():
    # The limit does not apply to root.
    if os.getuid() == 0:
        place = os.path.dirname(path)
        for name in [place, *(os.path.join(place, name) for name in os.listdir(place))]:
            os.chown(name, 65_534, 65_534)
        os.setuid(65_534)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return
    print("threads can be started")
    os._exit(77)

def refused(call):
    try:
        call()
    except ExactBuyerError as error:
        return type(error).__name__
    return None

rows = ["ana@acme.example", "bo@acme.example"]
"""


@pytest.fixture
def path() -> Iterator[Path]:
    """A folder for a store that other users can reach: pytest's folders are private to its user."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        yield Path(place, "people.db")


def run(script: str, sandbox: Sandbox, path: Path) -> list[str]:
    """The output of a process that cannot start further threads."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + textwrap.dedent(script), sandbox.url, KEY, path],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this system has no limit on threads that a test can set")
    assert done.returncode == 0, done.stderr
    assert "panicked" not in done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
def test_a_first_call_is_refused_and_sends_nothing(everybody: Sandbox, path: Path) -> None:
    script = """
    no_more_threads()
    enricher = BulkEnricher(key, base_url=url)
    print(refused(lambda: enricher.enrich(rows)))
    print(refused(lambda: asyncio.run(enricher.enrich_async(rows))))
    print(refused(lambda: next(enricher.stream(rows))))
    print(refused(lambda: BulkEnricher(key, base_url=url, store=path).enrich(rows)))
    print(refused(lambda: BulkEnricher(key, base_url=url, store=path).store.info()))
    print(refused(Sandbox))
    print(enricher.receipt.requests, enricher.plan(rows).to_send)
    enricher.close()
    """
    *errors, counts = run(script, everybody, path)
    assert errors == ["TransportError"] * 3 + ["StoreError"] * 2 + ["TransportError"]
    assert counts == "0 (2, 2)"
    assert everybody.ledger.requests == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit there")
@pytest.mark.parametrize("call", ["enricher.enrich(rows[1:], progress=True)", "asyncio.run(again())"])
def test_an_enricher_that_is_at_work_goes_on_and_loses_nothing(
    everybody: Sandbox, path: Path, call: str
) -> None:
    script = f"""
    enricher = BulkEnricher(key, base_url=url, store=path)
    async def again():
        return await enricher.enrich_async(rows[1:])
    enricher.enrich(rows[:1])
    no_more_threads()
    print({call}[0]["status"])
    print(len(enricher.store.find(rows[1])))
    enricher.close()
    """
    assert run(script, everybody, path) == ["found", "1"]
    assert everybody.ledger.credits == 2
