"""The names of field types and required fields, and their checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias, cast, get_args

from .report.message import wrong
from .report.wording import as_given

FieldType: TypeAlias = Literal["email", "phone", "social_profile"]
"""The type of an identifier. The names are those of the API (`contact-enrichment/bulk-enrichment-api`)."""

RequiredField: TypeAlias = Literal["email", "work_email", "personal_email", "phone", "social_profile"]
"""What a match may be required to have. The names are those of the API."""

FIELD_TYPES: tuple[str, ...] = get_args(FieldType)
REQUIRED_FIELDS: tuple[str, ...] = get_args(RequiredField)


def check_field_type(field_type: object) -> FieldType | None:
    """`field_type`, if it is one; else a `ConfigError` that lists them."""
    if field_type is None or field_type in FIELD_TYPES:
        return cast("FieldType | None", field_type)
    raise wrong(
        "field_type",
        f"must be one of {_listed(FIELD_TYPES)}, or None to infer it for each row; "
        f"got {as_given(field_type, FIELD_TYPES)}",
    )


def check_required_fields(required_fields: Iterable[str]) -> tuple[RequiredField, ...]:
    """The required fields, each once, in the order given; else a `ConfigError` that lists them."""
    if isinstance(required_fields, str):
        near = f"[{required_fields!r}]" if required_fields in REQUIRED_FIELDS else "['work_email']"
        raise wrong("required_fields", f"must be a list of names, as in {near}")
    try:
        names = tuple(dict.fromkeys(required_fields))
    except TypeError:
        raise wrong("required_fields", f"must be a list of names out of {_listed(REQUIRED_FIELDS)}") from None
    for name in names:
        if name not in REQUIRED_FIELDS:
            raise wrong(
                "required_fields",
                f"must be names out of {_listed(REQUIRED_FIELDS)}; got {as_given(name, REQUIRED_FIELDS)}",
            )
    return cast("tuple[RequiredField, ...]", names)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names)
