"""The documentation site, as far as it can be checked without building it: `make site-check` builds it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from page_blocks import ROOT, text

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("_site_folder")


@pytest.fixture
def _site_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs/_site"))


def test_drawings_show_the_figures_of_the_page() -> None:
    import drawings

    drawn = drawings.drawings()
    assert len(drawn) == 5
    for file, drawing in drawn.items():
        assert file.read_text(encoding="utf-8") == drawing, f"{file.name} is not up to date: make drawings"


def test_a_changed_figure_changes_a_drawing() -> None:
    import drawings

    page = "| client | CPU s |\n|---|--:|\n| **`exactbuyer`** | 0.64 |\n\n"
    assert drawings.table(page, "client") == [["exactbuyer", "0.64"]]
    ours, theirs = ("exactbuyer", [(1.0, "1")], True), ("other", [(2.0, "2")], False)
    assert drawings.bars("CPU", [ours, theirs]) != drawings.bars(
        "CPU", [ours, ("other", [(3.0, "2")], False)]
    )
    with pytest.raises(ValueError, match="no table"):
        drawings.table(page, "rows")


def test_the_readme_has_the_figures_of_the_page() -> None:
    import drawings

    rows = {row[0]: row for row in drawings.table(text(ROOT / "docs/design/performance.md"), "client")}
    readme = " ".join(text(ROOT / "README.md").split())
    for client, clause in [
        ("exactbuyer", "`exactbuyer` takes {} s of CPU time and {} MB"),
        ("requests in a loop", "`requests` in a loop takes {} s and {} MB"),
        ("aiohttp + orjson", "`aiohttp` with `orjson` {} s and {} MB"),
    ]:
        assert clause.format(rows[client][1], rows[client][3]) in readme


def test_the_architecture_shows_every_crate_and_room() -> None:
    import drawings

    crates = {path.parent.name for path in ROOT.glob("crates/*/Cargo.toml")}
    rooms = {path.parent.name for path in ROOT.glob("python/exactbuyer/*/__init__.py")} - {"_files"}
    named = {
        word.rstrip("/")
        for _, rows in drawings.LAYERS
        for row in rows
        for name, _ in row
        for word in name.split(", ")
    }
    assert len(crates) == 8
    assert len(rooms) >= 7
    assert crates | rooms <= named


@pytest.mark.parametrize(
    ("source", "page", "link", "moved"),
    [
        ("CHANGELOG.md", "project/changelog.md", "docs/design/store.md", "../design/store.md"),
        ("CHANGELOG.md", "project/changelog.md", "SECURITY.md#a", "security.md#a"),
        ("CHANGELOG.md", "project/changelog.md", "docs/decisions", "{}/blob/main/docs/decisions"),
        ("docs/index.md", "index.md", "../examples/quickstart.ipynb", "tutorial.ipynb"),
        ("docs/guides/privacy.md", "guides/privacy.md", "../../SECURITY.md", "../project/security.md"),
        ("docs/guides/privacy.md", "guides/privacy.md", "store.md#disks", "store.md#disks"),
        ("docs/guides/privacy.md", "guides/privacy.md", "../../crates/core", "{}/blob/main/crates/core"),
        ("docs/guides/privacy.md", "guides/privacy.md", "https://example.com", "https://example.com"),
        ("docs/guides/privacy.md", "guides/privacy.md", "#here", "#here"),
    ],
)
def test_links_lead_to_pages_on_the_site(source: str, page: str, link: str, moved: str) -> None:
    import root_pages

    text = root_pages.with_links_of_the_site(f"[a]({link})", source, page)
    assert text == f"[a]({moved.format(root_pages.REPOSITORY)})"


def test_the_citation_has_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"$', text(ROOT / "Cargo.toml"), re.MULTILINE)
    assert version
    assert f"\nversion: {version[1]}\n" in text(ROOT / "CITATION.cff")
    assert re.search(rf"^## {re.escape(version[1])} \(", text(ROOT / "CHANGELOG.md"), re.MULTILINE)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site without a fault."""
    for number in range(40):
        (tmp_path / f"{number}.html").write_text('<h1 id="top">Page</h1><a href="0.html#top">first</a>')
    (tmp_path / "style.css").write_text("a { color: blue }")
    (tmp_path / "llms.txt").write_text("- [Page](0.html): a page")
    return tmp_path


def test_a_whole_site_has_no_fault(site: Path) -> None:
    import whole

    assert whole.faults(site, whole.read(site)) == []


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("1.html", '<script src="https://cdn.example/a.js"></script>', "loads https://cdn.example/a.js"),
        ("1.html", '<link rel="stylesheet" href="//fonts.example/a.css">', "loads //fonts.example/a.css"),
        ("1.html", '<img src="none.png">', "none.png, which does not exist"),
        ("1.html", '<a href="none.html">there</a>', "none.html, which does not exist"),
        ("1.html", '<a href="0.html#none">there</a>', "0.html#none, which has no such anchor"),
        ("1.html", '<a href="#none">here</a>', "#none, which has no such anchor"),
        ("style.css", "@font-face { src: url('https://fonts.example/a') }", "loads https://fonts.example/a"),
        ("llms.txt", "- [Page](none.html): a page", "llms.txt: none.html is missing"),
    ],
)
def test_each_fault_is_found(site: Path, file: str, content: str, fault: str) -> None:
    import whole

    (site / file).write_text(content)
    (found,) = whole.faults(site, whole.read(site))
    assert found.endswith(fault)


def test_links_to_other_hosts_are_listed(site: Path) -> None:
    import whole

    (site / "1.html").write_text('<a href="https://example.org/a">there</a>')
    assert whole.elsewhere(whole.read(site)) == ["https://example.org/a"]


def test_a_site_that_lost_its_pages_is_a_fault(site: Path) -> None:
    import whole

    (site / "39.html").unlink()
    (found,) = whole.faults(site, whole.read(site))
    assert "only 39 pages" in found


def test_names_that_would_fill_a_cell_stand_below_the_table() -> None:
    import long_cells
    from docutils.core import publish_doctree

    hosts = [f"host{number}.example" for number in range(long_cells.MOST + 1)]
    rows = {"a": hosts[:2], "b": hosts}
    cells = {name: ", ".join(f"``{host}``" for host in some) for name, some in rows.items()}
    lines = [f"   * - {name}\n     - {cell}" for name, cell in cells.items()]
    table = "\n".join([".. list-table::", "", *lines, ""])
    tree = publish_doctree(table)
    long_cells.shorten(None, tree, "")  # type: ignore[arg-type]
    shown = tree.astext()
    assert "host0.example, host1.example" in shown
    assert f"host0.example and {long_cells.MOST} more, in the note below the table" in shown
    assert shown.endswith("b: " + ", ".join(hosts))
