"""This package, all promises on."""

from workload import IN_FLIGHT, KEY

from exactbuyer import BulkEnricher


def run(job):
    enricher = BulkEnricher(KEY, base_url=job.url, max_concurrency=IN_FLIGHT, requests_per_minute=100_000)
    return enricher.enrich(job.rows, progress=False)
