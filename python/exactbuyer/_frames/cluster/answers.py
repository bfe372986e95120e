"""The answers to the distinct rows of a frame: saved in parts while they arrive, in memory or as Parquet."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from exactbuyer._frames.libraries import library

if TYPE_CHECKING:
    from exactbuyer._core import Batches

    from .frame import ClusterFrame
    from .spool import Spool

PART_BYTES = 16 << 20
"""What a part has in memory, at least. Few parts are few jobs, but a part exists several times while it is
written.
"""

WAIT_S = 0.5
"""How long is waited at once: on Windows, a Ctrl-C comes only in between."""

ATTEMPTS = 3
"""How often a part is written before the call ends with the error: a job may be cancelled by others."""


class Parts(NamedTuple):
    """The answers that were saved: a column `key`, and those that are added.

    If they are read by partition, a column `partition` has the partition's number. A key that is in several
    partitions has a row for each of them.
    """

    tables: list[Any]
    """In memory; empty if they are in a folder."""
    folder: str | None
    names: list[str]
    """The parts in the folder."""
    partitions: list[Any] = []  # noqa: RUF012 - never changed
    """For each of them, the partitions that have rows in it, if they are read by partition."""

    def names_for(self, partition: int) -> list[str]:
        """The parts in which this partition has rows."""
        named = zip(self.names, self.partitions, strict=True)
        return [name for name, partitions in named if partition in partitions]


class _Part(NamedTuple):
    """A part that is being saved. It consists of the first `blocks` blocks."""

    blocks: int
    rows: int
    partitions: frozenset[int]
    saved: Future[Any]


class Answers:
    """Saves the answers of the rows of a spool: one part at a time, in a thread, while others are looked up.

    `blocks` are the blocks that may not be saved yet, in the order of the rows. Ctrl-C at any point loses
    nothing: a part is saved under the number of its first row, and is saved again if it may not have been
    saved.
    """

    def __init__(self, frame: ClusterFrame, spool: Spool, path: str | None) -> None:
        self.blocks: list[Batches] = []
        self._frame = frame
        self._spool = spool
        # A call reads only what it wrote itself, whatever else lies under the path.
        run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}"
        self.folder = None if path is None else f"{path.rstrip('/')}/{run}"
        self._first = 0
        self._parts: dict[int, tuple[Any, frozenset[int]]] = {}
        self._part: _Part | None = None
        self._writing = Lock()

    @property
    def received(self) -> int:
        """How many distinct rows have answers, saved or not."""
        return self._first + sum(map(len, self.blocks))

    def save(self, *, last: bool = False) -> None:
        """Starts to save the next part as soon as the previous one is saved. At the end, saves everything.

        If as many blocks wait as the part that is being saved has, this call waits, too, so that memory stays
        bounded.
        """
        while self.blocks:
            self._part = part = self._part or self._start_next(last=last)
            if part is None or not (last or part.saved.done() or len(self.blocks) >= 2 * part.blocks):
                return
            try:
                self._parts[self._first] = _result(part.saved), part.partitions
            except BaseException:
                if part.saved.done():
                    self._part = None
                raise
            rest = self.blocks[part.blocks :]
            # All or nothing: no function is called here, so a Ctrl-C cannot come in between.
            self._first, self.blocks, self._part = self._first + part.rows, rest, None

    def _start_next(self, *, last: bool) -> _Part | None:
        """Starts a thread with the next part; `None` if that is too small."""
        tables: list[Any] = []
        size = 0
        for block in self.blocks:
            tables.append(library("pyarrow").table(block))
            size += tables[-1].nbytes
            if size >= PART_BYTES:
                break
        if size < PART_BYTES and not last:
            return None
        answers = library("pyarrow").concat_tables(tables)
        first, rows, partitions = self._first, answers.num_rows, frozenset[int]()
        answers = answers.add_column(0, "key", self._spool.keys(first, first + rows))
        if self._frame.by_partition:
            pa = library("pyarrow")
            places, numbers = self._spool.partitions_of(first, first + rows)
            partitions = frozenset(numbers.tolist())
            answers = answers.take(pa.array(places)).append_column("partition", pa.array(numbers))
        return _Part(len(tables), rows, partitions, self._in_thread(first, answers))

    def _in_thread(self, first: int, answers: Any) -> Future[Any]:
        """Writes a part in a thread. The result is its name, or the part itself if there is no folder."""
        folder, name, part = self.folder, f"part-{first:012}", Future[Any]()
        if folder is None:
            part.set_result(answers)
            return part

        def run() -> None:
            try:
                # After a Ctrl-C, the same part may be written again: one after the other.
                with self._writing:
                    _tried(lambda: self._frame.write(folder, name, answers))
            except BaseException as error:  # noqa: BLE001 - raised where the part is waited for
                part.set_exception(error)
            else:
                part.set_result(name)

        # A daemon: after a second Ctrl-C, the process ends without waiting for the engine.
        self._frame.thread(run, name="exactbuyer-answers", daemon=True).start()
        return part

    def try_folder(self, nothing: Any) -> None:
        """Writes a part without rows to the folder, if there is one; the first answers replace it."""
        if self.folder is not None:
            _result(self._in_thread(0, nothing))

    def parts(self) -> Parts:
        """What was saved."""
        parts = [part for part, _ in self._parts.values()]
        partitions = [numbers for _, numbers in self._parts.values()]
        return Parts(parts, None, []) if self.folder is None else Parts([], self.folder, parts, partitions)


def _result(future: Future[Any]) -> Any:
    while not future.done():
        wait([future], WAIT_S)
    return future.result()


def _tried(write: Callable[[], Any], attempts: int = ATTEMPTS) -> None:
    try:
        write()
    except Exception:
        if attempts == 1:
            raise
        _tried(write, attempts - 1)
