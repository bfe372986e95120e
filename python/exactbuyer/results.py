"""OUTPUT: the list of results that a call returns, and the tables that can be made of it.

The code that assembles the tables of `enrich_table` assembles these, too. Knows nothing of calls.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from itertools import islice
from operator import index
from typing import TYPE_CHECKING, Any

from ._core import Batches, Table
from ._frames.arrow import PyarrowFrame
from ._frames.libraries import library_for
from ._frames.metadata import COLUMNS_KEY, RECEIPT_KEY, Notes
from ._frames.pandas import PandasFrame
from ._frames.polars import PolarsFrame
from ._frames.request import Columns, TableRequest
from ._frames.table_input import BLOCK_ROWS, TableSource
from .exceptions import _WithResults
from .report.preview import Preview
from .report.receipt import Receipt
from .report.results import STATUSES, Contact, Problem, Result
from .report.wording import count

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]

    from ._frames.frame import Frame

VALUE = "value"
"""The column with the caller's values, in a table of results."""

_ORIGIN_BYTES = 9

_PREVIEWED = ("full_name", "title", "company", "work_email", "phones", "linkedin_url", "city", "country")
"""The columns of a preview, if any of its rows has a value."""


class Results(list[Result]):
    """A list with one `Result` for each row, in input order, and the receipt of the call.

    It is a `list`; a slice of it is a plain list. Its repr shows counts and no people. `to_pandas`,
    `to_polars` and `to_arrow` make a table of it. Call them before you add, remove, replace or reorder rows:
    after that, nobody knows which row a reason or a time belongs to.

    Args:
        rows: The results.
        receipt: The receipt of the call.
        problems: Why rows are neither `found`, `not_found` nor `missing`. For a list, all such rows; for a
            stream, the first million.
        first_row: The number of the first row in this list. It is not 0 if a stream had already yielded the
            rows before it.
        table: For `enrich_table`: the table, as far as the call had come. The list itself is then empty.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> with BulkEnricher.sandbox() as enricher:
        ...     results = enricher.enrich([None, ""])
        >>> results
        <Results: 2 rows: 2 missing>
        >>> results[0]
        {'value': None, 'enriched_contact': None, 'status': 'missing'}
    """

    receipt: Receipt
    problems: list[Problem]
    first_row: int
    table: Any
    origins: bytes
    """Where the answers came from, as the core has packed it for a table. For this package only.

    It is emptied if rows are moved: see `_CHANGES`.
    """
    index_of_rows: Any
    """The index of the rows, if they were a Series of pandas'. For this package only."""

    def __init__(
        self,
        rows: Iterable[Result] = (),
        *,
        receipt: Receipt | None = None,
        problems: Iterable[Problem] = (),
        first_row: int = 0,
        table: Any = None,
    ) -> None:
        super().__init__(rows)
        self.receipt = receipt or Receipt()
        self.problems = list(problems)
        self.first_row = first_row
        self.table = table
        self.origins = b""
        self.index_of_rows = None

    @property
    def contacts(self) -> list[Contact | None]:
        """The contact of each row, in order; `None` for a row without one.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example", None])
            >>> [contact and contact["full_name"] for contact in results.contacts]
            ['Ana Almeida', None]
        """
        return [row["enriched_contact"] for row in self]

    def to_pandas(self, *, columns: Columns | None = None, prefix: str = "eb_") -> pd.DataFrame:
        """A pandas frame: what `enrich_table` returns for a frame with your values in the column `value`.

        Args:
            columns: As for `enrich_table`. `None`: all of `DEFAULT_COLUMNS`.
            prefix: The beginning of the name of every column but `value`.

        Returns:
            One row for each result: `value`, then the columns of `enrich_table`. The values are text. For a
            row that is a list, it is the value that was found, else the first. If the rows of `enrich` were a
            Series, the frame has its index, also after `recover()`, `last_results` or a pickle. For all other
            rows, and for what is left of a stream, the index counts from 0.

        Raises:
            ValueError: The results are those of `enrich_table` (use `results.table`), or rows were added,
                removed, replaced or reordered after the call.
            ConfigError: `columns` or `prefix` is wrong.
            ImportError: pandas is not installed.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example", None])
            >>> results.to_pandas(columns=["full_name"])[["value", "eb_status", "eb_full_name"]]
                                  value eb_status eb_full_name
            0  ana.almeida@acme.example     found  Ana Almeida
            1                       NaN   missing          NaN
        """
        pandas = library_for("to_pandas", "pandas")
        values = pandas.Series(self._values(), dtype=pandas.Series(["text"]).dtype)
        frame: pd.DataFrame = self._beside(PandasFrame(pandas.DataFrame({VALUE: values})), columns, prefix)
        if self.index_of_rows is not None:
            # After Ctrl-C, the last rows may never have begun.
            frame.index = self.index_of_rows[: len(self)]
        return frame

    def to_polars(self, *, columns: Columns | None = None, prefix: str = "eb_") -> pl.DataFrame:
        """A polars frame with the columns of `enrich_table`. As `to_pandas`, but without an index.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example", None])
            >>> results.to_polars()["eb_status"].to_list()
            ['found', 'missing']
        """
        polars = library_for("to_polars", "polars")
        frame = polars.DataFrame({VALUE: self._values()}, schema={VALUE: polars.String})
        return self._beside(PolarsFrame(frame), columns, prefix)  # type: ignore[no-any-return]

    def to_arrow(  # pyright: ignore[reportUnknownParameterType]
        self, *, columns: Columns | None = None, prefix: str = "eb_"
    ) -> pa.Table:  # pyright: ignore[reportUnknownMemberType]
        """A pyarrow table with the columns of `enrich_table`. As `to_pandas`, but without an index.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example", None])
            >>> results.to_arrow()["eb_full_name"].to_pylist()
            ['Ana Almeida', None]
        """
        pyarrow = library_for("to_arrow", "pyarrow")
        table = pyarrow.table({VALUE: pyarrow.array(self._values(), pyarrow.string())})
        return self._beside(PyarrowFrame(table), columns, prefix)

    def preview(self, n: int = 5) -> Preview:
        """The first rows with the most important values, for a look at what was found.

        It **shows people**. A notebook shows it as a table if it is the last line of a cell; elsewhere, print
        it. Results show no people by themselves.

        Args:
            n: The most rows to show, from 0.

        Raises:
            ValueError: As `to_pandas`.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> with BulkEnricher.sandbox(match_rate=1) as enricher:
            ...     results = enricher.enrich(["ana.almeida@acme.example", None])
            >>> results.preview()
            <Preview of 2 of 2 rows: print it, or show it in a notebook>
        """
        request = TableRequest.checked(VALUE, _PREVIEWED, "", None, None)
        rows = len(self[: max(index(n), 0)])
        added = self._added(request.table(), rows)
        columns = {name: added.objects(name)[0] for name in ("status", *_PREVIEWED)}
        shown = {name: values for name, values in columns.items() if any(values) or name == "status"}
        return Preview({VALUE: self._values()[:rows], **shown}, len(self))

    def _values(self) -> list[str | None]:
        return [None if row["value"] is None else _whole_text(str(row["value"])) for row in self]

    def _beside(self, frame: Frame, columns: Columns | None, prefix: str) -> Any:
        request = TableRequest.checked(VALUE, columns, prefix, None, None)
        table = TableSource(frame.names(), request, large_text=frame.keeps_large_text()).table
        added = self._added(table, len(self))
        receipt = replace(self.receipt, misfits=table.misfits())
        notes = Notes({RECEIPT_KEY: receipt.to_dict(), COLUMNS_KEY: {prefix: table.names()}})
        return frame.beside(added, [], notes)

    def _added(self, table: Table, rows: int) -> Batches:
        """The columns of the first rows."""
        if self.table is not None:
            raise ValueError("these are the results of enrich_table: use their .table")
        if len(self.origins) != _ORIGIN_BYTES * len(self):
            raise ValueError(
                "rows were added, removed, replaced or reordered after the call: make the table of what the "
                "call returned, and then sort or select in the table"
            )
        reasons = {problem.row - self.first_row: problem.reason for problem in self.problems}
        results = iter(zip(self, map(reasons.get, range(rows)), strict=False))
        for first in range(0, rows, BLOCK_ROWS):
            block = list(islice(results, min(BLOCK_ROWS, rows - first)))
            table.expect(len(block))
            origins = self.origins[_ORIGIN_BYTES * first : _ORIGIN_BYTES * (first + len(block))]
            try:
                table.add_results(first, list(_with_contacts(block, ensure_ascii=False)), origins)
            except UnicodeEncodeError:
                # Half a surrogate pair is JSON only as an escape.
                table.add_results(first, list(_with_contacts(block, ensure_ascii=True)), origins)
        return Batches.concat(table, table.blocks())

    def __repr__(self) -> str:
        if self.table is not None:
            return f"<Results: a table of {count(self.receipt.rows, 'row')}, in .table>"
        counts = Counter(row["status"] for row in self)
        named = [f"{counts[status]:,} {status.replace('_', ' ')}" for status in STATUSES if counts[status]]
        return f"<Results: {count(len(self), 'row')}{': ' if named else ''}{', '.join(named)}>"

    def _repr_html_(self) -> str:
        return self.receipt._repr_html_()


