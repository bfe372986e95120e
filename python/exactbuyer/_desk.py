"""What of an enricher is not frozen: the core's engine, the key, the books, whether it is closed.

Owns how rows are read and calls begin, and what becomes of an enricher when the interpreter ends or
the process forks. Knows nothing of how a call waits.
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from . import _core
from ._books import Books
from ._calls import Call
from ._secret import Secret, has_key, key_to_send
from .exceptions import ConfigError
from .rows import check_field_type, check_required_fields
from .settings import check_max_credits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .progress import Watch
    from .rows import FieldType, RequiredField
    from .sandbox import Sandbox
    from .settings import Settings

AT_EXIT_S = 3.0
"""How long requests in flight may still take when the interpreter ends."""

CallT = TypeVar("CallT", bound=Call)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one call settles for itself, checked."""

    field_type: FieldType | None
    required_fields: tuple[RequiredField, ...] | None
    max_credits: int | None

    @classmethod
    def checked(
        cls, field_type: object, required_fields: Iterable[RequiredField] | None, max_credits: object
    ) -> Terms:
        """Checks them; a `ConfigError` names what is wrong."""
        fields = None if required_fields is None else check_required_fields(required_fields)
        return cls(check_field_type(field_type), fields, check_max_credits(max_credits))


class Desk:
    """Where an enricher's calls begin and end.

    Args:
        settings: The enricher's.
        key: The key it was given, if it was.
        copied: It was unpickled: its ceiling is not its own.
    """

    def __init__(self, settings: Settings, key: Secret | None, *, copied: bool = False) -> None:
        self.settings = settings
        self.books = Books()
        self.server: Sandbox | None = None
        self._key = key
        self._copied = copied
        self._closed = False
        self._forked = False
        self._engine = _core.Engine(settings.for_core())
        _open.add(self)

    def read(self, rows: Iterable[object], terms: Terms, first_row: int = 0) -> _core.Rows:
        """Reads rows; `first_row` is the number of the first."""
        return _core.Rows(
            rows,
            field_type=terms.field_type,
            default_region=self.settings.default_region,
            na_values=self.settings.na_values,
            first_row=first_row,
        )

    def begin(self, kind: type[CallT], name: str, terms: Terms, watch: Watch, *, asks: bool = True) -> CallT:
        """Begins a call of this kind. Nothing is sent before it is fed; where nothing `asks`, nothing at all.

        Raises:
            ConfigError: There is no key, or this enricher may not send.
        """
        if self._closed:
            raise ConfigError("this enricher is closed: make another one")
        if self._copied and self.settings.max_credits is not None:
            raise ConfigError(
                "a pickled copy of an enricher cannot share the ceiling max_credits with the one it was "
                "copied from: make a BulkEnricher here, with a ceiling of its own"
            )
        engine, key = self._engine, self._key
        if not asks and not has_key(key):
            # Of its own: the first call of an engine settles its key.
            engine, key = _core.Engine(self.settings.for_core()), Secret("nothing-is-sent")
        run = engine.start(
            api_key=key_to_send(key).expose(),
            required_fields=None if terms.required_fields is None else list(terms.required_fields),
            max_credits=terms.max_credits,
        )
        return kind(run, name, self, watch)

    def close(self, grace_s: float) -> None:
        """Stops every call, waits for what is in flight, and begins none any more."""
        if self._closed:
            return
        self._closed = True
        try:
            self._engine.close(grace_s)
        finally:
            if self.server is not None and not self._forked:
                self.server.close()

    def after_fork(self) -> None:
        """In a forked child: the calls under way, and the stand-in vendor, are the parent's."""
        self._forked = True
        self.books.after_fork()


_open: weakref.WeakSet[Desk] = weakref.WeakSet()


def _at_exit() -> None:
    """Gives what is in flight a moment: it is paid for."""
    deadline = time.monotonic() + AT_EXIT_S
    for desk in list(_open):
        desk.close(max(deadline - time.monotonic(), 0.0))


def _after_fork() -> None:
    for desk in list(_open):
        desk.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
