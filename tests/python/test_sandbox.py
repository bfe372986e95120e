"""The sandbox from Python, by a client of the standard library: what the vendor would say, and its books."""

from __future__ import annotations

import http.client
import inspect
import json
import os
import pickle
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

import pytest

from exactbuyer import BulkEnricher, ConfigError, InvalidIdentifierError
from exactbuyer.sandbox import Sandbox, main

if TYPE_CHECKING:
    from collections.abc import Sequence


def call(
    url: str,
    values: Sequence[str],
    *,
    key: str = "any",
    required: Sequence[str] = (),
    path: str = "/v1/bulk-enrich",
    field_type: str = "email",
) -> tuple[int, dict[str, str], bytes]:
    """One call, as the vendor's sample makes it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    form = {
        "query_list": json.dumps([{"field_type": field_type, "value": value} for value in values]),
        "required_fields": json.dumps([{"field_type": name} for name in required]),
    }
    headers = {"X-API-Key": key, "Content-Type": "application/x-www-form-urlencoded"}
    try:
        connection.request("POST", path, urlencode(form), headers)
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def found(url: str, values: Sequence[str], **more: Any) -> list[Any]:
    status, _, body = call(url, values, **more)
    assert status == 200
    return [contact["enriched_contact"] for contact in json.loads(body)["contacts"]]


def test_pins_misses_and_rejections() -> None:
    with Sandbox(match_rate=0.0) as sandbox:
        ana = {"full_name": "Ána", "phone_numbers": [{"E164": "+1"}], "odd": "\ud800", "big": 10**30}
        sandbox.person("ana@x.example", ana)
        assert found(sandbox.url, ["Ana@x.example", "bo@x.example"]) == [ana, None]
        assert found(sandbox.url, ["ana@x.example"], required=["work_email"]) == [None]
        sandbox.nobody("ana@x.example")
        assert found(sandbox.url, ["ana@x.example"]) == [None]
        sandbox.reject("bo@x.example")
        assert call(sandbox.url, ["ana@x.example", "bo@x.example"])[0] == 400
        ledger = sandbox.ledger
        assert (ledger.credits, ledger.billed) == (1, {"ana@x.example": 1})
        assert (ledger.times_asked("ana@x.example"), ledger.times_billed("ANA@x.example")) == (3, 1)
        assert [request.status for request in ledger.requests] == [200, 200, 200, 400]
        assert [tuple(entry) for entry in ledger.entries[:2]] == [
            (1, "email", "ana@x.example", 1),
            (1, "email", "bo@x.example", 0),
        ]


def test_the_same_seed_knows_the_same_people() -> None:
    values = [f"p{n}@acme.example" for n in range(200)]
    people = []
    for seed in (1, 1, 2):
        with Sandbox(seed=seed) as sandbox:
            people.append(found(sandbox.url, values))
    assert people[0] == people[1] != people[2]
    assert 100 < sum(person is not None for person in people[0]) < 180


def test_credits_keys_and_the_rate_limit() -> None:
    with Sandbox(
        match_rate=1.0, credits=2, requests_per_minute=3, retry_after="seconds", api_key="right"
    ) as sandbox:
        assert sandbox.api_key == "right"
        assert call(sandbox.url, ["a@x.example"], key="wrong")[0] == 401
        values = ["a@x.example", "b@x.example"]
        assert [call(sandbox.url, values, key="right")[0] for _ in range(2)] == [200, 403]
        assert sandbox.credits_left == 0
        sandbox.top_up(2)
        assert [call(sandbox.url, values, key="right")[0] for _ in range(2)] == [200, 429]
        status, headers, body = call(sandbox.url, values, key="right")
        assert (status, body[:15]) == (429, b"<!DOCTYPE html>")
        assert 1 <= int(headers["retry-after"]) <= 60
        ledger = sandbox.ledger
        # The one without the key, and the one that the credits did not reach for, were sent as well.
        assert [request.status for request in ledger.requests] == [401, 200, 403, 200, 429, 429]
        assert (ledger.busiest(), ledger.credits) == (4, 4)
        with pytest.raises(ValueError, match="window_s"):
            ledger.busiest(0.0)
        arrivals = [request.arrived_s for request in ledger.requests]
        assert arrivals == sorted(arrivals)
        assert all(request.has_key for request in ledger.requests)
        sandbox.reset()
        assert sandbox.ledger.requests == []
        assert call(sandbox.url, values, key="right")[0] == 200


def test_one_text_asked_for_by_two_field_types_is_billed_for_both() -> None:
    with Sandbox(match_rate=1.0) as sandbox:
        value = "a/b@x.example"
        assert call(sandbox.url, [value])[0] == 200
        assert call(sandbox.url, [value], field_type="social_profile")[0] == 200
        assert sandbox.ledger.billed == {value: sandbox.ledger.credits} == {value: 2}
        # Without a field type, it is what it is as a row: an e-mail address.
        assert sandbox.ledger.times_billed(value) == 1


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("0151 12345678", "a phone number without a country code: write it with +"),
        ("not an id", "not recognised as an e-mail address, phone number or social profile"),
        ("ana@", "an e-mail address needs a name, an @ and a domain"),
        ("n/a", "a placeholder"),
        (" ", "there is nothing in it"),
    ],
)
def test_a_value_that_no_row_could_match_is_refused(value: str, why: str) -> None:
    with Sandbox() as sandbox:
        ledger = sandbox.ledger
        for ask in (
            lambda: sandbox.person(value, {"full_name": "Ana Almeida"}),
            lambda: sandbox.nobody(value),
            lambda: sandbox.reject(value),
            lambda: ledger.times_billed(value),
            lambda: ledger.times_asked(value),
        ):
            with pytest.raises(InvalidIdentifierError) as refused:
                ask()
            assert str(refused.value).startswith(f"it is not an identifier ({why}")
            assert "default_region" not in str(refused.value)
            assert "field_type" not in str(refused.value)


@pytest.mark.parametrize("value", [None, 2015550123, ["ana@x.example"], ("email", "ana@x.example")])
def test_the_sandbox_takes_one_identifier_as_a_string(value: Any) -> None:
    with Sandbox() as sandbox:
        for ask in (sandbox.nobody, sandbox.reject, sandbox.ledger.times_billed, sandbox.ledger.times_asked):
            with pytest.raises(TypeError, match="must be a string"):
                ask(value)


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ("+49 (0)151 12345678", ("phone", "0151 12345678")),
        ("tel:+49-151-12345678", "+4915112345678"),
        ("Ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
        ("https://de.linkedin.com/in/ana-lopez/?trk=x", "linkedin.com/in/ana-lopez"),
        ("example.org/people/ana", ("social_profile", "https://example.org/people/ana")),
        ("ana.github.io", "https://ana.github.io/"),
        ("a/b@x.example", "A/B@x.example"),
    ],
)
def test_any_spelling_that_a_row_may_have_matches(given: str, row: Any) -> None:
    with BulkEnricher.sandbox(match_rate=0, default_region="DE") as enricher:
        sandbox = enricher.sandbox_server
        sandbox.person(given, {"full_name": "Ana Lopez"})
        assert enricher.enrich([row]).contacts == [{"full_name": "Ana Lopez"}]
        assert (sandbox.ledger.times_asked(given), sandbox.ledger.times_billed(given)) == (1, 1)


def test_a_contact_that_json_cannot_say_is_refused() -> None:
    with Sandbox() as sandbox:
        with pytest.raises(ValueError, match="JSON"):
            sandbox.person("ana@x.example", {"score": float("nan")})
        with pytest.raises(ValueError, match="JSON"):
            sandbox.person("ana@x.example", {"current_work_email": "\ud800"})


def test_bad_luck_strikes_when_told() -> None:
    with Sandbox(match_rate=1.0) as sandbox:
        sandbox.fail("reset_after_billing", request=[2, 3])
        sandbox.fail("status_503", request=4, retry_after=7)
        sandbox.fail("slow", request=5, pause=timedelta(milliseconds=1))
        sandbox.fail("redirect_307", request=6, location="http://127.0.0.1:9/")
        assert call(sandbox.url, ["a@x.example"])[0] == 200
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                call(sandbox.url, ["a@x.example"])
        status, headers, _ = call(sandbox.url, ["a@x.example"])
        assert (status, headers["retry-after"]) == (503, "7")
        assert call(sandbox.url, ["a@x.example"])[0] == 200
        status, headers, _ = call(sandbox.url, ["a@x.example"])
        assert (status, headers["location"]) == (307, "http://127.0.0.1:9/")
        ledger = sandbox.ledger
        assert ledger.times_billed("a@x.example") == 4
        assert [request.fault for request in ledger.requests] == [
            None,
            "reset_after_billing",
            "reset_after_billing",
            "status_503",
            "slow",
            "redirect_307",
        ]


def test_chance_is_the_seeds() -> None:
    def struck(seed: int) -> list[bool]:
        with Sandbox(seed=seed) as sandbox:
            sandbox.fail("status_500", probability=0.3)
            return [call(sandbox.url, ["a@x.example"])[0] == 500 for _ in range(50)]

    assert struck(1) == struck(1) != struck(2)
    assert 3 < sum(struck(1)) < 30


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"match_rate": 1.5}, "match_rate"),
        ({"match_rate": float("nan")}, "match_rate"),
        ({"latency": -1}, "latency"),
        ({"credits": -1}, "credits"),
        ({"seed": -1}, "seed"),
        ({"port": 65_536}, "port"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
        ({"retry_after": "soon"}, "retry_after"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        Sandbox(**settings)


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"fault": "sunshine"}, "fault"),
        ({"fault": "hang", "request": 0}, "request"),
        ({"fault": "hang", "probability": 2}, "probability"),
        ({"fault": "hang", "request": 1, "probability": 0.5}, "not both"),
        ({"fault": "hang", "times": -1}, "times"),
        ({"fault": "slow", "pause": -1}, "pause"),
    ],
)
def test_rules_that_make_no_sense_are_named(rule: dict[str, Any], word: str) -> None:
    with Sandbox() as sandbox, pytest.raises(ValueError, match=word):
        sandbox.fail(**rule)


def test_a_closed_one_says_so() -> None:
    sandbox = Sandbox()
    sandbox.close()
    sandbox.close()
    assert sandbox.url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="closed"):
        _ = sandbox.ledger
    with pytest.raises(OSError):
        call(sandbox.url, ["a@x.example"])


def test_a_taken_port_is_an_os_error() -> None:
    with Sandbox() as sandbox, pytest.raises(OSError):
        Sandbox(port=urlsplit(sandbox.url).port or 0)


def test_it_cannot_be_pickled() -> None:
    with Sandbox() as sandbox, pytest.raises(TypeError):
        pickle.dumps(sandbox)


FORKED = """
import os, sys
from exactbuyer.sandbox import Sandbox
sandbox = Sandbox()
child = os.fork()
if child == 0:
    try:
        sandbox.ledger
    except RuntimeError as error:
        assert "forked" in str(error)
        sandbox.close()
        del sandbox
        sys.exit(7)
    sys.exit(1)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 7, status
