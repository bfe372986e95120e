"""Shows that the simulation can fail: `python tests/planted/plant.py [WORD ...]`.

Plants the bugs of `bugs.py`, one after another, in a copy of the tree, and runs the simulation on each
(with WORDs, only those bugs whose name has one of them). A bug that survives, or that another invariant
catches than the one that is written down, is a failure, and so is a bug that `docs/simulation.md` does
not list. Needs cargo only, and some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
DOC = ROOT / "docs" / "simulation.md"

# What cargo needs of the tree; the documents are there because the crate may include them.
COPIED = ("Cargo.toml", "Cargo.lock", "build.rs", "README.md", "src", "tests", "benchmarks")

# The clock of the simulation stands still while a bug spins; nothing else takes this long.
LONGEST_S = 600

SHOWN_AGAIN = re.compile(r"SIMULATION_SEED=(\d+) shows it again: (.*)")
COMPARED = re.compile(r"^assertion `.*?` failed: ")


@dataclass(frozen=True)
class Caught:
    """How the simulation ended: by what, and after how many scenarios."""

    by: str
    scenarios: int


class Tree:
    """The copy that bugs are planted in."""

    def __init__(self, place: Path) -> None:
        self.path = place / "tree"
        # Of its own: cargo takes two copies of one crate for the same, and would pass off a planted build as
        # the sound one.
        self.target = place / "target"
        shutil.rmtree(self.path, ignore_errors=True)
        for name in COPIED:
            source, copy = ROOT / name, self.path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Without the times of the originals: to cargo, all of it is new.
            if source.is_dir():
                shutil.copytree(source, copy, copy_function=shutil.copy)
            else:
                shutil.copy(source, copy)

    def simulate(self) -> Caught | None:
        """Runs the simulation until its first failure.

        Returns:
            What caught the bug, or `None` if nothing did.
        """
        environment = dict(os.environ)
        environment.pop("SIMULATION_SEED", None)
        environment |= {
            "CARGO_TARGET_DIR": str(self.target),
            "CARGO_TERM_COLOR": "never",
            "EXACTBUYER_OFFLINE": "1",
            "RUST_BACKTRACE": "0",
        }
        cargo = ["cargo", "test", "--locked", "--quiet", "--test", "simulation"]
        built = subprocess.run(
            [*cargo, "--no-run"], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        if built.returncode != 0:
            sys.exit(f"it does not compile:\n{built.stderr}")
        try:
            ran = subprocess.run(
                cargo,
                cwd=self.path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Caught(f"nothing: it was still going after {LONGEST_S} s", 0)
        if ran.returncode == 0:
            return None
        shown = SHOWN_AGAIN.search(ran.stdout + ran.stderr)
        if shown is None:
            return Caught(f"nothing that it names: {ran.stdout[-2000:]}{ran.stderr[-2000:]}", 0)
        return Caught(COMPARED.sub("", shown[2]), int(shown[1]) + 1)

    def plant(self, bug: Bug) -> Caught | None:
        """Plants one bug, simulates, and takes the bug out again."""
        path = self.path / bug.path
        sound = path.read_text(encoding="utf-8")
        if sound.count(bug.old) != 1:
            sys.exit(f"{bug.name}: its place stands {sound.count(bug.old)} times in {bug.path}: see bugs.py")
        path.write_text(sound.replace(bug.old, bug.new), encoding="utf-8")
        try:
            return self.simulate()
        finally:
            path.write_text(sound, encoding="utf-8")


def listed(bug: Bug) -> bool:
    """Whether the document has this bug, with the invariant that catches it."""
    lines = DOC.read_text(encoding="utf-8").splitlines()
    return any(line.startswith(f"| {bug.name} | {bug.caught_by} |") for line in lines)


def main() -> int:
    """Plants what was asked for; 0 if all of it was caught as it is written down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only bugs whose name has one of these")
    words = parser.parse_args().words
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    if not bugs:
        parser.error("no bug has such a name")

    tree = Tree(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "planted")
    began = time.monotonic()
    if caught := tree.simulate():
        print(f"the simulation fails with nothing planted: {caught.by}")
        return 1
    print("with nothing planted, it passes\n", flush=True)
    print("| planted | caught by | scenarios |\n|---|---|---:|", flush=True)
    wrong = []
    for bug in bugs:
        caught = tree.plant(bug)
        if caught is None:
            wrong.append(f"{bug.name}: SURVIVED")
        elif not caught.by.startswith(bug.caught_by):
            wrong.append(f"{bug.name}: caught by something else: {caught.by[:500]}")
        elif not listed(bug):
            wrong.append(f"{bug.name}: not listed in {DOC.relative_to(ROOT)}")
        by = bug.caught_by if caught and caught.by.startswith(bug.caught_by) else "**?**"
        scenarios = f"{caught.scenarios:,}" if caught else "-"
        print(f"| {bug.name} | {by} | {scenarios} |", flush=True)
    print(f"\n{len(bugs) - len(wrong)} of {len(bugs)} as written down, in {time.monotonic() - began:.0f} s")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
