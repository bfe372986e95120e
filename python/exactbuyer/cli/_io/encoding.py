"""Text of any encoding, as the UTF-8 that everything after it reads. Knows nothing of rows or of files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain

BYTES = "bytes"
"""The word for bytes that are copied unchanged, whatever they mean."""
_UTF_8 = "utf-8"


def is_encoding(name: str) -> bool:
    """Whether Python has an encoding of text with this name."""
    try:
        # A codec that makes no text, such as `hex`, is refused here.
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except (LookupError, ValueError):
        return False
    return True


def as_utf_8(blocks: Iterator[bytes], encoding: str | None, *, otherwise: str) -> Iterator[bytes]:
    """A text in UTF-8. Bytes that are UTF-8 already stay as they are.

    Args:
        blocks: The text, cut anywhere.
        encoding: Its encoding, or `BYTES`; `None`: UTF-8.
        otherwise: What to do if it has another encoding.

    Raises:
        ValueError: It has another encoding. The message says in which line, and shows nothing of it.
    """
    if encoding == BYTES:
        yield from blocks
        return
    name = codecs.lookup(encoding or _UTF_8).name
    decoder = codecs.getincrementaldecoder(name)()
    lines = _Lines()
    # The last block shows that the text does not end inside a letter.
    for block, is_last in chain(((block, False) for block in blocks), [(b"", True)]):
        state = decoder.getstate()
        try:
            text = decoder.decode(block, is_last)
            piece = block if name == _UTF_8 else text.encode()
        except UnicodeError as error:
            decoder.setstate(state)
            good = block[: _bytes_before(error, block)]
            if isinstance(error, UnicodeEncodeError):
                # Half of a surrogate pair, which UTF-8 cannot have.
                text = error.object[: error.start]
            else:
                text = decoder.decode(good)
            lines.count(text)
            # The rows before it may be looked up, if they are those of a stream.
            yield good if name == _UTF_8 else text.encode()
            raise ValueError(f"line {lines.number} is not {encoding or 'UTF-8'}: {otherwise}") from None
        lines.count(text)
        if piece:
            yield piece


def _bytes_before(error: UnicodeError, block: bytes) -> int:
    """How many bytes of a block come before an error."""
    if not isinstance(error, UnicodeDecodeError):
        return 0
    # The bytes that the decoder looked at end with the block, and may begin in the one before.
    return max(error.start - len(error.object) + len(block), 0)


class _Lines:
    """Counts lines in a text that comes in pieces."""

    def __init__(self) -> None:
        self._feeds = self._returns = 0

    def count(self, text: str) -> None:
        """Counts the line ends of a piece."""
        self._feeds += text.count("\n")
        self._returns += text.count("\r")

    @property
    def number(self) -> int:
        """The number of the line that is not complete, from 1."""
        # Old programs end lines with a return alone.
        return 1 + (self._feeds or self._returns)


def what_it_is_instead(begins: bytes, encoding: str | None) -> str | None:
    """What is wrong, if the first bytes of a text show another encoding than this one."""
    name = _UTF_8 if encoding is None or encoding == BYTES else codecs.lookup(encoding).name
    if begins.startswith(codecs.BOM_UTF8):
        is_utf_8 = name.startswith(_UTF_8)
        return None if is_utf_8 else "begins with a UTF-8 byte-order mark: leave out --encoding"
    shown = _wide_of(begins)
    if shown is None or name.startswith(("utf-16", "utf-32")):
        return None
    return f"is {shown[:6].upper()}: pass --encoding {shown}"


def _wide_of(begins: bytes) -> str | None:
    # The mark of UTF-32 begins with that of UTF-16.
    if begins.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if begins.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a byte-order mark: every other byte of plain letters is 0.
    sniffed = begins[:_SNIFFED_BYTES]
    if sniffed.count(0) * 3 <= len(sniffed):
        return None
    return "utf-16-be" if sniffed[::2].count(0) > sniffed[1::2].count(0) else "utf-16-le"


_SNIFFED_BYTES = 256
