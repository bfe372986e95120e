"""A store's answers, written to a file in a common format.

Owns the formats. The core decides what a line contains, and `_files/overwrite.py` what may be replaced.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from exactbuyer._files.atomic import OWNER_ONLY, Draft, remove_left
from exactbuyer._files.overwrite import OverwritePolicy
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import Message, Term, wrong

_COLUMNS = ("field_type", "value", "required_fields", "status", "fetched_at", "request", "enriched_contact")
_BEGINS = b'{"field_type":"'
# Rows to look up, as the API spells them, begin like a line of an export, but have no time.
_FETCHED = b'"fetched_at":"'
_LINE_BYTES = 65_536
# At least so many lines are written together: they are a row group of Parquet.
_LINES = 1_000
_CONTACT = '"enriched_contact":'

_Read: TypeAlias = Callable[[int], tuple[list[str], int] | None]


def write_export(read: _Read, path: Path, store: Path, *, force: bool) -> int:
    """Writes every line to `path`, by its ending, and moves it into place once it is on the disk.

    A link is followed. `read` is the core's `Store.export`, `store` the file of the store, and `force`
    whether a file that is no earlier export may be replaced. Returns the number of lines.

    Raises:
        ConfigError: The path has another ending, or is a store or a file that may not be replaced.
        OSError: It cannot be written.
    """
    write = _writer(path)
    target = Path(os.path.realpath(path))
    overwrite = OverwritePolicy(
        stores=[store],
        is_earlier=_is_export,
        force=force,
        fix=Message("name another file, or ", Term("force")),
    )
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    overwrite.check(target)
    draft = Draft(target)
    try:
        with os.fdopen(draft.descriptor, "wb") as file:
            written = write(file, _pages(read))
            file.flush()
            os.fsync(file.fileno())
        overwrite.check(target)
        # Readable by its owner alone, as the store is.
        draft.move(target, OWNER_ONLY, replace=target.exists())
    except BaseException:
        draft.discard()
        raise
    remove_left(target)
    return written


def _pages(read: _Read) -> Iterator[list[str]]:
    lines: list[str] = []
    after = 0
    # All answers of a page may have been purged.
    while page := read(after):
        more, after = page
        lines += more
        if len(lines) >= _LINES:
            yield lines
            lines = []
    if lines:
        yield lines


def _is_export(path: Path) -> bool:
    """Whether the file is an earlier export, by how it begins or by its columns."""
    try:
        if path.name.lower().endswith(".parquet"):
            parquet = cast("Any", import_module("pyarrow.parquet"))
            return list(parquet.read_schema(path).names) == list(_COLUMNS)
        opened = gzip.open if path.name.lower().endswith(".gz") else open
        with opened(path, "rb") as stream:
            # The export of a store without answers is empty.
            line = stream.readline(_LINE_BYTES)
            return not line or (line.startswith(_BEGINS) and _FETCHED in line)
    except (OSError, EOFError, ImportError, NotImplementedError, ValueError, zlib.error):
        # ValueError is the parent of what Arrow raises.
        return False


def _writer(path: Path) -> Callable[[IO[bytes], Iterator[list[str]]], int]:
    name = path.name.lower()
    if name.endswith((".jsonl", ".ndjson")):
        return _write_lines
    if name.endswith((".jsonl.gz", ".ndjson.gz")):
        return _write_compressed
    if name.endswith(".parquet"):
        return _write_parquet
    raise wrong("path", f"must end in .jsonl, .jsonl.gz or .parquet, which is the format; got {path.name!r}")


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
        pa, parquet = cast("Any", import_module("pyarrow")), cast("Any", import_module("pyarrow.parquet"))
    except ImportError:
        raise ConfigError(
            "to write .parquet, pyarrow is needed: pip install pyarrow, or export to .jsonl"
        ) from None
    schema = pa.schema(
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
