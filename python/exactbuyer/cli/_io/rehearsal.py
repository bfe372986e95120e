"""Writes the first rows to a scratch file, before anything is sent.

This finds types and metadata that the output's kind of file cannot hold before the rows are paid for.
"""

from __future__ import annotations

import tempfile
from typing import IO, Any, cast

from exactbuyer._frames.joining import blank
from exactbuyer._frames.metadata import RECEIPT_KEY
from exactbuyer.cli.exit_codes import CommandError, FileError

from .excel_output import check_sheet
from .files import FileKind, require
from .outline import Joiner, Outline, schema_of
from .parquet import ParquetSink, ParquetSource
from .sources import CsvSource

_ROWS = 1_000


def rehearse(outline: Outline, joiner: Joiner, kind: FileKind) -> None:
    """Writes the first rows as if none of them had been sent."""
    source = outline.source
    if kind == "xlsx":
        # From another kind of file, notes above the header are not written.
        notes = source.lines_above if isinstance(source, CsvSource) and source.sheet is not None else 0
        check_sheet(outline, notes + 1)
    # Text can be written as any kind of file.
    part = next(source.parts(_ROWS), None) if isinstance(source, ParquetSource) else None
    if part is None and kind != "parquet":
        return
    try:
        piece = None if part is None else joiner.join(part, blank(outline.table_request, len(part)))
        if kind == "parquet":
            with tempfile.TemporaryFile() as scratch:
                _write_parquet(cast("IO[bytes]", scratch), outline, piece)
    except CommandError:
        raise
    except Exception as error:
        if not (isinstance(error, (OSError, ValueError)) or type(error).__module__.startswith("pyarrow")):
            raise
        # Arrow's own message may show values of the file.
        raise FileError(
            f"{source.name} cannot be written as {kind} with the columns that are added: {kind} cannot hold "
            f"the type of a column, or the file's metadata. Nothing was sent"
        ) from error


def _write_parquet(scratch: IO[bytes], outline: Outline, piece: Any) -> None:
    sink = ParquetSink(scratch, schema_of(outline))
    if piece is not None:
        sink.write(piece)
    sink.finish({RECEIPT_KEY: {}})
    scratch.flush()
    # Arrow can write metadata that is too large for it to read.
    require("pyarrow.parquet", "Parquet").ParquetFile(scratch).read()
