"""Two assets of Dagster: people, and the same people enriched.

    dagster dev -f examples/pipelines/dagster_assets.py

Materialising the second asset again pays only for identifiers that are new, because the store has the others.
"""

from __future__ import annotations

import os

import pandas as pd
from dagster import Definitions, MaterializeResult, asset

from exactbuyer import BulkEnricher

PEOPLE = os.environ.get("PEOPLE", "examples/contacts.csv")
ENRICHED = os.environ.get("ENRICHED", "enriched.parquet")


@asset
def people() -> pd.DataFrame:
    """Whom to look up."""
    return pd.read_csv(PEOPLE, dtype="string")


@asset
def enriched_people(people: pd.DataFrame) -> MaterializeResult:
    """The same people with what is known of them. The receipt is shown with the asset."""
    # The key is in EXACTBUYER_API_KEY; EXACTBUYER_URL may name a sandbox.
    url = os.environ.get("EXACTBUYER_URL", "https://api.exactbuyer.com")
    with BulkEnricher(store="people.db", base_url=url) as enricher:
        enricher.enrich_table(people, by=["linkedin", "email"]).to_parquet(ENRICHED)
        receipt = enricher.last_receipt
    # Rows that got no answer fail the asset; its answers are in the store, so the next run pays for the rest.
    receipt.raise_for_incomplete()
    return MaterializeResult(
        metadata={"credits": receipt.credits, "found": receipt.found, "rows": receipt.rows}
    )


defs = Definitions(assets=[people, enriched_people])
