"""Ears in every Python process of a canary run: each key is a canary, and what is logged, raised and pickled
is written down.

Python imports a module of this name by itself, in subprocesses too, so nothing of the package or of a test
has to know. Outside a canary run nobody has it on the path.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import functools
import importlib.abc
import importlib.machinery
import itertools
import logging
import os
import pickle
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canary_frames import callers, frames_of, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType, ModuleType, TracebackType

HEARD = Path(os.environ["CANARY_HEARD"])
KEY = os.environ["CANARY_KEY"]

HALF = KEY[2:18]
"""A part of the canary's key: half a key is as bad as the whole key."""

_numbers = itertools.count()
_looking = threading.local()
_seen_frames: set[tuple[str, int]] = set()


_unwritten: collections.deque[tuple[str, bytes]] = collections.deque()


def write_down(kind: str, said: object) -> None:
    """Adds to what was heard of this kind in this process.

    Where a test lets no file grow, that waits for the next time, the process's end at the latest.
    """
    said = said if isinstance(said, bytes) else str(said).encode("utf-8", "backslashreplace")
    _unwritten.append((kind, said + b"\n"))
    with contextlib.suppress(OSError):
        write_what_waits()


def write_what_waits() -> None:
    """Writes down what could not be written before."""
    while _unwritten:
        kind, said = _unwritten.popleft()
        try:
            with (HEARD / f"{kind}.{os.getpid()}").open("ab") as file:
                file.write(said)
        except OSError:
            _unwritten.appendleft((kind, said))
            raise


def look_at(frames: Iterable[FrameType]) -> None:
    """Writes down which frames were looked at, and which of their variables hold a part of the key."""
    if getattr(_looking, "now", False):
        # A `repr` that is called here may raise and catch exceptions of its own.
        return
    _looking.now = True
    try:
        _look_at_each(frames)
    finally:
        _looking.now = False


def _look_at_each(frames: Iterable[FrameType]) -> None:
    for frame in frames:
        place = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}", frame.f_lineno
        if place not in _seen_frames:
            _seen_frames.add(place)
            write_down("frame", f"{place[0]}, line {place[1]}")
        for name, text in texts_in(frame):
            if HALF in text:
                write_down("frame", f"{place[0]}: {name} holds {text}")


def look_at_exception(error: BaseException | None) -> None:
    """The same for the frames of an exception that was raised."""
    if error is not None:
        look_at(frames_of(error))


class Everything(logging.Handler):
    """Writes down all of each record: its text, its arguments, where it came from."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes it down."""
        try:
            text = record.getMessage()
        except Exception as trouble:  # noqa: BLE001 - the record's own business
            text = repr(trouble)
        write_down("log", f"{record.name} {record.levelno} {text} {vars(record)!r}")


def recording(original: Callable[..., bytes]) -> Callable[..., bytes]:
    """The same, with each pickle written down."""

    @functools.wraps(original)
    def dumps(*args: Any, **how: Any) -> bytes:
        pickled = original(*args, **how)
        write_down(f"pickle.{next(_numbers)}", pickled)
        return pickled

    return dumps


def mark_keys(module: ModuleType) -> None:
    """Puts the canary before every key that an enricher is given."""
    secret: Any = module.Secret
    made, exposed = secret.__init__, secret.expose

    def make(self: Any, text: Any) -> None:
        usable = isinstance(text, str) and text.strip() and text.isascii() and text.isprintable()
        made(self, f"{KEY}.{text}" if usable and KEY not in text else text)

    def expose(self: Any) -> str:
        text: str = exposed(self)
        write_down("keys", "in use" if KEY in text else "not the canary")
        return text

    secret.__init__, secret.expose = make, expose


def listen_to_exceptions(module: ModuleType) -> None:
    """What is raised is heard, caught or not."""
    for kind in (module.ExactBuyerError, module.Interrupted, module.IncompleteWarning):
        listen_to(kind)


def listen_to(kind: Any) -> None:
    """What this class is made with is heard."""
    made = kind.__init__

    @functools.wraps(made)
    def make(self: Any, *args: Any, **how: Any) -> None:
        write_down("raised", f"{type(self).__name__} {args!r} {how!r}")
        # Also if the exception is caught again: it could have been recorded before that.
        look_at(callers(sys._getframe(1)))
        made(self, *args, **how)

    kind.__init__ = make


def listen_to_cloudpickle(module: ModuleType) -> None:
    """As `pickle` itself."""
    vars(module)["dumps"] = recording(module.dumps)


AFTER: dict[str, Callable[[ModuleType], None]] = {
    "exactbuyer.settings._secret": mark_keys,
    "exactbuyer.exceptions": listen_to_exceptions,
    "cloudpickle": listen_to_cloudpickle,
}


class Finder(importlib.abc.MetaPathFinder):
    """Does something after a module of `AFTER` has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module's own spec, with a loader that goes on to `AFTER`."""
        if name not in AFTER:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            load = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                load(module)
                AFTER[name](module)

            loader.exec_module = exec_module
        return spec


FINDER = Finder()


def be_asked_first() -> None:
    """Puts the finder in front of whoever came since."""
    sys.meta_path[:] = [FINDER, *(finder for finder in sys.meta_path if finder is not FINDER)]


def listen() -> None:
    """Begins to listen."""
    be_asked_first()
    vars(pickle)["dumps"] = recording(pickle.dumps)
    root = logging.getLogger()
    root.addHandler(Everything())
    # TRACE, as far as Python knows it: below DEBUG, above NOTSET.
    root.setLevel(1)
    unheard = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        look_at_exception(error)
        unheard(kind, error, trace)

    sys.excepthook = hook
    atexit.register(write_what_waits)


listen()
