"""The walls of the Python package: import-linter and ruff keep them, and each can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "python/exactbuyer"
LINTERS = {
    "rooms": (str(Path(sys.executable).with_name("lint-imports")), "--no-cache"),
    "light import": (sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID253", "python"),
}

BREACHES = [
    ("rooms", "report/receipt.py", "from exactbuyer.settings import Settings", "exactbuyer.report"),
    ("rooms", "store/records.py", "from exactbuyer._calls.call import Call", "exactbuyer.store"),
    ("rooms", "_frames/labels.py", "from exactbuyer.store import Store", "exactbuyer._frames"),
    ("rooms", "enricher.py", "def f():\n    from exactbuyer.cli import main", "exactbuyer.enricher"),
    ("rooms", "report/wording.py", "from .receipt import Receipt", "acyclic"),
    ("rooms", "_calls/stream_call.py", "from .streams import TableStream", "acyclic"),
    ("rooms", "cli/_run.py", "from exactbuyer._calls.call import Call", "exactbuyer.cli"),
    ("rooms", "_new_room.py", "import os", "exactbuyer._new_room"),
    ("light import", "_frames/detect.py", "import pandas as pd", "pandas"),
    ("light import", "_frames/detect.py", "from polars import DataFrame", "polars"),
]


def lint(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    env = {"PYTHONPATH": str(root / "python"), "COLUMNS": "200"}
    return subprocess.run(LINTERS[name], cwd=root, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The package's sources, and the rules for them."""
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", LINTERS)
def test_the_package_keeps_its_walls(house: Path, name: str) -> None:
    done = lint(house, name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "file", "code", "said"), BREACHES)
def test_a_wrong_import_is_found(house: Path, name: str, file: str, code: str, said: str) -> None:
    path = house / PACKAGE / file
    path.write_text(f"{path.read_text() if path.exists() else ''}\n\n{code}\n", encoding="utf-8")
    done = lint(house, name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout
