"""What Python is told of settings and calls, in the words of the command line. Words only.

The words come from all over the package, the core included: `tests/python/test_cli_words.py` looks for each
of them there, so that none is translated that nobody says any more.
"""

from __future__ import annotations

import re

from exactbuyer.settings import DEFINITIONS

SETTINGS = (
    *(name for name, definition in DEFINITIONS.items() if definition.option is not None),
    *("credit_price", "default_region", "na_values", "required_fields"),
)
"""The options that are settings of an enricher by the same name."""

_NAMED_ALIKE = {*SETTINGS, "by", "split", "region", "base_url", "max_credits"}
_NAMED_OTHERWISE = {"required_fields": "require", "na_values": "na-value", "region": "region-column"}

WORDS = {
    "EXACTBUYER_API_KEY or api_key=": "EXACTBUYER_API_KEY or --key-file",
    "EXACTBUYER_API_KEY, or the api_key given": "EXACTBUYER_API_KEY, or --key-file",
    "check required_fields, body and base_url": "check --require, --body and --base-url",
    "check the network and base_url": "check the network and --base-url",
    "name that file in ca_bundle= or in": "name that file in --ca-bundle or in",
    "give a PEM file as ca_bundle=": "give a PEM file as --ca-bundle",
    "check base_url, proxy and body": "check --base-url, --proxy and --body",
    "set requests_per_minute lower": "set --requests-per-minute lower",
    "a mark, as in ';', several, as in [';', ','], or a mapping from columns to their marks": "a mark, as in "
    "';', or a mark of one column, as in 'emails=;'",
    "region names a column of text": "--region-column names a column of text",
    "does by name the right columns": "does --by name the right columns",
    "check base_url and the settings": "check --base-url and the other options",
    "check base_url": "check --base-url",
    "set base_url to the final address": "say --base-url with the final address",
    "it may be required_fields, body or base_url": "it may be --require, --body or --base-url",
    ", and ask again for the rows that are not_sent": ", and run the same command again",
    'enricher.resolve_unknown("resend") or ("drop")': "exactbuyer store resolve resend, or drop",
    'enricher.resolve_unknown("resend") has them asked for again': "exactbuyer store resolve resend has them "
    "asked for again",
    '("drop") leaves them': "drop leaves them",
    "store.unknown(); then resolve_unknown('resend') or ('drop')": "exactbuyer store unknown; then resolve "
    "resend, or drop",
    "store.allow(…)": "exactbuyer store allow",
    "store.allow(identifier)": "exactbuyer store allow",
    "which is all that max_in_doubt allows": "which is all that --max-in-doubt allows",
    "results.problems": "the column of reasons",
    "set default_region": "say --default-region",
    "say what stands between them, as in split=';'": "say what stands between them, as in --split ';'",
    "give them as a list, in order of preference, or in a table say split": "give one of them",
    "store_only sends nothing: ask again without it": "--store-only sends nothing: run it without",
    "store_only=True needs a store: make the enricher with store= a path": "--store-only needs a store: say "
    "--store FILE",
    "refresh=True asks for everything again, and store_only=True asks for nothing": "--refresh asks for "
    "everything again, and --store-only asks for nothing",
    "date or timestamp, or give a type of Arrow's": "date or timestamp",
    " of max_credits (": " of --max-credits (",
    ": max_credits (": ": --max-credits (",
    "pass force=True to replace it": "pass --force to replace it",
    "store=None keeps nothing": "--store none keeps nothing",
    "Leave store= out, or give it a path": "Leave --store out, or name a file",
    "give store= another path": "say --store with another path",
    "give store= a path": "say --store with a path",
    "a timedelta or a number": "a number",
    "older_than is a timedelta, or a datetime with its time zone": "--older-than is a number of days",
}
"""What is said in Python, and what here."""

_PROXY_SETTING = re.compile(r"\bproxy=(?=[\s,;:.]|$)")
"""The source of a proxy, as the core names it in the middle of a sentence."""


def in_options(message: str) -> str:
    """What Python is told, in the words of the command line."""
    name, _, rest = message.partition(" ")
    if name == "api_key":
        message = f"the key in --key-file {rest}"
    if name in _NAMED_ALIKE:
        message = f"--{_NAMED_OTHERWISE.get(name, name).replace('_', '-')} {rest}"
    for there, here in WORDS.items():
        message = message.replace(there, here)
    return _PROXY_SETTING.sub("--proxy", message)
