"""The forms in which a key could leave: as it is, encoded, or half of it. Pure.

A key's middle is letters and digits, which percent-encoding, JSON, HTML and `repr` leave as they are: looking
for it finds those forms too. What rewrites letters is named here.
"""

from __future__ import annotations

import base64
import secrets
import string
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTERS = string.ascii_letters + string.digits
HALF = 16


@dataclass(frozen=True)
class Canary:
    """A key that stands nowhere else.

    Attributes:
        core: Its middle, as many random letters and digits as two halves have.
    """

    core: str

    @classmethod
    def hatched(cls) -> Canary:
        """One that nobody has seen."""
        return cls("".join(secrets.choice(LETTERS) for _ in range(2 * HALF)))

    @property
    def key(self) -> str:
        """What is given as the key: with signs that every encoding writes in a way of its own."""
        return f"""c/{self.core}+%'"\\="""

    @cached_property
    def forms(self) -> dict[bytes, str]:
        """What to look for, and what it is called. Half of it is as bad as the whole."""
        halves = (self.core[:HALF], self.core[HALF:])
        return {form: name for half in halves for form, name in _forms(half)}

    def found_in(self, content: bytes) -> list[str]:
        """The forms of it that this holds."""
        return sorted({name for form, name in self.forms.items() if form in content})


def _forms(text: str) -> Iterator[tuple[bytes, str]]:
    plain = text.encode()
    yield plain, "plain"
    yield plain.lower(), "in small letters"
    yield plain.upper(), "in capitals"
    yield plain[::-1], "backwards"
    yield plain.hex().encode(), "hex"
    yield plain.hex().upper().encode(), "hex"
    yield plain.hex(" ").encode(), "hex"
    yield "".join(f"%{byte:02X}" for byte in plain).encode(), "percent-encoded"
    yield "".join(f"%{byte:02x}" for byte in plain).encode(), "percent-encoded"
    yield "".join(f"\\x{byte:02x}" for byte in plain).encode(), "escaped"
    yield "".join(f"\\u{byte:04x}" for byte in plain).encode(), "escaped"
    yield str(list(plain))[1:-1].encode(), "a list of bytes"
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield text.encode(encoding), encoding
    # Where in a longer text it begins decides how it is cut into groups of three; what its first and last
    # letters become depends on their neighbours.
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        inner = encoded[-(-8 * before // 6) + (before > 0) : -2]
        yield inner, "base64"
        yield inner.translate(bytes.maketrans(b"+/", b"-_")), "base64"
