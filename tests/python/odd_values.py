"""Wrong values, which `test_odd_values` passes to every parameter of every public call."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary5e1f"
HARMLESS = ("Zoe", "Zoe Zimmerli", "zoe-zimmerli", "17734749362")
"""Values that look like harmless words and numbers, and may be personal data."""

PERSONAL = tuple(text.casefold() for text in (CANARY, *HARMLESS))
"""What no message may hold, in any case."""


class TheirsError(Exception):
    """The exception that a caller's own object raises."""


def raises(*_: object, **__: object) -> Any:
    raise TheirsError


HOOKS = [
    "str",
    "repr",
    "eq",
    "hash",
    "len",
    "iter",
    "getitem",
    "index",
    "float",
    "bool",
    "fspath",
    "contains",
    "next",
]


def hostile(hook: str) -> Any:
    """An object that raises in one of its special methods; the others work as usual."""
    members: dict[str, Any] = {f"__{hook}__": raises}
    if hook in {"getitem", "iter"}:
        members["__len__"] = lambda _: 1
    if hook == "next":
        members["__iter__"] = lambda self: self
    return type("Hostile", (), members)()


def hostile_property(name: str) -> Any:
    """An object that raises when one attribute is read."""
    return type("Hostile", (), {name: property(raises)})()


class HostileText(str):
    """A string that cannot be shown."""

    __slots__ = ()
    __str__ = __repr__ = __format__ = __len__ = raises


def itself() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


def deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


TEXTS = [
    "",
    " ",
    "\0",
    "\ud800",
    f"{CANARY}\udfff@acme.example",
    f"{CANARY}\0@acme.example",
    f"{CANARY}@acme.example",
    f"{CANARY}\n{CANARY}",
    f"postgresql://{CANARY}@h/db",
    CANARY * 20_000,
    "%s %(x)s {0} {x}",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{COMBINING ACUTE ACCENT}",
    "1e40",
    "nan",
    "-1",
    *HARMLESS,
]
NUMBERS: list[Any] = [
    0,
    -1,
    True,
    2**31,
    2**53,
    2**63,
    2**64,
    2**128,
    -(2**63) - 1,
    10**5000,
    0.0,
    -0.0,
    5e-324,
    1e308,
    float("nan"),
    float("inf"),
    -float("inf"),
    1j,
    int(HARMLESS[-1]),
    float(HARMLESS[-1]),
    Decimal(HARMLESS[-1]),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e999999"),
    Decimal(-1),
    timedelta.max,
    timedelta.min,
    datetime.max.replace(tzinfo=timezone.utc),
    datetime.min.replace(tzinfo=timezone.utc),
    datetime(1, 1, 1),  # noqa: DTZ001 - without a time zone
]
PARTS: list[Any] = [
    *TEXTS,
    None,
    7,
    1e40,
    True,
    b"x",
    itself,
    hostile("str"),
    hostile("hash"),
    HostileText("x"),
]


def values() -> Iterator[Any]:
    """The values, made anew each time because some can be used only once."""
    yield from TEXTS
    yield from NUMBERS
    yield from (
        b"",
        CANARY.encode(),
        bytearray(CANARY, "ascii"),
        memoryview(b"x"),
        object(),
        object,
        len,
        ...,
        None,
    )
    yield from (
        [],
        (),
        {},
        set(),
        frozenset(),
        range(0),
        iter(()),
        itself(),
        deep(),
        {1: itself()},
        {"a": deep()},
    )
    for part in PARTS:
        one = part() if part is itself else part
        yield from (
            [one],
            (one,),
            [[one]],
            [(one, one)],
            (one, one),
            ("email", one),
            [("email", one)],
            (one, "EUR"),
        )
        yield from ({"a": one}, [{"field_type": "email", "value": one}], {"field_type": one, "value": one})
        with contextlib.suppress(TheirsError, TypeError):
            yield from ({one: "a"}, {one: one}, {one}, {"phone": one})
    for number in NUMBERS:
        yield from ((number, "EUR"), [number], [("email", number)], {"a": number}, (number, number))
    for hook in HOOKS:
        yield from (hostile(hook), [hostile(hook)], (hostile(hook), "EUR"), ("email", hostile(hook)))
    for name in ("columns", "dtype", "ndim", "name", "key", "tolist", "__arrow_c_stream__", "__class__"):
        yield from (hostile_property(name), [hostile_property(name)])
    yield from (
        HostileText("x"),
        HostileText("email"),
        [HostileText("x")],
        Path("\ud800"),
        Path("\0"),
        Path(CANARY),
    )
    yield from (
        type("Numeric", (), {"__float__": lambda _: 10**400})(),
        type("Index", (), {"__index__": lambda _: "x"})(),
    )
