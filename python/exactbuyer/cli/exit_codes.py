"""How a command ends: exit codes, each with one meaning, and the errors that end a command with one.

Any function of the command line may raise a `CommandError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exactbuyer.report.receipt import Receipt


class ExitCode(IntEnum):
    """The exit code of a command. Frozen within a major version."""

    DONE = 0
    """Every row has its answer, or none to ask for."""
    BUG = 1
    """An unexpected error: too little memory, or a bug."""
    USAGE = 2
    """The command cannot be carried out as it was given. Nothing was sent."""
    ROWS_FAILED = 3
    """Rows were refused, or could not be sent."""
    CREDITS = 4
    """The account's credits, or the ceiling, ran out."""
    KEY_REFUSED = 5
    """The service refused the key."""
    UNKNOWN = 6
    """Rows may have been charged, and have no answer."""
    SERVICE = 7
    """The service refused the run as a whole: the address is wrong, perhaps."""
    FILES = 8
    """The input could not be read, or the output not be written."""
    STORE = 9
    """The store could not be read or written."""
    INTERRUPTED = 130
    """Ctrl-C."""
    PIPE_CLOSED = 141
    """Whoever read the output has gone."""
    TERMINATED = 143
    """SIGTERM."""


class CommandError(Exception):
    """Ends a command: with an exit code, and one line that says what to do next.

    Args:
        exit_code: The exit code.
        message: What is said on stderr; nothing if it is empty.
    """

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
"""Errors that concern some rows. The receipt says what became of these."""


def exit_code_of_error(kind: str) -> ExitCode:
    """The exit code for an error of this class."""
    return _OF_KINDS.get(kind, ExitCode.ROWS_FAILED)


def exit_code_of_run(kinds: Iterable[str], receipt: Receipt) -> ExitCode:
    """The exit code of a run that came to its end: its worst trouble decides.

    Args:
        kinds: The classes of what it met.
        receipt: What it took.
    """
    met = {_OF_KINDS[kind] for kind in kinds if kind in _OF_KINDS}
    for exit_code in _OF_KINDS.values():
        if exit_code in met:
            return exit_code
    if receipt.unknown:
        return ExitCode.UNKNOWN
    if receipt.rejected or receipt.not_sent:
        return ExitCode.ROWS_FAILED
    return ExitCode.DONE
