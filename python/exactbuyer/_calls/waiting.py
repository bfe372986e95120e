"""How a call is waited for: blocking or in a coroutine. Runs calls whose rows are all there to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from exactbuyer._traceback import short_traceback

from .call import TICK_S, Call

if TYPE_CHECKING:
    from exactbuyer._core import Rows
    from exactbuyer.results import Results

    from .options import OnError

T = TypeVar("T")


class Waiter:
    """Wakes one coroutine: when the run has something, when :meth:`wake` is called, or after a while.

    Only one consumer at a time may take results, so nothing may be taken from the run while the waiter is
    `waiting`.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        call.await_in(self._loop)
        self._event = asyncio.Event()
        self._waiting: asyncio.Future[Any] | None = None
        self._trouble: BaseException | None = None

    @property
    def waiting(self) -> bool:
        """Whether the run is still being waited for."""
        return self._waiting is not None

    async def wait(self, timeout_s: float) -> None:
        """Waits. If this is cancelled, nothing is lost: the next wait continues it.

        It must be awaited in the loop in which the waiter was made.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._call.run.wait_async())
            self._waiting.add_done_callback(self._answered)
        timer = asyncio.get_running_loop().call_later(timeout_s, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        self._event.clear()

    async def until_over(self) -> None:
        """Takes the results of the run as they come, until it is over."""
        while not self._call.over():
            await self.wait(TICK_S)
            if not self.waiting:
                self._call.collect()
            self._call.tick()

    def wake(self) -> None:
        """Wakes the coroutine that waits."""
        self._event.set()

    def close(self) -> None:
        """Waits for the run no more."""
        if self._waiting is not None:
            # A closed loop raises, because it cannot run callbacks; the future is cancelled nevertheless.
            with suppress(RuntimeError):
                self._waiting.cancel()

    def belongs_here(self) -> bool:
        """Whether it was made in the loop that is running now."""
        return self._loop is asyncio.get_running_loop()

    def _answered(self, future: asyncio.Future[Any]) -> None:
        self._waiting = None
        if not future.cancelled():
            self._trouble = future.exception()
        self._event.set()


async def raise_if_cancelled() -> None:
    """Raises a cancellation that came while the loop was busy, for example by Ctrl-C under `asyncio.run`.

    Await it before a result is returned. If a task is cancelled in its last step, it ends as cancelled, and
    the value that it returned is lost.
    """
    await asyncio.sleep(0)


def in_thread(name: str, work: Callable[[], T]) -> Future[T]:
    """Runs `work` in a thread. It is a daemon: the process ends without waiting for it."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            done.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return done


async def out_of_the_loop(work: Callable[[], T]) -> T:
    """Runs `work` in a thread and waits for it. Cancelling the wait does not stop the work."""
    return await asyncio.shield(asyncio.wrap_future(in_thread("exactbuyer-async", work)))


def run_to_end(call: Call, parts: Iterable[Rows], on_error: OnError) -> Results:
    """Feeds a call all its rows and waits for the outcomes. Raises or warns as `Call.conclude` does."""
    try:
        call.register()
        for rows in parts:
            call.feed(rows)
        call.run.finish()
        call.until_over()
        with short_traceback:
            return call.conclude(on_error)
    except KeyboardInterrupt:
        try:
            interrupted = call.interrupt()
        except KeyboardInterrupt:
            # The next Ctrl-C came before `interrupt` had begun: both count as one.
            interrupted = call.interrupt()
        raise interrupted from None
    except BaseException:
        call.detach()
        raise


async def run_to_end_async(call: Call, parts: Iterable[Rows], on_error: OnError) -> Results:
    """The awaitable version of :func:`run_to_end`."""
    waiter = Waiter(call)
    try:
        call.register()
        for rows in parts:
            call.feed(rows)
            await asyncio.sleep(0)
        call.run.finish()
        await waiter.until_over()
        call.settle()
        await raise_if_cancelled()
        with short_traceback:
            return call.conclude(on_error)
    except BaseException:
        # First, what was paid for is put where `recover` finds it.
        call.detach()
        waiter.close()
        raise
