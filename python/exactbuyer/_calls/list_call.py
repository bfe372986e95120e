"""Calls whose rows were all given at once. How a call ends is in `call.py`."""

from __future__ import annotations

from itertools import repeat
from typing import Any, cast

from exactbuyer._frames.pandas import index_of
from exactbuyer.results import Results

from .call import Call


class ListCall(Call):
    """A call that returns a list: its results are built in place."""

    def __init__(self, *begun: Any) -> None:
        super().__init__(*begun)
        self._filled = Results(cast("Any", repeat(None, self._watch.total or 0)))

    def keep_index(self, rows: object) -> None:
        """Keeps the index of a Series of pandas' for the tables of the results. Not the Series."""
        self._filled.index_of_rows = index_of(rows)

    def collect(self) -> None:
        self.run.fill(self._filled)

    def kept_rows(self) -> int:
        return len(self._filled)

    def rest(self) -> Results:
        # Where Ctrl-C came before the run had them all, the last rows never began.
        del self._filled[self.run.receipt()["rows"] :]
        if self.is_broken():
            for place, row in enumerate(cast("list[Any]", self._filled)):
                if row is None:
                    self._filled[place] = {"value": None, "enriched_contact": None, "status": "unknown"}
        return self._filled

    def _where_results_are(self) -> str:
        rows = len(self._filled)
        return f"{f'All {rows:,} rows are' if rows > 1 else 'The row is'} in {self._places()}."
