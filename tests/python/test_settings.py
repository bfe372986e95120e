"""Settings: what is accepted, and what a newcomer reads where it is not."""

from __future__ import annotations

import copy
import pickle
import re
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from exactbuyer import Budget, BulkEnricher, ConfigError
from exactbuyer.settings import _setting_checks
from exactbuyer.store import Store

if TYPE_CHECKING:
    from pathlib import Path

KEY = "key-canary-7f3a"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("store", 7, "'auto', a path, or None"),
        ("store", "", "'auto', a path"),
        ("store", b"people.db", "'auto', a path"),
        ("store", "people\ud800.db", "holds half a character"),
        ("base_url", "https://api\udfff.example", "holds half"),
        ("na_values", ["n/a", "\ud800"], "holds half"),
        ("tags", {"job": "spring\0"}, "holds .*NUL"),
        ("required_fields", "work_email", r"a list of names, as in \['work_email'\]"),
        ("required_fields", ["fax"], "'work_email'.*got a string"),
        ("required_fields", ["Work-Email"], "did you mean 'work_email'"),
        ("required_fields", 3, "list of names"),
        ("max_credits", -1, "from 0 .*or None for no limit"),
        ("max_credits", 1.5, "whole number"),
        ("max_credits", True, "whole number"),
        ("max_credits", "5", "got a string: pass a number, as in max_credits=5"),
        ("max_in_doubt", 0, "from 1"),
        ("on_unknown", "retry", "'hold' or 'resend'"),
        ("requests_per_minute", 0, "from 1 .*200 is what the service allows"),
        ("max_concurrency", 2_000, "to 1,024"),
        ("chunk_size", 1_001, "from 1 to 1,000 .*service"),
        ("max_retries", -1, "from 0 to 100"),
        ("timeout", 0, "seconds from 0.001"),
        ("timeout", float("nan"), "seconds"),
        ("timeout", "5", "seconds"),
        ("connect_timeout", timedelta(seconds=-1), "timedelta"),
        ("grace", -1, "from 0"),
        ("default_region", "Germany", "did you mean .DE.\\?"),
        ("max_age", timedelta(-1), "seconds"),
        ("max_age", 30, "timedelta"),
        ("miss_max_age", 7.0, "timedelta"),
        ("na_values", "n/a", r"as in \["),
        ("na_values", [1], "not a string"),
        ("na_values", (text for text in ["\ud800"]), "holds half a character"),
        ("na_values", dict.fromkeys(["\ud800"]).keys(), "holds half a character"),
        ("body", "xml", "'form' or 'json'"),
        ("base_url", "http://api.example.com", "https"),
        ("base_url", "https://user:hush@api.example.com", "must not hold a user name or password"),
        ("base_url", "api.example.com", "looks like https://"),
        ("base_url", "https://api.exactbuyer.com/v1", "leave out /v1$"),
        ("base_url", "https://gate.example/eb/v1/bulk-enrich/", "leave out /v1/bulk-enrich$"),
        ("base_url", 7, "URL"),
        ("api_key", "", "empty"),
        ("api_key", " ", "empty"),
        ("api_key", "hush\n", "strip it"),
        ("api_key", "hu\nsh", "no HTTP header can carry"),
        ("api_key", "hüsh", "no HTTP header can carry"),
        ("api_key", 7, "a string, or None"),
        ("proxy", "nntp://user:hush@proxy.example", "http://"),
        ("proxy", 3128, "http://"),
        ("ca_bundle", "/nowhere/at/all.pem", "does not exist"),
        ("ca_bundle", "http://me:hush@proxy.example", "not a URL"),
        ("credit_price", 0.05, r"\(0.05, 'EUR'\)"),
        ("credit_price", (-1, "EUR"), "price of one credit"),
        ("tags", {"a": 1}, "strings to strings"),
        ("tags", {"month": "x"}, "has the name 'month', which .*: choose another name"),
        ("tags", {"job": "x", "credits": "y"}, "has the name 'credits'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_right(name: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}.*{said}") as caught:
        BulkEnricher(**{name: value})
    assert isinstance(caught.value, ValueError)
    assert not {"hush", "hüsh"} & set(re.split(r"\W", str(caught.value)))
    assert "\n" not in str(caught.value)


