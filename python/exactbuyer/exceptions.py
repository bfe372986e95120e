"""What can go wrong with a run, each with the answer to *may it have been charged?*.

Owns the classes and nothing else: the core decides which of them a run has earned. A row's own
trouble is data (its status, and `Results.problems`), never an exception of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .receipt import Receipt
    from .results import Problem, Results

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ColumnWarning",
    "ConfigError",
    "ExactBuyerError",
    "IncompleteWarning",
    "InsufficientCreditsError",
    "Interrupted",
    "InvalidIdentifierError",
    "RateLimitError",
    "ServerError",
    "StoreError",
    "StoreWarning",
    "TransportError",
    "UnknownOutcomeError",
]


class ExactBuyerError(Exception):
    """Anything that this package raises about a run.

    Args:
        message: One line that says what to do next.
        status: The HTTP status that brought it, where a reply did.
        results: What the call had come to: every row, in order. What was paid for is in there.
        receipt: What the call took.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        results: Results | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.results = results
        self.receipt = receipt

    @property
    def table(self) -> Any:
        """Of `enrich_table`: the table, every row in place; `None` of any other call."""
        return getattr(self.results, "table", None)


class ConfigError(ExactBuyerError, ValueError):
    """A setting is wrong. Nothing was sent, nothing was charged."""


class InvalidIdentifierError(ExactBuyerError, ValueError):
    """Rows that cannot be looked up. Nothing was sent, nothing was charged.

    Attributes:
        errors: Every one of them: its row, counted from 0, and why.
    """

    def __init__(
        self,
        message: str = "",
        *,
        errors: Sequence[Problem] = (),
        status: int | None = None,
        results: Results | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message, status=status, results=results, receipt=receipt)
        self.errors: list[Problem] = list(errors)


class ApiError(ExactBuyerError):
    """The service refused, free of charge; `status` says how. Check `base_url`."""


class AuthenticationError(ApiError):
    """401: the key was refused. Free; the same key will be refused again."""


class InsufficientCreditsError(ApiError):
    """403: the account has no credits left. Free; ask again once it has."""


class RateLimitError(ApiError):
    """429, with a wait longer than a run should sleep. Free; ask again later."""


class BadRequestError(ApiError):
    """400 or 422: the service cannot read the request, or refused a record of it. Free."""


class ServerError(ApiError):
    """503 or 408, each time it was tried. Free; ask again later."""


class TransportError(ExactBuyerError, OSError):
    """Nothing reached the service, so nothing was charged. The message names the cause, and what to do."""


class UnknownOutcomeError(ExactBuyerError):
    """A request went out and no readable answer came back: **it may have been charged**.

    Its rows have the status `unknown`, and are never sent again unasked.
    """


class BudgetExceededError(ExactBuyerError):
    """The ceiling on credits, or on doubt, stopped the run. Nothing beyond it was sent."""


class StoreError(ExactBuyerError, OSError):
    """The store could not be read or written. Nothing is sent that could not be noted first."""


class Interrupted(KeyboardInterrupt):
    """What Ctrl-C raises out of a call: a `KeyboardInterrupt` that still holds what was paid for.

    Attributes:
        results: Every row in order, as far as the run had come; `None` if a second Ctrl-C did not
            wait for what was in flight (`BulkEnricher.recover` does).
        receipt: What the call had taken by then.
    """

    def __init__(
        self, message: str = "", *, results: Results | None = None, receipt: Receipt | None = None
    ) -> None:
        super().__init__(message)
        self.results = results
        self.receipt = receipt

    @property
    def table(self) -> Any:
        """Of `enrich_table`: the table as far as it had come; `None` of any other call."""
        return getattr(self.results, "table", None)


class _WithResults(UserWarning):
    """A warning about a call: where warnings are errors, what was paid for is reached through it.

    Attributes:
        results: What the call had come to, if it is over.
        receipt: What the call took, likewise.
    """

    def __init__(
        self, message: str = "", *, results: Results | None = None, receipt: Receipt | None = None
    ) -> None:
        super().__init__(message)
        self.results = results
        self.receipt = receipt

    @property
    def table(self) -> Any:
        """Of `enrich_table`: the table; `None` of any other call."""
        return getattr(self.results, "table", None)


class IncompleteWarning(_WithResults):
    """A call is over and rows of it are open: `unknown` or `not_sent`."""


class ColumnWarning(_WithResults):
    """A table was enriched, and what it asks by, or asks for, may be the wrong thing.

    Nearly no cell could be looked up, or no contact had a value for a column of yours, or none that fits its
    type.
    """


class StoreWarning(_WithResults):
    """Something about the store that somebody should see to.

    Answers could not be kept; others can read the file; or many lookups, and no store.
    """
