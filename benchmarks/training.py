"""What the compiler learns from when it builds the wheels of a release: the usual calls, against the sandbox.

The installed module counts which code runs, and how often. The sandbox runs in a process of its own, so what it
counts can be thrown away: it is not what users wait for.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pandas as pd
from measure import Job
from server import serve
from table_peers import exactbuyer_flat, exactbuyer_reader, exactbuyer_table
from workload import IN_FLIGHT, KEY, make_rows

from exactbuyer import BulkEnricher
from exactbuyer.cli import main as command_line

ROWS = 20_000


def lists(url: str, folder: Path) -> None:
    """Lists of rows: without a store, into a store, and out of it."""
    rows = make_rows(ROWS)
    for store in (None, folder / "people.db", folder / "people.db"):
        enricher = BulkEnricher(
            KEY, base_url=url, store=store, max_concurrency=IN_FLIGHT, requests_per_minute=100_000
        )
        enricher.plan(rows)
        enricher.enrich(rows, progress=False)


def tables(url: str) -> None:
    """Frames, and a reader into a reader."""
    for contestant in (exactbuyer_table, exactbuyer_flat, exactbuyer_reader):
        job = Job(url, [], "")
        contestant.prepare(job, ROWS)
        contestant.count(contestant.run(job))


def files(url: str, folder: Path) -> None:
    """The command line, from CSV to CSV."""
    emails = [value for kind, value in make_rows(ROWS) if kind == "email"]
    pd.DataFrame({"mail": emails}).to_csv(folder / "in.csv", index=False)
    os.environ["EXACTBUYER_API_KEY"] = KEY
    command = ["enrich", str(folder / "in.csv"), "--output", str(folder / "out.csv"), "--by", "mail"]
    options = ["--base-url", url, "--requests-per-minute", "100000", "--yes"]
    if code := command_line([*command, *options]):
        sys.exit(f"the command line ended with {code}")


def main() -> None:
    """Does all of it once."""
    with serve() as url, tempfile.TemporaryDirectory() as folder:
        lists(url, Path(folder))
        tables(url)
        files(url, Path(folder))


if __name__ == "__main__":
    main()
