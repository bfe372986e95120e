"""A file under construction, beside the place where it will stand: locked for as long as its process lives.

So whoever writes there later can tell what a killed process has left, which may be full of people, from what
another one is still writing: on one machine, that is, as locks on network disks may not reach the others.
Knows nothing of what is in it.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

try:
    import fcntl as _fcntl
except ImportError:
    # There are no such locks, and nothing is taken for left.
    _fcntl = None  # type: ignore[assignment]

locks: ModuleType | None = _fcntl

_SUFFIX = ".exactbuyer.tmp"
# The name may be as long as names may be.
_NAME_LETTERS = 40
_ATTEMPTS = 3


class Draft:
    """A new file beside a target, and its lock.

    Args:
        target: Where it will stand.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self._begin(target)
        for _ in range(_ATTEMPTS):
            if _is_at(self.descriptor, self.path):
                return
            # Somebody found it before it was locked, and took it for left.
            os.close(self.descriptor)
            self.close()
            self._begin(target)

    def _begin(self, target: Path) -> None:
        self.descriptor, name = tempfile.mkstemp(_SUFFIX, _prefix_of(target), target.parent)
        self.path = Path(name)
        # Held by a descriptor of its own: until it is in its place, and not only until it is written.
        self._lock = os.dup(self.descriptor) if locks is not None else -1
        _locked(self.descriptor, wait=True)

    def close(self) -> None:
        """Gives up the lock: the file is in its place, or gone."""
        with suppress(OSError):
            os.close(self._lock)
        self._lock = -1


def remove_left(target: Path) -> None:
    """Removes what killed processes have left of the same target; whatever may be somebody's stays."""
    made_so = re.compile(re.escape(_prefix_of(target)) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX))
    with suppress(OSError):
        for path in [entry for entry in target.parent.iterdir() if made_so.fullmatch(entry.name)]:
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _locked(descriptor) and _is_at(descriptor, path):
                path.unlink()
        finally:
            os.close(descriptor)


def _prefix_of(target: Path) -> str:
    return f".{target.name[:_NAME_LETTERS]}."


def _locked(descriptor: int, *, wait: bool = False) -> bool:
    """Takes the lock; whether it could be had. Not every disk has locks."""
    if locks is None:
        return False
    try:
        locks.flock(descriptor, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
    except OSError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still stands there."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
