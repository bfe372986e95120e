"""`exactbuyer store …`: questions to a store, answered on standard output. Thin: the store answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import update_wrapper
from typing import Any

import click

from exactbuyer.enricher import BulkEnricher
from exactbuyer.exceptions import InvalidIdentifierError, StoreError
from exactbuyer.field_types import FIELD_TYPES
from exactbuyer.report.message import said
from exactbuyer.report.wording import count
from exactbuyer.store import Info, Store
from exactbuyer.store import migrate as migrate_file

from ._console import Console, json_line, print_data, print_message
from ._options import credit_count, days
from ._words import RESOLUTIONS, STORE_WORDS, WORDS
from .exit_codes import CommandError, ExitCode, FileError, UsageError


@click.group(short_help="Show what was bought and what is in doubt; delete people.")
@click.option(
    "--store",
    "path",
    metavar="FILE",
    help="The store. By default, the one that `enrich` uses for the real service.",
)
@click.option("--default-region", metavar="CC", help="The country of phone numbers without a country code.")
@click.pass_context
def store(context: click.Context, path: str | None, default_region: str | None) -> None:
    """Show what was bought, what is in doubt and what it cost; delete people.

    `enrich` keeps its answers in the store: the FILE passed with --store, else what EXACTBUYER_STORE names,
    else a file in .exactbuyer/ of the working directory (or where a warning said).
    """
    context.obj = path, default_region


def _pass_store(function: Callable[..., int]) -> Callable[..., int]:
    """Passes the store. Each command has --store, as people type `exactbuyer store info --store FILE`."""

    @click.option("--store", "here", metavar="FILE", hidden=True)
    @click.pass_obj
    def with_store(given: tuple[str | None, str | None], /, *, here: str | None, **options: Any) -> int:
        path, default_region = given
        region_here = options.pop("region_here", None)
        for option, twice in (
            ("--store", path and here),
            ("--default-region", default_region and region_here),
        ):
            if twice:
                raise UsageError(f"{option} was passed twice: which one?")
        default_region = default_region or region_here
        # By default, the store of an enricher without any settings: its answers would be kept there.
        with Console().showing_log():
            file = path or here or BulkEnricher().settings.store
        if file is None:
            raise UsageError("there is no store: pass --store FILE")
        return function(Store(file, default_region=default_region), **options)

    return update_wrapper(with_store, function)


def _json_option(function: Any) -> Any:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


_type_option = click.option(
    "--type",
    "field_type",
    type=click.Choice(FIELD_TYPES),
    help="The field type of WHOM. By default, it is inferred.",
)


_region_option = click.option(
    "--default-region",
    "region_here",
    metavar="CC",
    help="The country of a phone number without a country code, such as US.",
)


def _whom_argument(function: Any) -> Any:
    return click.argument("whom", metavar="WHOM")(_type_option(_region_option(function)))


@store.command()
@_json_option
@_pass_store
def info(asked: Store, *, as_json: bool) -> int:
    """Print what is in the store: contacts, doubts, credits, size."""
    with _checked(asked):
        answer = asked.info()
        return _print([json_line(asdict(answer))]) if as_json else _print_answer(answer)


@store.command(short_help="Print every lookup in doubt, as JSON Lines.")
@_pass_store
def unknown(asked: Store) -> int:
    """Print every lookup that may have been charged and has no answer, as JSON Lines."""
    with _checked(asked):
        return _print(json_line(asdict(doubt)) for doubt in asked.unknown())


_AFTER = {
    "resend": "nothing was sent yet: the next `exactbuyer enrich` with these people sends them again",
    "drop": "they are not_sent from now on, until `exactbuyer store allow`",
    "not-charged": "nothing was sent yet: the next `exactbuyer enrich` with these people sends them again",
}
"""What follows from a decision."""


def _with_hyphens(text: str) -> str:
    return text.replace("_", "-")


@store.command(
    short_help="Decide what happens to lookups in doubt.",
    # Also as the Python API spells it: not_charged.
    context_settings={"token_normalize_func": _with_hyphens},
)
@click.argument("resolution", type=click.Choice(RESOLUTIONS))
@click.option(
    "--request",
    "requests",
    type=int,
    multiple=True,
    metavar="NUMBER",
    help="Only the lookups of this request: a number that `unknown` prints. Repeatable.",
)
@click.option("-y", "--yes", is_flag=True, help="Resend without asking.")
@_pass_store
def resolve(asked: Store, resolution: str, requests: tuple[int, ...], *, yes: bool) -> int:
    """Decide what happens to lookups in doubt. Look at the usage page of the service first.

    resend: the next run sends them again, which may pay twice. drop: they are not sent again. not-charged:
    the usage page shows that none of the credits in doubt (see `info`) was charged; the next run sends them
    again, and these credits no longer count.
    """
    with _checked(asked):
        if resolution == "resend":
            doubts = sum(not requests or doubt.request in requests for doubt in asked.unknown())
            lookups, most = count(doubts, "lookup"), count(doubts, "credit")
            if doubts:
                _confirm(
                    f"Send {lookups} again with the next run? Up to {most} may be paid twice.",
                    f"sending {lookups} again may pay up to {most} twice",
                    otherwise="nothing was changed",
                    yes=yes,
                )
        decision: Any = resolution.replace("-", "_")
        resolved = asked.resolve_unknown(decision, requests=requests or None)
        _print_answer(resolved)
        if resolved.lookups:
            print_message(_AFTER[resolution])
        return ExitCode.DONE


@store.command()
@click.option(
    "--by",
    multiple=True,
    default=["month"],
    show_default=True,
    help="day, month, year, or a tag. Repeatable.",
)
@click.option("--tz", metavar="NAME", help="The time zone of days and months, such as Europe/Berlin.")
@_pass_store
def summary(asked: Store, by: tuple[str, ...], tz: str | None) -> int:
    """Print totals of requests, lookups and credits, as JSON Lines."""
    with _checked(asked):
        rows = asked.summary(by, tz=tz)
        return _print(json_line(row) for row in rows)


@store.command()
@click.argument("month", metavar="YYYY-MM")
@click.argument("invoiced", type=credit_count)
@click.option("--tz", metavar="NAME", help="The time zone of the month on the invoice. Default: UTC.")
@_pass_store
def reconcile(asked: Store, month: str, invoiced: int, tz: str | None) -> int:
    """Compare the credits recorded in a month with the INVOICED ones."""
    with _checked(asked):
        return _print_answer(asked.reconcile(month, invoiced, tz=tz))


@store.command()
@click.argument("path", metavar="OUT")
@click.option(
    "--force",
    is_flag=True,
    help="Replace OUT even if it is not an earlier export. A store is never replaced.",
)
@_pass_store
def export(asked: Store, path: str, *, force: bool) -> int:
    """Write every answer to OUT: .jsonl, .jsonl.gz or .parquet."""
    with _checked(asked):
        try:
            answers = asked.export(path, force=force)
        except StoreError:
            # One of them, too; and it is about another file.
            raise
        except OSError as error:
            raise FileError(f"{path} cannot be written: {error.strerror or 'its disk refuses it'}") from None
        print_message(f"{count(answers, 'answer')} in {path}")
        return ExitCode.DONE


@store.command()
@click.argument("path", metavar="OUT")
@_pass_store
def backup(asked: Store, path: str) -> int:
    """Copy the store to the new file OUT. Works while the store is in use."""
    with _checked(asked):
        print_message(f"backup in {asked.backup(path)}")
        return ExitCode.DONE


@store.command()
@_whom_argument
@_pass_store
def find(asked: Store, whom: str, field_type: Any) -> int:
    """Print everything that the store has about WHOM, as JSON Lines.

    WHOM is an identifier, or any text to look for in contacts and in identifiers. With -, one WHOM is read
    from each line of standard input, so that they do not get into the history of the shell.
    """

    def find_one(one: str, place: str) -> list[str]:
        found = asked.find(one, field_type=field_type)
        if not found:
            print_message(f"the store has nothing about {place or 'them'}")
        return [json_line(asdict(answer)) for answer in found]

    with _checked(asked):
        return _for_each(whom, find_one)


@store.command(short_help="Delete what the store has about WHOM, or what is old.")
@click.argument("whom", metavar="[WHOM]", required=False)
@_type_option
@_region_option
@click.option(
    "--older-than",
    "older_than_days",
    type=days,
    metavar="DAYS",
    help="Delete all answers older than this, instead of WHOM.",
)
@click.option("-y", "--yes", is_flag=True, help="Purge without asking.")
@_pass_store
def purge(
    asked: Store, whom: str | None, field_type: Any, older_than_days: float | None, *, yes: bool
) -> int:
    """Delete what the store has about WHOM, or what is old, down to the last byte of its files.

    WHOM is an identifier. With -, one WHOM is read from each line of standard input. A person who was
    purged is not looked up again until `allow`.
    """
    if (whom is None) == (older_than_days is None):
        raise UsageError("pass either WHOM to purge or --older-than DAYS")
    _confirm(
        "What is purged is lost. Purge it?", "what is purged is lost", otherwise="nothing was purged", yes=yes
    )

    def purge_one(one: str, place: str) -> list[str]:
        purged = asked.purge(one, field_type=field_type)
        if not (purged.answers or purged.intents or purged.replies):
            print_message(f"the store had nothing about {place or 'them'}: check the spelling")
        return [str(purged)]

    with _checked(asked):
        if older_than_days is not None:
            return _print_answer(asked.purge(older_than=timedelta(days=older_than_days)))
        return _for_each(whom or "", purge_one)


@store.command()
@_whom_argument
@_pass_store
def allow(asked: Store, whom: str, field_type: Any) -> int:
    """Allow lookups of WHOM again after a purge or a drop."""
    with _checked(asked):
        answer = {True: "may be looked up again", False: "was neither purged nor dropped"}
        return _for_each(whom, lambda one, _: [answer[asked.allow(one, field_type=field_type)]])


@store.command()
@click.argument("other", metavar="OTHER")
@_pass_store
def merge(asked: Store, other: str) -> int:
    """Copy everything that the store OTHER has into this store."""
    with _checked(asked):
        return _print_answer(asked.merge(other))


@store.command(short_help="Convert the file of the store to this version.")
@_pass_store
def migrate(asked: Store) -> int:
    """Convert the file of the store to this version of the package. A backup is kept next to it."""
    with Console().showing_log():
        return _print_answer(migrate_file(asked.path))


@contextmanager
def _checked(asked: Store) -> Generator[None]:
    with Console().showing_log():
        if not asked.exists():
            raise CommandError(ExitCode.STORE, f"there is no store at {asked.path}: pass --store FILE")
        with asked:
            yield


def _named(whom: str) -> Iterator[tuple[str, str]]:
    """WHOM; for -, each line of standard input that is not blank, and which one it is."""
    if whom != "-":
        yield "", whom
        return
    if sys.stdin is None:
        raise FileError("there is no standard input to read WHOM from")
    lines = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").splitlines()
    if not any(map(str.strip, lines)):
        raise UsageError("standard input is empty: pass one WHOM in each line")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"line {number}", line


def _for_each(whom: str, act: Callable[[str, str], list[str]]) -> int:
    """Acts on each WHOM, then prints the answers. No wrong line and no closed output stops it half-way.

    Args:
        whom: WHOM, as it was given.
        act: Gets one WHOM and which line it is from, and returns lines to print.
    """
    answers: list[str] = []
    wrong: list[str] = []
    for place, one in _named(whom):
        try:
            answers += act(one, place)
        except InvalidIdentifierError as error:  # noqa: PERF203 - the others go on
            why = said(error.message, STORE_WORDS)
            if not place:
                raise UsageError(why) from None
            wrong.append(f"{place}: {why}")
    _print(answers)
    if wrong:
        raise UsageError(f"{'; '.join(wrong)}. All other lines are done")
    return ExitCode.DONE


def _confirm(question: str, why: str, *, otherwise: str, yes: bool) -> None:
    """Asks before something that cannot be undone."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{why}, and there is no terminal to ask you: pass --yes")
    if not click.confirm(question, err=True):
        raise UsageError(otherwise)


def _print_answer(answer: object) -> int:
    """Prints what the store answered."""
    return _print([answer.as_text(words=WORDS) if isinstance(answer, Info) else str(answer)])


def _print(lines: Iterable[str]) -> int:
    print_data(lines)
    return ExitCode.DONE
