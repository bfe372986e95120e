"""One run from a file to a file: read, looked up, joined, written, as a stream.

Owns what becomes of rows that were paid for when a run does not come to its end. What is asked, and
what that costs, is the enricher's affair.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from exactbuyer._calls import TICK_S
from exactbuyer._readers import Reader
from exactbuyer._tables import TableStream, TableStreamCall, told
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.frames import RECEIPT_KEY
from exactbuyer.progress import Watch

from ._joining import Outline, joiner_of, sink_of
from ._output import Output
from ._rehearsal import rehearse
from ._sources import telling
from ._words import in_options
from .endings import Ending, Stop, of_error, of_run

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from exactbuyer import BulkEnricher
    from exactbuyer._core import Batches, Rows
    from exactbuyer._desk import Terms
    from exactbuyer._overwrite import Overwriting
    from exactbuyer.columns import Wish
    from exactbuyer.progress import ProgressOption
    from exactbuyer.receipt import Receipt
    from exactbuyer.settings import Settings

    from ._files import Place
    from ._joining import Joiner
    from ._signals import Signals
    from ._sources import Source

logger = logging.getLogger("exactbuyer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done.

    Attributes:
        source: What is read.
        rows: How many rows it has; `None` if nobody knows.
        place: Where the output goes.
        overwriting: What it may replace there.
        delimiter: What stands between its cells; `None`: as usual for its kind.
        wish: What is looked up, and which columns are added.
        terms: What else was settled for this run.
        defuse: Text that is added may not be a formula.
        progress: As for `enrich_table`.
        costs: What is asked is paid for: it is no sandbox that answers.
        again: What to say of running the same command again, after it may have cost something.
    """

    source: Source
    rows: int | None
    place: Place
    overwriting: Overwriting
    delimiter: str | None
    wish: Wish
    terms: Terms
    defuse: bool
    progress: ProgressOption
    costs: bool
    again: str


class Kept(NamedTuple):
    """What is left of a run that did not come to its end, and that no store remembers."""

    where: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it.

    Attributes:
        ending: The exit code.
        receipt: What it took.
        input_rows: How many rows the input has; `None` if nobody knows.
        is_whole: The output is in its place, with every row.
        costs: As the job's.
        message: What went wrong, in one line; empty if nothing did.
        kept: What is left of it, if it did not come to its end and no store remembers it.
        lost_credits: Credits for answers that are then nowhere.
    """

    ending: Ending
    receipt: Receipt
    input_rows: int | None
    is_whole: bool
    costs: bool
    message: str = ""
    kept: Kept | None = None
    lost_credits: int = 0

    @property
    def spent(self) -> bool:
        """Whether something was paid for, or may have been."""
        return self.costs and bool(self.receipt.credits or self.receipt.credits_in_doubt)

    @property
    def is_unkept(self) -> bool:
        """Whether what was paid for is neither in its place nor in any store."""
        return self.spent and not (self.is_whole or self.receipt.in_store)


class _FileCall(TableStreamCall):
    """A call that Ctrl-C interrupts while it waits, and nowhere else: no row falls between two places."""

    signals: Signals

    def step(self, timeout_s: float = TICK_S) -> None:
        with self.signals.released():
            self.run.wait(timeout_s)
        self.collect()
        self.tick()


class _Piece(NamedTuple):
    """What is written at once: of how many rows, and of how many that were paid for."""

    content: Any
    rows: int
    paid: int


class _FileReader(Reader):
    """A source, as something that tables are made of."""

    joiner: Joiner
    signals: Signals
    counts_paid = False
    """What is lost if the run does not come to its end has to be told: no store keeps it."""

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._source = data
        return list(data.names), data.metadata

    def parts(self, rows: int) -> Iterator[Any]:
        parts = self._source.parts(rows)
        while True:
            # Whoever types it may be slow.
            with self.signals.released():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def read(self, rows: Any, *, first_row: int) -> Rows:
        with telling(self._source.name):
            return super().read(rows, first_row=first_row)

    def join(self, source: Any, block: Batches) -> list[Any]:
        with telling(self._source.name):
            sources = block.objects(f"{self.wish.prefix}source")[0] if self.counts_paid else []
            return [_Piece(self.joiner.join(source, block), len(block), sources.count("paid"))]

    def whole(self, joined: list[Any]) -> Any:
        return joined


def check(source: Source, wish: Wish, settings: Settings) -> None:
    """Checks what is wanted against the columns that there are.

    Raises:
        ConfigError: A column is missing, or in the way.
    """
    _FileReader(source, wish, settings)


def reader_of(job: Job, settings: Settings) -> tuple[_FileReader, Outline]:
    """The source with its columns checked.

    Raises:
        ConfigError: A column is missing, or in the way.
    """
    reader = _FileReader(job.source, job.wish, settings)
    outline = Outline(job.source, reader.table, job.wish, reader.dropped, defuse=job.defuse)
    reader.joiner = joiner_of(outline, job.place.kind, job.delimiter)
    return reader, outline


def run(job: Job, enricher: BulkEnricher, signals: Signals) -> Done:
    """Does it.

    Args:
        job: What is to be done.
        enricher: Who does it.
        signals: Watched already.

    Returns:
        What became of it.

    Raises:
        ConfigError: A column is missing, or in the way, or there is no key. Nothing was sent.
        Stop: The output cannot be opened or written, and nothing was sent; or a second signal came while
            its end was written.
    """
    reader, outline = reader_of(job, enricher.settings)
    rehearse(outline, job.wish, reader.joiner, job.place.kind, job.rows)
    reader.signals = signals
    reader.counts_paid = job.costs and enricher.store is None
    desk = enricher._desk  # noqa: SLF001 - as its own doors do
    call = desk.begin(_FileCall, "enrich", job.terms, Watch(job.progress, job.rows))
    call.signals = signals
    call.begin(reader)
    with signals.held():
        try:
            output = Output(job.place, job.overwriting)
        except BaseException:
            call.break_off()
            raise
        try:
            if (sink := sink_of(outline, job.place.kind)) is not None:
                output.expect(sink)
            written = _Written(output)
            ended = _streamed(call, reader, written, signals)
            if ended is None:
                ended = _finished(call, reader, output)
            if not call.over():
                # After a second Ctrl-C whoever waits, in closing or recovering, would wait in vain.
                desk.close(0.0)
            return _concluded(ended, job, call, written, enricher)
        except KeyboardInterrupt:
            # A second signal while the end is written: by now it may have cost something.
            told = f"left at once, perhaps without the output; to go on, {job.again}"
            raise Stop(signals.ending, told) from None
        finally:
            output.abandon()


class _Ended(NamedTuple):
    """How a run ended, and what was not written then."""

    ending: Ending
    message: str = ""
    rest: list[_Piece] | None = None
    is_whole: bool = False


class _Written:
    """An output, and how much stands in it."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.rows = self.paid = 0

    def add(self, pieces: Iterable[_Piece]) -> None:
        """Writes more."""
        for piece in pieces:
            self.output.write(piece.content)
            self.rows += piece.rows
            self.paid += piece.paid


