"""Frames of a cluster, with an engine in memory. The engines themselves are in `tests/cluster`."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import fake_cluster
import pandas as pd
import pyarrow as pa
import pytest
from fake_cluster import FakeFrame, Partitions, WholeFrame
from keys import KEY

from exactbuyer import BulkEnricher, ColumnWarning, ConfigError, IncompleteWarning
from exactbuyer._calls.table_calls import StoredClusterCall
from exactbuyer._core import RULES_VERSION, Rows
from exactbuyer._frames import table_input
from exactbuyer._frames.cluster import answers as answers_module
from exactbuyer._frames.cluster import planner
from exactbuyer._frames.cluster.workers import KeyMaker
from exactbuyer._frames.detect import frame_of
from exactbuyer._frames.request import TableRequest
from exactbuyer._frames.table_input import TextRules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

PEOPLE = [f"p{number}@acme.example" for number in range(60)]
ROWS = pa.table(
    {
        "number": list(range(200)),
        "mail": [
            None if n % 20 == 0 else (PEOPLE[n % 60].upper() if n % 3 else PEOPLE[n % 60]) for n in range(199)
        ]
        + ["nobody"],
        "phone": [f"+1 201 555 0{n % 60:03}" for n in range(200)],
    }
)
COLUMNS = ["full_name", "title"]


@pytest.fixture(params=[FakeFrame, WholeFrame])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[FakeFrame]:
    return fake_cluster.install(monkeypatch, request.param)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    from exactbuyer.sandbox import Sandbox

    with Sandbox(match_rate=0.6, requests_per_minute=None) as sandbox:
        yield sandbox


def enricher(sandbox: Sandbox, store: Path | None, **settings: Any) -> BulkEnricher:
    return BulkEnricher(KEY, base_url=sandbox.url, store=store, **settings)


def comparable(table: pa.Table) -> pd.DataFrame:
    """Without what depends on the time, and on which of equal rows is the first."""
    frame: pd.DataFrame = table.drop_columns(["eb_fetched_at", "eb_source"]).to_pandas(ignore_metadata=True)
    return frame


def keys_of(table: pa.Table, by: Any) -> pa.Table:
    """The keys of a table's rows, as a worker makes them."""
    request = TableRequest.checked(by, None, "eb_", None, None)
    return KeyMaker.of(request, TextRules(None, ())).keys(frame_of(table))


def test_keys_need_no_api_key_and_tell_rows_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    table = pa.table(
        {
            "mail": ["ana@acme.example", " ANA@acme.example ", None, "ana@", "hello", None],
            "other": [None, None, "ana@acme.example", None, None, None],
        }
    )
    keyed = keys_of(table, ["mail", "other"])
    keys = keyed["key"].to_pylist()
    assert {len(key) for key in keys} == {16}
    # Two spellings are one; the same address in another column is another row, as is each reason.
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5
    assert keyed["status"].to_pylist() == [None, None, None, "invalid", "invalid", "missing"]
    reasons = keyed["reason"].to_pylist()
    assert [bool(reason) for reason in reasons] == [False] * 3 + [True, True, False]
    assert reasons[4].endswith("if it is one, pass the column's field type, as in by={'mobile': 'phone'}")
    assert int(keyed.schema.metadata[b"exactbuyer_rules_version"]) == RULES_VERSION
    rows = Rows.of_asks(keyed["asks"], pa.array([1, 1, 5, 1, 2, 7]))
    plan = rows.plan({"base_url": "http://127.0.0.1:1"})
    assert (plan["rows"], plan["missing"], plan["invalid"], plan["duplicates"]) == (17, 7, 3, 6)
    with pytest.raises(ValueError, match="not the asks of this version"):
        Rows.of_asks(pa.array(["ana@acme.example"]), pa.array([1]))


def test_a_worker_with_other_rules_makes_no_keys() -> None:
    keys = KeyMaker.of(TableRequest.checked("mail", None, "eb_", None, None), TextRules(None, ()))
    other = replace(keys, rules_version=RULES_VERSION + 1)
    with pytest.raises(ConfigError) as refused:
        other.distinct(ROWS)
    assert f"of version {RULES_VERSION}," in str(refused.value)
    assert f"of version {RULES_VERSION + 1}:" in str(refused.value)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize("by", ["mail", ["mail", "phone"], {"phone": "phone"}])