def test_what_is_accepted_is_kept_in_one_unit() -> None:
    settings = BulkEnricher(
        timeout=timedelta(minutes=2),
        grace=1,
        default_region="us",
        required_fields=["phone", "email", "phone"],
        credit_price=(0.05, "EUR"),
        base_url="http://127.0.0.1:8080/",
    ).settings
    assert settings.timeout == 120.0
    assert settings.grace == 1.0
    assert settings.default_region == "US"
    assert settings.required_fields == ("phone", "email")
    assert settings.credit_price == (Decimal("0.05"), "EUR")
    assert settings.base_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, 40_000),
        ({"max_in_doubt": 1_000_000}, 100_000),
        ({"max_in_doubt": 10}, 2_000),
        ({"chunk_size": 10, "max_concurrency": 3}, 60),
    ],
)
def test_the_window_of_a_stream(settings: dict[str, Any], rows: int) -> None:
    assert BulkEnricher(**settings).settings.window_rows == rows


def test_an_enricher_is_frozen() -> None:
    enricher = BulkEnricher()
    with pytest.raises(AttributeError, match="make another one to change max_credits"):
        enricher.max_credits = 3
    assert copy.copy(enricher) is enricher
    assert copy.deepcopy(enricher) is enricher
    assert enricher != BulkEnricher()


def test_the_key_is_shown_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    enricher = BulkEnricher(KEY, proxy="http://user:hush@proxy.example:1")
    shown = f"{enricher!r} {enricher} {enricher.settings.shown()} {enricher.__reduce__()}"
    assert KEY not in shown
    assert "hush" not in repr(enricher) + repr(enricher.settings)
    assert KEY.encode() not in pickle.dumps(enricher)
    with pytest.raises(ConfigError) as caught:
        BulkEnricher(KEY, chunk_size=0)
    trace = caught.value.__traceback__
    while trace is not None:
        assert KEY not in repr(trace.tb_frame.f_locals) or trace.tb_frame.f_code.co_filename == __file__
        trace = trace.tb_next


def test_an_enricher_shows_what_it_was_told_beyond_the_usual() -> None:
    assert repr(BulkEnricher()) == "BulkEnricher()"
    told = BulkEnricher(KEY, max_credits=5, timeout=timedelta(minutes=5), grace=1, miss_max_age=None)
    assert repr(told) == "BulkEnricher(max_credits=5, grace=1.0, miss_max_age=None)"


@pytest.mark.parametrize("name", ["api_key", "base_url"])
def test_a_sandbox_cannot_be_sent_elsewhere(name: str) -> None:
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        BulkEnricher.sandbox(**{name: "https://api.exactbuyer.com"})  # type: ignore[arg-type]


def test_the_environment_can_name_only_a_service_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ["https://elsewhere.example", "https://me:hush@elsewhere.example", "nonsense"]:
        monkeypatch.setenv("EXACTBUYER_BASE_URL", url)
        with pytest.raises(ConfigError, match=r"^EXACTBUYER_BASE_URL .* this machine") as caught:
            BulkEnricher()
        assert url not in str(caught.value)
        BulkEnricher(base_url="https://gate.example")
    monkeypatch.setenv("EXACTBUYER_BASE_URL", "http://127.0.0.1:9/")
    assert BulkEnricher().settings.base_url == "http://127.0.0.1:9"
    monkeypatch.setenv("EXACTBUYER_BASE_URL", "")
    assert BulkEnricher().settings.service == "api.exactbuyer.com"


def test_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    with pytest.raises(ConfigError, match=r"EXACTBUYER_API_KEY.*BulkEnricher\.sandbox\(\)"):
        BulkEnricher().enrich(["ana@acme.example"])


def test_an_unusable_key_in_the_environment_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "hu\nsh")
    with pytest.raises(ConfigError, match=r"^EXACTBUYER_API_KEY holds a character") as caught:
        BulkEnricher().enrich(["ana@acme.example"])
    assert "sh" not in str(caught.value).split()


