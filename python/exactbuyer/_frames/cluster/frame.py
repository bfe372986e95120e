"""What an engine must do, so that its frames can be enriched."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from .answers import Parts
    from .workers import Joiner, KeyMaker


class ClusterFrame:
    """A frame whose rows are on the workers of an engine. It is read twice: for the keys, and for the result.

    Data between the caller and the engine are pyarrow tables.
    """

    by_partition: ClassVar[bool] = False
    """Whether each partition reads answers of its own. Then they are written in order of the partitions."""

    def names(self) -> list[Hashable]:
        """Its columns' labels, in order."""
        raise NotImplementedError

    def empty(self) -> Any:
        """A table without rows that has the types that the workers see."""
        raise NotImplementedError

    def distinct(self, keys: KeyMaker) -> Iterator[tuple[int, Any]]:
        """Runs one job: the distinct rows of each partition, as `KeyMaker.distinct` returns them.

        Each comes with the number of its partition; it is 0 if the answers are not read by partition.
        """
        raise NotImplementedError

    def write(self, folder: str, name: str, answers: Any) -> None:
        """Writes a table as Parquet under this name in this folder, and replaces one that is there."""
        raise NotImplementedError

    def thread(self, run: Callable[[], None], **how: Any) -> Thread:
        """A thread that runs this, with what the engine keeps for the calling thread.

        `how` are arguments of `Thread`.
        """
        return Thread(target=run, **how)

    def joined(self, joiner: Joiner, parts: Parts) -> Any:
        """The frame with its new columns. Lazy: it only reads the answers."""
        raise NotImplementedError
