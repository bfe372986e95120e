"""One run from file to file: rows are read, looked up, joined and written as a stream.

Owns what happens to rows that were paid for when a run stops before its end. The enricher decides what is
sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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

from ._advice import WHY_BROKEN_OFF, KeptOutput, RunResult, again_in_words
from ._plan import check_readable
from ._words import in_options
from .exit_codes import CommandError, ExitCode, exit_code_of_error, exit_code_of_run, unexpected

if TYPE_CHECKING:
    from exactbuyer import BulkEnricher
    from exactbuyer._core import Batches, Rows
    from exactbuyer.cli._io.files import Location
    from exactbuyer.report.receipt import Receipt

    from ._command_options import CommandOptions
    from ._signals import Signals

logger = logging.getLogger("exactbuyer")


class Approval(NamedTuple):
    """What a run may spend, even if its input or the store change after the plan."""

    credits: int
    """The most credits."""
    is_least: bool
    """Whether this is less than what is left of the user's own limit."""


class _Piece(NamedTuple):
    """What is written at once, the number of its rows, and where their answers are from, if that counts."""

    content: Any
    rows: int
    sources: list[str]


class _FileReader(TableReader):
    """A source, as something that tables are made of."""

    joiner: Joiner
    signals: Signals
    counts_paid = False
    """If the run does not complete, it must report what is lost, because no store keeps it."""

    def _open(self, data: Any) -> tuple[list[str], Any]:
        self._source = data
        return list(data.names), data.metadata

    def parts(self, most_rows: Callable[[], int]) -> Iterator[Any]:
        parts = self._source.parts(most_rows())
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
            return [_Piece(self.joiner.join(source, block), len(block), sources)]

    def rest(self, ready: list[tuple[Batches, Any]]) -> Any:
        return [piece for block, source in ready for piece in self.join(source, block)]


def checked(source: Source, options: CommandOptions, enricher: BulkEnricher) -> _FileReader:
    """The source, with the columns that the options name.

    Raises:
        ConfigError: A column is missing, or in the way.
    """
    return _FileReader(source, options.table_request(source), enricher.settings)


