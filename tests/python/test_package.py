"""What is installed is what was meant to be: light, typed, licensed."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, resources

HEAVY = ("numpy", "pandas", "polars", "pyarrow", "IPython", "pytest")


def test_importing_it_imports_no_heavy_library() -> None:
    code = f"import sys, exactbuyer; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_types_and_stubs_are_shipped() -> None:
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
