"""One call under way: the core's run, and what Python keeps beside it.

Owns how a call ends: with results, an exception, a warning, or stopped. How it is fed and waited for is in
`waiting.py`, `streams.py` and `async_streams.py`.
"""

from __future__ import annotations

import enum
import logging
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from exactbuyer import exceptions
from exactbuyer.exceptions import ExactBuyerError, Interrupted
from exactbuyer.report._warnings import MANY_ROWS, warn_incomplete, warn_not_stored, warn_of_nothing_kept
from exactbuyer.report.log import SHOWN_BY_CLI, SHOWN_UNLESS_QUIET, log
from exactbuyer.report.message import PYTHON, Message, said
from exactbuyer.report.receipt import Receipt
from exactbuyer.report.results import Problem
from exactbuyer.report.wording import count, duration
from exactbuyer.results import has_rows
from exactbuyer.settings import LOOPBACK

if TYPE_CHECKING:
    import asyncio

    from exactbuyer._core import Rows, Run
    from exactbuyer.report.progress import Watch
    from exactbuyer.results import Results

    from .options import CallOptions, OnError
    from .session import Session

_LOG = {
    "retried": (logging.INFO, "{request} was not charged, and is sent again in {wait}"),
    "halved": (logging.INFO, "{request} was not charged, and is sent again in halves"),
    "paused": (logging.WARNING, "no request is sent for {wait}"),
    "unknown": (logging.WARNING, "{request} may have been charged"),
}
"""What the core reports of requests while a call runs: the level, and the text before the cause."""

TICK_S = 0.1
"""How long a call waits before it looks at the clock and at its progress again."""


class Caller(enum.Enum):
    """What the caller of a call is doing."""

    WAITING = "it waits for the call, or takes rows from it"
    SERVED = "it has everything, as a return value or in an exception"
    LEFT = "it does not come back: recover() returns the rest"


