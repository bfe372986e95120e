"""`exactbuyer store …`: questions to a store, answered on standard output. Thin: the store answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import update_wrapper
from typing import Any

import click

from exactbuyer.cli._io.files import standard_input
from exactbuyer.enricher import BulkEnricher
from exactbuyer.exceptions import InvalidIdentifierError, StoreError
from exactbuyer.field_types import FIELD_TYPES
from exactbuyer.report.message import said
from exactbuyer.report.wording import count
from exactbuyer.store import Store
from exactbuyer.store import migrate as migrate_file

from ._console import Console, confirm, json_line, print_data, print_message
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


def _pass_store(function: Callable[..., None]) -> Callable[..., None]:
    """Passes the store. Each command has --store, as people type `exactbuyer store info --store FILE`."""

    @click.option("--store", "here", metavar="FILE", hidden=True)
    @click.pass_obj
    def with_store(given: tuple[str | None, str | None], /, *, here: str | None, **options: Any) -> None:
        path, default_region = given
        region_here = options.pop("region_here", None)
        if path and here:
            raise UsageError("--store was passed twice: which one?")
        if default_region and region_here:
            raise UsageError("--default-region was passed twice: which one?")
        # By default, the store of an enricher without any settings: its answers would be kept there.
        with Console().showing_log():
            file = path or here or BulkEnricher().settings.store
        if file is None:
            raise UsageError("there is no store: pass --store FILE")
        function(Store(file, default_region=default_region or region_here), **options)

    return update_wrapper(with_store, function)


@contextmanager
def _opened(asked: Store) -> Generator[None]:
    with Console().showing_log():
        if not asked.exists():
            raise CommandError(ExitCode.STORE, f"there is no store at {asked.path}: pass --store FILE")
        with asked:
            yield


def _pass_open_store(function: Callable[..., None]) -> Callable[..., None]:
    """Passes the store, open. There has to be one."""

    def with_open_store(asked: Store, /, **options: Any) -> None:
        with _opened(asked):
            function(asked, **options)

    return _pass_store(update_wrapper(with_open_store, function))


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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_pass_open_store
def info(asked: Store, *, as_json: bool) -> None:
    """Print what is in the store: contacts, doubts, credits, size."""
    answer = asked.info()
    print_data([json_line(asdict(answer)) if as_json else answer.as_text(words=WORDS)])


@store.command(short_help="Print every lookup in doubt, as JSON Lines.")
@_pass_open_store
def unknown(asked: Store) -> None:
    """Print every lookup that may have been charged and has no answer, as JSON Lines."""
    print_data(json_line(asdict(doubt)) for doubt in asked.unknown())


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
@_pass_open_store
def resolve(asked: Store, resolution: str, requests: tuple[int, ...], *, yes: bool) -> None:
    """Decide what happens to lookups in doubt. Look at the usage page of the service first.

    resend: the next run sends them again, which may pay twice. drop: they are not sent again. not-charged:
    the usage page shows that none of the credits in doubt (see `info`) was charged; the next run sends them
    again, and these credits no longer count.
    """
    if resolution == "resend":
        doubts = sum(not requests or doubt.request in requests for doubt in asked.unknown())
        lookups, most = count(doubts, "lookup"), count(doubts, "credit")
        if doubts and not yes:
            confirm(
                f"Send {lookups} again with the next run? Up to {most} may be paid twice.",
                why=f"sending {lookups} again may pay up to {most} twice",
                fix="pass --yes",
                otherwise="nothing was changed",
            )
    decision: Any = resolution.replace("-", "_")
    resolved = asked.resolve_unknown(decision, requests=requests or None)
    print_data([str(resolved)])
    if resolved.lookups and resolution == "drop":
        print_message("they are not_sent from now on, until `exactbuyer store allow`")
    elif resolved.lookups:
        print_message("nothing was sent yet: the next `exactbuyer enrich` with these people sends them again")


@store.command()
@click.option(
    "--by",
    multiple=True,
    default=["month"],
    show_default=True,
    help="day, month, year, or a tag. Repeatable.",
)
@click.option("--tz", metavar="NAME", help="The time zone of days and months, such as Europe/Berlin.")
@_pass_open_store
def summary(asked: Store, by: tuple[str, ...], tz: str | None) -> None:
    """Print totals of requests, lookups and credits, as JSON Lines."""
    rows = asked.summary(by, tz=tz)
    print_data(json_line(row) for row in rows)


@store.command()
@click.argument("month", metavar="YYYY-MM")
@click.argument("invoiced", type=credit_count)
@click.option("--tz", metavar="NAME", help="The time zone of the month on the invoice. Default: UTC.")
@_pass_open_store
def reconcile(asked: Store, month: str, invoiced: int, tz: str | None) -> None:
    """Compare the credits recorded in a month with the INVOICED ones."""
    print_data([str(asked.reconcile(month, invoiced, tz=tz))])


@store.command()
@click.argument("path", metavar="OUT")
@click.option(
    "--force",
    is_flag=True,
    help="Replace OUT even if it is not an earlier export. A store is never replaced.",
)
@_pass_open_store
def export(asked: Store, path: str, *, force: bool) -> None:
    """Write every answer to OUT: .jsonl, .jsonl.gz or .parquet."""
    try:
        answers = asked.export(path, force=force)
    except StoreError:
        # One of them, too; and it is about another file.
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or 'its disk refuses it'}") from None
    print_message(f"{count(answers, 'answer')} in {path}")


@store.command()
@click.argument("path", metavar="OUT")
@_pass_open_store
def backup(asked: Store, path: str) -> None:
    """Copy the store to the new file OUT. Works while the store is in use."""
    print_message(f"backup in {asked.backup(path)}")


@store.command()
@_whom_argument
@_pass_open_store
def find(asked: Store, whom: str, field_type: Any) -> None:
    """Print everything that the store has about WHOM, as JSON Lines.

    WHOM is an identifier, or any text to look for in contacts and in identifiers. With -, one WHOM is read
    from each line of standard input, so that they do not get into the history of the shell.
    """

    def find_one(one: str, place: str) -> list[str]:
        found = asked.find(one, field_type=field_type)
        if not found:
            print_message(f"the store has nothing about {place or 'them'}")
        return [json_line(asdict(answer)) for answer in found]

    _for_each(whom, find_one)


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
) -> None:
    """Delete what the store has about WHOM, or what is old, down to the last byte of its files.

    WHOM is an identifier. With -, one WHOM is read from each line of standard input. A person who was
    purged is not looked up again until `allow`.
    """
    if (whom is None) == (older_than_days is None):
        raise UsageError("pass either WHOM to purge or --older-than DAYS")
    if not yes:
        confirm(
            "What is purged is lost. Purge it?",
            why="what is purged is lost",
            fix="pass --yes",
            otherwise="nothing was purged",
        )

    def purge_one(one: str, place: str) -> list[str]:
        purged = asked.purge(one, field_type=field_type)
        if not (purged.answers or purged.intents or purged.replies):
            print_message(f"the store had nothing about {place or 'them'}: check the spelling")
        return [str(purged)]

    with _opened(asked):
        if older_than_days is not None:
            print_data([str(asked.purge(older_than=timedelta(days=older_than_days)))])
        else:
            _for_each(whom or "", purge_one)


@store.command()
@_whom_argument
@_pass_open_store
def allow(asked: Store, whom: str, field_type: Any) -> None:
    """Allow lookups of WHOM again after a purge or a drop."""
    answer = {True: "may be looked up again", False: "was neither purged nor dropped"}
    _for_each(whom, lambda one, _: [answer[asked.allow(one, field_type=field_type)]])


@store.command()
@click.argument("other", metavar="OTHER")
@_pass_open_store
def merge(asked: Store, other: str) -> None:
    """Copy everything that the store OTHER has into this store."""
    print_data([str(asked.merge(other))])


@store.command(short_help="Convert the file of the store to this version.")
@_pass_store
def migrate(asked: Store) -> None:
    """Convert the file of the store to this version of the package. A backup is kept next to it."""
    with Console().showing_log():
        print_data([str(migrate_file(asked.path))])


def _named(whom: str) -> Iterator[tuple[str, str]]:
    """WHOM; for -, each line of standard input that is not blank, and which one it is."""
    if whom != "-":
        yield "", whom
        return
    if sys.stdin is None:
        raise FileError("there is no standard input to read WHOM from")
    with standard_input() as stream:
        lines = stream.read().decode("utf-8-sig", errors="replace").splitlines()
    if not any(map(str.strip, lines)):
        raise UsageError("standard input is empty: pass one WHOM in each line")
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f"line {number}", line


def _for_each(whom: str, act: Callable[[str, str], list[str]]) -> None:
    """Acts on each WHOM, then prints the answers. No wrong line and no closed output stops it half-way.

    `act` gets one WHOM and which line it is from, and returns lines to print.
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
    print_data(answers)
    if wrong:
        raise UsageError(f"{'; '.join(wrong)}. All other lines are done")
