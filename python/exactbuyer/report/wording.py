"""How numbers, money and time are put into words, for people. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal
from difflib import get_close_matches
from html import escape
from typing import Any

WIDTH = 80

_MONEY = Context(prec=60, rounding=ROUND_HALF_UP)
_SHORT = 40
_WORD_LETTERS = 24
_WORD = re.compile(r"[A-Za-z0-9_-]{1,20}")
# A phone number has more, and so has a birthday.
_MOST_DIGITS = 5


def as_given(value: object, allowed: Iterable[str] = (), *, is_word: bool = False) -> str:
    """A wrong value as a message may show it: a number of few digits; for anything else only what it is.

    The value may be personal data or a secret that was passed in the wrong place, or an object whose `repr`
    fails. No text is shown, because any word may be a name.

    Args:
        value: The value.
        allowed: The texts that would have been right. One that is similar to the value is suggested.
        is_word: The value is one of a few words that programs write and no data holds, such as
            `on_unknown`: then a short word is shown.
    """
    kind = type(value)
    if value is None or kind in {bool, int, float, Decimal, timedelta}:
        # An integer may have too many digits to be written.
        with suppress(ValueError):
            text = f"{value!r}"
            if len(text) <= _SHORT and sum(map(str.isdigit, text)) <= _MOST_DIGITS:
                return text
    elif kind is str:
        text = str(value)
        near = get_close_matches(text.casefold(), allowed, n=1) if len(text) <= _WORD_LETTERS else []
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        is_shown = is_word and _WORD.fullmatch(text) and sum(map(str.isdigit, text)) <= _MOST_DIGITS
        return f"{text!r}{meant}" if is_shown else f"a string{meant}"
    return f"a value of type {kind.__name__}"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with the right form of its noun, as in `1 row` and `2,000 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def span(low: int, high: int) -> str:
    """A range, or the one number that it is."""
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def span_of(low: int, high: int, one: str) -> str:
    """A range with the right form of its noun."""
    return count(low, one) if low == high else f"{low:,} to {high:,} {one}s"


def money(amount: int, price: tuple[Decimal, str]) -> str:
    """What that many credits cost, as in `EUR 1,350.00`."""
    each, currency = price
    # Not in the caller's decimal context, which may have fewer digits, or traps.
    total = _MONEY.quantize(_MONEY.multiply(each, Decimal(amount)), Decimal("0.01"))
    return f"{currency} {total:,}"


def duration(seconds: float) -> str:
    """How long something took, in two units at most, as in `1 min 52 s`."""
    if seconds < 0.1:  # noqa: PLR2004
        return f"{1000 * seconds:.0f} ms"
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def clock(seconds: float) -> str:
    """How long something will take, as a clock shows it, as in `0:21`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def html_table(title: str, lines: list[tuple[str, str, str]]) -> str:
    """A small table for notebooks: label, number and note a line; every text is escaped here."""
    body = "".join(f"<tr><th {LEFT}>{escape(label)}</th>{_cells(*cells)}</tr>" for label, *cells in lines)
    # Notebooks align to the right and centre what is above a table.
    return f"<table><caption {LEFT}>{escape(title)}</caption><tbody>{body}</tbody></table>"


# Where a page does not have the styles of a notebook, cells have no padding.
_PADDED = "padding:2px 8px"
LEFT = f"style='text-align:left;{_PADDED}'"
_RIGHT = f"style='text-align:right;{_PADDED}'"


def _cells(number: str, note: str) -> str:
    if not number:
        return f"<td colspan='2' {LEFT}>{escape(note)}</td>"
    return f"<td {_RIGHT}>{escape(number)}</td><td {LEFT}>{escape(note)}</td>"


def text_table(title: str, lines: list[tuple[str, str, str]], right: str = "") -> list[str]:
    """The same as text: the numbers under each other, `right` at the end of the title's line."""
    head = f"{title}{right:>{max(WIDTH - len(title), len(right) + 2)}}" if right else title
    labels = max((len(label) for label, _, _ in lines), default=0)
    numbers = max((len(number) for _, number, _ in lines), default=0)
    body = [f"  {label:<{labels}}  {number:>{numbers}}   {note}".rstrip() for label, number, note in lines]
    return [head, *body]


def nearest(names: Iterable[Hashable], label: Hashable) -> Hashable | None:
    """The one of these names that may have been meant, if any is near enough."""
    folded = {str(name).strip().casefold(): name for name in names}
    near = get_close_matches(str(label).strip().casefold(), folded, n=1)
    return folded[near[0]] if near else None


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def from_ms(ms: int) -> datetime:
    """A moment in milliseconds since 1970, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def from_us(us: int) -> datetime:
    """A moment in microseconds since 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def with_times(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields from the core, with moments in place of milliseconds: `sent_at_ms` becomes `sent_at`."""
    return {
        name.removesuffix("_ms"): from_ms(value) if name.endswith("_ms") and value is not None else value
        for name, value in fields.items()
    }


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as numbers, texts, lists and `None`: a moment as text in ISO 8601, a `Decimal` as its digits."""

    def as_text(value: object) -> str:
        return value.isoformat() if isinstance(value, datetime) else str(value)

    of_json: dict[str, Any] = json.loads(json.dumps(dict(fields), default=as_text))
    return of_json


def to_ms(at: datetime) -> int:
    """The other way round."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def utc_text(at: datetime) -> str:
    """A moment as people and the service's log write it."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
