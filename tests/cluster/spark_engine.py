"""Spark with a master and two workers, with speculation on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from engine import CODEC, WORKERS, Engine, fetched


class Standalone:
    """A master and workers of Spark.

    Each worker has an address of its own, because Spark does not speculate onto the same host.
    """

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"spark://127.0.0.1:{port}"
        self._log = (folder / "daemons").open("wb")
        self._processes = [self._started("master.Master", "--host", "127.0.0.1", "--port", f"{port}")]
        for number in range(WORKERS):
            options = ["--host", f"127.0.0.{2 + number}", "--cores", "1", "--memory", "1g"]
            options += ["--work-dir", str(folder / "work"), self.url]
            self._processes.append(self._started("worker.Worker", *options))

    def _started(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        command = [f"{os.environ['SPARK_HOME']}/bin/spark-class", f"org.apache.spark.deploy.{kind}"]
        settings = "-Dspark.deploy.maxExecutorRetries=-1"
        environment = {**os.environ, "SPARK_DAEMON_MEMORY": "256m", "SPARK_DAEMON_JAVA_OPTS": settings}
        return subprocess.Popen(
            [*command, "--webui-port", "0", *options], env=environment, stdout=self._log, stderr=self._log
        )

    def stop(self) -> None:
        """Ends them."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait()
        self._log.close()


class SparkEngine(Engine):
    """Spark."""

    name = "spark"
    process_mark = "pyspark.daemon"
    _kills = 0

    def kill_a_worker(self) -> bool:
        # An executor may take longer to start than the time between two kills: mostly, its Python dies.
        self._kills += 1
        self.process_mark = "CoarseGrainedExecutorBackend" if self._kills % 4 == 1 else "pyspark.daemon"
        return super().kill_a_worker()

    def start(self, folder: Path) -> None:
        import pyspark

        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_HOME"] = str(Path(pyspark.__file__).parent)
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        (folder / "events").mkdir(parents=True, exist_ok=True)
        self._cluster = Standalone(folder)
        builder = pyspark.sql.SparkSession.builder
        for name, value in self.settings(folder).items():
            builder = builder.config(name, value)
        self._spark = builder.getOrCreate()
        self._spark.sparkContext.setLogLevel("OFF")

    def settings(self, folder: Path) -> dict[str, Any]:
        """Its configuration."""
        return {
            "spark.master": self._cluster.url,
            "spark.driver.memory": "2g",
            "spark.executor.memory": "1g",
            "spark.ui.showConsoleProgress": False,
            "spark.ui.port": 0,
            "spark.eventLog.enabled": True,
            # Compressed, it would hide a key.
            "spark.eventLog.compress": False,
            "spark.eventLog.dir": (folder / "events").as_uri(),
            "spark.speculation": True,
            "spark.speculation.quantile": 0.5,
            "spark.task.maxFailures": 100,
            "spark.sql.shuffle.partitions": 8,
            "spark.sql.parquet.compression.codec": CODEC,
        }

    def stop(self) -> None:
        self._spark.stop()
        self._cluster.stop()

    def frame(self, folder: Path, partitions: int) -> Any:
        return self._spark.read.parquet(str(folder)).repartition(partitions)

    def rows(self, frame: Any) -> Any:
        names = frame.columns
        return pd.DataFrame([tuple(row) for row in frame.collect()], columns=names)

    def actions(self, frame: Any, folder: Path) -> int:
        kept = frame.cache()
        rows = {kept.count(), kept.count()}
        kept.show(2)
        kept.unpersist(blocking=True)
        rows |= {frame.count(), len(frame.collect())}
        frame.write.parquet(str(folder))
        rows.add(pq.read_table(folder).num_rows)
        number: int
        (number,) = rows
        return number

    def changing(self, flag: Path) -> Any:
        text = str(flag)

        def read(batches: Any) -> Any:
            for _ in batches:
                yield pa.record_batch({"mail": pa.array(Path(text).read_text().split())})

        return self._spark.range(1).coalesce(1).mapInArrow(read, "mail string")

    def environments(self) -> list[dict[str, str]]:
        def environment(batches: Any) -> Any:
            for _ in batches:
                names, values = zip(*os.environ.items(), strict=True)
                yield pa.record_batch({"name": pa.array(names), "value": pa.array(values)})

        rows = self._spark.range(WORKERS).mapInArrow(environment, "name string, value string").collect()
        return [{row.name: row.value for row in rows}]

    def pages(self) -> dict[str, bytes]:
        context = self._spark.sparkContext
        root, api = context.uiWebUrl, f"api/v1/applications/{context.applicationId}"
        names = ["jobs/", "stages/", "storage/", "environment/", "executors/", "SQL/"]
        names += [f"{api}/{page}" for page in ("environment", "jobs", "stages", "allexecutors")]
        names.append(f"{api}/sql?details=true&length=1000")
        return {f"{root}/{name}": fetched(f"{root}/{name}") for name in names}

    def cancel_all(self) -> None:
        self._spark.sparkContext.cancelAllJobs()
