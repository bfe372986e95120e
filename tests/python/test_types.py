"""What type checkers know of the public calls; and the code of the README and the guides under mypy --strict.

All blocks of a page are checked together, in their order, because later ones use the names of earlier ones. A
block after `<!-- needs … -->` is left out, unless it needs only a key or pytest.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from page_blocks import PAGES, ROOT, Block, blocks, name

from exactbuyer import BulkEnricher, ConfigError, FieldType, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import assert_type
else:

    def assert_type(value: object, kind: object) -> None:
        """Only type checkers compare them."""


CHECKED = [page for page in PAGES if name(page) == "README.md" or page.parent == ROOT / "docs/guides"]
AT_HAND = {None, "a key", "pytest"}
"""What blocks may need and are checked. Types need no key."""

CONFIG = """\
[mypy]
strict = True
warn_unreachable = True
pretty = False
[mypy-pyarrow.*]
# It has no types.
ignore_missing_imports = True
"""


def test_a_table_comes_back_as_what_it_was() -> None:
    people = [{"mail": "ana@acme.example"}]
    by: dict[str, FieldType] = {"mail": "email"}
    with BulkEnricher.sandbox() as enricher:
        # Its new columns are not all strings.
        assert_type(enricher.enrich_table(people, by="mail"), list[dict[str, Any]])
        assert_type(enricher.enrich_table(pl.DataFrame(people), by=by), pl.DataFrame)
        assert_type(enricher.enrich_table(pl.LazyFrame(people), by=["mail"]), pl.LazyFrame)
        assert_type(enricher.plan(pl.LazyFrame(people), by="mail"), Plan)
        assert_type(enricher.plan(["ana@acme.example"]), Plan)


def test_mistakes_are_type_errors() -> None:
    """An ignored error that a checker no longer finds is an error itself."""
    people = pl.DataFrame({"mail": ["ana@acme.example"]})
    with BulkEnricher.sandbox() as enricher:
        with pytest.raises(ConfigError):
            enricher.enrich_table(people, by={"mail": "fax"})  # type: ignore[dict-item]
        with pytest.raises(ConfigError):
            enricher.plan(people, by={"mail": "fax"})  # type: ignore[dict-item]
        with pytest.raises(ConfigError):
            enricher.plan(["ana@acme.example"], prefix="x_")  # type: ignore[call-overload]


def test_blocks_are_typed(tmp_path: Path) -> None:
    files = {f"{page.stem.lower().replace('-', '_')}_page.py": page for page in CHECKED}
    for file, page in files.items():
        (tmp_path / file).write_text(_module(blocks(page, "python")), encoding="utf-8")
    checked = [block for page in CHECKED for block in blocks(page, "python") if block.needs in AT_HAND]
    assert len(checked) >= 25
    (tmp_path / "mypy.ini").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), *files],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    found = done.stdout
    for file, page in files.items():
        found = found.replace(file, name(page))
    assert done.returncode == 0, f"{found}{done.stderr}"


def _module(of_page: list[Block]) -> str:
    """The code of a page; each line has the number that it has on the page."""
    lines: list[str] = []
    for block in of_page:
        if block.needs in AT_HAND:
            lines += [""] * (block.line - len(lines)) + block.code.splitlines()
    source = "\n".join([*lines, ""])
    try:
        compile(source, "page", "exec")
    except SyntaxError:
        # It awaits where a module cannot: in a notebook. The first line is empty.
        return "async def page() -> None:" + textwrap.indent(source, "    ")
    return source
