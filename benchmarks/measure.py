"""One contestant in a process of its own: `measure.py PEER URL ROWS BODIES [HEAP]` prints one line of JSON.

Owns the stopwatch: processor seconds (user and system, all threads) of this process, and its peak memory.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cores import CLIENT_CORE, pin
from workload import columns, make_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


def cpu_s() -> float:
    """Processor seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mb() -> float:
    """The most memory that this process has had so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


class Job:
    """What a contestant is given, and the stopwatch, which it may pause for what is not to be counted."""

    def __init__(self, url: str, rows: list[tuple[str, str]], bodies: str) -> None:
        self.url = url
        self.rows = rows
        self.bodies = bodies
        self.paused_s = 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves out what happens inside."""
        start = time.process_time()
        yield
        self.paused_s += time.process_time() - start


ALIVE = 5_000_000
MORE_OBJECTS = 1_000_000
HEAPS = {
    "plain": "those of a new process",
    "frozen": "the same, after `gc.freeze()`",
    "full": f"{ALIVE:,} lists more",
    "full and frozen": "these, after `gc.freeze()`",
}
"""What objects a process has before the call, and how the table names them. The first is the usual one."""


def prepare_heap(heap: str) -> list[list[int]]:
    """Makes millions of objects that stay alive, or freezes all objects, as servers do before they fork."""
    alive = [[number] for number in range(ALIVE if heap.startswith("full") else 0)]
    gc.collect()
    if heap.endswith("frozen"):
        gc.freeze()
    return alive


def main() -> None:
    """Runs the contestant and prints its figures."""
    peer, url, rows, bodies, heap = (*sys.argv[1:], "plain")[:5]
    if heap not in HEAPS:
        sys.exit(f"a heap is one of {', '.join(HEAPS)}; got {heap}")
    pin(CLIENT_CORE)
    job = Job(url, make_rows(int(rows)), bodies)
    contestant = importlib.import_module(f"peers.{peer}")
    _alive = prepare_heap(heap)
    base_mb, cpu, wall = peak_mb(), cpu_s(), time.perf_counter()
    results = contestant.run(job)
    run_s, wall_s, run_mb = cpu_s() - cpu - job.paused_s, time.perf_counter() - wall, peak_mb()
    if not gc.isenabled():
        sys.exit(f"{peer} left the collector off: what comes next would be measured without it")
    cpu = cpu_s()
    table = columns(results)
    then_s = cpu_s() - cpu
    peak, cpu = peak_mb(), cpu_s()
    _more = [(number,) for number in range(MORE_OBJECTS)]
    more_s = cpu_s() - cpu
    figures = {
        "peer": peer,
        "run_cpu_s": run_s,
        "run_and_columns_cpu_s": run_s + then_s,
        "wall_s": wall_s,
        "base_mb": base_mb,
        "run_peak_mb": run_mb,
        "peak_mb": peak,
        "more_objects_cpu_s": more_s,
        "results": len(table),
        "matched": sum(row[1] is not None for row in table),
    }
    print(json.dumps(figures), flush=True)
    # Taking millions of objects apart is nobody's figure.
    os._exit(0)


if __name__ == "__main__":
    main()
