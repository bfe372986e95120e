"""Contacts with `NaN` and `Infinity`: kept in dicts, and valid JSON wherever they are handed on as text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import FAST, run

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = {"score": ("score", "float64"), "lowest": "lowest", "contact": "$", "raw": ("score", "json")}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose first match has `"score":NaN,"lowest":-Infinity`."""
    with Sandbox(requests_per_minute=None) as sandbox:
        sandbox.person(
            "ana@acme.example", {"full_name": 'Infinity "NaN" Inc.', "odd": "\ud800", "big": 10**30}
        )
        sandbox.fail("nan", request=1)
        yield sandbox


def strict(text: str | bytes) -> Any:
    """Reads JSON strictly, as RFC 8259 defines it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def check(contact: Any) -> None:
    assert contact["score"] is contact["lowest"] is None
    assert contact["full_name"] == 'Infinity "NaN" Inc.'
    assert (contact["odd"], contact["big"]) == ("\ud800", 10**30)


def test_dicts_keep_the_numbers(sandbox: Sandbox, tmp_path: Path) -> None:
    for _ in range(2):
        # The second answer comes from the store.
        with BulkEnricher("any", base_url=sandbox.url, store=tmp_path / "s.db") as enricher:
            contact = enricher.enrich(["ana@acme.example"])[0]["enriched_contact"]
            assert contact is not None
            assert math.isnan(contact["score"])
            assert contact["lowest"] == -math.inf
            (answer,) = enricher.store.find("ana@acme.example")
            assert answer.enriched_contact is not None
            assert math.isnan(answer.enriched_contact["score"])


def test_columns_have_standard_json(sandbox: Sandbox) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"mail": ["ana@acme.example"]})
    with BulkEnricher("any", base_url=sandbox.url) as enricher:
        made = enricher.enrich_table(table, "mail", columns=COLUMNS)
        assert enricher.last_receipt.misfits == 3
    (row,) = made.to_pylist()
    assert row["eb_score"] is row["eb_lowest"] is row["eb_raw"] is None
    check(strict(row["eb_contact"]))


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_exports_have_standard_json(ending: str, sandbox: Sandbox, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / f"all.{ending}"
    with BulkEnricher("any", base_url=sandbox.url, store=tmp_path / "s.db") as enricher:
        enricher.enrich(["ana@acme.example"])
        assert enricher.store.export(file) == 1
    if ending == "parquet":
        check(strict(parquet.read_table(file).column("enriched_contact")[0].as_py()))
    else:
        text = gzip.decompress(file.read_bytes()) if ending.endswith("gz") else file.read_bytes()
        check(strict(text)["enriched_contact"])


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("output", ["csv", "jsonl"])
def test_files_have_standard_json_and_are_read_again(
    source: str, output: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    before, after = tmp_path / f"in.{source}", tmp_path / f"out.{output}"
    if source == "parquet":
        parquet.write_table(pyarrow.table({"mail": ["ana@acme.example"]}), before)
    else:
        before.write_text("mail\nana@acme.example\n" if source == "csv" else '{"mail":"ana@acme.example"}\n')
    given = ["--by", "mail", "--base-url", sandbox.url, *FAST, "-q"]
    assert main(["enrich", str(before), "-o", str(after), *given, "--column", "contact"]) == ExitCode.DONE
    text = after.read_text()
    contact = strict(text)["eb_contact"] if output == "jsonl" else next(csv.DictReader(io.StringIO(text)))
    check(contact if output == "jsonl" else strict(contact["eb_contact"]))
    for again in ["again.csv", "again.jsonl", "again.parquet"]:
        assert main(["enrich", str(after), "-o", str(tmp_path / again), *given]) == ExitCode.DONE


def test_what_the_store_prints_is_standard_json(sandbox: Sandbox, tmp_path: Path) -> None:
    with BulkEnricher("any", base_url=sandbox.url, store=tmp_path / "s.db") as enricher:
        enricher.enrich(["ana@acme.example"])
    done = run("store", "--store", tmp_path / "s.db", "find", "ana@acme.example")
    check(strict(done.stdout)["enriched_contact"])
