"""Days and moments that no calendar has, such as the largest number in the place of "never"."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import against, run

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

NEVER = 2**63 - 1
NEVER_DAYS = 2**31 - 1
COLUMNS = {
    "until": pa.array([NEVER, 0], pa.timestamp("us")),
    "until_utc": pa.array([NEVER, 0], pa.timestamp("us", "UTC")),
    "day": pa.array([NEVER_DAYS, 0], pa.date32()),
    "long": pa.array([NEVER, 0], pa.duration("s")),
}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_they_are_written_as_the_numbers_that_they_are(kind: str, everybody: Sandbox, tmp_path: Path) -> None:
    pq.write_table(pa.table({"mail": ["ana@acme.example", None], **COLUMNS}), tmp_path / "in.parquet")
    done = run("enrich", tmp_path / "in.parquet", "--to", kind, "--by", "mail", *against(everybody))
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "ERROR" not in text
    if kind == "csv":
        assert text.splitlines()[1].startswith(f"ana@acme.example,{NEVER},{NEVER},{NEVER_DAYS},{NEVER},found")
        assert text.splitlines()[2].startswith(
            ",1970-01-01T00:00:00,1970-01-01T00:00:00Z,1970-01-01,P0D,missing"
        )
    else:
        row = json.loads(text.splitlines()[0])
        assert [row[name] for name in COLUMNS] == [str(NEVER), str(NEVER), str(NEVER_DAYS), str(NEVER)]
