"""Every parameter of every public call gets wrong values: only errors of our own are raised.

Parameters are found by their signatures, so a new one is tested without an edit here.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from keys import KEY
from odd_values import PERSONAL, TheirsError, values

import exactbuyer
from exactbuyer import Budget, BulkEnricher, ExactBuyerError, Receipt, Results
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store, migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = ["ana@acme.example", None, "bo@acme.example"]


def used(result: Any) -> None:
    """Uses a result as people do: shows it and iterates over it."""
    if inspect.iscoroutine(result):
        used(asyncio.run(drained(result)))
        return
    if hasattr(result, "__anext__"):
        asyncio.run(read_async(result))
        return
    if hasattr(result, "__next__"):
        for _ in range(5):
            if next(result, None) is None:
                break
        result.close()
        return
    for show in (repr, str):
        show(result)
    if hasattr(result, "_repr_html_"):
        result._repr_html_()


async def drained(result: Any) -> Any:
    return await asyncio.wait_for(result, 20)


async def read_async(stream: Any) -> None:
    async with stream:
        for _ in range(5):
            await anext(stream, None)


def enricher_with(sandbox: Sandbox, name: str, value: Any) -> None:
    """Makes an enricher with this setting, and uses it if that cannot take long."""
    # A key of its own: the lowest request limit applies to all enrichers with the same key.
    given = {"base_url": sandbox.url, "store": None, "api_key": f"{KEY}-{next(NUMBER)}", **FAST, name: value}
    with BulkEnricher(**given) as enricher:
        used(enricher)
        used(enricher.settings)
        used(enricher.plan(ROWS))
        used(enricher.receipt)
        if name not in {"base_url", "store", "requests_per_minute", "timeout", "connect_timeout", "proxy"}:
            used(enricher.enrich(ROWS, on_error="record").receipt)


FAST: dict[str, Any] = {"requests_per_minute": 1_000_000}
NUMBER = itertools.count()

SETTINGS = list(inspect.signature(BulkEnricher).parameters)

CALLS = ["enrich", "enrich_async", "stream", "stream_async", "plan", "enrich_table", "enrich_table_async"]
GOOD: dict[str, Any] = {"rows": ROWS, "data": {"mail": ROWS}, "by": "mail"}

STORE: dict[str, Any] = {
    "find": {"what": "ana@acme.example"},
    "purge": {"identifier": "nobody@acme.example"},
    "allow": {"identifier": "ana@acme.example"},
    "summary": {},
    "receipts": {},
    "reconcile": {"month": "2026-10", "invoiced": 1},
    "resolve_unknown": {"resolution": "drop"},
    "unread_reply": {"request": 1},
    "merge": {"other": "elsewhere.db"},
    "export": {"path": "out.jsonl"},
    "backup": {"path": "backup.db"},
}
SANDBOX: dict[str, Any] = {
    "person": {"value": "ana@acme.example", "contact": {}},
    "fail": {"fault": "slow", "request": 10_000},
    "reject": {"value": "x@acme.example"},
    "nobody": {"value": "x@acme.example"},
    "top_up": {"credits": 1},
}


def parameters(call: Callable[..., Any]) -> list[str]:
    """The names of a call's parameters."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(call).parameters.values()
    return [each.name for each in found if each.kind not in kinds and each.name != "self"]


def methods(kind: type) -> list[str]:
    """The public methods of a class that have parameters."""
    found = inspect.getmembers(kind, callable)
    return [name for name, call in found if not name.startswith("_") and parameters(call)]


TABLES = ("to_pandas", "to_polars", "to_arrow", "preview")

PATHS = frozenset({"store", "path", "other", "ca_bundle"})
"""A message may repeat a path, as every system does."""


WORDS = frozenset(
    {"on_unknown", "body", "copies", "on_error", "per", "progress", "resolution", "fault", "retry_after"}
)
"""Only programs write these: a message may repeat a short word in place of one of a few words."""


def table() -> Any:
    return pytest.importorskip("polars").DataFrame({"mail": ROWS})


def check(name: str, call: Callable[[Any], object]) -> list[str]:
    """The exception of a call, if it is not one of ours or its message shows the value."""
    wrong = []
    for value in values():
        label = f"{type(value).__name__} {ascii(value)[:60]}" if shows(value) else type(value).__name__
        try:
            call(value)
        except TheirsError:
            continue
        except BaseException as error:  # noqa: BLE001 - a panic is none
            fine = isinstance(error, (ExactBuyerError, TypeError, ValueError, exactbuyer.IncompleteWarning))
            text = str(error)
            personal = [each for each in PERSONAL if name not in WORDS or re.search(r"[ \d]", each)]
            if not fine or isinstance(error, UnicodeError):
                wrong.append(f"{label}: {type(error).__name__}: {text[:150]!a}")
            elif any(each in text.casefold() for each in personal) and name not in PATHS:
                wrong.append(f"{label}: says what it was given: {text[:150]!a}")
            elif "\n" in text or len(text) > 1_000:
                wrong.append(f"{label}: says it in {len(text):,} letters: {text[:150]!a}")
    return wrong


