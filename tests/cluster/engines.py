"""The three engines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from engine import WORKERS, Engine, fetched, read_flag
from spark_engine import SparkEngine


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
            n_workers=WORKERS, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
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

    def pages(self) -> dict[str, bytes]:
        told = self._client.scheduler_info()
        root = f"http://127.0.0.1:{told['services']['dashboard']}"
        names = [
            "json/counts.json",
            *(f"info/main/{page}.html" for page in ("workers", "logs", "exceptions")),
        ]
        for worker in told["workers"]:
            names += [f"info/{page}/{quote(worker, safe='')}.html" for page in ("worker", "logs")]
        return {f"{root}/{name}": fetched(f"{root}/{name}") for name in names}

    def cancel_all(self) -> None:
        self._client.restart()


def _changing_pandas_meta() -> Any:
    return pd.DataFrame({"mail": pd.array([], dtype="string")})


def _changing_pandas(flag: str) -> Any:
    return pd.DataFrame({"mail": pd.array(read_flag(flag), dtype="string")})


class RayEngine(Engine):
    """Ray, with the workers of one node."""

    name = "ray"
    process_mark = "ray::"

    def is_worker(self, command: str) -> bool:
        # The raylet and its agents name workers in their options, too; without them, the driver ends.
        return command.startswith(self.process_mark) and "Agent" not in command

    def start(self, folder: Path) -> None:
        import ray

        context = ray.init(
            num_cpus=WORKERS,
            include_dashboard=False,
            object_store_memory=500_000_000,
            logging_level="ERROR",
            log_to_driver=False,
        )
        self._session = Path(context.address_info["session_dir"])
        data_context = ray.data.DataContext.get_current()
        data_context.enable_progress_bars = False
        data_context.execution_options.preserve_order = True

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

    def logs(self) -> list[Path]:
        return [self._session / "logs"]


ENGINES: dict[str, type[Engine]] = {kind.name: kind for kind in (DaskEngine, SparkEngine, RayEngine)}
