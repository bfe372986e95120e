"""Relations of duckdb: the result is a relation of the same connection, and prints as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arrow import CapsuleFrame
from .libraries import has_pyarrow, library

if TYPE_CHECKING:
    from exactbuyer._core import Batches

    from .metadata import Notes


class RelationFrame(CapsuleFrame):
    """A relation of duckdb's."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self._relation = data

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        joined = super().beside(added, dropped, notes)
        if not has_pyarrow():
            # Before version 2, duckdb can read other Arrow data only once.
            return joined
        # duckdb finds the variable by its name, and keeps the table. Only in the relation's own connection
        # can the result be used together with other tables.
        exactbuyer_rows = library("pyarrow").table(joined)
        try:
            return self._relation.query("exactbuyer_input", "from exactbuyer_rows")
        except Exception:  # noqa: BLE001 - the people are paid for: whatever duckdb refuses, they are returned
            return exactbuyer_rows
