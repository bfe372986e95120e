"""Reads the package's docstrings: what Sphinx would misread, and where a name in them leads."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

ELSEWHERE = {*sys.stdlib_module_names, "builtins", "pa", "pd", "pl", "typing_extensions"}
"""Modules without a page on this site. Links to their pages would need a network to be checked."""


def keep_colons(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Says that no type is before a colon: `The sum: all calls.` is a sentence, and types are annotations."""
    for number, line in enumerate(lines):
        begins = number == 0 and what in {"attribute", "data", "property"}
        if (begins or (number and lines[number - 1].strip() == "Returns:")) and ":" in line:
            lines[number] = re.sub(r"\S", r": \g<0>", line, count=1)


def resolve(
    app: Sphinx, env: BuildEnvironment, reference: pending_xref, shown: nodes.Element
) -> nodes.Element | None:
    """Finds a name of the package without its module, as `ConfigError`; names from elsewhere stay text."""
    target = str(reference["reftarget"])
    if reference.get("refdomain") != "py":
        return None
    if target.partition(".")[0] in ELSEWHERE:
        return shown
    last = target.rpartition(".")[2]
    objects = env.domains.python_domain.objects
    # Several pages of one name would be a wrong link.
    found = {
        (entry.docname, entry.node_id) for name, entry in objects.items() if name.rpartition(".")[2] == last
    }
    if len(found) != 1:
        return None
    page, anchor = found.pop()
    return make_refnode(app.builder, str(reference["refdoc"]), page, anchor, [shown], target)


def public_parents(_app: Sphinx, _name: str, _object: object, _options: object, bases: list[type]) -> None:
    """Shows the parents of a class that a caller can name."""
    bases[:] = [base for base in bases if not base.__name__.startswith("_")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    # Before napoleon, which reads the sections.
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-bases", public_parents)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
