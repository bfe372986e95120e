"""Several processes and one store on Windows: nobody is billed twice, whoever is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exactbuyer.sandbox import Sandbox

LIMIT_S = 300.0
CHUNK = 100
IN_FLIGHT = 3

ENRICH = """
import json, sys, warnings
from exactbuyer import BulkEnricher

url, path, rows, settings = map(json.loads, sys.argv[1:])
warnings.simplefilter("ignore")
with BulkEnricher(base_url=url, store=path, **settings) as enricher:
    results = enricher.enrich(rows, on_error="record", progress=False)
print(json.dumps([[row["status"] for row in results], results.receipt.credits]))
"""


def start(sandbox: Sandbox, path: Path, rows: list[str], **settings: object) -> subprocess.Popen[str]:
    """A process that enriches these rows."""
    given = [json.dumps(each) for each in (sandbox.url, str(path), rows, settings)]
    return subprocess.Popen(
        [sys.executable, "-c", ENRICH, *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EXACTBUYER_API_KEY": sandbox.api_key},
    )


def answer(process: subprocess.Popen[str]) -> tuple[list[str], int]:
    """What it has printed: the statuses of its rows, and its credits."""
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    statuses, paid = json.loads(out.splitlines()[-1])
    return statuses, paid


def main() -> None:
    """Fails if anybody was billed twice."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        three(Path(folder) / "three.db")
        killed(Path(folder) / "killed.db")


def three(path: Path) -> None:
    """Three processes with overlapping lists."""
    people = [f"p{number}@acme.example" for number in range(600)]
    with Sandbox(requests_per_minute=None) as sandbox:
        lists = [people[:400], people[200:], people[::-1]]
        running = [start(sandbox, path, rows, chunk_size=7, requests_per_minute=6_000) for rows in lists]
        answers = [answer(process) for process in running]
        assert {status for statuses, _ in answers for status in statuses} == {"found", "not_found"}
        billed = sandbox.ledger.billed
        assert max(billed.values()) == 1, "somebody was billed twice"
        assert sum(paid for _, paid in answers) == sandbox.ledger.credits == len(billed)
        print(f"three processes, one store: {len(billed)} people billed, none twice")


def killed(path: Path) -> None:
    """A process is killed with requests in flight; the next one sends only what was never sent."""
    people = [f"k{number}@acme.example" for number in range(1_000)]
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        for number in range(4, 4 + IN_FLIGHT):
            sandbox.fail(request=number, fault="hang")
        process = start(sandbox, path, people, chunk_size=CHUNK, max_concurrency=IN_FLIGHT)
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None and len(sandbox.ledger.requests) < 3 + IN_FLIGHT:
            assert time.monotonic() < deadline, sandbox.ledger
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate(timeout=LIMIT_S)
        statuses, paid = answer(start(sandbox, path, people, chunk_size=CHUNK))
        doubts = statuses.count("unknown")
        assert 0 < doubts <= IN_FLIGHT * CHUNK, doubts
        assert statuses.count("found") == len(people) - doubts, statuses
        assert max(sandbox.ledger.billed.values()) == 1, "somebody was billed twice"
        print(f"killed with {IN_FLIGHT} requests in flight: {doubts} in doubt, {paid} paid, none twice")


if __name__ == "__main__":
    main()
