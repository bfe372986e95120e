"""The traceback of a caller's mistake ends in the call that the caller made."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest

import exactbuyer
from exactbuyer import Budget, BulkEnricher, IncompleteWarning
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exactbuyer.sandbox import Sandbox

PACKAGE = str(Path(exactbuyer.__file__).parent)
MOST_FRAMES = 2
MAIL = "ana@acme.example"
WRONG_ROW: Any = object()


def frame() -> Any:
    return pd.DataFrame({"mail": [MAIL]})


def reader() -> Any:
    return pa.table({"mail": [MAIL]}).to_reader()


async def read_all(enricher: BulkEnricher, rows: Any, **how: Any) -> None:
    async for _ in enricher.stream_async(rows, **how):
        pass


MISTAKES: dict[str, Callable[[BulkEnricher], Any]] = {
    "a number out of its range": lambda _: BulkEnricher(timeout=-1),
    "an unknown choice": lambda _: BulkEnricher(body="xml"),  # type: ignore[arg-type]
    "a key that is no text": lambda _: BulkEnricher(3),  # type: ignore[arg-type]
    "a proxy that is no text": lambda _: BulkEnricher(proxy=3),  # type: ignore[arg-type]
    "no country": lambda _: BulkEnricher(default_region="xx"),
    "a negative limit": lambda _: BulkEnricher(max_credits=-1),
    "a negative budget": lambda _: Budget(-1),
    "a setting of the sandbox": lambda _: BulkEnricher.sandbox(timeout=-1),
    "a store that is no path": lambda _: Store(3),  # type: ignore[arg-type]
    "a field type of the store": lambda _: Store("none.db").find(MAIL, field_type="mail"),  # type: ignore[arg-type]
    "enrich: a row": lambda enricher: enricher.enrich([WRONG_ROW]),
    "enrich: an identifier": lambda enricher: enricher.enrich(["?"]),
    "enrich: a field type": lambda enricher: enricher.enrich([], field_type="mail"),  # type: ignore[arg-type]
    "enrich: no key": lambda _: BulkEnricher(store=None).enrich([MAIL]),
    "stream: a row": lambda enricher: list(enricher.stream([MAIL, WRONG_ROW])),
    "stream: a limit": lambda enricher: enricher.stream([], max_credits=-1),
    "plan: a row": lambda enricher: enricher.plan([WRONG_ROW]),
    "plan: a column": lambda enricher: enricher.plan(frame(), by="email"),
    "enrich_async: a row": lambda enricher: asyncio.run(enricher.enrich_async([WRONG_ROW])),
    "stream_async: a row": lambda enricher: asyncio.run(read_all(enricher, [MAIL, WRONG_ROW])),
    "stream_async: a limit": lambda enricher: asyncio.run(read_all(enricher, [], max_credits=-1)),
    "enrich_table: a column": lambda enricher: enricher.enrich_table(frame(), by="email"),
    "enrich_table: a path": lambda enricher: enricher.enrich_table(frame(), "mail", columns={"a": "b..c"}),
    "enrich_table: no table": lambda enricher: enricher.enrich_table(3, by="mail"),
    "enrich_table: a reader": lambda enricher: enricher.enrich_table(reader(), by="email"),
    "enrich_table_async: a column": lambda enricher: asyncio.run(
        enricher.enrich_table_async(frame(), "email")
    ),
}


def own_frames(error: BaseException) -> list[str]:
    """The functions of the package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    return [each.name for each in frames if each.filename.startswith(PACKAGE)]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_shows_at_most_two_of_our_frames(
    name: str, everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY", raising=False)
    with BulkEnricher(everybody.api_key, base_url=everybody.url, store=None) as enricher:
        with pytest.raises((ValueError, TypeError)) as caught:
            MISTAKES[name](enricher)
        assert 1 <= len(own_frames(caught.value)) <= MOST_FRAMES, own_frames(caught.value)


def test_an_error_of_the_callers_own_code_keeps_its_frames(everybody: Sandbox) -> None:
    def rows() -> Iterator[str]:
        yield MAIL
        raise TypeError("from the caller's own code")

    with BulkEnricher(everybody.api_key, base_url=everybody.url, store=None) as enricher:
        with pytest.raises(TypeError, match="own code") as caught:
            enricher.enrich(rows())
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "rows"
        with pytest.raises(TypeError, match="own code") as caught, enricher.stream(rows()) as stream:
            list(stream)
        assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "rows"


def test_whole_tracebacks_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_DEBUG", "1")
    with pytest.raises(ValueError, match="timeout") as caught:
        BulkEnricher(timeout=-1)
    assert len(own_frames(caught.value)) > MOST_FRAMES


def test_a_package_with_a_similar_name_is_not_this_one() -> None:
    """Its frames stay in a traceback, and warnings point to it."""
    place = f"{PACKAGE}_jobs/job.py"
    code = """
def rows():
    yield "ana@acme.example"
    raise TypeError("the source is wrong")

def enrich(enricher, rows):
    return enricher.enrich(rows, on_error="record")
"""
    job: dict[str, Any] = {}
    exec(compile(code, place, "exec"), job)
    with BulkEnricher.sandbox() as enricher, pytest.raises(TypeError) as caught:
        job["enrich"](enricher, job["rows"]())
    assert traceback.extract_tb(caught.tb)[-1].filename == place
    with BulkEnricher.sandbox(credits=0) as enricher, pytest.warns(IncompleteWarning) as warned:
        job["enrich"](enricher, [MAIL])
    assert [warning.filename for warning in warned] == [place]
