"""Checks of texts and numbers that several settings and arguments share."""

from __future__ import annotations

import operator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from exactbuyer.report.message import Term, wrong
from exactbuyer.report.wording import as_given

_MOST_SHOWN = 2**53
"""A larger number is a limit of the type, and not one that people have to know."""


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
        raise wrong(name, f"must be {' or '.join(map(repr, allowed))}; got {as_given(value, allowed)}")
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
