"""Reads and writes pipes, sockets and devices without a system call that blocks for good.

A signal that comes while a system call blocks is only noted, and Python repeats the call. So a program that
does not read its end of a pipe could keep this one from ending. Here, waiting is done in short turns, and
only as much is written as fits at once.

Another program that shares a standard stream, such as Node or the runner of a CI job, may have set it not to
block (`O_NONBLOCK`). The flag is left as it is, because it belongs to all programs that share the stream.

Windows cannot wait for a pipe in this way. There, reading and writing block.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias, cast

WhileWaiting: TypeAlias = Callable[[], None]
"""Called after each turn of waiting. It ends the wait by raising an exception."""

TURN_S = 0.1

_AT_ONCE: int | None = getattr(select, "PIPE_BUF", None)
"""A pipe that can be written to has room for so many bytes (POSIX); `None`: the system does not say."""


def keep_waiting() -> None:
    """Waits for as long as it takes: for commands that a signal ends at once."""


def descriptor_of(stream: Any) -> int | None:
    """The descriptor of a standard stream, if it has one."""
    # The object that replaces standard output in a notebook has none.
    with suppress(OSError, ValueError):
        return cast("int", stream.fileno())
    return None


def write_some(descriptor: int, rest: memoryview, while_waiting: WhileWaiting = keep_waiting) -> int:
    """Waits until something can be written, and writes as much as fits.

    Returns:
        How many bytes were written, perhaps none.
    """
    _wait_until(descriptor, "POLLOUT", while_waiting)
    try:
        return os.write(descriptor, rest[:_AT_ONCE])
    except BlockingIOError:
        # Another program that writes to it was faster, or the system cannot wait for this kind of device.
        time.sleep(TURN_S)
        while_waiting()
        return 0


def open_for_writing(path: str, while_waiting: WhileWaiting) -> int:
    """Opens a pipe or a device, and waits until a program has opened a named pipe to read it."""
    flags = os.O_WRONLY | getattr(os, "O_BINARY", 0)
    nonblocking = getattr(os, "O_NONBLOCK", 0)
    if nonblocking and stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116 - as it is opened
        flags |= nonblocking
    while True:
        try:
            return os.open(path, flags)
        except OSError as error:
            # No program reads it yet. Opening it in a way that blocks would not see a signal.
            if error.errno != errno.ENXIO or not flags & nonblocking:
                raise
        time.sleep(TURN_S)
        while_waiting()


class WaitingInput(io.RawIOBase):
    """A descriptor that is read. If nothing has come yet, that is not taken for the end.

    The descriptor is closed with it.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = io.FileIO(descriptor)

    def readinto(self, buffer: Any, /) -> int:
        while (count := self._file.readinto(buffer)) is None:
            _wait_until(self._file.fileno(), "POLLIN", keep_waiting)
        return count

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


def _wait_until(descriptor: int, event: str, while_waiting: WhileWaiting) -> None:
    """Waits for an event of `select.poll`. An error counts, too: what is done next meets it."""
    if not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(descriptor, getattr(select, event))
    while not poll.poll(TURN_S * 1_000):
        while_waiting()
