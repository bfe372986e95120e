"""What a command can be told, and what that means: settings of an enricher, columns to look up.

Owns the options that several commands share. Ranges and reasons are the settings' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click

from exactbuyer.columns import DEFAULT_COLUMNS, Wish
from exactbuyer.enricher import BulkEnricher
from exactbuyer.rows import FieldType, RequiredField
from exactbuyer.settings import BASE_URL

from ._files import KINDS, place_of
from ._keys import key_in
from ._sources import opened
from .endings import Ending, Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._files import Place
    from ._sources import Source, Survey

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")

ASK_ABOVE_CREDITS = 1_000

_KINDS = f"{', '.join(KINDS)}; .gz or .zst after it"


def _all(*options: Callable[[FunctionT], FunctionT]) -> Callable[[FunctionT], FunctionT]:
    def decorate(function: FunctionT) -> FunctionT:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def input_options() -> Callable[[FunctionT], FunctionT]:
    """What is read, and what of it is looked up."""
    return _all(
        click.argument("path", metavar="IN"),
        click.option(
            "--by",
            multiple=True,
            required=True,
            metavar="COLUMN[=TYPE]",
            help="A column to look up; several, best first: the next is paid for only where the one before "
            "finds nobody. "
            f"TYPE is {', '.join(get_args(FieldType))}; by default it is inferred for each value.",
        ),
        click.option(
            "--split", metavar="TEXT", help="What stands between several values of one cell, as in ';'."
        ),
        click.option(
            "--from", "kind", metavar="KIND", help=f"What IN is, if its suffix does not say: {_KINDS}."
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
            type=click.Choice(get_args(RequiredField)),
            help="A match counts, and costs, only if it has this. Repeatable.",
        ),
        click.option(
            "--max-credits", type=int, metavar="N", help="Spend no more than this, every doubt counted."
        ),
        click.option(
            "--credit-price",
            nargs=2,
            metavar="PRICE CURRENCY",
            help="What one credit costs, as in 0.05 EUR: then plans and receipts say it in money, too.",
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
            help="A file that holds the API key and that only you can read; by default it is read from the "
            "environment variable EXACTBUYER_API_KEY.",
        ),
        click.option("--requests-per-minute", type=int, metavar="N", help="Most requests in any 60 s: 200."),
        click.option("--max-concurrency", type=int, metavar="N", help="Most requests in flight: 64."),
        click.option("--chunk-size", type=int, metavar="N", help="Most lookups of one request: 1,000."),
        click.option(
            "--max-in-doubt", type=int, metavar="N", help="Most lookups in flight or unknown: 20,000."
        ),
        click.option(
            "--max-retries", type=int, metavar="N", help="How often what is free is tried again: 5."
        ),
        click.option("--timeout", type=float, metavar="SECONDS", help="Most that one request may take: 300."),
        click.option(
            "--grace", type=float, metavar="SECONDS", help="How long Ctrl-C waits for requests in flight: 30."
        ),
        click.option(
            "--on-unknown",
            type=click.Choice(["hold", "resend"]),
            help="What becomes of a lookup that may have been charged and got no answer: hold, or resend, "
            "which may pay twice.",
        ),
        click.option("--proxy", metavar="URL", help="A proxy, if not HTTPS_PROXY's."),
        click.option("--ca-bundle", metavar="FILE", help="A PEM file of authorities to trust, too."),
        click.option(
            "--body",
            type=click.Choice(["form", "json"]),
            help="How requests are encoded: form, as in the samples.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Given:
    """What a command was told, by the names of its options."""

    options: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.options.get(name)

    def place(self) -> Place:
        """The input.

        Raises:
            Stop: It is of no kind that is known.
        """
        return place_of(self["path"], self["kind"], "--from")

    def delimiter(self) -> str | None:
        """What stands between cells.

        Raises:
            Stop: It is not one character, or one that means something else.
        """
        given = self["delimiter"]
        if given is None:
            return None
        delimiter = "\t" if given in {"tab", "\\t"} else cast("str", given)
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
            raise Stop(Ending.USAGE, "--delimiter is one character, as in ';', or tab")
        return delimiter

    def source(self, survey: Survey | None = None) -> Source:
        """The input, opened."""
        return opened(self.place(), self.delimiter(), survey)

    def by(self, names: list[str]) -> dict[str, FieldType | None]:
        """The columns to look up, with their field types, as far as they were given.

        Args:
            names: The columns that there are: `a=phone` is one of them before it is a type.
        """
        told: dict[str, FieldType | None] = {}
        for text in self["by"]:
            name, mark, kind = text.rpartition("=")
            is_typed = mark and text not in names and kind in get_args(FieldType)
            label, field_type = (name, cast("FieldType", kind)) if is_typed else (text, None)
            if label in told:
                raise Stop(Ending.USAGE, f"--by names {label!r} twice: name each column once, best first")
            if label not in names and len(names) == 1 and ";" in names[0]:
                raise Stop(
                    Ending.USAGE, "the input has one column only, with ; in its name: say --delimiter ';'"
                )
            told[label] = field_type
        return told

    def wish(self, source: Source) -> Wish:
        """What is wanted of an input.

        Raises:
            ConfigError: It cannot be had.
        """
        return Wish.checked(self.by(source.names), self._columns(), self["prefix"], self["split"], None)

    def enricher(self, **more: Any) -> BulkEnricher:
        """An enricher of these settings.

        Raises:
            ConfigError: One is wrong.
            Stop: The key file cannot be used.
        """
        settings = {name: self[name] for name in _SETTINGS if self[name] not in (None, ())} | more
        if self["sandbox"]:
            for option in ("base_url", "key_file"):
                if self[option] is not None:
                    raise Stop(
                        Ending.USAGE,
                        f"--sandbox brings its own: leave out --{option.replace('_', '-')}, or it",
                    )
            return BulkEnricher.sandbox(**settings)
        key = key_in(self["key_file"]) if self["key_file"] is not None else None
        return BulkEnricher(key, base_url=self["base_url"] or BASE_URL, **settings)

    def _columns(self) -> Any:
        if not self["columns"]:
            return None
        columns: dict[str, Any] = {}
        for text in self["columns"]:
            name, mark, path = text.partition("=")
            if not mark:
                if name not in DEFAULT_COLUMNS:
                    raise Stop(
                        Ending.USAGE,
                        f"--column names {name!r}, which is none of {', '.join(DEFAULT_COLUMNS)}: give it a "
                        f"path, as in title=employment.job.title",
                    )
                columns[name] = DEFAULT_COLUMNS[name]
                continue
            path, colon, kind = path.partition(":")
            columns[name] = (path, kind) if colon else path
        return columns


_SETTINGS = (
    "required_fields",
    "max_credits",
    "credit_price",
    "default_region",
    "na_values",
    "requests_per_minute",
    "max_concurrency",
    "chunk_size",
    "max_in_doubt",
    "max_retries",
    "timeout",
    "grace",
    "on_unknown",
    "proxy",
    "ca_bundle",
    "body",
)
"""The options that are settings of an enricher by the same name."""
