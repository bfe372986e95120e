"""What a planted bug is, and the files that most of them are planted in."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPT = "src/dispatch/attempt.rs"
LANDING = "src/dispatch/landing.rs"
LAUNCH = "src/dispatch/launch.rs"
RUNNER = "src/dispatch/runner.rs"
SPLIT = "src/dispatch/split.rs"
TALLY = "src/dispatch/tally.rs"
TABLE = "src/plan/table.rs"
LOOKUPS = "src/plan/lookups.rs"
MEMORY = "src/store/memory.rs"


@dataclass(frozen=True)
class Bug:
    """One bug: what it does, what catches it, and how it is planted."""

    name: str
    caught_by: str
    path: str
    old: str
    new: str
