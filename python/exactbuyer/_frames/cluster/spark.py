"""DataFrames of Spark, classic and Connect: keys by `mapInArrow`, and the answers by a left join.

Only what both kinds have since Spark 3.5: never `.rdd`, never a SparkContext. Tables travel as Arrow's stream
format in cells of bytes, because `createDataFrame` takes Arrow tables only since 4.0, and `toArrow` collects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from exactbuyer._frames.libraries import library
from exactbuyer.exceptions import ConfigError

from .frame import ClusterFrame
from .packing import packed, unpacked
from .workers import CHANGED, distinct_schema

if TYPE_CHECKING:
    from threading import Thread

    from .answers import Parts
    from .workers import Joiner, KeyMaker

KEY, STATUS, REASON = "_exactbuyer_key", "_exactbuyer_status", "_exactbuyer_reason"
"""Columns between the rows' keys and the join. The result does not have them."""


class SparkFrame(ClusterFrame):
    """A DataFrame of Spark. Its rows have no order, and the result's have none either."""

    def __init__(self, data: Any) -> None:
        if data.isStreaming:
            raise TypeError(
                "data is a streaming DataFrame: enrich each of its batches with "
                "stream.writeStream.foreachBatch(lambda batch, number: enricher.enrich_table(batch, by=…)…)"
            )
        if len({name.lower() for name in data.columns}) < len(data.columns):
            raise ConfigError("the frame has two columns of the same name: rename one of them")
        self._frame = data

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def empty(self) -> Any:
        types = library("pyspark.sql.pandas.types")
        return types.to_arrow_schema(self._frame.schema).empty_table()

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, Any]]:
        read = self._frame.select(*map(_quoted, keys.request.labels))
        keyed = read.mapInArrow(partial(_each, keys.distinct), "key binary, asks string, rows bigint")
        tables = keyed.groupBy("key", "asks").sum("rows").mapInArrow(_pack, "data binary")
        schema = distinct_schema()
        for (data,) in tables.toLocalIterator(prefetchPartitions=True):
            yield 0, unpacked(data).rename_columns(schema.names).cast(schema)

    def write(self, folder: str, name: str, answers: Any) -> None:
        written = self._of_arrow(answers)
        written.coalesce(1).write.mode("overwrite").parquet(f"{folder}/{name}")

    def thread(self, run: Callable[[], None], **how: Any) -> Thread:
        if "connect" in type(self._frame).__module__:
            return super().thread(run, **how)
        inheriting: Thread = library("pyspark").InheritableThread(
            run, session=self._frame.sparkSession, **how
        )
        return inheriting

    def joined(self, joiner: Joiner, parts: Parts) -> Any:
        spark_types = library("pyspark.sql.types")
        schema, fields = self._frame.schema, spark_types.StructField
        kept = [field for field in schema.fields if field.name not in joiner.dropped]
        self._check_names([field.name for field in kept], joiner.schema.names)
        text = spark_types.StringType()
        own = [fields(KEY, spark_types.BinaryType()), fields(STATUS, text), fields(REASON, text)]
        with_keys = partial(_with_keys, joiner.keys, [field.name for field in kept])
        keyed = self._frame.mapInArrow(with_keys, spark_types.StructType([*kept, *own]))
        answers = self._answers(joiner, parts).withColumnRenamed("key", KEY)
        status, reason = _quoted(joiner.status), _quoted(joiner.reason)
        why = f"case when {status} is null and {STATUS} is null then '{CHANGED}' else {REASON} end"
        added = {name: _quoted(name) for name in joiner.schema.names}
        added[joiner.status] = f"coalesce({status}, {STATUS}, 'not_sent')"
        added[joiner.reason] = f"case when {status} is null then {why} else {reason} end"
        columns = [f"{text} as {_quoted(name)}" for name, text in added.items()]
        return keyed.join(answers, KEY, "left").selectExpr(*(_quoted(field.name) for field in kept), *columns)

    @staticmethod
    def _check_names(kept: list[str], added: list[str]) -> None:
        """Spark does not tell upper from lower case, so it could not name one of two such columns."""
        lower = {name.lower() for name in added}
        for name in kept:
            if name.lower() in lower:
                raise ConfigError(
                    f"the frame has a column {name}, and one is added that differs from it only in case: "
                    f"rename it, or pass another prefix"
                )

    def _answers(self, joiner: Joiner, parts: Parts) -> Any:
        if parts.names:
            types = library("pyspark.sql.pandas.types")
            # Without the schema, Spark would run a job to find it.
            read = self._frame.sparkSession.read.schema(types.from_arrow_schema(joiner.nothing().schema))
            return read.parquet(*(f"{parts.folder}/{name}" for name in parts.names))
        tables = parts.tables or [joiner.nothing()]
        return reduce(lambda some, more: some.unionAll(more), map(self._of_arrow, tables))

    def _of_arrow(self, table: Any) -> Any:
        """This table as a DataFrame."""
        schema = library("pyspark.sql.pandas.types").from_arrow_schema(table.schema)
        session = self._frame.sparkSession
        if not table.num_rows:
            # So Spark starts no Python workers for a table without rows.
            return session.createDataFrame([], schema)
        cells = [(packed(batch),) for batch in table.to_batches()]
        return session.createDataFrame(cells, "data binary").mapInArrow(_unpack, schema)


def _quoted(name: Any) -> str:
    return "`" + str(name).replace("`", "``") + "`"


def _each(make: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        yield from make(batch).to_batches()


def _with_keys(keys: KeyMaker, kept: list[str], batches: Iterable[Any]) -> Iterator[Any]:
    frame_of = library("exactbuyer._frames.detect").frame_of
    pa = library("pyarrow")
    for batch in batches:
        keyed = keys.keys(frame_of(batch)).combine_chunks()
        own = [*(batch.column(name) for name in kept), *(keyed[name] for name in ("key", "status", "reason"))]
        table = pa.table(own, names=[*kept, KEY, STATUS, REASON])
        yield from table.combine_chunks().to_batches()


def _pack(batches: Iterable[Any]) -> Iterator[Any]:
    pa = library("pyarrow")
    for batch in batches:
        yield pa.record_batch([pa.array([packed(batch)], pa.binary())], names=["data"])


def _unpack(batches: Iterable[Any]) -> Iterator[Any]:
    for batch in batches:
        for data in batch.column(0).to_pylist():
            yield from unpacked(data).to_batches()
