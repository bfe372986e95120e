"""INPUT: how rows are read from a source in slices, and the service's names for field types.

Knows nothing of what a row means: the core reads each one, and says what is wrong with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from .exceptions import ConfigError
from .wording import as_given

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FieldType: TypeAlias = Literal["email", "phone", "social_profile"]
"""The type of an identifier. The names are those of the API (`contact-enrichment/bulk-enrichment-api`)."""

RequiredField: TypeAlias = Literal["email", "work_email", "personal_email", "phone", "social_profile"]
"""What a match may be required to have. The names are those of the API."""

FIELD_TYPES: tuple[str, ...] = get_args(FieldType)
REQUIRED_FIELDS: tuple[str, ...] = get_args(RequiredField)


PATIENCE_S = 0.05
"""How long one slice is read from a source before finished rows are looked at."""


def looks_wrong(rows: object) -> bool:
    """Whether this can be iterated over and may yet be no sequence of rows: the core says which.

    A string, a pair, a mapping, a frame: cut into slices they would no longer be recognised.
    """
    return (
        isinstance(rows, (str, bytes, bytearray, Mapping, tuple))
        or hasattr(type(rows), "columns")
        or hasattr(type(rows), "__dataframe__")
        or not isinstance(rows, Iterable)
    )


def slices(rows: Iterable[object], size: int) -> Iterator[Sequence[object]]:
    """The rows in slices of `size`; shorter ones where the source takes its time.

    What the source raises comes after the rows before it. A column is cut, not iterated over: its
    parts are still columns, and say what type their numbers have.
    """
    if _is_column(rows):
        for at in range(0, len(cast("Sequence[object]", rows)), size):
            yield cut(cast("Sequence[object]", rows), at, at + size)
        return
    iterator, ended = iter(rows), False
    while not ended:
        part: list[object] = []
        trouble: Exception | None = None
        deadline = time.monotonic() + PATIENCE_S
        try:
            for row in iterator:
                part.append(row)
                if len(part) >= size or time.monotonic() > deadline:
                    break
            else:
                ended = True
        except Exception as raised:  # noqa: BLE001 - raised in its place, below
            trouble = raised
        if part:
            yield part
        if trouble is not None:
            raise trouble


def cut(rows: Sequence[object], start: int, stop: int) -> Sequence[object]:
    """The rows from `start` to `stop` by position, as what they are."""
    return cast("Sequence[object]", getattr(rows, "iloc", rows)[start:stop])


def length(rows: object) -> int | None:
    """How many rows there are, where the source says so."""
    return len(rows) if isinstance(rows, Sized) else None


def _is_column(rows: object) -> bool:
    if isinstance(rows, list):
        return True
    sized = hasattr(type(rows), "__len__") and hasattr(type(rows), "__getitem__")
    return sized and any(hasattr(type(rows), name) for name in ("to_pylist", "to_list", "tolist"))


def check_field_type(field_type: object) -> FieldType | None:
    """`field_type`, if it is one; else a `ConfigError` that lists them."""
    if field_type is None or field_type in FIELD_TYPES:
        return cast("FieldType | None", field_type)
    raise ConfigError(
        f"field_type is one of {_listed(FIELD_TYPES)}, or None to infer it for each row; "
        f"not {as_given(field_type, FIELD_TYPES)}"
    )


def check_required_fields(required_fields: Iterable[str]) -> tuple[RequiredField, ...]:
    """The required fields, each once, in the order given; else a `ConfigError` that lists them."""
    if isinstance(required_fields, str):
        near = f"[{required_fields!r}]" if required_fields in REQUIRED_FIELDS else "['work_email']"
        raise ConfigError(f"required_fields is a list of names: write required_fields={near}")
    try:
        names = tuple(dict.fromkeys(required_fields))
    except TypeError:
        raise ConfigError(f"required_fields is a list of names out of {_listed(REQUIRED_FIELDS)}") from None
    for name in names:
        if name not in REQUIRED_FIELDS:
            raise ConfigError(
                f"required_fields holds names out of {_listed(REQUIRED_FIELDS)}; "
                f"not {as_given(name, REQUIRED_FIELDS)}"
            )
    return cast("tuple[RequiredField, ...]", names)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)


def is_torn(text: str) -> bool:
    """Whether a text cannot be passed on: it holds half a character (a lone surrogate) or a NUL."""
    return any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def check_text(name: str, *texts: object) -> None:
    """Checks texts that are passed on; else a `ConfigError`."""
    if any(isinstance(text, str) and is_torn(text) for text in texts):
        raise ConfigError(f"{name} holds half a character or a NUL: write it anew")
