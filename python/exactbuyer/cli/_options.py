"""The options that several commands share. What they mean is in `_command_options.py`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from exactbuyer.cli._io.encoding import BYTES, is_encoding
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


class ReadsOneFile(click.Command):
    """A command that reads one file. If there are more arguments, the error says which options to use."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the arguments; `ctx` is this command's."""
        rest = super().parse_args(ctx, args)
        if rest and not ctx.resilient_parsing:
            has_output = any(option.name == "output" for option in self.params)
            output = "name the output with -o OUT, and " if has_output else ""
            ctx.fail(f"IN must be one file: {output}pass --by once for each column")
        return rest


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
        raise click.BadParameter(f"{text!r} is not a number of days from 0 to {_MOST_DAYS:,}")
    return number


_MOST_DAYS = 36_500


def credit_count(text: str) -> int:
    """A number of credits, also as this program prints it: 5,000."""
    try:
        return int(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a whole number, such as 5000 or 5,000") from None


_GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+")


def encoding_name(text: str) -> str:
    """The name of an encoding of text."""
    if not (text == BYTES or is_encoding(text)):
        raise click.BadParameter(
            f"{text!r} is not an encoding that Python knows, such as cp1252, latin-1, utf-8 or utf-16"
        )
    return text


def input_options() -> Callable[[FunctionT], FunctionT]:
    """What is read, and what of it is looked up."""
    return _all(
        click.argument("path", metavar="IN", shell_complete=files),
        click.option(
            "--by",
            multiple=True,
            required=True,
            metavar="COLUMN[=TYPE]",
            help="A column to look up. Repeat it for several columns, best first: the next column is "
            "looked up, and paid for, only in rows where the one before finds nobody. "
            f"TYPE is {', '.join(FIELD_TYPES)}; by default it is inferred for each value.",
        ),
        click.option(
            "--split",
            multiple=True,
            metavar="[COLUMN=]MARK",
            help="The mark between several values of one cell, such as ';': in all columns, or in COLUMN. "
            "'\\n' is a line break. Repeatable.",
        ),
        click.option(
            "--from",
            "kind",
            metavar="KIND",
            help=f"The kind of file that IN is, if its suffix does not tell: {_KINDS}.",
        ),
        click.option(
            "--encoding",
            type=encoding_name,
            metavar="NAME",
            help="The encoding of a text file, such as cp1252 for CSV from Excel. Default: UTF-8. The output "
            "is UTF-8. The word bytes copies CSV without decoding it.",
        ),
        click.option(
            "--skip-rows",
            type=click.IntRange(0),
            metavar="N",
            help="The number of lines (.xlsx: rows) above the header. By default, the header is found by the "
            "columns of --by.",
        ),
        click.option(
            "--sheet", metavar="NAME", help="The sheet of .xlsx to read. By default, the first visible one."
        ),
        click.option(
            "--delimiter", metavar="CHARACTER", help="The character between the cells of CSV, such as ';'."
        ),
        click.option(
            "--na-value",
            "na_values",
            multiple=True,
            metavar="TEXT",
            help="A text that counts as missing, such as 'n/a'. Repeatable.",
        ),
        click.option(
            "--default-region",
            metavar="CC",
            help="The country of phone numbers without a country code, such as US.",
        ),
        click.option(
            "--region-column",
            metavar="COLUMN",
            help="A column with the country of the phone numbers in each row: an ISO 3166 code or a name. "
            "--default-region is used where it is empty.",
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
            help="A column to add: the name of a default column, or a name and a path into the contact, such "
            "as title=employment.job.title or score=likelihood:float64. Repeatable.",
        ),
        click.option(
            "--prefix", default="eb_", show_default=True, help="The start of the name of each added column."
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
            help="A contact counts as found, and is paid for, only if it has this. Repeatable.",
        ),
        click.option(
            "--max-credits",
            type=credit_count,
            metavar="N",
            help="The most credits to spend. Lookups in doubt count as spent.",
        ),
        click.option(
            "--per",
            type=click.Choice(get_args(Per)),
            help="The period that --max-credits counts. By default, everything that the store has recorded.",
        ),
        click.option(
            "--tz",
            metavar="NAME",
            help="The time zone of the days and months of --per, such as Europe/Berlin.",
        ),
        click.option(
            "--credit-price",
            nargs=2,
            metavar="PRICE CURRENCY",
            help="The price of a credit, such as 0.05 EUR. Plans and receipts then show money too.",
        ),
    )


def store_options() -> Callable[[FunctionT], FunctionT]:
    """Where answers are kept, and which of them count."""
    return _all(
        click.option(
            "--store",
            metavar="FILE",
            shell_complete=files,
            help="The file that keeps answers and lookups in doubt, or the word none to keep nothing. By "
            "default, what EXACTBUYER_STORE names, or a file in .exactbuyer/ of the working directory; none "
            "for the sandbox.",
        ),
        click.option("--refresh", is_flag=True, help="Look up again, and pay again for, what the store has."),
        click.option("--store-only", is_flag=True, help="Send nothing: use only what the store has."),
        click.option(
            "--max-age",
            "max_age_days",
            type=days,
            metavar="DAYS",
            help="The greatest age of a stored answer. An older one is looked up and paid for again.",
        ),
        click.option(
            "--miss-max-age",
            "miss_max_age_days",
            type=days,
            metavar="DAYS",
            help="The greatest age of a stored not_found. Default: 7.",
        ),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="NAME=VALUE",
            help="A note for the records of the store, for `exactbuyer store summary`. Repeatable.",
        ),
    )


def service_options() -> Callable[[FunctionT], FunctionT]:
    """The service, and how requests reach it."""
    return _all(
        click.option(
            "--sandbox", is_flag=True, help="Use the built-in sandbox: invented people, no cost, no key."
        ),
        click.option(
            "--base-url",
            metavar="URL",
            help="The address of the service. By default, what EXACTBUYER_BASE_URL names, which must be an "
            f"address of this machine, or else {BASE_URL}.",
        ),
        click.option(
            "--key-file",
            metavar="FILE",
            shell_complete=files,
            help="A file with the API key, which only you may be able to read. By default, the key is read "
            "from the environment variable EXACTBUYER_API_KEY.",
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
