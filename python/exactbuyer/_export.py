"""A store's answers, written to a file of somebody else's format.

Owns the formats, and that a file is there whole or not at all. What a line says is the core's affair.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from .exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._core import StoreExport

_CONTACT = '"enriched_contact":'


def write_export(export: StoreExport, path: Path) -> int:
    """Writes every line to `path`, by its ending, and moves it into place once it is on the disk.

    Returns:
        How many there are.

    Raises:
        ConfigError: The path ends in something else.
        OSError: It cannot be written.
    """
    write = _writer(path)
    # Readable by its owner alone, as the store is.
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            written = write(file, iter(export.lines, []))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return written


def _writer(path: Path) -> Callable[[IO[bytes], Iterator[list[str]]], int]:
    name = path.name.lower()
    if name.endswith((".jsonl", ".ndjson")):
        return _write_lines
    if name.endswith((".jsonl.gz", ".ndjson.gz")):
        return _write_compressed
    if name.endswith(".parquet"):
        return _write_parquet
    raise ConfigError(f"path ends in .jsonl, .jsonl.gz or .parquet: it says the format; not {path.name!r}")


def _write_lines(file: IO[bytes], pages: Iterator[list[str]]) -> int:
    written = 0
    for lines in pages:
        file.write(("\n".join(lines) + "\n").encode())
        written += len(lines)
    return written


def _write_compressed(file: IO[bytes], pages: Iterator[list[str]]) -> int:
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, filename="") as compressed:
        return _write_lines(cast("IO[bytes]", compressed), pages)


def _write_parquet(file: IO[bytes], pages: Iterator[list[str]]) -> int:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigError(
            "to write .parquet, pyarrow is needed: pip install pyarrow, or export to .jsonl"
        ) from None
    schema: Any = pa.schema(
        [
            ("field_type", pa.string()),
            ("value", pa.string()),
            ("required_fields", pa.list_(pa.string())),
            ("status", pa.string()),
            ("fetched_at", pa.timestamp("ms", "UTC")),
            ("request", pa.int64()),
            ("enriched_contact", pa.string()),
        ]
    )
    written = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for lines in pages:
            columns: dict[str, list[Any]] = {name: [] for name in schema.names}
            for line in lines:
                for name, value in _cells(line).items():
                    columns[name].append(value)
            # A time is text here: Arrow reads it, to the millisecond.
            columns["fetched_at"] = pa.array(columns["fetched_at"]).cast(pa.timestamp("ms", "UTC"))
            writer.write_table(pa.table(columns, schema=schema))
            written += len(lines)
    return written


def _cells(line: str) -> dict[str, Any]:
    """A line's values; the contact as the text that it came as."""
    # The first of its kind: within a text its quotes would be escaped.
    at = line.index(_CONTACT)
    cells: dict[str, Any] = json.loads(line[:at].rstrip(",") + "}")
    found = cells["status"] == "found"
    cells["enriched_contact"] = line[at + len(_CONTACT) : -1] if found else None
    return cells