def test_rows_and_receipt_are_those_of_a_plain_table(
    engine: type[FakeFrame],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: bool,
    where: str,
    by: Any,
) -> None:
    # What the call forgets at once, the store knows.
    monkeypatch.setattr(StoredClusterCall, "window", 0)
    folder = tmp_path / "answers"
    with enricher(sandbox, tmp_path / "a.db" if stored else None) as one:
        frame = one.enrich_table(
            Partitions.of(ROWS, 17), by, columns=COLUMNS, answers=folder if where == "files" else None
        )
        receipt = one.last_receipt
    billed = sandbox.ledger.credits
    with enricher(sandbox, None) as other:
        table = other.enrich_table(ROWS, by, columns=COLUMNS)
        expected = other.last_receipt
    pd.testing.assert_frame_equal(comparable(frame.read()), comparable(table))
    counts = ("rows", "missing", "invalid", "found", "not_found", "duplicates", "found_duplicates", "sent")
    for name in counts:
        assert getattr(receipt, name) == getattr(expected, name), name
    assert (receipt.requests, receipt.credits) == (expected.requests, billed)
    assert sandbox.ledger.credits == 2 * billed
    assert bool(fake_cluster.files_in(folder)) == (where == "files") == (receipt.answers is not None)
    # Computed again, it costs nothing.
    requests = len(sandbox.ledger.requests)
    assert frame.read().num_rows == 200
    assert len(sandbox.ledger.requests) == requests


