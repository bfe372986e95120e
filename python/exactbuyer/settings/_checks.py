"""Checks of texts and numbers that several settings and arguments share."""

from __future__ import annotations

import operator
from typing import Any

from exactbuyer.report.message import wrong


def is_torn(text: str) -> bool:
    """Whether a text cannot be passed on: it holds half a character (a lone surrogate) or a NUL."""
    return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def check_text(name: str, *texts: object) -> None:
    """Checks texts that are passed on; else a `ConfigError`."""
    if any(isinstance(text, str) and is_torn(text) for text in texts):
        raise wrong(name, "holds half a character or a NUL: write it anew")


def whole_number(value: Any, least: int, most: int) -> int | None:
    """The number, if it is whole and in this range. numpy's integers are whole; booleans are not numbers."""
    try:
        # Every integer has an index, and nothing that lost a fraction has one.
        number = operator.index(value)
    except TypeError:
        return None
    return number if least <= number <= most and not isinstance(value, bool) else None
