"""Reads the site that was built, and fails if a page needs another host: `python docs/_site/whole.py SITE`.

Sphinx checks the links of the sources. This checks what came out: scripts, styles, fonts and images are in
the site, every local link leads to a page and its anchor, and so does every line of `llms.txt`.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
# Links that nothing is loaded from.
NAMES_ONLY = {"canonical", "author", "index", "search", "next", "prev"}

LEAST_PAGES = 40
"""A build with fewer has lost some, and nothing was proven."""


class Page(HTMLParser):
    """What a page loads, where it leads, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remembers an element."""
        given = dict(attrs)
        self.anchors |= {anchor for anchor in (given.get("id"), given.get("name")) if anchor}
        for name, value in given.items():
            if value and (tag, name) in LOADS and given.get("rel") not in NAMES_ONLY:
                self.loads.append(value)
            if value and (tag, name) == ("a", "href"):
                self.leads.append(value)


def read(site: Path) -> dict[Path, Page]:
    """The pages of the site."""
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def elsewhere(pages: dict[Path, Page]) -> list[str]:
    """Where its pages lead to outside. These addresses are only listed: nobody is asked."""
    return sorted({target for page in pages.values() for target in page.leads if _is_elsewhere(target)})


def faults(site: Path, pages: dict[Path, Page]) -> list[str]:
    """What is wrong with the site, a line each."""
    found: list[str] = []
    for path, page in pages.items():
        found += [f"{path}: loads {load}" for load in page.loads if _is_elsewhere(load)]
        for target in (*page.leads, *page.loads):
            if fault := _dead(path, target, pages):
                found.append(f"{path}: {fault}")
    for style in site.rglob("*.css"):
        loads = re.findall(r"url\(\s*['\"]?((?:https?:)?//[^'\")]+)", style.read_text(encoding="utf-8"))
        found += [f"{style}: loads {load}" for load in loads]
    listed = (site / "llms.txt").read_text(encoding="utf-8")
    found += [
        f"llms.txt: {target} is missing"
        for target in re.findall(r"\]\(([^)]+)\)", listed)
        if not (site / target).exists()
    ]
    if len(pages) < LEAST_PAGES:
        found.append(f"{site}: only {len(pages)} pages were looked at")
    return found


def _is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc)


def _dead(path: Path, target: str, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    place = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if place.is_dir():
        place /= "index.html"
    if not place.exists():
        return f"leads to {target}, which does not exist"
    known = {each.resolve(): page for each, page in pages.items()}.get(place)
    if parts.fragment and known and unquote(parts.fragment) not in known.anchors | {""}:
        return f"leads to {target}, which has no such anchor"
    return None


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    built = read(folder)
    wrong = faults(folder, built)
    links = sum(len(page.leads) for page in built.values())
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
    else:
        print(f"{len(built)} pages, {links:,} links. Links to other hosts, which are not checked:")
        print(*elsewhere(built), sep="\n")
    raise SystemExit(bool(wrong))
