"""Texts of Arrow columns that are not UTF-8: readers of Parquet pass them on without a check."""

from __future__ import annotations

from pathlib import Path

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from cli_runs import run
from exactbuyer import BulkEnricher

CELLS = [b"\xe9ana@acme.example", b"bob@acme.example", b"eve@acme.example\xf0"]


def texts() -> pyarrow.Array:
    """These bytes as a column of texts."""
    binary = pyarrow.array(CELLS, pyarrow.binary())
    return pyarrow.Array.from_buffers(pyarrow.string(), len(CELLS), binary.buffers())


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A file with such a column."""
    path = tmp_path / "people.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"mail": texts()}), path)
    return path


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()])
def test_a_text_that_is_not_utf8_is_invalid(kind: pyarrow.DataType) -> None:
    binary = {pyarrow.string(): pyarrow.binary(), pyarrow.large_string(): pyarrow.large_binary()}
    stored = pyarrow.array(CELLS, binary.get(kind, pyarrow.binary_view()))
    table = pyarrow.table({"mail": pyarrow.Array.from_buffers(kind, len(CELLS), stored.buffers())})
    with BulkEnricher.sandbox(match_rate=1) as people:
        found = people.enrich_table(table, "mail", on_error="return", columns=["email"])
        assert found["eb_status"].to_pylist() == ["invalid", "found", "invalid"]
        assert [request.identifiers for request in people.sandbox_server.ledger.requests] == [1]


def test_a_frame_read_from_such_a_file_is_read_by_row(parquet: Path) -> None:
    frame = pandas.read_parquet(parquet, dtype_backend="pyarrow")
    with BulkEnricher.sandbox() as people:
        plan = people.plan(frame, by="mail")
    assert (plan.rows, plan.invalid) == (3, 2)


def test_the_command_line_refuses_such_a_file_before_it_sends_anything(parquet: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    refused = run("enrich", parquet, "--by", "mail", "-o", output, "--sandbox")
    assert refused.exit_code == 8
    assert "people.parquet" in refused.stderr
    assert "acme" not in refused.stderr
    assert not output.exists()