def fail_if(wrong: list[str]) -> None:
    """Fails and names all troubles."""
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def shows(value: Any) -> bool:
    """Whether a value can be shown."""
    try:
        ascii(value)
    except Exception:  # noqa: BLE001 - that is the question
        return False
    return True


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(requests_per_minute=None) as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(sandbox: Sandbox, name: str) -> None:
    fail_if(check(name, lambda value: enricher_with(sandbox, name, value)))


@pytest.mark.parametrize(
    ("run_call", "name"),
    [(run_call, name) for run_call in CALLS for name in parameters(getattr(BulkEnricher, run_call))],
)
def test_calls(sandbox: Sandbox, run_call: str, name: str) -> None:
    taken = parameters(getattr(BulkEnricher, run_call))
    good: dict[str, Any] = {"rows": ROWS} if "rows" in taken else {"data": table(), "by": "mail"}
    if name in {"by", "columns", "prefix", "split", "region"} and run_call == "plan":
        good = {"rows": table(), "by": "mail"}
    with BulkEnricher(f"{KEY}-{next(NUMBER)}", base_url=sandbox.url, **FAST) as enricher:
        fail_if(check(name, lambda value: used(getattr(enricher, run_call)(**{**good, name: value}))))


def test_the_calls_are_all_there_are() -> None:
    assert set(methods(BulkEnricher)) == {*CALLS, "resolve_unknown", "sandbox"}


@pytest.mark.parametrize("name", parameters(BulkEnricher.sandbox))
def test_sandboxes(name: str) -> None:
    def make(value: Any) -> None:
        BulkEnricher.sandbox(**{name: value}).close()

    fail_if(check(name, make))


@pytest.mark.parametrize(
    ("method", "name"), [(m, n) for m in TABLES for n in parameters(getattr(Results, m))]
)
def test_tables_of_results(sandbox: Sandbox, method: str, name: str) -> None:
    with BulkEnricher(KEY, base_url=sandbox.url, **FAST) as enricher:
        results = enricher.enrich(ROWS, on_error="record")
    fail_if(check(name, lambda value: str(getattr(results, method)(**{name: value}))))


@pytest.mark.parametrize(
    ("method", "name"), [(m, n) for m in methods(Store) for n in parameters(getattr(Store, m))]
)
def test_questions_to_a_store(sandbox: Sandbox, tmp_path: Path, method: str, name: str) -> None:
    with BulkEnricher(KEY, base_url=sandbox.url, store=tmp_path / "people.db") as enricher:
        enricher.enrich(ROWS)
        store = enricher.store
        fail_if(check(name, lambda value: used(getattr(store, method)(**{**STORE[method], name: value}))))


@pytest.mark.parametrize("name", ["resolution", "requests"])
def test_resolving(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    with BulkEnricher(KEY, base_url=sandbox.url, store=tmp_path / "people.db") as enricher:
        good = {"resolution": "drop"}
        fail_if(check(name, lambda value: used(enricher.resolve_unknown(**{**good, name: value}))))


MADE: list[tuple[Any, dict[str, Any]]] = [
    (Budget, {"credits": 1}),
    (Store, {"path": "people.db"}),
    (migrate, {"path": "x"}),
    (Sandbox, {}),
]


@pytest.mark.parametrize(
    ("kind", "good", "name"), [(kind, good, name) for kind, good in MADE for name in parameters(kind)]
)
def test_what_is_made(kind: Any, good: dict[str, Any], name: str) -> None:
    def make(value: Any) -> None:
        made = kind(**{**good, name: value})
        used(made)
        if hasattr(made, "close"):
            made.close()

    fail_if(check(name, make))


@pytest.mark.parametrize(
    ("method", "name"), [(m, n) for m in methods(Sandbox) for n in parameters(getattr(Sandbox, m))]
)
def test_calls_of_a_sandbox(sandbox: Sandbox, method: str, name: str) -> None:
    fail_if(check(name, lambda value: used(getattr(sandbox, method)(**{**SANDBOX[method], name: value}))))


def test_a_price_is_shown_in_a_receipt() -> None:
    price = (Decimal("1e9"), "EUR")
    assert "EUR" in repr(Receipt(rows=1, found=1, credits=1, credit_price=price))


def test_something_is_put_through_each_call() -> None:
    assert sum(1 for _ in values()) > 400
