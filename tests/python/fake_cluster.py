"""An engine in memory: partitions are pyarrow tables, and what travels to a worker is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from exactbuyer._frames.cluster import detect
from exactbuyer._frames.cluster.frame import ClusterFrame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from exactbuyer._frames.cluster.answers import Parts
    from exactbuyer._frames.cluster.workers import Joiner, KeyMaker


class Partitions:
    """A frame of this engine: functions that make its partitions, so that it is lazy."""

    def __init__(self, *partitions: Callable[[], pa.Table]) -> None:
        self.partitions = list(partitions)

    @classmethod
    def of(cls, table: pa.Table, rows: int) -> Partitions:
        """A table in partitions of so many rows."""
        parts = [table.slice(at, rows) for at in range(0, table.num_rows, rows)] or [table]
        return cls(*(lambda part=part: part for part in parts))

    def read(self) -> pa.Table:
        """Computes it."""
        return pa.concat_tables(part() for part in self.partitions)


def on_worker(function: Any, *arguments: Any) -> Any:
    """Calls it as on another machine: what it is travels there."""
    return cloudpickle.loads(cloudpickle.dumps(function))(*arguments)


class FakeFrame(ClusterFrame):
    """The engine. What it did is in `jobs`; the first `failing` writes of answers fail."""

    by_partition = True
    jobs: list[str]
    failing = 0
    on_write: Callable[[], None] | None = None

    def __init__(self, data: Partitions) -> None:
        self._data = data

    def names(self) -> list[Any]:
        return list(self.empty().column_names)

    def empty(self) -> pa.Table:
        return self._data.partitions[0]().slice(0, 0)

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, pa.Table]]:
        self.jobs.append("distinct")
        for number, part in enumerate(self._data.partitions):
            yield number, on_worker(keys.distinct, part())

    def write(self, folder: str, name: str, answers: pa.Table) -> None:
        self.jobs.append(f"write {name}")
        if self.on_write is not None:
            self.on_write()
        if type(self).failing and answers.num_rows:
            type(self).failing -= 1
            raise OSError("the job was cancelled")
        Path(folder).mkdir(parents=True, exist_ok=True)
        pq.write_table(answers, f"{folder}/{name}.parquet")

    def joined(self, joiner: Joiner, parts: Parts) -> Partitions:
        self.jobs.append("joined")

        def join(number: int, part: Callable[[], pa.Table]) -> Callable[[], pa.Table]:
            return lambda: on_worker(joiner, part(), _answers(joiner, parts, number))

        return Partitions(*(join(number, part) for number, part in enumerate(self._data.partitions)))


def _answers(joiner: Joiner, parts: Parts, number: int) -> pa.Table:
    if parts.names:
        # Only these parts have rows of this partition: the others need not be read.
        parts = parts._replace(names=parts.names_for(number))
        if not parts.names:
            return joiner.nothing()
    own = [part.filter(pc.equal(part["partition"], number)) for part in _tables(parts)]
    return pa.concat_tables(own) if own else joiner.nothing()


def _tables(parts: Parts) -> list[pa.Table]:
    return parts.tables or [pq.read_table(f"{parts.folder}/{name}.parquet") for name in parts.names]


class WholeFrame(FakeFrame):
    """The same where all partitions read the same answers, as Spark's join does."""

    by_partition = False

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, pa.Table]]:
        return ((0, table) for _, table in super().distinct(keys))

    def joined(self, joiner: Joiner, parts: Parts) -> Partitions:
        self.jobs.append("joined")
        tables = _tables(parts)
        answers = pa.concat_tables(tables) if tables else joiner.nothing()
        return Partitions(*(_joined(joiner, part, answers) for part in self._data.partitions))


def _joined(joiner: Joiner, part: Callable[[], pa.Table], answers: pa.Table) -> Callable[[], pa.Table]:
    return lambda: on_worker(joiner, part(), answers)


def install(monkeypatch: pytest.MonkeyPatch, kind: type[FakeFrame]) -> type[FakeFrame]:
    """Makes `Partitions` frames of this engine, in this test."""
    kind = type(kind.__name__, (kind,), {"jobs": []})
    for module in ("exactbuyer._enrich_table", "exactbuyer._plan"):
        monkeypatch.setattr(
            f"{module}.is_cluster_frame",
            lambda data: isinstance(data, Partitions) or detect.is_cluster_frame(data),
        )
        monkeypatch.setattr(f"{module}.cluster_frame_of", kind)
    return kind


def files_in(folder: Path) -> list[str]:
    """The files below a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
