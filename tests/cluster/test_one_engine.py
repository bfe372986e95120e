"""What only one engine has: streams and Connect of Spark, index and divisions of Dask, order of Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from test_engine import COLUMNS, asked, enricher, people, saved, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine import Engine
    from vendor import Vendor


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(os.environ["CLUSTER_ENGINE"] != name, reason=f"of {name} alone")


@only("dask")
def test_partitions_divisions_and_index_of_dask_stay(engine: Engine, vendors: Callable[..., Vendor]) -> None:
    import dask.dataframe as dd

    rows = people(500).set_index(pd.Index(range(1_000, 6_000, 10), name="id"))
    frame = dd.from_pandas(rows, npartitions=7)
    with enricher(vendors(match_rate=1.0), None) as one:
        got = one.enrich_table(frame, "mail", columns=COLUMNS)
    assert got.divisions == frame.divisions
    computed = got.compute()
    pd.testing.assert_frame_equal(computed[["number", "mail"]], frame.compute())
    assert computed.dtypes.to_dict() == got.dtypes.to_dict()
    assert [len(got.partitions[n]) for n in range(7)] == [len(frame.partitions[n]) for n in range(7)]


@only("dask")
@pytest.mark.parametrize("filesystem", ["fsspec", "arrow"])
def test_dask_may_not_number_its_partitions_anew(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path, filesystem: str
) -> None:
    """It reads few columns of many files in fewer partitions, and the rows must find their answers."""
    import dask.dataframe as dd

    for number in range(16):
        rows = pd.DataFrame({f"text{column}": ["much of it " * 9] * 9 for column in range(30)})
        rows["mail"] = [f"P{number}-{row}@acme.example" for row in range(9)]
        rows.to_parquet(tmp_path / f"{number:02}.parquet")
    frame = dd.read_parquet(str(tmp_path), filesystem=filesystem)
    frame = frame.assign(mail=frame.mail.str.lower())
    with enricher(vendors(match_rate=1.0), None) as one:
        got = one.enrich_table(frame, "mail", columns=["full_name"])
    assert got.compute()["eb_status"].value_counts().to_dict() == {"found": 144}


@only("spark")
def test_spark_cannot_add_a_column_that_differs_in_case_alone(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    from exactbuyer import ConfigError

    folder = saved(people(40).assign(EB_STATUS="mine"), tmp_path / "rows")
    vendor = vendors()
    with enricher(vendor, None) as one, pytest.raises(ConfigError, match="EB_STATUS"):
        one.enrich_table(engine.frame(folder, 2), "mail")
    assert vendor.ledger()["requests"] == 0


@only("dask")
def test_a_column_that_cannot_be_looked_up_is_named_before_a_job(
    engine: Engine, vendors: Callable[..., Vendor]
) -> None:
    import dask.dataframe as dd

    from exactbuyer import ConfigError

    frame = dd.from_pandas(pd.DataFrame({"flag": [True, False]}), npartitions=1)
    with enricher(vendors(), None) as one, pytest.raises(ConfigError, match="flag"):
        one.enrich_table(frame, "flag")


@only("dask")
def test_a_copy_without_a_store_does_not_send_from_a_task(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    import dask

    from exactbuyer import ConfigError

    vendor = vendors(match_rate=1.0)
    one = enricher(vendor, None)

    def send(copied: Any) -> Any:
        os.environ["EXACTBUYER_API_KEY"] = "any"
        return copied.enrich(["ana@acme.example"])[0]["status"]

    with pytest.raises(ConfigError, match="without a store does not send in another process"):
        dask.compute(dask.delayed(send)(one))
    assert vendor.ledger()["requests"] == 0
    one.close()


@only("ray")
def test_ray_keeps_the_order_if_it_is_told_to(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    frame = engine.frame(saved(people(500), tmp_path / "rows"), 8)
    with enricher(vendors(match_rate=1.0), None) as one:
        got = engine.rows(one.enrich_table(frame, "mail", columns=[]))
    assert got["number"].tolist() == engine.rows(frame)["number"].tolist()


@only("spark")
def test_a_stream_of_spark_names_foreach_batch(
    engine: Any, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    folder = saved(people(40), tmp_path / "rows")
    stream = engine._spark.readStream.schema("number bigint, mail string").parquet(str(folder))
    vendor = vendors(match_rate=1.0)
    with enricher(vendor, tmp_path / "people.db") as one:
        with pytest.raises(TypeError, match="foreachBatch"):
            one.enrich_table(stream, "mail")

        def enrich(batch: Any, _: int) -> None:
            one.enrich_table(batch, "mail", columns=[]).write.mode("append").parquet(
                str(tmp_path / "written")
            )

        query = stream.writeStream.foreachBatch(enrich).option("checkpointLocation", str(tmp_path / "at"))
        query.trigger(availableNow=True).start().awaitTermination(120)
    assert engine._spark.read.parquet(str(tmp_path / "written")).count() == 40
    assert vendor.ledger()["most"] == 1


@only("spark")
def test_all_jobs_of_a_call_belong_to_the_group_of_the_caller(
    engine: Any, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    """So that it can cancel them, those of the thread that writes answers too."""
    frame = engine.frame(saved(people(200), tmp_path / "rows"), 2)
    context = frame.sparkSession.sparkContext
    jobs = context.statusTracker().getJobIdsForGroup
    before = set(jobs(None))
    context.setJobGroup("nightly", "looks people up")
    try:
        with enricher(vendors(match_rate=1.0), None) as one:
            one.enrich_table(frame, "mail", columns=COLUMNS, answers=tmp_path / "answers")
    finally:
        context.setLocalProperty("spark.jobGroup.id", None)
    assert set(jobs(None)) <= before
    assert len(jobs("nightly")) >= 3, "the keys, the trial and the answers"


@only("spark")
def test_spark_runs_tasks_twice_at_a_time(
    engine: Any, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    """It speculates, while keys are made, and while rows and answers are joined."""

    def slowly(batches: Any) -> Any:
        from pyspark import TaskContext

        task = TaskContext.get()
        if (task.partitionId(), task.attemptNumber()) == (0, 0):
            time.sleep(30)
        yield from batches

    def speculated() -> int:
        logs = [path.read_text() for path in (engine.folder / "events").rglob("*") if path.is_file()]
        return sum(log.count('"Speculative":true') for log in logs)

    vendor, rows = vendors(match_rate=1.0), people(2_000)
    frame = engine.frame(saved(rows, tmp_path / "rows"), 4)
    slow, before = frame.mapInArrow(slowly, frame.schema), speculated()
    with enricher(vendor, None) as one:
        got = one.enrich_table(slow, "mail", columns=[], answers=tmp_path / "answers")
        assert one.last_receipt.credits_in_doubt == 0
    while_keys_were_made = speculated()
    statuses = engine.rows(got)["eb_status"].value_counts().to_dict()
    assert before < while_keys_were_made < speculated()
    assert statuses == {"found": 1_900, "missing": 100}
    ledger = vendor.ledger()
    assert (ledger["most"], ledger["people"]) == (1, asked(rows))


CONNECT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from pyspark.sql import SparkSession
from engines import SparkEngine
from test_engine import enricher, people, texts
class Known:
    url = {url!r}
settings = {{"spark.ui.enabled": False, "spark.sql.parquet.compression.codec": "zstd"}}
spark = SparkSession.builder.config(map=settings).remote("local[2]").getOrCreate()
frame = spark.read.parquet({rows!r}).repartition(4)
assert "connect" in type(frame).__module__, type(frame)
with enricher(Known, None) as one:
    for answers in (None, Path({answers!r})):
        got = one.enrich_table(frame, ["mail"], columns=["full_name"], answers=answers)
        assert "connect" in type(got).__module__
        found = SparkEngine().rows(got).query("eb_status == 'found'")
        print(len(found), one.last_receipt.credits, flush=True)
spark.stop()
"""


