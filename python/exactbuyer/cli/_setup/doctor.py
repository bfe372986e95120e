"""`exactbuyer doctor`: whether a run would work on this machine. It looks up nobody and costs nothing."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import click

from exactbuyer import BulkEnricher, __version__
from exactbuyer._core import Engine, disk_trouble
from exactbuyer.cli._console import Console, json_line, print_data
from exactbuyer.cli._key_file import OFFLINE_VARIABLE, is_offline, key_in
from exactbuyer.cli._words import in_options
from exactbuyer.cli.exit_codes import CommandError, ExitCode, exit_code_of_error
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.wording import count, duration
from exactbuyer.settings import BASE_URL, LOOPBACK, URL_VARIABLE
from exactbuyer.settings._secret import KEY_VARIABLE, PROXY_VARIABLES, has_key

_LIBRARIES = ("click", "tqdm", "pandas", "polars", "pyarrow", "duckdb", "python-calamine", "XlsxWriter")

# In the order in which the core reads them.
_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

_LITTLE_ROOM_BYTES = 100_000_000

_MOST_WAIT_S = 20.0


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    name: str
    state: Literal["ok", "wrong", "not checked"]
    text: str
    exit_code: ExitCode = ExitCode.DONE


class _NotCheckedError(Exception):
    """A check cannot be made."""


class _Checks:
    """The checks of one enricher. Each returns what is fine, or raises what is not."""

    def __init__(self, enricher: BulkEnricher, key_file: str | None) -> None:
        self._enricher = enricher
        self._settings = enricher.settings
        self._key_file = key_file

    def findings(self) -> Iterator[Finding]:
        """Makes the checks one after the other, the slow one last."""
        yield _finding("version", self._versions)
        yield _finding("libraries", self._libraries)
        yield _finding("key", self._key)
        yield _finding("proxy", self._proxy)
        yield _finding("TLS", self._certificates)
        yield _finding("store", self._store)
        yield _finding("rate", self._rate)
        yield _finding("address", self._address)

    def _versions(self) -> str:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        return f"exactbuyer {__version__} · {python} · {platform.system()} {platform.machine()}"

    def _libraries(self) -> str:
        return " · ".join(filter(None, map(_installed, _LIBRARIES)))

    def _key(self) -> str:
        if self._settings.service == LOOPBACK:
            return "a service on this machine normally needs none"
        if self._key_file is not None:
            key_in(self._key_file)
            return "in the key file"
        if not has_key(None):
            raise CommandError(
                ExitCode.USAGE,
                f"there is none: set the environment variable {KEY_VARIABLE}, or pass --key-file FILE",
            )
        return f"in the environment variable {KEY_VARIABLE}"

    def _proxy(self) -> str:
        if self._settings.proxy is not None:
            return "that of --proxy"
        named = next((name for name in PROXY_VARIABLES if os.environ.get(name)), None)
        if named is None or self._settings.service == LOOPBACK:
            return "none is configured in the environment"
        exempt = " (except for the addresses in NO_PROXY)" if os.environ.get("NO_PROXY") else ""
        return f"that of the environment variable {named}{exempt}"

    def _certificates(self) -> str:
        if self._settings.base_url.startswith("http://"):
            return "not used by this address"
        if self._settings.ca_bundle is not None:
            return "trusts the system's certificates and those of --ca-bundle"
        named = next((name for name in _CERTIFICATE_VARIABLES if os.environ.get(name)), None)
        return "trusts the system's certificates" if named is None else f"trusts the certificates of {named}"

    def _store(self) -> str:
        if self._settings.store is None:
            return "none: answers are not kept"
        store = self._enricher.store
        trouble = disk_trouble(store.path)
        if trouble is not None:
            raise CommandError(
                ExitCode.STORE, f"{store.path} lies {trouble}: pass --store FILE on a local disk"
            )
        folder = next(path for path in store.path.parents if path.exists())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(ExitCode.STORE, f"you cannot write in {folder}: pass --store FILE")
        free = shutil.disk_usage(folder).free
        room = f"{free / 1e9:,.1f} GB free"
        if free < _LITTLE_ROOM_BYTES:
            raise CommandError(ExitCode.STORE, f"{store.path}: the disk is almost full ({room})")
        if not store.exists():
            return f"{store.path}: made by the first run · {room}"
        info = store.info()
        unknown = f" · {count(info.unknown, 'lookup')} in doubt" if info.unknown else ""
        return f"{store.path}: {count(info.hits, 'contact')}{unknown} · {info.bytes / 1e6:,.1f} MB · {room}"

    def _rate(self) -> str:
        settings = self._settings
        most = f"{count(settings.requests_per_minute, 'request')} in any 60 s"
        return f"at most {most}, {count(settings.chunk_size, 'lookup')} in each"

    def _address(self) -> str:
        settings = self._settings
        if is_offline() and settings.service != LOOPBACK:
            raise _NotCheckedError(f"{OFFLINE_VARIABLE} is set, so no request leaves this machine")
        began = time.monotonic()
        status = Engine(settings.for_core(), None, settings.proxy).probe()
        took = duration(time.monotonic() - began)
        named = os.environ.get(URL_VARIABLE, "").rstrip("/")
        where = f" ({URL_VARIABLE})" if settings.base_url == named else ""
        return f"{settings.service}{where} answered in {took} (status {status}); nobody was looked up"


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", check())
    except _NotCheckedError as why:
        return Finding(name, "not checked", str(why))
    except CommandError as wrong:
        return Finding(name, "wrong", str(wrong), wrong.exit_code)
    except ExactBuyerError as error:
        exit_code = exit_code_of_error(error)
        return Finding(name, "wrong", in_options(error.message), exit_code)
    except OSError as error:
        text = f"this cannot be checked: {error.strerror or 'the system refuses it'}"
        if name == "store":
            return Finding(name, "wrong", f"{text}: pass --store FILE", ExitCode.STORE)
        return Finding(name, "wrong", text, ExitCode.FILES)


def _installed(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return ""


@click.command(short_help="Check this machine: key, proxy, certificates, store, address.")
@click.option("--base-url", metavar="URL", help=f"The address of the service, if it is not {BASE_URL}.")
@click.option("--key-file", metavar="FILE", help="The file with the API key.")
@click.option("--store", metavar="FILE", help="The store.")
@click.option("--proxy", metavar="URL", help="The proxy; by default that of the environment.")
@click.option("--ca-bundle", metavar="FILE", help="A PEM file of authorities to trust, too.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON Lines.")
def doctor(*, base_url: str | None, key_file: str | None, as_json: bool, **given: Any) -> int:
    """Check whether a run would work on this machine. It looks up nobody and costs nothing.

    The exit code is 0 if nothing is wrong. Otherwise it is that of the first thing that is wrong: 2
    for a missing key or a wrong option, 7 for an address that cannot be reached, 9 for the store.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    settings |= {"timeout": _MOST_WAIT_S, "connect_timeout": _MOST_WAIT_S / 2}
    wrong = ExitCode.DONE
    with Console().showing_log(), BulkEnricher(base_url=base_url or None, **settings) as enricher:
        for finding in _Checks(enricher, key_file).findings():
            wrong = wrong or finding.exit_code
            if as_json:
                print_data([json_line(vars(finding))])
            else:
                print_data([f"{finding.state:<11}  {finding.name:<9}  {finding.text}"])
    return wrong
