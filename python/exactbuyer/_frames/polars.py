"""polars frames, eager or lazy: how their columns are read, and how columns are added."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from .frame import Cells, Frame
from .libraries import arrow_table, library

if TYPE_CHECKING:
    from exactbuyer._core import Batches

    from .metadata import Notes


class PolarsFrame(Frame):
    """A frame of polars, eager or lazy."""

    def __init__(self, data: Any) -> None:
        self._lazy = type(data).__name__ == "LazyFrame"
        # Its own list of columns and rows: the caller may change theirs while a call is under way.
        self._frame = data.collect() if self._lazy else data.clone()

    def names(self) -> list[Hashable]:
        return list(self._frame.columns)

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:  # noqa: ARG002
        column = self._frame.get_column(label)
        kind = str(column.dtype)
        if kind.startswith("Categorical"):
            # Older versions hand on its numbers, and say that they are its texts.
            column = column.cast(library("polars").String)
        # It hands on columns of type Null with a buffer too many, also within lists: Arrow refuses them.
        as_objects = kind == "Object" or "Null" in kind
        return (column.to_list() if as_objects else column), ""

    def cut(self, rows: int) -> None:
        self._frame = self._frame.head(rows)

    def batches(self) -> Batches | None:
        return arrow_table(self._frame) if self._lazy else None

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:  # noqa: ARG002
        pl = library("polars")
        beside = pl.DataFrame(added)
        frame = self._frame.drop(dropped).hstack(beside) if self._frame.width else beside
        return frame.lazy() if self._lazy else frame
