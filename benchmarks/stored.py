"""What the durable store costs, and what it saves: `make bench-stored`.

As `run.py`: one run, one sandbox on one core, each contestant in a fresh process on the other, in turns;
medians of ratios within a turn. Contacts become dicts throughout.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import sys
import time
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING, Any

import report
from cores import CLIENT_CORE, pin
from measure import Job, cpu_s, peak_mb
from run import take_turns
from workload import IN_FLIGHT, KEY, make_rows

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from run import Turn

# In this order: what one keeps, the next serves.
NAMES = {
    "orjson_floor_gc_off": "`orjson.loads` of the same contacts from memory, collector off",
    "without": "a run without a store",
    "keeping": "the same, everything kept",
    "serving": "the same from the store, in another process: nothing sent",
}

Figures = dict[str, Any]


def run(job: Any, store: str | None, *, serve_only: bool = False) -> Any:
    """This package, with that store."""
    enricher = BulkEnricher(
        KEY, base_url=job.url, max_concurrency=IN_FLIGHT, requests_per_minute=100_000, store=store
    )
    return enricher.enrich(job.rows, progress=False, store_only=serve_only)


def contestant(peer: str, store: str) -> Callable[[Any], Any]:
    """What is to be timed."""
    if peer == "without":
        return lambda job: run(job, None)
    if peer == "keeping":
        return lambda job: run(job, store)
    if peer == "serving":
        return lambda job: run(job, store, serve_only=True)
    floor: Callable[[Any], Any] = importlib.import_module(f"peers.{peer}").run
    return floor


def measure(peer: str, url: str, rows: int, bodies: str, store: str) -> Figures:
    """Runs one contestant in this process, and returns its figures."""
    pin(CLIENT_CORE)
    job = Job(url, make_rows(rows), bodies)
    timed = contestant(peer, store)
    gc.collect()
    cpu, wall = cpu_s(), time.perf_counter()
    results = timed(job)
    run_s, wall_s = cpu_s() - cpu - job.paused_s, time.perf_counter() - wall
    receipt = getattr(results, "receipt", None)
    return {
        "peer": peer,
        "run_cpu_s": run_s,
        "wall_s": wall_s,
        "peak_mb": peak_mb(),
        "requests": receipt.requests if receipt else 0,
        "results": len(results),
        "matched": sum(result["enriched_contact"] is not None for result in results),
    }


def opened(path: Path) -> float:
    """Milliseconds until a store answers whether it knows somebody."""
    began = time.perf_counter()
    with BulkEnricher(KEY, base_url="http://127.0.0.1:9", store=path) as enricher:
        enricher.enrich(["nobody@nowhere.example"], progress=False, store_only=True)
    return (time.perf_counter() - began) * 1_000


def store_of(turn: Turn) -> Path:
    """The store that is filled in this turn."""
    return turn.bodies.with_name(f"{turn.number}.db")


def compare(rows: int, repeat: int) -> list[dict[str, Figures]]:
    """Runs the contestants, turn by turn; each turn says how its store came out, too."""

    def command(peer: str, turn: Turn) -> tuple[str, ...]:
        given = ("--at", turn.url, str(turn.bodies), str(store_of(turn)), "--rows", str(rows))
        return "stored.py", "--measure", peer, *given

    compared: list[dict[str, Figures]] = []
    # Closed at once if anything goes wrong in here: else the server might outlive this process.
    with closing(take_turns(NAMES, rows, repeat, command)) as turns:
        for turn, brought in turns:
            figures = {figure["peer"]: figure for figure in brought}
            if figures["serving"]["requests"]:
                sys.exit("what is in the store was asked for again")
            store = store_of(turn)
            figures["store"] = {
                "share": store.stat().st_size / turn.bodies.stat().st_size,
                "opened_ms": median(opened(store) for _ in range(5)),
            }
            store.unlink()
            compared.append(figures)
    return compared


def comparison(turns: list[dict[str, Figures]], rows: int) -> str:
    """One line a contestant, and what follows from them."""
    floor = "orjson_floor_gc_off"

    def cpu(turn: dict[str, Figures], peer: str) -> float:
        return float(turn[peer]["run_cpu_s"])

    lines = ["| to a list of dicts | CPU s | µs a row | of `orjson` | peak MB |", "|---|--:|--:|--:|--:|"]
    for peer, name in NAMES.items():
        seconds = median(cpu(turn, peer) for turn in turns)
        share = median(cpu(turn, peer) / cpu(turn, floor) for turn in turns)
        peak = median(turn[peer]["peak_mb"] for turn in turns)
        lines.append(f"| {name} | {seconds:.2f} | {seconds / rows * 1e6:.2f} | {share:.2f} | {peak:.0f} |")
    kept = median(cpu(turn, "keeping") - cpu(turn, "without") for turn in turns) / rows * 1e6
    share = median(turn["store"]["share"] for turn in turns)
    opened_ms = median(turn["store"]["opened_ms"] for turn in turns)
    lines.append("")
    lines.append(
        f"- To keep everything costs {kept:.2f} µs CPU a record, and {share:.3f} of the raw JSON on disk."
    )
    lines.append(f"- Opened, asked for one person and closed in {opened_ms:.1f} ms.")
    return "\n".join(lines)


def main() -> None:
    """Measures what was asked for, and prints it."""
    parser = argparse.ArgumentParser(description="Measures what the durable store costs and saves.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--measure", choices=list(NAMES), help=argparse.SUPPRESS)
    parser.add_argument("--at", nargs=3, default=("", "", ""), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        url, bodies, store = arguments.at
        print(json.dumps(measure(arguments.measure, url, arguments.rows, bodies, store)), flush=True)
        # Taking a million objects apart is nobody's figure.
        os._exit(0)
    print(report.heading(arguments.rows, arguments.repeat), end="\n\n")
    print(comparison(compare(arguments.rows, arguments.repeat), arguments.rows))


if __name__ == "__main__":
    main()
