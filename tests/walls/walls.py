"""Checks of the source that no tool makes: `python tests/walls/walls.py [ROOT]`.

Cargo keeps the walls between the crates, clippy's `disallowed-*` those of the pure crates, import-linter and
ruff those of the Python package. This script checks the rest. It needs Python only.

Every guard says how many files it saw (which ones, with `-v`) and fails where it saw none;
`tests/python/test_walls.py` plants a breach in front of each.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The rooms of `crates/core`. A room may use those before it. A file belongs to the longest name that fits.
ROOMS = (
    "listed",
    "lock",
    "message",
    "error",
    "secret",
    "identifier",
    "outcome",
    "results",
    "service::limits",
    "config",
    "budget",
    "pace",
    "concurrency",
    "plan",
    "service::transport",
    "service",
    "policy",
    "store",
    "schedule",
)

# What the service alone decides stands once, in `service/limits.rs`, with its page and date. Whole
# literals: a message may show what an address looks like.
SERVICE_LITERALS = (
    '"https://api.exactbuyer.com"',
    '"/v1/bulk-enrich"',
    '"x-api-key"',
    '"X-API-Key"',
    "from_secs(60)",
)
SERVICE_LITERALS_LIVE_IN = "service/limits.rs"

# The only place where the code differs between operating systems.
PLATFORM = "crates/store/src/sqlite/platform/"
ASKS_FOR_THE_SYSTEM = re.compile(
    r"\bcfg\w*!?\(.*\b(unix|windows|target_(os|vendor|family|env))\b|std::os::(?!raw)"
)

# Names that say nothing about what is inside.
VAGUE = frozenset({"common", "helper", "helpers", "misc", "type", "types", "util", "utils"})

MAX_LINES = 400
MAX_FILES = 14
SOURCES = (
    "crates/**/*.rs",
    "tests/**/*.rs",
    "python/**/*.py",
    "tests/**/*.py",
    "benchmarks/*.*",
    "examples/*.py",
    "docs/**/*.py",
)


@dataclass
class Finding:
    """What one guard saw and what it objects to."""

    seen: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether something was seen, and nothing is wrong with it."""
        return bool(self.seen) and not self.breaches


def files(root: Path, *patterns: str) -> Iterator[tuple[str, Path]]:
    """Yields the files that match, in order, each with its name from the root on."""
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(root).as_posix(), path


def rust_code(root: Path, pattern: str) -> Iterator[tuple[str, list[str]]]:
    """Yields the lines of each Rust file without comments and tests."""
    for name, path in files(root, pattern):
        if re.search(r"(\btests|_tests)(\.rs|/)", name):
            continue
        code = re.split(r"#\[cfg\(test\)\]\s+mod \w+ \{", path.read_text(encoding="utf-8"), maxsplit=1)[0]
        yield name, [re.sub(r"(^|\s)//.*", "", line) for line in code.split("\n")]


def room_of(path: str) -> str | None:
    """The room of a module's path, such as `service::limits::WINDOW`; None if there is none."""
    fitting = [room for room in ROOMS if f"{path}::".startswith(f"{room}::")]
    return max(fitting, key=len, default=None)


def rooms_of_the_core(root: Path) -> Finding:
    """No room uses one that stands after it."""
    finding = Finding()
    source = "crates/core/src/"
    for name, lines in rust_code(root, f"{source}**/*.rs"):
        finding.seen.append(name)
        module = name.removeprefix(source).removesuffix(".rs").removesuffix("/mod").replace("/", "::")
        room = room_of(module)
        if module in {"lib", "service"}:
            continue
        if room is None:
            finding.breaches.append(f"{name}: say in tests/walls/walls.py where this room stands")
            continue
        for number, line in enumerate(lines, 1):
            if "crate::{" in line:
                finding.breaches.append(f"{name}:{number}: write one `use` for each room")
            for path in _named_in_the_core(line, module):
                used = room_of(path)
                if used and ROOMS.index(used) > ROOMS.index(room):
                    finding.breaches.append(f"{name}:{number}: `{room}` may not use `{path}`")
    return finding


def _named_in_the_core(line: str, module: str) -> Iterator[str]:
    """The paths in a line, from the root of the core on."""
    yield from re.findall(r"\bcrate::([\w:]+)", line)
    for ups, path in re.findall(r"(?<![\w:])((?:super::)+)([\w:]+)", line):
        above = module.split("::")[: -ups.count("super::")]
        yield "::".join([*above, path])


