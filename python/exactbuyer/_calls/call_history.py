"""What an enricher remembers of its calls: receipts and interrupted calls.

Shared by every thread of an enricher. Knows nothing of rows or settings.

Python's garbage collector can run whenever an object is made. If it finds an abandoned stream, the stream's
call is kept and entered here, possibly by a thread that is just doing the same for another call. So the lock
is reentrant, and a value that was read before an object was made is read again afterwards.

Nobody calls the log, a progress display or a function of the user while holding the lock: these have locks of
their own, and the thread that holds one of those may be collecting a stream.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from exactbuyer.report.receipt import Receipt

if TYPE_CHECKING:
    from exactbuyer.results import Results

    from .call import Call


MOST_ROWS = 100_000
"""Rows of interrupted calls that are kept for `recover()` without a store: about 4 MB per 1,000 people."""

MOST_ROWS_WITH_STORE = 10_000
"""The same with a store, which also has the answers."""


class CallHistory:
    """Receipts and interrupted calls."""

    def __init__(self) -> None:
        self.last_results: Results | None = None
        """What the call that ended last has returned or raised, until the next call (also a refused one)."""
        self._lock = threading.RLock()
        self._given_up = 0
        self._settled = Receipt()
        self._last = Receipt()
        # Weak: without a store, a call has all its rows.
        self._last_interrupted: weakref.ref[Call] | None = None
        self._interrupted: deque[Call] = deque()
        # In the order in which the calls began. No code removes them: settled calls are skipped, and weak
        # references to collected calls disappear.
        self._begun: weakref.WeakValueDictionary[int, Call] = weakref.WeakValueDictionary()
        self._numbers = itertools.count()

    def total(self) -> Receipt:
        """The sum of all receipts, with what is known so far of calls under way or interrupted."""
        with self._lock:
            while True:
                settled = self._settled
                receipts = [call.receipt_so_far() for call in self.calls()]
                total = sum((receipt for receipt in receipts if receipt is not None), settled)
                if self._settled is settled:
                    return total

    def last(self) -> Receipt:
        """The receipt of the call that ended or was interrupted last; an empty one before the first."""
        with self._lock:
            call = self._last_interrupted and self._last_interrupted()
            return (call and call.receipt_so_far()) or self._last

    def calls(self) -> list[Call]:
        """The calls that may be under way, or wait for `recover()`."""
        with self._lock:
            return list(dict.fromkeys([*self._interrupted.copy(), *self._begun.values()]))

    def is_locked_here(self) -> bool:
        """Whether this thread is within a method of the history: then the collector has come in between."""
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]  # noqa: SLF001

    def begin(self, call: Call) -> None:
        """Notes a call that is about to send, by a weak reference."""
        with self._lock:
            self._begun[next(self._numbers)] = call

    def forget_last_results(self) -> None:
        """Frees the results of the last call, before anything else of the next one.

        So two calls need no more memory than one, and if the next one is refused, nobody takes these results
        for its own.
        """
        self.last_results = None

    def add_receipt(self, call: Call, receipt: Receipt, *, is_last: bool = True) -> None:
        """Adds the receipt of a call that is over, once. It is the last one, unless the call ended before."""
        with self._lock:
            while call.settled is None:
                before = self._settled
                total = before + receipt
                last = receipt if is_last else self._last
                if self._settled is before:
                    # A Ctrl-C cannot come in between, because no function is called here.
                    self._settled, self._last, call.settled = total, last, receipt
                    self._last_interrupted = None if is_last else self._last_interrupted

    def keep_for_recovery(self, call: Call) -> None:
        """Keeps an interrupted call for `recover()`: once, and not while `recover()` is working on it."""
        with self._lock:
            # `is_handed_out` is an attribute of the call, not a weak set: the collector clears weak
            # references before it closes an abandoned coroutine, which then calls this method.
            if call not in self._interrupted and not (call.is_handed_out or call.is_given_up):
                self._interrupted.append(call)
                self._last_interrupted = weakref.ref(call)

    def has_earlier(self, call: Call) -> bool:
        """Whether `recover()` returns another call before this one."""
        with self._lock:
            return bool(self._interrupted) and self._interrupted[0] is not call

    def trim(self) -> None:
        """Drops the oldest interrupted calls if too many rows are kept, but never the newest call.

        A call is also kept while its requests are in flight, because its cost is not known yet, and as long
        as its own caller still takes rows from it.
        """
        given_up: list[tuple[Call, bool]] = []
        with self._lock:
            kept = 0
            for call in reversed([*self._interrupted]):
                kept += call.kept_rows()
                if call is self._interrupted[-1] or not call.may_be_given_up():
                    continue
                # Not before: until then, an answer may come that the store does not keep.
                is_stored = call.is_stored()
                if kept > (MOST_ROWS_WITH_STORE if is_stored else MOST_ROWS):
                    lost = self._given_up + (not is_stored)
                    # As in `add_receipt`: no Ctrl-C in between.
                    call.is_given_up, self._given_up = True, lost
                    self.add_receipt(call, call.receipt(), is_last=False)
                    given_up.append((call, is_stored))
                    self.drop(call)
        for call, is_stored in given_up:
            call.log_given_up(is_stored=is_stored)

    def take_given_up(self) -> int:
        """How many calls were given up since the last call of this method whose answers no store has."""
        with self._lock:
            given_up, self._given_up = self._given_up, 0
            return given_up

    def drop(self, call: Call) -> None:
        """Stops keeping a call."""
        with self._lock, suppress(ValueError):
            self._interrupted.remove(call)

    def put_back(self, call: Call, *, first: bool) -> None:
        """Puts back what :meth:`take_oldest` gave: before the others, or after them."""
        with self._lock:
            if call not in self._interrupted:
                self._interrupted.insert(0 if first else len(self._interrupted), call)
            call.is_handed_out = False

    def take_oldest(self) -> Call | None:
        """Hands out the call that was interrupted first: each call once."""
        with self._lock:
            for call in list(self._begun.values()):
                if call.is_abandoned():
                    call.leave()
            while self._interrupted:
                call = self._interrupted[0]
                # Before it is taken out: a Ctrl-C in between leaves it where it is found again.
                call.is_handed_out = True
                if self._interrupted and self._interrupted[0] is call:
                    return self._interrupted.popleft()
                call.is_handed_out = False
            return None

    def after_fork(self) -> None:
        """In a forked child: the calls are the parent's, and so may be the lock's state."""
        self._lock = threading.RLock()
        for call in self.calls():
            call.disown()
        self._interrupted = deque()
        self._last_interrupted = None
        self._begun = weakref.WeakValueDictionary()
