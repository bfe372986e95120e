"""How late threads of a process run: what shows that a machine is too slow for a short time limit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_TURN_S = 0.01


class Lateness:
    """Measures, inside a `with` block, how much later than planned a thread wakes up.

    Attributes:
        worst_s: The worst delay so far, in seconds.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _measure(self) -> None:
        before = time.monotonic()
        while not self._ended.wait(_TURN_S):
            now = time.monotonic()
            self.worst_s = max(self.worst_s, now - before - _TURN_S)
            before = now
