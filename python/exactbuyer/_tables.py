"""Calls whose rows are a table's: outcomes become columns in the core, never objects of Python's.

Own how a table is cut into blocks, and what becomes of blocks that are complete. What kind of table it is, is
`frames`' affair; how a call waits, the doors'.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from . import _core
from ._calls import Call
from ._warnings import warn_of_column
from .exceptions import ConfigError
from .frames import COLUMNS_KEY, RECEIPT_KEY, Notes, frame_of, is_reader, looks_personal, shown
from .results import Results
from .streams import Intake, Stream
from .wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._calls import OnError
    from ._core import Batches, ByColumns, Rows, Run, Table
    from ._desk import Desk
    from ._readers import Reader
    from .columns import Wish
    from .frames import Cells, Frame
    from .progress import Watch
    from .receipt import Receipt
    from .settings import Settings

_ENOUGH_ROWS = 10
"""Fewer say nothing about a column."""
_NEARLY_ALL = 0.9
"""Even a column of dirty values has more of them that can be looked up."""

BLOCK_ROWS = 8_192
"""Rows of one record batch: enough for Arrow, and few enough that they are soon complete."""


class Job:
    """A table, and what is wanted of it.

    Args:
        data: The table.
        wish: What is wanted.
        settings: The enricher's.

    Raises:
        ConfigError: A column is missing, or in the way.
        TypeError: It is no table.
    """

    def __init__(self, data: object, wish: Wish, settings: Settings) -> None:
        if is_reader(data):
            raise ConfigError(
                "data can be read only once, batch by batch: here it has to be a table, such as "
                "reader.read_all() gives"
            )
        self.frame: Frame = frame_of(data)
        wish = wish.met(self.frame.names())
        self.table: Table = wish.table(large_text=self.frame.keeps_large_text())
        self.wish = wish
        self._names = self.table.names()
        self._known = dict(self.frame.added_before())
        before = self._known.get(wish.prefix, [])
        self.dropped = wish.replaced(self.frame.names(), self._names, before, self.frame.label)
        wish.check(self.frame.names(), self.frame.index_names())
        cells = {label: self.frame.cells(label) for label, _ in wish.by}
        region = None if wish.region is None else self.frame.cells(wish.region, is_region=True)
        self._by = by_columns(cells, region, wish, settings)
        self.rows = len(self._by)

    def parts(self) -> Iterator[Rows]:
        """The rows, read block by block."""
        for at in range(0, self.rows, BLOCK_ROWS):
            yield self._by.rows(at, at + BLOCK_ROWS, at)

    def all_rows(self) -> Rows:
        """The rows, read at once."""
        return self._by.rows(0, self.rows, 0)

    def done(self, blocks: list[Batches], receipt: Receipt) -> Any:
        """The table with its new columns, of the same kind as it was."""
        added = _core.Batches.concat(self.table, blocks)
        notes = Notes({RECEIPT_KEY: told(receipt)})
        notes[COLUMNS_KEY] = {**self._known, self.wish.prefix: self._names}
        return self.frame.beside(added, self.dropped, notes)


def in_a_table(reason: str) -> str:
    """Why a row cannot be looked up, where it is a cell and not a list that holds it."""
    return reason.replace(
        "give them as a list, in order of preference, or in a table say split",
        "say what stands between them, as in split=';'",
    )


def by_columns(cells: Mapping[Any, Cells], region: Cells | None, wish: Wish, settings: Settings) -> ByColumns:
    """The columns to look up.

    Args:
        cells: Their cells, by label.
        region: Those of the column of regions, if there is one.
        wish: What is wanted of them.
        settings: The enricher's.

    Raises:
        ConfigError: One cannot be looked up, or not be read.
    """
    given = [
        (_shown_to_core(label), kind, *cells[label], list(marks))
        for (label, kind), marks in zip(wish.by, wish.marks, strict=True)
    ]
    regions = None if region is None else (_shown_to_core(wish.region), *region)
    try:
        return _core.ByColumns(
            given, region=regions, default_region=settings.default_region, na_values=settings.na_values
        )
    except (ConfigError, MemoryError):
        raise
    except Exception as trouble:
        # What Arrow's C interface raises says nothing of whose column it is.
        columns = [(name, column) for name, _, column, *_ in given] + ([regions[:2]] if regions else [])
        at = next((column for column in columns if not _can_be_read(*column)), None)
        if at is None:
            raise
        name, column = at
        kind = getattr(column, "dtype", None) or getattr(column, "type", None) or type(column).__name__
        raise ConfigError(
            f"column {name!r} is of type {kind}, which cannot be read by Arrow's C interface: make it text "
            f"first"
        ) from trouble


def _shown_to_core(label: Any) -> str:
    # The core needs the name for what it raises, and for nothing else.
    return "with a person's name" if looks_personal(label) else str(label)


def _can_be_read(name: str, cells: object) -> bool:
    try:
        _core.ByColumns([(name, None, cells, "", [])])
    except Exception:  # noqa: BLE001 - the question is whether it raises
        return False
    return True


def told(receipt: Receipt) -> dict[str, Any]:
    """A receipt as plain numbers and texts, for a place that holds nothing else."""
    plain = asdict(receipt)
    plain["notes"] = [list(note) for note in receipt.notes]
    if receipt.credit_price is not None:
        each, currency = receipt.credit_price
        plain["credit_price"] = [str(each), currency]
    if receipt.inherited_since is not None:
        plain["inherited_since"] = receipt.inherited_since.isoformat()
    return plain


class GatheringCall(Call):
    """What both kinds of call with tables share."""

    where = ".table"
    table: Table
    wish: Wish

    def collect(self) -> None:
        self.run.gather(self.table)

    def conclude(self, on_error: OnError) -> Results:
        """As any call; and with a warning where `by` or `columns` seems to name the wrong thing."""
        results, receipt = super().conclude(on_error), self.receipt()
        if receipt.found >= _ENOUGH_ROWS:
            if named := self._own(self.table.unmet()):
                told = f"none of the {receipt.found:,} contacts found has a value for {named}"
                warn_of_column(f"{told}: is the path right?", results, receipt)
            if named := self._own(self.table.unfit()):
                told = f"no value of the contacts found fits {named}, which is null: is the type right?"
                warn_of_column(told, results, receipt)
        asked = receipt.rows - receipt.missing
        if asked >= _ENOUGH_ROWS and receipt.invalid > _NEARLY_ALL * asked:
            warn_of_column(self._suspicion(asked, receipt.invalid), results, receipt)
        return results

    def _own(self, names: list[str]) -> str:
        """Those of these columns that the user asked for by a path, in words."""
        paths = self.wish.own_paths
        return ", ".join(
            f"{self.wish.prefix}{name} (path {paths[name]!r})" for name in names if name in paths
        )

    def _suspicion(self, asked: int, invalid: int) -> str:
        many = f"all {invalid:,} rows" if invalid == asked else f"{invalid:,} of {count(asked, 'row')}"
        labels = [shown(label) for label, _ in self.wish.by]
        right = f"is {labels[0]} the right column" if len(labels) == 1 else "does by name the right columns"
        return f"{many} that hold something are invalid: {right}? {self.wish.prefix}reason says why"

    def _current_receipt(self) -> Receipt:
        return replace(super()._current_receipt(), misfits=self.table.misfits())

    def _whereabouts(self) -> str:
        return "What is known of every row is in the exception's .table."


class TableCall(GatheringCall):
    """A call whose table is there as a whole."""

    def __init__(self, run: Run, name: str, desk: Desk, watch: Watch) -> None:
        super().__init__(run, name, desk, watch)
        self._blocks: list[Batches] = []

    def begin(self, job: Job) -> None:
        """Says what the call is about: before anything else."""
        self._job = job
        self.table, self.wish = job.table, job.wish

    def feed(self, rows: Rows) -> None:
        """Gives the run the next rows, and takes what is ready meanwhile."""
        self.table.expect(len(rows))
        self._feed(rows)
        self.collect()
        self.tick()

    def kept_rows(self) -> int:
        return self._job.rows

    def rest(self) -> Results:
        self.table.finish(self._job.rows)
        self._blocks.extend(taken(self.table))
        return Results(table=self._job.done(self._blocks, self._current_receipt()))

    def _current_receipt(self) -> Receipt:
        receipt = super()._current_receipt()
        # Rows that a call broken off never read were not sent either.
        unread = self._job.rows - receipt.rows if self.over() else 0
        return replace(receipt, rows=receipt.rows + unread, not_sent=receipt.not_sent + unread)


class TableStreamCall(GatheringCall):
    """A call whose table comes and goes batch by batch; what is ready waits here to be handed out."""

    whole = False

    def __init__(self, run: Run, name: str, desk: Desk, watch: Watch) -> None:
        super().__init__(run, name, desk, watch)
        self.fed = 0
        self._handed_out = 0
        self._sources: deque[Any] = deque()
        self._ready: deque[tuple[Batches, Any]] = deque()

    def begin(self, reader: Reader) -> None:
        """Says what the call is about: before anything else."""
        self._reader = reader
        self.table, self.wish = reader.table, reader.wish

    @property
    def part_rows(self) -> int:
        """Most rows of one block: several have to fit into the window."""
        return max(1, min(BLOCK_ROWS, self.settings.window_rows // 4))

    def has_room(self) -> bool:
        """Whether the window has room for another block."""
        undelivered = self.fed - self._handed_out
        return not undelivered or undelivered + self.part_rows <= self.settings.window_rows

    def feed(self, rows: Rows, source: Any) -> None:
        """Gives the run more rows, and keeps what they came from."""
        self.fed += len(rows)
        self._sources.append(source)
        self.table.expect(len(rows))
        self._feed(rows)

    def collect(self) -> None:
        super().collect()
        # As in `taken`: no block is without its source, whenever a Ctrl-C comes.
        self._ready.extend(zip(taken(self.table), iter(self._sources.popleft, None)))  # noqa: B905

    def has_row(self) -> bool:
        """Whether :meth:`hand_out` has a block."""
        return bool(self._ready)

    def hand_out(self) -> Any:
        """The next block, joined with what it came from. Only after :meth:`has_row`."""
        block, source = self._ready[0]
        joined = self._reader.join(source, block)
        handed_out = self._handed_out + len(block)
        self._handed_out = handed_out
        del self._ready[0]
        return joined

    def handed_out(self) -> int:
        """How many rows the consumer has."""
        return self._handed_out

    def kept_rows(self) -> int:
        return self.fed - self._handed_out

    def waiting(self) -> int:
        """How many rows wait here to be handed out."""
        return sum(len(block) for block, _ in self._ready)

    def rest(self) -> Results:
        self.table.finish(0)
        self.collect()
        if not self._ready:
            return Results(first_row=self._handed_out)
        joined = [part for block, source in self._ready for part in self._reader.join(source, block)]
        return Results(first_row=self._handed_out, table=self._reader.whole(joined))

    def let_go(self) -> None:
        first_row = self.fed
        self._handed_out, self._sources, self._ready = first_row, deque(), deque()

    def _whereabouts(self) -> str:
        return "The rows that were not handed out yet are in the exception's .table."


def taken(table: Table) -> Iterator[Batches]:
    """The blocks of a table that are ready, in order.

    To be given to an `extend`: one C call from taking to keeping, so that a Ctrl-C can come before
    or after it, but not between, where blocks taken and not yet kept would be lost.
    """
    return chain.from_iterable(map(type(table).blocks, (table,)))


class TableIntake(Intake):
    """Between a reader and a run: as for rows, but what is read is a block of a table."""

    def feed(self, rows: Any) -> None:
        try:
            read = self._read(rows, first_row=self.call.fed)
        except Exception as trouble:  # noqa: BLE001 - raised in its place, after the rows before it
            self.end(trouble)
        else:
            cast("Any", self.call).feed(read, rows)


class TableStream(Stream):
    """Blocks of a table in the order of its rows, as they become known."""

    def __init__(self, call: TableStreamCall, reader: Reader) -> None:
        source = reader.parts(call.part_rows)
        super().__init__(cast("Any", call), reader.read, source)
        self._intake = TableIntake(cast("Any", call), reader.read)

    def parts(self) -> Iterator[Any]:
        """The batches of each block: a block of very large contacts has several."""
        for block in self:
            yield from cast("Any", block)
