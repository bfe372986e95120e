"""The code on the pages: the README, the documentation, and what else people read in the repository.

A block that needs what a test does not have says so in a comment before it: `<!-- needs airflow -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    # Copies of files in the root.
    if page.parent != ROOT / "docs/project"
)
FENCE = re.compile(
    r"^(?:<!-- needs (?P<needs>.+) -->\n)?```(?P<language>.*)\n(?P<code>(?:.*\n)*?)```$", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    """The line of the page before the first line of its code."""
    language: str
    code: str
    needs: str | None
    """What it needs, as its comment says; `None` if it needs nothing."""

    def __str__(self) -> str:
        return f"{name(self.page)}:{self.line}"


def name(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    """What it says."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[Block]:
    """Its blocks in these languages, in order; without languages, all."""
    source = text(page)
    found = (
        Block(page, source.count("\n", 0, each.start("code")), each["language"], each["code"], each["needs"])
        for each in FENCE.finditer(source)
    )
    return [each for each in found if not languages or each.language in languages]
