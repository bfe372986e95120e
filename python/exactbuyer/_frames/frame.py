"""The interface that every kind of table implements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from exactbuyer._core import Batches

    from .metadata import Notes


Cells = tuple[object, str]
"""A column to look up: of Arrow, or a list, and the name of its type."""


class Frame(Protocol):
    """A table that is there as a whole."""

    def names(self) -> list[Hashable]:
        """Its columns' labels, in order."""
        ...

    def index_names(self) -> list[Hashable]:
        """What its index is called, level by level, where it has one: it is no column."""
        ...

    def label(self, name: str) -> Hashable:
        """What a column that is added under this name is called there."""
        ...

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:
        """A column to look up, or that of the regions. The label is one of `names`, once."""
        ...

    def added_before(self) -> Mapping[str, list[str]]:
        """The columns that it says were added to it before, by prefix."""
        ...

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        """The same kind of table, without what is dropped, with what was added."""
        ...
