"""Shows that the proofs can fail: `python tests/planted/plant.py [--suite NAME] [WORD ...]`.

Plants the bugs of `bugs.py` and `store_bugs.py`, one after another, in a copy of the tree, and runs on each
the simulation, or the proof or test of the store that is to catch it (with WORDs, only those bugs whose name
has one of them). A bug that survives, or that something else catches than what is written down, is a failure,
and so is a bug that the suite's document does not list. Needs cargo only, and some twenty minutes on two
cores.
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

from bug import Bug
from bugs import BUGS
from store_bugs import STORE_BUGS, STORE_TEST_BUGS

ROOT = Path(__file__).resolve().parents[2]

# What cargo needs of the tree; the documents are there because the crate may include them.
COPIED = ("Cargo.toml", "Cargo.lock", "README.md", "crates", "tests", "benchmarks")

# What was built.
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.so")

# The clock of the simulation stands still while a bug spins; nothing else takes this long.
LONGEST_S = 600

COMPARED = re.compile(r"assertion `.*?` failed: ")


@dataclass(frozen=True)
class Suite:
    """Bugs, what is run on each, and the document that lists them."""

    name: str
    bugs: tuple[Bug, ...]
    doc: Path
    cargo: tuple[str, ...]
    # How a failure is told: after how many tries, and of what.
    told: re.Pattern[str]
    # What the tries are, over the last column.
    tries: str
    # Whether what catches a bug begins with the name of the proof that is to be run alone.
    by_proof: bool = False
    # Whether what catches a bug is a test of that name.
    by_test: bool = False

    def proofs(self, bug: Bug) -> tuple[str, ...]:
        """The words that make cargo run what is to catch the bug."""
        if self.by_test:
            return ("--", "--exact", bug.caught_by)
        return ("--", bug.caught_by.split(":")[0]) if self.by_proof else ()

    def lists(self, bug: Bug) -> bool:
        """Whether the document has this bug, with what catches it."""
        lines = self.doc.read_text(encoding="utf-8").splitlines()
        return any(line.startswith(f"| {bug.name} | {bug.caught_by} |") for line in lines)


SUITES = (
    Suite(
        "simulation",
        BUGS,
        ROOT / "docs" / "design" / "simulation.md",
        ("-p", "exactbuyer_tests", "--test", "simulation"),
        re.compile(r"SIMULATION_SEED=(?P<tries>\d+) shows it again: (?P<by>.*)"),
        "scenarios",
    ),
    Suite(
        "store",
        STORE_BUGS,
        ROOT / "docs" / "design" / "store-proofs.md",
        ("-p", "exactbuyer_tests", "--test", "torture"),
        re.compile(r"FAILED (?P<proof>\w+) after (?P<tries>\d+): (?P<by>.*)"),
        "tries",
        by_proof=True,
    ),
    Suite(
        "store-tests",
        STORE_TEST_BUGS,
        ROOT / "docs" / "design" / "store-proofs.md",
        ("-p", "exactbuyer_tests", "--test", "store"),
        re.compile(r"---- (?P<by>[\w:]+) stdout ----"),
        "tests",
        by_test=True,
    ),
)


@dataclass(frozen=True)
class Caught:
    """How it ended: by what, and after how many tries."""

    by: str
    tries: int


class Tree:
    """The copy that bugs are planted in."""

    def __init__(self, place: Path, names: tuple[str, ...] = COPIED) -> None:
        self.path = place / "tree"
        # Of its own: cargo takes two copies of one crate for the same, and would pass off a planted build as
        # the sound one.
        self.target = place / "target"
        shutil.rmtree(self.path, ignore_errors=True)
        for name in names:
            source, copy = ROOT / name, self.path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            # Without the times of the originals: to cargo, all of it is new.
            if source.is_dir():
                shutil.copytree(source, copy, copy_function=shutil.copy, ignore=NOT_COPIED)
            else:
                shutil.copy(source, copy)

    def prove(self, suite: Suite, words: tuple[str, ...] = ()) -> Caught | None:
        """Runs the suite until its first failure.

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
            # Some bugs of the store show by chance: more of it.
            "TORTURE": "5" if words else "1",
        }
        cargo = ["cargo", "test", "--locked", "--quiet", *suite.cargo]
        built = subprocess.run(
            [*cargo, "--no-run"], cwd=self.path, env=environment, capture_output=True, text=True, check=False
        )
        if built.returncode != 0:
            return Caught(f"nothing: it does not compile: {built.stderr[-2000:]}", 0)
        try:
            ran = subprocess.run(
                [*cargo, *words],
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
        told = suite.told.search(ran.stdout + ran.stderr)
        if told is None:
            return Caught(f"nothing that it names: {ran.stdout[-2000:]}{ran.stderr[-2000:]}", 0)
        by = COMPARED.sub("", told["by"])
        if suite.by_proof:
            return Caught(f"{told['proof']}: {by}", int(told["tries"]))
        # A test of its own does not try.
        return Caught(by, int(told.groupdict().get("tries", 0)) + 1)

    def plant(self, suite: Suite, bug: Bug) -> Caught | None:
        """Plants one bug, lets it be caught, and takes it out again."""
        path = self.path / bug.path
        sound = path.read_text(encoding="utf-8")
        if sound.count(bug.old) != 1:
            sys.exit(
                f"{bug.name}: its place stands {sound.count(bug.old)} times in {bug.path}: see tests/planted"
            )
        path.write_text(sound.replace(bug.old, bug.new), encoding="utf-8")
        try:
            return self.prove(suite, suite.proofs(bug))
        finally:
            path.write_text(sound, encoding="utf-8")


def run(suite: Suite, bugs: list[Bug], tree: Tree) -> list[str]:
    """Plants these bugs; what was not as it is written down."""
    if caught := tree.prove(suite):
        return [f"the {suite.name} fails with nothing planted: {caught.by}"]
    print(f"\n{suite.name}: with nothing planted, it passes\n", flush=True)
    print(f"| planted | caught by | {suite.tries} |\n|---|---|---:|", flush=True)
    wrong = []
    for bug in bugs:
        caught = tree.plant(suite, bug)
        if caught is None:
            wrong.append(f"{bug.name}: SURVIVED")
        elif not caught.by.startswith(bug.caught_by):
            wrong.append(f"{bug.name}: caught by something else: {caught.by[:500]}")
        elif not suite.lists(bug):
            wrong.append(f"{bug.name}: not listed in {suite.doc.relative_to(ROOT)}")
        by = bug.caught_by if caught and caught.by.startswith(bug.caught_by) else "**?**"
        tries = f"{caught.tries:,}" if caught else "-"
        print(f"| {bug.name} | {by} | {tries} |", flush=True)
    return wrong


def main() -> int:
    """Plants what was asked for; 0 if all of it was caught as it is written down."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", choices=[suite.name for suite in SUITES], help="only its bugs")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only bugs whose name has one of these")
    asked = parser.parse_args()

    def chosen(suite: Suite) -> list[Bug]:
        if asked.suite not in {None, suite.name}:
            return []
        return [bug for bug in suite.bugs if not asked.words or any(word in bug.name for word in asked.words)]

    count = sum(len(chosen(suite)) for suite in SUITES)
    if not count:
        parser.error("no bug has such a name")
    tree = Tree(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "planted")
    began = time.monotonic()
    wrong = [line for suite in SUITES if chosen(suite) for line in run(suite, chosen(suite), tree)]
    print(f"\n{count} bugs, {len(wrong)} not as written down, in {time.monotonic() - began:.0f} s")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
