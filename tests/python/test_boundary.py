"""The names that the core gives its fields are those of the dataclasses that people see."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from exactbuyer import BulkEnricher, IncompleteWarning, Plan, Progress, Receipt
from exactbuyer._core import Engine, Rows, migrate_store
from exactbuyer.report.plan import Suspect
from exactbuyer.report.wording import with_times
from exactbuyer.sandbox import Sandbox
from exactbuyer.sandbox.ledger import Request
from exactbuyer.store import Store, records
from exactbuyer.store._file import opened


def names_of(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)}


def test_a_run_has_the_names_of_receipt_and_progress(everybody: Sandbox) -> None:
    run = Engine({"base_url": everybody.url}).start(api_key=everybody.api_key)
    receipt, progress = run.receipt(), run.progress()
    run.stop(0.0)
    made_in_python = {"answers", "misfits", "in_store", "store_only", "credit_price", "reasons"}
    assert with_times(receipt).keys() - {"withheld"} == names_of(Receipt) - made_in_python
    assert progress.keys() == names_of(Progress) - {"elapsed_s"}


def test_rows_have_the_names_of_plan() -> None:
    counts = Rows(["ana@acme.example"] * 40).plan({})
    made_in_python = {
        "ceiling",
        "ceiling_left",
        "credits_without_limit",
        "expected_credits",
        "min_duration_s",
        "problems",
        "credit_price",
    }
    assert counts.keys() - {"room", "lately"} == names_of(Plan) - made_in_python
    assert [Suspect(**suspect) for suspect in counts["suspects"]] == [Suspect(0, "email", 40)]


def test_a_store_has_the_names_of_its_records(tmp_path: Path, everybody: Sandbox) -> None:
    path = tmp_path / "people.db"
    with BulkEnricher(everybody.api_key, base_url=everybody.url, store=path, max_retries=0) as enricher:
        enricher.enrich(["ana@acme.example"])
        everybody.fail("reset_after_billing")
        with pytest.warns(IncompleteWarning):
            enricher.enrich(["bob@acme.example"], on_error="record")
    other = tmp_path / "other.db"
    with Store(path) as store:
        store.backup(other)
        core = opened(store)
        ana = Rows(["ana@acme.example"])
        made = {
            records.Doubt: core.unknown()[0],
            records.JournalEntry: core.receipts(0)[0],
            records.Answer: core.find(ana)[0],
            records.Info: core.info() | {"path": path},
            records.Reconciliation: core.reconcile("2026-01", 0, "UTC") | {"month": "2026-01"},
            records.Merged: core.merge(other),
            records.Purged: core.purge(ana),
            records.Resolved: core.resolve_unknown("drop") | {"resolution": "drop"},
        }
    counts, backup = migrate_store(path)
    made[records.Migrated] = counts | {"backup": backup}
    for kind, given in made.items():
        assert with_times(given).keys() == names_of(kind), kind


def test_the_sandbox_has_the_names_of_its_requests(everybody: Sandbox) -> None:
    BulkEnricher(everybody.api_key, base_url=everybody.url, store=None).enrich(["ana@acme.example"])
    (request,) = everybody.ledger._ledger.requests()  # pyright: ignore[reportPrivateUsage]
    assert tuple(request) == Request._fields


@pytest.mark.parametrize("settings", [{"chunksize": 1}, {"chunk_size": 1, "proxy": None}])
def test_an_unknown_setting_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is no setting"):
        Engine(settings)
