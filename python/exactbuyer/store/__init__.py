"""The store: what was bought, what is in doubt, what it cost, and the data of people."""

from .records import (
    Answer,
    Doubt,
    Info,
    JournalEntry,
    Merged,
    Migrated,
    Purged,
    Reconciliation,
    RequestOutcome,
    Resolved,
)
from .store import Resolution, Store, migrate

__all__ = [
    "Answer",
    "Doubt",
    "Info",
    "JournalEntry",
    "Merged",
    "Migrated",
    "Purged",
    "Reconciliation",
    "RequestOutcome",
    "Resolution",
    "Resolved",
    "Store",
    "migrate",
]
