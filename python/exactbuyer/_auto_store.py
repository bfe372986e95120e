"""Where `store="auto"` puts a store.

That is the working directory or, if its disk cannot be relied on, a folder of this user on a local disk. The
core judges disks. Nothing here opens a store.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from . import _core
from ._warnings import warn_of_store

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ".exactbuyer"
"""Where stores lie that were given no path."""

_KEY_LETTERS = 16
_OTHERS = 0o077

_elsewhere: dict[str, str] = {}
"""Stores that were not put into the working directory, and why. Remembered, so that a disk is tried once."""

_told: set[str] = set()


def auto_path(service: str) -> str:
    """The file for the answers of this service, if the program is run in the working directory."""
    chosen, why = _choose(service)
    if why is not None:
        _elsewhere[str(chosen)] = why
    return str(chosen)


def warn_if_elsewhere(path: str | None) -> None:
    """Warns, once for each store that `auto_path` has chosen, if it is not in the working directory."""
    if path is None or path not in _elsewhere or path in _told:
        return
    _told.add(path)
    warn_of_store(
        f"a store in the working directory would lie {_elsewhere[path]}: answers to programs that are run "
        f"there are kept in {path} instead. To choose the place yourself, give store= a path on a local disk"
    )


def _choose(service: str) -> tuple[Path, str | None]:
    here, name = Path.cwd(), f"{service.replace(':', '_')}.db"
    usual = here / FOLDER / name
    # An empty store elsewhere would pay again for the answers of one that is there already. The core opens
    # that one or refuses it, and says how to move it.
    why = None if os.path.lexists(usual) else _core.disk_trouble(usual)
    if why is None:
        return usual, None
    key = sha256(os.fsencode(here)).hexdigest()[:_KEY_LETTERS]
    for folder in _own_folders():
        path = folder / key / name
        if _core.disk_trouble(path) is None:
            return path, why
    return usual, None


def _own_folders() -> Iterator[Path]:
    """Folders of this user, the more lasting first."""
    with suppress(RuntimeError):  # no home
        yield from filter(_can_be_made, [_state_folder() / "exactbuyer"])
    temporary = Path(tempfile.gettempdir()) / f"exactbuyer-{os.getuid()}"
    if _is_private(temporary):
        yield temporary


def _state_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    # https://specifications.freedesktop.org/basedir-spec: a relative path is to be ignored.
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".local" / "state"


def _can_be_made(folder: Path) -> bool:
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _is_private(folder: Path) -> bool:
    """Makes a folder where everybody may make some, and checks that it is this user's and nobody else's."""
    with suppress(OSError):
        folder.mkdir(mode=0o700)
    try:
        known = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(known.st_mode) and known.st_uid == os.getuid() and not known.st_mode & _OTHERS
