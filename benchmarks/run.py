"""Compares this package with what people write by hand: `make bench`.

One run, one machine, one sandbox: the server on one core, each contestant in a fresh process on the other.
Seconds differ from day to day by a sixth; ratios within a run hold. So the contestants take turns, each turn
yields ratios, and their medians are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import report
from measure import HEAPS
from server import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

HERE = Path(__file__).parent
OURS = "exactbuyer_enrich"
PEERS = (
    "requests_loop",
    "requests_threads",
    "httpx_async",
    "aiohttp_orjson",
    "aiohttp_orjson_gc_off",
    "orjson_floor",
    "orjson_floor_gc_off",
    OURS,
)
KNOWN = (*PEERS, "heaps", "plan", "latency", "engine")
# A program of its own, without Python: its last line is JSON, {"records": …, "cpu_s": …}.
ENGINE_COMMAND = ("cargo", "bench", "--quiet", "--locked", "-p", "exactbuyer_tests", "--bench", "engine")

Figures = dict[str, Any]


class Turn(NamedTuple):
    """What the contestants of one turn are given."""

    number: int
    url: str
    # All that the server sends, for those who do without it; other files of a turn may lie beside it.
    bodies: Path


def child(*arguments: str) -> Figures:
    """Runs a script of this folder in a fresh process and returns what its last line says."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=environment(),
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}")
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {}


def environment() -> dict[str, str]:
    """The environment of the contestants: no proxy, no send beyond this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"EXACTBUYER_OFFLINE": "1", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}


def take_turns(
    peers: Collection[str], rows: int, repeat: int, command: Callable[[str, Turn], tuple[str, ...]]
) -> Generator[tuple[Turn, list[Figures]], None, None]:
    """Lets every contestant run once a turn, in a fresh process, and yields each turn with their figures.

    `command(peer, turn)` is the script of this folder that measures the contestant, and what it is told.
    """
    with serve() as url, tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        if any("floor" in peer for peer in peers):
            child("save_bodies.py", url, str(rows), str(bodies))
        for number in range(repeat):
            turn = Turn(number, url, bodies)
            figures: list[Figures] = []
            for peer in peers:
                print(f"  {number + 1}/{repeat} {peer}", end="", file=sys.stderr, flush=True)
                figures.append(child(*command(peer, turn)))
                print(f": {figures[-1]['run_cpu_s']:.2f} CPU s", file=sys.stderr)
            check_same_work(figures, rows)
            yield turn, figures


def compare(peers: list[str], rows: int, repeat: int) -> list[list[Figures]]:
    """Runs the clients, turn by turn."""

    def command(peer: str, turn: Turn) -> tuple[str, ...]:
        return "measure.py", peer, turn.url, str(rows), str(turn.bodies)

    return [figures for _, figures in take_turns(peers, rows, repeat, command)]


def compare_heaps(rows: int, repeat: int) -> list[list[Figures]]:
    """Runs this package in processes with different objects before the call, turn by turn."""

    def command(heap: str, turn: Turn) -> tuple[str, ...]:
        return "measure.py", OURS, turn.url, str(rows), str(turn.bodies), heap

    return [figures for _, figures in take_turns(list(HEAPS), rows, repeat, command)]


def check_same_work(figures: list[Figures], rows: int) -> None:
    """Refuses to compare contestants that did not bring back the same."""
    brought = {(figure["results"], figure["matched"]) for figure in figures}
    if len(brought) != 1 or figures[0]["results"] != rows:
        sys.exit(
            f"not the same work: {[(f['peer'], f['results'], f['matched']) for f in figures]} for {rows} rows"
        )


def engine() -> Figures:
    """The engine alone."""
    done = subprocess.run(ENGINE_COMMAND, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measures what was asked for, and prints it."""
    parser = argparse.ArgumentParser(description="Compares this package with what people write by hand.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3, help="turns; medians of their ratios are shown")
    parser.add_argument("--only", default="", help=f"some of {','.join(KNOWN)}")
    parser.add_argument("--json", type=Path, help="also write every figure to this file")
    parser.add_argument("--page", action="store_true", help="also put the table into the page of figures")
    arguments = parser.parse_args()
    only = arguments.only.split(",") if arguments.only else list(KNOWN)
    if unknown := set(only) - set(KNOWN):
        parser.error(f"--only knows {', '.join(KNOWN)}; not {', '.join(sorted(unknown))}")

    peers = [peer for peer in PEERS if peer in only]
    turns = compare(peers, arguments.rows, arguments.repeat) if peers else []
    heaps = compare_heaps(arguments.rows, arguments.repeat) if "heaps" in only else []
    plans = [child("plan.py"), child("plan.py", "--phones")] if "plan" in only else []
    latency = child("latency.py")["runs"] if "latency" in only else []
    engine_figures = engine() if "engine" in only else None

    parts = [report.heading(arguments.rows, arguments.repeat)]
    if turns:
        parts.append(report.comparison(turns, OURS, median))
    if heaps:
        parts.append(report.heaps(heaps, HEAPS.values(), median))
    parts.append(report.others(plans, latency, engine_figures))
    text = "\n\n".join(part for part in parts if part)
    print(text)
    if arguments.page:
        page = HERE.parent / report.PAGE
        page.write_text(report.filled(page.read_text(encoding="utf-8"), text), encoding="utf-8")
    if arguments.json:
        everything = {
            "turns": turns,
            "heaps": heaps,
            "plans": plans,
            "latency": latency,
            "engine": engine_figures,
        }
        arguments.json.write_text(json.dumps(everything, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
