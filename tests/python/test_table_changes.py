"""Frames that their owner goes on to change while a call is under way."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from exactbuyer import BulkEnricher
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.sort_values("mail", ascending=False, inplace=True),
        lambda frame: frame.drop(index=[0], inplace=True),
        lambda frame: frame.insert(0, "eb_status", 1),
        lambda frame: frame.reset_index(inplace=True),
    ],
)
def test_a_frame_that_is_changed_meanwhile(change: Callable[[Any], None]) -> None:
    people = [f"person{number}@acme.example" for number in range(6)]
    theirs = pd.DataFrame({"mail": people})
    with Sandbox(latency=0.2) as vendor, BulkEnricher(vendor.api_key, base_url=vendor.url) as enricher:

        async def enriched() -> Any:
            running = asyncio.create_task(
                enricher.enrich_table_async(theirs, by="mail", columns=["full_name"])
            )
            # It has its rows by now, and nothing is answered yet.
            await asyncio.sleep(0)
            change(theirs)
            return await running

        table = asyncio.run(enriched())
        expected = [row["enriched_contact"] for row in enricher.enrich(people)]
    assert table.columns.get_loc("mail") == 0, "a column that came later is not theirs"
    assert list(table["mail"]) == people
    names = [None if contact is None else contact["full_name"] for contact in expected]
    assert [name if isinstance(name, str) else None for name in table["eb_full_name"]] == names


def test_a_frame_of_polars_that_is_changed_meanwhile() -> None:
    theirs = pl.DataFrame({"mail": [f"person{number}@acme.example" for number in range(6)]})
    with Sandbox(latency=0.2) as vendor, BulkEnricher(vendor.api_key, base_url=vendor.url) as enricher:

        async def enriched() -> Any:
            running = asyncio.create_task(enricher.enrich_table_async(theirs, by="mail"))
            # It has its rows by now, and nothing is answered yet.
            await asyncio.sleep(0)
            theirs.extend(pl.DataFrame({"mail": ["more@acme.example"]}))
            return await running

        assert len(asyncio.run(enriched())) == 6


def test_a_list_that_is_changed_meanwhile() -> None:
    # Long enough to be read in parts.
    theirs = [f"person{number}@acme.example" for number in range(25_000)]
    people = list(theirs)
    with BulkEnricher.sandbox(requests_per_minute=1_000) as enricher:

        async def enriched() -> Any:
            running = asyncio.create_task(enricher.enrich_async(theirs))
            await asyncio.sleep(0)
            theirs.clear()
            return await running

        results = asyncio.run(enriched())
    assert [row["value"] for row in results] == people


def test_a_query_is_run_while_the_loop_runs() -> None:
    people = [f"person{number}@acme.example" for number in range(6)]
    went_on = threading.Event()

    def compute(frame: pl.DataFrame) -> pl.DataFrame:
        assert went_on.wait(30), "the loop stood still"
        return frame

    query = pl.DataFrame({"mail": people}).lazy().map_batches(compute)
    with BulkEnricher.sandbox() as enricher:

        async def enriched() -> Any:
            running = asyncio.create_task(enricher.enrich_table_async(query, by="mail"))
            await asyncio.sleep(0)
            went_on.set()
            return await running

        table = asyncio.run(enriched()).collect()
    assert table["mail"].to_list() == people
    assert table["eb_status"].n_unique() <= 2


def test_two_calls_may_use_one_connection_of_duckdb() -> None:
    # It can be used by one thread at a time.
    connection = duckdb.connect()
    relations = [
        connection.sql(f"select 'p' || range || '{number}@acme.example' as mail from range(2000)")
        for number in range(2)
    ]
    with BulkEnricher.sandbox() as enricher:

        async def enriched() -> list[Any]:
            calls = [enricher.enrich_table_async(each, by="mail", columns=[]) for each in relations]
            return await asyncio.gather(*calls)

        assert [len(each.fetchall()) for each in asyncio.run(enriched())] == [2_000, 2_000]
