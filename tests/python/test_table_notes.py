"""What an enriched table says of the calls that made it: the last receipt, and the columns of all calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import against, run
from keys import KEY

from exactbuyer import BulkEnricher
from exactbuyer._frames.metadata import COLUMNS_KEY, RECEIPT_KEY, Notes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

MAILS = ["ana@acme.example", None, "bo@acme.example"]


class Capsule:
    """A table that is no more than Arrow's interface."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.to_reader().__arrow_c_stream__(requested_schema)


class CapsuleReader:
    """A reader that is no more than Arrow's interface."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.to_reader().__arrow_c_stream__(requested_schema)


KINDS: dict[str, Callable[[pa.Table], Any]] = {
    "table": lambda table: table,
    "batch": lambda table: table.combine_chunks().to_batches()[0],
    "capsule": Capsule,
    "reader": lambda table: table.to_reader(),
    "capsule-reader": CapsuleReader,
}


def notes(table: pa.Table) -> dict[str, Any]:
    """The notes of a table. If a key occurs twice, `metadata` has only the first value."""
    found = {
        key.decode(): json.loads(value)
        for key, value in table.schema.metadata.items()
        if key.startswith(b"exactbuyer_")
    }
    written = table.schema.serialize().to_pybytes()
    assert [written.count(key.encode()) for key in found] == [1] * len(found)
    return found


@pytest.mark.filterwarnings("ignore:columns of an earlier call are removed")
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_has_the_notes_of_the_last_call(kind: str, everybody: Sandbox) -> None:
    table: Any = pa.table({"mail": MAILS}).replace_schema_metadata({"theirs": "kept"})
    with BulkEnricher(KEY, base_url=everybody.url) as enricher:
        table = pa.table(enricher.enrich_table(table, "mail", columns=["title", "city"], prefix="old_"))
        first = enricher.last_receipt
        assert notes(table)[RECEIPT_KEY] == first.to_dict()
        # Twice with other columns: the second of these calls has to know those of the first.
        for columns in (["title"], ["full_name", "city"], ["full_name", "city"]):
            table = pa.table(enricher.enrich_table(KINDS[kind](table), "mail", columns=columns))
        last = enricher.last_receipt
    assert last != first
    added = [name for name in table.column_names if name.startswith("eb_")]
    assert "eb_full_name" in added
    assert "eb_title" not in added
    assert notes(table)[COLUMNS_KEY]["eb_"] == added
    assert "old_title" in notes(table)[COLUMNS_KEY]["old_"]
    # A reader's schema is known before the call has a receipt.
    assert notes(table).get(RECEIPT_KEY) == (None if "reader" in kind else last.to_dict())
    assert table.schema.metadata[b"theirs"] == b"kept"


def test_without_notes_those_of_other_calls_stay() -> None:
    # As in the blocks of a frame of a cluster, which are enriched by other processes.
    theirs = {RECEIPT_KEY.encode(): b"{}", COLUMNS_KEY.encode(): b"{}"}
    assert Notes().beside(theirs) == theirs


def test_each_batch_of_a_reader_has_the_notes_of_the_last_call(everybody: Sandbox) -> None:
    with BulkEnricher(KEY, base_url=everybody.url) as enricher:
        table = enricher.enrich_table(pa.table({"mail": MAILS}), "mail", columns=["full_name"])
        reader = enricher.enrich_table(table.to_reader(), "mail", columns=["full_name", "city"])
        batch = reader.read_next_batch()
    assert notes(batch) == notes(reader)
    assert RECEIPT_KEY not in notes(batch)


def test_a_parquet_file_has_the_notes_of_the_last_call(everybody: Sandbox, tmp_path: Path) -> None:
    pq.write_table(pa.table({"mail": MAILS}), tmp_path / "0.parquet")
    for number, column in enumerate(["title", "full_name"]):
        out = tmp_path / f"{number + 1}.parquet"
        call = [tmp_path / f"{number}.parquet", "-o", out, "--by", "mail", "--column", column]
        done = run("enrich", *call, "--json", *against(everybody))
        assert done.returncode == 0, done.stderr
        metadata = pq.ParquetFile(out).metadata.metadata
        receipt = json.loads(metadata[RECEIPT_KEY.encode()])
        assert (receipt["requests"], receipt["credits"]) == (1, 2)
        added = json.loads(metadata[COLUMNS_KEY.encode()])["eb_"]
        assert [name for name in added if name.endswith(("title", "name"))] == [f"eb_{column}"]
    assert RECEIPT_KEY.encode() not in pq.read_schema(out).metadata
