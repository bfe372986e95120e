"""A long file needs no more memory than a short one. `CLI_ROWS=1000000` makes it long indeed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_runs import against, environment, people

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

ROWS = int(os.environ.get("CLI_ROWS", "300000"))
# More than a run remembers of duplicates, and than a row group holds.
SHORT_ROWS = 125_000
MAY_GROW_MB = 60.0
"""What the allocator keeps. A row with its contact is about 1.5 KB: all that is longer would be 250 MB."""

# A window of 2,000 rows.
NARROW = ["--max-in-doubt", "1000", "--chunk-size", "100"]


# What the kernel tells a parent of its child's memory counts the parent's own, from before the child began.
MEASURED = """
import sys
from exactbuyer.cli import main
ending = main(sys.argv[1:])
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
sys.exit(ending)
"""


def peak_mb(*arguments: str) -> float:
    """The most memory that a command took."""
    command = [sys.executable, "-c", MEASURED, *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=3_600)
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(
    "kind", ["csv", "jsonl", "parquet"] if ROWS > 10 * SHORT_ROWS else ["csv", "parquet"]
)
def test_memory_does_not_grow_with_the_file(kind: str, tmp_path: Path, everybody: Sandbox) -> None:
    peaks = []
    for rows in (SHORT_ROWS, ROWS):
        before, after = tmp_path / f"in{rows}.{kind}", tmp_path / f"out{rows}.{kind}"
        write(before, rows)
        given = ["enrich", str(before), "--by", "mail", "-o", str(after), "--yes", "-q"]
        peaks.append(peak_mb(*given, *NARROW, *against(everybody)))
        assert after.stat().st_size > 50 * rows
        before.unlink()
        after.unlink()
    short, long = peaks
    assert long - short < MAY_GROW_MB, f"{SHORT_ROWS:,} rows: {short:.0f} MB; {ROWS:,}: {long:.0f} MB"


def write(file: Path, rows: int) -> None:
    """People, as the kind of file that the suffix says."""
    text = people(rows)
    if file.suffix == ".csv":
        file.write_text(text)
        return
    records = [line.split(",") for line in text.splitlines()[1:]]
    if file.suffix == ".jsonl":
        file.write_text("".join(f'{{"id":"{number}","mail":"{mail}"}}\n' for number, mail in records))
        return
    pyarrow = pytest.importorskip("pyarrow")
    numbers, mails = zip(*records, strict=True)
    table = pyarrow.table({"id": numbers, "mail": mails})
    pytest.importorskip("pyarrow.parquet").write_table(table, file, row_group_size=5_000)
