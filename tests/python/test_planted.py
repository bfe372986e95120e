"""The planted bugs still have their places: planting them takes many minutes, looking does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "planted"))

import bugs
import plant


@pytest.mark.parametrize("bug", bugs.BUGS, ids=lambda bug: bug.name)
def test_each_has_one_place_and_its_line_in_the_document(bug: bugs.Bug) -> None:
    sound = (ROOT / bug.path).read_text(encoding="utf-8")
    assert sound.count(bug.old) == 1, f"{bug.path}: see tests/planted/bugs.py"
    assert bug.new not in {bug.old, sound}
    assert plant.listed(bug)


def test_the_document_lists_no_other_bugs() -> None:
    lines = plant.DOC.read_text(encoding="utf-8").splitlines()
    table = lines[lines.index("| planted | caught by | scenarios |") + 2 :]
    listed = [line.split(" | ")[0].removeprefix("| ") for line in table[: table.index("")]]
    assert listed == [bug.name for bug in bugs.BUGS]


def test_the_copy_has_all_that_cargo_builds() -> None:
    roots = {path.name for path in ROOT.iterdir() if path.suffix == ".rs" or path.name.startswith("Cargo.")}
    assert {"Cargo.toml", "Cargo.lock"} < roots <= set(plant.COPIED)
