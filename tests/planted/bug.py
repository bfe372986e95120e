"""What a planted bug is, and the files that most of them are planted in."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPT = "src/dispatch/attempt.rs"
SHELL = "src/dispatch/shell.rs"
SCHEDULER = "src/schedule/mod.rs"
CONSULT = "src/schedule/consult.rs"
INTAKE = "src/schedule/intake.rs"
LANDED = "src/schedule/landed.rs"
LIMITS = "src/schedule/limits.rs"
NEXT = "src/schedule/next.rs"
RETRIES = "src/schedule/retries.rs"
SHARED = "src/schedule/shared.rs"
TALLY = "src/schedule/tally.rs"
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
