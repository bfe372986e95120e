"""The settings of an enricher: checked once, then unchangeable.

Owns the ranges and their reasons, as messages show them. The core checks what only it can check (an address,
a proxy, a file of certificates, a country, a time zone), and makes the message. Knows nothing of runs. The
key is not a setting and never comes here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from exactbuyer._core import service_of
from exactbuyer.field_types import RequiredField, check_required_fields
from exactbuyer.report.message import Term, wrong
from exactbuyer.report.wording import as_given

from ._auto_store import auto_path
from ._checks import check_text, is_torn, whole_number
from ._paths import check_path, is_address, refuse_address
from ._secret import Hidden, ProxyUrl
from .budget import Budget, check_credits

OnUnknown: TypeAlias = Literal["hold", "resend"]
Body: TypeAlias = Literal["form", "json"]
Copies: TypeAlias = Literal["shared", "independent"]
Duration: TypeAlias = "float | timedelta"

BASE_URL = "https://api.exactbuyer.com"
MAX_WINDOW_ROWS = 100_000
MOST_PRICE = 1_000_000
MOST_CURRENCY = 20

LOOPBACK = "loopback"
"""The service name for all addresses of this machine, whose people are invented."""


_DURATIONS = {"timeout", "connect_timeout", "grace", "max_age", "miss_max_age"}
_NOT_FOR_CORE = {"store", "max_credits", "na_values", "credit_price", "copies"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The settings of an enricher, checked. Durations are in seconds."""

    required_fields: tuple[RequiredField, ...]
    store: str | None
    max_credits: int | Budget | None
    max_in_doubt: int
    on_unknown: OnUnknown
    requests_per_minute: int
    max_concurrency: int
    chunk_size: int
    max_retries: int
    timeout: float
    connect_timeout: float
    grace: float
    default_region: str | None
    max_age: float | None
    miss_max_age: float | None
    na_values: tuple[str, ...]
    body: Body
    base_url: str
    proxy: str | ProxyUrl | None
    ca_bundle: str | None
    credit_price: tuple[Decimal, str] | None
    tags: Mapping[str, str] | None
    copies: Copies

    @property
    def budget(self) -> Budget | None:
        """The limit: a plain number is per store."""
        return Budget(self.max_credits) if isinstance(self.max_credits, int) else self.max_credits

    @property
    def service(self) -> str:
        """The service that answers: the host, or `loopback`."""
        return service_of(self.base_url)

    @property
    def window_rows(self) -> int:
        """Most rows that a stream holds: twice what can be in flight, so that the next requests are full."""
        in_flight = min(self.max_in_doubt, self.chunk_size * self.max_concurrency)
        return min(2 * max(in_flight, self.chunk_size), MAX_WINDOW_ROWS)

    def for_core(self) -> dict[str, Any]:
        """The settings that the core reads, with its names and units."""
        names = (field.name for field in fields(self) if field.name not in _NOT_FOR_CORE)
        budget = self.budget
        return {
            **{f"{name}_s" if name in _DURATIONS else name: getattr(self, name) for name in names},
            **({} if budget is None else {"max_credits": budget.credits, "per": budget.per}),
            "time_zone": "UTC" if budget is None else budget.tz,
            "tags": dict(self.tags or {}),
            "independent_copies": self.copies == "independent",
        }

    def without_login(self) -> Settings:
        """The same, without the user name and password of a proxy: they are never pickled."""
        return replace(self, proxy=self.proxy.without_login()) if isinstance(self.proxy, ProxyUrl) else self

    def shown(self) -> dict[str, Any]:
        """The settings as they may be shown: a proxy's URL may hold a password."""
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        return shown if self.proxy is None else shown | {"proxy": "***"}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


SETTINGS = frozenset(field.name for field in fields(Settings))
"""The names of all settings."""


def checked(**given: Any) -> Settings:
    """Checks every setting.

    Raises:
        ConfigError: A setting is wrong. The message names the setting, its range and the reason for the
            range.
    """
    for name, value in given.items():
        check_text(name, *_texts(value))
    base_url = _base_url(given["base_url"])
    budget = given["max_credits"]
    return Settings(
        required_fields=check_required_fields(given["required_fields"]),
        store=store_path(given["store"], base_url),
        max_credits=budget if isinstance(budget, Budget) else check_max_credits(budget),
        max_in_doubt=_whole(
            given, "max_in_doubt", 1, 100_000_000, "lookups in flight or unknown at one time"
        ),
        on_unknown=cast("OnUnknown", _one_of(given, "on_unknown", ("hold", "resend"))),
        requests_per_minute=_whole(
            given, "requests_per_minute", 1, 1_000_000, "200 is what the vendor allows an account"
        ),
        max_concurrency=_whole(given, "max_concurrency", 1, 1_024, "each request in flight is a connection"),
        chunk_size=_whole(given, "chunk_size", 1, 1_000, "the vendor takes no more records in one request"),
        max_retries=_whole(given, "max_retries", 0, 100, "only what is free of charge is tried again"),
        timeout=_seconds(given, "timeout", 0.001, 86_400, "a request that takes longer may still be charged"),
        connect_timeout=_seconds(given, "connect_timeout", 0.001, 86_400, "connecting is free"),
        grace=_seconds(given, "grace", 0, 86_400, "what is in flight when a run stops is paid for"),
        default_region=_region(given["default_region"]),
        max_age=_age(given, "max_age"),
        miss_max_age=_age(given, "miss_max_age"),
        na_values=_na_values(given["na_values"]),
        body=cast("Body", _one_of(given, "body", ("form", "json"))),
        base_url=base_url,
        proxy=_proxy(ProxyUrl.of(given["proxy"])),
        ca_bundle=_path(given, "ca_bundle", "a PEM file with the authorities to trust"),
        credit_price=_credit_price(given["credit_price"]),
        tags=_tags(given["tags"]),
        copies=cast("Copies", _one_of(given, "copies", ("shared", "independent"))),
    )


