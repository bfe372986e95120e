"""The three engines, each on this machine with two workers that are processes of their own."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

WORKERS = 2


def read_flag(flag: str) -> list[str]:
    """The rows of a source that gives what stands in a file at the moment."""
    return Path(flag).read_text().split()


class Engine:
    """An engine under test."""

    name: str
    folder: Path
    """Where it logs."""
    process_mark: str
    """What the command line of a worker's process has."""

    def start(self, folder: Path) -> None:
        """Starts it; what it logs is in this folder."""
        raise NotImplementedError

    def stop(self) -> None:
        """Ends it."""
        raise NotImplementedError

    def frame(self, folder: Path, partitions: int) -> Any:
        """The Parquet files of a folder as a frame."""
        raise NotImplementedError

    def rows(self, frame: Any) -> Any:
        """Computes a frame."""
        raise NotImplementedError

    def actions(self, frame: Any, folder: Path) -> int:
        """Does with a frame what people do; returns the number of rows that each action saw, if all agree."""
        raise NotImplementedError

    def changing(self, flag: Path) -> Any:
        """A frame whose rows are what `read_flag` gives whenever it is computed."""
        raise NotImplementedError

    def environments(self) -> list[dict[str, str]]:
        """The environment of each worker."""
        raise NotImplementedError

    def cancel_all(self) -> None:
        """Cancels all that runs."""

    def is_worker(self, command: str) -> bool:
        """Whether a process with this command line is a worker."""
        return self.process_mark in command

    def kill_a_worker(self) -> bool:
        """Kills a process of a worker; whether there was one."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if self.is_worker(" ".join(process.cmdline())):
                    process.kill()
                    return True
        return False


class DaskEngine(Engine):
    """Dask's distributed scheduler."""

    name = "dask"
    process_mark = "multiprocessing.spawn"

    def start(self, folder: Path) -> None:
        import dask
        from distributed import Client, LocalCluster

        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 100,
                "temporary-directory": str(folder),
                "distributed.admin.system-monitor.disk": False,
            }
        )
        self._cluster = LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=None, memory_limit=0
        )
        self._client = Client(self._cluster)

    def stop(self) -> None:
        self._client.close()
        self._cluster.close()

    def frame(self, folder: Path, partitions: int) -> Any:
        import dask.dataframe as dd

        return dd.read_parquet(str(folder)).repartition(npartitions=partitions)

    def rows(self, frame: Any) -> Any:
        return frame.compute()

    def actions(self, frame: Any, folder: Path) -> int:
        kept = frame.persist()
        rows = {len(frame), len(kept), len(frame.compute())}
        frame.head()
        frame.to_parquet(str(folder))
        # What was persisted is lost with its workers.
        self._client.restart()
        rows |= {len(frame), len(pd.read_parquet(folder))}
        number: int
        (number,) = rows
        return number

    def changing(self, flag: Path) -> Any:
        import dask.dataframe as dd

        return dd.from_map(_changing_pandas, [str(flag)], meta=_changing_pandas_meta())

    def environments(self) -> list[dict[str, str]]:
        return list(self._client.run(lambda: dict(os.environ)).values())

    def cancel_all(self) -> None:
        self._client.restart()


def _changing_pandas_meta() -> Any:
    return pd.DataFrame({"mail": pd.array([], dtype="string")})


def _changing_pandas(flag: str) -> Any:
    return pd.DataFrame({"mail": pd.array(read_flag(flag), dtype="string")})


class SparkEngine(Engine):
    """Spark in the mode that has executors as processes, with speculation on."""

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
        builder = pyspark.sql.SparkSession.builder
        for name, value in self.settings(folder).items():
            builder = builder.config(name, value)
        self._spark = builder.getOrCreate()
        self._spark.sparkContext.setLogLevel("OFF")

    def settings(self, folder: Path) -> dict[str, Any]:
        """Its configuration."""
        return {
            "spark.master": f"local-cluster[{WORKERS},1,1024]",
            "spark.driver.memory": "2g",
            "spark.executor.memory": "1g",
            "spark.ui.showConsoleProgress": False,
            "spark.ui.enabled": False,
            "spark.eventLog.enabled": True,
            "spark.eventLog.dir": (folder / "events").as_uri(),
            "spark.speculation": True,
            "spark.task.maxFailures": 100,
            "spark.deploy.maxExecutorRetries": -1,
            "spark.sql.shuffle.partitions": 8,
        }

    def stop(self) -> None:
        self._spark.stop()

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

    def cancel_all(self) -> None:
        self._spark.sparkContext.cancelAllJobs()


class RayEngine(Engine):
    """Ray, with the workers of one node."""

    name = "ray"
    process_mark = "ray::"

    def is_worker(self, command: str) -> bool:
        # The raylet and its agents name workers in their options, too; without them, the driver ends.
        return command.startswith(self.process_mark) and "Agent" not in command

    def start(self, folder: Path) -> None:
        import ray

        ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            object_store_memory=500_000_000,
            logging_level="ERROR",
            log_to_driver=False,
        )
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True

    def stop(self) -> None:
        import ray

        ray.shutdown()

    def frame(self, folder: Path, partitions: int) -> Any:
        import ray

        return ray.data.read_parquet(str(folder), override_num_blocks=partitions)

    def rows(self, frame: Any) -> Any:
        tables = list(frame.iter_batches(batch_format="pyarrow", batch_size=None))
        return pa.concat_tables(tables).to_pandas()

    def actions(self, frame: Any, folder: Path) -> int:
        kept = frame.materialize()
        rows = {frame.count(), kept.count(), len(frame.take_all())}
        frame.show(1)
        frame.write_parquet(str(folder))
        del kept
        rows |= {frame.count(), pq.read_table(folder).num_rows}
        number: int
        (number,) = rows
        return number

    def changing(self, flag: Path) -> Any:
        import ray

        text = str(flag)

        def read(_: Any) -> Any:
            return pa.table({"mail": pa.array(Path(text).read_text().split())})

        return ray.data.range(1).map_batches(read, batch_format="pyarrow", batch_size=None)

    def environments(self) -> list[dict[str, str]]:
        import ray

        return [ray.get(ray.remote(lambda: dict(os.environ)).remote()) for _ in range(WORKERS)]


ENGINES: dict[str, type[Engine]] = {kind.name: kind for kind in (DaskEngine, SparkEngine, RayEngine)}
