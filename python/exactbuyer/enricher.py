"""The main class of the package: :class:`BulkEnricher`.

Owns how an enricher is created, shown, copied and closed. Its calls are in `_enrich`, `_enrich_async`,
`_enrich_table` and `_plan`, its state in `_calls/session.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cache
from inspect import signature
from os import PathLike
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

from ._calls.session import Session
from ._enrich import BlockingCalls
from ._enrich_async import AwaitableCalls
from ._enrich_table import TableCalls
from ._plan import PlanCalls
from ._traceback import short_traceback
from .exceptions import ConfigError
from .report.message import Message, Term
from .settings import BASE_URL, DEFINITIONS, Body, Budget, Copies, Duration, OnUnknown, Settings, checked
from .settings._auto_store import warn_if_elsewhere
from .settings._secret import KEY_VARIABLE, Hidden, ProxyUrl, Secret

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._calls.copies import Origin
    from .field_types import RequiredField
    from .report.receipt import Receipt
    from .sandbox import Sandbox
    from .store import Resolution, Resolved, Store


class _Frozen:
    """What cannot be changed, so that a copy is the same object."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an enricher is frozen: make another one to change {name}")

    def __delattr__(self, name: str) -> None:
        if name == "last_results":
            return super().__delattr__(name)
        raise AttributeError(f"an enricher is frozen: {name} cannot be deleted")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class ConfigAttributeError(ConfigError, AttributeError):
    """An attribute that only other enrichers have, so `hasattr` and `getattr` with a default work."""


