"""One run from a file to a file: read, looked up, joined, written, as a stream.

Owns what becomes of rows that were paid for when a run does not come to its end. What is asked, and
what that costs, is the enricher's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from exactbuyer._desk import Terms
from exactbuyer._readers import Reader
from exactbuyer._tables import TableStream, TableStreamCall, told
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.frames import RECEIPT_KEY
from exactbuyer.progress import Watch

from ._joining import Outline, joiner_of, notes_of, schema_of
from ._output import Output
from ._sources import telling
from .endings import Ending, Stop, of_error, of_run

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer import BulkEnricher
    from exactbuyer._core import Batches, Rows
    from exactbuyer.columns import Wish
    from exactbuyer.progress import ProgressOption
    from exactbuyer.receipt import Receipt
    from exactbuyer.settings import Settings

    from ._files import Place
    from ._joining import Joiner
    from ._signals import Signals
    from ._sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be done.

    Attributes:
        source: What is read.
        rows: How many rows it has; `None` if nobody knows.
        place: Where the output goes.
        delimiter: What stands between its cells; `None`: as usual for its kind.
        wish: What is looked up, and which columns are added.
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


class _FileReader(Reader):
    """A source, as something that tables are made of."""

    joiner: Joiner

    def _open(self, data: Any) -> list[str]:
        self._source = data
        self._metadata = data.metadata
        return list(data.names)

    def parts(self, rows: int) -> Any:
        return self._source.parts(rows)

    def read(self, rows: Any, *, first_row: int) -> Rows:
        with telling(self._source.name):
            return super().read(rows, first_row=first_row)

    def join(self, source: Any, block: Batches) -> list[Any]:
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
        Stop: The output cannot be opened. Nothing was sent.
    """
    reader, outline = reader_of(job, enricher.settings)
    terms = Terms.checked(None, None, None)
    call = enricher._desk.begin(TableStreamCall, "enrich", terms, Watch(job.progress, job.rows))  # noqa: SLF001 - as its own doors do
    call.begin(reader)
    try:
        output = Output(job.place)
    except BaseException:
        call.break_off()
        raise
    try:
        if job.place.kind == "parquet":
            output.expect_tables(schema_of(outline), notes_of(outline))
        ended = _stream(call, reader, output, signals)
        receipt = call.receipt()
        if ended is None:
            notes = {RECEIPT_KEY: told(receipt)}
            with signals.held():
                output.write(reader.joiner.tail())
                output.finish(notes)
            kinds = [kind for kind, _, _ in call.run.troubles()]
            why = next((message for _, message, _ in call.run.troubles()), "")
            return Done(ending=of_run(kinds, receipt), receipt=receipt, message=why)
    except (Stop, KeyboardInterrupt) as trouble:
        ended = _ended(trouble, signals)
        receipt = call.receipt()
    except BaseException:
        output.abandon()
        raise
    ending, message, rest = ended
    kept = None
    if job.keep and (receipt.credits or receipt.credits_in_doubt):
        kept = _kept(output, rest or _left(enricher), {RECEIPT_KEY: told(receipt)})
    output.abandon()
    return Done(ending=ending, receipt=receipt, message=message, kept=kept)


_Ended = tuple[Ending, str, list[Any]]


def _stream(call: TableStreamCall, reader: _FileReader, output: Output, signals: Signals) -> _Ended | None:
    """Runs it; how it ended early, if it did, and what was not written then."""
    try:
        with TableStream(call, reader) as stream:
            with signals.held():
                output.write(reader.joiner.head())
            for block in stream:
                # Whole or not at all: half a line would make rubbish of the next.
                with signals.held():
                    for piece in cast("list[Any]", block):
                        output.write(piece)
    except (Stop, KeyboardInterrupt) as trouble:
        return _ended(trouble, signals)
    except ExactBuyerError as error:
        return of_error(type(error).__name__), str(error).partition(". What is known")[0], error.table or []
    return None


def _ended(trouble: BaseException, signals: Signals) -> _Ended:
    if isinstance(trouble, Stop):
        return trouble.ending, str(trouble), []
    return signals.ending, "stopped", getattr(trouble, "table", None) or []


def _left(enricher: BulkEnricher) -> list[Any]:
    """What a call that was broken off had paid for, and did not hand out."""
    try:
        return enricher.recover().table or []
    except KeyboardInterrupt:
        return []


def _kept(output: Output, rest: list[Any], notes: dict[str, Any]) -> Path | None:
    try:
        for piece in rest:
            output.write(piece)
    except (Stop, KeyboardInterrupt):
        # What is there is kept without it.
        pass
    return output.keep(notes)
