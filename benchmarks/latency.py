"""How well the wait is used: a server that takes its time, and many requests in flight.

Prints one line of JSON. Chunks are small, so that what is measured is the waiting and not the parsing:
replies to requests sent at one moment arrive at one moment.
"""

from __future__ import annotations

import json
import time

from cores import CLIENT_CORE, pin
from server import serve
from workload import KEY, make_rows

from exactbuyer import BulkEnricher

LATENCY_S = 0.2
CONCURRENCIES = (16, 32, 64)
ROUNDS = 20
CHUNK_SIZE = 25


def main() -> None:
    """Runs once for each concurrency."""
    runs: list[dict[str, float]] = []
    with serve("--latency", str(LATENCY_S)) as url:
        # After the server has started: it has a core of its own.
        pin(CLIENT_CORE)
        for concurrency in CONCURRENCIES:
            requests = ROUNDS * concurrency
            rows = make_rows(requests * CHUNK_SIZE)
            enricher = BulkEnricher(
                KEY,
                base_url=url,
                chunk_size=CHUNK_SIZE,
                max_concurrency=concurrency,
                max_in_doubt=CHUNK_SIZE * concurrency,
                requests_per_minute=100_000,
            )
            start = time.perf_counter()
            results = enricher.enrich(rows, progress=False)
            wall_s = time.perf_counter() - start
            runs.append(
                {
                    "latency_s": LATENCY_S,
                    "concurrency": concurrency,
                    "chunk_size": CHUNK_SIZE,
                    "requests": results.receipt.requests,
                    "wall_s": wall_s,
                    "ideal_s": LATENCY_S * requests / concurrency,
                }
            )
    print(json.dumps({"runs": runs}))


if __name__ == "__main__":
    main()
