"""The index of a frame of results: that of the Series whose rows were looked up."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import weakref
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import polars as pl
import pytest

from exactbuyer import BulkEnricher, Results

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def enricher() -> Iterator[BulkEnricher]:
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        yield enricher


def people_in(index: pd.Index) -> pd.Series:
    return pd.Series(["ana.almeida@acme.example", None, "bo.berg@acme.example"], index=index, dtype=object)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    "index",
    [
        pd.Index([7, 3, 3], name="id"),
        pd.Index([2.5, None, "x"], dtype=object),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["team", None]),
    ],
    ids=["twice", "mixed", "levels"],
)
def test_a_frame_of_results_has_the_index_of_the_series(
    enricher: BulkEnricher, index: pd.Index, is_async: bool
) -> None:
    column = people_in(index)
    results = asyncio.run(enricher.enrich_async(column)) if is_async else enricher.enrich(column)
    assert results is enricher.last_results
    names, index_before = list(index.names), index.copy()
    # The caller may rename theirs.
    column.index.names = ["new"] * index.nlevels
    for made in (results, copy.copy(results), cast("Results", pickle.loads(pickle.dumps(results)))):
        frame = made.to_pandas(columns=["full_name"])
        pd.testing.assert_index_equal(frame.index, index_before)
        assert frame.index.names == names
        assert frame["eb_full_name"].fillna("").tolist() == ["Ana Almeida", "", "Bo Berg"]


def test_rows_of_a_filtered_frame_get_their_own_people(enricher: BulkEnricher) -> None:
    frame = pd.DataFrame({"mail": ["x", "ana.almeida@acme.example", "x", "bo.berg@acme.example"]})
    found = enricher.enrich(frame["mail"][frame["mail"] != "x"]).to_pandas(columns=["full_name"])
    joined = frame.assign(name=found["eb_full_name"])
    assert joined["name"].fillna("").tolist() == ["", "Ana Almeida", "", "Bo Berg"]


def test_the_series_itself_is_not_kept(enricher: BulkEnricher) -> None:
    column = people_in(pd.Index([7, 3, 5]))
    results, reference = enricher.enrich(column), weakref.ref(column)
    del column
    gc.collect()
    assert reference() is None
    assert results.to_pandas().index.tolist() == [7, 3, 5]


@pytest.mark.parametrize(
    "rows",
    [
        ["ana.almeida@acme.example"],
        pd.Index(["ana.almeida@acme.example"]),
        pl.Series(["ana.almeida@acme.example"]),
    ],
    ids=["list", "index", "polars"],
)
def test_other_rows_have_no_index(enricher: BulkEnricher, rows: Any) -> None:
    pd.testing.assert_index_equal(enricher.enrich(rows).to_pandas().index, pd.RangeIndex(1))


def test_what_is_recovered_has_the_index_of_its_rows(enricher: BulkEnricher) -> None:
    async def cancel() -> None:
        call = asyncio.ensure_future(enricher.enrich_async(people_in(pd.Index([7, 3, 5]))))
        while not enricher.sandbox_server.ledger.requests:  # noqa: ASYNC110 - the ledger has no event
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(cancel())
    results = enricher.recover()
    assert results is not None
    assert results.to_pandas().index.tolist() == [7, 3, 5]


def test_results_of_a_series_that_were_changed_are_refused_as_others(enricher: BulkEnricher) -> None:
    row = {"value": None, "enriched_contact": None, "status": "missing"}
    for change, *arguments in (("append", row), ("pop",), ("reverse",)):
        results = enricher.enrich(people_in(pd.Index([7, 3, 5])))
        getattr(results, str(change))(*arguments)
        with pytest.raises(ValueError, match="rows were added, removed, replaced or reordered"):
            results.to_pandas()
