"""What runs on the workers of an engine: rows become keys, and answers are put beside rows.

Both are pure. They travel to the workers without the enricher: no API key, no store, no network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exactbuyer._core import RULES_VERSION
from exactbuyer._frames.detect import frame_of
from exactbuyer._frames.libraries import arrow_table, library
from exactbuyer._frames.metadata import Notes
from exactbuyer._frames.table_input import TextRules, read_lookup_columns
from exactbuyer.exceptions import ConfigError
from exactbuyer.report.message import TABLE

if TYPE_CHECKING:
    from exactbuyer._frames.frame import Frame
    from exactbuyer._frames.request import TableRequest

CHANGED = "the frame has other rows than when it was looked up: make it deterministic, or write it first"
"""Why a row has no answer whose key was not there when the keys were made."""


def distinct_schema() -> Any:
    """What `KeyMaker.distinct` returns: a key, what it asks for, and the number of rows with this key."""
    pa = library("pyarrow")
    return pa.schema({"key": pa.binary(), "asks": pa.string(), "rows": pa.int64()})


@dataclass(frozen=True)
class KeyMaker:
    """Makes the keys of rows.

    Attributes:
        request: The columns to look up.
        rules: How their texts are read.
        rules_version: The version of the caller's rules. Workers with another version would make other keys.
    """

    request: TableRequest
    rules: TextRules
    rules_version: int = RULES_VERSION

    @classmethod
    def of(cls, request: TableRequest, rules: TextRules) -> KeyMaker:
        """One for these columns."""
        return cls(replace(request, columns=(), words={}), rules)

    def keys(self, frame: Frame) -> Any:
        """For each row: its `key`; `asks`; and its `status` and `reason`, if it asks for nothing."""
        if self.rules_version != RULES_VERSION:
            raise ConfigError(
                f"a worker has rules for identifiers of version {RULES_VERSION}, the caller of version "
                f"{self.rules_version}: install the same release of exactbuyer on both. Nothing was sent"
            )
        columns = read_lookup_columns(frame.cells, self.request, self.rules)
        return library("pyarrow").table(columns.keys(0, len(columns), TABLE))

    def distinct(self, data: Any) -> Any:
        """The distinct rows of a partition, with their number: see `distinct_schema`."""
        return self.distinct_of(self.keys(frame_of(data)))

    @staticmethod
    def distinct_of(keyed: Any) -> Any:
        """The same of the keys of its rows."""
        keyed = keyed.select(["key", "asks"])
        ones = library("numpy").ones(keyed.num_rows, dtype="int64")
        keyed = keyed.append_column("rows", library("pyarrow").array(ones))
        grouped = keyed.group_by(["key", "asks"], use_threads=False).aggregate([("rows", "sum")])
        schema = distinct_schema()
        return grouped.select(["key", "asks", "rows_sum"]).rename_columns(schema.names).cast(schema)


@dataclass(frozen=True)
class Joiner:
    """Puts answers beside rows.

    Attributes:
        keys: Makes the keys of the rows.
        schema: The columns that are added.
        dropped: The columns of an earlier call, which the added columns replace.
    """

    keys: KeyMaker
    schema: Any
    dropped: tuple[Any, ...]

    @property
    def status(self) -> str:
        """The name of the added column with the status."""
        return str(self.schema.names[0])

    @property
    def reason(self) -> str:
        """The name of the added column with the reason."""
        return f"{self.keys.request.prefix}reason"

    def __call__(self, data: Any, answers: Any, keyed: Any = None) -> Any:
        """The rows with their new columns.

        `answers` has a column `key`, and those that are added; `None`: there are none. `keyed` are the keys
        of the rows, if they are made already.
        """
        frame = frame_of(data)
        answers = self.nothing() if answers is None else answers
        added = self._added(self.keys.keys(frame) if keyed is None else keyed, answers)
        return frame.beside(arrow_table(added), list(self.dropped), Notes())

    def _added(self, keyed: Any, answers: Any) -> Any:
        pa, pc = library("pyarrow"), library("pyarrow.compute")
        places = pc.index_in(keyed["key"], value_set=answers["key"].combine_chunks())
        added = answers.select(self.schema.names).take(places)
        status = pc.coalesce(added[self.status], keyed["status"], pa.scalar("not_sent"))
        lost = pc.and_(pc.is_null(places), pc.equal(status, "not_sent"))
        why = pc.if_else(lost, CHANGED, keyed["reason"])
        columns = dict(zip(added.column_names, added.columns, strict=True))
        columns[self.status] = status
        columns[self.reason] = pc.if_else(pc.is_null(places), why, added[self.reason])
        return pa.table(columns).cast(self.schema)

    def nothing(self) -> Any:
        """Answers without a row."""
        pa = library("pyarrow")
        return pa.schema([pa.field("key", pa.binary()), *self.schema]).empty_table()
