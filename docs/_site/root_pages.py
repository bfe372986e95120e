"""Pages of the site whose source is elsewhere in the repository: each text has one place.

Links in the sources lead to files, as people on the forge need them. On the site, they lead to pages.
"""

from __future__ import annotations

import posixpath
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

REPOSITORY = "https://github.com/exactbuyer-py/exactbuyer"

PAGES = {
    "examples/quickstart.ipynb": "tutorial.ipynb",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CODE_OF_CONDUCT.md": "project/code-of-conduct.md",
    "SECURITY.md": "project/security.md",
    "SUPPORT.md": "project/support.md",
}
"""Where a file of the repository is on the site."""

LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<target>[^)#\s]+)")


def write(docs: Path) -> None:
    """Writes these pages into the folder of the site's sources, where git ignores them."""
    for source, page in PAGES.items():
        text = (docs.parent / source).read_text(encoding="utf-8")
        if page.endswith(".md"):
            text = with_links_of_the_site(text, source, page)
        target = docs / page
        target.parent.mkdir(exist_ok=True)
        # A file that has not changed is not built again.
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def with_links_of_the_site(text: str, source: str, page: str) -> str:
    """The text of a file of the repository, with its links as its page needs them.

    Args:
        text: The text.
        source: The file, from the root of the repository.
        page: Its page, from the root of the site.
    """
    return LINK.sub(partial(_link, source, page), text)


def _link(source: str, page: str, link: re.Match[str]) -> str:
    file = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
    if file in PAGES:
        on_site = PAGES[file]
    elif file.startswith("docs/") and posixpath.splitext(file)[1]:
        on_site = file.removeprefix("docs/")
    else:
        return f"]({REPOSITORY}/blob/main/{file}"
    return f"]({posixpath.relpath(on_site, posixpath.dirname(page) or '.')}"


def _read(app: Sphinx, name: str, content: list[str]) -> None:
    page = f"{name}.md"
    if (Path(app.srcdir) / page).exists() and page not in PAGES.values():
        content[0] = with_links_of_the_site(content[0], f"docs/{page}", page)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    write(Path(app.srcdir))
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
