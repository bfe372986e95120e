"""The warnings of the package, and the line of the caller that they point to."""

from __future__ import annotations

import inspect
import warnings
from typing import TYPE_CHECKING

from exactbuyer._traceback import is_ours
from exactbuyer.exceptions import ColumnWarning, IncompleteWarning, StoreWarning

from .message import Message, Term
from .wording import count

if TYPE_CHECKING:
    from exactbuyer.results import Results

    from .receipt import Receipt

MANY_ROWS = 1_000
"""If more rows are looked up without a store, there is a warning."""


def warn_of_store(message: str) -> None:
    """A problem with the store that the user should look at."""
    _warn(StoreWarning(message))


def warn_of_nothing_kept() -> None:
    """Many rows are about to be paid for, and no store keeps their answers."""
    warn_of_store(
        Message(
            Term("no_store"),
            f" keeps nothing: if this process dies, the answers to more than {MANY_ROWS:,} rows are lost, "
            "and paid for again. ",
            Term("keep_answers"),
        )
    )


def warn_of_given_up(calls: int) -> None:
    """Interrupted calls were not recovered, and there were too many of them to keep."""
    warn_of_store(
        f"the rows of {count(calls, 'call')} that had been interrupted were dropped, and what they had paid "
        f"for is lost (the receipt counts it), because no store has it: call recover() after each, or use "
        f"a store"
    )


# If warnings are turned into errors, these have the results and the receipt, as any other error has.


def warn_not_stored(results: Results, receipt: Receipt, store: str | None) -> None:
    """Answers could not be stored."""
    message = (
        f"the answers to {count(receipt.not_stored, 'lookup')} could not be stored. Only what this call "
        f"returned has them: keep it, and check the store ({store})"
    )
    _warn(StoreWarning(message, results=results, receipt=receipt))


def warn_incomplete(open_rows: str, results: Results, receipt: Receipt) -> None:
    """Rows stayed open; `open_rows` says how many, and why."""
    message = Message(
        open_rows,
        ". Open rows have the status 'unknown' (may have been charged) or 'not_sent' (free): see receipt.",
    )
    _warn(IncompleteWarning(message, results=results, receipt=receipt))


def warn_of_column(message: str, results: Results | None = None, receipt: Receipt | None = None) -> None:
    """Something about the columns of a table needs a look: see `ColumnWarning`."""
    _warn(ColumnWarning(message, results=results, receipt=receipt))


def _warn(warning: Warning) -> None:
    """Warns at the line of the first frame outside this package."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