def service_literals(root: Path) -> Finding:
    """What the service decides stands once."""
    finding = Finding()
    for place, line in _lines_outside(root, finding, lambda name: name.endswith(SERVICE_LITERALS_LIVE_IN)):
        finding.breaches.extend(
            f"{place}: `{literal}` belongs in {SERVICE_LITERALS_LIVE_IN}"
            for literal in SERVICE_LITERALS
            if literal in line
        )
    return finding


def one_platform_module(root: Path) -> Finding:
    """No other file asks for which operating system it is compiled."""
    finding = Finding()
    for place, line in _lines_outside(root, finding, lambda name: name.startswith(PLATFORM)):
        if ASKS_FOR_THE_SYSTEM.search(line):
            finding.breaches.append(f"{place}: what differs between systems belongs in {PLATFORM}")
    return finding


def _lines_outside(root: Path, finding: Finding, is_home: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """The lines of all files of Rust but those at home, each with its place. Notes which files it saw."""
    for name, lines in rust_code(root, "crates/*/src/**/*.rs"):
        finding.seen.append(name)
        if not is_home(name):
            yield from ((f"{name}:{number}", line) for number, line in enumerate(lines, 1))


def file_length(root: Path) -> Finding:
    """Files are near 200 lines and end at 400."""
    finding = Finding()
    for name, path in files(root, *SOURCES):
        finding.seen.append(name)
        lines = path.read_bytes().count(b"\n")
        if lines > MAX_LINES:
            finding.breaches.append(f"{name}: {lines} lines: split it (the end is at {MAX_LINES})")
    return finding


def folder_size(root: Path) -> Finding:
    """No folder of the package is a long flat list."""
    finding = Finding()
    folders: dict[str, int] = {}
    for name, _ in files(root, "crates/*/src/**/*.rs", "python/**/*.py"):
        finding.seen.append(name)
        folder = name.rpartition("/")[0]
        folders[folder] = folders.get(folder, 0) + 1
    finding.breaches.extend(
        f"{folder}: {count} files side by side: put those that belong together into a folder"
        for folder, count in folders.items()
        if count > MAX_FILES
    )
    return finding


def telling_names(root: Path) -> Finding:
    """No module is called after nothing."""
    finding = Finding()
    for name, _ in files(root, *SOURCES):
        finding.seen.append(name)
        if vague := {Path(part).stem.lstrip("_") for part in name.split("/")} & VAGUE:
            finding.breaches.append(f"{name}: `{vague.pop()}` says nothing: call it after what it owns")
    return finding


def explained_dependencies(root: Path) -> Finding:
    """CONTRIBUTING.md says why each dependency is there."""
    finding = Finding()
    explained_in = root / "CONTRIBUTING.md"
    explained = explained_in.read_text(encoding="utf-8") if explained_in.exists() else ""
    manifests = [path for _, path in files(root, "crates/*/Cargo.toml", "tests/rust/Cargo.toml")]
    crates = {name for manifest in manifests for name in _cargo_dependencies(manifest)}
    for name in (*sorted(crates), *_python_dependencies(root / "pyproject.toml")):
        finding.seen.append(name)
        if f"`{name}`" not in explained and not name.startswith("exactbuyer"):
            finding.breaches.append(f"CONTRIBUTING.md: say why `{name}` is there")
    return finding


def _cargo_dependencies(manifest: Path) -> Iterator[str]:
    # CPython 3.10 has no TOML reader, and the walls run before anything is installed.
    within = False
    for line in manifest.read_text(encoding="utf-8").splitlines():
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


def pinned_actions(root: Path) -> Finding:
    """A workflow names the actions of others by their commit: a tag can be moved to other code."""
    finding = Finding()
    for name, path in files(root, ".github/workflows/*.yml"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if action := re.search(r"\buses: *(?!\./)(\S+)", line):
                finding.seen.append(action[1])
                if not re.search(r"@[0-9a-f]{40} # v\d", line):
                    finding.breaches.append(
                        f"{name}:{number}: name the commit of {action[1]}, and its version after it"
                    )
    return finding


GUARDS: dict[str, Callable[[Path], Finding]] = {
    "rooms of the core": rooms_of_the_core,
    "service literals": service_literals,
    "one platform module": one_platform_module,
    "file length": file_length,
    "folder size": folder_size,
    "telling names": telling_names,
    "explained dependencies": explained_dependencies,
    "pinned actions": pinned_actions,
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
