"""One run from file to file: rows are read, looked up, joined and written as a stream.

Owns what happens to rows that were paid for when a run stops before its end. The enricher decides what is
sent.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from exactbuyer._for_cli import FileStream
from exactbuyer._frames.metadata import RECEIPT_KEY
from exactbuyer._frames.readers import TableReader
from exactbuyer.cli._io.joining import joiner_of, sink_of
from exactbuyer.cli._io.outline import Joiner, Outline
from exactbuyer.cli._io.output import Output
from exactbuyer.cli._io.rehearsal import rehearse
from exactbuyer.cli._io.sources import Source, file_errors
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.wording import count

from ._plan import check_readable
from ._words import in_options
from .exit_codes import CommandError, ExitCode, exit_code_of_error, exit_code_of_run

if TYPE_CHECKING:
    from exactbuyer import BulkEnricher
    from exactbuyer._core import Batches, Rows
    from exactbuyer._files.overwrite import OverwritePolicy
    from exactbuyer._frames.request import TableRequest
    from exactbuyer.cli._io.files import Location
    from exactbuyer.report.progress import ProgressOption
    from exactbuyer.report.receipt import Receipt
    from exactbuyer.settings import Settings

    from ._signals import Signals

logger = logging.getLogger("exactbuyer")


class Approval(NamedTuple):
    """What a run may spend, even if its input or the store change after the plan."""

    credits: int
    """The most credits."""
    is_least: bool
    """Whether this is less than what is left of the user's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What is to be done.

    Attributes:
        source: What is read.
        rows: How many rows it has; `None` if that is unknown.
        location: Where the output goes.
        overwrite: What it may replace there.
        table_request: What is looked up, and which columns are added.
        defuse: Whether added text that looks like a formula is written so that it is not one.
        progress: As for `enrich_table`.
        costs: Whether lookups cost money: the service is not a sandbox.
        approval: How much was approved, which it may spend; `None`: only the user's own limit applies.
        again: The advice about running the same command again, if the run may have cost something.
    """

    source: Source
    rows: int | None
    location: Location
    overwrite: OverwritePolicy
    table_request: TableRequest
    refresh: bool
    store_only: bool
    defuse: bool
    progress: ProgressOption
    costs: bool
    approval: Approval | None
    again: str


class KeptOutput(NamedTuple):
    """The rows that a stopped run could still write, if no store has all of its answers."""

    where: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended.

    Attributes:
        exit_code: The exit code.
        receipt: The receipt of the run.
        input_rows: How many rows the input has; `None` if that is unknown.
        is_whole: The output is in its place, with every row.
        costs: As in the `RunSpec`.
        is_stored: A store has all answers.
        unstored: How many answers the store does not have; 0 without a store.
        message: What went wrong, in one line; empty if nothing did.
        kept: The output that was kept, if the run did not complete and no store has all answers.
        lost_credits: Credits for answers that are then lost.
    """

    exit_code: ExitCode
    receipt: Receipt
    input_rows: int | None
    is_whole: bool
    costs: bool
    is_stored: bool
    unstored: int = 0
    message: str = ""
    kept: KeptOutput | None = None
    lost_credits: int = 0

    @property
    def spent(self) -> bool:
        """Whether something was paid for, or may have been."""
        return self.costs and bool(self.receipt.credits or self.receipt.credits_in_doubt)

    @property
    def is_lost(self) -> bool:
        """Whether something that was paid for is neither in its place nor in any store."""
        return self.spent and not (self.is_whole or self.is_stored)


class _Piece(NamedTuple):
    """What is written at once, the number of its rows, and how many of these were paid for."""

    content: Any
    rows: int
    paid: int


class _FileReader(TableReader):
    """A source, as something that tables are made of."""

    joiner: Joiner
    signals: Signals
    counts_paid = False
    """If the run does not complete, it must report what is lost, because no store keeps it."""

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._source = data
        return list(data.names), data.metadata

    def parts(self, rows: int) -> Iterator[Any]:
        parts = self._source.parts(rows)
        while True:
            # The input may be typed by a person, who may be slow.
            with self.signals.released():
                part = next(parts, None)
            if part is None:
                return
            yield part

    def read(self, rows: Any, *, first_row: int) -> Rows:
        with file_errors(self._source.name):
            return super().read(rows, first_row=first_row)

    def join(self, source: Any, block: Batches) -> list[Any]:
        with file_errors(self._source.name):
            sources = block.objects(f"{self.table_request.prefix}source")[0] if self.counts_paid else []
            return [_Piece(self.joiner.join(source, block), len(block), sources.count("paid"))]

    def whole(self, joined: list[Any]) -> Any:
        return joined


