"""How a coroutine waits for a run. The only room, with `streams`, that says asyncio."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .call import Call


class Waiter:
    """Wakes one coroutine: when the run has something, when someone rings, or after a while.

    The core lets one at a time take results: nothing may be taken from the run while the bell is
    `waiting` for it.
    """

    def __init__(self, call: Call) -> None:
        self._run = call.run
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

        It must be awaited in the loop in which the bell was made.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._run.wait_async())
            self._waiting.add_done_callback(self._answered)
        timer = asyncio.get_running_loop().call_later(timeout_s, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        self._event.clear()

    def wake(self) -> None:
        """Wakes whoever waits."""
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
    """Raises a cancellation that came while the loop was busy: by Ctrl-C under `asyncio.run`, say.

    To be awaited before a result is returned. A task that is cancelled in its last step comes to its end
    as cancelled, and what it returned is nobody's.
    """
    await asyncio.sleep(0)