def test_where_nothing_is_to_ask_no_key_is_needed(
    run_list_call: Any, everybody: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    with BulkEnricher(base_url=everybody.url) as enricher:
        results = run_list_call(enricher, [None, "", ["?", None], "not an identifier"], on_error="record")
        assert [row["status"] for row in results] == ["missing", "missing", "invalid", "invalid"]
        assert results.receipt.requests == 0
        assert run_list_call(enricher, []) == []
        # The key is asked for when it is first needed, and not settled before.
        monkeypatch.setenv("EXACTBUYER_API_KEY", "one")
        assert run_list_call(enricher, ["ana@acme.example"])[0]["status"] == "found"


def test_a_pickled_copy_has_the_settings_but_neither_key_nor_ceiling(
    everybody: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY")
    copied = pickle.loads(pickle.dumps(BulkEnricher(KEY, base_url=everybody.url)))
    with pytest.raises(ConfigError, match="EXACTBUYER_API_KEY"):
        copied.enrich(["ana@acme.example"])
    with_ceiling = pickle.loads(pickle.dumps(BulkEnricher(KEY, base_url=everybody.url, max_credits=5)))
    with pytest.raises(ConfigError, match=r"pickled copy .* max_credits"):
        with_ceiling.enrich(["ana@acme.example"])


def test_a_pickled_copy_reads_the_key_where_it_is_opened(
    everybody: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = pickle.loads(pickle.dumps(BulkEnricher(KEY, base_url=everybody.url, chunk_size=10)))
    monkeypatch.setenv("EXACTBUYER_API_KEY", "another")
    assert copied.settings.chunk_size == 10
    assert copied.enrich(["ana@acme.example"])[0]["status"] == "found"


def test_cloudpickle_takes_it_along_in_a_closure(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    enricher = BulkEnricher(KEY, chunk_size=10)
    pickled = cloudpickle.dumps(lambda: enricher.settings.chunk_size)
    assert KEY.encode() not in pickled
    assert pickle.loads(pickled)() == 10


def test_a_closed_enricher_says_so() -> None:
    enricher = BulkEnricher(KEY)
    enricher.close()
    enricher.close()
    with pytest.raises(ConfigError, match="closed: make another"):
        enricher.enrich(["ana@acme.example"])
    assert enricher.recover() is None
    assert enricher.plan(["ana@acme.example"]).to_send == (1, 1)


def test_a_call_takes_no_budget() -> None:
    told = "a Budget belongs to BulkEnricher"
    with BulkEnricher.sandbox() as enricher, pytest.raises(ConfigError, match=told):
        enricher.plan([], max_credits=Budget(3))  # type: ignore[call-overload]


def test_what_an_enricher_does_not_have_is_no_attribute() -> None:
    enricher = BulkEnricher("a-key", base_url="http://127.0.0.1:9", store=None)
    assert not hasattr(enricher, "store")
    with pytest.raises(ConfigError, match="keeps nothing") as caught:
        _ = enricher.store
    error: ConfigError = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is type(caught.value)
    assert type(error).__name__ == "ConfigAttributeError"
    assert getattr(enricher, "sandbox_server", None) is None


def test_a_folder_that_is_not_there_is_not_made_for_a_store(tmp_path: Path) -> None:
    """A mistyped path would begin a new store, which pays for everything again."""
    with pytest.raises(ConfigError, match=r"^store is in the folder .*nodir, which does not exist: make the"):
        BulkEnricher.sandbox(store=tmp_path / "nodir" / "people.db")
    assert list(tmp_path.iterdir()) == []
    # The folder that "auto" chooses is made by the first call, whoever names it.
    path = tmp_path / ".exactbuyer" / "people.db"
    with BulkEnricher.sandbox(store=path) as enricher:
        enricher.enrich(["ana@acme.example"])
    assert path.is_file()


def test_a_file_of_authorities_is_found_from_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A setting is read where it is given, and the file at the first send.
    monkeypatch.chdir(tmp_path)
    assert _setting_checks.ca_bundle("ca.pem") == str(tmp_path / "ca.pem")


def test_the_path_of_a_store_may_begin_with_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert Store("~/people.db").path == tmp_path / "people.db"
    assert BulkEnricher(KEY, store="~/people.db").store.path == tmp_path / "people.db"
