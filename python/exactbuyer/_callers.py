"""Whom a warning is about: the first line outside this package."""

from __future__ import annotations

import inspect
from pathlib import Path


def callers_level() -> int:
    """The `stacklevel` of the first frame outside this package, for whoever calls this."""
    here, level, frame = str(Path(__file__).parent), 1, inspect.currentframe()
    frame = frame.f_back if frame is not None else None
    while frame is not None and frame.f_code.co_filename.startswith(here):
        frame, level = frame.f_back, level + 1
    return level
