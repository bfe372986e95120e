"""Which files an output may replace: never a store, never an input, and of other files only earlier outputs.

Files are compared by device and inode, so that links and other spellings of a path are recognised. A store
that this process may have open is recognised without opening it: closing a descriptor of it could drop the
POSIX locks that the process has on it.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from exactbuyer._core import SIDE_FILES, reserved_end
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import Message

_MAGIC = (
    b"SQLite format 3\0",
    # A write-ahead log, in either byte order, and a rollback journal: https://sqlite.org/fileformat2.html
    b"\x37\x7f\x06\x82",
    b"\x37\x7f\x06\x83",
    b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",
)
_MAGIC_BYTES = max(map(len, _MAGIC))


@dataclass(frozen=True, slots=True, kw_only=True)
class OverwritePolicy:
    """Which existing files an output may replace.

    Attributes:
        stores: The stores that the call uses, whether they exist yet or not.
        inputs: The files and folders that the call reads.
        descriptors: Open files that it reads, such as standard input.
        is_earlier: Whether the file at a path is an earlier output of the same kind.
        force: Whether other files may be replaced, too, except stores and inputs.
        fix: What the message advises about other files.
    """

    stores: Iterable[Path] = ()
    inputs: Iterable[Path] = ()
    descriptors: Iterable[int] = ()
    is_earlier: Callable[[Path], bool]
    force: bool
    fix: str

    def check(self, target: Path) -> None:
        """Checks the place of an output, with all links resolved.

        Raises:
            ConfigError: The file there is a store, an input, or not an earlier output.
        """
        there = _status(target)
        self._check_spared(target, there)
        if self.force or there is None or not there.st_size or self.is_earlier(target):
            return
        raise ConfigError(
            Message(f"the output {target} exists and is not an earlier output of exactbuyer: ", self.fix)
        )

    def check_open(self, descriptor: int) -> None:
        """Checks an open file that is written to as a stream.

        Raises:
            ConfigError: It is a store or an input.
        """
        there = os.fstat(descriptor)
        if stat.S_ISREG(there.st_mode):
            # On Linux this is the file's path; on other systems only device and inode are compared.
            self._check_spared(Path(os.path.realpath(f"/dev/fd/{descriptor}")), there)

    def _check_spared(self, target: Path, there: os.stat_result | None) -> None:
        if _is_one_of(target, there, (file for store in self.stores for file in _files_of(store))):
            raise ConfigError(f"the output {target} is the store: name another file")
        end = reserved_end(target)
        if end is not None:
            raise ConfigError(
                f"the output {target} ends in {end}, like a side file of a store, which could delete or "
                f"overwrite it: name another file"
            )
        if _is_database(target):
            raise ConfigError(f"the output {target} is a store or another SQLite database: name another file")
        inputs = list(self.inputs)
        if _is_one_of(target, there, inputs) or _is_open(there, self.descriptors):
            raise ConfigError(f"the output {target} is also the input: name another file")
        for folder in filter(os.path.isdir, inputs):
            if _is_within(target, there, folder):
                raise ConfigError(
                    f"the output {target} is in the input folder {folder}: name a file elsewhere"
                )


def is_of_a_store(path: Path) -> bool:
    """Whether the file at this path is a SQLite database, or has the name of a side file of one."""
    return reserved_end(path) is not None or _is_database(path)


def _is_database(path: Path) -> bool:
    there = _status(path)
    if there is None or not stat.S_ISREG(there.st_mode):
        return False
    # With side files there is no need to open the file, which this process may have open.
    if any(os.path.lexists(f"{path}{end}") for end in SIDE_FILES):
        return True
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(_MAGIC_BYTES).startswith(_MAGIC)
    return False


def _files_of(store: Path) -> Iterable[Path]:
    real = Path(os.path.realpath(store))
    return [real, *(real.with_name(real.name + end) for end in SIDE_FILES)]


def _is_one_of(target: Path, there: os.stat_result | None, paths: Iterable[Path]) -> bool:
    """Whether the target is one of these files, or would be if names are compared without regard to case."""
    name = _folded(target)
    for path in paths:
        status = _status(path)
        if status is None or there is None:
            if _folded(Path(os.path.realpath(path))) == name:
                return True
        elif os.path.samestat(status, there):
            return True
    return False


def _is_open(there: os.stat_result | None, descriptors: Iterable[int]) -> bool:
    for descriptor in descriptors:
        with suppress(OSError):
            if there is not None and os.path.samestat(os.fstat(descriptor), there):
                return True
    return False


def _is_within(target: Path, there: os.stat_result | None, folder: Path) -> bool:
    if any(_is_same_folder(parent, folder) for parent in target.parents):
        return True
    # A file of the folder may have another name elsewhere.
    return there is not None and _is_one_of(target, there, folder.rglob("*"))


def _is_same_folder(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False


def _status(path: Path) -> os.stat_result | None:
    with suppress(OSError, ValueError):
        return path.stat()
    return None


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()