class FileRun:
    """A run from file to file, how far it has come, and how it ended.

    Args:
        options: The options of the command.
        enricher: Decides what is sent.
        source: What is read.
        location: Where the output goes.
        approval: How much was approved, which it may spend; `None`: only the user's own limit applies.
        signals: What may interrupt it.

    Raises:
        ConfigError: A column is missing, or in the way, or there is no key. Nothing was sent.
        CommandError: The output cannot hold the rows. Nothing was sent.
    """

    def __init__(
        self,
        options: CommandOptions,
        enricher: BulkEnricher,
        source: Source,
        *,
        location: Location,
        approval: Approval | None,
        signals: Signals,
    ) -> None:
        self._enricher, self._source, self._location = enricher, source, location
        self._overwrite = options.overwrite(enricher, location)
        self._approval, self._signals = approval, signals
        self._costs = not options["sandbox"]
        has_store = enricher.settings.store is not None
        self._again = again_in_words(options, in_store=has_store, spent=self._costs)
        reader = checked(source, options, enricher)
        self._outline = Outline(source, reader, defuse=options["excel_safe"])
        self._joiner = reader.joiner = joiner_of(self._outline, location)
        rehearse(self._outline, self._joiner, location.kind)
        reader.warn_of_removed()
        reader.signals = signals
        reader.counts_paid = self._costs and not has_store
        self._stream = FileStream(
            enricher,
            reader,
            refresh=options["refresh"],
            store_only=options["store_only"],
            max_credits=None if approval is None else approval.credits,
            progress=options.progress,
            rows=source.rows,
            while_waiting=signals.released,
        )
        self._output_is_open = False
        self._reader_until: float | None = None
        self._written_rows = self._written_paid = 0
        self._rest: list[_Piece] | None = None
        """Pieces that were not written when it stopped."""
        self._exit_code, self._message, self._is_whole = ExitCode.BUG, "", False

    def carry_out(self) -> RunResult:
        """Reads, looks up and writes.

        Raises:
            CommandError: The output cannot be opened, or no row can be looked up, and nothing was sent; or a
                second signal came while its end was written.
        """
        with self._signals.held():
            try:
                self._output = Output(self._location, self._overwrite, self._while_output_waits)
            except BaseException:
                self._stream.leave()
                raise
            self._output_is_open = True
            try:
                if (sink := sink_of(self._outline, self._location.kind)) is not None:
                    self._output.expect(sink)
                if self._streamed():
                    check_readable(self._stream.receipt, self._source.name)
                    self._finish()
                if not self._stream.is_over:
                    # After a second Ctrl-C, closing or recovering would wait for nothing.
                    self._stream.close_enricher_at_once()
                return self._result()
            except KeyboardInterrupt:
                # A second signal while the end is written: by now it may have cost something.
                text = f"left at once, perhaps without the output; to go on, {self._again}"
                raise CommandError(self._signals.exit_code, text) from None
            finally:
                self._output.abandon()

    def _while_output_waits(self) -> None:
        """After a signal, lets a slow reader of the output take what was paid for, for the grace at most.

        Raises:
            KeyboardInterrupt: The output is not open yet.
            CommandError: The time is over, or a second signal has come.
        """
        signals = self._signals
        if not self._output_is_open:
            with signals.released():
                return
        if not signals.count:
            return
        now, grace_s = time.monotonic(), self._enricher.settings.grace
        if self._reader_until is None:
            self._reader_until = now + grace_s
            self._stream.stop_for_reader()
        if signals.count >= _AT_ONCE or now >= self._reader_until:
            signals.forget()
            raise CommandError(signals.exit_code, f"{WHY_BROKEN_OFF[signals.exit_code]} with output unread")

    def _write(self, pieces: Iterable[_Piece]) -> None:
        for piece in pieces:
            try:
                self._output.write(piece.content)
            except BaseException:
                # A stream has the beginning of what could not be written to its end.
                if cut_after := self._output.cut_after:
                    self._count_written(piece, self._joiner.whole_rows(piece.content[:cut_after]))
                raise
            self._count_written(piece, piece.rows)

    def _count_written(self, piece: _Piece, rows: int) -> None:
        self._written_rows += rows
        self._written_paid += piece.sources[:rows].count("paid")

    def _streamed(self) -> bool:
        """Reads, looks up and writes. Returns whether it came to the end of the input."""
        try:
            with self._after_requests_in_flight(), self._stream:
                self._output.write(self._joiner.head())
                for block in self._stream:
                    self._write(cast("list[_Piece]", block))
        except CommandError as stop:
            self._exit_code, self._message = stop.exit_code, str(stop)
        except KeyboardInterrupt as interrupt:
            self._exit_code = self._signals.exit_code
            self._message, self._rest = WHY_BROKEN_OFF[self._exit_code], getattr(interrupt, "table", None)
        except ExactBuyerError as error:
            kind = type(error).__name__
            # The core's message, because the exception's message also says where in Python the rows are.
            messages = (message for met, message in self._stream.troubles() if met == kind)
            self._exit_code, self._rest = exit_code_of_error(error), error.table
            self._message = in_options(next(messages, error.message))
        except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no `Exception`
            self._exit_code, self._message = unexpected(error)
        else:
            return True
        return False

    @contextmanager
    def _after_requests_in_flight(self) -> Generator[None]:
        """When the block ends, waits until no request is in flight, also after an error.

        What is in flight may have been paid for, and its reply has to reach the store. It gets the grace, as
        after Ctrl-C. After a second signal, nothing is waited for.
        """
        try:
            yield
        finally:
            if self._signals.count < _AT_ONCE:
                with _ignoring_errors():
                    self._stream.wait_until_over()

    def _finish(self) -> None:
        """Writes the end, and puts the output into its place."""
        receipt, troubles = self._stream.receipt, self._stream.troubles()
        try:
            self._output.write(self._joiner.tail())
            self._output.finish({RECEIPT_KEY: receipt.to_dict()})
        except CommandError as stop:
            self._exit_code, self._message = stop.exit_code, str(stop)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self._exit_code, self._message = unexpected(error)
        else:
            self._is_whole = True
            self._exit_code = exit_code_of_run((kind for kind, _ in troubles), receipt)
            self._message = in_options(next((message for _, message in troubles), ""))
            if receipt.not_stored and not troubles:
                lookups = count(receipt.not_stored, "lookup")
                self._message = f"the answers to {lookups} could not be stored"

    def _result(self) -> RunResult:
        """The result. Keeps the rows that were paid for, if no store has them."""
        receipt = self._stream.receipt
        if self._exit_code is ExitCode.CREDITS and (beyond := self._beyond_approval(receipt)):
            self._message = beyond
            receipt = replace(receipt, stopped=beyond)
        elif receipt.stopped:
            is_files = self._exit_code is ExitCode.FILES
            why = self._message if is_files else WHY_BROKEN_OFF.get(self._exit_code)
            receipt = replace(receipt, stopped=why or in_options(receipt.stopped))
        result = RunResult(
            exit_code=self._exit_code,
            receipt=receipt,
            input_rows=self._source.rows,
            is_whole=self._is_whole,
            costs=self._costs,
            is_stored=self._stream.is_stored,
            unstored=self._stream.unstored,
            message=self._message,
        )
        if not result.is_lost:
            return result
        kept = self._kept(receipt)
        return replace(result, kept=kept, lost_credits=self._lost_credits(result, is_kept=kept is not None))

    def _beyond_approval(self, receipt: Receipt) -> str:
        """What to say if the approval stopped the run, and not a limit that the user has set."""
        approval = self._approval
        if not (approval and approval.is_least and receipt.stopped_error == "BudgetExceededError"):
            return ""
        return (
            f"this run may spend {count(approval.credits, 'credit')}, and needs more than was planned: the "
            f"input or the store may have changed. To continue, {self._again}"
        )

    def _kept(self, receipt: Receipt) -> KeptOutput | None:
        """Writes the rest, and keeps what is written."""
        output = self._output
        with _ignoring_errors():
            rest = self._rest
            if rest is None and self._stream.is_over and (recovered := self._enricher.recover()) is not None:
                rest = recovered.table
            # After what does not fit, nothing more is written: it would hide that rows are missing there.
            if not output.has_failed:
                self._write(rest or [])
        if not self._written_rows:
            return None
        path = output.keep({RECEIPT_KEY: receipt.to_dict()})
        if path is not None:
            return KeptOutput(str(path), self._written_rows)
        # Of a pipe that was closed, nobody knows how much its reader had taken.
        is_kept = output.has_delivered and self._exit_code is not ExitCode.PIPE_CLOSED
        return KeptOutput("the output", self._written_rows) if is_kept else None

    def _lost_credits(self, result: RunResult, *, is_kept: bool) -> int:
        """Credits for answers that are neither in a store nor in what was kept, at most."""
        charged = result.receipt.credits
        if not result.receipt.in_store:
            return max(charged - (self._written_paid if is_kept else 0), 0)
        if is_kept and not self._output.has_failed:
            return 0
        # Each of these answers may have cost a credit. There is no number if the store itself is gone.
        return min(result.unstored or charged, charged)


@contextmanager
def _ignoring_errors() -> Generator[None]:
    """Leaves the block at its first error, and continues after the block. Ctrl-C is no error."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        logger.debug("not all of what was paid for could be kept", exc_info=error)


_AT_ONCE = 2
"""After so many signals, nothing is waited for."""
