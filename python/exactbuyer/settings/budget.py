"""How much may be spent, and in which period. Data only: the core does the counting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import Any, Literal, TypeAlias, get_args

from exactbuyer._core import check_time_zone
from exactbuyer._traceback import short_traceback
from exactbuyer.report.message import Term, wrong
from exactbuyer.report.wording import as_given

from ._checks import check_text, whole

Per: TypeAlias = Literal["run", "day", "month", "store"]
"""The period of a spending limit."""

MOST_CREDITS = 2**53


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on credits in a period; every doubt counts as spent.

    With a store, the limit counts what the store has recorded, over all runs and processes that share it,
    including people who were purged since. Without a store, `"day"`, `"month"` and `"store"` all count what
    the enricher spends in this process.

    Args:
        credits: The most credits that may be spent, from 0.
        per: `"store"`: everything that is recorded; a plain number such as `max_credits=5_000` means the
            same. `"day"` or `"month"`: what was sent since the calendar day or month began. `"run"`: each
            call by itself.
        tz: The time zone in which days and months begin: a name such as `"Europe/Berlin"`, or a `ZoneInfo`.
            UTC by default, so that processes on machines with different time zones agree.

    Raises:
        ConfigError: An argument is wrong.

    Example:
        >>> from exactbuyer import Budget, BulkEnricher
        >>> BulkEnricher(max_credits=Budget(1_000, per="day", tz="Europe/Berlin"))
        BulkEnricher(max_credits=Budget(credits=1000, per='day', tz='Europe/Berlin'))
    """

    credits: int
    per: Per = "store"
    tz: str = "UTC"

    # By hand: a time zone may come as an object, and is kept by its name.
    def __init__(self, credits: int, per: Per = "store", *, tz: str | tzinfo | None = None) -> None:  # noqa: A002
        with short_traceback:
            object.__setattr__(self, "credits", check_credits(credits))
        if per not in get_args(Per):
            raise wrong(
                "max_credits",
                f"must be per {', '.join(map(repr, get_args(Per)[:-1]))} or 'store'; "
                f"got {as_given(per, get_args(Per), is_word=True)}",
            )
        object.__setattr__(self, "per", per)
        object.__setattr__(self, "tz", time_zone(tz))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.credits, self.per, self.tz)


def _unpickled(credits: int, per: Per, tz: str) -> Budget:  # noqa: A002
    return Budget(credits, per, tz=tz)


def check_credits(value: object) -> int:
    """A number of credits that may be spent; else a `ConfigError`."""
    return whole("max_credits", value, 0, MOST_CREDITS, " credits, ", Term("no_limit"))


def time_zone(tz: object) -> str:
    """The name of a time zone; else a `ConfigError`."""
    name = "UTC" if tz is None or tz is timezone.utc else getattr(tz, "key", tz)
    if not isinstance(name, str):
        raise wrong("tz", "must be the name of a time zone, such as 'Europe/Berlin'")
    check_text("tz", name)
    check_time_zone(name)
    return name
