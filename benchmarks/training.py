"""Typical calls, for a build that is guided by a profile: `tests/platforms/build_wheel.sh` runs this.

The compiler optimises for speed what runs often here, and for size what does not. Needs the extras `cli` and
`pandas`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from server import serve
from workload import KEY, make_rows

from exactbuyer import BulkEnricher, FieldType

KINDS: tuple[FieldType, ...] = ("email", "phone", "social_profile")


def messy(value: str, number: int) -> str:
    """The same value as people have it in their lists, and sometimes none that can be looked up."""
    spellings = (value, value, value, value.upper(), f" {value} ", f"Ana <{value}>", f'"{value}"', "n/a")
    return spellings[number % len(spellings)]


CLEAN = make_rows(20_000)
MESSY = [(kind, messy(value, number)) for number, (kind, value) in enumerate(CLEAN)]
FRAME = pd.DataFrame([{kind: value} for kind, value in MESSY])


def make_calls(url: str, folder: Path) -> None:
    """Calls of the Python API: lists, tables, a stream, a plan, with a store and without."""
    by: dict[str, FieldType] = {kind: kind for kind in KINDS}
    with BulkEnricher(KEY, base_url=url, requests_per_minute=100_000) as enricher:
        enricher.plan(MESSY)
        for _ in range(2):
            enricher.enrich(CLEAN, progress=False)
            enricher.enrich_table(FRAME, by=by, progress=False)
        enricher.enrich([value for _, value in MESSY * 2], on_error="record", progress=False)
        for _ in enricher.stream(iter(MESSY), progress=False):
            pass
    with BulkEnricher(KEY, base_url=url, requests_per_minute=100_000, store=folder / "calls.db") as stored:
        for _ in range(2):
            stored.enrich(CLEAN, progress=False)


def run_commands(url: str, folder: Path) -> None:
    """The command line, with CSV, JSON Lines and Parquet files."""
    FRAME.to_csv(folder / "people.csv", index=False)
    FRAME.to_parquet(folder / "people.parquet")
    records = [{kind: value, "note": number} for number, (kind, value) in enumerate(MESSY)]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / "people.jsonl").write_text(lines, encoding="utf-8")
    options = ["--base-url", url, "--yes", "--store", str(folder / "commands.db")]
    options += [option for kind in KINDS for option in ("--by", kind)]
    for suffix in ("csv", "jsonl", "parquet"):
        files = [str(folder / f"people.{suffix}"), "-o", str(folder / f"enriched.{suffix}")]
        done = subprocess.run(
            [sys.executable, "-m", "exactbuyer", "enrich", *files, *options],
            check=False,
            env={**os.environ, "EXACTBUYER_API_KEY": KEY},
        )
        # 3: done, and some rows cannot be looked up.
        if done.returncode not in (0, 3):
            sys.exit(done.returncode)


def main() -> None:
    """Serves a sandbox and makes the calls."""
    with serve() as url, tempfile.TemporaryDirectory() as name:
        make_calls(url, Path(name))
        run_commands(url, Path(name))


if __name__ == "__main__":
    main()
