"""Enrichers with a store of their own, as the tests of stores use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keys import KEY

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox


def emails(count: int) -> list[str]:
    """So many people's addresses."""
    return [f"person{number}@acme.example" for number in range(count)]


def enricher(sandbox: Sandbox, path: Path, **settings: Any) -> BulkEnricher:
    """An enricher that asks this sandbox, and keeps what it learns in this file."""
    return BulkEnricher(KEY, base_url=sandbox.url, store=path, **settings)


def asked(sandbox: Sandbox) -> int:
    """How many requests have come so far."""
    return len(sandbox.ledger.requests)
