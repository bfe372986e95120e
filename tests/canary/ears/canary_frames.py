"""The local variables of an exception's frames, as services that collect errors record them. Pure.

Looks at the frames of the package and of what it calls, not at those of the tests, which may hold keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

PACKAGE = "exactbuyer"
TESTS = Path(__file__).resolve().parents[2]

MOST_VALUES = 2_000
"""Most values of one frame: the first thousand rows of a long list are enough."""


def frames_of(error: BaseException) -> Iterator[FrameType]:
    """The frames of an exception and of those chained to it, from the package's first frame inward."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
        trace, inside = one.__traceback__, False
        while trace is not None:
            inside = inside or is_packages(trace.tb_frame)
            if inside and not is_tests(trace.tb_frame):
                yield trace.tb_frame
            trace = trace.tb_next


def callers(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of the package that lead to this one: those that would be in a traceback from here."""
    while frame is not None:
        if is_packages(frame):
            yield frame
        frame = frame.f_back


def is_packages(frame: FrameType) -> bool:
    """Whether the frame runs code of the package."""
    return str(frame.f_globals.get("__name__", "")).split(".")[0] == PACKAGE


def is_tests(frame: FrameType) -> bool:
    """Whether the frame runs code of a test."""
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(TESTS) or path.name.startswith(("test_", "conftest"))


def texts_in(frame: FrameType) -> Iterator[tuple[str, str]]:
    """Every text that the local variables of a frame hold or show, with the variable's name."""
    for name, value in list(frame.f_locals.items()):
        for text in _texts(value):
            yield name, text


def _texts(value: Any) -> Iterator[str]:
    seen: set[int] = set()
    waiting = [value]
    while waiting and len(seen) < MOST_VALUES:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str):
            yield one
        elif isinstance(one, (bytes, bytearray)):
            yield one.decode("latin-1")
        elif isinstance(one, PurePath):
            yield str(one)
        elif isinstance(one, Mapping):
            waiting += [part for pair in list(one.items())[:MOST_VALUES] for part in pair]
        elif isinstance(one, (list, tuple, set, frozenset)):
            waiting += list(one)[:MOST_VALUES]
        elif type(one).__module__.split(".")[0] == PACKAGE:
            # Both its `repr` and the values of its attributes may be recorded.
            yield _shown(one)
            waiting += _parts(one)


def _shown(one: Any) -> str:
    try:
        return repr(one)
    except Exception as error:  # noqa: BLE001 - the object may be half made, or a test's
        return repr(error)


def _parts(one: Any) -> list[Any]:
    if type(one).__module__ == f"{PACKAGE}._secret":
        return []
    parts = list(vars(one).values()) if hasattr(one, "__dict__") else []
    if is_dataclass(one):
        parts += [getattr(one, field.name, None) for field in fields(one)]
    return parts
