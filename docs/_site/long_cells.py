"""Keeps tables readable: names that would fill a cell stand in a note below the table.

The sources have all names in the table, because a test of the core compares them with its data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MOST = 24
"""Cells with more names than this are shortened."""


def shorten(_: Sphinx, doctree: nodes.document, __: str) -> None:
    """Replaces the names after the first by their number, and lists all of them below the table."""
    for table in list(doctree.findall(nodes.table)):
        notes = [note for row in table.findall(nodes.row) for note in _notes(row)]
        if notes:
            parent = cast("nodes.Element", table.parent)
            at = parent.index(table) + 1
            parent.children[at:at] = notes
            for note in notes:
                note.parent = parent


def _notes(row: nodes.row) -> list[nodes.paragraph]:
    notes: list[nodes.paragraph] = []
    for entry in row.findall(nodes.entry):
        names = list(entry.findall(nodes.literal))
        if len(names) <= MOST:
            continue
        cell = cast("nodes.Element", names[0].parent)
        notes.append(nodes.paragraph("", "", nodes.Text(f"{row[0].astext()}: "), *_copies(cell)))
        more = nodes.Text(f" and {len(names) - 1} more, in the note below the table")
        cell.children = []
        cell += [names[0], more]
    return notes


def _copies(cell: nodes.Element) -> list[nodes.Node]:
    return [child.deepcopy() for child in cell.children]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-resolved", shorten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
