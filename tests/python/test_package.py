"""What is installed is what was meant to be: light, typed, licensed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import exactbuyer

HEAVY = ("numpy", "pandas", "polars", "pyarrow", "IPython", "pytest")


IMPORT_ALL = """
import importlib, pkgutil, sys, exactbuyer
found = [module.name for module in pkgutil.walk_packages(exactbuyer.__path__, "exactbuyer.")]
for name in found:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(found), *sys.modules)
"""


def test_importing_it_imports_no_heavy_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    found, *modules = done.stdout.split()
    assert int(found) > 60
    assert not set(HEAVY) & set(modules)


def test_pytest_runs_of_others_do_not_import_it(tmp_path: Path) -> None:
    (tmp_path / "test_others.py").write_text(
        "import sys\ndef test_theirs(): assert 'exactbuyer' not in sys.modules\n"
        "def test_mine(exactbuyer_sandbox): assert 'exactbuyer' in sys.modules\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_its_names_are_its_api() -> None:
    assert dir(exactbuyer) == sorted(exactbuyer.__all__)
    classes = [
        each for each in map(exactbuyer.__getattribute__, exactbuyer.__all__) if isinstance(each, type)
    ]
    # A pickle names the module of a class: it must be a public one, which stays.
    assert [each for each in classes if "._" in each.__module__] == []
    assert len(classes) > 25


def test_types_and_stubs_are_shipped() -> None:
    assert resources.files("pytest_exactbuyer").joinpath("py.typed").is_file()
    shipped = {path.name for path in resources.files("exactbuyer").iterdir()}
    assert {"py.typed", "_core.pyi"} <= shipped


def test_metadata() -> None:
    described = metadata.metadata("exactbuyer")
    assert described["License-Expression"] == "MIT OR Apache-2.0"
    assert described["Requires-Python"] == ">=3.10"
    files = metadata.files("exactbuyer") or []
    assert {"LICENSE-MIT", "LICENSE-APACHE"} <= {file.name for file in files}


def test_entry_points() -> None:
    found = {(point.group, point.name) for point in metadata.distribution("exactbuyer").entry_points}
    assert found == {("console_scripts", "exactbuyer"), ("pytest11", "exactbuyer")}
