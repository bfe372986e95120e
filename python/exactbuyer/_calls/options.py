"""The arguments of a single call, checked; its rows too, if invalid ones are refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, get_args

from exactbuyer.exceptions import InvalidIdentifierError
from exactbuyer.field_types import FieldType, RequiredField, check_field_type, check_required_fields
from exactbuyer.report.message import Message, Term, wrong
from exactbuyer.report.results import Problem
from exactbuyer.report.wording import as_given
from exactbuyer.settings import check_max_credits
from exactbuyer.settings._checks import one_of, whole

if TYPE_CHECKING:
    from exactbuyer._core import Rows

_NAMED = 10

_MOST_READ_AHEAD = 1_000_000


@dataclass(frozen=True, slots=True)
class CallOptions:
    """The arguments that one call sets for itself, checked."""

    field_type: FieldType | None
    required_fields: tuple[RequiredField, ...] | None
    max_credits: int | None
    refresh: bool
    store_only: bool
    read_ahead: int | None = None
    """The most rows that a stream reads before the consumer has taken the rows before them."""

    @classmethod
    def checked(
        cls,
        field_type: object,
        required_fields: Iterable[RequiredField] | None,
        max_credits: object,
        *,
        refresh: object,
        store_only: object,
        read_ahead: object = None,
    ) -> CallOptions:
        """Checks them; a `ConfigError` names what is wrong."""
        fields = None if required_fields is None else check_required_fields(required_fields)
        for name, flag in (("refresh", refresh), ("store_only", store_only)):
            if not isinstance(flag, bool):
                raise wrong(name, f"must be True or False; got {as_given(flag)}")
        if refresh and store_only:
            raise wrong(
                "refresh",
                "asks for everything again, and ",
                Term("store_only"),
                " asks for nothing: leave out one of them",
            )
        return cls(
            field_type=check_field_type(field_type),
            required_fields=fields,
            max_credits=check_max_credits(max_credits),
            refresh=bool(refresh),
            store_only=bool(store_only),
            read_ahead=None
            if read_ahead is None
            else whole("read_ahead", read_ahead, 1, _MOST_READ_AHEAD, ", or None"),
        )

    def for_core(self) -> dict[str, Any]:
        """By the names that the core reads."""
        names = ("required_fields", "refresh", "store_only")
        return {name: getattr(self, name) for name in names}


OnError: TypeAlias = Literal["raise", "record"]
"""What `enrich` does about problems: raises an exception, or records them in the status of the rows."""


def check_on_error(on_error: object) -> OnError:
    """`on_error`, if it is one; else a `ConfigError`."""
    return cast("OnError", one_of("on_error", on_error, get_args(OnError)))


def refuse_invalid(parts: list[Rows]) -> None:
    """Raises `InvalidIdentifierError` with every row that cannot be looked up, if there is one."""
    problems = [Problem(row, "invalid", reason) for part in parts for row, reason in part.invalid()]
    if not problems:
        return
    rows = sum(map(len, parts))
    same: dict[str, list[str]] = {}
    for row, _, reason in problems[:_NAMED]:
        same.setdefault(reason, []).append(f"{row}")
    named: list[str] = []
    for reason, places in same.items():
        place = f"row{'s' if len(places) > 1 else ''} {', '.join(places)}: " if rows > 1 else ""
        named += ["; " if named else "", place, reason]
    which = f"{len(problems):,} of {rows:,} rows" if rows > 1 else "row 0"
    more = (
        f"; and {len(problems) - _NAMED:,} more in the exception's .problems"
        if len(problems) > _NAMED
        else ""
    )
    raise InvalidIdentifierError(
        Message(
            f"{which} cannot be looked up: ",
            *named,
            f"{more}. Nothing was sent. Correct them, or pass on_error='record' to ask for the others.",
        ),
        problems=problems,
    )
