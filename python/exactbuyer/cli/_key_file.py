"""What sending needs: an API key, never from an argument, and a machine that is not offline.

The key is read from the environment, or from a file that nobody else can read.
"""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from pathlib import Path

from exactbuyer.settings._secret import Secret

from .exit_codes import UsageError

OFFLINE_VARIABLE = "EXACTBUYER_OFFLINE"
"""With this variable of the environment, the core sends nothing to other machines."""

_MAX_BYTES = 4096


def is_offline() -> bool:
    """Whether the core would refuse to send."""
    return os.environ.get(OFFLINE_VARIABLE, "0") not in {"", "0"}


def key_in(path: str) -> Secret:
    """The key that a file holds."""
    file = Path(path)
    try:
        with file.open("rb") as stream:
            # The mode of the open file, because another file may have taken its place since.
            mode = os.fstat(stream.fileno()).st_mode
            if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
                raise UsageError(
                    f"other users can read the key in {path}: run chmod 600 on it, and try again"
                )
            key = Secret(_text_of(stream.read(_MAX_BYTES)))
    except OSError as error:
        raise UsageError(f"the key file {path} cannot be read: {error.strerror}") from None
    if not key.expose():
        raise UsageError(f"{path} holds no API key: it should be its only line")
    return key


def _text_of(content: bytes) -> str:
    """The key in a file's content; empty if there is none. Never raises: a traceback would show the key."""
    # Some editors begin a file with a byte-order mark.
    content = content.removeprefix(BOM_UTF8)
    is_text = content.isascii() and len(content) < _MAX_BYTES
    lines = content.decode("ascii").strip().splitlines() if is_text else []
    return lines[0] if len(lines) == 1 else ""
