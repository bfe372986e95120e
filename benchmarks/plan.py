"""`plan` of a million rows, mixed or phone numbers only: time and memory. Prints one line of JSON."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from cores import CLIENT_CORE, pin
from measure import cpu_s, peak_mb

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


def phone_rows(count: int) -> Iterator[str]:
    """Numbers of five countries, in full and as they are written at home (in Germany)."""
    for number in range(count):
        yield (
            f"+1 ({201 + number % 700}) 555-{number % 9_999:04d}",
            f"+44 20 7946 {number % 9_999:04d}",
            f"0033 6 {12_34_00_00 + number:08d}",
            f"030 {2_312_500 + number % 999_999}",
            f"+91{98_000_00000 + number}",
        )[number % 5]


def main() -> None:
    """Plans once, and says what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", action="store_true", help="phone numbers only")
    phones = parser.parse_args().phones
    pin(CLIENT_CORE)
    rows = list(phone_rows(ROWS) if phones else mixed_rows(ROWS))
    enricher = BulkEnricher(na_values=["n/a"], default_region="DE")
    # The first number of a country compiles its patterns, once: that is no part of a row.
    enricher.plan(["+1 773 474 9362"])
    base, cpu, wall = peak_mb(), cpu_s(), time.perf_counter()
    plan = enricher.plan(rows, field_type="phone" if phones else None)
    figures = {
        "rows": plan.rows,
        "kind": "phone" if phones else "mixed",
        "wall_s": time.perf_counter() - wall,
        "cpu_s": cpu_s() - cpu,
        "base_mb": base,
        "added_mb": peak_mb() - base,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
