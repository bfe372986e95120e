"""Keys and passwords: in no local variable of a traceback, in no pickle, in no message."""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "canary" / "ears"))

from canary_frames import frames_of, texts_in

from exactbuyer import BulkEnricher, ConfigError, ExactBuyerError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer.sandbox import Sandbox

KEY = "key-canary-51c0"
PASSWORD = "hush"
PROXY = f"http://user:{PASSWORD}@proxy.example:3128"
ROWS = ["ana@acme.example"]


def leaks(error: BaseException, secret: str) -> list[str]:
    """The places where an exception holds a secret. Checks that there were frames to look at."""
    frames = list(frames_of(error))
    assert frames
    where = [
        f"{frame.f_code.co_name}: {name}"
        for frame in frames
        for name, text in texts_in(frame)
        if secret in text
    ]
    return where + [text for text in (str(error), repr(error)) if secret in text]


def first_of_a_stream(enricher: BulkEnricher, rows: list[str]) -> object:
    with enricher.stream(rows) as stream:
        return next(stream)


def first_of_an_async_stream(enricher: BulkEnricher, rows: list[str]) -> object:
    async def first() -> object:
        async with enricher.stream_async(rows) as stream:
            return await anext(stream)

    return asyncio.run(first())


def enrich_a_table(enricher: BulkEnricher, rows: list[str]) -> object:
    return enricher.enrich_table(pytest.importorskip("polars").DataFrame({"mail": rows}), by="mail")


def enrich_a_table_async(enricher: BulkEnricher, rows: list[str]) -> object:
    table = pytest.importorskip("polars").DataFrame({"mail": rows})
    return asyncio.run(enricher.enrich_table_async(table, by="mail"))


CALLS: list[Callable[[BulkEnricher, list[str]], object]] = [
    lambda enricher, rows: enricher.enrich(rows),
    lambda enricher, rows: asyncio.run(enricher.enrich_async(rows)),
    first_of_a_stream,
    first_of_an_async_stream,
    enrich_a_table,
    enrich_a_table_async,
]


@pytest.mark.parametrize("run_call", CALLS)
@pytest.mark.parametrize("given", ["as an argument", "in the environment"])
def test_a_call_that_fails_as_it_begins_shows_no_key(
    run_call: Callable[[BulkEnricher, list[str]], object],
    given: str,
    everybody: Sandbox,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path.mkdir()
    monkeypatch.setenv("EXACTBUYER_API_KEY", KEY)
    key = KEY if given == "as an argument" else None
    with (
        BulkEnricher(key, base_url=everybody.url, store=path) as enricher,
        pytest.raises(StoreError) as caught,
    ):
        run_call(enricher, ROWS)
    assert not leaks(caught.value, KEY)


def test_another_key_at_the_second_call_is_shown_nowhere(
    everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BulkEnricher(base_url=everybody.url) as enricher:
        enricher.enrich(ROWS)
        monkeypatch.setenv("EXACTBUYER_API_KEY", KEY)
        with pytest.raises(ConfigError, match="another than at") as caught:
            enricher.enrich(ROWS)
    assert not leaks(caught.value, KEY)


@pytest.mark.parametrize(
    ("make", "secret"),
    [
        (lambda: BulkEnricher(KEY, chunk_size=0), KEY),
        (lambda: BulkEnricher(f"{KEY}\n"), KEY),
        (lambda: BulkEnricher(f"{KEY}\udc80"), KEY),
        (lambda: BulkEnricher(KEY.encode()), KEY),  # type: ignore[arg-type]
        (lambda: BulkEnricher.sandbox(proxy=PROXY, chunk_size=0), PASSWORD),
        (lambda: BulkEnricher.sandbox(proxy=PROXY, match_rate=2), PASSWORD),
        (lambda: BulkEnricher(proxy=PROXY, chunk_size=0), PASSWORD),
        (lambda: BulkEnricher(proxy=PROXY, ca_bundle="/nowhere.pem"), PASSWORD),
        (lambda: BulkEnricher(proxy=f"nntp://user:{PASSWORD}@proxy.example"), PASSWORD),
        (lambda: BulkEnricher(proxy=f"{PROXY}\0"), PASSWORD),
        (lambda: BulkEnricher(proxy=PROXY.encode()), PASSWORD),  # type: ignore[arg-type]
        (lambda: BulkEnricher(base_url=f"https://user:{PASSWORD}@api.example.com"), PASSWORD),
        (lambda: BulkEnricher(base_url=f"https://user:{PASSWORD}@api.example.com/\udc80"), PASSWORD),
    ],
)
def test_a_setting_that_is_refused_shows_no_secret(make: Callable[[], Any], secret: str) -> None:
    with pytest.raises(ExactBuyerError) as caught:
        make()
    assert not leaks(caught.value, secret)


def test_a_proxy_without_a_login_is_pickled_as_it_is(everybody: Sandbox, path: Path) -> None:
    enricher = BulkEnricher(KEY, base_url=everybody.url, store=path, proxy="http://proxy.example:3128")
    copied = pickle.loads(pickle.dumps(enricher))
    assert copied.settings.proxy == enricher.settings.proxy == "http://proxy.example:3128"


@pytest.mark.parametrize("spelled", [f" {PROXY}", f"\n{PROXY}", PROXY.replace("//", "////")])
def test_a_pickle_holds_no_password_however_the_proxy_is_spelled(
    everybody: Sandbox, path: Path, spelled: str
) -> None:
    assert PASSWORD.encode() not in pickle.dumps(
        BulkEnricher(KEY, base_url=everybody.url, store=path, proxy=spelled)
    )


def test_a_pickle_holds_no_password_of_a_proxy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is sent there. Plain http through a proxy elsewhere would be refused.
    enricher = BulkEnricher(KEY, base_url="https://127.0.0.1:9", store=path, proxy=PROXY)
    pickled = pickle.dumps(enricher)
    assert PASSWORD.encode() not in pickled
    assert b"user" not in pickled
    with pytest.raises(TypeError, match="never pickled") as caught:
        pickle.dumps(enricher.settings)
    assert not leaks(caught.value, PASSWORD)

    copied = pickle.loads(pickled)
    for elsewhere in ("", "http://user:other@elsewhere.example:3128", "http://proxy.example:3128"):
        monkeypatch.setenv("HTTPS_PROXY", elsewhere)
        with pytest.raises(ConfigError, match="HTTPS_PROXY") as refused:
            copied.enrich(ROWS)
        assert PASSWORD not in str(refused.value)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert not copied.settings.proxy or PASSWORD not in repr(copied.settings)
    begin(copied)
    assert copied.settings.proxy.expose() == PROXY
    assert PASSWORD.encode() not in pickle.dumps(copied)


def begin(enricher: BulkEnricher) -> None:
    """Begins a call that has nothing to send."""
    with enricher.stream([None]) as stream:
        next(stream)
