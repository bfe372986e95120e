"""Pages of the site whose source is elsewhere in the repository: each text has one place."""

from __future__ import annotations

import posixpath
import re
from functools import partial
from pathlib import Path

REPOSITORY = "https://github.com/exactbuyer-py/exactbuyer"

# Where a file of the repository is on the site.
PAGES = {
    "examples/quickstart.ipynb": "tutorial.ipynb",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "SECURITY.md": "project/security.md",
    "SUPPORT.md": "project/support.md",
}
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def write(docs: Path) -> None:
    """Writes these pages into the folder of the site's sources, where git ignores them."""
    for source, page in PAGES.items():
        text = (docs.parent / source).read_text(encoding="utf-8")
        if page.endswith(".md"):
            text = LINK.sub(partial(_link, page), text)
        target = docs / page
        target.parent.mkdir(exist_ok=True)
        # A file that has not changed is not built again.
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def _link(page: str, link: re.Match[str]) -> str:
    return f"]({_on_site(link[1], page)}"


def _on_site(target: str, page: str) -> str:
    """The link of a file in the root of the repository, as a link of a page."""
    if target.startswith("docs/") and not target.endswith("/") and target != "docs/decisions":
        on_site = target.removeprefix("docs/")
    elif target in PAGES:
        on_site = PAGES[target]
    else:
        return f"{REPOSITORY}/blob/main/{target}"
    return posixpath.relpath(on_site, posixpath.dirname(page))
