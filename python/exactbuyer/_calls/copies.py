"""Pickled copies of an enricher: what they carry, and when a copy may send.

Knows nothing of how anything is sent.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exactbuyer.exceptions import ConfigError
from exactbuyer.settings._secret import ProxyUrl, proxy_in_environment
from exactbuyer.store._file import opened

if TYPE_CHECKING:
    from exactbuyer.settings import Settings
    from exactbuyer.store import Store


@dataclass(frozen=True, slots=True)
class StoreId:
    """Identifies a store: by the random name that it got when it was created, by its file, and by a mark.

    A copy of the file has the same name, but its answers differ from then on. The number of the file (its
    inode) distinguishes most copies, but not a backup that was copied over the store, and not the files of
    two machines that were created from the same image. Such copies lack a mark that is written into the store
    only now.

    Two cases are not recognised. A copy that was made after the mark was written and whose file has the same
    number, such as a snapshot of a whole disk, counts as the same store. On file systems that give files new
    numbers at each mount (FAT, some FUSE), a pickle from before the mount counts as a copy of another store.
    """

    name: bytes
    file: int
    mark: tuple[int, bytes] | None = None

    @classmethod
    def of(cls, store: Store) -> StoreId:
        """The id of a store, without a mark. Opens the store, and makes it if it does not exist yet."""
        name = opened(store).name()
        try:
            return cls(name, store.path.stat().st_ino)
        except OSError:
            # The file was deleted meanwhile: no file has the number 0.
            return cls(name, 0)

    @classmethod
    def marked(cls, store: Store) -> StoreId:
        """The id of a store, with a new mark that is written into it."""
        return replace(cls.of(store), mark=opened(store).add_mark())

    def is_of(self, store: Store) -> bool:
        """Whether this store is the one that is identified. Never makes a store."""
        if not store.exists() or replace(StoreId.of(store), mark=self.mark) != self:
            return False
        return self.mark is None or opened(store).has_mark(*self.mark)


class _Process:
    """This process, identified by a random number."""

    id = os.urandom(16)

    @classmethod
    def after_fork(cls) -> None:
        """Gives a forked child a number of its own."""
        cls.id = os.urandom(16)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a copy knows of the enricher that it was copied from.

    Attributes:
        process: The process of the original.
        store: The original's store, if it has one that copies have to share.
        proxy_login: Whether its proxy needs a user name or a password, which are not in the pickle.
    """

    process: bytes
    store: StoreId | None
    proxy_login: bool = False

    @classmethod
    def here(cls, store: StoreId | None) -> Origin:
        """The origin of copies that are made of an enricher in this process."""
        return cls(_Process.id, store)

    def check(self, settings: Settings, store: Store | None) -> None:
        """Checks that a copy may send: nothing is paid for twice, and all copies share one ceiling.

        Raises:
            ConfigError: The copy may not send; the message says what to do.
            StoreError: The store cannot be opened.
        """
        if settings.copies == "independent":
            return
        if store is None:
            self._check_without_store(settings)
        elif self.store is None or not self.store.is_of(store):
            raise ConfigError(
                f"this copy does not have the store of the enricher that it was copied from ({store.path}), "
                f"and would pay again for what is paid for already. Nothing was sent. Use a store that both "
                f"can reach, or make a BulkEnricher here; copies='independent' lets each copy pay on its own"
            )

    def _check_without_store(self, settings: Settings) -> None:
        budget = settings.budget
        # A ceiling per run needs no sharing.
        if budget is not None and budget.per != "run":
            raise ConfigError(
                "a pickled copy of an enricher cannot share the ceiling max_credits with the one it was "
                "copied from: make a BulkEnricher here, with a ceiling of its own, or give both a store; "
                "copies='independent' gives each copy a ceiling of its own"
            )
        if self.process != _Process.id:
            raise ConfigError(
                "a pickled copy of an enricher without a store does not send in another process, where it "
                "would pay again for what others have paid for: use a store that all of them reach, "
                "or make a BulkEnricher here; copies='independent' lets each copy pay on its own"
            )


def with_login(settings: Settings) -> Settings:
    """The settings of a copy, with the proxy's user name and password from the environment.

    Raises:
        ConfigError: The environment does not have them.
    """
    without = settings.proxy
    found = None if without is None or isinstance(without, ProxyUrl) else proxy_in_environment(without)
    if found is None:
        raise ConfigError(
            "the user name and password of proxy= are not in a pickle: set the environment variable "
            "HTTPS_PROXY to the proxy's URL with both where the copy is used, or make a BulkEnricher here"
        )
    return replace(settings, proxy=found)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.after_fork)
