"""Tells paths of files from addresses of databases. Pure.

An address may hold a password, so no message repeats it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from exactbuyer.report.message import wrong

from ._checks import check_text

if TYPE_CHECKING:
    from exactbuyer.exceptions import ConfigError

    from ._secret import Hidden

MOST_LETTERS = 4_096

_ADDRESS = re.compile(
    r"""
      ://                                   # postgresql://user:password@host/db, sqlite:///people.db
    | (^|[/\\])[a-z][a-z0-9+.-]+:[/\\]      # postgresql:/user:password@host/db, as pathlib writes it
    | (^|[/\\])\s*(file|sqlite|postgres|postgresql|mysql|jdbc)[0-9+a-z]*:   # file:people.db?mode=rw
    | (^|[/\\])[^/\\]+:[^/\\]*@             # user:password@host
    | \b(password|passwd|pwd)\s*=           # host=db user=me password=…
    | ^\s*:memory:\s*$
    """,
    re.IGNORECASE | re.VERBOSE,
)


def is_address(place: object) -> bool:
    """Whether this is a URL or another form of a database's address, and not the path of a file."""
    text: object = place
    if isinstance(place, os.PathLike):
        text = cast("object", os.fspath(cast("os.PathLike[str]", place)))
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    return isinstance(text, str) and _ADDRESS.search(text) is not None


def path_text(place: object) -> str | None:
    """A path as text; `None` if it is no path, or one of bytes."""
    try:
        text = cast("object", os.fspath(cast("os.PathLike[str]", place)))
    except TypeError:
        return None
    return text if isinstance(text, str) else None


def refuse_address(name: str) -> ConfigError:
    """The error to raise if an address was given instead of a path."""
    return wrong(
        name,
        "must be the path of a file, such as 'people.db': a URL or the address of a database is not "
        "supported, and nothing was made",
    )


def file_at(name: str, place: Hidden) -> Path:
    """The path that was given, checked.

    Args:
        name: The name of the argument.
        place: The value that was passed, hidden. The caller has removed it from its own frame: an address may
            contain a password, and a traceback that prints local variables must not show it.

    Raises:
        ConfigError: It is a database's address, or cannot be a path.
    """
    if is_address(place.expose()):
        raise refuse_address(name)
    text = path_text(place.expose())
    if text is None or not text.strip():
        raise wrong(name, "must be the path of a file, such as 'people.db'")
    check_path(name, text)
    return Path(text)


def check_path(name: str, path: str) -> None:
    """Refuses text that cannot be a path on any system.

    Raises:
        ConfigError: It is too long, or has half a surrogate pair or a control character.
    """
    check_text(name, path)
    if any(letter < " " for letter in path):
        raise wrong(name, "holds a line break or another control character, which no path can have")
    if len(path) > MOST_LETTERS:
        raise wrong(name, f"is a path of {len(path):,} characters: at most {MOST_LETTERS:,} are possible")
