"""The store as calls meet it: what is there is not asked for, nor paid for, again."""

from __future__ import annotations

import gc
import sqlite3
import stat
import warnings
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from keys import KEY
from store_runs import asked, emails, enricher

from exactbuyer import BulkEnricher, ConfigError, ExactBuyerError, StoreError, StoreWarning
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exactbuyer import Result

PEOPLE = emails(30)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(match_rate=0.7, requests_per_minute=None) as sandbox:
        yield sandbox


# Where it lies


def test_where_the_store_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert BulkEnricher().settings.store == str(tmp_path / ".exactbuyer" / "api.exactbuyer.com.db")
    assert BulkEnricher(store="people.db").settings.store == str(tmp_path / "people.db")
    for address in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"]:
        local = BulkEnricher(base_url=address)
        assert local.settings.store is None
        with pytest.raises(ConfigError, match="keeps nothing: make the enricher with store set to a path"):
            print(local.store)
    assert repr(BulkEnricher()) == "BulkEnricher()"
    assert "people.db" in repr(BulkEnricher(store="people.db"))
    # Nothing is made before something is asked.
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_by_what_asks_nobody(sandbox: Sandbox, path: Path) -> None:
    with enricher(sandbox, path) as people:
        assert people.plan(PEOPLE).to_send == (30, 30)
        people.enrich([None, ""])
    assert list(path.parent.iterdir()) == []


def test_only_its_owner_reads_it(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(".exactbuyer/people.db")
    with enricher(sandbox, path) as people:
        people.enrich(PEOPLE)
        files = list(path.parent.iterdir())
        assert len(files) >= 2
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files if file.name != ".gitignore"}
        assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "*" in (path.parent / ".gitignore").read_text().splitlines()


def test_looser_modes_are_warned_of_once(sandbox: Sandbox, path: Path) -> None:
    with enricher(sandbox, path) as people:
        people.enrich(PEOPLE[:1])
    path.chmod(0o644)
    with enricher(sandbox, path) as people:
        with pytest.warns(StoreWarning, match="chmod 600") as told:
            people.enrich(PEOPLE[:1])
        assert told[0].filename == __file__
        people.enrich(PEOPLE[:1])


def test_a_store_of_another_service_is_refused(sandbox: Sandbox, path: Path) -> None:
    with enricher(sandbox, path) as people:
        people.enrich(PEOPLE[:1])
    with (
        BulkEnricher(KEY, store=path) as real,
        pytest.raises(ConfigError, match=r"another service \(loopback, not api\.exactbuyer\.com\)"),
    ):
        real.enrich(PEOPLE[:1])


def test_what_is_no_store_is_left_alone(sandbox: Sandbox, path: Path) -> None:
    path.write_text("a list of people, perhaps")
    with enricher(sandbox, path) as people, pytest.raises(StoreError, match="not a store of this package"):
        people.enrich(PEOPLE[:1])
    assert path.read_text() == "a list of people, perhaps"
    assert asked(sandbox) == 0


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal", "-owners"])
def test_a_store_is_not_destroyed_as_the_side_file_of_another(
    end: str, everybody: Sandbox, tmp_path: Path
) -> None:
    path, named = tmp_path / "people.db", tmp_path / f"people.db{end}"
    with enricher(everybody, named) as people, pytest.raises(ConfigError, match="choose another name"):
        people.enrich(["ana@acme.example"])
    assert not named.exists()
    with enricher(everybody, path) as people:
        people.enrich(["ana@acme.example"])
        with pytest.raises(ConfigError, match="choose another name"):
            people.store.backup(tmp_path / f"other.db{end}")
    # An earlier version has accepted such a name.
    path.rename(named)
    before = named.read_bytes()
    with enricher(everybody, path) as people, pytest.raises(StoreError, match=f"{end} is a database"):
        people.enrich(["bob@acme.example"])
    assert named.read_bytes() == before
    assert not path.exists()
    assert asked(everybody) == 1
    named.rename(tmp_path / "renamed.db")
    with enricher(everybody, tmp_path / "renamed.db") as people:
        assert people.enrich(["ana@acme.example"]).receipt.from_store == 1


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "closed"])
def test_a_backup_leaves_a_file_alone_that_is_called_unfinished(
    is_open: bool, everybody: Sandbox, tmp_path: Path
) -> None:
    other, target = tmp_path / "other.db", tmp_path / "backup.db"
    named = tmp_path / "backup.db.unfinished"
    with enricher(everybody, other) as people:
        people.enrich(["ana@acme.example"])
    before = other.rename(named).read_bytes()
    with enricher(everybody, tmp_path / "people.db") as people:
        people.enrich(["bob@acme.example"])
        with closing(sqlite3.connect(named)) if is_open else nullcontext():
            people.store.backup(target)
    assert named.read_bytes() == before
    with Store(target) as backup:
        assert backup.info().hits == 1


def test_a_store_that_cannot_be_made_sends_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with enricher(sandbox, tmp_path / "file" / "people.db") as people, pytest.raises(StoreError):
        people.enrich(PEOPLE[:1])
    assert asked(sandbox) == 0