class BulkEnricher(BlockingCalls, AwaitableCalls, TableCalls, PlanCalls, _Frozen):
    """Looks up people by e-mail, phone or social profile, in bulk. Each identifier is paid for once.

    An enricher cannot be changed. Several threads can use it, and it is a context manager. It can be pickled
    (see `copies`). A pickle never contains the key or a proxy's password: a copy reads them from the
    environment where it is used. Creating an enricher costs nothing.

    Args:
        api_key: The key. `None`: it is read from the environment variable `EXACTBUYER_API_KEY` when it is
            first needed.
        required_fields: A match counts, and costs, only if it has all of these: `email`, `work_email`,
            `personal_email`, `phone`, `social_profile`. Empty by default: every match counts.
        store: The file that keeps the answers and what they cost, so that nothing is paid for twice. It is
            opened at the first call. `"auto"`: what the environment variable `EXACTBUYER_STORE` names, or
            `.exactbuyer/<host>.db` in the working directory, or elsewhere, with a warning, if that disk
            cannot be relied on; no store for addresses of this machine, whose people are invented. A path:
            that file, in a folder that exists. `None`: no store, with a warning above 1,000 rows.
        max_credits: The most credits that may be spent, from 0; every doubt counts as spent. With a store,
            the limit covers all that was ever spent through this store; without one, what this enricher
            spends in this process. A `Budget` sets another period. `None`: no limit.
        max_in_doubt: Most lookups in flight or unknown at any moment of a call, from 1. This bounds what can
            be charged without an answer. 20,000 by default.
        on_unknown: What to do with a lookup that may have been charged but got no readable answer. `"hold"`:
            it is not sent again, and its rows are `unknown`. `"resend"`: it is sent again and **may be paid
            twice**.
        requests_per_minute: Most requests in any 60 s, 1 to 1,000,000. 200 by default: what the service
            allows. All enrichers of the process with the same key share it; the lowest value applies.
        max_concurrency: Most requests in flight, 1 to 1,024. 64 by default: enough for 200 requests a minute
            that take 20 s each. A new enricher begins with 4, and uses fewer when the service is overloaded.
        chunk_size: Most lookups in one request, 1 to 1,000. 1,000 by default: the limit of the service.
        max_retries: How often a failure that cost nothing is tried again, 0 to 100. 5 by default: up to 15 s
            of waiting, in addition to the attempts themselves.
        timeout: Time limit of one request, in seconds or as a `timedelta`, up to a day. 300 s by default,
            because a request that times out may still be charged. Time in which this process is stopped
            (Ctrl-Z, a sleeping laptop) does not count.
        connect_timeout: Time limit for connecting, likewise. 10 s by default: connecting is free.
        grace: How long a stopped call still waits for its requests in flight, likewise. 30 s by default: they
            are paid for already.
        default_region: The country of phone numbers without a country code, as in `"US"` (ISO 3166). `"+"`:
            all numbers have a country code, and only the plus is missing. `None`: such numbers are invalid.
        max_age: Maximum age of a contact from the store, as in `timedelta(days=30)`. An older one is
            **paid for again**. `None`: no maximum.
        miss_max_age: Maximum age of a `not_found` from the store, likewise. A week by default: asking again
            costs nothing unless somebody is found. `None`: no maximum.
        na_values: Strings that count as missing, in addition to `None`, NaN and blanks.
        body: How requests are encoded: `"form"`, as in the service's own example, or `"json"`.
        base_url: The address of the service: https, or an address of this machine. `None`: the environment
            variable `EXACTBUYER_BASE_URL`, which accepts only addresses of this machine, or else the real
            service.
        proxy: The URL of a proxy. `None`: `HTTPS_PROXY` and `NO_PROXY` apply.
        ca_bundle: A PEM file of authorities to trust in addition to the system's; a relative path is resolved
            now. `None`: `SSL_CERT_FILE` and `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE` apply.
        credit_price: The price of one credit, as in `(0.05, "EUR")`. Plans and receipts then also show money.
        tags: Labels that the store records with each request, as in `{"job": "spring"}`.
            `store.summary(by=["month", "job"])` groups by them; its own names, such as `month`, are refused.
        copies: When a pickled copy may send. `"shared"`: only with the store file of the original enricher;
            without a store, only in the same process. `"independent"`: always. Each copy then has its own
            limit and **may pay again** for what other copies have paid for.

    Raises:
        ConfigError: A setting is wrong. The message names the setting, its range and the reason.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> with BulkEnricher.sandbox(max_credits=100) as enricher:
        ...     results = enricher.enrich(["ana@acme.example", None])
        >>> [row["value"] for row in results]
        ['ana@acme.example', None]

    Source: `contact-enrichment/bulk-enrichment-api` and `master/rate-limiting` on docs.exactbuyer.com.
    """

    __slots__ = ("__weakref__", "_session")

    def __init__(
        self,
        api_key: str | None = None,
        *,
        required_fields: Iterable[RequiredField] = (),
        store: str | PathLike[str] | None = "auto",
        max_credits: int | Budget | None = None,
        max_in_doubt: int = 20_000,
        on_unknown: OnUnknown = "hold",
        requests_per_minute: int = 200,
        max_concurrency: int = 64,
        chunk_size: int = 1000,
        max_retries: int = 5,
        timeout: Duration = 300.0,
        connect_timeout: Duration = 10.0,
        grace: Duration = 30.0,
        default_region: str | None = None,
        max_age: timedelta | None = None,
        miss_max_age: timedelta | None = timedelta(days=7),
        na_values: Iterable[str] = (),
        body: Body = "form",
        base_url: str | None = None,
        proxy: str | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        credit_price: tuple[float | int | str | Decimal, str] | None = None,
        tags: Mapping[str, str] | None = None,
        copies: Copies = "shared",
    ) -> None:
        # Removes secrets from this frame first: a traceback that prints locals must not show them.
        key, api_key = Secret.of(api_key), None
        hidden_proxy, proxy = ProxyUrl.of(proxy), None
        hidden_url, base_url = Hidden.of(base_url), None
        # An address of a database, which is refused, may hold a password.
        hidden_store, store = Hidden.of(store), None
        with short_traceback:
            if key is not None:
                key.check("api_key", f"pass None to read {KEY_VARIABLE}, or a key")
            given = {name: value for name, value in locals().items() if name in DEFINITIONS}
            hidden = {"base_url": hidden_url, "proxy": hidden_proxy, "store": hidden_store}
            settings = checked(**given | hidden)
            if is_auto := hidden_store is not None and hidden_store.expose() == "auto":
                warn_if_elsewhere(settings.store)
            object.__setattr__(self, "_session", Session(settings, key, has_auto_store=is_auto))

    @classmethod
    def sandbox(  # noqa: D417 - the other arguments are those of the class
        cls,
        *,
        match_rate: float = 0.7,
        latency: float | timedelta = 0.0,
        seed: int = 0,
        credits: int | None = None,  # noqa: A002 - the service's word
        retry_after: Literal["seconds", "date"] | None = None,
        required_fields: Iterable[RequiredField] = (),
        store: str | PathLike[str] | None = "auto",
        max_credits: int | Budget | None = None,
        max_in_doubt: int = 20_000,
        on_unknown: OnUnknown = "hold",
        requests_per_minute: int = 200,
        max_concurrency: int = 64,
        chunk_size: int = 1000,
        max_retries: int = 5,
        timeout: Duration = 300.0,
        connect_timeout: Duration = 10.0,
        grace: Duration = 30.0,
        default_region: str | None = None,
        max_age: timedelta | None = None,
        miss_max_age: timedelta | None = timedelta(days=7),
        na_values: Iterable[str] = (),
        body: Body = "form",
        proxy: str | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        credit_price: tuple[float | int | str | Decimal, str] | None = None,
        tags: Mapping[str, str] | None = None,
        copies: Copies = "shared",
    ) -> Self:
        """An enricher with its own local stand-in for the service: no key, no cost, invented people.

        The stand-in runs in this process as long as the enricher exists; `sandbox_server` returns it. Names
        fit addresses such as `ana.almeida@…`, and the same identifier always leads to the same person.

        Args:
            match_rate: The share of identifiers that belong to a person, from 0 to 1. 1: everybody is found.
            latency: How long each answer takes, in seconds or as a `timedelta`: to watch the progress.
            seed: Determines which people exist.
            credits: Credits on the account. `None`: unlimited.
            retry_after: The form of `Retry-After` in a 429. `None`: no such header.

        The other arguments are those of `BulkEnricher`. `api_key` and `base_url` are the stand-in's.

        Returns:
            An enricher like any other.

        Raises:
            ConfigError: As `BulkEnricher`; or an option of the stand-in is out of its range.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example"])
            >>> [result["enriched_contact"]["full_name"] for result in results if result["status"] == "found"]
            ['Ana Almeida']
        """
        # A sandbox never costs anything. So it accepts no address, which could be that of the service.
        given = {name: value for name, value in locals().items() if name in DEFINITIONS}
        given["proxy"], proxy = ProxyUrl.of(proxy), None
        given["store"], store = Hidden.of(store), None
        from .sandbox import Sandbox

        with short_traceback:
            server = Sandbox(
                match_rate=match_rate, latency=latency, seed=seed, credits=credits, retry_after=retry_after
            )
            enricher = cls(server.api_key, base_url=server.url, **given)
        enricher._session.server = server
        return enricher

    @property
    def sandbox_server(self) -> Sandbox:
        """The stand-in of an enricher created by `sandbox()`.

        Raises:
            ConfigError: The enricher was created in another way.
        """
        if self._session.server is None:
            raise ConfigAttributeError(
                "this enricher has no sandbox of its own: make it with BulkEnricher.sandbox()"
            )
        return self._session.server

    @property
    def store(self) -> Store:
        """The store of this enricher (see `exactbuyer.store.Store`).

        Raises:
            ConfigError: It has none: `settings.store` is `None`.
        """
        if self._session.store is None:
            raise ConfigAttributeError(Message("this enricher keeps nothing: ", Term("use_store")))
        return self._session.store

    def resolve_unknown(self, resolution: Resolution, *, requests: Iterable[int] | None = None) -> Resolved:
        """Decides about lookups in the store that may have been charged and have no answer.

        First compare `store.unknown()` with the usage page of the service.

        Args:
            resolution: `"resend"`: the next call sends them again, **which may pay twice**. `"drop"`: they
                are not sent again; their rows are `not_sent` from then on. In both cases, what they may have
                cost stays in the journal and counts as spent. `"not_charged"`: the usage page shows that none
                of the credits in doubt was charged; `store.info().credits_in_doubt` is their number. The next
                call sends the lookups again, and these credits no longer count as spent.
            requests: Only the doubts of these requests: numbers as in `store.unknown()`. `None`: all doubts.

        Returns:
            The number of lookups, and the credits that they may have cost; with `"not_charged"`, all credits
            that no longer count.

        Raises:
            ConfigError: `resolution` has another value, a request has left nothing in doubt, or there is no
                store.
            StoreError: The store cannot be written.

        Example:
            >>> import pathlib, tempfile
            >>> from exactbuyer import BulkEnricher, UnknownOutcomeError
            >>> path = pathlib.Path(tempfile.mkdtemp(), "people.db")
            >>> with BulkEnricher.sandbox(store=path) as enricher:
            ...     enricher.sandbox_server.fail(request=1, fault="reset_after_billing")
            ...     try:
            ...         enricher.enrich(["ana@acme.example"])
            ...     except UnknownOutcomeError:
            ...         print(enricher.resolve_unknown("resend"))
            ...     again = enricher.enrich(["ana@acme.example"])
            1 lookup resolved; 0 to 1 credit stay in doubt
            >>> again[0]["status"] in {"found", "not_found"}
            True
        """
        return self.store.resolve_unknown(resolution, requests=requests)

    @property
    def settings(self) -> Settings:
        """The settings of this enricher, checked; durations in seconds."""
        return self._session.settings

    @property
    def receipt(self) -> Receipt:
        """The sum of the receipts of all calls in this process, including calls that are still running."""
        return self._session.history.total()

    @property
    def last_receipt(self) -> Receipt:
        """The receipt of the call that ended or was interrupted last, in whichever thread.

        Empty before the first call. If several threads share an enricher, the receipt of a list is in
        `results.receipt`, and that of a pandas frame in `frame.attrs`. For other tables, give each thread its
        own enricher; they may share a store.
        """
        return self._session.history.last()

    def close(self) -> None:
        """Stops every call of this enricher, and waits up to `grace` for its requests in flight.

        Calls in other threads end; their remaining rows are `not_sent`. Receipts and `recover()` still work
        afterwards, but every call that would send raises an error.

        Ctrl-C ends the wait, and so does the cancellation of `aclose()`. The requests in flight go on: call
        `close` again to wait for them. The end of the program does so, too, for up to 3 seconds.

        When `close` returns, all answers are on the disk. If nothing else uses the store, its files are
        closed and its log (`-wal`) is deleted, so the store can be copied, moved or deleted. If something
        else uses it, copy it with `enricher.store.backup(...)`.
        """
        self._session.close(self._session.settings.grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        # Shown in a traceback out of `__init__`, it has no settings yet.
        settings = self._session.settings.shown() if hasattr(self, "_session") else {}
        usual = _usual_settings().shown()
        if settings:
            # Not the path that "auto" means now: the working directory may be another one, or gone.
            usual["store"] = settings["store"] if self._session.has_auto_store else "auto"
        shown = (f"{name}={value!r}" for name, value in settings.items() if value != usual[name])
        return f"{type(self).__name__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        session = self._session
        arguments = type(self), session.settings.without_login(), session.origin(), session.has_auto_store
        return _unpickled, arguments


# The calls are written in the bases, and called on this class: Python's own errors, and `help()`, say so.
for _base in (BlockingCalls, AwaitableCalls, TableCalls, PlanCalls):
    for _name, _call in vars(_base).items():
        if isinstance(_call, FunctionType) and not _name.startswith("_"):
            _call.__module__, _call.__qualname__ = BulkEnricher.__module__, f"BulkEnricher.{_name}"
            setattr(BulkEnricher, _name, _call)


@cache
def _usual_settings() -> Settings:
    """The default settings, as the constructor has them, without a store."""
    parameters = signature(BulkEnricher.__init__).parameters.values()
    usual = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return checked(**usual | {"store": None, "base_url": Hidden(BASE_URL)})


def _unpickled(
    kind: type[BulkEnricher],
    settings: Settings,
    origin: Origin,
    has_auto_store: bool,  # noqa: FBT001
) -> BulkEnricher:
    enricher = kind.__new__(kind)
    session = Session(settings, None, origin, has_auto_store=has_auto_store)
    object.__setattr__(enricher, "_session", session)
    return enricher
