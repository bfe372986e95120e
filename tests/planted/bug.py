"""What a planted bug is, and the files that most of them are planted in."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPT = "crates/dispatch/src/attempt.rs"
LANDING = "crates/dispatch/src/landing.rs"
LAUNCH = "crates/dispatch/src/launch.rs"
RUNNER = "crates/dispatch/src/runner.rs"
SPLIT = "crates/dispatch/src/split.rs"
TALLY = "crates/dispatch/src/tally.rs"
TABLE = "crates/core/src/plan/table.rs"
LOOKUPS = "crates/core/src/plan/lookups.rs"
MEMORY = "crates/store/src/memory.rs"


@dataclass(frozen=True)
class Bug:
    """One bug: what it does, what catches it, and how it is planted."""

    name: str
    caught_by: str
    path: str
    old: str
    new: str
