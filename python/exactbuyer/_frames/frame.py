"""The interface that every kind of table implements."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exactbuyer._core import Batches

    from .metadata import Notes


Cells = tuple[object, str]
"""A column to look up: of Arrow, or a list, and the name of its type."""


class Frame:
    """A table that is there as a whole. By default, it has no index and does not know earlier calls."""

    def names(self) -> list[Hashable]:
        """Its columns' labels, in order."""
        raise NotImplementedError

    def has_names(self) -> bool:
        """Whether its columns are known. Those of a list without rows are not."""
        return True

    def index_names(self) -> list[Hashable]:
        """The names of its index's levels. They are no columns."""
        return []

    def label(self, name: str) -> Hashable:
        """The label of a column that is added under this name."""
        return name

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:
        """A column to look up, or that of the regions. The label is one of `names`, once."""
        raise NotImplementedError

    def keeps_large_text(self) -> bool:
        """Whether it would convert text to 64-bit offsets, so that it is better made with them."""
        return False

    def added_before(self) -> Mapping[str, list[str]]:
        """The columns that earlier calls have added, by prefix, if the table records them."""
        return {}

    def cut(self, rows: int) -> None:
        """Makes a copy of this object fit for a trial: keeps its first `rows` rows, and has no effects."""
        raise NotImplementedError

    def batches(self) -> Batches | None:
        """Its columns as Arrow data, if the caller cannot rely on the order of its rows; else `None`.

        What is computed when it is read may have another order when it is read again.
        """
        return None

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        """The same kind of table without the dropped columns and with the added ones."""
        raise NotImplementedError
