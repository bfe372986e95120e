"""The licences of all crates that are compiled into a wheel: `licences.py [--check]`.

Writes their texts to THIRD-PARTY-LICENSES.txt, which every wheel has. With `--check`, fails if that file is
not up to date, or if a crate has a licence that is not in `ALLOWED`. Needs cargo and Python only.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "THIRD-PARTY-LICENSES.txt"
PACKAGE = "exactbuyer_python"

# What may be passed on in a binary under the licences of this package, by the names of SPDX.
ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "CDLA-Permissive-2.0",
        "ISC",
        "MIT",
        "MIT-0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
    }
)

_TEXTS = re.compile(r"(licen[sc]e|copying|notice|unlicense|copyright)", re.IGNORECASE)
_FOLDERS = ("LICENSES", "licenses")


@dataclass(frozen=True, order=True)
class Crate:
    """One crate of the graph."""

    name: str
    version: str
    licence: str
    folder: Path


def crates() -> list[Crate]:
    """The crates that a wheel has on any system: not those that are only needed to build or test."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    graph: dict[str, Any] = json.loads(
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    )
    packages = {package["id"]: package for package in graph["packages"]}
    needs = {
        node["id"]: [
            needed["pkg"]
            for needed in node["deps"]
            if any(kind["kind"] is None for kind in needed["dep_kinds"])
        ]
        for node in graph["resolve"]["nodes"]
    }
    found: set[str] = set()
    waiting = [known for known, package in packages.items() if package["name"] == PACKAGE]
    while waiting:
        known = waiting.pop()
        if known not in found:
            found.add(known)
            waiting += needs[known]
    return sorted(
        Crate(
            package["name"],
            package["version"],
            package["license"] or "",
            Path(package["manifest_path"]).parent,
        )
        for package in (packages[known] for known in found)
        if package["source"] is not None
    )


def is_allowed(expression: str) -> bool:
    """Whether a licence expression can be met with `ALLOWED` alone."""
    # Before SPDX, a slash meant "or".
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    words: list[str] = []
    for token in tokens:
        if words and (token == "WITH" or words[-1].endswith(" WITH")):
            words[-1] += f" {token}"
        else:
            words.append(token)
    if not words:
        return False
    allowed = {"(": "(", ")": ")", "AND": " and ", "OR": " or "}
    return bool(eval("".join(allowed.get(word) or str(word in ALLOWED) for word in words), {}))


def texts_of(crate: Crate) -> list[str]:
    """The licence texts in the crate's own package."""
    places = [crate.folder, *(crate.folder / name for name in _FOLDERS)]
    paths = sorted(path for place in places if place.is_dir() for path in place.iterdir() if path.is_file())
    named = [path for path in paths if _TEXTS.search(path.name) or path.parent != crate.folder]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in named if path.suffix != ".rs"]
    return ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in texts]


def rendered(known: list[Crate]) -> str:
    """The file's content: each text once, with the crates that it belongs to."""
    owners: dict[str, list[str]] = {}
    bare: list[str] = []
    for crate in known:
        title = f"{crate.name} {crate.version} ({crate.licence})"
        texts = texts_of(crate)
        bare += [] if texts else [title]
        for text in texts:
            owners.setdefault(text, []).append(title)
    lines = [
        "The extension module of exactbuyer is compiled from the following crates, too. Their licences:",
        "",
        *(f"  {crate.name} {crate.version}: {crate.licence}" for crate in known),
        "",
        "These packages have no text of their own; that of their licence is among the texts below:",
        "",
        *(f"  {title}" for title in bare),
    ]
    for text, titles in sorted(owners.items(), key=lambda entry: entry[1]):
        lines += ["", "=" * 80, *titles, "=" * 80, "", text]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description="The licences of the crates in a wheel.")
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    known = crates()
    refused = [crate for crate in known if not is_allowed(crate.licence)]
    for crate in refused:
        print(f"{crate.name} {crate.version}: {crate.licence or 'no licence'} is not allowed in a wheel")
    if len(known) < 50:
        print(f"only {len(known)} crates were found: this check would check nothing")
        return 1
    text = rendered(known)
    if not check:
        FILE.write_text(text, encoding="utf-8", newline="\n")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != text:
        print(f"{FILE.name} is not up to date: run `make licences`")
        return 1
    print(f"{len(known)} crates, {len(refused)} with another licence, {len(text) // 1024} kB of texts")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
