"""Writes `llms.txt` (https://llmstxt.org): the pages of the site, each with its summary, for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.addnodes import toctree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def write(app: Sphinx, error: Exception | None) -> None:
    """Writes the file when the site is complete."""
    if error is None and app.builder.format == "html":
        Path(app.outdir, "llms.txt").write_text("\n".join(lines(app.env)) + "\n", encoding="utf-8")


def lines(env: BuildEnvironment) -> Iterator[str]:
    """The title and the summary of the site, then the pages, by the groups of the navigation."""
    index = env.get_doctree("index")
    yield f"# {env.titles['index'].astext()}"
    yield f"\n> {_summary(index)}"
    for group in index.findall(toctree):
        yield f"\n## {group['caption']}\n"
        for _, page in group["entries"]:
            yield from _page(env, page)


def _page(env: BuildEnvironment, page: str) -> Iterator[str]:
    # A page of the reference is made of docstrings, and a notebook is not text: their sources would not help.
    source = Path(env.doc2path(page))
    plain = source.suffix == ".md" and "reference/api" not in page
    address = f"_sources/{page}.md.txt" if plain else f"{page}.html"
    yield f"- [{env.titles[page].astext()}]({address}): {_summary(env.get_doctree(page))}"
    for below in env.toctree_includes.get(page, []):
        yield from _page(env, below)


def _summary(doctree: nodes.document) -> str:
    paragraph = next((each for each in doctree.findall(nodes.paragraph)), None)
    return " ".join(paragraph.astext().split()) if paragraph else ""


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
