"""Compares `enrich_table` with what people write by hand to get a pandas frame: `make bench-tables`.

As `run.py`: one run, one sandbox on one core, each contestant in a fresh process on the other, in turns;
medians of ratios within a turn. `--growth` measures this package alone over more and more rows.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import report
from cores import CLIENT_CORE, pin
from measure import Job, cpu_s, peak_mb
from run import child, take_turns
from server import serve
from workload import make_rows

if TYPE_CHECKING:
    from run import Turn

OURS = "exactbuyer_table"
FLAT = "exactbuyer_flat"
STREAMED = "exactbuyer_reader"
# Beyond, a frame with every contact's text in it is no longer what anybody makes.
MOST_IN_A_FRAME = 1_000_000
NAMES = {
    "aiohttp_json_normalize": "`aiohttp` + `orjson` + `json_normalize`",
    "aiohttp_comprehension_gc_off": "`aiohttp` + `orjson` + 12 columns by hand, collector off",
    "orjson_floor_gc_off": "`orjson.loads` alone, collector off, no frame",
    FLAT: "**`enrich_table`**, 20 columns of single fields, as the others keep",
    OURS: "**`enrich_table`**, its own 20 columns: each whole contact's text is one",
}
MEASURES = (("run_cpu_s", "{:.2f}"), ("peak_mb", "{:.0f}"), ("added_mb", "{:.0f}"))
# What is shown as a share of each contestant's.
SHARED = ("run_cpu_s", "peak_mb")

Figures = dict[str, Any]


def measure(peer: str, url: str, rows: int, bodies: str) -> Figures:
    """Runs one contestant in this process, and returns its figures."""
    pin(CLIENT_CORE)
    contestant = importlib.import_module(f"table_peers.{peer}")
    job: Any = Job(url, [], bodies)
    if hasattr(contestant, "prepare"):
        contestant.prepare(job, rows)
    else:
        job.rows = make_rows(rows)
    gc.collect()
    base_mb, cpu, wall = peak_mb(), cpu_s(), time.perf_counter()
    table = contestant.run(job)
    run_s, wall_s, run_mb = cpu_s() - cpu - job.paused_s, time.perf_counter() - wall, peak_mb()
    results, matched = contestant.count(table)
    return {
        "peer": peer,
        "rows": rows,
        "run_cpu_s": run_s,
        "wall_s": wall_s,
        "peak_mb": run_mb,
        "added_mb": run_mb - base_mb,
        "results": results,
        "matched": matched,
    }


def command(peer: str, rows: int, url: str, bodies: str = "") -> tuple[str, ...]:
    """What measures one contestant in a process of its own."""
    return "tables.py", "--measure", peer, "--at", url, bodies, "--rows", str(rows)


def compare(rows: int, repeat: int) -> list[list[Figures]]:
    """Runs the makers of frames, turn by turn."""

    def measured(peer: str, turn: Turn) -> tuple[str, ...]:
        return command(peer, rows, turn.url, str(turn.bodies))

    return [figures for _, figures in take_turns(NAMES, rows, repeat, measured)]


def comparison(turns: list[list[Figures]]) -> str:
    """One line a contestant; ratios say what share of its cost this package takes, turn by turn."""
    ratios = "fields / theirs: CPU | peak | with the text / theirs: CPU | peak"
    lines = [
        f"| to a pandas frame | CPU s | peak MB | on top of the start | {ratios} |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    by_peer = [{figure["peer"]: figure for figure in turn} for turn in turns]
    for peer, name in NAMES.items():
        line = [name]
        line += [form.format(median([turn[peer][measure] for turn in by_peer])) for measure, form in MEASURES]
        for ours in (FLAT, OURS):
            for measure in SHARED:
                ratio = median([turn[ours][measure] / turn[peer][measure] for turn in by_peer])
                line.append("" if peer in {FLAT, OURS} else f"{ratio:.3f}")
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def growth(most: int) -> str:
    """This package alone, over ten times as many rows each time."""
    lines = ["| rows | CPU µs a row: frame | reader | MB on top of the start: frame | reader |"]
    lines.append("|--:|--:|--:|--:|--:|")
    rows = 10_000
    with serve() as url:
        while rows <= most:
            peers = [OURS, STREAMED] if rows <= MOST_IN_A_FRAME else [STREAMED]
            figures = [child(*command(peer, rows, url)) for peer in peers]
            each = [f"{figure['run_cpu_s'] / rows * 1e6:.2f}" for figure in figures]
            added = [f"{figure['added_mb']:.0f}" for figure in figures]
            gap = [""] * (2 - len(peers))
            lines.append(f"| {rows:,} | {' | '.join([*gap, *each, *gap, *added])} |")
            rows *= 10
    return "\n".join(lines)


def main() -> None:
    """Measures what was asked for, and prints it."""
    parser = argparse.ArgumentParser(description="Compares enrich_table with what people write by hand.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--growth", action="store_true", help="this package alone, 10,000 to --rows rows")
    parser.add_argument("--measure", choices=[*NAMES, STREAMED], help=argparse.SUPPRESS)
    parser.add_argument("--at", nargs=2, default=("", ""), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        url, bodies = arguments.at
        print(json.dumps(measure(arguments.measure, url, arguments.rows, bodies)), flush=True)
        # Taking a million objects apart is nobody's figure.
        os._exit(0)
    print(report.heading(arguments.rows, arguments.repeat), end="\n\n")
    print(
        growth(arguments.rows) if arguments.growth else comparison(compare(arguments.rows, arguments.repeat))
    )


if __name__ == "__main__":
    main()
