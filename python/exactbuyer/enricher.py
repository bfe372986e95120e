"""The one class that matters: :class:`BulkEnricher`.

Owns how an enricher is made, shown, copied and closed. Its doors are in `sync_doors` and `async_doors`,
what is not frozen about it in `_desk`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING, Any

from ._auto_store import warn_if_elsewhere
from ._desk import Desk, Terms
from ._places import is_address, refuse_address
from ._secret import KEY_VARIABLE, Hidden, ProxyUrl, Secret
from ._tables import Job, in_a_table
from .async_doors import AsyncDoors
from .columns import Wish
from .exceptions import ConfigError
from .settings import BASE_URL, checked, store_path
from .sync_doors import SyncDoors
from .table_doors import TableDoors

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from decimal import Decimal
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Self

    from ._copies import Origin
    from .budget import Budget
    from .columns import By, Columns, Split
    from .plan import Plan
    from .receipt import Receipt
    from .rows import FieldType, RequiredField
    from .sandbox import Sandbox
    from .settings import Body, Copies, Duration, OnUnknown, Settings
    from .store import Resolution, Resolved, Store


class BulkEnricher(SyncDoors, AsyncDoors, TableDoors):
    """Looks up people by e-mail, phone or social profile, in bulk: every row back in place, paid for once.

    Frozen once made, usable from many threads, and a context manager. It can be pickled (see `copies`),
    never with its key or a proxy's password: a copy reads them from the environment where it is used.

    Args:
        api_key: The key. `None`: read from the environment variable `EXACTBUYER_API_KEY` when it is
            first needed.
        required_fields: A match counts, and costs, only if it has all of these: `email`,
            `work_email`, `personal_email`, `phone`, `social_profile`. None by default: anything counts.
        store: The file that keeps what was asked and paid, so that nothing is paid for twice; opened at the
            first call. `"auto"`: `.exactbuyer/<host>.db` in the working directory, or elsewhere, with a
            warning, if that disk cannot be relied on; none for addresses of this machine, whose people are
            invented. A path: that file. `None`: none, with a warning above 1,000 lookups.
        max_credits: The ceiling on what may be spent, in credits, from 0; every doubt is counted as
            spent. With a store, by everybody who ever shared it; without, by this enricher in this
            process; a `Budget` says over what time. `None`: no ceiling.
        max_in_doubt: Most lookups in flight or unknown at any moment of a call, from 1. 20,000 by default:
            what the worst moment can cost unseen.
        on_unknown: What becomes of a lookup that may have been charged but got no readable answer:
            `"hold"` leaves it, its rows are `unknown`; `"resend"` asks again and **may pay twice**.
        requests_per_minute: Most requests in any 60 s, 1 to 1,000,000. 200 by default: what the
            vendor allows. All enrichers of the process with one key share it; the lowest wins.
        max_concurrency: Most requests in flight, 1 to 1,024. 64 by default: 200 requests a minute
            at 20 s each. It is approached from 4 up, and left when the service struggles.
        chunk_size: Most lookups of one request, 1 to 1,000, the vendor's limit and the default.
        max_retries: How often what is free of charge is tried again, 0 to 100. 5 by default: up to
            15 s of waiting, on top of what the attempts themselves take.
        timeout: Time limit of one request, in seconds or as a `timedelta`, up to a day. 300 s by default,
            because a request that is given up may be charged. Time in which this process is stopped
            (Ctrl-Z, a sleeping laptop) does not count.
        connect_timeout: Most that connecting may take, likewise. 10 s by default: connecting is free.
        grace: How long requests in flight may still take once a call is stopped, likewise. 30 s by
            default: they are paid for already.
        default_region: The country of phone numbers without a country code, as in `"US"` (ISO 3166), or
            `"+"` if they carry one and only the plus is missing. `None`: such numbers are invalid.
        max_age: How old a contact from the store may be, in seconds or as a `timedelta`; an older one
            is **paid for again**. `None`: any age.
        miss_max_age: How old a `not_found` from the store may be, likewise. A week by default:
            asking again costs nothing unless somebody is found. `None`: any age.
        na_values: Strings that count as missing, on top of `None`, NaN and blanks.
        body: How requests are encoded: `"form"` as in the vendor's sample, or `"json"`.
        base_url: Where the service is: https, or this machine.
        proxy: A proxy's URL. `None`: `HTTPS_PROXY` and `NO_PROXY` are honoured.
        ca_bundle: A PEM file of authorities to trust on top of the system's. `None`: the environment's
            `SSL_CERT_FILE` and `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`.
        credit_price: What one credit costs, as in `(0.05, "EUR")`: plans and receipts then say it in
            money, too.
        tags: Notes that the store keeps with each request, as in `{"job": "spring"}`, to add up by:
            `enricher.store.summary(by=["month", "job"])`.
        copies: When a pickled copy may send. `"shared"`: only with the store file of the enricher that it
            was copied from; without a store, only in the same process. `"independent"`: always. Each copy
            then has its own ceiling and **may pay again** for what others have paid for.

    Raises:
        ConfigError: A setting is wrong; the message names it, its range and the reason.

    Costs nothing before the first call that sends.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> with BulkEnricher.sandbox(max_credits=100) as enricher:
        ...     results = enricher.enrich(["ana@acme.example", None])
        >>> [row["value"] for row in results]
        ['ana@acme.example', None]

    Source: `contact-enrichment/bulk-enrichment-api` and `master/rate-limiting` on docs.exactbuyer.com.
    """

    __slots__ = ("__weakref__", "_desk")

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
        max_age: Duration | None = None,
        miss_max_age: Duration | None = timedelta(days=7),
        na_values: Iterable[str] = (),
        body: Body = "form",
        base_url: str = BASE_URL,
        proxy: str | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        credit_price: tuple[float | int | str | Decimal, str] | None = None,
        tags: Mapping[str, str] | None = None,
        copies: Copies = "shared",
    ) -> None:
        # Removes secrets from this frame first: a traceback that prints locals must not show them.
        key, api_key = Secret.of(api_key), None
        hidden_proxy, proxy = ProxyUrl.of(proxy), None
        hidden_url, base_url = Hidden(base_url), ""
        if is_address(store):
            # It may hold a password.
            store = None
            raise refuse_address("store")
        if key is not None:
            key.check("api_key", f"pass None to read {KEY_VARIABLE}, or a key")
        settings = checked(
            required_fields=required_fields,
            store=store,
            max_credits=max_credits,
            max_in_doubt=max_in_doubt,
            on_unknown=on_unknown,
            requests_per_minute=requests_per_minute,
            max_concurrency=max_concurrency,
            chunk_size=chunk_size,
            max_retries=max_retries,
            timeout=timeout,
            connect_timeout=connect_timeout,
            grace=grace,
            default_region=default_region,
            max_age=max_age,
            miss_max_age=miss_max_age,
            na_values=na_values,
            body=body,
            base_url=hidden_url,
            proxy=hidden_proxy,
            ca_bundle=ca_bundle,
            credit_price=credit_price,
            tags=tags,
            copies=copies,
        )
        if isinstance(store, str) and store == "auto":
            warn_if_elsewhere(settings.store)
        object.__setattr__(self, "_desk", Desk(settings, key))

    @classmethod
    def sandbox(cls, **settings: Any) -> Self:
        """An enricher against a stand-in vendor of its own: no key, no cost, invented people.

        The stand-in runs in this process as long as the enricher lives, and is its `sandbox_server`.

        Args:
            **settings: As for `BulkEnricher` itself, but for `api_key` and `base_url`, which are the
                stand-in's.

        Returns:
            An enricher like any other.

        Raises:
            ConfigError: As `BulkEnricher`, or `api_key` or `base_url` was given.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox() as enricher:
            ...     print(enricher.enrich([None])[0]["status"])
            missing
        """
        from .sandbox import Sandbox

        # What is called a sandbox never costs anything: given an address, it could be the vendor's.
        settings["proxy"] = ProxyUrl.of(settings.pop("proxy", None))
        if is_address(settings.get("store")):
            settings.clear()
            raise refuse_address("store")
        for name in ("api_key", "base_url"):
            if name in settings:
                # A traceback that prints locals must not show a key.
                settings.clear()
                raise ConfigError(
                    f"{name} is the sandbox's own here: leave it out, or call BulkEnricher(…) with it"
                )
        server = Sandbox()
        enricher = cls(server.api_key, base_url=server.url, **settings)
        enricher._desk.server = server
        return enricher

    @property
    def sandbox_server(self) -> Sandbox | None:
        """The stand-in vendor of an enricher made by `sandbox()`; `None` for any other."""
        return self._desk.server

    @property
    def store(self) -> Store | None:
        """What was asked and paid: see `exactbuyer.store.Store`. `None` if nothing is kept."""
        return self._desk.store

    def resolve_unknown(self, resolution: Resolution) -> Resolved:
        """Decides what becomes of all lookups in the store that may have been charged and have no answer.

        First compare the vendor's usage page with `store.unknown()`.

        Args:
            resolution: `"resend"`: the next call asks for them again, **which may pay twice**.
                `"drop"`: they are left alone, `not_sent` from then on.

        Returns:
            How many lookups that were, and the credits that they may have cost, which stay on the
            books either way.

        Raises:
            ConfigError: It is neither, or there is no store.
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
            1 lookup resolved; 0 to 1 credit stay in doubt on the books
            >>> again[0]["status"] in {"found", "not_found"}
            True
        """
        if self._desk.store is None:
            raise ConfigError("without a store nothing outlives its call: there is nothing to resolve")
        return self._desk.store.resolve_unknown(resolution)

    @property
    def settings(self) -> Settings:
        """What it was made with, checked; durations in seconds."""
        return self._desk.settings

    @property
    def receipt(self) -> Receipt:
        """What all its calls in this process took, added up; those under way as far as they have come."""
        return self._desk.books.total()

    @property
    def last_receipt(self) -> Receipt | None:
        """What the call that ended last took; `None` before the first."""
        return self._desk.books.last

    def plan(
        self,
        rows: Iterable[object],
        by: By | None = None,
        *,
        columns: Columns | None = None,
        prefix: str = "eb_",
        split: Split | None = None,
        region: Hashable | None = None,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
    ) -> Plan:
        """What `enrich`, or `enrich_table`, would ask and could cost with these arguments.

        No network, no key, no cost.

        Args:
            rows: As for `enrich`; or, with `by`, a table as for `enrich_table`, but no reader.
            by: As for `enrich_table`.
            columns: As for `enrich_table`; only checked.
            prefix: As for `enrich_table`; only checked.
            split: As for `enrich_table`.
            region: As for `enrich_table`; only with `by`.
            field_type: As for `enrich`.
            required_fields: As for `enrich`.
            max_credits: As for `enrich`.
            refresh: As for `enrich`.
            store_only: As for `enrich`.

        Returns:
            Counts of rows, lookups, requests and credits; print it, or show it in a notebook.

        Raises:
            TypeError: Rows cannot be read as such; the message names the fix.
            ConfigError: With `by`: as `enrich_table`.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> plan = BulkEnricher().plan(["ana@acme.example", "ANA@acme.example", "?", None])
            >>> plan.rows, plan.missing, plan.invalid, plan.duplicates, plan.to_send
            (4, 1, 1, 1, (1, 1))
        """
        terms = Terms.checked(
            field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
        )
        if by is None:
            if region is not None:
                raise ConfigError("region names a column of a table: pass by, too")
            return self._desk.plan(self._desk.read(rows, terms), terms)
        wish = Wish.checked(by, columns, prefix, split, terms.field_type, region=region)
        plan = self._desk.plan(Job(rows, wish, self._desk.settings).all_rows(), terms)
        problems = (problem._replace(reason=in_a_table(problem.reason)) for problem in plan.problems)
        return replace(plan, problems=tuple(problems))

    def close(self) -> None:
        """Stops every call of this enricher, and waits up to `grace` for what is in flight.

        Calls in other threads then end, the rest of their rows `not_sent`. Receipts and `recover()`
        stay; whatever sends raises from then on. Closing again does nothing.

        When it returns, all answers are on the disk. If nothing else uses the store, its files are closed
        and its log (`-wal`) is gone: the file can be copied, moved or deleted. While others use it, it
        stays open for them; copy it with `enricher.store.backup(...)` then.
        """
        self._desk.close(self._desk.settings.grace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        # Shown in a traceback out of `__init__`, it has no settings yet.
        told = self._desk.settings.told() if hasattr(self, "_desk") else {}
        usual = _usual_settings().told()
        if hasattr(self, "_desk"):
            usual["store"] = store_path("auto", self._desk.settings.base_url)
        shown = (f"{name}={value!r}" for name, value in told.items() if value != usual[name])
        return f"{type(self).__name__}({', '.join(shown)})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"an enricher is frozen: make another one to change {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an enricher is frozen: {name} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self._desk.settings.without_login(), self._desk.origin())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


@cache
def _usual_settings() -> Settings:
    """What an enricher has that was told nothing: the constructor says it, once. Without a store."""
    parameters = signature(BulkEnricher.__init__).parameters.values()
    usual = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return checked(**usual | {"store": None, "base_url": Hidden(usual["base_url"])})


def _unpickled(kind: type[BulkEnricher], settings: Settings, origin: Origin) -> BulkEnricher:
    enricher = kind.__new__(kind)
    object.__setattr__(enricher, "_desk", Desk(settings, None, origin))
    return enricher
