"""The text of an error, a warning or a reason, in parts, so that each audience reads its own words.

A part that is a `Term` names a setting or what to do next: the Python API shows the words below, the command
line its own (`exactbuyer.cli._words`). All other parts, such as the name of a column, are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exactbuyer.exceptions import ConfigError

if TYPE_CHECKING:
    from typing_extensions import Self

PYTHON: Mapping[str, str] = {
    "allow": "store.allow(…)",
    "ask_again": "ask again for the rows that are not_sent",
    "ask_without_store_only": "ask again without store_only",
    "force": "pass force=True to replace it",
    "give_column_type": "pass the column's field type, as in by={'mobile': 'phone'}",
    "give_field_type": "pass its field type, as in field_type='phone'",
    "keep_answers": "Leave out store, or set it to a path",
    "no_limit": "or None for no limit",
    "no_store": "store=None",
    "or_arrow_type": ", or pass a type of Arrow",
    "or_default_region": ", or set default_region",
    "plan_problems": " (plan.problems)",
    "price_example": "credit_price=(0.05, 'EUR')",
    "read_encoding": "correct it, or read its source in the right encoding, such as cp1252",
    "resolve_doubts": 'enricher.resolve_unknown("resend"), ("drop") or ("not_charged")',
    "seconds": "a timedelta or a number of seconds",
    "see_reasons": "see results.problems",
    "separate_values": "give them as a list, in order of preference",
    "split_values": "pass their separator, as in split=';'",
    "several_columns": "several columns go in a list, by=[…, …]",
    "separators": "a string such as ';', several, as in [';', ','], or a mapping from columns to separators",
    "unknown_and_resolve": "store.unknown(); then resolve_unknown('resend'), ('drop') or ('not_charged')",
    "use_no_store": "pass store=None to keep nothing",
    "use_store": "make the enricher with store set to a path",
}
"""What a user of the Python API does. A setting is called by its name."""

_OF_TABLES = {"give_field_type": "give_column_type", "separate_values": "split_values"}
"""Terms that mean something else where a row is a cell of a table."""

TABLE: Mapping[str, str] = {**PYTHON, **{term: PYTHON[of_tables] for term, of_tables in _OF_TABLES.items()}}
"""The words for what is said of a table."""


class Term(str):
    """The name of a setting, or of something to do, for which each audience has its own words."""

    __slots__ = ()


class Message(str):
    """A text that can be shown again in the words of another audience.

    Args:
        *parts: Texts, terms and other messages, one after the other.
        words: The words for terms; a term that has none is shown by its name.
    """

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __new__(cls, *parts: str, words: Mapping[str, str] = PYTHON) -> Self:
        """Joins the parts."""
        flat: list[str] = []
        for part in parts:
            flat += part.parts if isinstance(part, Message) else (part,)
        text = "".join(words.get(part, part) if isinstance(part, Term) else part for part in flat)
        message = super().__new__(cls, text)
        message.parts = tuple(flat)
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, self.parts


def said(text: str, words: Mapping[str, str]) -> str:
    """A text in the words of this audience; a plain text is the same for all."""
    return Message(text, words=words) if isinstance(text, Message) else text


def of_table(text: str) -> Message:
    """A text about a table, for those who see it next to texts about other rows."""
    parts = text.parts if isinstance(text, Message) else (text,)
    return Message(*(Term(_OF_TABLES.get(part, part)) if isinstance(part, Term) else part for part in parts))


def about(name: str, *parts: str) -> Message:
    """A message that begins with the name of a setting or an argument."""
    return Message(Term(name), " ", *parts)


def wrong(name: str, *parts: str) -> ConfigError:
    """The error about a setting or an argument."""
    return ConfigError(about(name, *parts))