def check(source: Source, table_request: TableRequest, settings: Settings) -> None:
    """Checks the request against the columns of the input.

    Raises:
        ConfigError: A column is missing, or in the way.
    """
    _FileReader(source, table_request, settings)


def reader_of(spec: RunSpec, settings: Settings) -> tuple[_FileReader, Outline]:
    """The source with its columns checked.

    Raises:
        ConfigError: A column is missing, or in the way.
    """
    reader = _FileReader(spec.source, spec.table_request, settings)
    outline = Outline(spec.source, reader.table, spec.table_request, reader.dropped, defuse=spec.defuse)
    reader.joiner = joiner_of(outline, spec.location)
    return reader, outline


def run(spec: RunSpec, enricher: BulkEnricher, signals: Signals) -> RunResult:
    """Carries out the run.

    Raises:
        ConfigError: A column is missing, or in the way, or there is no key. Nothing was sent.
        CommandError: The output cannot be opened or written, or no row can be looked up, and nothing was
            sent; or a second signal came while its end was written.
    """
    reader, outline = reader_of(spec, enricher.settings)
    rehearse(outline, spec.table_request, reader.joiner, spec.location.kind, spec.rows)
    reader.signals = signals
    reader.counts_paid = spec.costs and enricher.settings.store is None
    stream = FileStream(
        enricher,
        reader,
        refresh=spec.refresh,
        store_only=spec.store_only,
        max_credits=None if spec.approval is None else spec.approval.credits,
        progress=spec.progress,
        rows=spec.rows,
        while_waiting=signals.released,
    )
    with signals.held():
        try:
            output = Output(spec.location, spec.overwrite)
        except BaseException:
            stream.leave()
            raise
        try:
            if (sink := sink_of(outline, spec.location.kind)) is not None:
                output.expect(sink)
            written = _Written(output)
            ended = _streamed(stream, reader, written, signals)
            if ended is None:
                check_readable(stream.receipt, spec.source.name)
                ended = _finished(stream, reader, output)
            if not stream.is_over:
                # After a second Ctrl-C, closing or recovering would wait for nothing.
                stream.close_enricher_at_once()
            return _concluded(ended, spec, stream, written, enricher)
        except KeyboardInterrupt:
            # A second signal while the end is written: by now it may have cost something.
            text = f"left at once, perhaps without the output; to go on, {spec.again}"
            raise CommandError(signals.exit_code, text) from None
        finally:
            output.abandon()


class _End(NamedTuple):
    """How a run ended, and what was not written then."""

    exit_code: ExitCode
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


def _streamed(stream: FileStream, reader: _FileReader, written: _Written, signals: Signals) -> _End | None:
    """Reads, looks up and writes; how that ended early, if it did."""
    try:
        with stream:
            written.output.write(reader.joiner.head())
            for block in stream:
                written.add(cast("list[_Piece]", block))
    except CommandError as stop:
        return _End(stop.exit_code, str(stop))
    except KeyboardInterrupt as interrupt:
        return _End(signals.exit_code, _BROKEN_OFF[signals.exit_code], getattr(interrupt, "table", None))
    except ExactBuyerError as error:
        kind = type(error).__name__
        # The core's message, because the exception's message also says where in Python the rows are.
        messages = (message for met, message in stream.troubles() if met == kind)
        return _End(exit_code_of_error(kind), in_options(next(messages, error.message)), error.table)
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no `Exception`
        with _ignoring_errors():
            # As after Ctrl-C, for no longer than the grace: what is in flight may have been paid for.
            stream.wait_until_over()
        return _End(*unexpected(error))
    return None


