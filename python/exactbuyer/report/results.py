"""OUTPUT: the outcome of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypedDict, get_args

from exactbuyer.exceptions import InvalidIdentifierError

from .message import PYTHON, Message, said

if TYPE_CHECKING:
    from exactbuyer._core import Rows

Status: TypeAlias = Literal["found", "not_found", "missing", "invalid", "rejected", "unknown", "not_sent"]
"""The outcome of a row."""

STATUSES: tuple[Status, ...] = get_args(Status)


Contact: TypeAlias = dict[str, Any]
"""The service's object for a person, complete and unchanged."""


class FoundResult(TypedDict):
    """The outcome of a row that was found."""

    value: Any
    """The value in the caller's spelling. For a list: the one that was found."""

    enriched_contact: Contact
    """The service's object, complete and unchanged."""

    status: Literal["found"]
    """The outcome."""


class OtherResult(TypedDict):
    """The outcome of any other row."""

    value: Any
    """The value in the caller's spelling. For a list: the first. `None` if the row is missing."""

    enriched_contact: None
    """There is none."""

    status: Literal["not_found", "missing", "invalid", "rejected", "unknown", "not_sent"]
    """The outcome."""


Result: TypeAlias = FoundResult | OtherResult
"""The outcome of one row. Where `result["status"] == "found"`, type checkers know that it has a contact."""


class Problem(NamedTuple):
    """Why a row is neither `found`, `not_found` nor `missing`. It never contains personal data."""

    row: int
    """The place of the row in the input, from 0."""

    status: Status
    """The outcome."""

    reason: str
    """The reason, in words."""


def not_an_identifier(read: Rows, words: Mapping[str, str] = PYTHON) -> InvalidIdentifierError:
    """The error about a value that cannot be looked up.

    Args:
        read: The value, read as a row.
        words: The words for the advice, if the caller has other arguments than `enrich`.
    """
    why = next((reason for _, reason in read.invalid()), "there is nothing in it")
    return InvalidIdentifierError(
        Message(
            "it is not an identifier (",
            why,
            "): pass an e-mail address, a phone number or a profile's address",
            words=words,
        ),
        problems=[Problem(0, "invalid", said(why, words))],
    )
