"""A network that lets nothing through: each cause has its own words, and nothing is charged.

The proxies here are scripts of a few lines. The sandbox's ledger says what has reached the service.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import run

from exactbuyer import BulkEnricher, ConfigError, TransportError
from exactbuyer.cli import ExitCode
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox

KEY = "a-key"
PASSWORD = "hush"
ROWS = [f"person{number}@acme.example" for number in range(20)]
LOGIN_ASKED = (
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
)


@contextmanager
def answering(reply: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives this reply to whatever it is asked, and the heads that it was sent."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    head = connection.recv(65_536)
                    if not head:
                        return
                    heads.append(head)
                    connection.sendall(reply)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", heads
        finally:
            # An empty connection ends it.
            socket.create_connection(listener.getsockname()).close()
            serving.join()


def nobody() -> str:
    """An address at which no program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def trouble(store: Path, **settings: Any) -> str:
    """What is said of a run that can send nothing; the store must stay without a trace of it."""
    with (
        BulkEnricher(KEY, store=store, **{"max_retries": 0} | settings) as enricher,
        pytest.raises(TransportError) as caught,
    ):
        enricher.enrich(ROWS, progress=False)
    results, receipt = caught.value.results, caught.value.receipt
    assert {result["status"] for result in results} == {"not_sent"}
    assert (receipt.credits, receipt.credits_in_doubt, receipt.sent) == (0, 0, 0)
    with Store(store) as kept:
        assert kept.unknown() == []
        assert kept.info().credits == 0
    words = f"{caught.value} {[problem.reason for problem in results.problems]}"
    assert PASSWORD not in words
    assert "\n" not in str(caught.value)
    assert "nothing was sent, and nothing charged" in words
    return str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("login", "words"),
    [
        ("", "asks for a user name and a password (407), and none are set: put them into proxy,"),
        (f"me:{PASSWORD}@", "refused the user name and the password (407): correct them in proxy;"),
    ],
)
def test_a_407_ends_the_run_at_once(
    everybody: Sandbox, tmp_path: Path, scheme: str, login: str, words: str
) -> None:
    path, bundle = tmp_path / "people.db", None
    base_url = everybody.url.replace("http:", f"{scheme}:")
    with answering(LOGIN_ASKED) as (proxy, heads):
        settings = {"proxy": f"http://{login}{proxy}", "base_url": base_url, "ca_bundle": bundle}
        # It would be tried again for a minute, if that could help.
        assert words in trouble(path, **settings, max_retries=10)
    assert len(heads) == 1
    assert everybody.ledger.requests == []
    # Nothing is remembered of the lookups: the same rows are asked for as if for the first time.
    with BulkEnricher(KEY, store=path, base_url=everybody.url) as enricher:
        results = enricher.enrich(ROWS, progress=False)
    assert {result["status"] for result in results} <= {"found", "not_found"}
    assert results.receipt.sent == len(ROWS)


def test_a_407_is_about_a_setting_and_ends_streams_too(everybody: Sandbox) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while read < 1_000_000:
            read += 1
            yield f"person{read}@acme.example"

    with answering(LOGIN_ASKED) as (proxy, heads):
        enricher = BulkEnricher(
            KEY, store=None, base_url=everybody.url, proxy=f"http://{proxy}", chunk_size=10, max_in_doubt=10
        )
        with enricher, pytest.raises(TransportError) as caught:
            enricher.enrich(ROWS, on_error="record", progress=False)
        assert caught.value.status == 407
        enricher = BulkEnricher(KEY, store=None, base_url=everybody.url, proxy=f"http://{proxy}")
        with (
            enricher,
            enricher.stream(endless()) as results,
            pytest.raises(TransportError, match="none are set"),
        ):
            deque(results, maxlen=0)
    assert 2 <= len(heads) <= 8
    assert read < 1_000_000
    assert everybody.ledger.requests == []


