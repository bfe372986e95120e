"""This package, all promises on: twenty columns, the whole contact among them."""

import pandas as pd
from workload import IN_FLIGHT, KEY, make_rows

from exactbuyer import BulkEnricher

KINDS = ("email", "phone", "social_profile")


def prepare(job, rows):
    """The rows as a frame, each kind in a column of its own, as people have them."""
    mixed = make_rows(rows)
    frame = {kind: pd.array([value if kind == each else None for each, value in mixed]) for kind in KINDS}
    job.input = pd.DataFrame(frame)


def run(job, columns=None):
    enricher = BulkEnricher(KEY, base_url=job.url, max_concurrency=IN_FLIGHT, requests_per_minute=100_000)
    by = {kind: kind for kind in KINDS}
    return enricher.enrich_table(job.input, by=by, columns=columns, progress=False)


def count(frame):
    return len(frame), int(frame["eb_full_name"].notna().sum())
