"""Shows that the tests find bugs: `python tests/planted/plant.py [--suite NAME] [WORD ...]`.

Plants the bugs of `bugs.py` and `store_bugs.py`, one at a time, in a copy of the tree. For each it runs the
simulation, or the proof or test of the store that must find the bug. With WORDs, it plants only the bugs
whose names contain one of them. It fails if a bug is not found, if something else finds it than `caught_by`,
or if the suite's document does not list it. Needs only cargo, and some forty minutes on two cores.
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

# What cargo needs of the tree. (A crate may include the README.)
COPIED = ("Cargo.toml", "Cargo.lock", "README.md", "crates", "tests", "benchmarks")

# Build results.
NOT_COPIED = shutil.ignore_patterns("__pycache__", "*.so")

# The longest time for one bug. Only a busy loop takes as long: the simulation's clock does not advance in it.
LONGEST_S = 600

COMPARED = re.compile(r"assertion `.*?` failed: ")


@dataclass(frozen=True)
class Suite:
    """A set of bugs, the tests that are run on each, and the document that lists them."""

    name: str
    bugs: tuple[Bug, ...]
    doc: Path
    cargo: tuple[str, ...]
    # The line that reports a failure: after how many tries, and of which invariant or test.
    report: re.Pattern[str]
    # The heading of the last column.
    tries: str
    # Whether `caught_by` begins with the name of a proof, which is run alone.
    by_proof: bool = False
    # Whether `caught_by` is the name of a test.
    by_test: bool = False

    def proofs(self, bug: Bug) -> tuple[str, ...]:
        """The arguments that make cargo run only what must find the bug."""
        if self.by_test:
            return ("--", "--exact", bug.caught_by)
        return ("--", bug.caught_by.split(":")[0]) if self.by_proof else ()

    def lists(self, bug: Bug) -> bool:
        """Whether the document has a line for this bug and its `caught_by`."""
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
    """What found a bug, and after how many tries."""

    by: str
    tries: int


class Tree:
    """The copy in which bugs are planted."""

    def __init__(self, place: Path, names: tuple[str, ...] = COPIED) -> None:
        self.path = place / "tree"
        # A separate target directory: cargo does not distinguish two copies of one crate, and would use a
        # build with a bug for the original.
        self.target = place / "target"
        shutil.rmtree(self.path, ignore_errors=True)
        for name in names:
            source, copy = ROOT / name, self.path / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            # The times of the originals are not copied, so cargo builds everything.
            if source.is_dir():
                shutil.copytree(source, copy, copy_function=shutil.copy, ignore=NOT_COPIED)
            else:
                shutil.copy(source, copy)

    def prove(self, suite: Suite, words: tuple[str, ...] = ()) -> Caught | None:
        """Runs the suite until its first failure.

        Returns:
            What found the bug, or `None` if nothing did.
        """
        environment = dict(os.environ)
        environment.pop("SIMULATION_SEED", None)
        environment |= {
            "CARGO_TARGET_DIR": str(self.target),
            "CARGO_TERM_COLOR": "never",
            "EXACTBUYER_OFFLINE": "1",
            "RUST_BACKTRACE": "0",
            # Some bugs of the store show only at random moments, so the proofs try more often.
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
            return Caught(f"nothing: it was still running after {LONGEST_S} s", 0)
        if ran.returncode == 0:
            return None
        report = suite.report.search(ran.stdout + ran.stderr)
        if report is None:
            return Caught(f"a failure without a report: {ran.stdout[-2000:]}{ran.stderr[-2000:]}", 0)
        by = COMPARED.sub("", report["by"])
        if suite.by_proof:
            return Caught(f"{report['proof']}: {by}", int(report["tries"]))
        # A single test has no number of tries.
        return Caught(by, int(report.groupdict().get("tries", 0)) + 1)

    def plant(self, suite: Suite, bug: Bug) -> Caught | None:
        """Plants one bug, runs what must find it, and removes it."""
        path = self.path / bug.path
        sound = path.read_text(encoding="utf-8")
        if sound.count(bug.old) != 1:
            sys.exit(f"{bug.name}: `old` is {sound.count(bug.old)} times in {bug.path}: see tests/planted")
        path.write_text(sound.replace(bug.old, bug.new), encoding="utf-8")
        try:
            return self.prove(suite, suite.proofs(bug))
        finally:
            path.write_text(sound, encoding="utf-8")


def run(suite: Suite, bugs: list[Bug], tree: Tree) -> list[str]:
    """Plants these bugs. Returns a line for each that was not found as listed."""
    if caught := tree.prove(suite):
        return [f"the suite {suite.name} fails without a bug: {caught.by}"]
    print(f"\n{suite.name}: without a bug, it passes\n", flush=True)
    print(f"| planted | caught by | {suite.tries} |\n|---|---|---:|", flush=True)
    wrong = []
    for bug in bugs:
        caught = tree.plant(suite, bug)
        if caught is None:
            wrong.append(f"{bug.name}: NOT FOUND")
        elif not caught.by.startswith(bug.caught_by):
            wrong.append(f"{bug.name}: found by something else: {caught.by[:500]}")
        elif not suite.lists(bug):
            wrong.append(f"{bug.name}: not listed in {suite.doc.relative_to(ROOT)}")
        by = bug.caught_by if caught and caught.by.startswith(bug.caught_by) else "**?**"
        tries = f"{caught.tries:,}" if caught else "-"
        print(f"| {bug.name} | {by} | {tries} |", flush=True)
    return wrong


def main() -> int:
    """Plants the chosen bugs; 0 if all were found as listed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", choices=[suite.name for suite in SUITES], help="only its bugs")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only bugs whose name contains one of these")
    options = parser.parse_args()

    def chosen(suite: Suite) -> list[Bug]:
        if options.suite not in {None, suite.name}:
            return []
        words = options.words
        return [bug for bug in suite.bugs if not words or any(word in bug.name for word in words)]

    count = sum(len(chosen(suite)) for suite in SUITES)
    if not count:
        parser.error("no bug has such a name")
    tree = Tree(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "planted")
    began = time.monotonic()
    wrong = [line for suite in SUITES if chosen(suite) for line in run(suite, chosen(suite), tree)]
    print(f"\n{count} bugs, {len(wrong)} not found as listed, in {time.monotonic() - began:.0f} s")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