@only("spark")
def test_spark_connect(vendors: Callable[..., Vendor], tmp_path: Path) -> None:
    vendor = vendors(match_rate=1.0)
    rows = people(400)
    script = tmp_path / "script.py"
    script.write_text(
        CONNECT.format(
            tests=str(Path(__file__).parent),
            url=vendor.url,
            rows=str(saved(rows, tmp_path / "rows")),
            answers=str(tmp_path / "answers"),
        )
    )
    # Another session than this process's: its variables would lead to that one.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"SPARK_HOME", "PYSPARK_GATEWAY_PORT"}
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script)],
        env={**environment, "PYSPARK_PYTHON": sys.executable},
        check=False,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    paid = vendor.ledger()["people"]
    assert done.stdout.split() == ["380", str(paid)] * 2
    assert vendor.ledger()["most"] == 2


def test_values_of_all_types_come_back(
    engine: Engine, vendors: Callable[..., Vendor], tmp_path: Path
) -> None:
    frame = engine.frame(saved(people(60), tmp_path / "rows"), 3)
    columns = {"score": ("likelihood", "float64"), "networks": "social_profiles[*].network", "all": "$"}
    with enricher(vendors(match_rate=1.0), tmp_path / "people.db") as one:
        got = engine.rows(one.enrich_table(frame, "mail", columns=columns))
        expected = one.enrich_table(people(60), "mail", columns=columns)
    lists = [
        [None if cell is None or cell is pd.NA else list(cell) for cell in texts(rows)["eb_networks"]]
        for rows in (got, expected)
    ]
    assert lists[0] == lists[1]
    assert texts(got)["eb_all"].tolist() == texts(expected)["eb_all"].tolist()
