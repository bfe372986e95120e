"""Enriches a CSV file of contacts. Each row is looked up by its best identifier first.

Without options, it uses the built-in sandbox (no key, no cost, invented people):

    python examples/enrich_csv.py examples/contacts.csv

With a limit on the credits to spend, it uses the real service:

    export EXACTBUYER_API_KEY=...
    python examples/enrich_csv.py people.csv -o enriched.csv --max-credits 100
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exactbuyer import Budget, BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Mapping

# Placeholders that count as missing. Blank cells always do.
PLACEHOLDERS = ("n/a", "N/A", "-", "(none)", "unknown", "0000000000")

COLUMNS = {
    "enriched_name": ("full_name",),
    "enriched_email": ("current_work_email",),
    "enriched_title": ("employment", "job", "title"),
    "enriched_company": ("employment", "name"),
}


def waterfall(person: Mapping[str, str]) -> list[tuple[str, str]]:
    """The identifiers of a person, best first: a later one is paid for only if all before it find nobody."""
    return [("social_profile", person["linkedin"]), ("email", person["email"]), ("phone", person["phone"])]


def read_out(contact: Mapping[str, Any] | None, path: tuple[str, ...]) -> str:
    """One value of a contact, or an empty cell: every field of the API may be null or absent."""
    nothing: dict[str, Any] = {}
    found: Any = contact or nothing
    for name in path:
        found = found.get(name) or nothing
    return str(found) if found else ""


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description="Enrich a CSV file with the columns name, email, phone, linkedin."
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("-o", "--output", type=Path, help="default: a file in the temporary folder")
    parser.add_argument("--max-credits", type=int, help="ask the real service, and spend no more than this")
    return parser.parse_args()


def main() -> None:
    """Plans, enriches, and writes every row in the order of the input."""
    asked = arguments()
    # "utf-8-sig": Excel writes a byte-order mark, which is not a part of the first column's name.
    with asked.file.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restval="")
        people = list(reader)
        columns = list(reader.fieldnames or ())
    rows = [waterfall(person) for person in people]
    output = asked.output or Path(tempfile.mkdtemp(prefix="exactbuyer-")) / "enriched.csv"
    # Fails here, before anything is paid for, if the file cannot be written.
    output.touch()

    if asked.max_credits is None:
        enricher = BulkEnricher.sandbox(na_values=PLACEHOLDERS, default_region="US")
    else:
        # The limit is for this run. Answers that earlier runs paid for are in the store and cost nothing.
        budget = Budget(asked.max_credits, per="run")
        enricher = BulkEnricher(max_credits=budget, na_values=PLACEHOLDERS, default_region="US")

    with enricher:
        print(enricher.plan(rows), end="\n\n")
        # "record": an invalid row gets a status instead of raising an exception.
        results = enricher.enrich(rows, on_error="record", progress=True)
    print(results.receipt, end="\n\n")

    with output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*columns, "status", "found_by", *COLUMNS])
        writer.writeheader()
        for person, result in zip(people, results, strict=True):
            contact = result["enriched_contact"]
            enriched = {column: read_out(contact, path) for column, path in COLUMNS.items()}
            found_by = result["value"] if contact else ""
            writer.writerow({**person, "status": result["status"], "found_by": found_by, **enriched})

    print(f"{'name':<18}{'status':<11}{'found by':<48}{'e-mail'}")
    for person, result in list(zip(people, results, strict=True))[:10]:
        found_by = str(result["value"]) if result["enriched_contact"] else ""
        email = read_out(result["enriched_contact"], ("current_work_email",))
        print(f"{person['name']:<18}{result['status']:<11}{found_by[:46]:<48}{email}")
    print(f"\nall {len(people)} rows: {output}")
    if asked.max_credits is None:
        print("These people are invented. For real ones:")
        print("  export EXACTBUYER_API_KEY=...")
        print(f"  python {sys.argv[0]} {asked.file} -o enriched.csv --max-credits 100")


if __name__ == "__main__":
    main()
