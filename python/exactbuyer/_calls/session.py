"""The state of an enricher that changes: the core's engine, the key, the call history, whether it is closed.

Owns how rows are read and calls begin, and what happens to an enricher when the interpreter ends or the
process forks. Knows nothing of how a call waits.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from exactbuyer._core import Engine, Rows
from exactbuyer.exceptions import ConfigError
from exactbuyer.report._warnings import warn_of_given_up
from exactbuyer.report.log import SHOWN_BY_CLI, follow_environment, log
from exactbuyer.report.message import Term, wrong
from exactbuyer.report.plan import Plan
from exactbuyer.report.wording import count
from exactbuyer.settings._secret import ProxyUrl, Secret, key_to_send
from exactbuyer.store import Store
from exactbuyer.store._file import core_of, opened, store_of

from .call import Call
from .call_history import CallHistory
from .copies import Origin, StoreId, with_login
from .waiting import in_thread, out_of_the_loop

if TYPE_CHECKING:
    from concurrent.futures import Future

    from exactbuyer.report.progress import Watch
    from exactbuyer.sandbox import Sandbox
    from exactbuyer.settings import Settings

    from .options import CallOptions

AT_EXIT_S = 3.0
"""How long requests in flight may still take when the interpreter ends."""

CallT = TypeVar("CallT", bound=Call)


class Session:
    """Begins the calls of an enricher, and ends them when it is closed."""

    def __init__(
        self,
        settings: Settings,
        key: Secret | None,
        origin: Origin | None = None,
        *,
        has_auto_store: bool = False,
    ) -> None:
        self.settings = settings
        self.has_auto_store = has_auto_store
        """Whether `store="auto"` has chosen the store."""
        self.history = CallHistory()
        self.server: Sandbox | None = None
        self._key = key
        self._origin = origin
        self._opened: StoreId | None = None
        self._marked: StoreId | None = None
        self._closed = False
        self._closing: Future[None] | None = None
        self._forked = False
        # Guards what changes when a copy is used for the first time.
        self._lock = threading.RLock()
        # Held by whoever closes: another `close` waits for it. Reentrant, because a signal handler may close.
        self._being_closed = threading.RLock()
        self.store: Store | None = None
        if settings.store is not None:
            texts = settings.default_region, settings.na_values
            self.store = store_of(Store, settings.store, settings.service, *texts)
        self._engine = self._engine_of(settings, self.store)
        _open.add(self)

    def read(self, rows: Iterable[object], options: CallOptions, first_row: int = 0) -> Rows:
        """Reads rows; `first_row` is the number of the first."""
        return Rows(
            rows,
            field_type=options.field_type,
            default_region=self.settings.default_region,
            na_values=self.settings.na_values,
            first_row=first_row,
        )

    def begin(
        self, kind: type[CallT], name: str, options: CallOptions, watch: Watch, *, asking: int | None = None
    ) -> CallT:
        """Begins a call of this kind. Nothing is sent before the call gets rows.

        `asking` is how many rows need an answer, if known. With 0, the call needs no key and no store.

        Raises:
            ConfigError: There is no key, or this enricher may not send.
            StoreError: The store cannot be opened.
        """
        follow_environment()
        self._check_store_only(options)
        key = None
        engine = self._checked_engine()
        if asking == 0:
            # A separate engine, because the first call of an engine sets its key and opens the store.
            engine = self._engine_of(self.settings, None)
        elif not options.store_only:
            key = key_to_send(self._key, is_copy=self._origin is not None)
        if self.store is not None and asking != 0:
            opened(self.store)
            self._opened = self._opened or StoreId.of(self.store)
        run = engine.start(
            api_key=key,
            whole=kind.whole,
            window=kind.window,
            rows=watch.total,
            # A request has at most `read_ahead` lookups.
            chunk_size=options.read_ahead,
            max_credits=options.max_credits,
            **options.for_core(),
        )
        # If it was closed meanwhile, `close` may not have seen this run.
        self._refuse_if_closed()
        size = "begun" if watch.total is None else f"{count(watch.total, 'row')} to read"
        log(logging.INFO, "%s: %s", name, size, extra=SHOWN_BY_CLI)
        return kind(run, name, self, options, watch)

    async def open_store(self, options: CallOptions | None = None) -> None:
        """Opens the store without blocking the loop: that may wait for other programs, for up to 15 s.

        `begin` then finds it open. Without `options`, a store that does not exist is not made.

        Raises:
            ConfigError: There is no key for a call with these options.
            StoreError: The store cannot be opened.
        """
        self._refuse_if_closed()
        if options is not None:
            self._check_options(options)
        if self.store is None or core_of(self.store).is_open():
            return
        # A copy makes no store either: it must use its original's.
        may_make = options is not None and self._origin is None
        if may_make or self.store.exists():
            await out_of_the_loop(self._open_unless_closed)

    def _open_unless_closed(self) -> None:
        if self.store is not None:
            core_of(self.store).open()
            # The call that wanted it may have been cancelled, and the enricher closed, while this waited.
            if self._closed:
                self.store.close()

    def check(self, options: CallOptions) -> None:
        """Raises what `begin` would raise without rows, except what concerns the file of a store."""
        self._checked_engine()
        self._check_options(options)

    def _check_options(self, options: CallOptions) -> None:
        self._check_store_only(options)
        if not options.store_only:
            key_to_send(self._key, is_copy=self._origin is not None)

    def _check_store_only(self, options: CallOptions) -> None:
        if options.store_only and self.store is None:
            raise wrong("store_only", "needs a store: ", Term("use_store"))

    def plan(self, read: Rows, options: CallOptions) -> Plan:
        """What a call with these rows and options would look up."""
        self._check_store_only(options)
        # A plan creates no store: a store that does not exist yet has no answers.
        store = None if self.store is None or not self.store.exists() else opened(self.store)
        counts = read.plan(self.settings.for_core(), store=store, **options.for_core())
        took = self.history.total()
        spent = took.credits + took.credits_in_doubt
        return Plan.from_core(counts, read.invalid(), self.settings, options.max_credits, spent)

    def origin(self) -> Origin:
        """What a pickled copy has to know of this enricher. Makes the store if it does not exist yet."""
        with self._lock:
            origin = self._origin or Origin.here(None)
            if isinstance(self.settings.proxy, ProxyUrl):
                origin = replace(origin, proxy_login=True)
            if self.store is None or self.settings.copies == "independent":
                return origin
            try:
                return replace(origin, store=self._marked_for_copies(self.store))
            finally:
                if self._closed:
                    self.store.close()

    def _marked_for_copies(self, store: Store) -> StoreId | None:
        """The id of the store that copies have to use: that of the original, with a mark."""
        if self._origin is None:
            if self._marked is None or not self._marked.is_of(store):
                self._marked = StoreId.marked(store)
            return self._marked
        wanted = self._origin.store
        # A forked child's has no mark yet.
        if wanted is not None and wanted.mark is None and wanted.is_of(store):
            wanted = StoreId.marked(store)
            self._origin = replace(self._origin, store=wanted)
        return wanted

    def _checked_engine(self) -> Engine:
        """The engine, if this enricher may send. A copy gets its proxy's login from the environment first."""
        with self._lock:
            self._refuse_if_closed()
            if self._origin is not None:
                self._origin.check(self.settings, self.store)
                if self._origin.proxy_login:
                    settings = with_login(self.settings)
                    engine = self._engine_of(settings, self.store)
                    origin = replace(self._origin, proxy_login=False)
                    # All or nothing: no function is called here, so a Ctrl-C cannot come in between.
                    self.settings, self._engine, self._origin = settings, engine, origin
            return self._engine

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ConfigError("this enricher is closed: make another one")

    @staticmethod
    def _engine_of(settings: Settings, store: Store | None) -> Engine:
        return Engine(settings.for_core(), None if store is None else core_of(store), settings.proxy)

    def stop(self, grace_s: float) -> None:
        """Stops every call, and begins none any more. Waits for nothing."""
        self._closed = True
        for call in self.history.calls():
            call.run.stop(grace_s)

    def close(self, grace_s: float) -> None:
        """Stops every call, waits for what is in flight, and begins no call any more.

        If Ctrl-C interrupts it, it can be called again. If another thread is closing, it waits for that one:
        for what is in flight, at most this long.
        """
        # Before the lock, so that the shorter grace also ends the wait of another thread.
        self.stop(grace_s)
        with self._being_closed:
            self._engine.close(grace_s)
            # Not after an interruption: what is in flight still needs its sandbox.
            if self.store is not None:
                self.store.close()
            if self.server is not None and not self._forked:
                self.server.close()

    def closing(self) -> Future[None]:
        """Closes in a thread of its own; again only if that has failed."""
        with self._lock:
            if self._closing is None or (self._closing.done() and self._closing.exception() is not None):
                self._closing = in_thread("exactbuyer-close", lambda: self.close(self.settings.grace))
            return self._closing

    def take_oldest(self) -> Call | None:
        """The call to recover next. Warns once about calls that were given up."""
        if given_up := self.history.take_given_up():
            warn_of_given_up(given_up)
        return self.history.take_oldest()

    def after_fork(self) -> None:
        """In a forked child: the calls under way, and the stand-in service, are the parent's."""
        self._forked = True
        self._lock = threading.RLock()
        self._being_closed = threading.RLock()
        # The thread that closes is not there.
        self._closing = None
        if self._origin is None and self._opened is not None:
            self._origin = Origin.here(self._opened)
        self.history.after_fork()


_open: weakref.WeakSet[Session] = weakref.WeakSet()


def _at_exit() -> None:
    """Gives what is in flight a moment: it is paid for."""
    deadline = time.monotonic() + AT_EXIT_S
    sessions = list(_open)
    # All of them first: none may begin a request while another one is waited for.
    for session in sessions:
        session.stop(AT_EXIT_S)
    for session in sessions:
        try:
            session.close(max(deadline - time.monotonic(), 0.0))
        except BaseException:  # noqa: BLE001, PERF203 - the others are closed all the same
            log(logging.WARNING, "an enricher could not be closed", exc_info=True)


def _after_fork() -> None:
    for session in list(_open):
        session.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
