"""Reads the columns to look up into the core, and explains which of them cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exactbuyer._core import ByColumns
from exactbuyer.exceptions import ConfigError

from .labels import looks_personal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exactbuyer.settings import Settings

    from .frame import Cells
    from .request import TableRequest


def read_lookup_columns(
    cells: Mapping[Any, Cells], region: Cells | None, table_request: TableRequest, settings: Settings
) -> ByColumns:
    """The columns to look up.

    Raises:
        ConfigError: One cannot be looked up, or not be read.
    """
    given = [
        (_shown_to_core(label), kind, *cells[label], list(marks))
        for (label, kind), marks in zip(table_request.by, table_request.marks, strict=True)
    ]
    regions = None if region is None else (_shown_to_core(table_request.region), *region)
    try:
        return ByColumns(
            given, region=regions, default_region=settings.default_region, na_values=settings.na_values
        )
    except (ConfigError, MemoryError):
        raise
    except Exception as trouble:
        # What Arrow's C interface raises says nothing of whose column it is.
        columns = [(name, column) for name, _, column, *_ in given] + ([regions[:2]] if regions else [])
        at = next((column for column in columns if not _can_be_read(*column)), None)
        if at is None:
            raise
        name, column = at
        kind = getattr(column, "dtype", None) or getattr(column, "type", None) or type(column).__name__
        raise ConfigError(
            f"column {name!r} is of type {kind}, which cannot be read by Arrow's C interface: make it text "
            f"first"
        ) from trouble


def _shown_to_core(label: Any) -> str:
    # The core needs the name for what it raises, and for nothing else.
    return "with a person's name" if looks_personal(label) else str(label)


def _can_be_read(name: str, cells: object) -> bool:
    try:
        ByColumns([(name, None, cells, "", [])])
    except Exception:  # noqa: BLE001 - the question is whether it raises
        return False
    return True
