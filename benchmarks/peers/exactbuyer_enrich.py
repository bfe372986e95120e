"""This package, all promises on."""

from exactbuyer import BulkEnricher
from workload import IN_FLIGHT, KEY


def run(job):
    enricher = BulkEnricher(KEY, base_url=job.url, max_concurrency=IN_FLIGHT, requests_per_minute=100_000)
    return enricher.enrich(job.rows, progress=False)
