"""What a frame of a cluster must show, for each engine. The ledger of the sandbox is the judge."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from engine import CODEC
from vendor import KEY, Vendor

from exactbuyer import BulkEnricher
from exactbuyer._frames import table_input
from exactbuyer._frames.cluster import answers as answers_module

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Engine

COLUMNS = ["full_name", "title"]
FILES = 8


def people(rows: int) -> Any:
    """So many rows: 5 % are missing, and 30 % are duplicates, in another spelling."""
    distinct = round(rows * 0.65)
    mails: list[str | None] = []
    for number in range(rows):
        person = number if number < distinct else (number * 7) % distinct
        mail = f"person{person}@acme.example"
        mails.append(None if number % 20 == 19 else mail if number < distinct else f" {mail.upper()}")
    return pd.DataFrame({"number": range(rows), "mail": pd.array(mails, dtype="string")})


def asked(frame: pd.DataFrame) -> int:
    """How many different people the rows name."""
    return int(frame["mail"].dropna().str.strip().str.lower().nunique())


def saved(frame: pd.DataFrame, folder: Path) -> Path:
    """The rows as Parquet files."""
    folder.mkdir(parents=True)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    rows = math.ceil(len(frame) / FILES)
    for part in range(FILES):
        pq.write_table(table.slice(part * rows, rows), folder / f"{part}.parquet", compression=CODEC)
    return folder


def enricher(vendor: Vendor, store: Path | None, **settings: Any) -> BulkEnricher:
    return BulkEnricher(KEY, base_url=vendor.url, store=store, requests_per_minute=1_000_000, **settings)


def texts(frame: Any) -> Any:
    """Comparable rows: in order, nulls of all kinds as one, without the columns that differ by design."""
    frame = frame.drop(columns=["eb_source", "eb_fetched_at"]).sort_values("number", ignore_index=True)
    return frame.astype(object).where(frame.notna(), None)


@pytest.mark.parametrize(("where", "partitions"), [("memory", 40), ("files", 400)])
def test_100_000_rows(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path, where: str, partitions: int
) -> None:
    vendor = vendors(match_rate=0.7)
    rows = people(100_000)
    frame = engine.frame(saved(rows, tmp_path / "rows"), partitions)
    distinct = asked(rows)
    with enricher(vendor, tmp_path / "people.db") as one:
        answers = tmp_path / "answers" if where == "files" else None
        got = one.enrich_table(frame, "mail", columns=COLUMNS, answers=answers)
        receipt = one.last_receipt
        ledger = vendor.ledger()
        assert abs(ledger["requests"] - math.ceil(distinct / 1_000)) <= 1
        assert receipt.credits == ledger["credits"] == ledger["people"]
        assert (ledger["most"], receipt.credits_in_doubt) == (1, 0)
        assert (receipt.rows, receipt.missing) == (100_000, 5_000)
        assert receipt.duplicates == 95_000 - distinct
        # What pandas gives costs nothing now: the store has it.
        expected = one.enrich_table(rows, "mail", columns=COLUMNS)
        pd.testing.assert_frame_equal(texts(engine.rows(got)), texts(expected))
    assert vendor.ledger()["requests"] == ledger["requests"]


def test_nothing_that_is_done_with_the_result_sends(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    vendor = vendors(match_rate=1.0)
    frame = engine.frame(saved(people(2_000), tmp_path / "rows"), 8)
    with enricher(vendor, None) as one:
        got = one.enrich_table(frame, "mail", columns=COLUMNS)
    before = vendor.ledger()
    assert before["most"] == 1
    assert engine.actions(got, tmp_path / "written") == 2_000
    assert vendor.ledger() == before


def test_workers_are_killed_and_jobs_cancelled(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Parts are written while requests are in flight.
    monkeypatch.setattr(answers_module, "PART_BYTES", 50_000)
    monkeypatch.setattr(table_input, "BLOCK_ROWS", 500)
    vendor = vendors(match_rate=1.0, latency=0.4)
    rows = people(20_000)
    frame = engine.frame(saved(rows, tmp_path / "rows"), 10)
    over, killed = threading.Event(), []

    def kill() -> None:
        # Once while keys are made. Killed again and again, a slow machine would start workers for ever.
        if not over.wait(4.0):
            killed.append(engine.kill_a_worker())
        while not over.wait(0.2) and not vendor.ledger()["requests"]:
            pass
        with suppress(Exception):
            engine.cancel_all()
        while not over.wait(4.0):
            killed.append(engine.kill_a_worker())

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with enricher(vendor, None, chunk_size=100, max_concurrency=4) as one:
            # If the job that makes keys fails, it raises before anything is sent: then it is called again.
            got = _again(lambda: one.enrich_table(frame, "mail", columns=[], answers=tmp_path / "answers"))
            receipt = one.last_receipt
    finally:
        over.set()
        killer.join()
    killed.append(engine.kill_a_worker())
    statuses = _again(lambda: engine.rows(got))["eb_status"].value_counts().to_dict()
    ledger = vendor.ledger()
    assert any(killed)
    assert (receipt.credits_in_doubt, ledger["most"]) == (0, 1)
    assert ledger["credits"] == ledger["people"] == receipt.credits == asked(rows)
    assert statuses == {"found": 19_000, "missing": 1_000}


def _again(call: Callable[[], Any], times: int = 4) -> Any:
    try:
        return call()
    except Exception:
        if times == 1:
            raise
        return _again(call, times - 1)


def test_rows_that_were_not_there_before_are_not_sent(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    vendor = vendors(match_rate=1.0)
    flag = tmp_path / "flag"
    flag.write_text("ana@acme.example bea@acme.example")
    with enricher(vendor, None) as one:
        got = one.enrich_table(engine.changing(flag), "mail", columns=[], answers=tmp_path / "answers")
    flag.write_text("ana@acme.example cem@acme.example")
    rows = engine.rows(got).set_index("mail")
    assert rows["eb_status"].to_dict() == {"ana@acme.example": "found", "cem@acme.example": "not_sent"}
    assert "other rows than when it was looked up" in rows.loc["cem@acme.example", "eb_reason"]
    assert vendor.ledger()["people"] == 2


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from engines import ENGINES
from test_engine import enricher
class Known:
    url = {url!r}
engine = ENGINES[{name!r}]()
if __name__ == "__main__":
    engine.start(Path({folder!r}))
    frame = engine.frame(Path({rows!r}), 8)
    with enricher(Known, Path({store!r}), chunk_size=100, max_concurrency=4) as one:
        print("ready", flush=True)
        got = one.enrich_table(frame, "mail", columns=[], progress=False)
        print(one.last_receipt.unknown, one.last_receipt.credits_in_doubt, flush=True)
        assert len(engine.rows(got)) == 4_000
    engine.stop()
"""


