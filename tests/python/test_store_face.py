"""What people ask of a store: the journal, the invoice, finding and forgetting, other files."""

from __future__ import annotations

import gzip
import json
import pickle
import re
import shutil
import stat
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from keys import KEY
from store_runs import asked, emails, enricher

from exactbuyer import (
    Budget,
    BudgetExceededError,
    ConfigError,
    IncompleteWarning,
    InvalidIdentifierError,
    Progress,
    Receipt,
    StoreError,
    UnknownOutcomeError,
)
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Migrated, Purged, Reconciliation, Store, migrate

ANA = {"full_name": "Ana Almeida", "current_work_email": "ana.almeida@harbourline.example"}
NOBODY = "nobody@acme.example"


@pytest.fixture
def sandbox(everybody: Sandbox) -> Sandbox:
    everybody.person("ana@acme.example", ANA)
    everybody.nobody(NOBODY)
    return everybody


@pytest.fixture
def path(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A store with two people and nobody."""
    path = tmp_path / "people.db"
    with enricher(sandbox, path, tags={"job": "spring"}) as people:
        people.enrich(["ana@acme.example", "bob@acme.example", NOBODY])
    return path


def doubtful(sandbox: Sandbox, path: Path, rows: list[str], **settings: Any) -> None:
    """Asks for them, and gets no answer."""
    sandbox.fail(request=asked(sandbox) + 1, fault="reset_after_billing")
    with enricher(sandbox, path, **settings) as people, pytest.raises(UnknownOutcomeError):
        people.enrich(rows)


def every_byte(path: Path) -> bytes:
    """What stands in all files of the store."""
    found = [file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name)]
    assert found
    return b"".join(found)


# The journal


def test_the_journal(sandbox: Sandbox, path: Path) -> None:
    began = datetime.now(timezone.utc) - timedelta(minutes=1)
    doubtful(sandbox, path, ["eve@acme.example"], tags={"job": "autumn"}, required_fields=["phone"])
    with Store(path) as store:
        answered, lost = store.receipts()
    assert (answered.lookups, answered.hits, answered.misses, answered.credits) == (3, 2, 1, 2)
    assert (answered.outcome, answered.http_status, answered.tags) == ("answered", 200, {"job": "spring"})
    assert answered.settled_at is not None
    assert began < answered.sent_at <= answered.settled_at
    assert answered.took_s is not None
    assert (lost.outcome, lost.http_status, lost.credits_in_doubt, lost.unknown) == ("unknown", None, 1, 1)
    assert lost.required_fields == ("phone",)
    assert lost.key_fingerprint == answered.key_fingerprint
    assert KEY.encode() not in every_byte(path)


def test_a_summary(sandbox: Sandbox, path: Path) -> None:
    doubtful(sandbox, path, ["eve@acme.example"])
    with Store(path) as store:
        rows = store.summary(by=["year", "job"])
        total = store.summary(by=[])
        with pytest.raises(ConfigError, match=r"by=\['month'\]"):
            store.summary(by="month")
        with pytest.raises(ConfigError, match="time zone"):
            store.summary(tz="Atlantis")
        for name, fix in (
            ("mont", "did you mean 'month'"),
            ("jobs", "may be 'day', 'month', 'year' or a tag"),
        ):
            with pytest.raises(ConfigError, match=fix):
                store.summary(by=["year", name])
    year = f"{datetime.now(timezone.utc):%Y}"
    spring = {"requests": 1, "lookups": 3, "hits": 2, "credits": 2, "credits_in_doubt": 0}
    other = {"requests": 1, "lookups": 1, "hits": 0, "credits": 0, "credits_in_doubt": 1}
    by_job = {row.pop("job"): row for row in rows}
    assert by_job.pop("spring") == {"year": year, **spring}
    assert list(by_job.values()) == [{"year": year, **other}]
    assert total == [{"requests": 2, "lookups": 4, "hits": 2, "credits": 2, "credits_in_doubt": 1}]


def test_the_invoice(sandbox: Sandbox, path: Path) -> None:
    doubtful(sandbox, path, ["eve@acme.example"])
    month = f"{datetime.now(timezone.utc):%Y-%m}"
    with Store(path) as store:
        books = store.reconcile(month, invoiced=3)
        assert books == Reconciliation(
            month=month, charged=2, in_doubt=1, invoiced=3, difference=1, fits=True
        )
        assert (
            str(books)
            == f"{month}: charged 2 (+ up to 1 in doubt), invoiced 3: 1 more, which the doubts explain"
        )
        assert str(store.reconcile(month, 2)).endswith("they agree")
        assert "another store?" in str(store.reconcile(month, 9))
        assert store.reconcile("1999-12", 0).charged == 0
        with pytest.raises(ConfigError, match="2026-10"):
            store.reconcile("October", 1)


def test_what_is_in_it(sandbox: Sandbox, path: Path) -> None:
    doubtful(sandbox, path, ["eve@acme.example"])
    with Store(path) as store:
        info = store.info()
        assert (info.hits, info.misses, info.unknown, info.requests) == (2, 1, 1, 2)
        assert (info.credits, info.credits_in_doubt, info.service) == (2, 1, "loopback")
        assert info.bytes > 0
        text = str(store)
        assert text.splitlines()[0] == str(path)
        assert "2 credits (+ up to 1 in doubt)" in text
        assert "resolve_unknown" in text
        html = store._repr_html_()
        assert html.startswith("<table>")
        assert "resolve_unknown" in html
        assert repr(store) == f"Store({str(path)!r})"
        assert repr(info) == str(info)


def test_a_store_of_its_own_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        Store(tmp_path / "people.db").info()
    assert str(Store(tmp_path / "people.db")).endswith("nothing yet")
    assert Store(tmp_path / "people.db")._repr_html_().endswith("nothing yet")
    assert list(tmp_path.iterdir()) == []


def test_a_store_pickles(path: Path) -> None:
    with Store(path) as store:
        copied = pickle.loads(pickle.dumps(store))
        assert copied.info() == store.info()
        copied.close()


# Finding and forgetting


def test_finding_by_identifier_and_by_what_contacts_say(path: Path) -> None:
    with Store(path) as store:
        for what in ["ANA@acme.example", ("email", "ana@acme.example"), "Ana Almeida", "harbourline.example"]:
            found = store.find(what)
            assert [answer.value for answer in found] == ["ana@acme.example"], what
            assert found[0].enriched_contact == ANA
            assert found[0].status == "found"
        assert [answer.status for answer in store.find(NOBODY)] == ["not_found"]
        # The address stands in her contact only.
        assert [answer.value for answer in store.find("ana.almeida@harbourline.example")] == [
            "ana@acme.example"
        ]
        assert store.find("zoe@acme.example") == []
        # A text is also searched for in what was looked up.
        assert [answer.status for answer in store.find(NOBODY.partition("@")[0])] == ["not_found"]
        with pytest.raises(ConfigError, match="nothing to find"):
            store.find(" ")


@pytest.mark.parametrize(
    ("what", "field_type", "why"),
    [
        ("ana@acme.example, bob@acme.example", None, "more than one e-mail address"),
        ("(201) 555-0124", None, "without a country code"),
        ("a***@acme.example", None, "cut off or masked"),
        ("Ana Almeida", "email", "needs a name, an @ and a domain"),
        (("phone", "Ana"), None, "not readable as a phone number"),
    ],
)
def test_an_identifier_that_cannot_be_read_is_not_searched_for_as_a_text(
    path: Path, what: object, field_type: Any, why: str
) -> None:
    with Store(path) as store, pytest.raises(InvalidIdentifierError, match=why):
        store.find(what, field_type=field_type)


def test_a_placeholder_is_searched_for_as_a_text(path: Path) -> None:
    with Store(path) as store:
        assert store.find("n/a") == []


def test_a_purge_leaves_no_byte(sandbox: Sandbox, path: Path) -> None:
    doubtful(sandbox, path, ["eve@acme.example"])
    people = enricher(sandbox, path)
    store = people.store
    purged = store.purge("Ana@acme.example")
    assert purged == Purged(
        identifiers=1, answers=1, contacts=1, intents=0, replies=0, credits=1, cleaned=True, leftovers=[]
    )
    assert str(purged) == "purged 1 answer (1 contact, 1 credit); 1 identifier not sent from now on"
    assert store.purge("eve@acme.example").answers == 1
    # While it is open, and once it is closed.
    for _ in range(2):
        stored = every_byte(path)
        for text in ["ana@acme", "Almeida", "harbourline", "eve@acme"]:
            assert text.encode() not in stored, text
        store.close()
    assert store.find("ana@acme.example") == []
    shown: list[Progress] = []
    results = people.enrich(["ana@acme.example", "bob@acme.example"], progress=shown.append)
    assert [row["status"] for row in results] == ["not_sent", "found"]
    assert (shown[-1].done, shown[-1].open_rows) == (2, 0)
    # Whoever was purged is not open: no job fails because of them.
    results.receipt.raise_for_incomplete()
    assert (results.receipt.open_rows, results.receipt.barred) == (0, 1)
    assert re.search(r"not sent +1 +1 purged or dropped", str(results.receipt))
    assert "purged" in results.problems[0].reason
    assert "allow" in results.problems[0].reason
    # What it cost stays on the books.
    assert store.info().credits == 2
    assert store.allow("ana@acme.example")
    assert people.enrich(["ana@acme.example"])[0]["enriched_contact"] == ANA
    people.close()


def test_what_is_old_is_purged(path: Path) -> None:
    with Store(path) as store:
        assert store.purge(older_than=timedelta(days=1)).answers == 0
        purged = store.purge(older_than=timedelta(0))
        assert (purged.answers, purged.contacts) == (3, 2)
        assert store.info().hits == 0
        assert len(store.receipts()) == 1


def test_whom_to_purge_has_to_be_said(path: Path) -> None:
    with Store(path) as store:
        for wrong in [{}, {"identifier": "a@b.example", "older_than": timedelta(1)}]:
            with pytest.raises(ConfigError, match="one of the two"):
                store.purge(**wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="its time zone"):
            store.purge(older_than=datetime(2026, 1, 1))  # noqa: DTZ001
        # Everything that was paid for would be removed.
        tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
        futures: list[Any] = [timedelta(days=-1), timedelta.max, tomorrow]
        for future in futures:
            with pytest.raises(ConfigError, match="older_than"):
                store.purge(older_than=future)
        for wrong_one in ["Ana Almeida", " ", None]:
            with pytest.raises(InvalidIdentifierError, match="not an identifier"):
                store.allow(wrong_one)
        with pytest.raises(InvalidIdentifierError) as told:
            store.purge("Ana Almeida")
        assert "Almeida" not in str(told.value)


# Other files


def test_rows_to_look_up_are_not_an_earlier_export(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    target.write_text('{"field_type":"email","value":"ana@acme.example"}\n')
    with Store(path) as store, pytest.raises(ConfigError, match="not an earlier output"):
        store.export(target)


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".parquet"])
def test_an_export_has_every_answer(path: Path, tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"people{ending}"
    target.write_text("what was there before")
    if ending == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
    with Store(path) as store:
        assert store.export(target, force=True) == 3
    if ending == ".parquet":
        rows = parquet.read_table(target).to_pylist()
        for row in rows:
            row["enriched_contact"] = json.loads(row["enriched_contact"] or "null")
            assert row["fetched_at"].tzinfo is not None
    else:
        text = gzip.decompress(target.read_bytes()) if ending.endswith("gz") else target.read_bytes()
        rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["value"], row["status"]) for row in rows] == [
        ("ana@acme.example", "found"),
        ("bob@acme.example", "found"),
        (NOBODY, "not_found"),
    ]
    assert rows[0]["enriched_contact"] == ANA
    assert rows[2]["enriched_contact"] is None
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if file.name.startswith(".")) == []


def test_an_export_that_fails_leaves_what_was_there(path: Path, tmp_path: Path) -> None:
    with Store(path) as store:
        with pytest.raises(ConfigError, match=r"path must end in \.jsonl, .*got 'people\.csv'"):
            store.export(tmp_path / "people.csv")
        with pytest.raises(OSError):
            store.export(tmp_path / "nowhere" / "people.jsonl")
        (tmp_path / "taken.jsonl").mkdir()
        with pytest.raises(OSError):
            store.export(tmp_path / "taken.jsonl")
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_two_stores_become_one(sandbox: Sandbox, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with enricher(sandbox, other) as people:
        people.enrich(["bob@acme.example", "zoe@acme.example"])
    with enricher(sandbox, path) as people:
        merged = people.store.merge(other)
        assert (merged.requests, merged.lookups) == (1, 2)
        assert merged.cleaned
        assert str(merged) == "2 lookups of 1 request taken over"
        assert "merge again" in str(replace(merged, cleaned=False))
        assert people.store.merge(other).requests == 0
        assert people.enrich(["ana@acme.example", "zoe@acme.example"]).receipt.from_store == 2
        assert people.store.info().credits == 4
        with pytest.raises(ConfigError, match="itself"):
            people.store.merge(path)
        with pytest.raises(StoreError, match="there is no store"):
            people.store.merge(tmp_path / "none.db")


def test_a_migration_is_asked_for(path: Path, tmp_path: Path) -> None:
    assert migrate(path) == Migrated(backup=None, rekeyed=0, merged=0, purged=0)
    assert "nothing to do" in str(migrate(path))
    with Store(path) as store:
        store.info()
        with pytest.raises(StoreError, match="close it first"):
            migrate(path)
    with pytest.raises(StoreError, match="there is no store"):
        migrate(tmp_path / "none.db")
    damaged = tmp_path / "damaged.db"
    shutil.copy(path, damaged)
    damaged.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError):
        migrate(damaged)


# Budgets


def test_a_budget_is_checked() -> None:
    assert Budget(5) == Budget(5, per="store", tz="UTC")
    assert Budget(5, "day", tz=timezone.utc).tz == "UTC"
    zoneinfo = pytest.importorskip("zoneinfo")
    assert Budget(5, "day", tz=zoneinfo.ZoneInfo("Europe/Berlin")).tz == "Europe/Berlin"
    assert pickle.loads(pickle.dumps(Budget(5, "month", tz="Asia/Tokyo"))) == Budget(
        5, "month", tz="Asia/Tokyo"
    )
    for wrong, said in [
        ({"credits": -1}, "whole number from 0 to .* credits"),
        ({"credits": True}, "whole number"),
        ({"credits": 1, "per": "week"}, "'run', 'day', 'month' or 'store'; got 'week'"),
        ({"credits": 1, "tz": "Atlantis"}, "time zone"),
        ({"credits": 1, "tz": 7}, "name of a time zone"),
    ]:
        with pytest.raises(ConfigError, match=said):
            Budget(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("per", "paid"), [("run", 6), ("day", 4), ("month", 4), ("store", 4)])
def test_over_what_a_budget_counts(sandbox: Sandbox, tmp_path: Path, per: Any, paid: int) -> None:
    settings: dict[str, Any] = {"max_credits": Budget(4, per, tz="Europe/Berlin")}
    rows = emails(6)
    with enricher(sandbox, tmp_path / "people.db", **settings) as people:
        people.enrich(rows[:3])
        results = people.plan(rows)
        assert results.max_credits == min(3, 4 if per == "run" else 1)
        if per == "run":
            people.enrich(rows)
        else:
            ends = "" if per == "store" else f" a {per};.* or wait for the next {per}, and ask"
            with pytest.warns(IncompleteWarning, match=rf"max_credits reached \(4 credits{ends}"):
                receipt = people.enrich(rows, on_error="record").receipt
            assert receipt.to_dict()["stopped_error"] == "BudgetExceededError"
            assert (Receipt() + receipt).stopped_error == (receipt + Receipt(rows=1)).stopped_error
            with pytest.raises(BudgetExceededError):
                receipt.raise_for_incomplete()
    assert sandbox.ledger.credits == paid
