"""Duplicates far apart: a list call pays for each once, a stream once within its window."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exactbuyer import Receipt
    from exactbuyer.sandbox import Sandbox

PEOPLE = 105_000
"""More than a stream's window."""
AGAIN = 2_000


@pytest.fixture
def enricher(everybody: Sandbox) -> Iterator[BulkEnricher]:
    with BulkEnricher(
        everybody.api_key, base_url=everybody.url, store=None, requests_per_minute=100_000
    ) as enricher:
        yield enricher


def mails() -> list[str]:
    people = [f"p{number}@acme.example" for number in range(PEOPLE)]
    return people + people[:AGAIN]


def enrich(enricher: BulkEnricher) -> Receipt:
    results = enricher.enrich(mails(), progress=False)
    assert results[0] == results[PEOPLE]
    assert results[0]["enriched_contact"] is not results[PEOPLE]["enriched_contact"]
    return results.receipt


def enrich_async(enricher: BulkEnricher) -> Receipt:
    results = asyncio.run(enricher.enrich_async(mails(), progress=False))
    assert results[AGAIN - 1] == results[-1]
    return results.receipt


def of_table(enricher: BulkEnricher, table: Any) -> Receipt:
    contacts = table["eb_contact"]
    assert contacts[0].as_py() == contacts[PEOPLE].as_py() is not None
    sources = table["eb_source"]
    assert (sources[0].as_py(), sources[PEOPLE].as_py()) == ("paid", "duplicate")
    return enricher.last_receipt


def enrich_table(enricher: BulkEnricher) -> Receipt:
    table = pa.table({"mail": mails()})
    return of_table(enricher, enricher.enrich_table(table, "mail", columns={"contact": "$"}, progress=False))


def enrich_table_async(enricher: BulkEnricher) -> Receipt:
    table = pa.table({"mail": mails()})
    enriching = enricher.enrich_table_async(table, "mail", columns={"contact": "$"}, progress=False)
    return of_table(enricher, asyncio.run(enriching))


@pytest.mark.parametrize("call", [enrich, enrich_async, enrich_table, enrich_table_async])
def test_a_call_pays_once_however_far_apart_duplicates_are(
    call: Callable[[BulkEnricher], Receipt], enricher: BulkEnricher, everybody: Sandbox
) -> None:
    receipt = call(enricher)
    assert (receipt.found, receipt.sent, receipt.credits) == (PEOPLE + AGAIN, PEOPLE, PEOPLE)
    assert (receipt.duplicates, receipt.found_duplicates) == (AGAIN, AGAIN)
    assert set(everybody.ledger.billed.values()) == {1}
    assert enricher.plan(mails()).max_credits == receipt.credits


def test_a_stream_pays_again_beyond_its_window(enricher: BulkEnricher, everybody: Sandbox) -> None:
    with enricher.stream(mails(), progress=False) as results:
        assert sum(1 for _ in results) == PEOPLE + AGAIN
    assert results.receipt.credits == PEOPLE + AGAIN
    assert sum(everybody.ledger.billed.values()) == PEOPLE + AGAIN


def test_lists_that_share_some_of_their_values_pay_once(enricher: BulkEnricher, everybody: Sandbox) -> None:
    rows = [[f"p{number}@acme.example", f"p{number + 1}@acme.example"] for number in range(30_000)]
    receipt = enricher.enrich(rows + rows, progress=False).receipt
    assert receipt.found == 60_000
    assert set(everybody.ledger.billed.values()) == {1}
