"""How a command ends: exit codes, each with one meaning, and the errors that end a command with one.

Any function of the command line may raise a `CommandError`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exactbuyer.exceptions import ExactBuyerError
    from exactbuyer.report.receipt import Receipt

logger = logging.getLogger("exactbuyer")


class ExitCode(IntEnum):
    """The exit code of a command. Frozen within a major version."""

    DONE = 0
    BUG = 1
    USAGE = 2
    ROWS_FAILED = 3
    CREDITS = 4
    KEY_REFUSED = 5
    UNKNOWN = 6
    SERVICE = 7
    FILES = 8
    STORE = 9
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


MEANINGS = {
    ExitCode.DONE: "every row has its answer, has nothing to look up, or was purged or dropped",
    ExitCode.BUG: "an unexpected error: not enough memory, or a bug",
    ExitCode.USAGE: "the command or a setting is wrong; nothing was sent",
    ExitCode.ROWS_FAILED: "some rows were refused or could not be sent",
    ExitCode.CREDITS: "the account's credits are used up, or --max-credits was reached",
    ExitCode.KEY_REFUSED: "the key was refused",
    ExitCode.UNKNOWN: "some rows may have been charged and have no answer",
    ExitCode.SERVICE: "the service or a proxy refused the whole run: check the address",
    ExitCode.FILES: "the input cannot be read, or the output cannot be written",
    ExitCode.STORE: "the store cannot be read or written, or could not keep every answer",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    ExitCode.PIPE_CLOSED: "the reader of the output, such as `head`, has ended",
    ExitCode.TERMINATED: "ended by SIGTERM, or because the terminal was closed",
}
"""What each exit code means, as the help of the command shows it."""


class CommandError(Exception):
    """Ends a command with an exit code and one line that says what to do next, unless that is empty."""

    def __init__(self, exit_code: ExitCode, message: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CommandError):
    """The command cannot be carried out as it was given."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.USAGE, message)


class FileError(CommandError):
    """The input cannot be read, or the output cannot be written."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.FILES, message)


_OF_KINDS = {
    "AuthenticationError": ExitCode.KEY_REFUSED,
    "ConfigError": ExitCode.USAGE,
    "InvalidIdentifierError": ExitCode.USAGE,
    "ApiError": ExitCode.SERVICE,
    "StoreError": ExitCode.STORE,
    "InsufficientCreditsError": ExitCode.CREDITS,
    "BudgetExceededError": ExitCode.CREDITS,
}


_OF_ROWS = {"BadRequestError", "RateLimitError", "ServerError", "TransportError", "UnknownOutcomeError"}
"""Errors that concern some rows. The receipt counts these rows by status."""


_IF_RAISED = {
    "ConfigError": ExitCode.USAGE,
    "InvalidIdentifierError": ExitCode.USAGE,
    "AuthenticationError": ExitCode.KEY_REFUSED,
    "ApiError": ExitCode.SERVICE,
    # In a run, only a proxy that asks for a login; in `doctor`, an address that cannot be reached.
    "TransportError": ExitCode.SERVICE,
    "StoreError": ExitCode.STORE,
    # A run records these, and completes. Only a run that an internal error has ended raises them.
    "InsufficientCreditsError": ExitCode.BUG,
    "BudgetExceededError": ExitCode.BUG,
    "RateLimitError": ExitCode.BUG,
    "BadRequestError": ExitCode.BUG,
    "ServerError": ExitCode.BUG,
    "UnknownOutcomeError": ExitCode.BUG,
}
"""Exit codes of errors that end a command. None of them may promise an output."""


def exit_code_of_error(error: ExactBuyerError) -> ExitCode:
    """The exit code of a command that this error has ended, so that there is no complete output."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return next((_IF_RAISED[kind] for kind in kinds if kind in _IF_RAISED), ExitCode.BUG)


def unexpected(error: BaseException) -> tuple[ExitCode, str]:
    """The exit code, and what to say, after an error that no code expects: its own text may show people."""
    logger.debug("the traceback of the unexpected error", exc_info=error)
    what = f"unexpected error ({type(error).__name__})"
    if isinstance(error, MemoryError):
        return ExitCode.BUG, f"{what}: there is too little memory"
    return ExitCode.BUG, f"{what}: set EXACTBUYER_DEBUG=1 to see its traceback, and please report it"


def exit_code_of_run(kinds: Iterable[str], receipt: Receipt) -> ExitCode:
    """The exit code of a run that completed: its worst error decides. `kinds` are the errors' classes."""
    met = {_OF_KINDS[kind] for kind in kinds if kind in _OF_KINDS}
    if receipt.not_stored:
        # Only the output has these answers, and the same command would replace it.
        met.add(ExitCode.STORE)
    for exit_code in _OF_KINDS.values():
        if exit_code in met:
            return exit_code
    if receipt.unknown:
        return ExitCode.UNKNOWN
    if receipt.rejected or receipt.open_rows:
        return ExitCode.ROWS_FAILED
    return ExitCode.DONE
