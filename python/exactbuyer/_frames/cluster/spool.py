"""The distinct rows of a frame, at the caller: on disk, except for their keys and numbers.

A row's key may come from several partitions. It is kept once, where it came first.
"""

from __future__ import annotations

import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from exactbuyer._frames.libraries import library

from .workers import distinct_schema

KEY_BYTES = 16

BATCH_ROWS = 16_384
"""Most rows that are read from the file at a time."""


class Slice(NamedTuple):
    """Some distinct rows."""

    asks: Any
    rows: Any
    """How many rows of the frame each stands for."""

    def __len__(self) -> int:
        return len(self.asks)


class Spool:
    """The distinct rows of all partitions, in the order of the partitions.

    The texts are in a temporary file, which is gone when the process ends, however it does. On Windows it has
    a name, and the access list of the folder for temporary files.
    """

    def __init__(self, tables: Iterable[tuple[int, Any]]) -> None:
        pa, np = library("pyarrow"), library("numpy")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the spool exists
        weakref.finalize(self, self._file.close)
        # Each grows in place: many small arrays would leave holes in memory.
        keys, rows, partitions = bytearray(), bytearray(), bytearray()
        asks = pa.schema([distinct_schema().field("asks")])
        with pa.ipc.new_stream(self._file, asks) as stream:
            for number, table in tables:
                for batch in table.to_batches(max_chunksize=BATCH_ROWS):
                    stream.write_batch(batch.select(asks.names))
                    keys += as_numbers(batch.column("key")).tobytes()
                    rows += batch.column("rows").to_numpy().tobytes()
                    partitions += np.full(batch.num_rows, number, dtype="int32").tobytes()
        self._partitions = np.frombuffer(partitions, dtype="int32")
        counts = np.frombuffer(rows, dtype="int64")
        self.rows = int(counts.sum())
        """The rows of the frame."""
        self._merge(np.frombuffer(keys, dtype="uint64").reshape(-1, 2), counts)
        del keys, rows, counts
        _give_memory_back()

    def _merge(self, keys: Any, rows: Any) -> None:
        """Finds what came several times."""
        np = library("numpy")
        # A stable sort: of equal keys, the first one stays in front.
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        in_order = keys[order]
        is_new = np.ones(len(order), dtype=bool)
        is_new[1:] = (in_order[1:] != in_order[:-1]).any(axis=1)
        starts = np.flatnonzero(is_new)
        first = order[starts]
        came = np.argsort(first)
        self._order, self._starts = order, starts[came]
        self._times = np.diff(np.append(starts, len(order)))[came]
        self._rows = (np.add.reduceat(rows[order], starts) if len(order) else rows)[came]
        self._is_first = np.zeros(len(order), dtype=bool)
        self._is_first[first] = True
        self._keys = keys[first[came]]

    def __len__(self) -> int:
        return len(self._rows)

    def slices(self, most: int) -> Iterator[Slice]:
        """The distinct rows, in slices of so many, however few come from one partition."""
        given = 0
        for asks in _regrouped(self._asks(), most):
            yield Slice(asks, library("pyarrow").array(self._rows[given : given + len(asks)]))
            given += len(asks)

    def _asks(self) -> Iterator[Any]:
        """What the distinct rows look up, in the batches in which it arrived."""
        pa = library("pyarrow")
        self._file.seek(0)
        entry = 0
        for batch in pa.ipc.open_stream(self._file):
            is_first = self._is_first[entry : entry + batch.num_rows]
            entry += batch.num_rows
            yield batch.column("asks").filter(pa.array(is_first))

    def keys(self, start: int, stop: int) -> Any:
        """The keys of these distinct rows, as an Arrow column."""
        pa = library("pyarrow")
        keys = self._keys[start:stop]
        fixed = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(KEY_BYTES), len(keys), [None, pa.py_buffer(keys.tobytes())]
        )
        return fixed.cast(pa.binary())

    def partitions_of(self, start: int, stop: int) -> tuple[Any, Any]:
        """Where these distinct rows came from: places within them, and partitions, by partition."""
        np = library("numpy")
        starts, times = self._starts[start:stop], self._times[start:stop]
        places = np.repeat(np.arange(stop - start), times)
        nth = np.arange(len(places)) - np.repeat(np.cumsum(times) - times, times)
        partitions = self._partitions[self._order[np.repeat(starts, times) + nth]]
        by_partition = np.argsort(partitions, kind="stable")
        return places[by_partition], partitions[by_partition]


def _give_memory_back() -> None:
    """Returns freed memory to the system. glibc keeps it for this thread, but the run has others."""
    library("pyarrow").default_memory_pool().release_unused()
    if sys.platform != "linux":
        return
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _regrouped(columns: Iterable[Any], rows: int) -> Iterator[Any]:
    """The same cells in columns of so many rows; the last one may be shorter."""
    waiting: list[Any] = []
    for column in columns:
        waiting.append(column)
        if sum(map(len, waiting)) < rows:
            continue
        joined = library("pyarrow").concat_arrays(waiting)
        full = len(joined) - len(joined) % rows
        yield from (joined.slice(at, rows) for at in range(0, full, rows))
        waiting = [joined.slice(full)]
    if any(map(len, waiting)):
        yield library("pyarrow").concat_arrays(waiting)


def as_numbers(keys: Any) -> Any:
    """Keys as rows of two numbers, which numpy can sort."""
    pa, np = library("pyarrow"), library("numpy")
    fixed = keys.cast(pa.binary(KEY_BYTES))
    data, at = fixed.buffers()[1], fixed.offset * KEY_BYTES
    if data is None or not len(keys):
        return np.empty((0, 2), dtype="uint64")
    return np.frombuffer(data, dtype="uint64", offset=at, count=2 * len(keys)).reshape(-1, 2).copy()
