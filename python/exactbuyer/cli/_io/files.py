"""The kinds of files, and how their bytes are read. Knows nothing of their content."""

from __future__ import annotations

import gzip
import io
import os
import shlex
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias, cast, get_args

from exactbuyer._files.waiting import WaitingInput
from exactbuyer.cli.exit_codes import FileError, UsageError

FileKind: TypeAlias = Literal["csv", "tsv", "jsonl", "parquet", "xlsx"]
Packing: TypeAlias = Literal["", "gz", "zst"]

KINDS: tuple[FileKind, ...] = get_args(FileKind)
BINARY = {"parquet": "Parquet", "xlsx": ".xlsx"}
"""The kinds that are not text, as messages call them."""
STANDARD = "-"
READ_BYTES = 1 << 18

_SUFFIXES: dict[str, FileKind] = {
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
    "pq": "parquet",
    "xlsx": "xlsx",
}
_SPREADSHEETS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
EXCEL = {"python_calamine": "python-calamine", "xlsxwriter": "XlsxWriter"}
"""The modules that read and write .xlsx files, and the packages that they are in."""
_PACKINGS: dict[str, Packing] = {"gz": "gz", "gzip": "gz", "zst": "zst", "zstd": "zst"}


@dataclass(frozen=True, slots=True)
class Location:
    """A file, a folder, or `-`: its kind, and how its content is laid out.

    Attributes:
        path: The path; `-` is standard input or output.
        kind: The kind of file.
        packing: The compression; `""` if there is none.
        delimiter: The character between its cells; `None`: that of its `sep=` line, else the usual one.
        sheet: The sheet to read; `None`: the first visible one.
        skip_rows: How many lines are above the header; `None`: the header is searched for.
        labels: The columns to look up, by which the header is found.
        encoding: The encoding of its text, or `encoding.BYTES`; `None`: UTF-8.
    """

    path: str
    kind: FileKind
    packing: Packing = ""
    delimiter: str | None = None
    sheet: str | None = None
    skip_rows: int | None = None
    labels: tuple[str, ...] = ()
    encoding: str | None = None

    @property
    def is_standard(self) -> bool:
        return self.path == STANDARD

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once, as a pipe can."""
        if self.is_standard:
            return True
        with reading(self):
            mode = Path(self.path).stat().st_mode
        return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))

    @property
    def name(self) -> str:
        return "standard input" if self.is_standard else self.path

    def blocks(self) -> Iterator[bytes]:
        """Its bytes, decompressed, as they come."""
        with reading(self), _opened(self) as stream:
            read = partial(getattr(stream, "read1", stream.read), READ_BYTES)
            yield from iter(read, b"")


@contextmanager
def reading(location: Location) -> Generator[None]:
    """Raises a failure to read a location as a `FileError`."""
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it is incomplete or damaged"
        raise FileError(f"{location.name} cannot be read: {why}") from error


def _opened(location: Location) -> IO[bytes]:
    if location.packing and not location.is_stream:
        with Path(location.path).open("rb") as stream:
            begins = stream.read(_MARK_BYTES)
        if begins and packing_of(begins) != location.packing:
            format_name = {"gz": "gzip", "zst": "zstd"}[location.packing]
            raise FileError(f"{location.name} is not a {format_name} file: pass its format with --from")
    if location.packing == "zst":
        pyarrow: Any = require("pyarrow", "zstd")
        source = pyarrow.PythonFile(standard_input()) if location.is_standard else location.path
        return cast("IO[bytes]", pyarrow.input_stream(source, compression="zstd"))
    if location.packing == "gz":
        return cast("IO[bytes]", gzip.open(standard_input() if location.is_standard else location.path))
    return standard_input() if location.is_standard else Path(location.path).open("rb")


def packing_of(begins: bytes) -> Packing:
    """The compression of data that begins with these bytes, at least two."""
    if begins.startswith(b"\x1f\x8b"):
        return "gz"
    # Some tools begin zstd data with a frame that readers skip: that is the second case.
    if begins.startswith(b"\x28\xb5\x2f\xfd") or (
        begins[1:4] == b"\x2a\x4d\x18" and begins[0] >> 4 == _SKIPPED
    ):
        return "zst"
    return ""


_MARK_BYTES = 4
_SKIPPED = 5


def standard_input() -> IO[bytes]:
    """Standard input, as bytes.

    Raises:
        FileError: There is none.
    """
    if sys.stdin is None:
        raise FileError("there is no standard input: name a file")
    # A descriptor of its own: closing it leaves the process's open.
    return io.BufferedReader(WaitingInput(os.dup(sys.stdin.fileno())))


def spooled(location: Location) -> IO[bytes]:
    """Copies a stream into a temporary file, for kinds that are not read from the beginning to the end."""
    with reading(location):
        spool = tempfile.TemporaryFile()  # noqa: SIM115 - whoever gets it closes it
        with _opened(location) as stream:
            shutil.copyfileobj(stream, spool)
        spool.seek(0)
        return spool


class StaysOpen(io.RawIOBase):
    """A stream for Arrow to write to. It counts its position, which a pipe does not know.

    Arrow's `close` does not close the stream.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._at = 0
        self.drops_writes = False
        """What is still written is dropped."""

    def write(self, piece: Any, /) -> int:
        if not self.drops_writes:
            self._stream.write(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._at

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """Does nothing."""


def require(library: str, what: str) -> Any:
    """Imports a library of an extra."""
    name, _, _ = library.partition(".")
    check_installed(name, what)
    return import_module(library)


def check_installed(module: str, what: str) -> None:
    """Checks that a module of an extra is installed."""
    if find_spec(module) is None:
        extra = (
            'pip install "exactbuyer[excel]"' if module in EXCEL else "pip install '.[cli]' in the checkout"
        )
        raise UsageError(f"{what} needs {EXCEL.get(module, module)}: {extra}")


def location_of(path: str, kind_name: str | None, option: str) -> Location:
    """The location of a path. Its kind is `kind_name`, as in `"csv.gz"`, else that of its suffix.

    `option` is the one that names the kind, for messages.
    """
    known = ", ".join(KINDS)
    if kind_name is not None:
        name, packing = _kind_and_packing(kind_name.lower().split("."))
        if name is None:
            raise UsageError(f"{option} is one of {known}, perhaps with .gz or .zst; not {kind_name!r}")
    elif path != STANDARD and os.path.isdir(path):  # noqa: PTH112 - False where it cannot be looked at
        name, packing = "parquet", ""
    else:
        name, packing = _kind_and_packing(Path(path).name.lower().split(".")[1:] if path != STANDARD else [])
        if name is None:
            raise UsageError(_no_suffix_message(path, option))
    if packing and name in BINARY:
        raise UsageError(f"{BINARY[name]} is compressed inside: leave out .gz and .zst")
    if name == "xlsx":
        for module in EXCEL:
            check_installed(module, ".xlsx")
    return Location(path, name, packing)


def _no_suffix_message(path: str, option: str) -> str:
    is_input = option == "--from"
    if path.lower().endswith(_SPREADSHEETS):
        if is_input:
            return f"{path} is another program's spreadsheet: save it as .xlsx or CSV, and pass that file"
        return f"{path}: no spreadsheets but .xlsx can be written: name a .xlsx or a .csv file"
    if is_input and path.lower().endswith(".json"):
        return f"{path}: if it has one object a line, pass --from jsonl; if it is an array: {in_lines(path)}"
    what = "a stream has no suffix" if path == STANDARD else f"{path} has an unknown suffix"
    return f"{what}: pass {option}, one of {', '.join(KINDS)}"


def in_lines(path: str) -> str:
    """The command that converts an array in this file into JSON Lines."""
    if path == STANDARD or path.lower().endswith(tuple(f".{suffix}" for suffix in _PACKINGS)):
        return "jq -c '.[]', once it is unpacked" if path != STANDARD else "jq -c '.[]'"
    suffix = ".lines.jsonl" if path.endswith(".jsonl") else ".jsonl"
    return f"jq -c '.[]' {shlex.quote(path)} > {shlex.quote(str(Path(path).with_suffix(suffix)))}"


def _kind_and_packing(parts: list[str]) -> tuple[FileKind | None, Packing]:
    packing = _PACKINGS.get(parts[-1], "") if parts else ""
    rest = parts[:-1] if packing else parts
    return (_SUFFIXES.get(rest[-1]) if rest else None), packing
