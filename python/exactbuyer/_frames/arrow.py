"""Tables of pyarrow, objects that have only Arrow's C interface, and relations of duckdb."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, cast

from .frame import Cells, Frame
from .libraries import arrow_table, as_kind, has_pyarrow, library
from .metadata import Notes, known_columns

if TYPE_CHECKING:
    from exactbuyer._core import Batches, Table


def table_beside(table: Any, added: Batches, dropped: list[Any]) -> Any:
    """A pyarrow table without what is dropped, with what was added."""
    beside = library("pyarrow").table(added)
    table = table.drop_columns(dropped)
    for field, column in zip(beside.schema, beside.columns, strict=True):
        table = table.append_column(field, column)
    return table


def schema_beside(schema: Any, added: Table | Batches, dropped: list[Any], notes: Notes) -> Any:
    """The schema of such a table, with the metadata that it had and these notes."""
    pa = library("pyarrow")
    kept = [field for field in schema if field.name not in dropped]
    return pa.schema([*kept, *pa.schema(cast("Any", added))], metadata=notes.beside(schema.metadata))


class PyarrowFrame(Frame):
    """A table or a record batch of pyarrow's."""

    def __init__(self, data: Any) -> None:
        pa = library("pyarrow")
        self._batch = isinstance(data, pa.RecordBatch)
        self._table = pa.Table.from_batches([data]) if self._batch else data

    def names(self) -> list[Hashable]:
        return list(self._table.column_names)

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:  # noqa: ARG002
        return self._table.column(label), ""

    def added_before(self) -> Mapping[str, list[str]]:
        return known_columns(self._table.schema.metadata)

    def cut(self, rows: int) -> None:
        self._table = self._table.slice(0, rows)

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        table = table_beside(self._table, added, dropped)
        table = table.replace_schema_metadata(notes.beside(table.schema.metadata))
        return self._one_batch(table, theirs=self._table.num_columns - len(dropped)) if self._batch else table

    def _one_batch(self, table: Any, *, theirs: int) -> Any:
        pa = library("pyarrow")
        whole = table.combine_chunks().to_batches()
        if len(whole) > 1:
            # More text in one column than a batch of `string` can hold: the added columns get another type.
            fields = list(table.schema)
            for place, field in enumerate(fields[theirs:], theirs):
                fields[place] = field.with_type(pa.large_string()) if field.type == pa.string() else field
            schema = pa.schema(fields, metadata=table.schema.metadata)
            whole = table.cast(schema).combine_chunks().to_batches()
        # A table without rows has no batch at all.
        return whole[0] if whole else pa.RecordBatch.from_pylist([], schema=table.schema)


class CapsuleFrame(Frame):
    """Anything else that hands its rows on by Arrow's C interface, read whole."""

    def __init__(self, data: object) -> None:
        self._kind = type(data)
        self._batches = arrow_table(data)

    def names(self) -> list[Hashable]:
        return list(self._batches.names())

    def cells(self, label: Hashable, *, is_region: bool = False) -> Cells:  # noqa: ARG002
        return self._batches.column(cast("str", label)), ""

    def added_before(self) -> Mapping[str, list[str]]:
        return known_columns(self._batches.metadata())

    def cut(self, rows: int) -> None:
        self._batches = self._batches.slice(0, rows)
        # `from_arrow` of a class is not tried: it may have effects, such as a table in a database.
        self._kind = object

    def batches(self) -> Batches | None:
        return self._batches

    def beside(self, added: Batches, dropped: list[Any], notes: Notes) -> Any:
        joined = self._batches.beside(added, dropped, notes.changes())
        return as_kind(self._kind, joined)


class RelationFrame(CapsuleFrame):
    """A relation of duckdb's. The result is one of the same connection, and prints as a table."""

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
        relation = self._relation.query("exactbuyer_input", "from exactbuyer_rows")
        del exactbuyer_rows
        return relation