def test_the_caller_is_killed_and_runs_again(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    vendor = vendors(match_rate=1.0, latency=1.0)
    rows = people(4_000)
    folder = saved(rows, tmp_path / "rows")
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(SCRIPT).format(
            tests=str(Path(__file__).parent),
            url=vendor.url,
            name=engine.name,
            folder=str(tmp_path / "logs"),
            rows=str(folder),
            store=str(tmp_path / "people.db"),
        )
    )
    command = [sys.executable, "-W", "ignore", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        _until(lambda: vendor.ledger()["requests"] >= 8)
        _kill_tree(first.pid)
    again = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    unknown, in_doubt = map(int, again.stdout.split()[-2:])
    ledger = vendor.ledger()
    assert ledger["most"] == 1
    # At most four requests of a hundred people were in flight; each person stands in one row or in two.
    assert in_doubt == 0
    assert unknown <= 4 * 100 * 2
    assert ledger["people"] <= asked(rows)
    assert ledger["people"] >= asked(rows) - 4 * 100


def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if is_so():
            return
        threading.Event().wait(0.02)
    pytest.fail("it did not happen within two minutes")


def _kill_tree(pid: int) -> None:
    import psutil

    process = psutil.Process(pid)
    children = process.children(recursive=True)
    process.kill()
    # An engine whose driver is dead ends its workers by itself, but not at once.
    for child in children:
        with suppress(psutil.Error):
            child.kill()


def test_the_key_stays_with_the_caller(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    vendor = vendors(match_rate=1.0)
    frame = engine.frame(saved(people(200), tmp_path / "rows"), 2)
    with enricher(vendor, None) as one:
        got = one.enrich_table(frame, "mail", columns=COLUMNS, answers=tmp_path / "answers")
        assert len(engine.rows(got)) == 200
    environments = engine.environments()
    assert environments
    assert all(len(one) > 1 for one in environments)
    assert not any(KEY in value for one in environments for value in one.values())
    pages = engine.pages()
    assert all(pages.values())
    assert not [url for url, page in pages.items() if KEY.encode() in page]
    folders = [*engine.logs(), tmp_path / "answers"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
