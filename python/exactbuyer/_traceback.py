"""Shortens the traceback of a caller's mistake: it ends in the call that the caller made."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from .exceptions import ExactBuyerError

DEBUG = "EXACTBUYER_DEBUG"
"""The environment variable that shows whole tracebacks and, on the command line, the log down to DEBUG."""

_PACKAGE = str(Path(__file__).parent) + os.sep


def is_ours(file: str) -> bool:
    """Whether this file is one of this package."""
    return file.startswith(_PACKAGE)


class _ShortTraceback:
    """A context manager that cuts the frames below its own off, if the error was raised by this package.

    An error that was raised below the caller's own code, such as a generator of rows, keeps all frames.
    """

    def __enter__(self) -> None:
        """Does nothing: only what is raised matters."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if trace is None or not isinstance(error, (ExactBuyerError, TypeError)) or os.environ.get(DEBUG):
            return
        last = trace
        while last.tb_next is not None:
            last = last.tb_next
        if is_ours(last.tb_frame.f_code.co_filename):
            trace.tb_next = None


short_traceback = _ShortTraceback()
