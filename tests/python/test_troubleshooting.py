"""The page of troubleshooting quotes messages: the code says each of them, in a case that happens here."""

from __future__ import annotations

import pickle
import re
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from page_blocks import ROOT, text

from exactbuyer import BulkEnricher, ExactBuyerError
from exactbuyer._frames.polars import PolarsFrame
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = ROOT / "docs/reference/troubleshooting.md"
ANA = ["ana@acme.example"]
FRAME = pd.DataFrame({"mail": ANA, "eb_status": [""]})
DISKS = ROOT / "crates/store/src/sqlite/file/disks.rs"


def quoted() -> list[str]:
    """The messages in the headings of the page; `…` stands for any text."""
    return re.findall(r"^### `(.+)`$", text(PAGE), re.MULTILINE)


def matches(message: str, said: str) -> bool:
    """Whether the code said what the page quotes; it may say more."""
    return re.search(re.escape(message).replace("…", ".+"), said) is not None


def failing(fault: Any, rows: list[str] = ANA, *, retry_after: int | None = None, **settings: Any) -> None:
    """One call, whose requests fail."""
    with Sandbox(match_rate=1.0) as sandbox:
        if fault:
            sandbox.fail(fault, retry_after=retry_after)
        with BulkEnricher("a-key", base_url=sandbox.url, max_retries=0, **settings) as enricher:
            enricher.enrich(rows)


def at(url: str, rows: Any = ANA, **settings: Any) -> None:
    """One call to this address."""
    BulkEnricher("a-key", base_url=url, max_retries=0, **settings).enrich(rows)


def over_https_to_plain_http() -> None:
    with Sandbox() as sandbox:
        at(sandbox.url.replace("http:", "https:"))


def closed() -> None:
    enricher = BulkEnricher.sandbox()
    enricher.close()
    enricher.enrich(ANA)


def other_service(folder: Path) -> None:
    with BulkEnricher.sandbox(store=folder / "people.db") as enricher:
        enricher.enrich(ANA)
    BulkEnricher("a-key", store=folder / "people.db").enrich(ANA)


def no_store(folder: Path) -> None:
    (folder / "people.db").write_text("something else", encoding="utf-8")
    with BulkEnricher.sandbox(store=folder / "people.db") as enricher:
        enricher.enrich(ANA)


def synchronised(folder: Path) -> None:
    (folder / "Dropbox").mkdir()
    with BulkEnricher.sandbox(store=folder / "Dropbox/people.db") as enricher:
        enricher.enrich(ANA)


def store_with_the_name_of_a_log(folder: Path) -> None:
    with BulkEnricher.sandbox(store=folder / "people.db-wal") as enricher:
        enricher.enrich(ANA)


def store_beside_a_database(folder: Path) -> None:
    (folder / "people.db-wal").write_bytes(b"SQLite format 3\0")
    with BulkEnricher.sandbox(store=folder / "people.db") as enricher:
        enricher.enrich(ANA)


def doubt_of_an_earlier_run(folder: Path) -> None:
    with BulkEnricher.sandbox(store=folder / "people.db") as enricher:
        server = enricher.sandbox_server
        server.fail("reset_after_billing", request=1)
        enricher.enrich(ANA, on_error="record")
        enricher.enrich(ANA)


def column(like: str, **how: Any) -> None:
    people = pd.DataFrame({"mail": [like.format(number) for number in range(40)]})
    with BulkEnricher.sandbox() as enricher:
        enricher.enrich_table(people, by="mail", **how)


class Picky:
    """A table whose class cannot be made of a result with so many rows."""

    most = 0

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.table({"mail": ANA}).__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return 1

    @classmethod
    def from_arrow(cls, batches: Any) -> Any:
        if len(batches) > cls.most:
            raise ValueError
        return cls()


def broken_library(_: Path) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PolarsFrame, "beside", refuse)
        joined(pl.DataFrame({"mail": ANA}))


def joined(data: object, **how: Any) -> None:
    with BulkEnricher.sandbox() as enricher:
        enricher.enrich_table(data, by="mail", **how)


def removed() -> None:
    with BulkEnricher.sandbox() as enricher:
        enricher.enrich_table(enricher.enrich_table(FRAME[["mail"]], by="mail"), by="mail", columns=[])


def copied() -> None:
    original = BulkEnricher.sandbox(max_credits=5)
    pickle.loads(pickle.dumps(original)).enrich(ANA)


