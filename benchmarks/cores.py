"""Which process runs on which core."""

from __future__ import annotations

import os

CLIENT_CORE = 0
SERVER_CORE = 1


def pin(core: int) -> bool:
    """Keeps this process, and all that it starts, on one core; says whether the system can do that."""
    try:
        os.sched_setaffinity(0, {core})
    except (AttributeError, OSError):
        return False
    return True
