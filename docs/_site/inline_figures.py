"""Puts drawings into the text of their pages, so that they follow the theme: an `img` cannot see its page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def inline(app: Sphinx, doctree: nodes.document, _: str) -> None:
    """Replaces each SVG image by the drawing itself."""
    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        if image["uri"].endswith(".svg"):
            drawing = (Path(app.srcdir) / image["uri"]).read_text(encoding="utf-8")
            figure = f'<div class="drawing" role="img" aria-label="{image.get("alt", "")}">{drawing}</div>'
            image.replace_self(nodes.raw("", figure, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", inline)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