_WithResults.results_class = Results


def has_rows(results: Results) -> bool:
    """Whether there are any, in the list or in the table of `enrich_table`."""
    return len(results) > 0 or results.table is not None


_CHANGES = ("__setitem__", "__delitem__", "clear", "insert", "pop", "remove", "reverse", "sort")
"""Methods after which a row may be in the place of another. Those that only append change the length."""


def _noted(change: Callable[..., Any]) -> Callable[..., Any]:
    """This method of a list, after which `origins` no longer belong to the rows."""

    @wraps(change)
    def noted(self: Results, *args: Any, **named: Any) -> Any:
        self.origins = b""
        return change(self, *args, **named)

    return noted


for _name in _CHANGES:
    setattr(Results, _name, _noted(getattr(list, _name)))


def _whole_text(text: str) -> str:
    """The text, with U+FFFD for each half of a surrogate pair: no table can have these."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _with_contacts(
    block: Sequence[tuple[Result, str | None]], *, ensure_ascii: bool
) -> Iterator[tuple[str, str | None, str | None]]:
    """Status, contact as JSON text, and reason."""
    encode = json.JSONEncoder(ensure_ascii=ensure_ascii, separators=(",", ":")).encode
    for row, reason in block:
        contact = row["enriched_contact"]
        yield row["status"], None if contact is None else encode(contact), reason