def test_the_plan_is_that_of_a_plain_table(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    with enricher(sandbox, None) as people:
        plan = people.plan(cast("Any", Partitions.of(ROWS, 17)), by="mail")
        expected = people.plan(ROWS, by="mail")
    names = ("rows", "missing", "invalid", "duplicates", "to_send", "requests", "max_credits")
    assert [getattr(plan, name) for name in names] == [getattr(expected, name) for name in names]
    assert [(row, reason.endswith("(1 row)")) for row, _, reason in plan.problems] == [(-1, True)]
    assert not sandbox.ledger.requests
    assert engine.jobs == ["distinct"]


def test_a_placeholder_is_named_without_a_row(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    table = pa.table({"mail": ["none@acme.example"] * 30 + PEOPLE})
    with enricher(sandbox, None) as people:
        plan = people.plan(cast("Any", Partitions.of(table, 40)), by="mail")
    assert [(suspect.row, suspect.rows) for suspect in plan.suspects] == [(-1, 30)]
    assert "an email appears in 30 rows: a placeholder?" in str(plan)


def test_a_source_with_other_rows_the_second_time_has_no_nulls(
    engine: type[FakeFrame], sandbox: Sandbox
) -> None:
    reads = 0

    def changing() -> pa.Table:
        nonlocal reads
        reads += 1
        again = reads > 3  # Two reads are for the names and the types.
        mails = ["new@acme.example", None, "nobody", PEOPLE[0]] if again else PEOPLE[:4]
        return pa.table({"mail": pa.array(mails, pa.string())})

    with enricher(sandbox, None) as people:
        got = people.enrich_table(Partitions(changing), "mail", columns=[]).read()
    assert got["eb_status"].to_pylist()[:3] == ["not_sent", "missing", "invalid"]
    assert got["eb_status"][3].as_py() in {"found", "not_found"}
    assert "other rows than when" in got["eb_reason"][0].as_py()
    assert [bool(reason) for reason in got["eb_reason"].to_pylist()] == [True, False, True, False]
    assert sandbox.ledger.times_asked("new@acme.example") == 0


def test_more_distinct_rows_than_memory_holds_need_a_folder(
    engine: type[FakeFrame], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "MOST_IN_MEMORY", 50)
    with enricher(sandbox, None) as people:
        with pytest.raises(ConfigError, match="answers must name a folder: the frame has 59 distinct rows"):
            people.enrich_table(Partitions.of(ROWS, 17), "mail")
        assert not sandbox.ledger.requests
        # A plan keeps no answers.
        assert people.plan(cast("Any", Partitions.of(ROWS, 17)), by="mail").rows == 200
        people.enrich_table(Partitions.of(ROWS, 17), "mail", answers=tmp_path)
        assert sandbox.ledger.requests


def test_answers_are_for_frames_of_a_cluster(sandbox: Sandbox, tmp_path: Path) -> None:
    with enricher(sandbox, None) as people, pytest.raises(ConfigError, match="only for frames of Spark"):
        people.enrich_table(ROWS, "mail", answers=tmp_path)
    assert not sandbox.ledger.requests


@pytest.mark.parametrize("wrong", [3, "", b"folder", ["a"]])
def test_answers_name_a_folder(engine: type[FakeFrame], sandbox: Sandbox, wrong: Any) -> None:
    with enricher(sandbox, None) as people, pytest.raises(ConfigError, match="answers must be"):
        people.enrich_table(Partitions.of(ROWS, 17), "mail", answers=wrong)
    assert not engine.jobs


@pytest.mark.parametrize("wrong", ["s3://user:secret@host/x", "simplecache::s3://user:secret@host/x"])
def test_a_folder_with_a_password_is_refused(engine: type[FakeFrame], sandbox: Sandbox, wrong: str) -> None:
    refusal = pytest.raises(ConfigError, match="must not hold a password")
    with enricher(sandbox, None) as people, refusal as refused:
        people.enrich_table(Partitions.of(ROWS, 17), "mail", answers=wrong)
    assert "secret" not in str(refused.value)
    assert not engine.jobs
    assert planner.checked_path("abfs://box@account.dfs.core.windows.net/x")


@pytest.mark.parametrize("broken", ["joined", "write"])
def test_what_the_engine_cannot_do_with_answers_is_raised_before_they_are_paid_for(
    engine: type[FakeFrame], sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no such bucket")

    monkeypatch.setattr(engine, broken, fail)
    with enricher(sandbox, None) as people, pytest.raises((OSError, ConfigError)) as raised:
        people.enrich_table(Partitions.of(ROWS, 17), "mail", answers=tmp_path)
    if broken == "write":
        assert "answers cannot be written" in str(raised.value)
        assert isinstance(raised.value.__cause__, OSError)
    assert not sandbox.ledger.requests


def test_what_is_wrong_is_raised_before_a_job_is_run(
    engine: type[FakeFrame], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with enricher(sandbox, None) as people:
        with pytest.raises(ConfigError, match="by names a column that the table lacks"):
            people.enrich_table(Partitions.of(ROWS, 17), "post")
        flags = pa.table({"mail": [True, False]})
        with pytest.raises(ConfigError, match="mail"):
            people.enrich_table(Partitions.of(flags, 1), "mail")
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    without_key = BulkEnricher(base_url=sandbox.url, store=None)
    with pytest.raises(ConfigError, match="key"):
        without_key.enrich_table(Partitions.of(ROWS, 17), "mail")
    assert not engine.jobs


def test_a_frame_without_rows_costs_nothing(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    with enricher(sandbox, None) as people:
        got = people.enrich_table(Partitions.of(ROWS.slice(0, 0), 1), "mail", columns=COLUMNS).read()
        assert people.last_receipt.rows == 0
    assert got.schema.names[-2:] == ["eb_full_name", "eb_title"]
    assert not sandbox.ledger.requests


def test_a_table_without_rows_has_its_columns_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    with BulkEnricher(store=None) as people:
        table = people.enrich_table(ROWS.slice(0, 0), "mail", columns={"likely": ("likelihood", "float64")})
    assert table.schema.field("eb_status").type == pa.string()
    assert table.schema.field("eb_likely").type == pa.float64()


def test_enriched_again_it_replaces_its_columns(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    with enricher(sandbox, None) as people:
        once = people.enrich_table(Partitions.of(ROWS, 50), "mail", columns=COLUMNS)
        with pytest.warns(ColumnWarning, match="'eb_full_name', 'eb_title'"):
            twice = people.enrich_table(once, "mail", columns=["city"]).read()
    assert twice.schema.names[:3] == ROWS.schema.names
    assert [name for name in twice.schema.names if name.startswith("eb_")][5:] == ["eb_city"]


def test_a_part_that_cannot_be_written_is_written_again(
    engine: type[FakeFrame], sandbox: Sandbox, tmp_path: Path
) -> None:
    engine.failing = answers_module.ATTEMPTS - 1
    with enricher(sandbox, None) as people:
        got = people.enrich_table(Partitions.of(ROWS, 50), "mail", answers=tmp_path).read()
    assert "not_sent" not in got["eb_status"].to_pylist()
    # Once without rows, before anything is paid for.
    assert engine.jobs.count("write part-000000000000") == 1 + answers_module.ATTEMPTS


def test_if_no_answers_can_be_written_they_wait_for_recover(
    engine: type[FakeFrame], sandbox: Sandbox, tmp_path: Path
) -> None:
    engine.failing = answers_module.ATTEMPTS
    with enricher(sandbox, None) as people:
        with pytest.raises(OSError, match="cancelled"):
            people.enrich_table(Partitions.of(ROWS, 50), "mail", answers=tmp_path)
        billed = sandbox.ledger.credits
        assert billed > 0
        results = people.recover()
        assert results is not None
        statuses = results.table.read()["eb_status"].to_pylist()
    assert set(statuses) == {"found", "not_found", "missing", "invalid"}
    assert sandbox.ledger.credits == billed


@pytest.mark.parametrize("stored", [True, False])
def test_ctrl_c_while_answers_are_written_loses_nothing(
    engine: type[FakeFrame],
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: bool,
) -> None:
    monkeypatch.setattr(answers_module, "PART_BYTES", 1)
    monkeypatch.setattr(table_input, "BLOCK_ROWS", 10)
    pressed = threading.Event()

    def press(self: FakeFrame) -> None:
        if not pressed.is_set() and len(self.jobs) > 4:
            pressed.set()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(engine, "on_write", press)
    with enricher(sandbox, tmp_path / "a.db" if stored else None, chunk_size=7, max_in_doubt=20) as people:
        with pytest.raises(KeyboardInterrupt) as stop:
            people.enrich_table(Partitions.of(ROWS, 50), "mail", answers=tmp_path / "answers")
        assert pressed.is_set()
        interrupted = cast("Any", stop.value)
        got, receipt = interrupted.table.read(), interrupted.receipt
        found = {
            mail.lower()
            for mail, status in zip(got["mail"].to_pylist(), got["eb_status"].to_pylist(), strict=True)
            if status == "found"
        }
        assert len(found) == sandbox.ledger.credits == receipt.credits
        assert receipt.rows == got.num_rows == 200
        rows = [receipt.found, receipt.not_found, receipt.not_sent, receipt.missing, receipt.invalid]
        assert sum(rows) == 200
        assert got["eb_status"].to_pylist().count("not_sent") == receipt.not_sent


def test_a_wrong_key_keeps_every_row(engine: type[FakeFrame], tmp_path: Path) -> None:
    from exactbuyer import AuthenticationError
    from exactbuyer.sandbox import Sandbox

    with Sandbox(api_key="another") as sandbox, enricher(sandbox, tmp_path / "a.db") as people:
        with pytest.raises(AuthenticationError) as refused:
            people.enrich_table(Partitions.of(ROWS, 50), "mail")
        statuses = refused.value.table.read()["eb_status"].to_pylist()
    assert (statuses.count("not_sent"), statuses.count("missing")) == (189, 10)


def test_doubts_are_counted_in_rows_and_their_credits_in_lookups(
    engine: type[FakeFrame], sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.fail("reset_after_billing", request=1)
    with enricher(sandbox, tmp_path / "a.db", max_retries=0) as people:
        with pytest.warns(IncompleteWarning):
            frame = people.enrich_table(Partitions.of(ROWS, 50), "mail")
        receipt = people.last_receipt
        unknown = frame.read()["eb_status"].to_pylist().count("unknown")
    assert receipt.unknown == unknown == 189
    assert receipt.credits_in_doubt == receipt.sent == 57


def test_a_frame_that_can_hand_on_arrow_data_is_no_reader(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    class Exporting(Partitions):
        """As the frames of some releases of Spark."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise AssertionError(requested_schema)

    with enricher(sandbox, None) as people:
        got = people.enrich_table(Exporting.of(ROWS, 17), "mail", columns=COLUMNS)
    assert isinstance(got, Partitions)
    assert got.read().num_rows == 200


async def _awaited(people: BulkEnricher) -> None:
    await people.enrich_table_async(Partitions.of(ROWS, 50), "mail")


def test_the_awaitable_call_names_the_other_one(engine: type[FakeFrame], sandbox: Sandbox) -> None:
    import asyncio

    with enricher(sandbox, None) as people, pytest.raises(ConfigError, match=r"asyncio\.to_thread"):
        asyncio.run(_awaited(people))
    assert not engine.jobs
