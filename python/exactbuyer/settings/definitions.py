"""The settings of an enricher, each defined once: its type, its check, and its option of the command line.

The constructor of `BulkEnricher` has their defaults and documentation, and the core has those that it reads;
`tests/python/test_listed.py` compares them. Settings are checked once and cannot be changed after that. Knows
nothing of runs. The key is not a setting and never comes here.
"""

# ruff: noqa: RUF009 - what is called returns a field

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias, cast, get_args

from exactbuyer._core import service_of
from exactbuyer.field_types import RequiredField, check_required_fields

from . import _setting_checks as checks
from ._auto_store import STORE_VARIABLE
from ._checks import check_text, is_address, one_of, refuse_address, seconds, whole
from ._secret import Hidden, ProxyUrl
from .budget import Budget

OnUnknown: TypeAlias = Literal["hold", "resend"]
"""What to do with a lookup that may have been charged but got no readable answer."""

Body: TypeAlias = Literal["form", "json"]
"""How requests are encoded."""

Copies: TypeAlias = Literal["shared", "independent"]
"""When a pickled copy of an enricher may send."""

Duration: TypeAlias = "float | timedelta"
"""A number of seconds, or a `timedelta`."""

MAX_WINDOW_ROWS = 100_000


class Option(NamedTuple):
    """An option of the command line that passes its value to a setting."""

    text: str
    """The text of `--help`; `{default}` is the default of the setting."""
    kind: type[int | float | str] | tuple[str, ...]
    """The type of its value, or all values."""
    metavar: str | None = None
    """What `--help` calls the value."""


class Definition(NamedTuple):
    """How a setting is checked, passed to the core, and set by the command line."""

    check: Callable[[Mapping[str, Any], str], Any]
    """Called with all settings as they were given, and the name of this one. Returns the value to use."""
    option: Option | None
    """`None`: no option, or one with a meaning of its own in `cli/_options.py`."""
    core_name: str
    """Its name in the core, where `{}` is its name; empty if the core reads something else, or nothing."""


def _setting(
    check: Callable[[Mapping[str, Any], str], Any], option: Option | None = None, core_name: str = "{}"
) -> Any:
    return field(metadata={"definition": Definition(check, option, core_name)})


def _value(check: Callable[[Any], Any], option: Option | None = None, core_name: str = "{}") -> Any:
    """A setting whose check needs only its value."""
    return _setting(lambda given, name: check(given[name]), option, core_name)


def _whole(least: int, most: int, why: str, text: str) -> Any:
    option = Option(text, int, "N")
    return _setting(lambda given, name: whole(name, given[name], least, most, f" ({why})"), option)


def _seconds(least: float, most: float, why: str, text: str | None = None) -> Any:
    option = None if text is None else Option(text, float, "SECONDS")
    return _setting(lambda given, name: seconds(name, given[name], least, most, f" ({why})"), option, "{}_s")


def _age() -> Any:
    return _setting(lambda given, name: checks.age(name, given[name]), core_name="{}_s")


def _one_of(values: Any, text: str | None = None, core_name: str = "{}") -> Any:
    allowed = get_args(values)
    option = None if text is None else Option(text, allowed)
    return _setting(lambda given, name: one_of(name, given[name], allowed), option, core_name)


def _store(given: Mapping[str, Any], name: str) -> str | None:
    hidden: Hidden | None = given[name]
    if hidden is not None and is_address(hidden.expose()):
        raise refuse_address(name)
    place = None if hidden is None else hidden.expose()
    path = checks.store_path(place, checks.base_url(given["base_url"]))
    if path is not None:
        checks.check_folder_of_store(STORE_VARIABLE if place == "auto" else name, path)
    return path


def _max_credits(value: object) -> int | Budget | None:
    return value if isinstance(value, Budget) else checks.check_max_credits(value)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The settings of an enricher, checked. Durations are in seconds."""

    required_fields: tuple[RequiredField, ...] = _value(check_required_fields)
    store: str | None = _setting(_store, core_name="")
    max_credits: int | Budget | None = _value(_max_credits, core_name="")
    max_in_doubt: int = _whole(
        1,
        100_000_000,
        "lookups in flight or unknown at one time",
        "The most lookups that may be in flight or unknown. Default: {default:,}.",
    )
    on_unknown: OnUnknown = _one_of(
        OnUnknown,
        "What to do with a lookup that may have been charged and has no answer: hold keeps it as unknown; "
        "resend sends it again, which may pay twice.",
    )
    requests_per_minute: int = _whole(
        1,
        1_000_000,
        "200 is what the service allows an account",
        "The most requests in any 60 s. Default: {default}.",
    )
    max_concurrency: int = _whole(
        1, 1_024, "each request in flight is a connection", "The most requests in flight. Default: {default}."
    )
    chunk_size: int = _whole(
        1,
        1_000,
        "the service takes no more records in one request",
        "The most lookups in one request. Default: {default:,}.",
    )
    max_retries: int = _whole(
        0,
        100,
        "only what is free of charge is tried again",
        "How often a request that was not charged may be tried again. Default: {default}.",
    )
    timeout: float = _seconds(
        0.001,
        86_400,
        "a request that takes longer may still be charged",
        "The longest that one request may take. Default: {default:g}.",
    )
    connect_timeout: float = _seconds(0.001, 86_400, "connecting is free")
    grace: float = _seconds(
        0,
        86_400,
        "what is in flight when a run stops is paid for",
        "How long Ctrl-C waits for requests in flight. Default: {default:g}.",
    )
    default_region: str | None = _value(checks.region)
    max_age: float | None = _age()
    miss_max_age: float | None = _age()
    na_values: tuple[str, ...] = _value(checks.na_values, core_name="")
    body: Body = _one_of(Body, "How requests are encoded. Default: form.")
    base_url: str = _value(checks.base_url)
    proxy: str | ProxyUrl | None = _value(
        checks.proxy, Option("The URL of a proxy. By default, HTTPS_PROXY is used.", str, "URL"), ""
    )
    ca_bundle: str | None = _value(
        checks.ca_bundle,
        Option(
            "A PEM file with further certificate authorities to trust. By default, SSL_CERT_FILE is used.",
            str,
            "FILE",
        ),
    )
    credit_price: tuple[Decimal, str] | None = _value(checks.credit_price, core_name="")
    tags: Mapping[str, str] | None = _value(checks.tags, core_name="")
    copies: Copies = _one_of(Copies, core_name="")

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
        """The settings that the core reads, with its names and units; `proxy` is passed by itself."""
        budget = self.budget
        return {
            **{
                definition.core_name.format(name): getattr(self, name)
                for name, definition in DEFINITIONS.items()
                if definition.core_name
            },
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
        shown = {name: getattr(self, name) for name in DEFINITIONS}
        return shown if self.proxy is None else shown | {"proxy": "***"}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


DEFINITIONS: Mapping[str, Definition] = {
    setting.name: setting.metadata["definition"] for setting in fields(Settings)
}
"""All settings."""


def checked(**given: Any) -> Settings:
    """Checks every setting.

    Raises:
        ConfigError: A setting is wrong. The message names the setting, its range and the reason for the
            range.
    """
    settings = {name: definition.check(given, name) for name, definition in DEFINITIONS.items()}
    for name, value in settings.items():
        # Only now: a generator of texts has become a tuple.
        check_text(name, *(cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)))
    return Settings(**settings)
