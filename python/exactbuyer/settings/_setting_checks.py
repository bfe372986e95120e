"""The checks of settings, and their messages. `definitions.py` assigns the checks to the settings.

The core checks what only it can check (an address, a proxy, a file of certificates, a country, a time zone),
and makes the message. Knows nothing of runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any, cast

from exactbuyer._core import service_of
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import Term, wrong
from exactbuyer.report.wording import as_given

from ._auto_store import NO_STORE, STORE_VARIABLE, auto_path, is_made_by_us
from ._checks import MOST_AGE, check_path, check_text, is_address, is_torn, path_text, refuse_address, seconds
from ._secret import Hidden, ProxyUrl
from .budget import Budget, check_credits

BASE_URL = "https://api.exactbuyer.com"

URL_VARIABLE = "EXACTBUYER_BASE_URL"
"""The address for enrichers without `base_url`, for tests of programs that create their own enricher."""

MOST_PRICE = 1_000_000
MOST_CURRENCY = 20

LOOPBACK = "loopback"
"""The service name for all addresses of this machine, whose people are invented."""


DATES = ("day", "month", "year")
"""The parts of a date by which a store sums up its journal. A tag of this name would never be asked for."""

SUMS = ("requests", "lookups", "hits", "credits", "credits_in_doubt")
"""The sums beside them. They would replace a tag of this name."""


def check_max_credits(value: object) -> int | None:
    """The limit of one call, or `None` for no limit; else a `ConfigError`."""
    if isinstance(value, Budget):
        raise wrong(
            "max_credits",
            "of a call is a number, which lowers the limit: a Budget belongs to BulkEnricher(…)",
        )
    return None if value is None else check_credits(value)


def age(name: str, value: object) -> float | None:
    """An age in seconds. No number is taken: 30 may mean days or seconds, and a wrong age pays again."""
    if value is None:
        return None
    if not isinstance(value, timedelta):
        raise wrong(
            name,
            f"must be a timedelta, as in timedelta(days=30), or None (no maximum); got {as_given(value)}",
        )
    return seconds(name, value, 0, int(MOST_AGE.total_seconds()), " (None: an answer in a store never ages)")


def region(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip().upper()
    raise wrong(
        "default_region",
        "must be a two-letter country code such as 'US', or None to refuse numbers without a country "
        f"code; got {as_given(value)}",
    )


def na_values(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise wrong("na_values", "must be a list of strings that count as missing, as in ['n/a', '-']")
    texts = tuple(cast("Iterable[object]", value))
    if not all(isinstance(text, str) for text in texts):
        raise wrong("na_values", "must be a list of strings that count as missing: one is not a string")
    return cast("tuple[str, ...]", texts)


def base_url(hidden: Hidden | None) -> str:
    """The URL, checked. Until then it may hold a password, and no frame may show it."""
    if hidden is None:
        return _url_of_environment()
    if not hidden.is_text():
        raise wrong("base_url", f"must be a URL such as {BASE_URL!r}")
    if is_torn(cast("str", hidden.expose())):
        raise wrong("base_url", "holds half a character or a NUL: write it anew")
    # The core reads it as the network will, and says what is wrong with it.
    service_of(cast("str", hidden.expose()))
    return cast("str", hidden.expose()).rstrip("/")


def _url_of_environment() -> str:
    """The address if none is given. A variable must not lead the key to another machine."""
    hidden = Hidden.of(os.environ.get(URL_VARIABLE) or None)
    if hidden is None:
        return BASE_URL
    try:
        url = base_url(hidden)
        service = service_of(url)
    except ConfigError:
        url = service = ""
    if service != LOOPBACK:
        raise wrong(
            URL_VARIABLE,
            "is for tests, and must be an address of this machine, such as that of a sandbox: unset it, or "
            "pass ",
            Term("base_url"),
        )
    return url


def store_path(value: object, base_url: str) -> str | None:
    """The path of the store; `None` if there is no store."""
    if value is None:
        return None
    name = "store"
    if isinstance(value, str) and value == "auto":
        service = service_of(base_url)
        if service == LOOPBACK:
            return None
        name, value = STORE_VARIABLE, os.environ.get(STORE_VARIABLE)
        if not value:
            return auto_path(service)
        if value == NO_STORE:
            return None
    if is_address(value):
        raise refuse_address(name)
    path = path_text(value)
    if path is None:
        raise wrong(name, f"must be 'auto', a path, or None to keep nothing; got a {type(value).__name__}")
    if not path.strip():
        raise wrong(name, "must be 'auto', a path, or None to keep nothing; got an empty text")
    check_path(name, path)
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - links stay links


def check_folder_of_store(name: str, path: str) -> None:
    """Refuses a folder that does not exist: at a mistyped path, a new store would pay for it all again."""
    folder = os.path.dirname(path)  # noqa: PTH120
    try:
        os.stat(folder)  # noqa: PTH116
    except FileNotFoundError:
        if not is_made_by_us(path):
            text = f"is in the folder {folder}, which does not exist: make the folder first"
            raise wrong(name, text) from None
    except OSError:
        # The core says why the file cannot be opened.
        return


def proxy(value: object) -> str | ProxyUrl | None:
    hidden = ProxyUrl.of(value)
    if hidden is None:
        return None
    hidden.check()
    return hidden if hidden.has_login() else hidden.without_login()


def ca_bundle(value: object) -> str | None:
    if value is None:
        return None
    right = "must be the path of a PEM file with the authorities to trust"
    if is_address(value):
        # It is not shown: an address may hold a password.
        raise wrong("ca_bundle", f"{right}, and not a URL")
    path = path_text(value)
    if path is None:
        raise wrong("ca_bundle", f"{right}; got {as_given(value)}")
    check_path("ca_bundle", path)
    # The file is read at the first send, perhaps by a copy in a process with another working directory.
    return os.path.abspath(path)  # noqa: PTH100 - links stay links


def credit_price(value: Any) -> tuple[Decimal, str] | None:
    if value is None:
        return None
    refusal = wrong(
        "credit_price",
        f"must be the price of one credit, from 0 to {MOST_PRICE:,}, and its currency, as in ",
        Term("price_example"),
    )
    try:
        each, currency = value
        # Through its text: 0.05 means five cents, not the nearest binary fraction.
        price = Decimal(str(each))
    except (TypeError, ValueError, InvalidOperation):
        raise refusal from None
    if not price.is_finite() or not 0 <= price <= MOST_PRICE:
        raise refusal
    if (
        type(currency) is not str
        or not 0 < len(currency.strip()) <= MOST_CURRENCY
        or not currency.isprintable()
    ):
        raise refusal
    return price, currency.strip()


def tags(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    try:
        tags: dict[Any, Any] = dict(value)
    except (TypeError, ValueError):
        tags = {None: None}
    if all(isinstance(part, str) for pair in tags.items() for part in pair):
        check_text("tags", *chain.from_iterable(tags.items()))
        for name in (*DATES, *SUMS):
            if name in tags:
                raise wrong(
                    "tags",
                    f"has the name {name!r}, which the columns of store.summary() use for something else: "
                    f"choose another name",
                )
        return tags
    raise wrong("tags", "must be a mapping from strings to strings, as in {'project': 'spring'}")
