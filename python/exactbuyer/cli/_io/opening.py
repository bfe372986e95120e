"""Opens an input by its kind, and reads it once before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exactbuyer._frames.request import FIXED_COLUMNS
from exactbuyer.cli.exit_codes import CommandError

from .encoding import BYTES
from .excel_input import ExcelSource, names_of
from .parquet import ParquetSource
from .sources import DELIMITERS, CsvSource, JsonSource, Source

if TYPE_CHECKING:
    from .files import Location


_CHECKED_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of an input before anything is sent: how many rows it has, and its columns."""

    rows: int
    names: list[str]


def opened(location: Location, survey: Survey | None = None) -> Source:
    """Opens a location, to read it once."""
    source: Source
    if location.kind == "parquet":
        source = ParquetSource(location)
    elif location.kind == "jsonl":
        source = JsonSource(location, survey.names if survey is not None else None)
    else:
        kind = ExcelSource if location.kind == "xlsx" else CsvSource
        source = kind(location, is_surveyed=survey is not None)
    if survey is not None:
        source.rows = survey.rows
    return source


def is_enriched(location: Location) -> bool:
    """Whether a file is an earlier output: it has the columns that every output has, under any prefix."""
    if location.kind not in DELIMITERS:
        return _has_fixed_columns(location)
    # It may have been written with another delimiter, and with bytes that are not text.
    tried = dict.fromkeys((location.delimiter, *DELIMITERS.values(), ";", "|"))
    return any(_has_fixed_columns(replace(location, delimiter=each, encoding=BYTES)) for each in tried)


def _has_fixed_columns(location: Location) -> bool:
    try:
        if location.kind == "xlsx":
            return _are_enriched(names_of(location))
        is_text = location.kind in DELIMITERS
        source = CsvSource(location, is_surveyed=True) if is_text else opened(location)
    except CommandError:
        return False
    # JSON Lines without a row: nothing can be lost.
    return not source.names or _are_enriched(source.names)


def _are_enriched(names: list[str]) -> bool:
    first, *others = FIXED_COLUMNS
    prefixes = (name.removesuffix(first) for name in names if name.endswith(first))
    return any(set(names).issuperset(prefix + other for other in others) for prefix in prefixes)


def surveyed(source: Source) -> Survey:
    """Reads the whole input to its end, so that its errors are found before anything is sent."""
    if source.rows is not None:
        return Survey(source.rows, source.names)
    rows, names, parts = 0, dict.fromkeys(source.names), source.parts(_CHECKED_ROWS)
    for part in parts:
        rows += len(part)
        if isinstance(source, JsonSource):
            names.update(dict.fromkeys(source.names_of(part)))
    return Survey(rows, list(names))
