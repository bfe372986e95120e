"""Files that appear at their place whole or not at all.

A draft is written beside its target and then moved there. Its process holds a lock on it. So a later run can
distinguish a draft that a killed process has left, which may contain personal data, from a draft that another
process is still writing. This works on one machine: locks on network disks may not reach other hosts. Modes
and identities are set and checked on the open descriptor, never by name: another user who may write to the
folder can replace a draft by a link at any moment.

Windows has no such locks, and cannot move or remove a file that is open. There, a draft is closed before it
is moved. A closed draft that was not written for an hour counts as abandoned.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from .overwrite import is_of_a_store

try:
    import fcntl as _fcntl
except ImportError:
    _fcntl = None  # type: ignore[assignment]

locks: ModuleType | None = _fcntl

OWNER_ONLY = 0o600

MOVES_OPEN_FILES = os.name != "nt"
_ABANDONED_AFTER_S = 3_600.0

_SUFFIX = ".exactbuyer.tmp"
# The target's name may have the greatest possible length already.
_NAME_LETTERS = 40
_ATTEMPTS = 3
_PERMISSIONS = 0o777


class Draft:
    """A new file beside a target, with its lock.

    Only its owner can read it until it is moved. On Windows it has the access list that its
    folder gives to new files.
    """

    def __init__(self, target: Path) -> None:
        self._begin(target)
        for _ in range(_ATTEMPTS):
            if _is_at(self.descriptor, self.path):
                return
            # Another process found it before it was locked, and removed it as abandoned.
            os.close(self.descriptor)
            self.close()
            self._begin(target)

    def _begin(self, target: Path) -> None:
        # Always a new file, never an existing one: O_EXCL and O_NOFOLLOW.
        self.descriptor, name = tempfile.mkstemp(_SUFFIX, _prefix_of(target), target.parent)
        self.path = Path(name)
        # A descriptor of its own holds the lock until the file is in its place, not only until it is written.
        self._own = os.dup(self.descriptor)
        _locked(self.descriptor, wait=True)

    def move(self, target: Path, mode: int, *, replace: bool) -> None:
        """Moves the file to its place, and gives up the lock.

        Raises:
            FileExistsError: There is a file, and `replace` is false.
            OSError: The file cannot be moved.
        """
        self._check_at(self.path)
        if not MOVES_OPEN_FILES:
            # Without the mode: Windows would only mark the draft as read-only, and then not remove it.
            self._moved_closed(target, replace=replace)
            return
        # A disk without modes, as exFAT is, keeps the file as it was made: for its owner alone, if it can.
        with suppress(OSError):
            os.fchmod(self._own, mode)
        if replace:
            self.path.replace(target)
        elif not self._linked(target):
            self._claimed(target)
        self._check_at(target)
        self.close()
        # The new name has to outlive a power cut, too; not every system can sync a folder.
        with suppress(OSError, AttributeError):
            folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _moved_closed(self, target: Path, *, replace: bool) -> None:
        """Moves it in the way that Windows allows: first closes it, then renames it."""
        own = os.fstat(self._own)
        try:
            self.close()
            if replace:
                self.path.replace(target)
            else:
                self.path.rename(target)
        except BaseException:
            # The caller may move it to another place, or discard it.
            self._reopen(own)
            raise
        if not os.path.samestat(own, target.lstat()):
            raise _replaced(target)

    def _reopen(self, own: os.stat_result) -> None:
        """Opens the draft again, if it is still there and the same file."""
        with suppress(OSError):
            self._own = os.open(self.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
            if not os.path.samestat(own, os.fstat(self._own)):
                self.close()

    def _linked(self, target: Path) -> bool:
        """Moves it by a hard link, which never replaces a file. False: the disk has no hard links."""
        try:
            os.link(self.path, target)
        except OSError as error:
            # A network disk may report the failure of a link that it has made.
            if not _is_at(self._own, target):
                if isinstance(error, FileExistsError):
                    raise
                return False
        try:
            self.path.unlink()
        except OSError:
            # Not under two names, of which only one is known.
            target.unlink()
            raise
        return True

    def _claimed(self, target: Path) -> None:
        """Creates an empty file at the target. Replaces it by the draft if no other program has touched it.

        Python has no rename that refuses to replace a file. So if another program moves a file there, or
        writes into the empty file, between the check and the rename, its data is lost.
        If the process is killed in that instant, the empty file remains.
        """
        claim = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        try:
            if _is_empty_at(claim, target):
                self.path.replace(target)
                return
        except BaseException:
            with suppress(OSError):
                if _is_empty_at(claim, target):
                    target.unlink()
            raise
        finally:
            os.close(claim)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))

    def _check_at(self, path: Path) -> None:
        if not _is_at(self._own, path):
            raise _replaced(path)

    def discard(self) -> None:
        """Removes the file, and gives up the lock."""
        with suppress(OSError):
            if _is_at(self._own, self.path):
                if not MOVES_OPEN_FILES:
                    self.close()
                self.path.unlink()
        self.close()

    def close(self) -> None:
        """Gives up the lock: the file is in its place, or gone."""
        with suppress(OSError):
            os.close(self._own)
        self._own = -1


def _replaced(path: Path) -> OSError:
    return OSError(errno.ESTALE, "another program has replaced it meanwhile", str(path))


def next_write_at(descriptor: int) -> int:
    """The position in an open file at which the next byte is written."""
    # Windows has no files that only append.
    appends = locks is not None and locks.fcntl(descriptor, locks.F_GETFL) & os.O_APPEND
    return os.lseek(descriptor, 0, os.SEEK_END if appends else os.SEEK_CUR)


def mode_for(target: Path) -> int:
    """The permissions of the file that is replaced, else those of any new file."""
    with suppress(FileNotFoundError):
        there = target.lstat().st_mode
        if stat.S_ISREG(there):
            return stat.S_IMODE(there) & _PERMISSIONS
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def remove_left(target: Path) -> None:
    """Removes the drafts of the same target that killed processes have left, and no other file."""
    made_so = re.compile(re.escape(_prefix_of(target)) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX))
    with suppress(OSError):
        for path in [entry for entry in target.parent.iterdir() if made_so.fullmatch(entry.name)]:
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        if is_of_a_store(path):
            return
        if not MOVES_OPEN_FILES:
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                # Fails if it is open.
                path.unlink()
            return
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _locked(descriptor) and _is_at(descriptor, path):
                path.unlink()
        finally:
            os.close(descriptor)


def _prefix_of(target: Path) -> str:
    return f".{target.name[:_NAME_LETTERS]}."


def _locked(descriptor: int, *, wait: bool = False) -> bool:
    """Takes the lock. Returns whether that worked: not every disk has locks."""
    if locks is None:
        return False
    try:
        locks.flock(descriptor, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
    except OSError:
        return False
    return True


def _is_empty_at(descriptor: int, path: Path) -> bool:
    return os.fstat(descriptor).st_size == 0 and _is_at(descriptor, path)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether `path` is still the open file, and not a link to it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
