"""The options that several commands share. What they mean is in `_command_options.py`."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from exactbuyer.cli._io.files import KINDS
from exactbuyer.enricher import BulkEnricher
from exactbuyer.field_types import FIELD_TYPES, REQUIRED_FIELDS
from exactbuyer.settings import BASE_URL, DEFINITIONS, Per

from ._setup.completion import files

if TYPE_CHECKING:
    from exactbuyer.settings.definitions import Option

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")

ASK_ABOVE_CREDITS = 1_000

_KINDS = f"{', '.join(KINDS)}; .gz or .zst after it"


def _all(*options: Callable[[FunctionT], FunctionT]) -> Callable[[FunctionT], FunctionT]:
    def decorate(function: FunctionT) -> FunctionT:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def days(text: str) -> float:
    """An age in days, as a number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= _MOST_DAYS:
        raise click.BadParameter(f"{text!r} is no number of days from 0 to {_MOST_DAYS:,}")
    return number


_MOST_DAYS = 36_500


def input_options() -> Callable[[FunctionT], FunctionT]:
    """What is read, and what of it is looked up."""
    return _all(
        click.argument("path", metavar="IN", shell_complete=files),
        click.option(
            "--by",
            multiple=True,
            required=True,
            metavar="COLUMN[=TYPE]",
            help="A column to look up; several, best first: the next is paid for only where the one before "
            "finds nobody. "
            f"TYPE is {', '.join(FIELD_TYPES)}; by default it is inferred for each value.",
        ),
        click.option(
            "--split",
            multiple=True,
            metavar="[COLUMN=]MARK",
            help="A mark between several values of one cell, as in ';', in all columns or only in this one. "
            "'\\n' is a line break. Repeatable.",
        ),
        click.option(
            "--from", "kind", metavar="KIND", help=f"What IN is, if its suffix does not say: {_KINDS}."
        ),
        click.option(
            "--skip-rows",
            type=click.IntRange(0),
            metavar="N",
            help="Number of lines above the header of CSV, or rows above that of .xlsx; by default the "
            "columns of --by find the header.",
        ),
        click.option(
            "--sheet",
            metavar="NAME",
            help="The sheet of .xlsx to read; by default the first that is visible.",
        ),
        click.option("--delimiter", metavar="CHARACTER", help="What stands between cells of CSV, as in ';'."),
        click.option(
            "--na-value",
            "na_values",
            multiple=True,
            metavar="TEXT",
            help="Counts as missing, as in 'n/a'. Repeatable.",
        ),
        click.option(
            "--default-region",
            metavar="CC",
            help="The country of phone numbers without a country code, as in US.",
        ),
        click.option(
            "--region-column",
            metavar="COLUMN",
            help="A column with the country of each row's phone numbers, as an ISO 3166 code or a name. "
            "Where it is empty, --default-region counts.",
        ),
    )


def column_options() -> Callable[[FunctionT], FunctionT]:
    """Which columns are added."""
    return _all(
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="NAME[=PATH[:TYPE]]",
            help="A column to add: one of those that are added by default, or a path into the contact, as in "
            "title=employment.job.title or score=likelihood:float64. Repeatable.",
        ),
        click.option(
            "--prefix", default="eb_", show_default=True, help="Stands before every name that is added."
        ),
    )


def money_options() -> Callable[[FunctionT], FunctionT]:
    """What may be spent, and on what."""
    return _all(
        click.option(
            "--require",
            "required_fields",
            multiple=True,
            type=click.Choice(REQUIRED_FIELDS),
            help="A match counts, and costs, only if it has this. Repeatable.",
        ),
        click.option(
            "--max-credits", type=int, metavar="N", help="Spend no more than this, every doubt counted."
        ),
        click.option(
            "--per",
            type=click.Choice(get_args(Per)),
            help="The period that --max-credits counts; by default everything that the store has recorded.",
        ),
        click.option("--tz", metavar="NAME", help="Where its days and months begin, as in Europe/Berlin."),
        click.option(
            "--credit-price",
            nargs=2,
            metavar="PRICE CURRENCY",
            help="What one credit costs, as in 0.05 EUR: then plans and receipts say it in money, too.",
        ),
    )


def store_options() -> Callable[[FunctionT], FunctionT]:
    """Where answers are kept, and which of them count."""
    return _all(
        click.option(
            "--store",
            metavar="FILE",
            shell_complete=files,
            help="The file that keeps answers and doubts; none: keep nothing. By default in .exactbuyer/ of "
            "the working directory, for the real service.",
        ),
        click.option("--refresh", is_flag=True, help="Ask again for what the store has, and pay again."),
        click.option("--store-only", is_flag=True, help="Send nothing: only what the store has."),
        click.option(
            "--max-age",
            "max_age_days",
            type=days,
            metavar="DAYS",
            help="How old an answer of the store may be: an older one is paid for again.",
        ),
        click.option(
            "--miss-max-age",
            "miss_max_age_days",
            type=days,
            metavar="DAYS",
            help="How old a not_found of the store may be: 7.",
        ),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="NAME=VALUE",
            help="A note for the store's journal. Repeatable.",
        ),
    )


def service_options() -> Callable[[FunctionT], FunctionT]:
    """Who is asked, and how."""
    return _all(
        click.option(
            "--sandbox", is_flag=True, help="Ask the built-in sandbox: no key, no cost, invented people."
        ),
        click.option("--base-url", metavar="URL", help=f"Where the service is, if not at {BASE_URL}."),
        click.option(
            "--key-file",
            metavar="FILE",
            shell_complete=files,
            help="A file that holds the API key and that only you can read; by default it is read from the "
            "environment variable EXACTBUYER_API_KEY.",
        ),
        *(
            _setting_option(name, definition.option)
            for name, definition in DEFINITIONS.items()
            if definition.option
        ),
    )


def _setting_option(name: str, option: Option) -> Callable[[FunctionT], FunctionT]:
    kind = click.Choice(option.kind) if isinstance(option.kind, tuple) else option.kind
    text = option.text.format(default=signature(BulkEnricher).parameters[name].default)
    complete = files if option.metavar == "FILE" else None
    return click.option(
        f"--{name.replace('_', '-')}", type=kind, metavar=option.metavar, help=text, shell_complete=complete
    )
