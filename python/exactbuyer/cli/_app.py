"""The commands: what each does with what it was told. What they can be told is in `_options`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from exactbuyer import __version__
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.settings import LOOPBACK

from ._excel_output import check_cells
from ._files import place_of
from ._given import Given
from ._joining import keeps_bytes
from ._options import (
    ASK_ABOVE_CREDITS,
    column_options,
    input_options,
    money_options,
    service_options,
    store_options,
)
from ._output import check_output
from ._plans import planned
from ._runs import Job, check
from ._runs import run as run_job
from ._signals import Signals, Terminated
from ._sources import DELIMITERS, is_enriched, surveyed
from ._steps import again_in_words, next_step, title_of
from ._store import store
from ._talk import Talk, plan_lines, print_data, say, write
from ._words import in_options
from .endings import Ending, Stop, of_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer import BulkEnricher
    from exactbuyer.plan import Plan

    from ._files import Place
    from ._runs import Done
    from ._sources import Source, Survey


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: see docs/cli.md, or `exactbuyer enrich --help`.",
)
@click.version_option(__version__, prog_name="exactbuyer", message="%(prog)s %(version)s")
def commands() -> None:
    """Bulk contact enrichment with ExactBuyer's API: every row back in place, paid for once.

    Unofficial. Results go to a file or to standard output, all else to standard error. The key is
    read from the environment variable EXACTBUYER_API_KEY, or from --key-file.
    """


_EXAMPLES = """\b
Examples:
    exactbuyer enrich people.csv --by email --sandbox | head
    exactbuyer enrich people.csv -o found.parquet --by linkedin --by email
"""

_ENDINGS = """\b
Exit codes:
    0  every row has its answer, or nothing to ask
    2  the command cannot be carried out as it was given; nothing was sent
    3  rows were refused, or could not be sent
    4  the account's credits, or --max-credits, ran out
    5  the key was refused
    6  rows may have been charged, and have no answer
    7  the service refused the run as a whole
    8  the input cannot be read, or the output not be written
    9  the store cannot be read or written
  130  interrupted (143: by SIGTERM; 141: nobody reads the output any more)