assert sandbox.ledger.requests == []
sandbox.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_neither_hangs_nor_ends_it() -> None:
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_another_process_until_it_is_told_to_stop(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "exactbuyer.sandbox", "--match-rate", "1", "--credits", "1", "--fail"]
    with subprocess.Popen(
        [*command, "status_500@2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert [call(url, ["a@x.example"])[0] for _ in range(3)] == [200, 500, 403]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (out, err, process.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fail", "sunshine"], "there is no fault 'sunshine'"),
        (["--fail", "hang@x"], "'x' after @ is not a request: write hang@3 or hang~0.1"),
        (["--fail", "hang~"], "'' after ~ is not a probability"),
        (["--fail", "hang~2"], "probability must be a number from 0 to 1"),
        (["--match-rate", "2"], "match_rate must be a number from 0 to 1"),
    ],
)
def test_the_command_says_what_it_cannot_read(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    written = capsys.readouterr().err
    assert "usage:" in written
    assert said in written


def test_the_command_names_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox() as sandbox:
        port = str(urlsplit(sandbox.url).port)
        with pytest.raises(SystemExit) as stopped:
            main(["--port", port])
    assert stopped.value.code == 2
    assert f"port {port} of this machine cannot be had" in capsys.readouterr().err


def test_the_fixture_is_a_sandbox(exactbuyer_sandbox: Sandbox) -> None:
    assert call(exactbuyer_sandbox.url, ["a@x.example"])[0] == 200
    assert os.environ["EXACTBUYER_OFFLINE"] == "1"


@pytest.mark.exactbuyer_sandbox(match_rate=0.0)
def test_the_marker_sets_the_fixture_up(exactbuyer_sandbox: Sandbox) -> None:
    assert found(exactbuyer_sandbox.url, ["a@x.example"]) == [None]


def test_the_sandbox_of_an_enricher_has_its_options() -> None:
    with BulkEnricher.sandbox(match_rate=1, latency=0.01, seed=3, credits=2, chunk_size=2) as enricher:
        results = enricher.enrich(["ana.almeida@acme.example", "linkedin.com/in/bo-berg-17"])
        names = [cast("Any", row["enriched_contact"])["full_name"] for row in results]
        assert names == ["Ana Almeida", "Bo Berg"]
        assert enricher.sandbox_server.credits_left == 0
        assert enricher.settings.chunk_size == 2
    with BulkEnricher.sandbox(match_rate=0) as enricher:
        assert enricher.enrich(["ana.almeida@acme.example"])[0]["status"] == "not_found"


def test_the_sandbox_of_an_enricher_has_the_parameters_of_both() -> None:
    ours = inspect.signature(BulkEnricher.sandbox).parameters
    of_enricher = dict(inspect.signature(BulkEnricher).parameters)
    of_sandbox = dict(inspect.signature(Sandbox).parameters)
    del of_enricher["api_key"], of_enricher["base_url"]
    # The sandbox keeps the service's own limit, so that a higher setting meets 429s.
    del of_sandbox["api_key"], of_sandbox["port"], of_sandbox["requests_per_minute"]
    assert set(ours) == of_enricher.keys() | of_sandbox.keys()
    for name, parameter in (of_sandbox | of_enricher).items():
        assert (ours[name].default, ours[name].annotation) == (parameter.default, parameter.annotation)


@pytest.mark.parametrize("wrong", [{"match_rate": 2}, {"latency": -1}, {"seed": "x"}, {"credits": -1}])
def test_a_wrong_option_of_the_sandbox_is_a_wrong_setting(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^{next(iter(wrong))} must be"):
        BulkEnricher.sandbox(**wrong)
