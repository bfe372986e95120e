"""Each planted bug can still be planted. (To plant all of them takes many minutes; this only looks.)"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "planted"))

import plant
from bug import Bug

EACH = [(suite, bug) for suite in plant.SUITES for bug in suite.bugs]


@pytest.mark.parametrize(("suite", "bug"), EACH, ids=[bug.name for _, bug in EACH])
def test_each_bug_can_be_planted_and_is_listed_in_the_document(suite: plant.Suite, bug: Bug) -> None:
    sound = (ROOT / bug.path).read_text(encoding="utf-8")
    assert sound.count(bug.old) == 1, f"{bug.path}: see tests/planted"
    assert bug.new not in {bug.old, sound}
    assert suite.lists(bug)


@pytest.mark.parametrize("suite", plant.SUITES, ids=lambda suite: suite.name)
def test_the_document_lists_no_other_bugs(suite: plant.Suite) -> None:
    lines = suite.doc.read_text(encoding="utf-8").splitlines()
    table = lines[lines.index(f"| planted | caught by | {suite.tries} |") + 2 :]
    listed = [line.split(" | ")[0].removeprefix("| ") for line in table[: table.index("")]]
    assert listed == [bug.name for bug in suite.bugs]


def test_the_copy_has_everything_that_cargo_needs() -> None:
    roots = {path.name for path in ROOT.iterdir() if path.suffix == ".rs" or path.name.startswith("Cargo.")}
    assert {"Cargo.toml", "Cargo.lock"} <= roots <= set(plant.COPIED)
