"""What a command writes to stderr: messages, warnings, receipts. Standard output is for data alone."""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from exactbuyer._files.waiting import descriptor_of, write_some
from exactbuyer._traceback import DEBUG
from exactbuyer.exceptions import IncompleteWarning
from exactbuyer.report.log import level_asked_for, write_line
from exactbuyer.report.wording import count

from ._words import WORDS, in_options
from .exit_codes import CommandError, ExitCode, FileError, UsageError

if TYPE_CHECKING:
    from exactbuyer.report.plan import Plan

    from ._advice import RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Writes the messages of a command."""

    quiet: bool = False
    as_json: bool = False

    @contextmanager
    def showing_log(self) -> Generator[None]:
        """Inside, the package's own log and warnings are written, too, as plain lines."""
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("exactbuyer: %(asctime)s %(message)s", "%H:%M:%S"))
        # The command line shows some of it in its own words, such as the receipt.
        hidden = ["shown_by_cli", *(["shown_unless_quiet"] if self.quiet else [])]
        handler.addFilter(lambda record: not any(getattr(record, mark, False) for mark in hidden))
        logger = logging.getLogger("exactbuyer")
        before = logger.level, logger.propagate
        # A terminal has the bar instead.
        asked = level_asked_for()
        if asked is not None or os.environ.get(DEBUG):
            logger.setLevel(logging.DEBUG if asked is None else asked)
        elif before[0] != logging.DEBUG:
            logger.setLevel(logging.WARNING if self.quiet or sys.stderr.isatty() else logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", UserWarning)
                warnings.showwarning = _show
                yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]

    def checks(self, plan: Plan) -> None:
        """Writes what to look at before rows are sent, as :func:`plan_lines` says it."""
        for check in [] if self.quiet else counting_from_one(plan).checks():
            write_line(f"check     {in_options(check)}")

    def conclude(self, result: RunResult, prefix: str, *, title: str | None, step: str) -> None:
        """Writes the receipt, what to do next, and a last line: as JSON if that was asked for.

        With `quiet`, writes only errors, and advice about answers that no store has.
        """
        if not self.quiet:
            see = f"{prefix}reason"
            write_line(result.receipt.as_text(see=see, step=step, title=title, words=WORDS))
        elif result.is_lost or result.unstored:
            print_message(step)
        message = result.message if result.exit_code else ""
        # The receipt above ends with the same reason. With --quiet, there is no receipt.
        stopped = result.exit_code is ExitCode.CREDITS and message == result.receipt.stopped
        if message and (self.quiet or not stopped):
            print_message(message)
        if self.as_json:
            ended = {
                "input_rows": result.input_rows,
                "kept": result.kept and result.kept.where,
                "kept_rows": result.kept and result.kept.rows,
                "lost_credits": result.lost_credits,
                "unstored": result.unstored,
                "exit_code": int(result.exit_code),
                "error": message or None,
            }
            write_line(json.dumps({**result.receipt.to_dict(), **ended}, default=str))


def plan_lines(plan: Plan) -> str:
    """A plan in words, with the reasons why rows cannot be looked up. Rows count from 1, as lines do."""
    plan = counting_from_one(plan)
    rows_of: dict[str, list[int]] = {}
    for row, _, why in plan.problems:
        rows_of.setdefault(in_options(why), []).append(row)
    # Of a long file, not all problems are kept.
    least = "at least " if len(plan.problems) < plan.invalid else ""
    lines = [plan.as_text(words=WORDS)]
    for why, rows in rows_of.items():
        first = ", ".join(f"{row:,}" for row in rows[:_SHOWN])
        more = ", …" if len(rows) > _SHOWN else ""
        lines.append(f"invalid   {least}{count(len(rows), 'row')} ({first}{more}): {why}")
    return "\n".join(lines)


def counting_from_one(plan: Plan) -> Plan:
    """The same plan with rows counted from 1, as users of the command line count them."""
    return replace(
        plan,
        problems=tuple(each._replace(row=each.row + 1) for each in plan.problems),
        suspects=tuple(each._replace(row=each.row + 1) for each in plan.suspects),
    )


_SHOWN = 5


def _show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    # The receipt says that rows are open, and more.
    if not issubclass(category, IncompleteWarning):
        print_message(f"warning: {in_options(message if isinstance(message, str) else message.args[0])}")


def print_data(lines: Iterable[str]) -> None:
    """Writes lines to standard output."""
    if sys.stdout is None:
        raise FileError("there is no standard output to write to")
    encoding = sys.stdout.encoding or "utf-8"
    descriptor = descriptor_of(sys.stdout) if os.name == "posix" else None
    try:
        sys.stdout.flush()
        for line in lines:
            content = line.encode(encoding, "backslashreplace") + b"\n"
            if descriptor is None:
                sys.stdout.write(content.decode(encoding))
                continue
            # The buffer of `sys.stdout` loses what a stream that does not block has no room for.
            rest = memoryview(content)
            while rest:
                rest = rest[write_some(descriptor, rest) :]
        sys.stdout.flush()
    except OSError as error:
        # Otherwise the interpreter would try to write the rest again when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise CommandError(ExitCode.PIPE_CLOSED) from None
        why = error.strerror or "its disk or stream refuses it"
        raise FileError(f"standard output cannot be written: {why}") from None


def json_line(value: object) -> str:
    """As JSON in one line; letters that standard output cannot show, and halves of letters, are escaped."""
    value = _without_nan(value)
    line = json.dumps(value, default=_in_json, ensure_ascii=False)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, default=_in_json)
    return line


def _without_nan(value: Any) -> Any:
    """The same value with `None` for NaN and Infinity, which JSON does not have."""
    plain = value
    if isinstance(value, dict):
        return {name: _without_nan(member) for name, member in plain.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(element) for element in plain]
    return None if isinstance(value, float) and not math.isfinite(value) else plain


def _in_json(value: object) -> str:
    """Moments as the store's own export and the columns write them; anything else as text."""
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return str(value)


def confirm(question: str, *, why: str, fix: str, otherwise: str) -> None:
    """Asks before something that cannot be undone.

    Without a terminal, the error says `why` and `fix`. `otherwise` is the error if the answer is no.
    """
    # Under pythonw, or if the shell has closed it, there is no standard input at all.
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{why}, and there is no terminal to ask you: {fix}")
    if not _is_yes(question):
        raise UsageError(otherwise)


def _is_yes(question: str) -> bool:
    """Asks until the answer is yes or no. No answer is no."""
    # Not by `click.confirm`: some versions of it write to standard output, which may be the output file.
    while True:
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        try:
            line = sys.stdin.readline()
        except UnicodeError:
            # Typed in a terminal of another encoding.
            line = "?"
        except OSError:
            # The terminal is gone.
            line = ""
        if not line:
            # Ctrl-D is no signal: it leaves the question without an answer.
            write_line("")
        answer = line.strip().lower()
        if answer in _ANSWERS:
            return _ANSWERS[answer]
        write_line("Answer y or n.")


_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}


def print_message(text: str) -> None:
    """Writes a message of the program to stderr."""
    write_line(f"exactbuyer: {text}")
