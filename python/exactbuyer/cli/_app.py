"""The commands. The options that several of them share are in `_options.py`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from exactbuyer import BulkEnricher, __version__
from exactbuyer.cli._io.excel_output import check_cells
from exactbuyer.cli._io.joining import check_encoding
from exactbuyer.cli._io.opening import Survey, surveyed
from exactbuyer.cli._io.output import check_output
from exactbuyer.exceptions import ExactBuyerError
from exactbuyer.report.log import write_line
from exactbuyer.settings import LOOPBACK, URL_VARIABLE

from ._advice import RunResult, next_step, title_of
from ._command_options import CommandOptions
from ._console import Console, confirm, counting_from_one, plan_lines, print_data, print_message
from ._options import (
    ASK_ABOVE_CREDITS,
    ReadsOneFile,
    column_options,
    input_options,
    money_options,
    service_options,
    store_options,
)
from ._plan import check_readable, planned
from ._run import Approval, FileRun, checked
from ._setup import completion, doctor, man
from ._setup.completion import files
from ._signals import Signals, Terminated
from ._store_commands import store
from ._words import in_options
from .exit_codes import MEANINGS, CommandError, ExitCode, UsageError, exit_code_of_error, unexpected

if TYPE_CHECKING:
    from exactbuyer.cli._io.files import Location
    from exactbuyer.report.plan import Plan


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: `exactbuyer enrich --help` lists them.",
)
@click.version_option(__version__, prog_name="exactbuyer", message="%(prog)s %(version)s")
def commands() -> None:
    """Bulk contact enrichment with the ExactBuyer API: every row in its place, each identifier paid for once.

    This program is unofficial. Results go to a file or to standard output, messages to standard error.
    The API key is read from the environment variable EXACTBUYER_API_KEY, or from --key-file.
    """


_EXAMPLES = """\b
Examples:
    exactbuyer enrich people.csv --by email --sandbox | head
    exactbuyer enrich people.csv -o found.parquet --by linkedin --by email
