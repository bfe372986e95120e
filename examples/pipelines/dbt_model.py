"""A Python model of dbt, for dbt-duckdb: save it as `models/enriched_people.py` beside a model `people`.

On Spark and Databricks, `dbt.ref` returns a DataFrame of Spark: leave out `.df()`, and pass
`answers=` a folder that the cluster can read.
"""

import os

from exactbuyer import BulkEnricher


def model(dbt, session):  # noqa: ARG001 - as dbt calls it
    """The people of the model `people`, with what is known of them."""
    dbt.config(materialized="table")
    people = dbt.ref("people").df()
    # The key is in EXACTBUYER_API_KEY; EXACTBUYER_URL may name a sandbox.
    url = os.environ.get("EXACTBUYER_URL", "https://api.exactbuyer.com")
    with BulkEnricher(store=os.environ["PEOPLE_STORE"], base_url=url) as enricher:
        enriched = enricher.enrich_table(people, by=["linkedin", "email"])
        enricher.last_receipt.raise_for_incomplete()
    return enriched
