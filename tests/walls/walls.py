"""The walls of the house: `python tests/walls/walls.py [ROOT]` checks who names whom.

Needs Python and cargo only.

Every guard says how many files it saw (which ones, with `-v`) and fails where it saw none;
`tests/python/test_walls.py` plants a breach in front of each.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from typing import TYPE_CHECKING

import rules
import rust_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Finding:
    """What one guard saw and what it objects to."""

    seen: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether something was seen, and nothing is wrong with it."""
        return bool(self.seen) and not self.breaches


@dataclass(frozen=True)
class RustFile:
    """A source file of the crate, its module, and its code without comments, strings and tests."""

    name: str
    module: tuple[str, ...]
    code: str
    with_strings: str


def rust_files(root: Path) -> Iterator[RustFile]:
    """Yields the crate's files in order, those that exist in tests only left out."""
    src = root / "src"
    paths = sorted(src.rglob("*.rs"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    test_only = {
        (*rust_source.module_of(path, src), name)
        for path, text in texts.items()
        for name in rust_source.test_only_modules(rust_source.blank(text))
    }
    for path, text in texts.items():
        module = rust_source.module_of(path, src)
        if any(module[: len(start)] == start for start in test_only):
            continue
        blanked = rust_source.blank(text)
        code = rust_source.without_tests(blanked)
        commentless = rust_source.blank(text, strings=False)
        tested_lines = {
            i for i, (a, b) in enumerate(zip(blanked.split("\n"), code.split("\n"), strict=True)) if a != b
        }
        kept = "\n".join("" if i in tested_lines else line for i, line in enumerate(commentless.split("\n")))
        yield RustFile(str(path.relative_to(root)), module, code, kept)


def _is_within(module: tuple[str, ...], room: str) -> bool:
    name = tuple(room.split("::"))
    return module[: len(name)] == name


def import_direction(root: Path) -> Finding:
    """No import runs upward; every room stands in the table."""
    finding = Finding()
    for file in rust_files(root):
        finding.seen.append(file.name)
        if not file.module:
            continue
        room = file.module[0]
        allowed = rules.MAY_USE.get(room)
        if allowed is None:
            finding.breaches.append(
                f"{file.name}: room `{room}` is not in tests/walls/rules.py: say what it may use"
            )
            continue
        for named in rust_source.named_paths(file.code, file.module):
            target = named.path[1:] if named.path[0] == "crate" else ()
            if not target or target[0] == room or target[0] not in rules.MAY_USE:
                continue
            if not any(_is_within(target, other) for other in allowed):
                finding.breaches.append(f"{file.name}:{named.line}: `{room}` may not use `{named}`")
    return finding


def confined_names(root: Path) -> Finding:
    """Crates, clocks, files and chance are named only in the rooms that own them."""
    finding = Finding()
    for file in rust_files(root):
        finding.seen.append(file.name)
        named = list(rust_source.named_paths(file.code, file.module))
        for names, rooms, why in rules.CONFINED.values():
            if any(_is_within(file.module, room) for room in rooms):
                continue
            for path in named:
                if any(_is_within(path.path, name) for name in names):
                    finding.breaches.append(f"{file.name}:{path.line}: `{path}` does not belong here: {why}")
    return finding


def vendor_literals(root: Path) -> Finding:
    """What the vendor decides stands once."""
    finding = Finding()
    for file in rust_files(root):
        finding.seen.append(file.name)
        if file.name.endswith(rules.VENDOR_LITERALS_LIVE_IN):
            continue
        for number, line in enumerate(file.with_strings.split("\n"), 1):
            finding.breaches.extend(
                f"{file.name}:{number}: `{literal}` belongs in {rules.VENDOR_LITERALS_LIVE_IN}"
                for literal in rules.VENDOR_LITERALS
                if literal in line
            )
    return finding


def file_length(root: Path) -> Finding:
    """Files are near 200 lines and end at 400."""
    finding = Finding()
    for path in sorted({path for pattern in rules.COUNTED for path in root.glob(pattern) if path.is_file()}):
        if "__pycache__" in path.parts:
            continue
        name = str(path.relative_to(root))
        finding.seen.append(name)
        lines = path.read_bytes().count(b"\n")
        if lines > rules.MAX_LINES:
            finding.breaches.append(f"{name}: {lines} lines: split it (the end is at {rules.MAX_LINES})")
    return finding


def telling_names(root: Path) -> Finding:
    """No module is called after nothing."""
    finding = Finding()
    for pattern in ("src/**/*.rs", "python/**/*.py", "tests/**/*.py", "tests/**/*.rs"):
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root)
            finding.seen.append(str(name))
            if vague := {Path(part).stem.lstrip("_") for part in name.parts} & rules.VAGUE:
                finding.breaches.append(f"{name}: `{vague.pop()}` says nothing: call it after what it owns")
    return finding


def core_without_python(root: Path) -> Finding:
    """Without features the crate's tree holds no Python."""
    command = ["cargo", "tree", "--locked", "--no-default-features", "-e", "normal", "--prefix", "none"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return Finding(breaches=[f"`{' '.join(command)}` failed: {done.stderr.strip()}"])
    return judge_tree(done.stdout)


def judge_tree(listing: str) -> Finding:
    """Judges what `cargo tree` printed, one crate a line."""
    crates = sorted({line.split()[0] for line in listing.splitlines() if line.strip()})
    foreign = ("pyo3", "reqwest", "hyper", "arrow")
    return Finding(
        seen=crates,
        breaches=[f"`{name}` is in the tree of the bare core" for name in crates if name.startswith(foreign)],
    )


def explained_dependencies(root: Path) -> Finding:
    """CONTRIBUTING.md says why each dependency is there."""
    finding = Finding()
    explained_in = root / "CONTRIBUTING.md"
    explained = explained_in.read_text(encoding="utf-8") if explained_in.exists() else ""
    for name in (*_cargo_dependencies(root / "Cargo.toml"), *_python_dependencies(root / "pyproject.toml")):
        finding.seen.append(name)
        if f"`{name}`" not in explained:
            finding.breaches.append(f"CONTRIBUTING.md: say why `{name}` is there")
    return finding


def _cargo_dependencies(manifest: Path) -> Iterator[str]:
    # CPython 3.10 has no TOML reader, and the walls run before anything is installed.
    within = False
    for line in manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else ():
        if line.startswith("["):
            within = line.strip().strip("[]").endswith("dependencies")
        elif within and (entry := re.match(r"([\w-]+)\s*[.=]", line)):
            yield entry[1]


def _python_dependencies(manifest: Path) -> Iterator[str]:
    text = manifest.read_text(encoding="utf-8") if manifest.exists() else ""
    lists = re.findall(r"^(?:requires|dependencies) = \[.*?\]$", text, re.MULTILINE | re.DOTALL)
    lists += re.findall(r"^\[dependency-groups\]$.*?(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    requirements = re.sub(r"\{[^}]*\}|#.*", "", "\n".join(lists))
    for quoted in re.findall(r'"([^"]+)"', requirements):
        yield re.split(r"[^\w.-]", quoted, maxsplit=1)[0]


GUARDS: dict[str, Callable[[Path], Finding]] = {
    "import direction": import_direction,
    "confined names": confined_names,
    "vendor literals": vendor_literals,
    "file length": file_length,
    "telling names": telling_names,
    "explained dependencies": explained_dependencies,
    "core without Python": core_without_python,
}


def main() -> int:
    """Runs every guard; returns the exit code."""
    parser = argparse.ArgumentParser(description="Checks the walls of the house.")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("-v", "--verbose", action="store_true", help="name what each guard saw")
    arguments = parser.parse_args()
    failed = 0
    for name, guard in GUARDS.items():
        finding = guard(arguments.root)
        failed += not finding.holds
        print(f"{'ok    ' if finding.holds else 'BREACH'} {name}: saw {len(finding.seen)}")
        if arguments.verbose or not finding.seen:
            print(
                "       " + (", ".join(finding.seen) or "nothing: a guard that sees nothing guards nothing")
            )
        for breach in finding.breaches:
            print(f"       {breach}")
    print(f"{len(GUARDS) - failed} walls stand, {failed} do not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
