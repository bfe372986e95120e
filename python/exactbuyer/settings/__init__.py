"""The settings of an enricher, checked once: limits, the store's path, the key, a proxy.

Knows nothing of runs.
"""

from .budget import Budget, Per, time_zone
from .settings import (
    BASE_URL,
    LOOPBACK,
    SETTINGS,
    Body,
    Copies,
    Duration,
    OnUnknown,
    Settings,
    check_max_credits,
    checked,
    store_path,
)

__all__ = [
    "BASE_URL",
    "LOOPBACK",
    "SETTINGS",
    "Body",
    "Budget",
    "Copies",
    "Duration",
    "OnUnknown",
    "Per",
    "Settings",
    "check_max_credits",
    "checked",
    "store_path",
    "time_zone",
]