def _texts(value: object) -> Iterable[object]:
    """The texts of a setting: itself, or what is in it."""
    if isinstance(value, Path):
        return (str(value),)
    if isinstance(value, Mapping):
        return chain.from_iterable(cast("Mapping[object, object]", value).items())
    return cast("Iterable[object]", value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)


def check_max_credits(value: object) -> int | None:
    """The limit, or `None` for no limit; else a `ConfigError`."""
    return None if value is None else check_credits(value)


def _whole(given: Mapping[str, Any], name: str, least: int, most: int, why: str) -> int:
    number = whole_number(given[name], least, most)
    if number is None:
        raise wrong(
            name, f"must be a whole number from {least:,} to {most:,} ({why}); got {as_given(given[name])}"
        )
    return number


def _seconds(given: Mapping[str, Any], name: str, least: float, most: float, why: str) -> float:
    value = given[name]
    refusal = wrong(
        name, "must be ", Term("seconds"), f" from {least:,} to {most:,} ({why}); got {as_given(value)}"
    )
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not hasattr(value, "__float__"):
        raise refusal
    else:
        try:
            seconds = float(value)
        except (OverflowError, ValueError):
            raise refusal from None
    if not (isfinite(seconds) and least <= seconds <= most):
        raise refusal
    return seconds


def _age(given: Mapping[str, Any], name: str) -> float | None:
    if given[name] is None:
        return None
    return _seconds(given, name, 0, 100 * 365 * 86_400, "None: an answer in a store never ages")


def _one_of(given: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = given[name]
    if not isinstance(value, str) or value not in allowed:
        raise wrong(name, f"must be {' or '.join(map(repr, allowed))}; got {as_given(value, allowed)}")
    return value


def _region(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip().upper()
    raise wrong(
        "default_region",
        "must be a two-letter country code such as 'US', or None to refuse numbers without a country "
        f"code; got {as_given(value)}",
    )


def _na_values(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise wrong("na_values", "must be a list of strings that count as missing, as in ['n/a', '-']")
    texts = tuple(cast("Iterable[object]", value))
    if not all(isinstance(text, str) for text in texts):
        raise wrong("na_values", "must be a list of strings that count as missing: one is not a string")
    return cast("tuple[str, ...]", texts)


def _base_url(hidden: Hidden) -> str:
    """The URL, checked. Until then it may hold a password, and no frame may show it."""
    if not hidden.is_text():
        raise wrong("base_url", f"must be a URL such as {BASE_URL!r}")
    if is_torn(cast("str", hidden.expose())):
        raise wrong("base_url", "holds half a character or a NUL: write it anew")
    # The core reads it as the network will, and says what is wrong with it.
    service_of(cast("str", hidden.expose()))
    return cast("str", hidden.expose()).rstrip("/")


def store_path(value: object, base_url: str) -> str | None:
    """The path of the store; `None` if there is no store."""
    if value is None:
        return None
    if isinstance(value, str) and value == "auto":
        service = service_of(base_url)
        if service == LOOPBACK:
            return None
        return auto_path(service)
    if is_address(value):
        raise refuse_address("store")
    refusal = wrong("store", f"must be 'auto', a path, or None to keep nothing; got a {type(value).__name__}")
    try:
        path = cast("object", os.fspath(cast("Any", value)))
    except TypeError:
        raise refusal from None
    if not isinstance(path, str):
        raise refusal
    if not path.strip():
        raise wrong("store", "must be 'auto', a path, or None to keep nothing; got an empty text")
    check_path("store", path)
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - links stay links


def _proxy(value: ProxyUrl | None) -> str | ProxyUrl | None:
    if value is None:
        return None
    value.check()
    return value if value.has_login() else value.without_login()


def _path(given: Mapping[str, Any], name: str, what: str) -> str | None:
    if given[name] is None:
        return None
    try:
        path = cast("object", os.fspath(given[name]))
    except TypeError:
        path = None
    if isinstance(path, str):
        check_path(name, path)
        return path
    raise wrong(name, f"must be the path of {what}; got {as_given(given[name])}")


def _credit_price(value: Any) -> tuple[Decimal, str] | None:
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


def _tags(value: Any) -> Mapping[str, str] | None:
    if value is None:
        return None
    try:
        tags: dict[Any, Any] = dict(value)
    except (TypeError, ValueError):
        tags = {None: None}
    if all(isinstance(part, str) for pair in tags.items() for part in pair):
        check_text("tags", *chain.from_iterable(tags.items()))
        return tags
    raise wrong("tags", "must be a mapping from strings to strings, as in {'project': 'spring'}")
