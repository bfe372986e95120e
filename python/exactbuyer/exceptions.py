"""What can go wrong in a run, each with the answer to *may it have been charged?*.

Owns only the classes: the core decides which of them a run raises. A problem of a single row is data (its
status, and `Results.problems`), never an exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from .report.receipt import Receipt
    from .report.results import Problem
    from .results import Results


class _WithResults(BaseException):
    """An error or a warning about a call, with what the call has done so far."""

    results_class: ClassVar[type[Results]]
    """Set by the module `results`, which imports this one."""

    def __init__(
        self, message: str = "", *, results: Results | None = None, receipt: Receipt | None = None
    ) -> None:
        super().__init__(message)
        self._results: Results | None = results
        self._receipt: Receipt | None = receipt

    @property
    def message(self) -> str:
        """Its text, as `str()` gives it."""
        return cast("str", self.args[0])

    @property
    def results(self) -> Results | None:
        """The results of the call: every row, in order, with everything that was paid for.

        `None` if they are not known: after a second Ctrl-C, which does not wait for the requests in flight
        (`BulkEnricher.recover` does), and for a warning that was given while the call was running.
        """
        return self._results

    @property
    def receipt(self) -> Receipt:
        """The receipt of the call. An empty one if no call had begun."""
        if self._receipt is None:
            self._receipt = self.results_class().receipt
        return self._receipt

    @property
    def table(self) -> Any:
        """For `enrich_table`: the table, with every row in its place; `None` for other calls."""
        return getattr(self._results, "table", None)


class ExactBuyerError(_WithResults, Exception):
    """The parent of all exceptions that this package raises about a run.

    Args:
        message: One line that says what happened and what to do next.
        status: The HTTP status of the reply that caused it, if a reply did.
        results: The results of the call so far: every row, in order, with everything that was paid for.
        receipt: The receipt of the call.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        results: Results | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message, results=results, receipt=receipt)
        self.status = status

    @property
    def results(self) -> Results:
        """The results of the call: every row, in order, with everything that was paid for.

        They are empty if no call had begun.
        """
        if self._results is None:
            self._results = self.results_class()
        return self._results


class ConfigError(ExactBuyerError, ValueError):
    """A setting is wrong. Nothing was sent, nothing was charged."""


class InvalidIdentifierError(ExactBuyerError, ValueError):
    """Some rows cannot be looked up. Nothing was sent, nothing was charged.

    Attributes:
        problems: Every such row: its number, counted from 0, and the reason.
    """

    def __init__(
        self,
        message: str = "",
        *,
        problems: Sequence[Problem] = (),
        status: int | None = None,
        results: Results | None = None,
        receipt: Receipt | None = None,
    ) -> None:
        super().__init__(message, status=status, results=results, receipt=receipt)
        self.problems: list[Problem] = list(problems)

    @property
    def errors(self) -> list[Problem]:
        """The same as `problems`."""
        return self.problems


class ApiError(ExactBuyerError):
    """The service refused the request, free of charge. `status` is the HTTP status. Check `base_url`."""


class AuthenticationError(ApiError):
    """401: the key was refused. Free; the same key will be refused again."""


class InsufficientCreditsError(ApiError):
    """403: the account has no credits left. Free; run it again when it has credits."""


class RateLimitError(ApiError):
    """429, with a wait longer than a run should sleep. Free; run it again later."""


class BadRequestError(ApiError):
    """400, 413 or 422: the service cannot read the request, or refused one of its records. Free."""


class ServerError(ApiError):
    """503 or 408 at every attempt. Free; run it again later."""


class TransportError(ExactBuyerError, OSError):
    """Nothing reached the service, so nothing was charged. The message names the cause, and what to do."""


class UnknownOutcomeError(ExactBuyerError):
    """A request was sent and got no readable answer: **it may have been charged**.

    Its rows have the status `unknown`, and are never sent again unless you ask for it.
    """


class BudgetExceededError(ExactBuyerError):
    """The limit on credits stopped the run. Nothing beyond the limit was sent."""


class StoreError(ExactBuyerError, OSError):
    """The store could not be read or written. A request is sent only if it could be recorded first."""


class Interrupted(_WithResults, KeyboardInterrupt):
    """The `KeyboardInterrupt` that a call raises after Ctrl-C. It has everything that was paid for."""


class _CallWarning(_WithResults, UserWarning):
    """A warning about a call. If warnings are turned into errors, it gives access to what was paid for."""


class IncompleteWarning(_CallWarning):
    """A call is over, and rows are open: `unknown`, or `not_sent` and neither purged nor dropped."""


class ColumnWarning(_CallWarning):
    """Something about the columns of a table that you should look at.

    Nearly no value of a column could be read; or no contact has a value for a column that you defined, or
    none has a value that fits its type; or columns of an earlier call are removed; or the new columns could
    not be joined with the table, and are returned as Arrow data.
    """


class StoreWarning(_CallWarning):
    """A problem with the store that you should look at.

    Examples: answers could not be stored; other users can read the file; many lookups are sent without a
    store.
    """
