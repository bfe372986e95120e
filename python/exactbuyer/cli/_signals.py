"""Ctrl-C, SIGTERM and a closed terminal end a run in good order; none cuts a line that is being written.

A closed terminal sends SIGHUP. Windows sends Ctrl-Break (SIGBREAK) where other systems send SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

from .exit_codes import ExitCode

ENDING: tuple[int, ...] = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)
"""The signals that ask a program to end."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or a closed terminal, where nothing is to be kept."""


class Signals:
    """Turns signals into `KeyboardInterrupt`, at moments when it does no harm."""

    def __init__(self) -> None:
        self.exit_code = ExitCode.INTERRUPTED
        self.count = 0
        """How many have come."""
        self._held = False
        self._seen = False

    @contextmanager
    def watched(self) -> Generator[None]:
        """Inside, these signals raise `KeyboardInterrupt`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        # `nohup` starts a program with SIGHUP ignored, so that it survives its terminal.
        ending = [number for number in ENDING if not _survives(number)]
        before = {number: signal.signal(number, self._seen_now) for number in ending}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Generator[None]:
        """Inside, the first signal waits for the next :meth:`released`; the second does not."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before

    @contextmanager
    def released(self) -> Generator[None]:
        """Inside, within :meth:`held`, a signal raises at once, and a signal that had to wait raises here.

        Use it only for waiting: anything that is taken or written inside could be lost.
        """
        held, self._held = self._held, False
        try:
            if self._seen:
                self._seen = False
                raise KeyboardInterrupt if self.exit_code is ExitCode.INTERRUPTED else Terminated
            yield
        finally:
            self._held = held

    def forget(self) -> None:
        """Forgets the signal that waits for :meth:`released`, because the caller ends the run for it."""
        self._seen = False

    def _seen_now(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if number != signal.SIGINT:
            self.exit_code = ExitCode.TERMINATED
        if self._held and self.count == 1:
            self._seen = True
        else:
            raise Terminated if number != signal.SIGINT else KeyboardInterrupt


def _survives(number: int) -> bool:
    return signal.Signals(number).name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN


def end_by_signal(exit_code: int) -> None:
    """Ends the process by the signal that an exit code stands for, once everything is written and closed.

    A shell stops its loop or script only if the command dies by the signal. After one that exits with 130, it
    goes on: the command may have used Ctrl-C for something of its own, as editors do
    (https://www.cons.org/cracauer/sigint.html). In a loop over files, the next file would then be paid for.

    Returns only if the exit code stands for no signal, on Windows, or if the process survives: the first
    process of a container ignores signals that it does not handle.
    """
    number = _SIGNALS.get(exit_code)
    if number is None or os.name != "posix":
        return
    for stream in (sys.stdout, sys.stderr):
        # It may be closed, or its reader may be gone.
        with suppress(Exception):
            stream.flush()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)


_SIGNALS: dict[int, signal.Signals] = {
    ExitCode.INTERRUPTED: signal.SIGINT,
    # A closed terminal, too: its exit code is that of SIGTERM.
    ExitCode.TERMINATED: signal.SIGTERM,
}
