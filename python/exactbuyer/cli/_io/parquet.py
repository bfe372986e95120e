"""Reads a Parquet file or a folder of them, and writes a Parquet file. Knows nothing of calls."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from exactbuyer.cli.exit_codes import FileError

from .files import Location, StaysOpen, require, spooled
from .sources import Source

GROUP_ROWS = 1 << 16
"""Rows in one row group of the output. Readers skip whole groups, and the writer holds one in memory."""

GROUP_BYTES = 64 << 20

_READ_BYTES = 1 << 20
_SUFFIXES = {".parquet", ".pq"}


class ParquetSource(Source):
    """Rows of a Parquet file, or of a folder of them in the order of their paths.

    In a folder, names of folders such as `country=US` are columns, too.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self.name = location.name
        with _reporting_errors(location):
            self._files, self.schema = _files_of(location)
            self.rows = sum(_opened(file).metadata.num_rows for file in self._files)
        self.names = list(self.schema.names)
        self.metadata = self.schema.metadata
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise FileError(f"{location.name} has two columns called {twice!r}: rename one of them")

    def parts(self, rows: int) -> Iterator[Any]:
        return self._read(rows, self.schema)

    def columns(self, rows: int, names: list[str]) -> Iterator[Any]:
        # Nothing else of the file is read.
        fields = [self.schema.field(name) for name in names]
        return self._read(rows, require("pyarrow", "Parquet").schema(fields))

    def table(self, part: Any) -> Any:
        return part

    def _read(self, rows: int, schema: Any) -> Iterator[Any]:
        with _reporting_errors(self._location):
            for file in self._files:
                reader = _opened(file)
                there = [name for name in reader.schema_arrow.names if name in schema.names]
                for batch in reader.iter_batches(rows, columns=there, use_threads=False):
                    if batch.num_rows:
                        # Texts in a Parquet file may have any bytes, and Arrow does not check them.
                        batch.validate(full=True)
                        yield _with_keys(batch, file.keys, schema)


class _File(NamedTuple):
    """One file, and the columns in the names of its folders."""

    where: Any
    keys: Mapping[str, Any]


def _with_keys(batch: Any, keys: Mapping[str, Any], schema: Any) -> Any:
    """A batch with the columns in the names of its folders."""
    pyarrow = require("pyarrow", "Parquet")
    columns = [
        batch.column(field.name)
        if field.name in batch.schema.names
        else pyarrow.repeat(pyarrow.scalar(keys.get(field.name), field.type), batch.num_rows)
        for field in schema
    ]
    return pyarrow.RecordBatch.from_arrays(columns, schema=schema)


def _opened(file: _File) -> Any:
    # Without read-ahead, which would load a whole row group. The service is slower than the disk anyway.
    return require("pyarrow.parquet", "Parquet").ParquetFile(
        file.where, pre_buffer=False, buffer_size=_READ_BYTES
    )


def files_in(folder: Path, seen: set[str] | None = None) -> Iterator[Path]:
    """The Parquet files in a folder, and in the folders in it, also behind links.

    As in Spark, names that begin with a dot, or with an underscore and have no `=`, are not data. Each folder
    is read once: `seen` has those that were, without links.
    """
    seen = set() if seen is None else seen
    real = os.path.realpath(folder)
    if real in seen:
        return
    seen.add(real)
    # Folders before links to them: the name of a folder may be that of a partition.
    for entry in sorted(folder.iterdir(), key=lambda entry: (entry.is_symlink(), entry.name)):
        if entry.name.startswith(".") or (entry.name.startswith("_") and "=" not in entry.name):
            continue
        # A link that leads nowhere is an error.
        if stat.S_ISDIR(entry.stat().st_mode):
            yield from files_in(entry, seen)
        elif entry.suffix.lower() in _SUFFIXES:
            yield entry


def _files_of(location: Location) -> tuple[list[_File], Any]:
    """The files of a location, in order, and the schema of their rows."""
    if location.is_stream:
        spool = _File(spooled(location), {})
        return [spool], _opened(spool).schema_arrow
    path = Path(location.path)
    path.stat()
    if not path.is_dir():
        file = _File(path, {})
        return [file], _opened(file).schema_arrow
    paths = sorted(str(file.absolute()) for file in files_in(path))
    if not paths:
        raise FileError(f"{location.name} contains no .parquet file")
    datasets = require("pyarrow.dataset", "Parquet")
    dataset = datasets.dataset(
        paths, format="parquet", partitioning="hive", partition_base_dir=str(path.absolute())
    )
    files: list[_File] = []
    first = None
    for fragment in dataset.get_fragments():
        first = first or fragment.physical_schema
        if not fragment.physical_schema.equals(first):
            raise FileError(
                f"{Path(fragment.path).relative_to(path.absolute())} has other columns, or other types, than "
                f"the first file of {location.name}: enrich it by itself"
            )
        files.append(_File(fragment.path, datasets.get_partition_keys(fragment.partition_expression)))
    return files, dataset.schema


@contextmanager
def _reporting_errors(location: Location) -> Generator[None]:
    pyarrow = require("pyarrow", "Parquet")
    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        # Arrow's own message may show content of the file.
        why = getattr(error, "strerror", None) or "it is not a Parquet file, or it is damaged"
        raise FileError(f"{location.name} cannot be read: {why}") from error


class ParquetSink:
    """Writes record batches as row groups."""

    def __init__(self, stream: IO[bytes], schema: Any) -> None:
        pyarrow, parquet = require("pyarrow", "Parquet"), require("pyarrow.parquet", "Parquet")
        self._schema: Any = pyarrow.schema(schema)
        self._stream = StaysOpen(stream)
        self._writer = parquet.ParquetWriter(
            pyarrow.PythonFile(self._stream, mode="w"), self._schema, compression="zstd"
        )
        self._tables: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, batches: Any) -> None:
        """Writes batches, now or with the next ones."""
        table = require("pyarrow", "Parquet").table(batches).cast(self._schema)
        self._tables.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Writes the last row group, and the end of the file with these notes."""
        self._write_group()
        self._writer.add_key_value_metadata({key: json.dumps(value) for key, value in notes.items()})
        self._writer.close()

    def abandon(self) -> None:
        """Writes nothing more, not even the end of the file."""
        self._stream.drops_writes = True
        self._writer.close()

    def _write_group(self) -> None:
        if self._tables:
            group = require("pyarrow", "Parquet").concat_tables(self._tables)
            self._writer.write_table(group, row_group_size=self._rows)
        self._tables, self._rows, self._bytes = [], 0, 0
