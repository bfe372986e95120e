"""What several files of tests share."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from keys import KEY

from exactbuyer._calls import session
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from exactbuyer import BulkEnricher, Result


# A shell lets what it runs in the background ignore Ctrl-C, and the tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_key_of_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", KEY)
    monkeypatch.setenv("EXACTBUYER_OFFLINE", "1")
    monkeypatch.delenv("EXACTBUYER_STORE", raising=False)


def _made_in(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="session", autouse=True)
def _no_store_is_left_in_the_checkout() -> Iterator[None]:
    folder = Path(__file__).resolve().parents[2] / ".exactbuyer"
    before = _made_in(folder)
    yield
    assert _made_in(folder) == before, f"a test has made or changed an automatic store: {folder}"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # An automatic store lies in the current folder. Not with `monkeypatch`, which tests undo.
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("current"))
    yield
    os.chdir(before)


@pytest.fixture
def everybody() -> Iterator[Sandbox]:
    """A sandbox that knows everybody, and lets anybody ask as fast as they can."""
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        yield sandbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test's store lies; nothing is there yet."""
    return tmp_path / "people.db"


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A core that does as it is told, in the place of the real one."""
    spec = importlib.util.spec_from_file_location("fakes", Path(__file__).with_name("fakes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("Engine", "Rows"):
        monkeypatch.setattr(session, name, getattr(module, name))
    return module


def _enrich(enricher: BulkEnricher, rows: Any, **how: Any) -> list[Result]:
    return enricher.enrich(rows, **how)


def _enrich_async(enricher: BulkEnricher, rows: Any, **how: Any) -> list[Result]:
    return asyncio.run(enricher.enrich_async(rows, **how))


def _stream(enricher: BulkEnricher, rows: Any, **how: Any) -> list[Result]:
    with enricher.stream(rows, **how) as stream:
        return list(stream)


def _stream_async(enricher: BulkEnricher, rows: Any, **how: Any) -> list[Result]:
    async def collect() -> list[Result]:
        async with enricher.stream_async(rows, **how) as stream:
            return [row async for row in stream]

    return asyncio.run(collect())


@pytest.fixture(params=[_enrich, _enrich_async, _stream, _stream_async], ids=lambda call: call.__name__[1:])
def run_call(request: pytest.FixtureRequest) -> Callable[..., list[Result]]:
    """Each call in turn: `run_call(enricher, rows, **how)` gives the rows."""
    run_call: Callable[..., list[Result]] = request.param
    return run_call


@pytest.fixture(params=[_enrich, _enrich_async], ids=lambda call: call.__name__[1:])
def run_list_call(request: pytest.FixtureRequest) -> Callable[..., list[Result]]:
    """The calls that give a whole list."""
    run_call: Callable[..., list[Result]] = request.param
    return run_call


@pytest.fixture(params=[_stream, _stream_async], ids=lambda call: call.__name__[1:])
def run_stream_call(request: pytest.FixtureRequest) -> Callable[..., list[Result]]:
    """The calls that give row by row."""
    run_call: Callable[..., list[Result]] = request.param
    return run_call