"""

_EXIT_CODES = "\n".join(
    ["\b\nExit codes:", *(f"  {code:>5}  {meaning}" for code, meaning in MEANINGS.items())]
)


@commands.command(
    cls=ReadsOneFile,
    short_help="Look up the rows of IN and add what was found as columns.",
    epilog=f"{_EXAMPLES}\n{_EXIT_CODES}",
)
@input_options()
@click.option(
    "-o",
    "--output",
    default="-",
    metavar="OUT",
    shell_complete=files,
    help="The output file. By default, and with -, standard output.",
)
@click.option(
    "--to",
    "output_kind",
    metavar="KIND",
    help="The kind of file that OUT is, if its suffix does not tell: as for --from.",
)
@money_options()
@column_options()
@click.option(
    "--force",
    is_flag=True,
    help="Replace OUT even if it is not an earlier output. A store or the input is never replaced.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan; send nothing.")
@click.option(
    "-y", "--yes", is_flag=True, help=f"Spend more than {ASK_ABOVE_CREDITS:,} credits without asking."
)
@click.option(
    "--excel-safe", is_flag=True, help="Put ' before added text that a spreadsheet would read as a formula."
)
@store_options()
@service_options()
@click.option(
    "--progress/--no-progress",
    "progress",
    default=None,
    help="Show or hide the progress bar. By default it is shown in a terminal.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write the receipt as JSON to the last line of standard error."
)
@click.option("-q", "--quiet", is_flag=True, help="Print only what went wrong.")
def enrich(**values: Any) -> int:
    """Look up the rows of IN, and write them with columns for what was found.

    IN and OUT can be CSV, TSV, JSON Lines, Parquet (IN also a folder of Parquet files) or .xlsx. The
    suffix tells which, and may be followed by .gz or .zst. Use - for standard input or output. OUT is
    created when the run has ended, so it is never a partial file. The columns of IN are not changed; if
    IN and OUT are the same kind of file, not a byte of them is. An existing OUT is replaced if it is an
    earlier output, otherwise only with --force.

    If a run stops, run the same command again: it pays only for the rest. It pays again for all rows
    without a store or with --refresh, and for answers older than --max-age.
    """
    options = CommandOptions(values)
    console = Console(quiet=options["quiet"], as_json=options["as_json"])
    with console.showing_log():
        return _enrich(options, console)


def _enrich(options: CommandOptions, console: Console) -> int:
    output = options.output()
    signals = Signals()
    result: RunResult | None = None
    try:
        with signals.watched():
            try:
                with options.enricher() as enricher:
                    run = _begun(options, console, enricher, output, signals)
                    if isinstance(run, int):
                        return run
                    with signals.held():
                        result = run.carry_out()
            except KeyboardInterrupt:
                # The run is over: a signal while the store is closed does not change its result.
                if result is None:
                    raise
            with signals.held():
                place = "the output" if output.is_standard else output.path
                title, step = title_of(result), next_step(result, options, place)
                ended = result.ended_by(signals.exit_code) if signals.count else result
                console.conclude(ended, options["prefix"], title=title, step=step)
    except KeyboardInterrupt:
        # The second signal ends the report, too.
        if result is None:
            raise
    return signals.exit_code if signals.count else result.exit_code


def _begun(
    options: CommandOptions, console: Console, enricher: BulkEnricher, output: Location, signals: Signals
) -> FileRun | int:
    """The run, after all checks and questions; or the exit code, if only its plan is wanted."""
    options.check_key()
    if enricher.settings.service == LOOPBACK and not (options["base_url"] or options["sandbox"]):
        # Invented people must not pass for real ones.
        print_message(f"uses {enricher.settings.base_url}, because {URL_VARIABLE} is set")
    check_output(output, options.overwrite(enricher, output))
    survey = _survey(options, enricher, output)
    if output.kind == "xlsx" != options.location().kind and survey is not None:
        check_cells(options.source(survey))
    if options["dry_run"]:
        return _show_plan(options, survey, enricher)
    plan, approval = _approve(options, survey, enricher)
    if plan is None and survey is not None and survey.rows <= ASK_ABOVE_CREDITS:
        plan = _plan(options, survey, enricher)
    source = options.source(survey)
    if plan is not None:
        console.checks(plan)
        check_readable(plan, source.name)
    return FileRun(options, enricher, source, location=output, approval=approval, signals=signals)


@commands.command(cls=ReadsOneFile, short_help="Show what `enrich` would send and could cost. Needs no key.")
@input_options()
@money_options()
@column_options()
@store_options()
@service_options()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(**values: Any) -> int:
    """Show what `enrich` would send and could cost with the same options.

    It sends nothing, costs nothing and needs no key.
    """
    options = CommandOptions({**values, "dry_run": True})
    with Console().showing_log(), options.enricher() as enricher:
        return _show_plan(options, _survey(options, enricher, None), enricher)


@commands.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> int:
    """Run a local stand-in for the service, with invented people. Needs no key."""
    from exactbuyer.sandbox import main

    return main(list(arguments))


for command in (store, doctor, completion, man):
    commands.add_command(command)


def run(arguments: list[str]) -> int:
    """Runs a command; whatever ends it becomes an exit code and one line."""
    as_json = "--json" in arguments
    try:
        exit_code = commands.main(args=arguments, prog_name="exactbuyer", standalone_mode=False)
        return int(exit_code or 0)
    except click.UsageError as error:
        error.show()
        return _report(ExitCode.USAGE, error.format_message(), as_json=as_json, is_printed=True)
    except CommandError as stop:
        return _report(stop.exit_code, str(stop), as_json=as_json)
    except ExactBuyerError as error:
        return _report(exit_code_of_error(error), in_options(error.message), as_json=as_json)
    except (KeyboardInterrupt, click.Abort) as interrupt:
        # In the place of an interrupt, click raises its own exception.
        cause = interrupt.__context__ if isinstance(interrupt, click.Abort) else interrupt
        exit_code = ExitCode.TERMINATED if isinstance(cause, Terminated) else ExitCode.INTERRUPTED
        return _report(exit_code, "stopped; nothing was sent", as_json=as_json)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of a Rust library is no `Exception`
        # The log shows the traceback where that was asked for.
        with Console().showing_log():
            exit_code, message = unexpected(error)
        return _report(exit_code, message, as_json=as_json)


def _report(exit_code: ExitCode, message: str, *, as_json: bool, is_printed: bool = False) -> int:
    if message and not is_printed:
        print_message(message)
    if as_json:
        write_line(json.dumps({"exit_code": int(exit_code), "error": message or None}))
    return exit_code


def _survey(options: CommandOptions, enricher: BulkEnricher, output: Location | None) -> Survey | None:
    """The input, read once beforehand; `None` of a stream, which cannot be read again."""
    location = options.location()
    if location.is_stream:
        options.check_online(enricher.settings.service)
        return None
    source = options.source()
    if location.kind != "jsonl":
        # Read with the wrong delimiter its rows look broken, too: first its names.
        checked(source, options, enricher)
    if output is not None:
        check_encoding(source, output)
    options.check_online(enricher.settings.service)
    return surveyed(source)


def _plan(options: CommandOptions, survey: Survey | None, enricher: BulkEnricher) -> Plan:
    source = options.source(survey)
    table_request = checked(source, options, enricher).table_request
    return planned(
        source, enricher, table_request, refresh=options["refresh"], store_only=options["store_only"]
    )


def _show_plan(options: CommandOptions, survey: Survey | None, enricher: BulkEnricher) -> int:
    plan = _plan(options, survey, enricher)
    if options["as_json"]:
        print_data([json.dumps(counting_from_one(plan).to_dict())])
    else:
        print_data([plan_lines(plan)])
    return ExitCode.DONE


def _approve(
    options: CommandOptions, survey: Survey | None, enricher: BulkEnricher
) -> tuple[Plan | None, Approval | None]:
    """Asks before spending more than a little, if anything is spent at all.

    Returns:
        The plan, if one was made and not shown; and what the run may spend, because the input or the store
        may change after the plan. `None`: only the user's own limit applies.
    """
    settings = enricher.settings
    if options["yes"] or options["store_only"] or settings.service == LOOPBACK:
        return None, None
    if settings.budget is not None and settings.budget.credits <= ASK_ABOVE_CREDITS:
        return None, None
    fix = f"pass --yes, or --max-credits with no more than {ASK_ABOVE_CREDITS:,}"
    if survey is None:
        raise UsageError(f"the cost of a stream is not known before it has been read: {fix}")
    plan = _plan(options, survey, enricher)
    most = max(plan.max_credits, ASK_ABOVE_CREDITS)
    approval = Approval(most, plan.ceiling_left is None or most < plan.ceiling_left)
    if plan.max_credits <= ASK_ABOVE_CREDITS:
        return plan, approval
    write_line(plan_lines(plan))
    most_credits = f"{plan.max_credits:,} credits"
    confirm(
        f"Spend up to {most_credits}?",
        why=f"this may cost {most_credits}",
        fix=fix,
        otherwise="nothing was sent",
    )
    return None, approval
