"""Reads Rust source just far enough to see which paths it names.

Owns the lexing: comments, strings and test modules are blanked out, `use` trees are unfolded. Knows nothing
of which path may stand where. A real parser would be a dependency, and the walls run first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TOKEN = re.compile(
    r"""
      (?P<line>//[^\n]*)
    | (?P<block>/\*)
    | (?P<raw>\bb?r(?P<hashes>\#*)".*?"(?P=hashes))
    | (?P<string>b?"(?:[^"\\]|\\.)*")
    | (?P<char>b?'(?:[^'\\\n]|\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.))')
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_TEST_ONLY = re.compile(r"#\[cfg\((?:test|all\([^\]]*\btest\b[^\]]*\))\)\]")
_PATH = re.compile(r"(?<![\w:>])(?:::)?(?P<head>[A-Za-z_]\w*)\s*::\s*(?=[\w{*])")
_USE = re.compile(r"\buse\s+(?:::)?(?P<head>\w+)\s*::\s*")
_SEGMENT = re.compile(r"\s*(?:r#)?(\w+)\s*")


def blank(text: str, *, strings: bool = True) -> str:
    """Returns the text with comments (and strings, unless told otherwise) replaced by spaces, lines kept."""
    out: list[str] = []
    at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        out.append(text[at : token.start()])
        end = _block_end(text, token.end()) if token["block"] else token.end()
        span = text[token.start() : end]
        is_comment = token["line"] is not None or token["block"] is not None
        out.append(re.sub(r"[^\n]", " ", span) if is_comment or strings else span)
        at = end
    out.append(text[at:])
    return "".join(out)


def _block_end(text: str, at: int) -> int:
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(text, at)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(text) if depth else at


def without_tests(blanked: str) -> str:
    """Returns blanked source with every item under `#[cfg(test)]` blanked too."""
    text = blanked
    at = 0
    while (mark := _TEST_ONLY.search(text, at)) is not None:
        end = _item_end(text, mark.end())
        text = text[: mark.start()] + re.sub(r"[^\n]", " ", text[mark.start() : end]) + text[end:]
        at = end
    return text


def _item_end(text: str, at: int) -> int:
    depth = 0
    for place in range(at, len(text)):
        letter = text[place]
        if letter in "{([":
            depth += 1
        elif letter in "})]":
            depth -= 1
            if depth == 0 and letter == "}":
                return place + 1
        elif letter == ";" and depth == 0:
            return place + 1
    return len(text)


def test_only_modules(blanked: str) -> set[str]:
    """Returns the names of modules that live in files of their own and exist in tests only."""
    names: set[str] = set()
    for mark in _TEST_ONLY.finditer(blanked):
        if (
            module := re.compile(r"\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*;").match(blanked, mark.end())
        ) is not None:
            names.add(module[1])
    return names


@dataclass(frozen=True)
class Named:
    """A path that a file names, absolute where it starts in this crate, and the line it stands on."""

    path: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        """Returns it as Rust spells it."""
        return "::".join(self.path)


def named_paths(code: str, module: tuple[str, ...]) -> Iterator[Named]:
    """Yields every path that blanked `code` of `module` names.

    `use` trees are unfolded, `super` is resolved, and what a `use` abbreviates is told in full.
    """
    imported: dict[str, tuple[str, ...]] = {}
    for found in _USE.finditer(code):
        for tail in _tree(code, found.end())[0]:
            path = (found["head"], *tail)
            path = path[:-1] if path[-1] == "self" else path
            imported[path[-1]] = path
    told_to = 0
    for found in _PATH.finditer(code):
        if found.start() < told_to:
            continue
        line = code.count("\n", 0, found.start()) + 1
        head = imported.get(found["head"], (found["head"],))
        tails, told_to = _tree(code, found.end())
        for tail in tails:
            yield Named(_absolute((*head, *tail), module), line)


def _absolute(path: tuple[str, ...], module: tuple[str, ...]) -> tuple[str, ...]:
    if path[0] not in {"self", "super"}:
        return path
    base = list(module)
    rest = list(path)
    while rest and rest[0] in {"self", "super"}:
        if rest.pop(0) == "super" and base:
            base.pop()
    return ("crate", *base, *rest)


def _tree(code: str, at: int) -> tuple[list[tuple[str, ...]], int]:
    """Unfolds one `a::{b, c::d}` from `at`; returns the tails and where it ended."""
    while at < len(code) and code[at].isspace():
        at += 1
    if at < len(code) and code[at] == "{":
        tails: list[tuple[str, ...]] = []
        at += 1
        while at < len(code) and code[at] != "}":
            branch, end = _tree(code, at)
            tails.extend(branch)
            comma = re.compile(r"[^,{}]*,?").match(code, end)
            at = max(comma.end() if comma else end, at + 1)
        return tails, at + 1
    segment = _SEGMENT.match(code, at)
    if segment is None:
        return [()], at
    if code.startswith("::", segment.end()) and re.compile(r"\s*[\w{*]").match(code, segment.end() + 2):
        tails, end = _tree(code, segment.end() + 2)
        return [(segment[1], *tail) for tail in tails], end
    return [(segment[1],)], segment.end()


def module_of(path: Path, src: Path) -> tuple[str, ...]:
    """Returns the module that a file is: `src/vendor/http/mod.rs` is `("vendor", "http")`."""
    parts = path.relative_to(src).with_suffix("").parts
    if parts[-1] in {"mod", "lib", "main"}:
        parts = parts[:-1]
    return tuple(parts)
