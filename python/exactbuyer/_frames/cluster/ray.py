"""Datasets of Ray: each block finds its answers by their keys, so rows keep the order that Ray gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from exactbuyer._frames.detect import frame_of
from exactbuyer._frames.libraries import library
from exactbuyer.exceptions import ConfigError

from .files import absolute, read_rows, write_part
from .frame import ClusterFrame

if TYPE_CHECKING:
    from .answers import Parts
    from .workers import Joiner, KeyMaker

_BLOCKS: dict[str, Any] = {"batch_format": "pyarrow", "batch_size": None}
"""One call for each block."""


class RayFrame(ClusterFrame):
    """A Dataset of Ray."""

    def __init__(self, data: Any) -> None:
        self._dataset = data

    def names(self) -> list[Hashable]:
        schema = self._dataset.schema()
        if schema is None:
            raise ConfigError("the Dataset has no rows, so that Ray does not know its columns")
        return list(schema.names)

    def empty(self) -> Any:
        schema = self._dataset.schema()
        if schema is not None and isinstance(schema.base_schema, library("pyarrow").Schema):
            return schema.base_schema.empty_table()
        # Of blocks of pandas, it is known only from one of them how they look in Arrow.
        for batch in self._dataset.limit(1).iter_batches(**_BLOCKS):
            return batch.slice(0, 0)
        raise ConfigError("the Dataset has no rows, so that Ray does not know the types of its columns")

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, Any]]:
        read = self._dataset.select_columns([str(label) for label in keys.request.labels])
        keyed = read.map_batches(keys.distinct, zero_copy_batch=True, **_BLOCKS)
        for table in keyed.iter_batches(**_BLOCKS):
            yield 0, table

    def write(self, folder: str, name: str, answers: Any) -> None:
        write_part(absolute(folder), name, answers)

    def joined(self, joiner: Joiner, parts: Parts) -> Any:
        if parts.folder is None:
            # In Ray's memory: each machine reads them without a copy.
            tables = parts.tables or [joiner.nothing()]
            answers = library("ray").put(library("pyarrow").concat_tables(tables))
            join = partial(_join_in_memory, joiner, answers)
        else:
            join = partial(_join_files, joiner, absolute(parts.folder), parts.names)
        return self._dataset.map_batches(join, zero_copy_batch=True, **_BLOCKS)


def _join_in_memory(joiner: Joiner, answers: Any, rows: Any) -> Any:
    return joiner(rows, library("ray").get(answers))


def _join_files(joiner: Joiner, folder: str, names: list[str], rows: Any) -> Any:
    keys = joiner.keys.keys(frame_of(rows))["key"].unique()
    answers = read_rows(folder, names, ("key", keys))
    return joiner(rows, joiner.nothing() if answers is None else answers)