def _finished(stream: FileStream, reader: _FileReader, output: Output) -> _End:
    """Writes the end, and puts the output into its place."""
    receipt, troubles = stream.receipt, stream.troubles()
    try:
        output.write(reader.joiner.tail())
        output.finish({RECEIPT_KEY: receipt.to_dict()})
    except CommandError as stop:
        return _End(stop.exit_code, str(stop))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - as above
        return _End(*unexpected(error))
    exit_code = exit_code_of_run((kind for kind, _ in troubles), receipt)
    return _End(exit_code, in_options(next((message for _, message in troubles), "")), is_whole=True)


def unexpected(error: BaseException) -> tuple[ExitCode, str]:
    """The exit code, and what to say, after an error that no code expects: its own text may show people."""
    logger.debug("the traceback of the unexpected error", exc_info=error)
    what = f"unexpected error ({type(error).__name__})"
    if isinstance(error, MemoryError):
        return ExitCode.BUG, f"{what}: there is too little memory"
    return ExitCode.BUG, f"{what}: set EXACTBUYER_DEBUG=1 to see its traceback, and please report it"


@contextmanager
def _ignoring_errors() -> Generator[None]:
    """Leaves the block at its first error, and continues after the block. Ctrl-C is no error."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        logger.debug("not all of what was paid for could be kept", exc_info=error)


def _concluded(
    ended: _End, spec: RunSpec, stream: FileStream, written: _Written, enricher: BulkEnricher
) -> RunResult:
    """The result of the run. Keeps the rows that were paid for, if no store has them."""
    receipt = stream.receipt
    if ended.exit_code is ExitCode.CREDITS and (beyond := _beyond_approval(spec, receipt)):
        ended = ended._replace(message=beyond)
        receipt = replace(receipt, stopped=beyond)
    elif receipt.stopped:
        why = ended.message if ended.exit_code is ExitCode.FILES else _BROKEN_OFF.get(ended.exit_code)
        receipt = replace(receipt, stopped=why or in_options(receipt.stopped))
    done = RunResult(
        exit_code=ended.exit_code,
        receipt=receipt,
        input_rows=spec.rows,
        is_whole=ended.is_whole,
        costs=spec.costs,
        is_stored=stream.is_stored,
        unstored=stream.unstored,
        message=ended.message,
    )
    if not done.is_lost:
        return done
    output = written.output
    with _ignoring_errors():
        rest = ended.rest
        if rest is None and stream.is_over and (recovered := enricher.recover()) is not None:
            rest = recovered.table
        # After what does not fit, nothing more is written: it would hide that rows are missing there.
        if not output.has_failed:
            written.add(rest or [])
    path = output.keep({RECEIPT_KEY: receipt.to_dict()}) if written.rows else None
    where = None if path is None else str(path)
    if where is None and written.rows and output.is_stream and ended.exit_code is not ExitCode.PIPE_CLOSED:
        # The reader of the stream, or the file that it was sent to, has the rows.
        where = None if output.has_failed else "the output"
    kept = None if where is None else KeptOutput(where, written.rows)
    done = replace(done, kept=kept)
    return replace(done, lost_credits=_lost_credits(done, written))


def _lost_credits(done: RunResult, written: _Written) -> int:
    """Credits for answers that are neither in a store nor in what was kept, at most."""
    charged = done.receipt.credits
    if not done.receipt.in_store:
        return max(charged - (written.paid if done.kept is not None else 0), 0)
    if done.kept is not None and not written.output.has_failed:
        return 0
    # Each of these answers may have cost a credit. There is no number if the store itself is gone.
    return min(done.unstored or charged, charged)


def _beyond_approval(spec: RunSpec, receipt: Receipt) -> str:
    """What to say if the approval stopped the run, and not a limit that the user has set."""
    if not (spec.approval and spec.approval.is_least and receipt.stopped_error == "BudgetExceededError"):
        return ""
    return (
        f"this run may spend {count(spec.approval.credits, 'credit')}, and needs more than was planned: the "
        f"input or the store may have changed. To continue, {spec.again}"
    )


_BROKEN_OFF = {
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
    ExitCode.TERMINATED: "stopped by SIGTERM",
    ExitCode.PIPE_CLOSED: "stopped, as nobody reads the output any more",
}
