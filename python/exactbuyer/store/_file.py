"""A store's file as a Python object: its path, opened when it is needed, closed before a fork.

Knows nothing of the calls on a store: these are in `store.py`. Never opens the file itself, because two
SQLite libraries in one process would damage it: the core opens it.
"""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from exactbuyer._core import Store as CoreStore
from exactbuyer._core import after_fork, before_fork
from exactbuyer._traceback import short_traceback
from exactbuyer.report._warnings import warn_of_store
from exactbuyer.settings._checks import check_text, file_at
from exactbuyer.settings._secret import Hidden

if TYPE_CHECKING:
    from typing_extensions import Self


class StoreFile:
    """A store's file, and how identifiers in calls on it are read."""

    __slots__ = ("_default_region", "_na_values", "_path", "_service", "_store", "_warned")

    def __init__(self, path: str | PathLike[str], *, default_region: str | None = None) -> None:
        hidden, path = Hidden(path), ""
        with short_traceback:
            file = file_at("path", hidden)
            check_text("default_region", default_region)
            self._set(file, None, default_region, ())

    def _set(
        self,
        path: str | PathLike[str],
        service: str | None,
        default_region: str | None,
        na_values: tuple[str, ...],
    ) -> None:
        self._path, self._service = Path(os.path.abspath(path)), service  # noqa: PTH100 - links stay links
        self._default_region, self._na_values = default_region, na_values
        self._store = CoreStore(self._path, service=service)
        self._warned = False

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._path

    def exists(self) -> bool:
        """Whether there is a file yet: an enricher makes it at its first call."""
        # A path that is not possible on this system has no file.
        return os.path.exists(self._path)  # noqa: PTH110

    def close(self) -> None:
        """Closes the file. The next use of this object opens it again.

        If nothing else uses the store, the files are closed and the log (`-wal`) is gone when this
        returns. An enricher and its `enricher.store` count as two users.
        """
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        texts = self._default_region, self._na_values
        return store_of, (type(self), str(self._path), self._service, *texts)


StoreT = TypeVar("StoreT", bound=StoreFile)


def store_of(
    kind: type[StoreT], path: str, service: str | None, default_region: str | None, na_values: tuple[str, ...]
) -> StoreT:
    """The one of an enricher: made where it is not there, and refused if it is another service's."""
    store = kind.__new__(kind)
    store._set(path, service, default_region, na_values)  # noqa: SLF001 - a second constructor
    return store


def core_of(store: StoreFile) -> CoreStore:
    """The core's own."""
    return store._store  # noqa: SLF001 - for this package alone


def opened(store: StoreFile) -> CoreStore:
    """The core's own, open; with a word on modes that let others in, once."""
    core = core_of(store)
    told = core.open()
    if not store._warned:  # noqa: SLF001 - as above
        store._warned = True  # noqa: SLF001
        for message in told:
            warn_of_store(message)
    return core


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=before_fork, after_in_parent=after_fork, after_in_child=after_fork)
