"""The log of the package, for people who have not configured logging.

Owns the logger `exactbuyer` and the environment variable `EXACTBUYER_LOG`. The handlers and levels of people
who have configured logging are left alone.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress

from exactbuyer.exceptions import ConfigError

from .wording import as_given

VARIABLE = "EXACTBUYER_LOG"
"""The environment variable that says what is written to stderr where logging is not configured."""

logger = logging.getLogger("exactbuyer")

_LEVELS = {"off": logging.CRITICAL + 1, "info": logging.INFO, "debug": logging.DEBUG}


def level_asked_for() -> int | None:
    """The level that `EXACTBUYER_LOG` asks for; `None` if it is not set."""
    asked = os.environ.get(VARIABLE, "").strip().lower()
    if not asked:
        return None
    if asked not in _LEVELS:
        raise ConfigError(f"{VARIABLE} must be off, info or debug; got {as_given(asked, _LEVELS)}")
    return _LEVELS[asked]


class _Stderr(logging.Handler):
    """Writes to the `sys.stderr` of the moment, unless somebody has configured logging meanwhile."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _is_configured():
            write_line(self.format(record))


_own: logging.Handler | None = None
_own_level = logging.NOTSET


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
    level = level_asked_for()
    if _own is not None:
        logger.removeHandler(_own)
        _own = None
    if logger.level == _own_level:
        # Nobody else has set it meanwhile.
        _own_level = logging.NOTSET if level is None else level
        logger.setLevel(_own_level)
    if level is not None and not _is_configured():
        _own = logging.NullHandler() if level > logging.CRITICAL else _Stderr()
        _own.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(_own)


def announce(text: str) -> None:
    """Logs a line at INFO. Where logging is not configured, it goes to stderr instead."""
    if logger.hasHandlers():
        logger.info("%s", text)
    else:
        write_line(f"exactbuyer: {text}")


def write_line(text: str) -> None:
    """Writes a line to stderr, if there is a stderr."""
    # It may be missing, as under pythonw, or closed.
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
