"""Writes the output: to a file that is either complete or not there, or to a stream.

Knows bytes and the sinks of Parquet and .xlsx; nothing of rows or calls.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from exactbuyer._files.atomic import Draft, mode_for, next_write_at, remove_left
from exactbuyer._files.waiting import WhileWaiting, descriptor_of, open_for_writing, write_some
from exactbuyer.cli.exit_codes import CommandError, ExitCode, FileError, UsageError
from exactbuyer.exceptions import ConfigError

from .files import BINARY, Location, StaysOpen, require

if TYPE_CHECKING:
    from exactbuyer._files.overwrite import OverwritePolicy


_MOST_PARTIALS = 1_000
_STANDARD_OUTPUT = 1
_DESCRIPTORS = re.compile(r"/dev/stdout|(?:/dev|/proc/self)/fd/(?P<number>[0-9]{1,9})")
"""Names of open descriptors."""
_FOLDER_ENDS = tuple(filter(None, (os.sep, os.altsep)))
"""What the name of a folder may end with."""
_LIBRARIES = {"pyarrow": "Arrow", "xlsxwriter": "XlsxWriter"}


def check_output(location: Location, overwrite: OverwritePolicy) -> Path | None:
    """Checks that the output may be written to a place.

    Returns:
        The path of the output file, with all links resolved; `None` for a stream, a pipe or a device.

    Raises:
        ConfigError: There is a file that may not be replaced.
        CommandError: Nothing can be written there.
    """
    if location.is_standard:
        if sys.stdout is None:
            raise FileError("there is no standard output: name a file with -o")
        if (location.kind in BINARY or location.packing) and sys.stdout.isatty():
            what = BINARY.get(location.kind, "what is compressed")
            raise UsageError(f"{what} is not written to a terminal: name a file with -o")
        descriptor = descriptor_of(sys.stdout)
        if descriptor is not None:
            overwrite.check_open(descriptor)
        return None
    path = Path(location.path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        # There is nothing, or a link to a file that does not exist yet.
        mode = None
    except OSError as error:
        why = "it is a link to itself" if error.errno == errno.ELOOP else error.strerror
        raise FileError(f"{location.path} cannot be written: {why}") from None
    is_folder = mode is not None and stat.S_ISDIR(mode)
    if is_folder or location.path.endswith(_FOLDER_ENDS):
        raise UsageError(f"{location.path} is a folder: name a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        # A pipe or a device is written to, not replaced.
        return None
    # Through a link, the file that it leads to is replaced, not the link.
    target = path.resolve()
    if not target.parent.is_dir():
        raise FileError(f"{location.path} cannot be written: make the folder {target.parent} first")
    overwrite.check(target)
    return target


class Output:
    """An output under construction: a temporary file beside its target, or a stream.

    Args:
        location: Where it goes.
        overwrite: What it may replace.
        while_waiting: Called again and again while the reader of a stream keeps it waiting.

    Raises:
        ConfigError: There is a file that may not be replaced.
        CommandError: Nothing can be written there.
    """

    def __init__(self, location: Location, overwrite: OverwritePolicy, while_waiting: WhileWaiting) -> None:
        self._location = location
        self._overwriting = overwrite
        self._while_waiting = while_waiting
        self._draft: Draft | None = None
        self._target: Path | None = None
        self.has_failed = False
        """Something could not be written. What is written after it would be in its place."""
        self._lacks_bytes = self._is_ended = False
        self._sink: Any = None
        try:
            with self._reporting_errors():
                self._raw = _Pieces(self._opened(), while_waiting)
                self._below = StaysOpen(self._raw)
                self._stream: Any = self._packed(self._raw)
        except BaseException:
            self.abandon()
            raise

    def expect(self, sink: Callable[[Any], Any]) -> None:
        """From now on, pieces are written by this sink, which gets the stream."""
        with self._reporting_errors():
            self._sink = sink(self._stream)

    def write(self, piece: Any) -> None:
        """Writes bytes, or what the sink takes."""
        with self._reporting_errors():
            if isinstance(piece, bytes) and not piece:
                return
            if self._sink is not None:
                self._sink.write(piece)
            else:
                self._stream.write(piece)
                if self._stream is not self._raw:
                    # A reader of the stream gets each piece at once. If the disk is full, the file ends
                    # after a whole piece.
                    self._stream.flush()
                self._raw.settle()

    def finish(self, notes: Mapping[str, Any]) -> None:
        """Moves the file to its place, once it is on the disk with these notes, if its kind can have any."""
        with self._reporting_errors():
            self._end(notes)
            if self._draft is not None and self._target is not None:
                try:
                    # Another program may have put a file there meanwhile.
                    self._overwriting.check(self._target)
                except ConfigError as trouble:
                    raise FileError(str(trouble)) from None
                self._draft.move(self._target, mode_for(self._target), replace=self._target.exists())
                self._draft = None
                remove_left(self._target)

    @property
    def has_delivered(self) -> bool:
        """Whether it is a stream that has every piece that was written, in a form that can be read."""
        return self._target is None and (self._sink is None or self._is_ended)

    @property
    def cut_after(self) -> int:
        """How many bytes of a piece are in the stream, if it could not be written to its end."""
        return self._raw.cut_after or 0 if self._stream is self._raw and self._sink is None else 0

    def keep(self, notes: Mapping[str, Any]) -> Path | None:
        """Keeps the partial output of an interrupted run under another name.

        Returns:
            Its path; `None` for a stream, or if it could not be kept.
        """
        # A sink that refused a piece can still end the file after the pieces before it.
        lacks_bytes = self._lacks_bytes or self._raw.cut_after is not None
        if not (lacks_bytes if self._sink is not None else self.has_failed):
            with suppress(Exception), self._reporting_errors():
                self._end(notes)
        if self._draft is None or self._target is None:
            return None
        # Partial text can be used. Parquet and .xlsx files without their end cannot be read.
        if self._sink is None or self._is_ended:
            with suppress(OSError):
                self._raw.cut()
                self._raw.close()
                return self._moved_aside(self._draft, self._target)
        self.abandon()
        return None

    def _moved_aside(self, draft: Draft, target: Path) -> Path:
        """Moves it beside the target under a new name: earlier partial outputs were paid for, too."""
        name, dot, suffixes = target.name.partition(".")
        for number in range(1, _MOST_PARTIALS):
            path = target.with_name(f"{name}.partial{f'-{number}' if number > 1 else ''}{dot}{suffixes}")
            with suppress(FileExistsError):
                draft.move(path, mode_for(target), replace=False)
                self._draft = None
                return path
        raise FileExistsError(target)

    def abandon(self) -> None:
        """Leaves nothing behind."""
        with suppress(Exception):
            # A compressed stream writes its end when it is collected.
            self._below.drops_writes = True
        with suppress(Exception):
            if self._sink is not None:
                self._sink.abandon()
        with suppress(Exception):
            self._raw.close()
        if self._draft is not None:
            self._draft.discard()
            self._draft = None

    def _opened(self) -> int:
        self._target = check_output(self._location, self._overwriting)
        if self._target is not None:
            self._draft = Draft(self._target)
            return self._draft.descriptor
        if self._location.is_standard:
            return os.dup(sys.stdout.fileno())
        return _stream_at(self._location.path, self._while_waiting)

    def _packed(self, pieces: _Pieces) -> Any:
        if self._location.packing == "gz":
            below = cast("IO[bytes]", self._below)
            return gzip.GzipFile(filename="", mode="wb", fileobj=below, compresslevel=6)
        if self._location.packing == "zst":
            pyarrow = require("pyarrow", "zstd")
            return pyarrow.CompressedOutputStream(pyarrow.PythonFile(self._below, mode="w"), "zstd")
        return pieces

    def _end(self, notes: Mapping[str, Any]) -> None:
        if self._raw.closed:
            return
        if self._sink is not None:
            self._sink.finish(notes)
        if self._stream is not self._raw:
            self._stream.close()
        if self._draft is not None:
            os.fsync(self._raw.fileno())
        self._raw.close()
        self._is_ended = True

    @contextmanager
    def _reporting_errors(self) -> Generator[None]:
        try:
            yield
        except BrokenPipeError:
            raise CommandError(ExitCode.PIPE_CLOSED) from None
        except OSError as error:
            self.has_failed = self._lacks_bytes = True
            name = "standard output" if self._location.is_standard else self._location.path
            why = error.strerror or "its disk or stream refuses it"
            raise FileError(f"{name} cannot be written: {why}") from error
        except CommandError:
            self.has_failed = True
            raise
        except BaseException as error:
            self.has_failed = True
            library = _LIBRARIES.get(type(error).__module__.partition(".")[0])
            if library is None:
                raise
            # The library's own message may show values.
            message = f"{self._location.path} cannot be written: {library} refuses its rows"
            raise FileError(message) from error


def _stream_at(path: str, while_waiting: WhileWaiting) -> int:
    """A descriptor of a pipe or a device. What is open already is not opened again by its name."""
    named = _DESCRIPTORS.fullmatch(path)
    if named is None:
        descriptor = open_for_writing(path, while_waiting)
    else:
        descriptor = os.dup(_STANDARD_OUTPUT if named["number"] is None else int(named["number"]))
    try:
        _check_stream(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_stream(descriptor: int) -> None:
    """Fails if nothing can be written there, which has to be known before anything is sent."""
    os.write(descriptor, b"")
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EEXIST, "another program has put a file there meanwhile")


class _Pieces(io.FileIO):
    """A file that can be cut back to its last complete piece, so a failed write leaves nothing behind."""

    def __init__(self, descriptor: int, while_waiting: WhileWaiting) -> None:
        super().__init__(descriptor, "w")
        self._while_waiting = while_waiting
        self.cut_after: int | None = None
        """How many bytes of a piece are in a stream, if it could not be written to its end."""
        self._is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        # With `>> out`, or after `(echo header; …) > out`, the file has content that stays.
        self._bytes = self._settled = next_write_at(descriptor) if self._is_file else 0

    def write(self, piece: Any) -> int:
        rest = memoryview(piece).cast("B")
        length = len(rest)
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
        except BaseException:
            if self._is_file:
                self.truncate(self._bytes)
                self.seek(self._bytes)
            else:
                self.cut_after = length - len(rest)
            raise
        self._bytes += length
        return length

    def _write_some(self, rest: memoryview) -> int:
        if self._is_file:
            return os.write(self.fileno(), rest)
        return write_some(self.fileno(), rest, self._while_waiting)

    def settle(self) -> None:
        """Marks what was written so far as complete."""
        self._settled = self._bytes

    def cut(self) -> None:
        """Removes what was written after the last `settle`."""
        if self._is_file and not self.closed:
            self.truncate(self._settled)
