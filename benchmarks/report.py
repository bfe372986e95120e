"""Figures as Markdown, for the page of figures. Knows nothing of how they came about."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Figures = dict[str, Any]

PAGE = "docs/design/performance.md"
"""Where the figures are shown, from the root of the repository."""

NAMES = {
    "requests_loop": "`requests` in a loop",
    "requests_threads": "`requests`, 16 threads",
    "httpx_async": "`httpx` async",
    "aiohttp_orjson": "`aiohttp` + `orjson`",
    "aiohttp_orjson_gc_off": "the same, collector off",
    "orjson_floor": "`orjson.loads` alone, no network",
    "orjson_floor_gc_off": "the same, collector off",
    "exactbuyer_enrich": "**`exactbuyer`**",
}


def heading(rows: int, repeat: int) -> str:
    """Says where and when."""
    day = datetime.now(timezone.utc).date().isoformat()
    return (
        f"{rows:,} rows, 1,000 a request, medians of {repeat}. {platform.python_implementation()} "
        f"{platform.python_version()}, {processor()}, {os.cpu_count()} cores, {platform.system()}, {day}."
    )


def processor() -> str:
    """The processor's name, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def comparison(turns: list[list[Figures]], ours: str, middle: Callable[[Sequence[float]], float]) -> str:
    """One line a contestant; ratios say what share of its cost this package takes, turn by turn."""
    head = ["client", "CPU s", "run + 12 columns, CPU s", "peak MB"]
    head += ["ours / theirs: run", "run + columns", "peak", "after, CPU s"]
    lines = [f"| {' | '.join(head)} |", f"|---{'|--:' * (len(head) - 1)}|"]
    by_peer = [{figure["peer"]: figure for figure in turn} for turn in turns]
    for peer in by_peer[0]:
        line = [NAMES[peer]]
        measures = ("run_cpu_s", "run_and_columns_cpu_s", "run_peak_mb")
        for measure, form in zip(measures, ("{:.2f}", "{:.2f}", "{:.0f}"), strict=True):
            line.append(form.format(middle([turn[peer][measure] for turn in by_peer])))
        for measure in measures:
            if peer == ours or ours not in by_peer[0]:
                line.append("")
            else:
                line.append(f"{middle([turn[ours][measure] / turn[peer][measure] for turn in by_peer]):.2f}")
        line.append(f"{middle([turn[peer]['more_objects_cpu_s'] for turn in by_peer]):.2f}")
        lines.append(f"| {' | '.join(line)} |")
    lines += ["", "After: what the next 1,000,000 objects cost that the process makes."]
    return "\n".join(lines)


def heaps(
    turns: list[list[Figures]], names: Iterable[str], middle: Callable[[Sequence[float]], float]
) -> str:
    """A call after other objects were made or frozen, as a share of one in a new process."""
    lines = ["| objects before the call | run | run + 12 columns | after, CPU s |", "|---|--:|--:|--:|"]
    for place, name in enumerate(names):
        shares = [
            f"{middle([turn[place][measure] / turn[0][measure] for turn in turns]):.2f}"
            for measure in ("run_cpu_s", "run_and_columns_cpu_s")
        ]
        after = f"{middle([turn[place]['more_objects_cpu_s'] for turn in turns]):.2f}"
        lines.append(f"| {name} | {' | '.join(shares)} | {after} |")
    return "\n".join(lines)


def others(plans: list[Figures], latency: list[Figures], engine: Figures | None) -> str:
    """What is not a comparison."""
    lines = [
        f"- `plan` of {plan['rows']:,} {plan['kind']} rows: "
        f"{plan['wall_s']:.2f} s, {plan['cpu_s']:.2f} CPU s, "
        f"{plan['added_mb']:.0f} MB on top of the {plan['base_mb']:.0f} MB of a Python that holds them."
        for plan in plans
    ]
    if engine:
        each = engine["cpu_s"] / engine["records"] * 1e6
        lines.append(f"- The engine alone, no Python objects: {each:.2f} µs CPU a record.")
    lines.extend(
        f"- {run['latency_s'] * 1000:.0f} ms latency, {run['concurrency']} in flight, {run['requests']:,} "
        f"requests of {run['chunk_size']}: {run['wall_s']:.2f} s, {run['wall_s'] / run['ideal_s']:.2f} of "
        "latency × requests / concurrency."
        for run in latency
    )
    return "\n".join(lines)


def filled(page: str, text: str) -> str:
    """Returns the page with the text between its two marks."""
    start, end = "<!-- bench -->\n", "\n<!-- /bench -->"
    before, found, rest = page.partition(start)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        message = f"{PAGE} has no place for the table: {start.strip()} … {end.strip()}"
        raise ValueError(message)
    return before + start + text + end + after
