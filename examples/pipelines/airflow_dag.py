"""A DAG of Airflow 3 that enriches a file each day.

The store is on a disk that all attempts of the task see, so a retry pays only for what the attempt before
had not paid for. `max_active_runs=1`: two runs would share one limit of requests, and gain nothing.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from airflow.sdk import dag, task


@dag(
    schedule="@daily",
    start_date=datetime(2026, 11, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def enrich_people() -> None:
    """Enriches people."""

    @task
    def enrich(source: str, target: str) -> dict[str, int]:
        # Imported in the task: the scheduler reads this file often and needs neither.
        import pandas as pd

        from exactbuyer import BulkEnricher

        # The key is in EXACTBUYER_API_KEY of the worker, as from a secrets backend; never in a Variable.
        url = os.environ.get("EXACTBUYER_URL", "https://api.exactbuyer.com")
        with BulkEnricher(store=os.environ["PEOPLE_STORE"], base_url=url, max_credits=50_000) as enricher:
            people = pd.read_csv(source, dtype="string")
            enricher.enrich_table(people, by=["linkedin", "email"]).to_parquet(target)
            receipt = enricher.last_receipt
        # Fails the task if rows are open: doubts are not sent again by a retry.
        receipt.raise_for_incomplete()
        return {"rows": receipt.rows, "found": receipt.found, "credits": receipt.credits}

    enrich(os.environ.get("PEOPLE", "/data/people.csv"), os.environ.get("ENRICHED", "/data/enriched.parquet"))


enrich_people_dag = enrich_people()