def _streamed(call: _FileCall, reader: _FileReader, written: _Written, signals: Signals) -> _Ended | None:
    """Reads, looks up and writes; how that ended early, if it did."""
    try:
        with TableStream(call, reader) as stream:
            written.output.write(reader.joiner.head())
            for block in stream:
                written.add(cast("list[_Piece]", block))
    except Stop as stop:
        return _Ended(stop.ending, str(stop))
    except KeyboardInterrupt as interrupt:
        return _Ended(signals.ending, _BROKEN_OFF[signals.ending], getattr(interrupt, "table", None))
    except ExactBuyerError as error:
        kind = type(error).__name__
        # What the core says of it; the exception adds where in Python the rows are.
        said = (message for met, message, _ in call.run.troubles() if met == kind)
        return _Ended(of_error(kind), in_options(next(said, str(error))), error.table)
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no `Exception`
        with _whatever_happens():
            # As after Ctrl-C, for no longer than the grace: what is in flight may have been paid for.
            while not call.over():
                call.step()
        return _unexpected(error)
    return None


def _finished(call: _FileCall, reader: _FileReader, output: Output) -> _Ended:
    """Writes the end, and puts the output into its place."""
    receipt, troubles = call.receipt(), call.run.troubles()
    try:
        output.write(reader.joiner.tail())
        output.finish({RECEIPT_KEY: told(receipt)})
    except Stop as stop:
        return _Ended(stop.ending, str(stop))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        return _unexpected(error)
    ending = of_run((kind for kind, _, _ in troubles), receipt)
    return _Ended(ending, in_options(next((message for _, message, _ in troubles), "")), is_whole=True)


def _unexpected(error: BaseException) -> _Ended:
    """After an error that no code here expects. Its message and its traceback may show personal data."""
    logger.debug("the traceback of the unexpected error", exc_info=error)
    what = f"unexpected error ({type(error).__name__})"
    if isinstance(error, MemoryError):
        return _Ended(Ending.BUG, f"{what}: there is too little memory")
    return _Ended(Ending.BUG, f"{what}: set EXACTBUYER_DEBUG=1 to see its traceback, and please report it")


@contextmanager
def _whatever_happens() -> Generator[None]:
    """Ends a block at its first error, and goes on behind it. Ctrl-C is no error."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        logger.debug("not all of what was paid for could be kept", exc_info=error)


def _concluded(ended: _Ended, job: Job, call: _FileCall, written: _Written, enricher: BulkEnricher) -> Done:
    """What became of it all; keeps what was paid for, if nothing else remembers it."""
    receipt = call.receipt()
    if receipt.stopped:
        why = ended.message if ended.ending is Ending.FILES else _BROKEN_OFF.get(ended.ending)
        receipt = replace(receipt, stopped=why or in_options(receipt.stopped))
    done = Done(
        ending=ended.ending,
        receipt=receipt,
        input_rows=job.rows,
        is_whole=ended.is_whole,
        costs=job.costs,
        message=ended.message,
    )
    if not done.is_unkept:
        return done
    output = written.output
    with _whatever_happens():
        rest = enricher.recover().table if ended.rest is None and call.over() else ended.rest
        # Behind what does not fit nothing more is written: it would hide that rows are missing there.
        if not output.has_failed:
            written.add(rest or [])
    path = output.keep({RECEIPT_KEY: told(receipt)}) if written.rows else None
    where = None if path is None else str(path)
    if where is None and written.rows and output.is_stream and ended.ending is not Ending.PIPE_CLOSED:
        # Whoever reads it, or the file that it was sent to, has them.
        where = None if output.has_failed else "the output"
    kept = None if where is None else Kept(where, written.rows)
    lost = receipt.credits - (written.paid if kept is not None else 0)
    return replace(done, kept=kept, lost_credits=max(lost, 0))


_BROKEN_OFF = {
    Ending.INTERRUPTED: "stopped by Ctrl-C",
    Ending.TERMINATED: "stopped by SIGTERM",
    Ending.PIPE_CLOSED: "stopped, as nobody reads the output any more",
}
