"""The command line: `python -m exactbuyer.sandbox`, and `exactbuyer sandbox`."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from .faults import FAULTS, Fault
from .server import Sandbox


def _failure(text: str) -> tuple[Fault, dict[str, Any]]:
    """Reads `FAULT`, `FAULT@REQUEST` or `FAULT~PROBABILITY`."""
    for mark, name, read in (("@", "request", int), ("~", "probability", float)):
        if mark in text:
            fault, _, number = text.partition(mark)
            try:
                return _fault(fault), {name: read(number)}
            except ValueError:
                message = f"{number!r} after {mark} is not a {name}: write {fault}@3 or {fault}~0.1"
                raise argparse.ArgumentTypeError(message) from None
    return _fault(text), {}


def _fault(name: str) -> Fault:
    for fault in FAULTS:
        if fault == name:
            return fault
    raise argparse.ArgumentTypeError(f"there is no fault {name!r}; the faults are: {', '.join(FAULTS)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exactbuyer sandbox",
        description="Serve a local stand-in for the service until Ctrl-C. The first line printed is its URL.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    add("--seed", type=int, default=0, help="a number that decides which people exist (default: 0)")
    add(
        "--match-rate",
        type=float,
        default=0.7,
        metavar="SHARE",
        help="the share of identifiers that are found, from 0 to 1 (default: 0.7)",
    )
    add(
        "--requests-per-minute",
        type=int,
        default=200,
        metavar="N",
        help="requests accepted in any 60 s (default: 200, as the service does; 0: no limit)",
    )
    add(
        "--retry-after",
        choices=["seconds", "date"],
        help="the form of the Retry-After header of a 429 (default: no header)",
    )
    add(
        "--latency",
        type=float,
        default=0.0,
        metavar="S",
        help="the seconds that each reply takes (default: 0)",
    )
    add("--credits", type=int, metavar="N", help="the credits on the account (default: unlimited)")
    add("--api-key", metavar="KEY", help="the API key that is accepted (default: any)")
    add(
        "--fail",
        type=_failure,
        action="append",
        default=[],
        metavar="FAULT[@REQUEST|~PROBABILITY]",
        help="a failure: FAULT@3 for the third request, FAULT~0.1 for a tenth of them; repeatable",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a sandbox until Ctrl-C or SIGTERM; the URL is the first line of standard output.

    Args:
        arguments: The arguments after the program's name. `None`: those of the process.

    Returns:
        The exit code: 0; arguments that cannot be read, or a port that is taken, exit with 2.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        sandbox = Sandbox(
            port=options.port,
            seed=options.seed,
            match_rate=options.match_rate,
            latency=options.latency,
            credits=options.credits,
            requests_per_minute=options.requests_per_minute,
            retry_after=options.retry_after,
            api_key=options.api_key,
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))
    over = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        over.set()

    with sandbox:
        try:
            for fault, when in options.fail:
                sandbox.fail(fault, **when)
        except ValueError as error:
            parser.error(str(error))
        # Windows sends SIGBREAK where other systems send SIGTERM.
        ending = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGTERM)}
        before = {number: signal.signal(number, end) for number in ending}
        try:
            print(sandbox.url, flush=True)  # noqa: T201  (its one line of output)
            # With a timeout, because on Windows a wait without one cannot be interrupted.
            while not over.wait(3600.0):
                pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return 0
