"""Where `store="auto"` puts a store if the environment does not name one.

That is the working directory or, if its disk cannot be relied on, the user's folder for state. It is never a
folder for temporary files: such a folder is deleted when its job ends, with the answers that were paid for.
The core judges disks. Nothing here opens a store.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path

from exactbuyer._core import disk_trouble
from exactbuyer.report._warnings import warn_of_store
from exactbuyer.report.message import Message, Term

STORE_VARIABLE = "EXACTBUYER_STORE"
"""Names the store that `"auto"` means, for containers and jobs whose working directory is not kept."""

NO_STORE = "none"
"""The value of this variable, and of the option --store, that means no store."""

FOLDER = ".exactbuyer"
"""Where stores lie that were given no path."""

_KEY_LETTERS = 16

_elsewhere: dict[str, str] = {}
"""Stores that were not put into the working directory, and why. Remembered, so that a disk is tried once."""

_warned: set[str] = set()


def auto_path(service: str) -> str:
    """The file for the answers of this service, if the program is run in the working directory."""
    chosen, why = _choose(service)
    if why is not None:
        _elsewhere[str(chosen)] = why
    return str(chosen)


def is_made_by_us(path: str) -> bool:
    """Whether the folder of this store is one that `auto_path` chooses, and so need not exist yet."""
    folder = Path(path).parent
    return path in _elsewhere or (folder.name == FOLDER and folder.parent.is_dir())


def warn_if_elsewhere(path: str | None) -> None:
    """Warns, once for each store that `auto_path` has chosen, if it is not in the working directory."""
    if path is None or path not in _elsewhere or path in _warned:
        return
    _warned.add(path)
    warn_of_store(
        Message(
            f"a store in the working directory would lie {_elsewhere[path]}: answers to programs that are "
            f"run there are kept in {path} instead. To choose the place yourself, set ",
            Term("store"),
            " to a path on a local disk",
        )
    )


def _choose(service: str) -> tuple[Path, str | None]:
    here, name = Path.cwd(), f"{service.replace(':', '_')}.db"
    usual = here / FOLDER / name
    # An empty store elsewhere would pay again for the answers of one that is there already. The core opens
    # that one or refuses it, and says how to move it.
    why = None if os.path.lexists(usual) else disk_trouble(usual)
    if why is None:
        return usual, None
    state = _state_folder()
    if state is not None and _can_be_made(state):
        path = state / sha256(os.fsencode(here)).hexdigest()[:_KEY_LETTERS] / name
        if disk_trouble(path) is None:
            return path, why
    # The core refuses it when it is opened, and says what to do.
    return usual, None


def _state_folder() -> Path | None:
    """The folder for this package's state; `None` if the user has no home."""
    if os.name == "nt":
        local = Path(os.environ.get("LOCALAPPDATA", ""))
        return local / "exactbuyer" if local.is_absolute() else None
    # https://specifications.freedesktop.org/basedir-spec: a relative path is to be ignored.
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    if sys.platform != "darwin" and named.is_absolute():
        return named / "exactbuyer"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    parts = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "state")
    return home.joinpath(*parts, "exactbuyer")


def _can_be_made(folder: Path) -> bool:
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
