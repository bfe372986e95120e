"""Datasets of Ray: each block reads its own answers, so rows keep the order that Ray gives them.

Ray does not say which block a function works on. A block is known by the keys of its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from exactbuyer._frames.detect import frame_of
from exactbuyer._frames.libraries import library
from exactbuyer.exceptions import ConfigError

from .files import absolute, read_rows, write_part
from .frame import ClusterFrame
from .spool import as_numbers

if TYPE_CHECKING:
    from .answers import Parts
    from .workers import Joiner, KeyMaker

_BLOCKS: dict[str, Any] = {"batch_format": "pyarrow", "batch_size": None}
"""One call for each block."""


class RayFrame(ClusterFrame):
    """A Dataset of Ray."""

    by_partition: ClassVar[bool] = True

    def __init__(self, data: Any) -> None:
        self._dataset = data
        self._numbers: dict[bytes, int] = {}
        """The numbers of its blocks, by their marks."""

    def names(self) -> list[Hashable]:
        schema = self._dataset.schema()
        if schema is None:
            raise ConfigError("the Dataset has no rows, so that Ray does not know its columns")
        return list(schema.names)

    def empty(self) -> Any:
        schema = self._dataset.schema()
        if schema is not None and isinstance(schema.base_schema, library("pyarrow").Schema):
            return schema.base_schema.empty_table()
        # If the blocks are pandas frames, only a block itself shows its types in Arrow.
        for batch in self._dataset.limit(1).iter_batches(**_BLOCKS):
            return batch.slice(0, 0)
        raise ConfigError("the Dataset has no rows, so that Ray does not know the types of its columns")

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, Any]]:
        read = self._dataset.select_columns([str(label) for label in keys.request.labels])
        marked = read.map_batches(partial(_distinct, keys), zero_copy_batch=True, **_BLOCKS)
        pc = library("pyarrow.compute")
        for table in marked.iter_batches(**_BLOCKS):
            for mark in table["block"].unique().to_pylist():
                number = self._numbers.setdefault(mark, len(self._numbers))
                yield number, table.filter(pc.equal(table["block"], mark)).drop_columns(["block"])

    def write(self, folder: str, name: str, answers: Any) -> None:
        write_part(absolute(folder), name, answers)

    def joined(self, joiner: Joiner, parts: Parts) -> Any:
        if parts.folder is None:
            # In Ray's memory: each machine reads them without a copy.
            tables = parts.tables or [joiner.nothing()]
            answers = library("ray").put(library("pyarrow").concat_tables(tables))
            join = partial(_join_in_memory, joiner, answers)
        else:
            join = partial(_join_files, joiner, parts._replace(folder=absolute(parts.folder)), self._numbers)
        return self._dataset.map_batches(join, zero_copy_batch=True, **_BLOCKS)


def _join_in_memory(joiner: Joiner, answers: Any, rows: Any) -> Any:
    return joiner(rows, library("ray").get(answers))


def _join_files(joiner: Joiner, parts: Parts, numbers: dict[bytes, int], rows: Any) -> Any:
    keyed = joiner.keys.keys(frame_of(rows))
    number = numbers.get(_mark(keyed))
    if number is None:
        # Ray cuts other blocks than before, or the source has other rows.
        answers = read_rows(parts.folder, parts.names, ("key", keyed["key"].unique()))
    else:
        answers = read_rows(parts.folder, parts.names_for(number), ("partition", [number]))
    return joiner(rows, answers, keyed)


def _distinct(keys: KeyMaker, rows: Any) -> Any:
    """The distinct rows of a block, with its mark."""
    keyed = keys.keys(frame_of(rows))
    distinct = keys.distinct_of(keyed)
    pa = library("pyarrow")
    return distinct.append_column("block", pa.array([_mark(keyed)] * distinct.num_rows, pa.binary()))


def _mark(keyed: Any) -> bytes:
    """Identifies a block: a hash of the keys of its rows, in order."""
    return hashlib.blake2b(as_numbers(keyed["key"].combine_chunks()), digest_size=16).digest()