"""


@commands.command(
    short_help="Look up the rows of IN, and write what was found beside them.",
    epilog=f"{_EXAMPLES}\n{_ENDINGS}",
)
@input_options()
@click.option(
    "-o", "--output", default="-", metavar="OUT", help="Where to; by default, or as -, standard output."
)
@click.option(
    "--to", "output_kind", metavar="KIND", help="What OUT is, if its suffix does not say: as --from."
)
@money_options()
@column_options()
@click.option(
    "--force",
    is_flag=True,
    help="Replace OUT even if it is not an earlier output; never a store or the input.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and spend nothing.")
@click.option(
    "-y", "--yes", is_flag=True, help=f"Do not ask before spending more than {ASK_ABOVE_CREDITS:,} credits."
)
@click.option(
    "--excel-safe", is_flag=True, help="Put ' before added text that a spreadsheet would take for a formula."
)
@store_options()
@service_options()
@click.option(
    "--progress/--no-progress", "progress", default=None, help="Show it, or not; by default where it helps."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Give the receipt as JSON on the last line of standard error."
)
@click.option("-q", "--quiet", is_flag=True, help="Say only what went wrong.")
def enrich(**options: Any) -> int:
    """Look up the rows of IN, and write them with what was found beside them.

    IN and OUT are CSV, TSV, JSON Lines, Parquet (IN also a folder of it) or .xlsx, each by its suffix;
    .gz and .zst are honoured, and - is a stream. The file appears at OUT only once it is whole.
    Whatever was in IN stays as it was, byte for byte where the kind of file stays the same. OUT
    replaces an earlier output, and any other existing file only with --force.

    The same command again, after whatever stopped it, pays only for the rest: but not with --refresh,
    beyond --max-age, or without a store.
    """
    given = Given(options)
    talk = Talk(quiet=given["quiet"], as_json=given["as_json"])
    with talk.aloud():
        return _enrich(given, talk)


def _enrich(given: Given, talk: Talk) -> int:
    place = given.place()
    output_kind = given["output_kind"] or (_kind_of(place) if given["output"] == "-" else None)
    output = place_of(given["output"], output_kind, "--to")
    if given["excel_safe"] and output.kind not in {"csv", "tsv"}:
        raise Stop(Ending.USAGE, f"--excel-safe is for CSV, and the output is {output.kind}: leave it out")
    if given["delimiter"] is not None and place.kind not in DELIMITERS and output.kind != "csv":
        raise Stop(Ending.USAGE, "--delimiter is for CSV, and neither input nor output is any: leave it out")
    delimiter = given.delimiter() if output.kind == "csv" and place.kind != "tsv" else None
    signals = Signals()
    done: Done | None = None
    try:
        with signals.watched(), given.enricher() as enricher:
            given.check_key()
            overwriting = given.overwriting(enricher, partial(_is_earlier, given, output, delimiter))
            check_output(output, overwriting)
            survey = _survey(given, enricher, lambda source: keeps_bytes(source, output.kind, delimiter))
            if output.kind == "xlsx" != place.kind and survey is not None:
                check_cells(given.source(survey))
            if given["dry_run"]:
                return _show_plan(given, survey, enricher)
            plan = _approve(given, survey, enricher)
            if plan is None and survey is not None and survey.rows <= ASK_ABOVE_CREDITS:
                plan = _plan(given, survey, enricher)
            if plan is not None:
                talk.checks(plan)
            source = given.source(survey)
            job = Job(
                source=source,
                rows=survey.rows if survey else getattr(source, "rows", None),
                place=output,
                overwriting=overwriting,
                delimiter=delimiter,
                wish=given.wish(source),
                terms=given.terms(),
                defuse=given["excel_safe"],
                progress=_progress(given),
                costs=not given["sandbox"],
                again=again_in_words(given, in_store=enricher.store is not None, spent=not given["sandbox"]),
            )
            done = run_job(job, enricher, signals)
    except KeyboardInterrupt:
        # Once it is done, a signal while the store is closed changes nothing of it.
        if done is None:
            raise
    _conclude(done, given, talk, output.name if not output.is_standard else "")
    return done.ending


def _is_earlier(given: Given, output: Place, delimiter: str | None, path: Path) -> bool:
    """Whether the file at this path is an earlier output of the same command."""
    place = replace(output, path=str(path))
    return is_enriched(place, delimiter, skip_rows=given["skip_rows"], labels=given.labels())


@commands.command(short_help="Say what `enrich` would ask and could cost: no key, no cost.")
@input_options()
@money_options()
@column_options()
@store_options()
@service_options()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def plan(**options: Any) -> int:
    """Say what `enrich` would ask and could cost with the same options: no network, no key, no cost."""
    given = Given(options)
    with Talk().aloud(), given.enricher() as enricher:
        return _show_plan(given, _survey(given, enricher, lambda _: True), enricher)


@commands.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> int:
    """Run the stand-in vendor: no key, no cost, invented people."""
    from exactbuyer.sandbox import main

    return main(list(arguments))


commands.add_command(store)


def run(arguments: list[str]) -> int:
    """Runs a command; whatever ends it becomes an exit code and one line."""
    as_json = "--json" in arguments
    try:
        ending = commands.main(args=arguments, prog_name="exactbuyer", standalone_mode=False)
        return int(ending or 0)
    except click.UsageError as error:
        error.show()
        return _told(Ending.USAGE, error.format_message(), as_json=as_json, is_said=True)
    except Stop as stop:
        return _told(stop.ending, str(stop), as_json=as_json)
    except ExactBuyerError as error:
        return _told(of_error(type(error).__name__), in_options(str(error)), as_json=as_json)
    except (KeyboardInterrupt, click.Abort) as interrupt:
        ending = Ending.TERMINATED if isinstance(interrupt, Terminated) else Ending.INTERRUPTED
        return _told(ending, "stopped; nothing was sent", as_json=as_json)


def _told(ending: Ending, message: str, *, as_json: bool, is_said: bool = False) -> int:
    if message and not is_said:
        say(message)
    if as_json:
        write(json.dumps({"exit_code": int(ending), "error": message or None}))
    return ending


def _kind_of(place: Any) -> str:
    return f"{place.kind}.{place.packing}" if place.packing else place.kind


def _progress(given: Given) -> Any:
    if given["quiet"]:
        return False
    return "auto" if given["progress"] is None else given["progress"]


def _survey(given: Given, enricher: BulkEnricher, keeps: Callable[[Source], bool]) -> Survey | None:
    """The input, read once beforehand; `None` of a stream, which cannot be read again."""
    place = given.place()
    if place.is_stream:
        return None
    source = given.source()
    if place.kind != "jsonl":
        # Read with the wrong delimiter its rows look broken, too: first its names.
        check(source, given.wish(source), enricher.settings)
    return surveyed(source, keeps_bytes=keeps(source))


def _plan(given: Given, survey: Survey | None, enricher: BulkEnricher) -> Plan:
    source = given.source(survey)
    wish = given.wish(source)
    check(source, wish, enricher.settings)
    return planned(source, enricher, wish, given.terms())


def _show_plan(given: Given, survey: Survey | None, enricher: BulkEnricher) -> int:
    plan = _plan(given, survey, enricher)
    if given["as_json"]:
        told = asdict(plan) | {"credit_price": given["credit_price"] or None}
        print_data([json.dumps(told, default=str)])
    else:
        print_data([plan_lines(plan)])
    return Ending.DONE


def _approve(given: Given, survey: Survey | None, enricher: BulkEnricher) -> Plan | None:
    """Asks before spending more than a little, if anything is spent at all.

    Returns:
        The plan, if it took one and has not been shown.
    """
    settings = enricher.settings
    if given["yes"] or given["store_only"] or settings.service == LOOPBACK:
        return None
    if settings.budget is not None and settings.budget.credits <= ASK_ABOVE_CREDITS:
        return None
    fix = f"say --yes, or --max-credits with no more than {ASK_ABOVE_CREDITS:,}"
    if survey is None:
        raise Stop(Ending.USAGE, f"what a stream will cost is not known before it has been read: {fix}")
    plan = _plan(given, survey, enricher)
    if plan.max_credits <= ASK_ABOVE_CREDITS:
        return plan
    write(plan_lines(plan))
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Stop(
            Ending.USAGE, f"this may cost {plan.max_credits:,} credits, and nobody is here to ask: {fix}"
        )
    if not click.confirm(f"Spend up to {plan.max_credits:,} credits?", err=True):
        raise Stop(Ending.USAGE, "nothing was sent")
    return None


def _conclude(done: Done, given: Given, talk: Talk, output: str) -> None:
    talk.receipt(done, given["prefix"], title=title_of(done), step=next_step(done, given, output))
    talk.last(done)
