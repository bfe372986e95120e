"""What is read: a file as parts of some thousand rows, each with the columns to look up.

Parts keep whatever the file's kind has to give back byte for byte. Knows nothing of calls or output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from exactbuyer import _core
from exactbuyer.exceptions import ExactBuyerError

from .endings import Ending, Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._files import Place

DELIMITERS = {"csv": ",", "tsv": "\t"}
_CHECKED_ROWS = 1 << 16
_PEEKED_ROWS = 1_000


class Source(Protocol):
    """A file, opened: read once."""

    name: str
    names: list[str]

    @property
    def metadata(self) -> Mapping[bytes, bytes] | None:
        """What the file says of itself."""
        ...

    def parts(self, rows: int) -> Iterator[Any]:
        """Its rows, in parts of at most so many. Each has `column(name)` and a length."""
        ...

    def table(self, part: Any) -> Any:
        """A part as something of Arrow's."""
        ...


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of an input before anything is sent.

    Attributes:
        rows: How many rows it has; `None` of a stream.
        names: Its columns.
    """

    rows: int | None
    names: list[str]


class CsvSource:
    """Records of a CSV or TSV file.

    Args:
        place: The file.
        delimiter: What stands between cells.

    Raises:
        Stop: It cannot be read, or has no header.
    """

    metadata: Mapping[bytes, bytes] | None = None

    def __init__(self, place: Place, delimiter: str) -> None:
        self.delimiter = delimiter
        self.name = place.name
        self._splitter = _core.CsvSplitter(ord(delimiter))
        self._blocks = _as_text(place)
        header = None
        while header is None and self._feed():
            header = self._splitter.header()
        header = header or self._splitter.header()
        if header is None:
            raise Stop(Ending.FILES, f"{place.name} is empty: its first record has to name its columns")
        self.header = header
        self.names = header.names()

    def parts(self, rows: int) -> Iterator[_core.CsvPart]:
        more = True
        while more:
            while (part := self._splitter.take(rows)) is not None:
                yield part
            more = self._feed()
        yield from iter(lambda: self._splitter.take(rows), None)

    def table(self, part: _core.CsvPart) -> _core.Batches:
        with telling(self.name):
            return part.table()

    def trailer(self) -> bytes:
        """What follows the last record."""
        return self._splitter.trailer()

    def _feed(self) -> bool:
        """Reads on; whether there was more."""
        block = next(self._blocks, None)
        with telling(self.name):
            if block is None:
                self._splitter.finish()
            else:
                self._splitter.feed(block)
        return block is not None


class JsonSource:
    """Records of a JSON Lines file.

    Args:
        place: The file.
        names: The names that its objects have; `None`: those of its first thousand objects.

    Raises:
        Stop: It cannot be read.
    """

    metadata: Mapping[bytes, bytes] | None = None

    def __init__(self, place: Place, names: list[str] | None = None) -> None:
        self.name = place.name
        self._splitter = _core.JsonSplitter()
        self._blocks = _as_text(place)
        self._first: _core.JsonPart | None = None
        if names is None:
            self._first = next(self._read(_PEEKED_ROWS), None)
            names = [] if self._first is None else self.names_of(self._first)
        self.names = names

    def parts(self, rows: int) -> Iterator[_core.JsonPart]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._read(rows)

    def names_of(self, part: _core.JsonPart) -> list[str]:
        """The names that the objects of a part have."""
        with telling(self.name):
            return part.names()

    def table(self, part: _core.JsonPart) -> _core.Batches:
        with telling(self.name):
            return part.table(self.names)

    def trailer(self) -> bytes:
        """What follows the last record."""
        return self._splitter.trailer()

    def _read(self, rows: int) -> Iterator[_core.JsonPart]:
        for block in self._blocks:
            with telling(self.name):
                self._splitter.feed(block)
            while (part := self._splitter.take(rows)) is not None:
                yield part
        self._splitter.finish()
        yield from iter(lambda: self._splitter.take(rows), None)


class telling:  # noqa: N801 - it reads as a word of the `with` statement
    """Tells what is wrong with the text of a file as what it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Nothing is done before."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError) and not isinstance(error, ExactBuyerError):
            raise Stop(Ending.FILES, f"{self._name}: {error}") from None


def _as_text(place: Place) -> Iterator[bytes]:
    first = True
    for block in place.blocks():
        if first and block.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Stop(
                Ending.FILES,
                f"{place.name} is UTF-16: convert it first, as with iconv -f utf-16 -t utf-8, or save it as "
                f"CSV UTF-8",
            )
        first = False
        yield block


def opened(place: Place, delimiter: str | None, survey: Survey | None = None) -> Source:
    """Opens a place, to read it once.

    Args:
        place: The file, folder or stream.
        delimiter: What stands between cells; `None`: as usual for the kind.
        survey: What is known of it already.

    Raises:
        Stop: It cannot be read, or is not what it should be.
    """
    if place.kind == "parquet":
        from ._parquet import ParquetSource

        return ParquetSource(place)
    if place.kind == "jsonl":
        return JsonSource(place, survey.names if survey is not None else None)
    return CsvSource(place, delimiter or DELIMITERS[place.kind])


def surveyed(place: Place, delimiter: str | None) -> Survey:
    """Reads all of it once, so that whatever is wrong with it is known before anything is sent.

    Raises:
        Stop: It cannot be read, or is not what it should be.
    """
    source = opened(place, delimiter)
    if not isinstance(source, JsonSource):
        known: int | None = getattr(source, "rows", None)
        return Survey(sum(map(len, source.parts(_CHECKED_ROWS))) if known is None else known, source.names)
    rows, names = 0, dict.fromkeys(source.names)
    for part in source.parts(_CHECKED_ROWS):
        rows += len(part)
        names.update(dict.fromkeys(source.names_of(part)))
    return Survey(rows, list(names))