def test_each_cause_has_its_own_words(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.db"
    said = [
        trouble(path, base_url=f"http://{nobody()}"),
        trouble(path, base_url=everybody.url, proxy=f"http://me:{PASSWORD}@{nobody()}"),
    ]
    with answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n") as (proxy, _):
        said.append(trouble(path, base_url="https://127.0.0.1:9", proxy=f"me:{PASSWORD}@{proxy}"))
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (plain, _):
        said.append(trouble(path, base_url=f"https://{plain}"))
    # Names of a reserved top level (RFC 2606), which no network has.
    monkeypatch.delenv("EXACTBUYER_OFFLINE", raising=False)
    with BulkEnricher(KEY, store=tmp_path / "b.db", base_url="https://a.invalid", max_retries=0) as enricher:
        with pytest.raises(TransportError) as caught:
            enricher.enrich(ROWS, progress=False)
        said.append(str(caught.value))
    proxied = {"base_url": "https://127.0.0.1:9", "proxy": f"http://me:{PASSWORD}@nothing.invalid:1"}
    said.append(trouble(path, **proxied))
    for words, cause in zip(
        said,
        [
            "no program listens at the address of the service",
            "no program listens at the address of the proxy",
            "the proxy did not open a connection to the service",
            "the service does not speak TLS on this port",
            "the host name of the service could not be resolved",
            "the host name of the proxy could not be resolved",
        ],
        strict=True,
    ):
        assert cause in words
        assert "check" in words
    assert everybody.ledger.requests == []


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_bundle_that_cannot_be_used_is_refused_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None
) -> None:
    bundle = tmp_path / "authorities.pem"
    if text is not None:
        bundle.write_text(text)
    for other in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, str(bundle))
    with answering(b"") as (server, heads):
        with (
            BulkEnricher(KEY, store=tmp_path / "people.db", base_url=f"https://{server}") as enricher,
            pytest.raises(ConfigError) as caught,
        ):
            enricher.enrich(ROWS, progress=False)
        assert name in str(caught.value)
        assert str(bundle) in str(caught.value)
        assert heads == []
    # Without TLS no certificate is needed.
    with BulkEnricher.sandbox() as enricher:
        assert len(enricher.enrich(ROWS[:2], progress=False)) == 2


def test_the_command_line_names_its_own_options(everybody: Sandbox, tmp_path: Path) -> None:
    rows = tmp_path / "people.csv"
    rows.write_text("mail\n" + "\n".join(ROWS) + "\n")
    earlier = tmp_path / "out.csv"
    earlier.write_bytes(b"what was there")
    with answering(LOGIN_ASKED) as (proxy, heads):
        done = run(
            *("enrich", rows, "-o", earlier, "--by", "mail", "--store", "none", "--force"),
            *("--base-url", everybody.url, "--proxy", f"http://me:{PASSWORD}@{proxy}"),
        )
    told = done.stderr.decode()
    # Not 3, which says that the output has every row.
    assert (done.returncode, earlier.read_bytes()) == (ExitCode.SERVICE, b"what was there")
    assert "refused the user name and the password (407): correct them in --proxy;" in told
    assert PASSWORD not in told
    assert len(heads) == 1
    done = run(
        *("enrich", rows, "-o", tmp_path / "other.csv", "--by", "mail", "--store", "none"),
        *("--base-url", f"http://{nobody()}", "--max-retries", "0"),
    )
    assert "no program listens at the address of the service" in done.stderr.decode()
    assert "check --base-url, its port included" in done.stderr.decode()
    assert everybody.ledger.requests == []


@contextmanager
def no_further_file() -> Iterator[None]:
    """This process can open no file and no connection."""
    resource = pytest.importorskip("resource", reason="it is about limits of Unix")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Path(os.devnull).open("rb") as newest:
        # The numbers of files that are open may have gaps.
        resource.setrlimit(resource.RLIMIT_NOFILE, (newest.fileno() + 1, limits[1]))
        held: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    held.append(os.dup(newest.fileno()))
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for number in held:
                os.close(number)


def test_too_many_open_files_are_not_taken_for_a_network_problem(exactbuyer_sandbox: Sandbox) -> None:
    with BulkEnricher(KEY, base_url=exactbuyer_sandbox.url, store=None, max_retries=0) as enricher:
        assert enricher.enrich(ROWS[:1], progress=False).receipt.sent == 1
        with no_further_file(), pytest.raises(TransportError) as caught:
            enricher.enrich(ROWS[1:], progress=False)
        assert "too many files and connections open" in str(caught.value)
        assert "lower max_concurrency" in str(caught.value)
        assert enricher.enrich(ROWS[1:], progress=False).receipt.sent == len(ROWS) - 1
