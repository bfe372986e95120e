"""What frames of a cluster cost: `python benchmarks/cluster.py --engine dask --rows 100000,1000000`.

Runs in the environment of `make cluster WHEEL=release`. For each number of rows, one fresh process looks them
up as one table of pandas, another as a frame of the engine, both against a sandbox in a process of its own.
It prints, for both, the wall time of the first call (`wall_s`) and of a second call with another store
(`again_s`); for the frame, also the processor time of the calling process and its memory above what it had
before the first call, and the time until the result was counted once.

Before the first call, the engine has read ten rows, and its workers have imported the package: that is the
start of the engine. Its own code is warm only for the second call.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests" / "cluster"
COLUMNS = ["full_name", "title"]
MEGABYTE = 1 << 20
FILES_OF_ROWS = 250_000


class Peak(threading.Thread):
    """The most memory that this process has for itself, looked at often."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()
        self.start_mb = self.peak_mb = self._now()

    def _now(self) -> float:
        import psutil

        memory = psutil.Process().memory_info()
        return float(memory.rss - memory.shared) / MEGABYTE

    def run(self) -> None:
        """Looks until it is over."""
        while not self._over.wait(0.05):
            self.peak_mb = max(self.peak_mb, self._now())

    def added_mb(self) -> float:
        """Ends it; what came on top."""
        self._over.set()
        return max(self.peak_mb, self._now()) - self.start_mb


def write_rows(folder: Path, rows: int) -> None:
    """So many different people, as Parquet files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    for first in range(0, rows, FILES_OF_ROWS):
        numbers = range(first, min(first + FILES_OF_ROWS, rows))
        mails = [f"person{number}@acme.example" for number in numbers]
        table = pa.table({"number": list(numbers), "mail": mails})
        pq.write_table(table, folder / f"{first:09}.parquet", compression="zstd")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Looks the rows up in this process."""
    import pandas as pd

    from exactbuyer import BulkEnricher

    engine_name, folder, rows = options.child, Path(options.folder), int(options.rows)
    data, columns = folder / "rows", None if options.whole_contacts else COLUMNS
    again, limit = not options.once, options.requests_per_minute or 1_000_000

    def call(name: str, frame: Any, **more: Any) -> tuple[Any, float]:
        store = folder / f"{engine_name}-{name}.db"
        with BulkEnricher("key", base_url=options.url, store=store, requests_per_minute=limit) as one:
            began = time.perf_counter()
            got = one.enrich_table(frame, "mail", columns=columns, progress=False, **more)
            return got, time.perf_counter() - began

    if engine_name == "pandas":
        frame = pd.read_parquet(data)
        wall_s = call("first", frame)[1]
        return {"wall_s": wall_s, "again_s": call("again", frame)[1] if again else math.nan}
    sys.path.insert(0, str(TESTS))
    from engines import ENGINES

    engine = ENGINES[engine_name]()
    engine.start(folder / "engine")
    partitions = max(rows // 50_000, 4)
    frame = engine.frame(data, partitions)
    # The engine itself grows at its first job.
    engine.rows(_first_rows(frame))
    BulkEnricher("key", base_url=options.url, store=None).plan(_first_rows(frame), by="mail")
    peak, cpu_s = Peak(), time.process_time()
    peak.start()
    got, wall_s = call("first", frame, answers=folder / engine_name)
    cpu_s = time.process_time() - cpu_s
    figures = {"wall_s": wall_s, "cpu_s": cpu_s, "added_mb": peak.added_mb()}
    began = time.perf_counter()
    count = got.count() if engine_name != "dask" else len(got)
    assert count == rows
    figures["counted_s"] = time.perf_counter() - began
    figures["again_s"] = call("again", frame, answers=folder / engine_name)[1] if again else math.nan
    engine.stop()
    return figures


def _first_rows(frame: Any) -> Any:
    """A small part of a frame, to compute."""
    if hasattr(frame, "partitions"):
        return frame.partitions[0]
    return frame.limit(10)


def run(engine_name: str, rows: int, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One measurement in a fresh process, with a fresh sandbox."""
    limit = ["--requests-per-minute", str(options.requests_per_minute), "--latency", str(options.latency)]
    sandbox = [sys.executable, "-m", "exactbuyer.sandbox", *limit, "--match-rate", "0.7"]
    with subprocess.Popen(sandbox, stdout=subprocess.PIPE, text=True) as vendor:
        try:
            assert vendor.stdout is not None
            url = vendor.stdout.readline().strip()
            child = [sys.executable, __file__, "--child", engine_name, "--url", url, "--folder", str(folder)]
            child += ["--rows", str(rows), *(["--whole-contacts"] if options.whole_contacts else [])]
            child += ["--once"] if options.once else []
            child += ["--requests-per-minute", str(options.requests_per_minute)]
            told = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True)
        finally:
            vendor.terminate()
    figures: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="dask", choices=["dask", "spark", "ray"])
    parser.add_argument("--rows", default="100000", help="one number or several, with commas")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds that the sandbox takes to answer")
    parser.add_argument("--requests-per-minute", type=int, default=0, help="the sandbox's limit; 0: none")
    parser.add_argument("--whole-contacts", action="store_true", help="all default columns, not two")
    parser.add_argument("--alone", action="store_true", help="without pandas")
    parser.add_argument("--once", action="store_true", help="without the second call")
    for hidden in ("--child", "--url", "--folder"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return
    for rows in map(int, options.rows.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_rows(folder / "rows", rows)
            figures = run(options.engine, rows, options, folder)
            line = ", ".join(f"{name} {value:,.1f}" for name, value in figures.items())
            line += "".join(
                f", {name} {figures[name] / rows * 1e6:.1f} µs a row" for name in ("wall_s", "cpu_s")
            )
            if not options.alone:
                plain = run("pandas", rows, options, folder)
                for wall in ("wall_s", "again_s"):
                    line += f"; pandas {wall} {plain[wall]:.1f}, ratio {figures[wall] / plain[wall]:.2f}"
            print(f"{options.engine}, {rows:,} rows: {line}", flush=True)


if __name__ == "__main__":
    main()
