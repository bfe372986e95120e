"""Calls whose rows are those of a table: the core writes outcomes into columns, without Python objects.

Owns what happens to blocks of a table that are complete. Kinds of tables are in `_frames`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from exactbuyer._frames.cluster.planner import ClusterInput
from exactbuyer._frames.labels import label_for_message
from exactbuyer._frames.readers import TableReader
from exactbuyer._frames.table_input import BLOCK_ROWS, TableInput, TableSource, block_rows
from exactbuyer.report._warnings import warn_of_column
from exactbuyer.report.columns import is_placeholder, unreadable_note
from exactbuyer.report.message import TABLE
from exactbuyer.report.wording import count
from exactbuyer.results import Results

from .call import Call
from .stream_call import StreamCall

if TYPE_CHECKING:
    from typing_extensions import Self

    from exactbuyer._core import Batches, Rows, Table
    from exactbuyer.report.columns import ColumnCount
    from exactbuyer.report.receipt import Receipt

    from .options import OnError

_ENOUGH_ROWS = 10
"""Fewer say nothing about a column."""
_NEARLY_ALL = 0.9
"""Even a column of dirty values has more of them that can be looked up."""
_ENOUGH_IF_ALL = 3
"""If not one value can be looked up, even the first rows of a table, which people try first, say enough."""


SourceT = TypeVar("SourceT", bound=TableSource)


class TableCallBase(Call, Generic[SourceT]):
    """What all calls for tables share."""

    words = TABLE
    where = ".table"
    source: SourceT
    _has_warned = False
    """Whether the caller was told that the table could not be joined."""

    def work_on(self, source: SourceT) -> Self:
        """Sets the table, before anything else."""
        self.source = source
        return self

    def feed(self, rows: Rows) -> None:
        self.source.table.expect(len(rows))
        super().feed(rows)

    def collect(self) -> None:
        self.run.gather(self.source.table)

    def _finish(self, rows: int) -> None:
        """No more outcomes come. There should have been so many rows."""
        if self.is_broken():
            self.source.table.lose()
        self.source.table.finish(rows)

    def conclude(self, on_error: OnError) -> Results:
        """As any call; and with a warning where `by` or `columns` seems to name the wrong thing."""
        results, receipt = super().conclude(on_error), self.receipt()
        if receipt.found >= _ENOUGH_ROWS:
            if named := self._own(self.source.table.unmet()):
                text = f"none of the {receipt.found:,} contacts found has a value for {named}"
                warn_of_column(f"{text}: is the path right?", results, receipt)
            if named := self._own(self.source.table.unfit()):
                text = f"no value of the contacts found fits {named}, which is null: is the type right?"
                warn_of_column(text, results, receipt)
        asked, suspicious = receipt.rows - receipt.missing, [*filter(_is_suspicious, receipt.columns)]
        is_nearly_all = asked >= _ENOUGH_ROWS and receipt.invalid > _NEARLY_ALL * asked
        if is_nearly_all or (suspicious and receipt.invalid == asked):
            warn_of_column(self._suspicion(asked, receipt.invalid), results, receipt)
        else:
            for column in suspicious:
                warn_of_column(unreadable_note(column), results, receipt)
        self.warn_if_unjoined(results)
        return results

    def warn_if_unjoined(self, results: Results) -> None:
        # Once: where warnings are errors, the next `recover()` returns the results.
        if self.source.unjoined is not None and not self._has_warned:
            self._has_warned = True
            warn_of_column(self.source.unjoined, results, self.receipt())

    def _places(self) -> str:
        why_other = "" if self.source.unjoined is None else f" ({self.source.unjoined})"
        return super()._places() + why_other

    def _own(self, names: list[str]) -> str:
        """Those of these columns that the user asked for by a path, in words."""
        paths = self.source.table_request.own_paths
        return ", ".join(
            f"{self.source.table_request.prefix}{name} (path {paths[name]!r})"
            for name in names
            if name in paths
        )

    def _suspicion(self, asked: int, invalid: int) -> str:
        many = f"all {invalid:,} rows" if invalid == asked else f"{invalid:,} of {count(asked, 'row')}"
        request = self.source.table_request
        labels = [label_for_message(label) for label, _ in request.by]
        right = f"is {labels[0]} the right column" if len(labels) == 1 else "does by name the right columns"
        return f"{many} that hold something are invalid: {right}? {request.prefix}reason says why"

    def _current_receipt(self) -> Receipt:
        receipt, request = super()._current_receipt(), self.source.table_request
        return replace(
            receipt,
            misfits=self.source.table.misfits(),
            reasons=f"{request.prefix}reason",
            columns=request.named(receipt.columns),
        )


class WholeTableCall(TableCallBase[SourceT]):
    """A call whose table is there as a whole."""

    def feed(self, rows: Rows) -> None:
        """Gives the run the next rows, and takes what is ready meanwhile."""
        super().feed(rows)
        self.collect()
        self.tick()

    def kept_rows(self) -> int:
        return self.source.rows

    def _current_receipt(self) -> Receipt:
        receipt = super()._current_receipt()
        # Rows that a stopped call never read were not sent either.
        unread = self.source.rows - receipt.rows if self.over() else 0
        return replace(receipt, rows=receipt.rows + unread, not_sent=receipt.not_sent + unread)

    def _where_results_are(self) -> str:
        return f"What is known of every row is in {self._places()}."


class TableCall(WholeTableCall[TableInput]):
    """A call for a table in memory."""

    def rest(self) -> Results:
        self._finish(self.source.rows)
        self.source.blocks.extend(taken(self.source.table))
        return Results(table=self.source.done(self._current_receipt()))


class ClusterCall(WholeTableCall[ClusterInput]):
    """A call for a frame of a cluster: its distinct rows are looked up, and their answers saved as they come.

    It knows all distinct rows before it sends anything, so it recognises duplicates without a store. It keeps
    all of them in memory, about 100 bytes each.
    """

    _fed = 0

    def feed(self, rows: Rows) -> None:
        while not self._has_room(len(rows)) and not self.over():
            self.step()
        # An error about settings would also refuse all other rows.
        if not self.refused():
            self._fed += len(rows)
            super().feed(rows)

    def _has_room(self, more: int) -> bool:
        undelivered = self._fed - self.source.answers.received
        return self.whole or not undelivered or undelivered + more <= self.settings.window_rows

    def collect(self) -> None:
        super().collect()
        self.source.answers.blocks.extend(taken(self.source.table))
        self.source.answers.save()

    def rest(self) -> Results:
        answers = self.source.answers
        self._finish(len(self.source.spool))
        answers.blocks.extend(taken(self.source.table))
        answers.save(last=True)
        return Results(table=self.source.done())

    def _current_receipt(self) -> Receipt:
        return replace(super()._current_receipt(), answers=self.source.answers.folder)


class StoredClusterCall(ClusterCall):
    """The same with a store, which recognises what was sent before: only some rows are in memory."""

    whole = False
    window = BLOCK_ROWS
    """Rows are distinct: a lookup comes again only as an alternative in a row with several columns."""


class TableStreamCall(TableCallBase[TableReader], StreamCall["list[Any]", "tuple[Batches, Any]"]):
    """A call whose table comes and goes batch by batch. It hands out blocks, each as a list of batches."""

    def __init__(self, *begun: Any) -> None:
        super().__init__(*begun)
        self._sources: deque[Any] = deque()

    @property
    def part_rows(self) -> int:
        # Begins with the size of one request and grows with the rows handed out, so that a consumer that
        # leaves early has not paid for whole blocks.
        most = block_rows(self.settings.window_rows)
        return min(most, max(self.settings.chunk_size, self._handed_out))

    def read(self, part: Any, first_row: int) -> Rows:
        # A block is read as a whole, or not at all.
        return self.source.read(part, first_row=first_row)

    def keep_part(self, part: Any) -> None:
        self._sources.append(part)

    def collect(self) -> None:
        super().collect()
        # As in `taken`: no block is without its source, whenever a Ctrl-C comes.
        self._ready.extend(zip(taken(self.source.table), iter(self._sources.popleft, None)))  # noqa: B905

    def hand_out(self) -> list[Any]:
        """The next block, joined with what it came from."""
        block, source = self._ready[0]
        joined = self.source.join(source, block)
        handed_out = self._handed_out + len(block)
        self._handed_out = handed_out
        del self._ready[0]
        return joined

    def waiting(self) -> int:
        return sum(len(block) for block, _ in self._ready)

    def rest(self) -> Results:
        self._finish(0)
        self.collect()
        if not self._ready:
            return Results(first_row=self._handed_out)
        return Results(first_row=self._handed_out, table=self.source.rest(list(self._ready)))

    def release_remaining(self) -> None:
        first_row = self.fed
        self._handed_out, self._sources, self._ready = first_row, deque(), deque()


def _is_suspicious(column: ColumnCount) -> bool:
    """Whether so few values can be looked up that the wrong column was probably named.

    A dash or a word for "unknown" says nothing about that.
    """
    placeholders = sum(cells for reason, cells in column.reasons if is_placeholder(reason))
    values, unreadable = column.values - placeholders, column.unreadable - placeholders
    if unreadable == values:
        return values >= _ENOUGH_IF_ALL
    return values >= _ENOUGH_ROWS and unreadable > _NEARLY_ALL * values


def taken(table: Table) -> Iterator[Batches]:
    """The blocks of a table that are ready, in order.

    Pass the result to `extend`. Taking and keeping the blocks are then one C call, so Ctrl-C comes before or
    after it. In between, blocks that were taken and not yet kept would be lost.
    """
    return chain.from_iterable(map(type(table).blocks, (table,)))