# Reuse


def test_what_was_paid_for_is_not_paid_for_again(
    sandbox: Sandbox, path: Path, run_call: Callable[..., list[Result]]
) -> None:
    with enricher(sandbox, path) as people:
        first = run_call(people, PEOPLE)
        requests = asked(sandbox)
        assert run_call(people, PEOPLE) == first
    with enricher(sandbox, path) as people:
        # In another spelling, too; and nobody has to wait for anybody.
        again = run_call(people, [email.upper() for email in PEOPLE])
        assert [row["enriched_contact"] for row in again] == [row["enriched_contact"] for row in first]
        receipt = people.receipt
        assert (receipt.from_store, receipt.credits, receipt.requests) == (30, 0, 0)
        assert receipt.found_from_store == receipt.found > 0
    assert asked(sandbox) == requests


def test_contacts_come_back_as_they_were(everybody: Sandbox, path: Path) -> None:
    odd = {"full_name": "Zoë 😀", "n": 12345678901234567890, "f": 0.1, "list": [[], {}, None, True]}
    everybody.person("odd@acme.example", odd)
    with enricher(everybody, path) as people:
        first = people.enrich(["odd@acme.example", *PEOPLE])
    with enricher(everybody, path) as people:
        again = people.enrich(["odd@acme.example", *PEOPLE])
    assert again == first
    assert list(again[0]["enriched_contact"] or {}) == list(first[0]["enriched_contact"] or {})
    assert again[0]["enriched_contact"] == odd


def test_a_hit_answers_less_and_a_miss_answers_more(sandbox: Sandbox, path: Path) -> None:
    sandbox.person("ana@acme.example", {"full_name": "Ana", "phone_numbers": [{"E164": "+12015550123"}]})
    sandbox.nobody("bob@acme.example")
    both = ["ana@acme.example", "bob@acme.example"]
    with enricher(sandbox, path) as people:
        people.enrich(both, required_fields=["phone"])
        assert people.enrich(both).receipt.from_store == 1, (
            "who has a phone has anything; who has none, who knows"
        )
        assert people.enrich(both, required_fields=["phone", "email"]).receipt.from_store == 1
        # By now there is nobody at all for bob, so that nobody has more than that either.
        assert people.enrich(both[1:], required_fields=["work_email"]).receipt.from_store == 1


def test_old_answers_are_asked_for_again(sandbox: Sandbox, path: Path) -> None:
    sandbox.person("ana@acme.example", {"full_name": "Ana"})
    sandbox.nobody("bob@acme.example")
    both = ["ana@acme.example", "bob@acme.example"]
    with enricher(sandbox, path) as people:
        people.enrich(both)
    with enricher(sandbox, path, max_age=timedelta(0), miss_max_age=timedelta(days=1)) as people:
        plan = people.plan(both)
        assert (plan.from_store, plan.to_send, plan.bought_again) == (1, (1, 1), 1)
        assert "to be paid for again" in str(plan)
        receipt = people.enrich(both).receipt
        assert (receipt.from_store, receipt.credits, receipt.bought_again) == (1, 1, 1)
    with enricher(sandbox, path, miss_max_age=timedelta(0)) as people:
        receipt = people.enrich(both).receipt
        assert (receipt.from_store, receipt.sent, receipt.credits) == (1, 1, 0)


def test_refresh_asks_again_and_replaces(
    sandbox: Sandbox, path: Path, run_call: Callable[..., list[Result]]
) -> None:
    sandbox.person("ana@acme.example", {"full_name": "Ana"})
    with enricher(sandbox, path) as people:
        run_call(people, ["ana@acme.example"])
        sandbox.person("ana@acme.example", {"full_name": "Ana Almeida"})
        assert people.plan(["ana@acme.example"], refresh=True).bought_again == 1
        assert run_call(people, ["ana@acme.example"])[0]["enriched_contact"] == {"full_name": "Ana"}
        again = run_call(people, ["ana@acme.example", "ana@acme.example"], refresh=True)
        assert [row["enriched_contact"] for row in again] == [{"full_name": "Ana Almeida"}] * 2
        receipt = people.last_receipt
        assert (receipt.bought_again, receipt.credits) == (1, 1)
        assert "sent that the store had a contact for" in str(receipt)
        assert run_call(people, ["ana@acme.example"])[0]["enriched_contact"] == {"full_name": "Ana Almeida"}


