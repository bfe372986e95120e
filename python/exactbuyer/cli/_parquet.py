"""Parquet: a file, a folder of files, and what is written. Knows nothing of calls."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ._files import needed, spooled
from .endings import Ending, Stop

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from ._files import Place

GROUP_ROWS = 1 << 16
"""Rows of one row group that is written: what readers skip by, and what is held until then."""

GROUP_BYTES = 64 << 20


class ParquetSource:
    """Rows of a Parquet file, or of a folder of them in the order of their paths.

    Args:
        place: The file or folder. Of a folder, names such as `country=US` are columns, too.

    Raises:
        Stop: It cannot be read, or its files do not fit together.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self.name = place.name
        with _telling(place):
            if place.is_standard:
                self._opened: Any = needed("pyarrow.parquet", "Parquet").ParquetFile(spooled(place))
                self.schema: Any = self._opened.schema_arrow
                self.rows: int = self._opened.metadata.num_rows
            else:
                self._opened = _dataset(place)
                self.schema, self.rows = self._opened.schema, self._opened.count_rows()
        self.names: list[str] = list(self.schema.names)
        self.metadata: Mapping[bytes, bytes] | None = self.schema.metadata
        twice = next((name for name in self.names if self.names.count(name) > 1), None)
        if twice is not None:
            raise Stop(Ending.FILES, f"{place.name} has two columns called {twice!r}: rename one of them")

    def parts(self, rows: int) -> Iterator[Any]:
        """Its rows, in record batches of at most so many."""
        with _telling(self._place):
            batches = (
                self._opened.iter_batches(rows)
                if self._place.is_standard
                # One at a time and no more: what is read ahead is memory, and the network is slower.
                else self._opened.to_batches(
                    batch_size=rows, batch_readahead=1, fragment_readahead=1, use_threads=False
                )
            )
            yield from (batch for batch in batches if batch.num_rows)

    def table(self, part: Any) -> Any:
        """The part itself."""
        return part


def _dataset(place: Place) -> Any:
    datasets = needed("pyarrow.dataset", "Parquet")
    path = Path(place.path)
    path.stat()
    if not path.is_dir():
        return datasets.dataset(path.absolute(), format="parquet", partitioning=None)
    # As Spark and Arrow read a folder: names that begin with a dot or an underscore are notes.
    files = sorted(
        str(file.absolute())
        for suffix in ("parquet", "pq")
        for file in path.rglob(f"*.{suffix}")
        if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
    )
    if not files:
        raise Stop(Ending.FILES, f"{place.name} holds no .parquet file")
    dataset = datasets.dataset(
        files, format="parquet", partitioning="hive", partition_base_dir=str(path.absolute())
    )
    first, *others = dataset.get_fragments()
    for other in others:
        if not other.physical_schema.equals(first.physical_schema):
            raise Stop(
                Ending.FILES,
                f"{Path(other.path).relative_to(path.absolute())} has other columns, or other types, than "
                f"the first file of {place.name}: enrich it by itself",
            )
    return dataset


@contextmanager
def _telling(place: Place) -> Generator[None]:
    pyarrow = needed("pyarrow", "Parquet")
    try:
        yield
    except (OSError, pyarrow.ArrowException) as error:
        # Arrow's own words may show what is in the file.
        why = getattr(error, "strerror", None) or "it is no Parquet file, or a damaged one"
        raise Stop(Ending.FILES, f"{place.name} cannot be read: {why}") from error


class ParquetSink:
    """Writes record batches as row groups.

    Args:
        stream: Where to.
        schema: Anything that exports Arrow's schema.
        metadata: Put into the schema's.
    """

    def __init__(self, stream: IO[bytes], schema: Any, metadata: Mapping[str, str]) -> None:
        pyarrow, parquet = needed("pyarrow", "Parquet"), needed("pyarrow.parquet", "Parquet")
        made = pyarrow.schema(schema)
        self._schema: Any = made.with_metadata({**(made.metadata or {}), **metadata})
        self._stream = _Counting(stream)
        self._writer = parquet.ParquetWriter(
            pyarrow.PythonFile(self._stream, mode="w"), self._schema, compression="zstd"
        )
        self._tables: list[Any] = []
        self._rows = self._bytes = 0

    def write(self, batches: Any) -> None:
        """Writes batches, now or with the next ones."""
        table = needed("pyarrow", "Parquet").table(batches).cast(self._schema)
        self._tables.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Writes the rest, and the file's end with these notes in it."""
        self._write_group()
        self._writer.add_key_value_metadata({key: json.dumps(value) for key, value in notes.items()})
        self._writer.close()

    def abandon(self) -> None:
        """Writes nothing more: not even the end that Arrow would like to write."""
        self._stream.is_left = True
        self._writer.close()

    def _write_group(self) -> None:
        if self._tables:
            group = needed("pyarrow", "Parquet").concat_tables(self._tables)
            self._writer.write_table(group, row_group_size=self._rows)
        self._tables, self._rows, self._bytes = [], 0, 0


class _Counting:
    """A stream that knows how far it is, as a pipe does not."""

    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._at = 0
        self.is_left = False

    def write(self, piece: Any) -> int:
        self._at += len(piece)
        if not self.is_left:
            self._stream.write(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """There is nothing to flush before the end."""

    def close(self) -> None:
        """Leaves the stream open: it is somebody else's."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
