"""What every contestant is given, and what the reader does with the result.

Owns the rows, and the twelve columns that are read out of the contacts afterwards: pausing the garbage
collector only puts its cost off, so each figure stands for the run, and for the run plus its next step.
"""

from __future__ import annotations

from typing import Any

CHUNK = 1_000
IN_FLIGHT = 16
KEY = "benchmark"
PATH = "/v1/bulk-enrich"


def make_rows(count: int) -> list[tuple[str, str]]:
    """Returns that many distinct pairs of field type and value, mixed as people have them."""
    return rows_between(0, count)


def rows_between(start: int, stop: int) -> list[tuple[str, str]]:
    """Some of them, by their numbers."""
    rows: list[tuple[str, str]] = []
    for number in range(start, stop):
        kind = number % 10
        if kind < 5:
            rows.append(("email", f"ana.{number}@firm{number % 997}.example"))
        elif kind < 8:
            rows.append(("social_profile", f"linkedin.com/in/ana-{number}"))
        else:
            rows.append(("phone", f"+1{2_012_000_000 + number}"))
    return rows


def columns(results: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Reads twelve columns out of the contacts."""
    return [
        (
            result["value"],
            person.get("full_name"),
            person.get("first_name"),
            person.get("last_name"),
            person.get("current_work_email"),
            (person.get("phone_numbers") or [{}])[0].get("E164"),
            (person.get("social_profiles") or [{}])[0].get("url"),
            (person.get("location") or {}).get("city"),
            (person.get("location") or {}).get("country"),
            (person.get("employment") or {}).get("name"),
            ((person.get("employment") or {}).get("job") or {}).get("title"),
            ((person.get("education") or [{}])[0].get("school") or {}).get("name"),
        )
        for result in results
        for person in [result["enriched_contact"] or {}]
    ]
