"""The settings of an enricher, checked once: limits, the store's path, the key, a proxy.

Knows nothing of runs.
"""

from ._setting_checks import BASE_URL, LOOPBACK, URL_VARIABLE, check_max_credits, store_path
from .budget import Budget, Per, time_zone
from .definitions import DEFINITIONS, Body, Copies, Duration, OnUnknown, Settings, checked

__all__ = [
    "BASE_URL",
    "DEFINITIONS",
    "LOOPBACK",
    "URL_VARIABLE",
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
