"""The log of the package, for people who have not configured logging.

Owns the logger `exactbuyer` and the environment variable `EXACTBUYER_LOG`. The handlers and levels of people
who have configured logging are left alone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from typing import Any

from exactbuyer.exceptions import ConfigError

from .wording import as_given

VARIABLE = "EXACTBUYER_LOG"
"""The environment variable that says what is written to stderr where logging is not configured."""

SHOWN_BY_CLI = {"shown_by_cli": True}
"""Marks log records about what the command line shows in its own words."""

SHOWN_UNLESS_QUIET = {"shown_unless_quiet": True}
"""Marks log records that the command line leaves out with --quiet."""

logger = logging.getLogger("exactbuyer")

_LEVELS = {"off": logging.CRITICAL + 1, "info": logging.INFO, "debug": logging.DEBUG}


def level_asked_for() -> int | None:
    """The level that `EXACTBUYER_LOG` asks for; `None` if it is not set."""
    asked = os.environ.get(VARIABLE, "").strip().lower()
    if not asked:
        return None
    if asked not in _LEVELS:
        shown = as_given(asked, _LEVELS, is_word=True)
        raise ConfigError(f"{VARIABLE} must be off, info or debug; got {shown}")
    return _LEVELS[asked]


class _Stderr(logging.Handler):
    """Writes to the `sys.stderr` of the moment, unless somebody has configured logging meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _is_configured():
            write_line(self.format(record))


_own: logging.Handler | None = None
_own_level = logging.NOTSET
# Guards both. A signal handler may begin a call in the thread that holds it.
_lock = threading.RLock()


def _after_fork() -> None:
    """In a forked child: a thread that is not there may hold the lock."""
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _is_configured() -> bool:
    """Whether somebody else has a handler for the log."""
    at: logging.Logger | None = logger
    while at is not None:
        if any(handler is not _own for handler in at.handlers):
            return True
        at = at.parent if at.propagate else None
    return False


def follow_environment() -> None:
    """Does what `EXACTBUYER_LOG` asks for, and takes back what it asked for before.

    Raises:
        ConfigError: It has another value than `off`, `info` and `debug`.
    """
    global _own, _own_level  # noqa: PLW0603 - there is one logger in a process
    asked = level_asked_for()
    level = logging.NOTSET if asked is None else asked
    with _lock:
        # If it is not our own level, somebody else has set it meanwhile.
        if logger.level == _own_level != level:
            _own_level = level
            logger.setLevel(level)
        wanted: type[logging.Handler] | None = None
        if asked is not None and not _is_configured():
            wanted = logging.NullHandler if level > logging.CRITICAL else _Stderr
        # A handler that is right stays: other threads may be logging.
        if wanted is (type(_own) if _own in logger.handlers else None):
            return
        if _own is not None:
            logger.removeHandler(_own)
            _own = None
        if wanted is not None:
            _own = wanted()
            _own.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
            logger.addHandler(_own)


def log(level: int, text: str, *arguments: object, **options: Any) -> None:
    """Logs a record.

    It never raises: a handler or a filter of the user that fails must not end a call that costs money. As a
    record may be lost then, a line on stderr says so.
    """
    try:
        logger.log(level, text, *arguments, stacklevel=2, **options)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises
        write_line(f"exactbuyer: a log record is lost: a handler of logging raised {type(error).__name__}")


def announce(text: str) -> None:
    """Logs a line at INFO. Where logging is not configured, it goes to stderr instead."""
    if logger.hasHandlers():
        log(logging.INFO, "%s", text)
    else:
        write_line(f"exactbuyer: {text}")


def write_line(text: str) -> None:
    """Writes a line to stderr, if there is a stderr."""
    # It may be missing, as under pythonw, or closed, or an object of the user's that fails.
    with suppress(Exception):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
