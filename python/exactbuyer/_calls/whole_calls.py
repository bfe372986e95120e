"""How a call whose rows are all there runs to its end: blocking, or awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from exactbuyer._traceback import short_traceback

from .waiting import Waiter, raise_if_cancelled

if TYPE_CHECKING:
    from exactbuyer._core import Rows
    from exactbuyer.results import Results

    from .call import Call
    from .options import OnError


def run_to_end(call: Call, parts: Iterable[Rows], on_error: OnError) -> Results:
    """Feeds a call all its rows and waits for the outcomes. Raises or warns as `Call.conclude` does."""
    try:
        for rows in parts:
            call.feed(rows)
        call.run.finish()
        call.until_over()
        with short_traceback:
            return call.conclude(on_error)
    except KeyboardInterrupt:
        raise call.interrupt() from None
    except BaseException:
        call.detach()
        raise


async def run_to_end_async(call: Call, parts: Iterable[Rows], on_error: OnError) -> Results:
    """The awaitable version of :func:`run_to_end`."""
    with Waiter(call) as waiter:
        for rows in parts:
            call.feed(rows)
            await asyncio.sleep(0)
        call.run.finish()
        await waiter.until_over()
        call.settle()
        await raise_if_cancelled()
        with short_traceback:
            return call.conclude(on_error)
