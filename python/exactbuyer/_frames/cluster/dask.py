"""DataFrames of Dask: each partition reads its own answers, so partitions, divisions and index stay."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from exactbuyer._frames.libraries import library

from .files import absolute, read_rows, write_part
from .frame import ClusterFrame
from .packing import packed, unpacked

if TYPE_CHECKING:
    from .answers import Parts
    from .workers import Joiner, KeyMaker


class DaskFrame(ClusterFrame):
    """A DataFrame of Dask, whose partitions are frames of pandas."""

    by_partition: ClassVar[bool] = True

    def __init__(self, data: Any) -> None:
        self._frame = data

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def empty(self) -> Any:
        return self._frame._meta  # noqa: SLF001 - what every extension of Dask reads

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, Any]]:
        dask = library("dask")
        distinct = dask.delayed(_packed_distinct)
        # Not optimised: Dask may join partitions of fewer columns, and these would have other numbers.
        partitions = self._frame[keys.request.labels].to_delayed(optimize_graph=False)
        # One job: what the partitions have in common, such as a shuffle before, is computed once.
        tables = dask.compute(*(distinct(keys, partition) for partition in partitions))
        yield from enumerate(map(unpacked, tables))

    def write(self, folder: str, name: str, answers: Any) -> None:
        write_part(absolute(folder), name, answers)

    def joined(self, joiner: Joiner, parts: Parts) -> Any:
        dask = library("dask")
        join = dask.delayed(_join)
        # In the graph and not on a worker: a worker that is lost takes no answers with it.
        sections = [_section(number, parts) for number in range(self._frame.npartitions)]
        partitions = zip(self._frame.to_delayed(optimize_graph=False), sections, strict=True)
        joined = [join(joiner, partition, section) for partition, section in partitions]
        return library("dask.dataframe").from_delayed(
            joined,
            meta=joiner(self.empty(), None),
            divisions=self._frame.divisions,
            verify_meta=False,
            prefix="exactbuyer",
        )


class _Section(NamedTuple):
    """Where the answers of a partition are: in files, or in a compressed table."""

    number: int
    folder: str = ""
    names: Sequence[str] = ()
    data: bytes = b""

    def read(self) -> Any:
        if self.data:
            return unpacked(self.data)
        return read_rows(self.folder, self.names, ("partition", [self.number]))


def _section(number: int, parts: Parts) -> _Section:
    if parts.folder is not None:
        return _Section(number, absolute(parts.folder), parts.names_for(number))
    pa, pc = library("pyarrow"), library("pyarrow.compute")
    own = [part.filter(pc.equal(part["partition"], number)) for part in parts.tables]
    return _Section(number, data=packed(pa.concat_tables(own)) if own else b"")


def _packed_distinct(keys: KeyMaker, partition: Any) -> bytes:
    return packed(keys.distinct(partition))


def _join(joiner: Joiner, partition: Any, section: _Section) -> Any:
    return joiner(partition, section.read())
