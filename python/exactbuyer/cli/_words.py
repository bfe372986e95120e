"""What the command line calls settings, and what it advises. Data only.

`tests/python/test_cli_words.py` compares it with the words of the Python API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from exactbuyer.report.message import said
from exactbuyer.settings import DEFINITIONS
from exactbuyer.store import Resolution

SETTINGS = (
    *(name for name, definition in DEFINITIONS.items() if definition.option is not None),
    *("credit_price", "default_region", "na_values", "required_fields"),
)
"""The options that are settings of an enricher by the same name."""

_NAMED_ALIKE = (
    *SETTINGS,
    *("base_url", "by", "max_age", "max_credits", "miss_max_age", "older_than", "prefix", "refresh", "split"),
    *("store", "store_only", "tz"),
)

RESOLUTIONS = tuple(name.replace("_", "-") for name in get_args(Resolution))
"""What can be decided about lookups in doubt."""

RESOLVE = f"resolve {', '.join(RESOLUTIONS[:-1])} or {RESOLUTIONS[-1]}"
"""The command that decides, and what it takes."""

_OF_TABLES = {
    "give_column_type": "pass the column's field type, as in --by mobile=phone",
    "split_values": "pass their separator, as in --split ';'",
}

WORDS: Mapping[str, str] = {
    **_OF_TABLES,
    **{name: f"--{name.replace('_', '-')}" for name in _NAMED_ALIKE},
    "api_key": "--key-file",
    "columns": "--column",
    "field_type": "--type",
    "invoiced": "INVOICED",
    "na_values": "--na-value",
    "path": "OUT",
    "region": "--region-column",
    "requests": "--request",
    "required_fields": "--require",
    "tags": "--tag",
    "allow": "exactbuyer store allow",
    "ask_again": "run the same command again",
    "ask_without_store_only": "run the command without --store-only",
    "force": "pass --force to replace it",
    "give_field_type": _OF_TABLES["give_column_type"],
    "keep_answers": "Leave out --store, or pass --store FILE",
    "no_limit": "or left out for no limit",
    "no_store": "--store none",
    "or_arrow_type": "",
    "or_default_region": ", or set --default-region",
    "plan_problems": "",
    "price_example": "--credit-price 0.05 EUR",
    "read_encoding": "correct it, or pass the encoding of the file, as in --encoding cp1252",
    "resolve_doubts": f"exactbuyer store {RESOLVE}",
    "seconds": "a number of seconds",
    "see_reasons": "see the column of reasons",
    "separate_values": _OF_TABLES["split_values"],
    "several_columns": "pass --by once for each column, as in --by linkedin --by email",
    "separators": "a separator such as ';', or that of one column, as in 'emails=;'",
    "unknown_and_resolve": f"exactbuyer store unknown; then {RESOLVE}",
    "use_no_store": "pass --store none to keep nothing",
    "use_store": "pass --store FILE",
}
"""The words of the command line, by the names of settings and advices."""

STORE_WORDS: Mapping[str, str] = {
    **WORDS,
    "give_field_type": "pass its field type, as in --type phone",
    "na_values": "--na-value of `exactbuyer enrich`",
    "read_encoding": "correct it",
    "separate_values": "pass them one by one",
}
"""The words about WHOM in the commands of the store, which have other options."""


def in_options(text: str) -> str:
    """A message in the words of the command line."""
    return said(text, WORDS)
