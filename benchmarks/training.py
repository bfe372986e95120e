"""Typical calls, for a build that is guided by a profile: `tests/platforms/build_wheel.sh` runs this.

The compiler makes fast what runs often here, and small what does not. So this has something of everything
that takes time in practice: lists, tables, files, plans and the store. Needs the extras `cli` and `pandas`.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from server import serve
from workload import KEY, make_rows

from exactbuyer import BulkEnricher

ROWS = make_rows(20_000)
RECORDS = [{kind: value} for kind, value in ROWS]
KINDS = ("email", "phone", "social_profile")


def make_calls(url: str, folder: Path) -> None:
    """Calls of the Python API."""
    enricher = BulkEnricher(KEY, base_url=url, requests_per_minute=100_000)
    stored = BulkEnricher(KEY, base_url=url, requests_per_minute=100_000, store=folder / "calls.db")
    by = {kind: kind for kind in KINDS}
    enricher.plan(ROWS)
    enricher.enrich([value for kind, value in ROWS if kind == "email"], progress=False)
    for _ in range(2):
        enricher.enrich(ROWS, progress=False)
        enricher.enrich_table(pd.DataFrame(RECORDS), by=by, progress=False)
        stored.enrich(ROWS, progress=False)


def run_commands(url: str, folder: Path) -> None:
    """The command line, with the files that need no library."""
    with (folder / "people.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KINDS)
        writer.writeheader()
        writer.writerows(RECORDS)
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (folder / "people.jsonl").write_text(lines, encoding="utf-8")
    options = ["--base-url", url, "--yes", "--store", str(folder / "commands.db")]
    options += [option for kind in KINDS for option in ("--by", kind)]
    for suffix in ("csv", "jsonl"):
        files = [str(folder / f"people.{suffix}"), "-o", str(folder / f"enriched.{suffix}")]
        subprocess.run(
            [sys.executable, "-m", "exactbuyer", "enrich", *files, *options],
            check=True,
            env={**os.environ, "EXACTBUYER_API_KEY": KEY},
        )


def main() -> None:
    """Serves a sandbox and makes the calls."""
    with serve() as url, tempfile.TemporaryDirectory() as name:
        make_calls(url, Path(name))
        run_commands(url, Path(name))


if __name__ == "__main__":
    main()
