"""Checks the arguments of the store's methods."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any

from exactbuyer.report.message import wrong
from exactbuyer.report.wording import nearest
from exactbuyer.settings._checks import MOST_AGE
from exactbuyer.settings._setting_checks import DATES

MOST_WHOLE = 2**63 - 1
"""The largest number that the store can hold."""

_NAMED = 10


def check_parts(names: list[str], rows: list[dict[str, Any]]) -> None:
    """Refuses a name in `by` that no request has: a mistyped one would look like a sum of everything."""
    for name in names:
        # Without requests, the tags are not known.
        if name in DATES or not rows or any(row[name] is not None for row in rows):
            continue
        near = nearest(DATES, name)
        meant = f": did you mean {near!r}? It" if near is not None else "; it"
        raise wrong(
            "by",
            f"names a tag that no request has{meant} may be 'day', 'month', 'year' or a tag that one has",
        )


def check_requests(requests: Iterable[int], in_doubt: set[int]) -> list[int]:
    """The numbers of these requests. Refuses one that has left nothing in doubt."""
    try:
        numbers = [operator.index(request) for request in requests]
    except TypeError:
        raise wrong("requests", "must be numbers of requests, as in [3, 5]") from None
    if not in_doubt.issuperset(numbers):
        named = ", ".join(map(str, sorted(in_doubt)[:_NAMED])) or "none"
        raise wrong("requests", f"has one that has left nothing in doubt; in doubt: {named}")
    return numbers


def moment(older_than: object) -> datetime:
    """The moment that `older_than` names: so long ago, or a time with its zone. Never in the future."""
    now = datetime.now(timezone.utc)
    if isinstance(older_than, timedelta):
        if not timedelta(0) <= older_than <= MOST_AGE:
            raise wrong("older_than", "must be a timedelta from 0 to 100 years, as in timedelta(days=365)")
        return now - older_than
    if isinstance(older_than, datetime) and older_than.tzinfo is not None:
        if older_than > now:
            raise wrong("older_than", "is in the future: everything would be removed")
        return older_than
    raise wrong("older_than", "must be a timedelta, or a datetime with its time zone")
