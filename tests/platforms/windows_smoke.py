"""The API on Windows: a sandbox, and a store of 2,000 people whose second run pays only for new ones."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from exactbuyer import BulkEnricher, StoreError

PEOPLE = [f"p{number}@acme.example" for number in range(2_000)]
NEW = [f"q{number}@acme.example" for number in range(100)]


def main() -> None:
    """Fails if anything is not as on other systems."""
    with BulkEnricher.sandbox() as enricher:
        results = enricher.enrich(["ana@harbourline.example", "linkedin.com/in/ana", None])
        assert [row["status"] for row in results][-1] == "missing", results
        assert len(asyncio.run(enricher.enrich_async(PEOPLE))) == len(PEOPLE)
    with tempfile.TemporaryDirectory() as folder:
        store(Path(folder))
    print(f"{sys.version.split()[0]} on {sys.platform}: the API works, with and without a store")


def store(folder: Path) -> None:
    """What a store does."""
    path = folder / "of its own" / "people.db"
    path.parent.mkdir()
    with BulkEnricher.sandbox(store=path) as enricher:
        first = enricher.enrich(PEOPLE).receipt
        second = enricher.enrich(PEOPLE + NEW).receipt
        assert (first.sent, second.sent, second.from_store) == (2_000, 100, 2_000), (first, second)
        names = sorted(file.name for file in path.parent.iterdir())
        assert names == ["people.db", "people.db-owners", "people.db-shm", "people.db-wal"], names
        copy = folder / "copy.db"
        enricher.store.backup(copy)
        assert copy.stat().st_size > 0
        refused = ""
        try:
            enricher.store.backup(copy)
        except (StoreError, ValueError) as error:
            refused = str(error)
        assert "never replaces a file" in refused, refused
        assert enricher.store.export(folder / "all.jsonl") == 2_100
        assert enricher.store.export(folder / "all.jsonl") == 2_100, "an earlier export is replaced"
        purged = enricher.store.purge("p1@acme.example")
        assert (purged.answers, purged.cleaned) == (1, True), purged
    with BulkEnricher.sandbox(store=path) as enricher:
        assert enricher.enrich(PEOPLE).receipt.sent == 0, "everybody is stored, or was purged and is barred"


if __name__ == "__main__":
    main()
