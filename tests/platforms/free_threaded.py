"""What a free-threaded Python does with the package: `python3.14t free_threaded.py`.

A module that does not declare itself safe switches the interpreter's lock on again when it is imported. The
core declares that it needs the lock. So the lock must be on, and many threads may use one enricher at once.
"""

from __future__ import annotations

import sys
import sysconfig
import threading

from exactbuyer import BulkEnricher
from exactbuyer.sandbox import Sandbox

THREADS = 8
PEOPLE = [f"p{number}@acme.example" for number in range(400)]


def main() -> None:
    """Fails if the lock is off, or if threads disturb each other."""
    assert sysconfig.get_config_var("Py_GIL_DISABLED") == 1, "this is not a free-threaded Python"
    assert getattr(sys, "_is_gil_enabled", lambda: True)(), "the module has not asked for the lock"
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        enricher = BulkEnricher(sandbox.api_key, base_url=sandbox.url, requests_per_minute=6_000)
        statuses: list[set[str]] = []
        threads = [
            threading.Thread(target=lambda: statuses.append({r["status"] for r in enricher.enrich(PEOPLE)}))
            for _ in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [{"found"}] * THREADS, statuses
        assert enricher.receipt.rows == THREADS * len(PEOPLE)
    print(f"{sys.version.split()[0]}: the lock is on, and {THREADS} threads use one enricher")


if __name__ == "__main__":
    main()
