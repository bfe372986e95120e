"""Whether a tag, the version of the workspace and the changelog agree: `version.py REF`.

Accepts any ref that is not a tag, such as the branch of a rehearsal.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(ref: str) -> int:
    """Returns the exit code."""
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    known = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"', manifest, re.MULTILINE)
    if known is None:
        print("Cargo.toml has no version of the workspace")
        return 1
    version = known[1]
    if not ref.startswith("refs/tags/"):
        print(f"{ref} is not a tag: a rehearsal of {version}")
        return 0
    if ref != f"refs/tags/v{version}":
        print(f"the tag is {ref.removeprefix('refs/tags/')}, and the version in Cargo.toml is {version}")
        return 1
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changelog, re.MULTILINE):
        print(f"CHANGELOG.md has no section for {version} with a date")
        return 1
    print(f"{version}: tag, Cargo.toml and CHANGELOG.md agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