def test_store_only_needs_neither_key_nor_network(
    sandbox: Sandbox, path: Path, run_call: Callable[..., list[Result]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with enricher(sandbox, path) as people:
        first = people.enrich(PEOPLE[:10])
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    requests = asked(sandbox)
    with BulkEnricher(base_url=sandbox.url, store=path) as people:
        assert people.plan(PEOPLE, store_only=True).to_send == (0, 0)
        assert people.plan(PEOPLE, store_only=True).open_rows == 20
        rows = run_call(people, PEOPLE, store_only=True)
        assert people.last_receipt.next_step.startswith("the store does not have these: run this without")
        assert rows[:10] == first
        assert {row["status"] for row in rows[10:]} == {"not_sent"}
        with pytest.raises(ConfigError, match="EXACTBUYER_API_KEY"):
            run_call(people, PEOPLE)
    assert asked(sandbox) == requests


def test_store_only_and_a_store_belong_together(sandbox: Sandbox, path: Path) -> None:
    with BulkEnricher(KEY, base_url=sandbox.url) as people:
        for call in (people.enrich, people.plan):
            with pytest.raises(ConfigError, match="store_only needs a store"):
                call(PEOPLE, store_only=True)
        with pytest.raises(ConfigError, match="this enricher keeps nothing"):
            people.resolve_unknown("drop")
    with enricher(sandbox, path) as people:
        with pytest.raises(ConfigError, match="leave out one"):
            people.enrich(PEOPLE, refresh=True, store_only=True)
        with pytest.raises(ConfigError, match="refresh must be True or False"):
            people.enrich(PEOPLE, refresh="yes")  # type: ignore[arg-type]


def test_tables_know_the_store_too(everybody: Sandbox, path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"mail": PEOPLE})
    with enricher(everybody, path) as people:
        first = people.enrich_table(frame, by="mail")
        again = people.enrich_table(frame, by="mail")
        assert set(again["eb_source"]) == {"store"}
        assert list(again["eb_contact"]) == list(first["eb_contact"])
        assert list(again["eb_fetched_at"]) == list(first["eb_fetched_at"])
        assert people.plan(frame, by="mail").from_store == 30
        refreshed = people.enrich_table(frame, by="mail", refresh=True)
        assert set(refreshed["eb_source"]) == {"paid"}
        more = pandas.DataFrame({"mail": [*PEOPLE, "new@acme.example"]})
        only = people.enrich_table(more, by="mail", store_only=True)
        assert list(only["eb_status"])[-2:] == ["found", "not_sent"]


def test_a_plan_says_what_it_will_likely_cost(sandbox: Sandbox, path: Path) -> None:
    many = [f"somebody{number}@acme.example" for number in range(1_000)]
    with enricher(sandbox, path, max_credits=700) as people:
        assert people.plan(many).expected_credits is None
        found = people.enrich(many[:500]).receipt.credits
        plan = people.plan(many)
        assert plan.from_store == 500
        assert plan.max_credits == 700 - found, "what is left of the ceiling"
        assert plan.expected_credits is not None
        low, high = plan.expected_credits
        assert low < 500 * 0.7
        assert high == 700 - found
        assert f"likely {low:,} to {high:,}" in str(plan)
        # Of other required fields nothing is known.
        assert people.plan(many, required_fields=["phone"]).expected_credits is None


def test_two_enrichers_and_one_store(everybody: Sandbox, path: Path) -> None:
    with enricher(everybody, path) as one, enricher(everybody, path, chunk_size=7) as other:
        stream = one.stream(PEOPLE)
        next(stream)
        other.enrich(PEOPLE)
        rows = list(stream)
    assert len(rows) == 29
    assert everybody.ledger.credits == 30


def test_many_lookups_without_a_store_are_warned_of_before_they_are_sent(tmp_path: Path) -> None:
    many = emails(1_001)
    real = BulkEnricher(KEY, store=None, max_retries=0)
    with (
        real,
        pytest.warns(StoreWarning, match=r"more than 1,000 rows") as told,
        pytest.raises(ExactBuyerError, match="EXACTBUYER_OFFLINE"),
    ):
        real.enrich(many)
    assert [warning.filename for warning in told] == [__file__]
    with BulkEnricher(KEY, store=None) as real, pytest.raises(ExactBuyerError, match="EXACTBUYER_OFFLINE"):
        real.enrich([*many[:1_000], None])
    assert list(tmp_path.iterdir()) == []


def test_an_enricher_lets_go_of_its_store(sandbox: Sandbox, path: Path) -> None:
    people = enricher(sandbox, path)
    people.enrich(PEOPLE)
    people.close()
    gc.collect()
    # The last handle empties the log.
    assert not path.with_name("people.db-wal").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert people.store.info().requests == 1
        people.store.close()


def test_an_export_of_several_pages_has_every_answer_once(tmp_path: Path, everybody: Sandbox) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    people = [f"p{number}@acme.example" for number in range(1_500)]
    path = tmp_path / "people.db"
    # A page has 64 blocks, which are 64 requests here.
    with BulkEnricher(everybody.api_key, base_url=everybody.url, store=path, chunk_size=10) as enricher:
        enricher.enrich(people)
        assert enricher.store.export(tmp_path / "people.parquet") == len(people)
    with parquet.ParquetFile(tmp_path / "people.parquet") as export:
        assert sorted(export.read(["value"])["value"].to_pylist()) == sorted(people)
        groups = [export.metadata.row_group(nth).num_rows for nth in range(export.num_row_groups)]
    assert groups == [1_280, 220], "several pages are written together, but not all"
