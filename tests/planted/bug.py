"""The type of a planted bug, and the paths of the files in which most of them are planted."""

from __future__ import annotations

from dataclasses import dataclass

ATTEMPT = "crates/dispatch/src/attempt.rs"
SHELL = "crates/dispatch/src/shell.rs"
SCHEDULER = "crates/core/src/schedule/mod.rs"
CONSULT = "crates/core/src/schedule/consult.rs"
INTAKE = "crates/core/src/schedule/intake.rs"
LANDED = "crates/core/src/schedule/landed.rs"
LIMITS = "crates/core/src/schedule/limits.rs"
NEXT = "crates/core/src/schedule/next.rs"
RETRIES = "crates/core/src/schedule/retries.rs"
SHARED = "crates/core/src/schedule/shared.rs"
TALLY = "crates/core/src/schedule/tally.rs"
TABLE = "crates/core/src/plan/table.rs"
LOOKUPS = "crates/core/src/plan/lookups.rs"
MEMORY = "crates/store/src/memory.rs"
CLAIM = "crates/store/src/sqlite/answers/claim.rs"
SETTLE = "crates/store/src/sqlite/answers/settle.rs"


@dataclass(frozen=True)
class Bug:
    """One bug: what it does wrong, what finds it, and how it is planted."""

    name: str
    caught_by: str
    path: str
    old: str
    new: str
