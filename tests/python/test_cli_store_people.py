"""Decisions about people and doubts on the command line: what is asked first, and who is found."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_runs import run
from test_cli_store import asked, command, file, lines

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

__all__ = ["file"]


@pytest.mark.parametrize("yes", [True, False])
def test_it_asks_before_it_may_pay_twice(
    yes: bool,
    file: Path,
    everybody: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    everybody.fail("reset_after_billing", request=2)
    assert run(*command(file, everybody)).returncode == ExitCode.UNKNOWN
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(sys.stdin, "readline", lambda: "yes\n" if yes else "N\n")
    ended = main(["store", "--store", str(file.with_name("people.db")), "resolve", "resend"])
    told = capsys.readouterr().err
    assert told.startswith(
        "Send 10 lookups again with the next run? Up to 10 credits may be paid twice. [y/N]: "
    )
    assert ended == (ExitCode.DONE if yes else ExitCode.USAGE)
    assert ("nothing was changed" in told) is not yes
    assert len(lines(asked(file, "unknown"))) == (0 if yes else 10)


@pytest.mark.parametrize("spelling", ["not-charged", "not_charged"])
def test_a_decision_may_be_spelled_as_in_python(spelling: str, file: Path, everybody: Sandbox) -> None:
    everybody.fail("reset_after_billing", request=2)
    assert run(*command(file, everybody)).returncode == ExitCode.UNKNOWN
    resolved = asked(file, "resolve", spelling)
    assert b"10 lookups resolved; 10 credits no longer in doubt" in resolved.stdout


NATIONAL = "(201) 555-0124"


def test_a_national_number_is_found_and_purged_with_its_country(tmp_path: Path, everybody: Sandbox) -> None:
    path = tmp_path / "people.db"
    with BulkEnricher(None, base_url=everybody.url, store=path) as enricher:
        enricher.enrich(["+12015550124", "ana@acme.example"])
    for before, after in [((), ("--default-region", "US")), (("--default-region", "US"), ())]:
        found = run("store", "--store", path, *before, "find", NATIONAL, *after)
        assert [line["value"] for line in lines(found)] == ["+12015550124"]
    twice = run("store", "--store", path, "--default-region", "US", "find", "x", "--default-region", "US")
    assert b"--default-region was passed twice" in twice.stderr
    purged = run("store", "--store", path, "purge", "--default-region", "US", NATIONAL, "--yes")
    assert b"purged 1 answer" in purged.stdout
    allowed = run("store", "--store", path, "allow", "--default-region", "US", NATIONAL)
    assert b"may be looked up again" in allowed.stdout


@pytest.mark.parametrize("verb", ["find", "purge", "allow"])
@pytest.mark.parametrize(
    ("whom", "options", "said"),
    [
        (NATIONAL, [], "a phone number without a country code: write it with +, or set --default-region"),
        ("ana@acme.example, bob@acme.example", [], "more than one e-mail address: pass them one by one"),
        ("a***@acme.example", [], "cut off or masked"),
        ("Ana", ["--type", "email"], "an e-mail address needs a name"),
    ],
)
def test_an_identifier_that_cannot_be_read_is_refused(
    verb: str, whom: str, options: list[str], said: str, file: Path
) -> None:
    """It may be in the store in another form, so that nothing found would mislead."""
    with BulkEnricher.sandbox(store=file.with_name("people.db"), match_rate=1) as enricher:
        enricher.enrich(["person0@acme.example"])
    yes = ["--yes"] if verb == "purge" else []
    done = asked(file, verb, whom, *options, *yes)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert f"it is not an identifier ({said}" in done.stderr.decode()
    # Of several lines, the others are done.
    two = asked(file, verb, "-", *yes, stdin=f"{whom}\nperson0@acme.example\n".encode())
    if not options:
        assert (two.returncode, two.stdout.count(b"\n")) == (ExitCode.USAGE, 1)
        assert f"line 1: it is not an identifier ({said}" in two.stderr.decode()
    if verb == "purge":
        placeholder = asked(file, verb, "n/a", "--yes")
        assert b"add it to --na-value of `exactbuyer enrich`" in placeholder.stderr
