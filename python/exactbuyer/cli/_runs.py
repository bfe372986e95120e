"""One run from a file to a file: read, looked up, joined, written, as a stream.

Owns what becomes of rows that were paid for when a run does not come to its end. What is asked, and
what that costs, is the enricher's affair.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from exactbuyer._calls import TICK_S
from exactbuyer._readers import Reader
from exactbuyer._tables import TableStream, TableStreamCall, told
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.frames import RECEIPT_KEY
from exactbuyer.progress import Watch

from ._joining import Outline, joiner_of, notes_of, schema_of
from ._output import Output
from ._sources import telling
from .endings import Stop, of_error, of_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exactbuyer import BulkEnricher
    from exactbuyer._core import Batches, Rows
    from exactbuyer._desk import Terms
    from exactbuyer.columns import Wish
    from exactbuyer.progress import ProgressOption
    from exactbuyer.receipt import Receipt
    from exactbuyer.settings import Settings

    from ._files import Place
    from ._joining import Joiner
    from ._signals import Signals
    from ._sources import Source
    from .endings import Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done.

    Attributes:
        source: What is read.
        rows: How many rows it has; `None` if nobody knows.
        place: Where the output goes.
        delimiter: What stands between its cells; `None`: as usual for its kind.
        wish: What is looked up, and which columns are added.
        terms: What else was settled for this run.
        defuse: Text that is added may not be a formula.
        progress: As for `enrich_table`.
        keep: What was paid for is kept under another name if the run does not come to its end, as
            nothing else remembers it.
    """

    source: Source
    rows: int | None
    place: Place
    delimiter: str | None
    wish: Wish
    terms: Terms
    defuse: bool
    progress: ProgressOption
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of it.

    Attributes:
        ending: The exit code.
        receipt: What it took.
        message: What went wrong, in one line; empty if nothing did.
        kept: Where rows are that were paid for, of a run that did not come to its end.
    """

    ending: Ending
    receipt: Receipt
    message: str = ""
    kept: Path | None = None


class _FileCall(TableStreamCall):
    """A call that Ctrl-C interrupts while it waits, and nowhere else: no row falls between two places."""

    signals: Signals

    def step(self, timeout_s: float = TICK_S) -> None:
        with self.signals.released():
            self.run.wait(timeout_s)
        self.collect()
        self.tick()


class _FileReader(Reader):
    """A source, as something that tables are made of."""

    joiner: Joiner
    signals: Signals

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
            return [self.joiner.join(source, block)]

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
        Stop: The output cannot be opened, and nothing was sent; or a second signal came while its end
            was written.
    """
    reader, outline = reader_of(job, enricher.settings)
    reader.signals = signals
    desk = enricher._desk  # noqa: SLF001 - as its own doors do
    call = desk.begin(_FileCall, "enrich", job.terms, Watch(job.progress, job.rows))
    call.signals = signals
    call.begin(reader)
    with signals.held():
        try:
            output = Output(job.place)
        except BaseException:
            call.break_off()
            raise
        try:
            if job.place.kind == "parquet":
                output.expect_tables(schema_of(outline), notes_of(outline))
            ended = _streamed(call, reader, output, signals)
            if ended is None:
                ended = _finished(call, reader, output)
            if not call.over():
                # After a second Ctrl-C whoever waits, in closing or recovering, would wait in vain.
                desk.close(0.0)
            return _concluded(ended, job, call, output, enricher)
        except KeyboardInterrupt:
            # A second signal while the end is written: by now it may have cost something.
            kept = "no store has what was paid for" if job.keep else "run the same command again"
            raise Stop(signals.ending, f"left at once, perhaps without the output: {kept}") from None
        finally:
            output.abandon()


class _Ended(NamedTuple):
    """How a run ended, and what was not written then."""

    ending: Ending
    message: str = ""
    rest: list[Any] | None = None
    is_whole: bool = False


def _streamed(call: _FileCall, reader: _FileReader, output: Output, signals: Signals) -> _Ended | None:
    """Reads, looks up and writes; how that ended early, if it did."""
    try:
        with TableStream(call, reader) as stream:
            output.write(reader.joiner.head())
            for block in stream:
                for piece in cast("list[Any]", block):
                    output.write(piece)
    except Stop as stop:
        return _Ended(stop.ending, str(stop))
    except KeyboardInterrupt as interrupt:
        return _Ended(signals.ending, "stopped", getattr(interrupt, "table", None))
    except ExactBuyerError as error:
        message, _, _ = str(error).partition(". What is known")
        return _Ended(of_error(type(error).__name__), message, error.table)
    return None


def _finished(call: _FileCall, reader: _FileReader, output: Output) -> _Ended:
    """Writes the end, and puts the output into its place."""
    receipt, troubles = call.receipt(), call.run.troubles()
    try:
        output.write(reader.joiner.tail())
        output.finish({RECEIPT_KEY: told(receipt)})
    except Stop as stop:
        return _Ended(stop.ending, str(stop))
    ending = of_run((kind for kind, _, _ in troubles), receipt)
    return _Ended(ending, next((message for _, message, _ in troubles), ""), is_whole=True)


def _concluded(ended: _Ended, job: Job, call: _FileCall, output: Output, enricher: BulkEnricher) -> Done:
    """What became of it all; keeps what was paid for, if nothing else remembers it."""
    receipt = call.receipt()
    kept = None
    if not ended.is_whole and job.keep and (receipt.credits or receipt.credits_in_doubt):
        rest = ended.rest
        # Of what does not fit, or cannot be written, what is there is kept.
        with suppress(Stop):
            if rest is None and call.over():
                rest = enricher.recover().table
            for piece in rest or []:
                output.write(piece)
        kept = output.keep({RECEIPT_KEY: told(receipt)})
    return Done(ending=ended.ending, receipt=receipt, message=ended.message, kept=kept)