# What is done, so that the message appears; with the name of an environment variable, after it is changed.
CASES: dict[str, Callable[[Path], object]] = {
    "no key": lambda _: BulkEnricher().enrich(ANA),
    "offline": lambda _: at("https://api.exactbuyer.com"),
    "invalid": lambda _: failing(None, ["ana@acme.example", "not an identifier"]),
    "a string": lambda _: failing(None, "ana@acme.example"),  # type: ignore[arg-type]
    "a frame": lambda _: failing(None, FRAME),
    "no such column": lambda _: BulkEnricher.sandbox().enrich_table(FRAME[["mail"]], by="email"),
    "a column is taken": lambda _: BulkEnricher.sandbox().enrich_table(FRAME, by="mail"),
    "region": lambda _: BulkEnricher(default_region="XX"),
    "a database": lambda _: BulkEnricher(store="postgresql://example/people"),
    "clear text": lambda _: BulkEnricher(base_url="http://api.example.com"),
    "no bundle": lambda folder: at("https://localhost:9", ca_bundle=folder / "none.pem"),
    "closed": lambda _: closed(),
    "a copy": lambda _: copied(),
    "401": lambda _: failing("status_401"),
    "403": lambda _: failing("status_403"),
    "404": lambda _: failing("status_404"),
    "301": lambda _: failing("redirect_301"),
    "400": lambda _: failing("status_400"),
    "429": lambda _: failing("status_429", retry_after=3600),
    "503": lambda _: failing("status_503"),
    "limit": lambda _: failing(None, [f"p{number}@acme.example" for number in range(5)], max_credits=2),
    "no service": lambda _: at("http://127.0.0.1:9"),
    "no proxy": lambda _: at("https://localhost:9", proxy="http://127.0.0.1:9"),
    "plain http": lambda _: over_https_to_plain_http(),
    "lost": lambda _: failing("reset_after_billing"),
    "lost earlier": doubt_of_an_earlier_run,
    "other service": other_service,
    "no store": no_store,
    "synchronised": synchronised,
    "a type of another library": lambda _: joined(
        pl.DataFrame({"mail": ANA}), columns={"n": ("n", pa.decimal256(50, 2))}
    ),
    "a broken library": broken_library,
    "a join": lambda _: joined(Picky()),
    "removed": lambda _: removed(),
    "reserved name": store_with_the_name_of_a_log,
    "database beside": store_beside_a_database,
    "wrong column": lambda _: column("x{}"),
    "wrong path": lambda _: column("p{}@acme.example", columns={"seniority": "no.such.path"}),
}
# What only a network makes happen: the sentence is in the source.
SOURCES = {
    "the host name of the service could not be resolved": "crates/core/src/service/transport/not_sent.rs",
    "the certificate of the service …": "crates/core/src/service/transport/not_sent.rs",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each case says: its exception and its warnings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("EXACTBUYER_API_KEY", raising=False)
        patch.setenv("EXACTBUYER_OFFLINE", "1")
        texts = {}
        for case, happen in CASES.items():
            folder = tmp_path_factory.mktemp("case")
            patch.chdir(folder)
            patch.setenv("HOME", str(folder))
            texts[case] = _what_is_said(happen, folder)
        return texts


def _what_is_said(happen: Callable[[Path], object], folder: Path) -> str:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            happen(folder)
        except (ExactBuyerError, TypeError, ValueError) as error:
            return str(error)
    return "\n".join(str(each.message) for each in warned)


def test_the_page_quotes_messages() -> None:
    assert len(quoted()) >= 30
    assert len(set(quoted())) == len(quoted())


@pytest.mark.parametrize("message", [each for each in quoted() if each not in SOURCES])
def test_the_code_says_what_the_page_quotes(message: str, said: dict[str, str]) -> None:
    assert any(matches(message, each) for each in said.values())


@pytest.mark.parametrize("case", CASES)
def test_the_page_has_what_the_code_says(case: str, said: dict[str, str]) -> None:
    assert any(matches(message, said[case]) for message in quoted()), said[case]


@pytest.mark.parametrize("message", SOURCES)
def test_the_source_says_what_the_page_quotes(message: str) -> None:
    assert message in quoted()
    source = re.sub(r"\\\n\s*", "", (ROOT / SOURCES[message]).read_text(encoding="utf-8"))
    assert re.search(
        re.escape(message).replace("the\\ service", "(the service|the {}|{})").replace("…", ".*"), source
    )


def test_the_page_names_each_kind_of_disk() -> None:
    source = DISKS.read_text(encoding="utf-8")
    for part in (
        "on a network disk",
        "whose locks may not reach other machines",
        "on a disk that a program serves",
    ):
        assert part in source
        assert part in text(PAGE)


def test_the_page_names_each_thing_that_limits_the_speed() -> None:
    source = (ROOT / "crates/core/src/schedule/tally.rs").read_text(encoding="utf-8")
    listed = source.partition("pub enum LimitedBy {")[2].partition("}")[0]
    labels = set(re.findall(r'= "([^"]+)",', listed))
    assert len(labels) == 10
    assert labels == set(
        re.findall(r"^\| `([^`]+)` \|", text(PAGE).partition("## Slow")[2], re.MULTILINE)
    ) - {"limited by"}
