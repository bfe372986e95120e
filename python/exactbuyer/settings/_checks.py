"""Checks of texts, numbers and paths that several settings and arguments share.

The address of a database may hold a password, so no message repeats it.
"""

from __future__ import annotations

import operator
import os
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from exactbuyer.report.message import Term, wrong
from exactbuyer.report.wording import as_given

if TYPE_CHECKING:
    from exactbuyer.exceptions import ConfigError

    from ._secret import Hidden

_MOST_SHOWN = 2**53
"""A larger number is a limit of the type, and not one that people have to know."""

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


def is_torn(text: str) -> bool:
    """Whether a text cannot be passed on: it holds half a character (a lone surrogate) or a NUL."""
    return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def check_text(name: str, *texts: object) -> None:
    """Checks texts that are passed on; else a `ConfigError`."""
    if any(isinstance(text, str) and is_torn(text) for text in texts):
        raise wrong(name, "holds half a character or a NUL: write it anew")


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> str:
    """The text, if it is one of these; else a `ConfigError`."""
    if not isinstance(value, str) or value not in allowed:
        shown = as_given(value, allowed, is_word=True)
        raise wrong(name, f"must be {' or '.join(map(repr, allowed))}; got {shown}")
    return value


def whole(name: str, value: Any, least: int, most: int, *why: str) -> int:
    """The number, if it is whole and in this range; else a `ConfigError`, which says `why` after the range.

    numpy's integers are whole; booleans are not numbers.
    """
    number = None
    with suppress(TypeError):
        # Every integer has an index, and nothing that lost a fraction has one.
        number = operator.index(value)
    if number is None or isinstance(value, bool) or not least <= number <= most:
        fix = f": pass a number, as in {name}=5" if isinstance(value, str) else ""
        size = f"from {least:,}" if most > _MOST_SHOWN else f"from {least:,} to {most:,}"
        raise wrong(name, f"must be a whole number {size}", *why, f"; got {as_given(value)}{fix}")
    return number


MOST_AGE = timedelta(days=36_500)
"""The greatest age that a setting or an argument may name: 100 years."""


def seconds(name: str, value: Any, least: float, most: float, *why: str) -> float:
    """A duration in seconds, if it is in this range; else a `ConfigError` as that of `whole`."""
    if isinstance(value, timedelta) and least <= value.total_seconds() <= most:
        return value.total_seconds()
    return number(name, value, least, most, *why, what=Term("seconds"))


def number(name: str, value: Any, least: float, most: float, *why: str, what: str = "a number") -> float:
    """A number, if it is in this range; else a `ConfigError` as that of `whole`."""
    read = None
    if not isinstance(value, bool) and hasattr(value, "__float__"):
        with suppress(OverflowError, TypeError, ValueError):
            read = float(value)
    # NaN is in no range.
    if read is None or not least <= read <= most:
        raise wrong(name, "must be ", what, f" from {least:,} to {most:,}", *why, f"; got {as_given(value)}")
    return read


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
    return Path(os.path.expanduser(text))  # noqa: PTH111 - a home that is not known stays as it is


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
