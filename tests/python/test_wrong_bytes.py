"""Texts of Arrow columns that are not UTF-8: readers of Parquet pass them on without a check."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import run

from exactbuyer import BulkEnricher

CELLS = [b"\xe9ana@acme.example", b"bob@acme.example", b"eve@acme.example\xf0"]


def texts() -> pa.Array:
    """These bytes as a column of texts."""
    binary = pa.array(CELLS, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(CELLS), binary.buffers())


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A file with such a column."""
    path = tmp_path / "people.parquet"
    pq.write_table(pa.table({"mail": texts()}), path)
    return path


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_a_text_that_is_not_utf8_is_invalid(kind: pa.DataType) -> None:
    binary = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary()}
    stored = pa.array(CELLS, binary.get(kind, pa.binary_view()))
    table = pa.table({"mail": pa.Array.from_buffers(kind, len(CELLS), stored.buffers())})
    with BulkEnricher.sandbox(match_rate=1) as people:
        found = people.enrich_table(table, "mail", columns=["full_name"])
        assert found["eb_status"].to_pylist() == ["invalid", "found", "invalid"]
        assert list(people.sandbox_server.ledger.billed) == ["bob@acme.example"]


def test_a_frame_read_from_such_a_file_is_read_by_row(parquet: Path) -> None:
    frame = pd.read_parquet(parquet, dtype_backend="pyarrow")
    with BulkEnricher.sandbox() as people:
        plan = people.plan(frame, by="mail")
    assert (plan.rows, plan.invalid) == (3, 2)


def test_the_command_line_refuses_such_a_file_before_it_sends_anything(parquet: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    refused = run("enrich", parquet, "--by", "mail", "-o", output, "--sandbox")
    assert refused.returncode == 8
    assert b"people.parquet" in refused.stderr
    assert b"acme" not in refused.stderr
    assert not output.exists()
