"""Runs the Python tests with a canary for a key, and looks for it in everything that they leave behind.

    python tests/canary/run_with_canary.py [arguments of pytest]

Every enricher of the run gets a key that stands nowhere else. Then it must be in none of these, in whatever
encoding: the output, the logs (of every level), what was raised and pickled, every file written under the
temporary folder or here. Ends as pytest did; with 1 if it was seen, or if there was nothing to look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from forms import Canary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EARS = Path(__file__).resolve().parent / "ears"

# Made before the run, or by others than it.
NOT_THE_RUNS = frozenset({".git", "target", "dist"})

MUST_HEAR = {
    "keys": "no enricher used a key",
    "terminal": "pytest printed nothing",
    "log": "nothing was logged",
    "raised": "nothing was raised",
    "frame": "no exception passed through the package",
    "pickle": "nothing was pickled",
    "files": "no test wrote a file",
    "notebooks": "no test wrote down a notebook that had run",
}


def main(arguments: Sequence[str]) -> int:
    """Runs the tests, and looks."""
    canary = Canary.hatched()
    place = Path(tempfile.mkdtemp(prefix="canary-"))
    try:
        heard, written = place / "heard", place / "written"
        heard.mkdir()
        written.mkdir()
        # By the files' own clock.
        since_s = heard.stat().st_mtime
        code = run_tests(canary, heard, written, arguments)
        seen, leaks = look(canary, heard, written, since_s)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(f"canary: {', '.join(f'{count:,} {kind}' for kind, count in seen.items())}", flush=True)
    wrong = [f"the key was seen in {leak}" for leak in leaks]
    wrong += [why for kind, why in MUST_HEAR.items() if not seen.get(kind)] if not leaks else []
    for line in wrong:
        print(f"canary: {line}", file=sys.stderr)
    return code or int(bool(wrong))


def run_tests(canary: Canary, heard: Path, written: Path, arguments: Sequence[str]) -> int:
    """Runs pytest, passing on what it prints and keeping it; its exit code."""
    environment = os.environ | {
        "CANARY_KEY": canary.key,
        "CANARY_HEARD": str(heard),
        "EXACTBUYER_API_KEY": canary.key,
        "TMPDIR": str(written),
        "IPYTHONDIR": str(written / "ipython"),
        "JUPYTER_CONFIG_DIR": str(written / "jupyter"),
        "JUPYTER_DATA_DIR": str(written / "jupyter"),
        "JUPYTER_RUNTIME_DIR": str(written / "jupyter"),
        "PYTHONPATH": os.pathsep.join([str(EARS), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    color = ["--color=yes"] if sys.stdout.isatty() else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "canary_plugin",
        f"--basetemp={written / 'pytest'}",
        *color,
    ]
    with (
        subprocess.Popen(
            [*command, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as tests,
        (heard / "terminal").open("wb") as terminal,
    ):
        assert tests.stdout is not None
        while printed := os.read(tests.stdout.fileno(), 65_536):
            terminal.write(printed)
            sys.stdout.buffer.write(printed)
            sys.stdout.flush()
    return tests.returncode


def look(canary: Canary, heard: Path, written: Path, since_s: float) -> tuple[dict[str, int], list[str]]:
    """What there was to look at, by kind, and where the canary was."""
    seen = dict.fromkeys(MUST_HEAR, 0)
    leaks: list[str] = []
    for path in sorted(files_of(heard)):
        kind = path.name.split(".")[0]
        content = path.read_bytes()
        if kind == "keys":
            seen[kind] += content.count(b"in use")
            continue
        seen[kind] = seen.get(kind, 0) + (1 if kind == "pickle" else content.count(b"\n"))
        leaks += [f"{kind}, {form}" for form in canary.found_in(content)]
    here = Path.cwd()
    changed = (path for path in files_of(here) if path.stat().st_mtime >= since_s)
    for path in [*files_of(written), *changed]:
        name = path.relative_to(written if path.is_relative_to(written) else here)
        seen["files"] += 1
        seen["notebooks"] += path.suffix == ".ipynb"
        leaks += [f"the file {name}, {form}" for form in canary.found_in(path.read_bytes())]
        leaks += [f"the name of the file {name.parent}/…" for _ in canary.found_in(os.fsencode(name))]
    return seen, sorted(set(leaks))


def files_of(place: Path) -> Iterator[Path]:
    """Every plain file below, but for what the run did not make."""
    for folder, below, names in os.walk(place):
        below[:] = [name for name in below if name not in NOT_THE_RUNS and not name.startswith(".venv")]
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path


if __name__ == "__main__":
    began = time.monotonic()
    code = main(sys.argv[1:])
    print(f"canary: looked for in {time.monotonic() - began:.0f} s, the tests included")
    sys.exit(code)
