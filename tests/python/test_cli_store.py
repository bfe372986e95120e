"""The same command again pays only for the rest; and what a store answers on the command line."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_runs import COMMAND, PATIENCE_S, against, environment, last_line, people, run, start, until
from test_cli_trouble import SLOWLY, statuses

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode
from exactbuyer.sandbox import Sandbox
from exactbuyer.store import Store


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(people(200))
    return file


def command(file: Path, sandbox: Sandbox, *options: object) -> list[Any]:
    folder = file.parent
    return [
        "enrich", file, "--by", "mail", "-o", folder / "out.csv", "--store", folder / "people.db",
        *SLOWLY, *against(sandbox), "--json", *options,
    ]  # fmt: skip


def asked(file: Path, *arguments: object, stdin: bytes = b"") -> Any:
    return run("store", "--store", file.parent / "people.db", *arguments, stdin=stdin)


def lines(done: Any) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_store_may_be_named_after_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.db"
    with BulkEnricher.sandbox(match_rate=1, store=path) as enricher:
        enricher.enrich(["ana@acme.example"])
    # Whatever the store would be otherwise.
    for otherwise in ("none", "elsewhere.db"):
        monkeypatch.setenv("EXACTBUYER_STORE", otherwise)
        told = run("store", "info", "--store", path)
        assert told.returncode == 0, told.stderr
        assert b"contacts  1" in told.stdout
    twice = run("store", "--store", path, "info", "--store", path)
    assert (twice.returncode, b"--store was passed twice" in twice.stderr) == (ExitCode.USAGE, True)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_after_whatever_stopped_it_only_the_rest_is_paid_for(
    number: signal.Signals, file: Path, everybody: Sandbox
) -> None:
    everybody.fail("hang", request=6)
    process = start(*command(file, everybody, "--grace", 0.1), stderr=subprocess.PIPE)
    until(lambda: len(everybody.ledger.requests) == 6)
    process.send_signal(number)
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode not in {0, ExitCode.BUG}
    assert b"Traceback" not in told
    output = file.with_name("out.csv")
    assert not output.exists()
    if number == signal.SIGINT:
        assert b"run the same command again: it pays only for the rest" in told
        assert not file.with_name("out.partial.csv").exists()

    # What was in flight may have been charged: it is held back, and everything else is done.
    done = run(*command(file, everybody))
    assert done.returncode == ExitCode.UNKNOWN, done.stderr
    assert everybody.ledger.credits == 200
    assert max(everybody.ledger.times_billed(f"person{nth}@acme.example") for nth in range(200)) == 1
    met = statuses(output)
    assert (met.count("found"), met.count("unknown")) == (190, 10)
    assert last_line(done)["credits"] == 140
    assert "exactbuyer store --store" in done.stderr.decode()

    doubts = lines(asked(file, "unknown"))
    assert [doubt["value"] for doubt in doubts] == [f"person{nth}@acme.example" for nth in range(50, 60)]
    assert b"exactbuyer store unknown; then resolve resend, drop or not-charged" in asked(file, "info").stdout
    request = lines(asked(file, "unknown"))[0]["request"]
    assert b"has left nothing in doubt" in asked(file, "resolve", "drop", "--request", 99).stderr
    refused = asked(file, "resolve", "resend", "--request", request)
    assert (refused.returncode, refused.stdout) == (ExitCode.USAGE, b"")
    assert (
        b"sending 10 lookups again may pay up to 10 credits twice, and there is no terminal" in refused.stderr
    )
    assert len(lines(asked(file, "unknown"))) == 10
    resolved = asked(file, "resolve", "resend", "--request", request, "--yes")
    assert b"10 lookups resolved" in resolved.stdout
    assert b"the next `exactbuyer enrich` with these people sends them again" in resolved.stderr
    # Nothing is left to ask about.
    assert b"nothing was in doubt" in asked(file, "resolve", "resend").stdout
    done = run(*command(file, everybody))
    assert (done.returncode, statuses(output)) == (0, ["found"] * 200)
    assert last_line(done)["credits"] == 10


@pytest.mark.skipif(os.name != "posix", reason="SIGHUP is POSIX's")
def test_a_closed_terminal_ends_a_run_in_good_order(file: Path, everybody: Sandbox) -> None:
    everybody.fail("slow", request=6, pause=0.5)
    ours, theirs = os.openpty()
    # The first terminal that the leader of a session opens becomes the session's own.
    in_terminal = shlex.join([*COMMAND, *map(str, command(file, everybody))])
    terminal = os.ttyname(theirs)
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {in_terminal} < {terminal} > {terminal} 2>&1"],
        env=environment(),
        start_new_session=True,
        # What is ignored when a shell begins, as under `nohup`, stays ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # noqa: PLW1509
    )
    until(lambda: len(everybody.ledger.requests) == 6)
    os.close(theirs)
    os.close(ours)
    assert process.wait(PATIENCE_S) == -signal.SIGTERM
    with Store(file.with_name("people.db")) as store:
        assert store.info().unknown == 0
        assert store.info().hits == everybody.ledger.credits
    # A program that was started with `nohup` survives it.
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"trap '' HUP; exec {in_terminal} 2> {os.devnull}"], env=environment()
    )
    before = len(everybody.ledger.requests)
    until(lambda: len(everybody.ledger.requests) > before)
    process.send_signal(signal.SIGHUP)
    assert process.wait(PATIENCE_S) == 0
    assert statuses(file.with_name("out.csv")) == ["found"] * 200


def test_credits_that_ran_out_leave_the_rest_for_later(file: Path, everybody: Sandbox) -> None:
    done = run(*command(file, everybody, "--max-credits", 50))
    assert done.returncode == ExitCode.CREDITS
    assert last_line(done)["credits"] == 50
    # The ceiling counts what the store has on record: the same command again buys nothing more.
    done = run(*command(file, everybody, "--max-credits", 50))
    assert (done.returncode, last_line(done)["credits"]) == (ExitCode.CREDITS, 0)
    done = run(*command(file, everybody, "--max-credits", 30, "--per", "run"))
    assert (done.returncode, last_line(done)["credits"]) == (ExitCode.CREDITS, 30)
    done = run(*command(file, everybody))
    assert (done.returncode, last_line(done)["credits"]) == (0, 120)
    assert everybody.ledger.credits == 200
    done = run(*command(file, everybody, "--per", "day"))
    assert (done.returncode, b"pass --max-credits too" in done.stderr) == (ExitCode.USAGE, True)


def test_a_plan_knows_the_store(file: Path, everybody: Sandbox) -> None:
    assert run(*command(file, everybody)).returncode == 0
    file.write_text(people(210))
    given = [
        "plan",
        file,
        "--by",
        "mail",
        "--store",
        file.with_name("people.db"),
        *against(everybody),
        "--json",
    ]
    plan = json.loads(run(*given).stdout)
    assert (plan["from_store"], plan["max_credits"]) == (200, 10)
    plan = json.loads(run(*given, "--refresh").stdout)
    assert (plan["bought_again"], plan["max_credits"]) == (200, 210)


def test_only_the_store_is_asked_if_that_is_wanted(file: Path, everybody: Sandbox) -> None:
    assert run(*command(file, everybody)).returncode == 0
    requests = len(everybody.ledger.requests)
    file.write_text(people(205))
    done = run(*command(file, everybody, "--store-only"), key=None)
    assert done.returncode == ExitCode.ROWS_FAILED
    assert statuses(file.with_name("out.csv")) == ["found"] * 200 + ["not_sent"] * 5
    assert len(everybody.ledger.requests) == requests


def test_what_a_store_answers(file: Path, everybody: Sandbox) -> None:
    done = run(*command(file, everybody, "--tag", "job=spring"))
    assert done.returncode == 0
    told = json.loads(asked(file, "info", "--json").stdout)
    assert (told["hits"], told["credits"], told["requests"]) == (200, 200, 20)
    assert b"contacts  200" in asked(file, "info").stdout
    assert lines(asked(file, "summary", "--by", "job")) == [
        {"job": "spring", "requests": 20, "lookups": 200, "hits": 200, "credits": 200, "credits_in_doubt": 0}
    ]
    month = lines(asked(file, "summary"))[0]["month"]
    assert b"200" in asked(file, "reconcile", month, 200).stdout

    found = lines(asked(file, "find", "-", stdin=b"person7@acme.example\n"))
    assert found[0]["value"] == "person7@acme.example"
    assert found[0]["enriched_contact"]["full_name"]
    # As the export and the columns have it.
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[0]["fetched_at"])
    backup = file.with_name("backup.db")
    assert b"backup in" in asked(file, "backup", backup).stderr
    assert json.loads(run("store", "--store", backup, "info", "--json").stdout)["hits"] == 200
    done = asked(file, "backup", backup)
    assert (done.returncode, b"is there already" in done.stderr) == (ExitCode.USAGE, True)
    exported = file.with_name("all.jsonl")
    assert asked(file, "export", exported).returncode == 0
    assert len(exported.read_text().splitlines()) == 200
    done = asked(file, "export", file.parent / "nowhere" / "all.jsonl")
    assert (done.returncode, done.stderr.count(b"\n")) == (ExitCode.FILES, 1)

    done = asked(file, "purge", "person7@acme.example")
    assert (done.returncode, b"pass --yes" in done.stderr) == (ExitCode.USAGE, True)
    assert b"purged 1 answer" in asked(file, "purge", "-", "--yes", stdin=b"person7@acme.example\n").stdout
    several = b"\xef\xbb\xbfperson8@acme.example\r\n\n person9@acme.example\nPERSON10@acme.example"
    assert len(lines(asked(file, "find", "-", stdin=several))) == 3
    assert asked(file, "purge", "-", "--yes", stdin=several).stdout.count(b"purged 1 answer") == 3
    assert asked(file, "find", "-", stdin=several).stderr.count(b"the store has nothing about line") == 3
    assert asked(file, "allow", "-", stdin=several).stdout.count(b"may be looked up again") == 3
    done = asked(file, "purge", "-", "--yes", stdin=b"person8@acme.example\n\n???\nperson9@acme.example")
    assert (done.returncode, done.stdout.count(b"purged")) == (ExitCode.USAGE, 2)
    assert b"line 3: " in done.stderr
    assert asked(file, "find", "person9@acme.example").stdout == b""
    done = asked(file, "purge", "-", "--yes", stdin=b"\n")
    assert (done.returncode, b"standard input is empty" in done.stderr) == (ExitCode.USAGE, True)
    again = asked(file, "purge", "person7@acme.example", "--yes")
    assert b"the store had nothing about them: check the spelling" in again.stderr
    nobody = asked(file, "find", "person7@acme.example")
    assert (lines(nobody), b"the store has nothing about them" in nobody.stderr) == ([], True)
    assert statuses(file.with_name("out.csv"))[7] == "found"
    assert run(*command(file, everybody)).returncode == ExitCode.DONE
    assert statuses(file.with_name("out.csv"))[7] == "not_sent"
    assert b"may be looked up again" in asked(file, "allow", "person7@acme.example").stdout
    assert b"neither" in asked(file, "allow", "person7@acme.example").stdout
    assert b"nothing to do" in asked(file, "migrate").stdout


@pytest.mark.parametrize(
    ("arguments", "ending", "said"),
    [
        (["purge", "nobody", "--yes"], ExitCode.USAGE, "it is not an identifier"),
        (["purge", "--older-than", "nan", "--yes"], ExitCode.USAGE, "not a number of days from 0 to 36,500"),
        (["purge", "--older-than", "-1", "--yes"], ExitCode.USAGE, "not a number of days"),
        (["purge", "--older-than", "1e9", "--yes"], ExitCode.USAGE, "not a number of days"),
        (
            ["purge", "x@y.example", "--older-than", "1", "--yes"],
            ExitCode.USAGE,
            "either WHOM to purge or --older-than",
        ),
        (["allow", "nobody"], ExitCode.USAGE, "it is not an identifier"),
        (["find", ""], ExitCode.USAGE, "nothing to find"),
        (["reconcile", "2026-13", "1"], ExitCode.USAGE, "month"),
        (["reconcile", "2026-10", "1", "--tz", "Mars/Base"], ExitCode.USAGE, "time zone"),
        (["summary", "--tz", "Mars/Base"], ExitCode.USAGE, "time zone"),
        (
            ["summary", "--by", "mont"],
            ExitCode.USAGE,
            "--by names a tag that no request has: did you mean 'month'",
        ),
        (["export", "all.csv"], ExitCode.USAGE, ".jsonl"),
        (["merge", "nowhere.db"], ExitCode.STORE, "nowhere.db"),
        (["merge", "people.csv"], ExitCode.STORE, "people.csv"),
        (["merge", "people.db"], ExitCode.USAGE, "merged with itself"),
        (["resolve", "forget"], ExitCode.USAGE, "resend"),
    ],
)
def test_what_a_store_cannot_do_is_told(
    file: Path, everybody: Sandbox, arguments: list[str], ending: ExitCode, said: str
) -> None:
    file.write_text(people(3))
    assert run(*command(file, everybody)).returncode == 0
    done = run("store", "--store", "people.db", *arguments, cwd=file.parent)
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (ending, b""), told
    assert said in told
    assert "Traceback" not in told
    assert (
        len([line for line in told.splitlines() if not line.startswith(("Usage", "Try", "Error", " "))]) <= 1
    )


def test_letters_that_a_terminal_cannot_show_are_escaped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with Sandbox() as sandbox:
        sandbox.person("person0@acme.example", {"full_name": "Zoë \U0001f600", "half": "\ud800"})
        file.write_text(people(1))
        assert run(*command(file, sandbox)).returncode == 0
        found = lines(asked(file, "find", "person0@acme.example"))
    assert found[0]["enriched_contact"] == {"full_name": "Zoë \U0001f600", "half": "\ud800"}


def test_stores_are_merged(file: Path, everybody: Sandbox) -> None:
    assert run(*command(file, everybody)).returncode == 0
    other = file.with_name("other.csv")
    other.write_text(people(50, first=180))
    given = [
        "enrich",
        other,
        "--by",
        "mail",
        "--store",
        file.with_name("other.db"),
        *against(everybody),
        "-q",
    ]
    assert run(*given).returncode == 0
    assert b"50 lookups" in asked(file, "merge", file.with_name("other.db")).stdout
    file.write_text(people(230))
    done = run(*command(file, everybody))
    assert (done.returncode, last_line(done)["credits"], last_line(done)["from_store"]) == (0, 0, 230)


@pytest.mark.parametrize("arguments", [["info"], ["unknown"], ["find", "x"], ["purge", "x", "--yes"]])
def test_a_store_that_is_not_there_is_told_and_not_made(arguments: list[str], tmp_path: Path) -> None:
    done = run("store", *arguments, cwd=tmp_path)
    assert done.returncode == ExitCode.STORE
    assert b"there is no store at" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    (tmp_path / "people.db").write_text("no store at all" * 1000)
    done = run("store", "--store", tmp_path / "people.db", "info")
    assert (done.returncode, done.stderr.count(b"\n")) == (ExitCode.STORE, 1), done.stderr


@pytest.fixture
def purged(everybody: Sandbox, tmp_path: Path) -> Path:
    """A store from which somebody was purged whom the contacts of others mention."""
    for number in range(100):
        everybody.person(f"person{number}@acme.example", {"personal_emails": ["boss@acme.example"]})
    path = tmp_path / "people.db"
    with BulkEnricher("a-key", base_url=everybody.url, store=path) as enricher:
        enricher.enrich(["boss@acme.example"])
        enricher.store.purge("boss@acme.example")
    return path


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_a_stopped_run_keeps_what_the_store_must_not_have(
    everybody: Sandbox, tmp_path: Path, purged: Path
) -> None:
    file, output = tmp_path / "many.csv", tmp_path / "out.csv"
    file.write_text(people(100))
    before = len(everybody.ledger.requests)
    everybody.fail("hang", request=before + 4)
    command = start(
        "enrich", file, "--by", "mail", "-o", output, "--store", purged, *SLOWLY, *against(everybody),
        "--json", "--grace", 0.1, stderr=subprocess.PIPE,
    )  # fmt: skip
    until(lambda: len(everybody.ledger.requests) == before + 4)
    command.send_signal(signal.SIGTERM)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signal.SIGTERM, told
    assert b"among them 30 answers that the store does not have; check the service's usage page, then" in told
    assert b"; then run the same command again" in told
    last = json.loads(told.splitlines()[-1])
    assert (last["lost_credits"], last["credits"]) == (0, 30)
    assert statuses(Path(last["kept"]))[:30] == ["found"] * 30


def test_a_run_says_that_only_its_output_has_an_answer(
    everybody: Sandbox, tmp_path: Path, purged: Path
) -> None:
    file, output = tmp_path / "some.csv", tmp_path / "out.csv"
    file.write_text(people(20))
    given = ["enrich", file, "--by", "mail", "-o", output, "--store", purged, *against(everybody)]
    done = run(*given, "--quiet", "--json")
    assert done.returncode == ExitCode.DONE
    assert b"out.csv: 20 answers in it are not in the store" in done.stderr
    assert last_line(done)["unstored"] == 20
