"""The command line: files in, files out, by the same calls that Python makes.

Owns what only a command has: kinds of files, where output goes, questions, exit codes. The rooms below decide
everything that costs money. Needs the extra `cli`, except for the sandbox.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from ._signals import end_by_signal
from .exit_codes import ExitCode

__all__ = ["ExitCode", "main", "run_as_process"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line, and returns: for programs that use it as a function.

    Args:
        arguments: The arguments after the program's name. `None`: those of the process.

    Returns:
        The exit code: one of `ExitCode`.

    Example:
        >>> from exactbuyer.cli import main
        >>> main(["--version"])  # doctest: +ELLIPSIS
        exactbuyer ...
        0
    """
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - started with it closed
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for as long as it runs
    options = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _dispatch(options)
    except KeyboardInterrupt:
        # While modules are imported, which takes a moment: the commands have their own handlers.
        return ExitCode.INTERRUPTED


def run_as_process() -> NoReturn:
    """Runs the command line, and ends the process, as `exactbuyer` and `python -m exactbuyer` do.

    On POSIX, a command that was stopped by Ctrl-C or SIGTERM dies by the signal, so that a shell stops its
    loop, too. It shows this as exit code 130 or 143.
    """
    exit_code = main()
    end_by_signal(exit_code)
    sys.exit(exit_code)


def _dispatch(options: list[str]) -> int:
    if find_spec("click") is not None:
        from ._app import run

        return run(options)
    if options[:1] == ["sandbox"]:
        from exactbuyer.sandbox import main as sandbox

        return sandbox(options[1:])
    sys.stderr.write(
        "exactbuyer: the command line needs click: pip install 'exactbuyer[cli]' (in a checkout: '.[cli]')\n"
    )
    return ExitCode.USAGE
