"""What every wheel of a release must have: `check_wheels.py FOLDER`. Needs the dependency group `release`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

MOST_BYTES = 7_000_000
LICENCES = ("LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY-LICENSES.txt")
# An SBOM of fewer parts is not that of this package.
LEAST_COMPONENTS = 100
NAME = re.compile(
    r"exactbuyer-[0-9][0-9a-z.]*-"
    r"(?:cp310-abi3|cp31\d-cp31\dt)-"
    r"(?:manylinux(?:_2_17|2014)_\w+\.manylinux(?:_2_17|2014)_\w+|musllinux_1_2_\w+|macosx_\d+_\d+_\w+|win_amd64)\.whl"
)


def troubles(wheel: Path) -> list[str]:
    """What is wrong with a wheel."""
    found = []
    if not NAME.fullmatch(wheel.name):
        found.append("its name is not one that an index accepts for this package")
    if wheel.stat().st_size > MOST_BYTES:
        found.append(f"it has {wheel.stat().st_size:,} bytes, more than {MOST_BYTES:,}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        found += [f"{name} is missing" for name in LICENCES if not any(n.endswith(f"/{name}") for n in names)]
        boms = [name for name in names if ".dist-info/sboms/" in name]
        parts = [len(json.loads(archive.read(name)).get("components", [])) for name in boms]
        if max(parts, default=0) < LEAST_COMPONENTS:
            found.append(f"its SBOM has {max(parts, default=0)} components")
        modules = [name for name in names if re.search(r"/_core\.[\w.-]*(so|pyd)$", name)]
        if len(modules) != 1:
            found.append(f"it has {len(modules)} extension modules")
        found += [f"{name} is not stripped" for name in modules if has_symbols(archive.read(name))]
        allowed = ("exactbuyer/", "pytest_exactbuyer/", "exactbuyer-")
        found += [f"{name} does not belong in it" for name in names if not name.startswith(allowed)]
    return found


def has_symbols(module: bytes) -> bool:
    """Whether a module for Linux has debugging information or a table of all its symbols."""
    return module.startswith(b"\x7fELF") and (b"\0.symtab\0" in module or b"\0.debug_info\0" in module)


def main(folder: Path) -> int:
    """Returns the exit code."""
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        print(f"no wheel in {folder}")
        return 1
    failed = 0
    for wheel in wheels:
        found = troubles(wheel)
        failed += bool(found)
        print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, {'; '.join(found) or 'good'}")
    stable = [str(wheel) for wheel in wheels if "-abi3-" in wheel.name]
    commands = [["twine", "check", "--strict", *map(str, wheels)]]
    commands += [["abi3audit", "--strict", "--summary", *stable]] if stable else []
    for command in commands:
        failed += subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
