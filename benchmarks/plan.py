"""`plan` of a million mixed rows: how long, how much memory. Prints one line of JSON."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from measure import CLIENT_CORE, cpu_s, peak_mb, pin

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 1_000_000


def mixed_rows(count: int) -> Iterator[Any]:
    """Rows as people have them: all kinds and spellings, gaps, doubles, a tenth of them waterfalls."""
    for number in range(count):
        kind = number % 20
        if kind < 8:
            yield f"Ana.{number % (count * 4 // 5)}@Firm{number % 997}.example"
        elif kind < 13:
            yield f"https://www.linkedin.com/in/ana-{number}/"
        elif kind < 17:
            yield f"+1 ({201 + number % 700}) {555_0000 + number % 9_999:07d}"
        elif kind < 19:
            yield [("social_profile", f"linkedin.com/in/bo-{number}"), ("email", f"bo.{number}@firm.example")]
        else:
            yield None if number % 40 == kind else "n/a"


def main() -> None:
    """Plans once, and says what it took."""
    pin(CLIENT_CORE)
    rows = list(mixed_rows(ROWS))
    enricher = BulkEnricher(na_values=["n/a"])
    # The first number of a country compiles its patterns, once: that is no part of a row.
    enricher.plan(["+1 773 474 9362"])
    base, cpu, wall = peak_mb(), cpu_s(), time.perf_counter()
    plan = enricher.plan(rows)
    figures = {
        "rows": plan.rows,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": cpu_s() - cpu,
        "base_mb": base,
        "added_mb": peak_mb() - base,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