class Call:
    """A call under way."""

    where = ".results"
    """What of an exception holds what was paid for."""
    words = PYTHON
    """The words for the reasons of its rows."""
    whole = True
    """Whether all rows are known when the call begins. Then it forgets no lookup, and pays for none twice."""

    window: int | None = None
    """If not `whole`, with a durable store: for how many rows a lookup is remembered. `None`: 100,000."""

    def __init__(self, run: Run, name: str, session: Session, options: CallOptions, watch: Watch) -> None:
        self.run = run
        self.settings = session.settings
        self._name = name
        # It also keeps a sandbox alive until the call is over.
        self._session = session
        self._options = options
        self._watch = watch
        self.settled: Receipt | None = None
        """Its receipt, once the call history has it. The history sets it."""
        self.is_handed_out = False
        """Whether `recover()` is working on it, or has returned it."""
        self.is_given_up = False
        """Whether its rows were dropped, or are another process's."""
        self._rest: Results | None = None
        self._caller = Caller.WAITING
        self._loop: weakref.ref[asyncio.AbstractEventLoop] | None = None
        # Only if the call costs money and no store keeps its answers: how many rows have asked so far.
        unkept = self.settings.store is None and self.settings.service != LOOPBACK
        self._rows_without_store: int | None = 0 if unkept else None

    def await_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notes the event loop that waits for it."""
        self._loop = weakref.ref(loop)

    def is_abandoned(self) -> bool:
        """Whether its event loop was closed, so that nothing will continue the call."""
        if self._loop is None or self._caller is not Caller.WAITING:
            return False
        loop = self._loop()
        return loop is None or loop.is_closed()

    def register(self) -> None:
        """Enters the call in the call history: before anything is sent, so that its receipt always counts."""
        self._session.history.begin(self)
        self._session.history.trim()

    def feed(self, rows: Rows) -> None:
        """Gives the run rows. Warns once if many are paid for and no store keeps the answers."""
        if self._rows_without_store is not None:
            self._rows_without_store += rows.asking()
            if self._rows_without_store > MANY_ROWS:
                self._rows_without_store = None
                warn_of_nothing_kept()
        self.run.feed(rows)

    def collect(self) -> None:
        """Takes what is ready out of the run."""
        raise NotImplementedError

    def rest(self) -> Results:
        """Every row that has not been handed out. Gives the same until :meth:`release_remaining`."""
        raise NotImplementedError

    def release_remaining(self) -> None:
        """Hands out nothing of the rest any more."""

    def tick(self, *, last: bool = False) -> None:
        """Shows how it gets on, if it is time to, and writes the log."""
        self._watch.tick(self.run.progress, last=last)
        for kind, lookups, wait_s, cause in self.run.log():
            level, text = _LOG[kind]
            request = f"a request for {count(lookups, 'lookup')}"
            text = text.format(request=request, wait=duration(wait_s))
            log(level, "%s: %s: %s", self._name, text, said(cause, self.words), extra=SHOWN_UNLESS_QUIET)

    def step(self, timeout_s: float = TICK_S) -> None:
        """Waits for something to be ready, and takes it. Blocks; Ctrl-C raises out of it."""
        self._wait(timeout_s)
        self.collect()
        self.tick()

    def _wait(self, timeout_s: float) -> None:
        self.run.wait(timeout_s)

    def over(self) -> bool:
        """Whether every row's outcome has been taken, or the call was given up."""
        return self.is_given_up or self.run.over()

    def until_over(self) -> None:
        """Waits until it is over."""
        while not self.over():
            self.step()

    def kept_rows(self) -> int:
        """How many rows it keeps for `recover()`."""
        raise NotImplementedError

    def may_be_given_up(self) -> bool:
        """Whether nothing of it is under way, its caller has left, and its rows are kept."""
        if self._caller is not Caller.LEFT or self.is_given_up:
            return False
        progress = self.run.progress()
        return not progress["in_flight"] and progress["done"] >= progress["rows"]

    def unstored(self) -> int:
        """How many lookups have an answer that the store does not have. Final when no request is in flight.

        A store does not keep contacts that mention a purged person.
        """
        counts = self.run.receipt()
        return int(counts["not_stored"] + counts["withheld"])

    def is_stored(self) -> bool:
        """Whether a store has all its answers, so that asking again is free. Final as `unstored` is."""
        store = self._session.store
        return store is not None and not self.unstored() and store.exists()

    def log_given_up(self, *, is_stored: bool) -> None:
        """Logs that its rows are no longer kept."""
        receipt = self.receipt()
        log(
            logging.INFO if is_stored else logging.WARNING,
            "%s of an interrupted call that was not recovered (%s) are no longer kept: %s",
            count(receipt.rows, "row"),
            count(receipt.credits, "credit"),
            "the store has the answers" if is_stored else "they are lost: call recover() in time",
        )

    def receipt_so_far(self) -> Receipt | None:
        """Its receipt so far; `None` once the call history has the final one."""
        return None if self.settled is not None else self._current_receipt()

    def receipt(self) -> Receipt:
        """The receipt of this call; final once the call has been settled."""
        return self.settled or self._current_receipt()

    def stop(self) -> None:
        """Starts nothing new; what is in flight may still take the grace."""
        if not self.is_given_up:
            self.run.stop(self.settings.grace)
            self.run.finish()

    def disown(self) -> None:
        """Called in a forked child: the call is its parent's, and the child neither keeps nor stops it."""
        self.is_given_up, self._caller = True, Caller.SERVED

    def keep_for_recovery(self) -> None:
        """Leaves it to `recover()`. First of all in whatever ends a call: Ctrl-C may come at any moment."""
        self._session.history.keep_for_recovery(self)

    def _keep_and_stop(self) -> None:
        """Leaves it to `recover()`, starts nothing new, and no longer calls the function of the caller."""
        self.keep_for_recovery()
        self.stop()
        self._watch.interrupted()

    def leave(self) -> None:
        """Stops, waits for nothing, and leaves the remaining rows to `recover()`. Shows and logs nothing."""
        self._keep_and_stop()
        self._caller = Caller.LEFT

    def detach(self) -> None:
        """As :meth:`leave`, and shows how far it came. The collector may call it at any moment."""
        if self._caller is Caller.SERVED:
            return
        try:
            self._keep_and_stop()
            if self.is_amid_history():
                return
            self.tick(last=True)
            self._session.history.trim()
            # A stream may have been left with every row handed out: then there is nothing to recover.
            if self.over() and not has_rows(self.settle()):
                self._session.history.drop(self)
        finally:
            self._caller = Caller.LEFT

    def is_amid_history(self) -> bool:
        """Whether the collector has interrupted the call history: then nothing may be logged."""
        return self._session.history.is_locked_here()

    def interrupt(self) -> Interrupted:
        """After Ctrl-C: stops, waits for the requests in flight, and returns the exception to raise.

        A second Ctrl-C ends the wait. In both cases, `recover()` returns the rows, once.
        """
        try:
            self._keep_and_stop()
            in_flight = self.run.progress().get("in_flight", 0)
            if in_flight:
                text = (
                    f"stopping. {count(in_flight, 'request')} in flight may already be charged: "
                    f"waiting up to {self.settings.grace:g} s for the answers. Ctrl-C again leaves at once."
                )
                log(logging.INFO, "%s", text, extra=SHOWN_BY_CLI)
                self._watch.say(f"exactbuyer: {text}")
            self.until_over()
            results = self.settle()
        except KeyboardInterrupt:
            self.keep_for_recovery()
            with suppress(KeyboardInterrupt):
                self.tick(last=True)
            return Interrupted(
                "left with requests in flight: enricher.recover() waits for their answers, and returns "
                "every row",
                receipt=self.receipt(),
            )
        finally:
            self._caller = Caller.LEFT
        has_earlier = self._session.history.has_earlier(self)
        earlier = ", after the results of earlier interrupted calls" if has_earlier else ""
        return Interrupted(
            f"stopped by Ctrl-C with {count(self.receipt().credits, 'credit')} charged: what was paid for is "
            f"in {self._places()}, and enricher.recover() returns it, once{earlier}.{self._what_is_stored()}",
            results=results,
            receipt=self.receipt(),
        )

    def settle(self) -> Results:
        """When the call is over: adds the receipt to the call history, and returns the remaining rows.

        If Ctrl-C interrupts it at any point, it can be called again.
        """
        if self._rest is not None:
            return self._rest
        self.tick(last=True)
        rest = self.rest()
        rest.origins = self.run.origins(len(rest))
        rest.problems = [
            Problem(row, cast("Any", status), said(why, self.words))
            for row, status, why in self.run.problems()
        ]
        rest.receipt = self._current_receipt()
        self._session.history.add_receipt(self, rest.receipt)
        self._session.history.last_results = rest
        self.release_remaining()
        self._rest = rest
        self._log(rest.receipt)
        return rest

    def conclude(self, on_error: OnError) -> Results:
        """Settles the call, and raises or warns if there is a reason.

        Raises:
            ExactBuyerError: The worst error of the run. With `on_error="record"`, only errors about settings
                are raised, and internal errors that ended the run.
        """
        results, receipt = self.settle(), self.receipt()
        troubles, is_broken = self.run.troubles(), self.is_broken()
        # From here on the caller gets all of it, whichever way.
        self._caller = Caller.SERVED
        for kind, message, status, is_about_settings in troubles:
            if on_error == "raise" or is_about_settings or is_broken:
                error_class: type[ExactBuyerError] = getattr(exceptions, kind)
                doubt = "" if kind == "UnknownOutcomeError" else _doubt(receipt)
                text = Message(message, ". ", doubt, self._where_results_are(), self._what_is_stored())
                raise error_class(text, status=status, results=results, receipt=receipt)
        if receipt.not_stored:
            warn_not_stored(results, receipt, self.settings.store)
        # Doubts of earlier runs are reported each time, and never raised.
        store_only = self._options.store_only
        expected = receipt.open_rows if store_only else receipt.inherited
        if receipt.open_rows and (receipt.stopped or not store_only):
            why = troubles[0][1] if troubles else receipt.why_open
            open_rows = Message(f"{receipt.open_rows:,} of {count(receipt.rows, 'row')} open: ", why)
            if on_error == "raise" and (receipt.stopped or receipt.open_rows > expected):
                results_are = self._where_results_are() + self._what_is_stored()
                text = Message(open_rows, f". Next: {receipt.next_step}. {results_are}")
                raise ExactBuyerError(text, results=results, receipt=receipt)
            warn_incomplete(open_rows, results, receipt)
        return results

    def warn_if_unjoined(self, results: Results) -> None:
        """Warns once if the new columns could not be joined with the table."""

    def is_broken(self) -> bool:
        """Whether an internal error has ended the run, so that some rows have no result."""
        progress = self.run.progress()
        return self.run.over() and bool(progress["done"] < progress["rows"])

    def refused(self) -> bool:
        """Whether the run had an error about settings: then it is pointless to read more rows."""
        return any(is_about_settings for *_, is_about_settings in self.run.troubles())

    def _where_results_are(self) -> str:
        raise NotImplementedError

    def _places(self) -> str:
        """Where a caller finds the results after an exception."""
        of_table = "" if self.where == ".results" else self.where
        return f"enricher.last_results{of_table} and in this exception's {self.where}"

    def _what_is_stored(self) -> str:
        """What a caller who lost the results need not pay for again."""
        receipt = self.receipt()
        if self._options.refresh or not (receipt.found or receipt.not_found) or not self.is_stored():
            return ""
        return " The store has the answers that arrived."

    def _current_receipt(self) -> Receipt:
        counts = self.run.receipt()
        if not self.over():
            # Requests in flight may be charged already.
            counts["credits_in_doubt"] = self.run.progress()["credits_in_doubt"]
        in_store, store_only = self.settings.store is not None, self._options.store_only
        return Receipt.from_core(counts, self.settings.credit_price, in_store=in_store, store_only=store_only)

    def _log(self, receipt: Receipt) -> None:
        log(
            logging.INFO,
            "%s: %s: %d found, %d not found, %d open; %s, up to %d more in doubt; %s",
            self._name,
            count(receipt.rows, "row"),
            receipt.found,
            receipt.not_found,
            receipt.open_rows,
            count(receipt.credits, "credit"),
            receipt.credits_in_doubt,
            count(receipt.requests, "request"),
            extra=SHOWN_BY_CLI,
        )
        for text, requests in receipt.notes:
            which = count(requests, "request")
            log(logging.WARNING, "%s: %s, in %s", self._name, text, which, extra=SHOWN_BY_CLI)
        text = "%s: %d lookups sent in %.3f s"
        log(logging.DEBUG, text, self._name, receipt.sent, receipt.elapsed_s, extra=SHOWN_BY_CLI)


def _doubt(receipt: Receipt) -> str:
    """What an error about something else does not say: that requests have no answer."""
    if not receipt.credits_in_doubt:
        return ""
    most = count(receipt.credits_in_doubt, "credit")
    return f"Besides, up to {most} may have been charged for requests without an answer. "
