"""A stand-in for the vendor on this machine: to try the client, or test a pipeline, for nothing.

`python -m exactbuyer.sandbox` (or `exactbuyer sandbox`) serves one to any client, in any language. pytest has
the fixture `exactbuyer_sandbox` as soon as the package is installed.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from ._core import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FrameType, TracebackType

    from typing_extensions import Self

    from ._core import SandboxLedger

__all__ = ["FAULTS", "Entry", "Fault", "FieldType", "Ledger", "Request", "Sandbox", "main"]

FieldType = Literal["email", "phone", "social_profile"]

Fault = Literal[
    "status_400",
    "status_401",
    "status_403",
    "status_404",
    "status_408",
    "status_409",
    "status_413",
    "status_422",
    "status_429",
    "status_500",
    "status_502",
    "status_503",
    "status_504",
    "status_500_after_billing",
    "status_502_after_billing",
    "status_503_after_billing",
    "status_504_after_billing",
    "reset_before_billing",
    "reset_after_billing",
    "close_before_billing",
    "close_after_billing",
    "hang_before_billing",
    "hang",
    "slow",
    "truncate",
    "truncate_chunked",
    "drip",
    "endless",
    "reorder",
    "fewer",
    "more",
    "foreign",
    "wrong_count",
    "absurd_count",
    "no_count",
    "not_json",
    "html_200",
    "broken_record",
    "deep",
    "lone_surrogate",
    "nan",
    "big_int",
    "duplicate_keys",
    "gzip",
    "gzip_bomb",
    "redirect_301",
    "redirect_302",
    "redirect_307",
    "redirect_308",
    "garbage",
]
"""What can go wrong with a call.

Free, as nothing was billed: `status_…`, `redirect_…` and whatever ends in `_before_billing`. Everything else
strikes a call that was billed.

- `status_NNN`, `status_5NN_after_billing`: that status. `redirect_NNN`: to `location`.
- `reset_…`, `close_…`, `hang…`: the connection is reset or closed instead of an answer, or no answer ever
  comes.
- `slow`: the answer comes after `pause` (1 s). `drip`: one byte per `pause` (50 ms). `endless`: white space
  for ever.
- `truncate`, `truncate_chunked`: the body ends inside a record.
- `reorder`, `fewer`, `more`, `foreign`: the contacts are reversed; a quarter of them is missing; the first
  comes twice; the first answers something that was not asked.
- `wrong_count`, `absurd_count`, `no_count`: `records_enriched` is off by one, a thousand times too large,
  missing.
- `not_json`, `html_200`, `garbage`: text that is no JSON, an HTML page with status 200, bytes that are no
  HTTP.
- `broken_record`, `deep`, `lone_surrogate`, `nan`, `big_int`, `duplicate_keys`: the first match is no JSON;
  nests 100,000 deep; holds half a surrogate pair, NaN, an integer beyond 64 bits, a key twice.
- `gzip`: compressed without having been asked for. `gzip_bomb`: a megabyte that unpacks to a gigabyte.
"""

FAULTS: tuple[Fault, ...] = get_args(Fault)
"""Every fault."""


class Entry(NamedTuple):
    """One lookup of an accepted call, as the vendor's books have it."""

    request: int
    """The number of the request that asked."""
    field_type: FieldType
    """What it asked by."""
    value: str
    """The identifier in the sandbox's own spelling: lower case, digits only, no scheme."""
    credits: int
    """What it cost: 1 for a match, 0 for none."""


class Request(NamedTuple):
    """One request that arrived, whatever became of it."""

    number: int
    """Which one it was: the first is 1."""
    arrived_s: float
    """When, in seconds from the sandbox's start, on a clock that never goes back."""
    target: str
    """Method and path."""
    header_names: tuple[str, ...]
    """The names of its headers, in lower case; values are not kept."""
    body_bytes: int
    """Bytes of body that were read."""
    status: int | None
    """What it was answered with; `None` where it got no answer."""
    fault: Fault | None
    """The bad luck it had."""
    lookups: int
    """Lookups it asked for; 0 where it was refused."""
    credits: int
    """Credits it was charged."""

    @property
    def has_key(self) -> bool:
        """Whether it carried the header of the API key."""
        return "x-api-key" in self.header_names


class Ledger:
    """The vendor's books, as they stood when they were asked for.

    An identifier is found in any spelling: `"Ana@X.example"` and `"ana@x.example"` are one.
    """

    def __init__(self, books: SandboxLedger) -> None:
        self._books = books

    @property
    def credits(self) -> int:
        """All credits charged."""
        return self._books.credits()

    @cached_property
    def entries(self) -> list[Entry]:
        """Every lookup of every accepted call, in order."""
        return [Entry(*entry) for entry in self._books.entries()]

    @cached_property
    def requests(self) -> list[Request]:
        """Every request, refused ones too, in order of arrival."""
        return [Request(*row[:3], tuple(row[3]), *row[4:]) for row in self._books.requests()]

    @cached_property
    def billed(self) -> dict[str, int]:
        """How often each identifier was billed; those that never were are not in it."""
        return {value: billed for _, value, _, billed in self._books.identifiers() if billed}

    def times_billed(self, value: str) -> int:
        """How often this identifier was billed."""
        return self._books.times_billed(value)

    def times_asked(self, value: str) -> int:
        """How often this identifier was asked for in accepted calls, found or not."""
        return self._books.times_asked(value)

    @property
    def most_in_flight(self) -> int:
        """Most requests that waited for their answer at the same time."""
        return self._books.most_in_flight()

    @property
    def connections(self) -> int:
        """Connections accepted."""
        return self._books.connections()

    def busiest(self, window_s: float = 60.0) -> int:
        """Most calls accepted in any stretch of time of that length: to check a client's rate limit.

        Args:
            window_s: The length in seconds; the vendor's limit is per minute.

        Returns:
            The number of calls. Refused ones (429) took no room, and do not count.
        """
        arrived = [request.arrived_s for request in self.requests if request.lookups]
        most = first = 0
        for last, moment in enumerate(arrived):
            while moment - arrived[first] >= window_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    def __repr__(self) -> str:
        return (
            f"Ledger(credits={self.credits}, lookups={len(self.entries)}, "
            f"identifiers_billed={len(self.billed)}, requests={len(self.requests)})"
        )


class Sandbox:
    """A running stand-in for the vendor, on the loopback interface of this machine.

    It speaks the documented protocol, invents people (the same `seed` always knows the same ones), keeps the
    vendor's books, enforces credits and the rate limit, and has bad luck on request. It serves from a thread
    of its own that never touches the interpreter, to any number of clients in any process. It costs nothing.

    Args:
        match_rate: The share of identifiers that belong to somebody, from 0 to 1, before `required_fields`.
        seed: Which people exist, and when chance strikes.
        latency: How long each answer takes, in seconds or as a `timedelta`. Calls wait side by side.
        credits: Credits on the account; `None`: unlimited. A call that needs more than are left is refused
            whole, with 403, and so is every call when none are left.
        requests_per_minute: Calls accepted in any 60 s; the vendor's limit by default; `None` or 0: any
            number. Those beyond get 429 and the vendor's HTML page.
        retry_after: What such an answer says in `Retry-After`: nothing, as the vendor documents, `"seconds"`,
            or `"date"`.
        api_key: The key that is accepted; `None`: any that is not empty.
        port: The port to listen on; 0: one that is free.

    Raises:
        ValueError: A setting is out of its range.
        OSError: The port is taken.

    Example:
        >>> from exactbuyer import BulkEnricher
        >>> from exactbuyer.sandbox import Sandbox
        >>> with Sandbox(match_rate=0.0) as sandbox:
        ...     sandbox.person("ana@acme.example", {"full_name": "Ana Almeida"})
        ...     enricher = BulkEnricher(sandbox.api_key, base_url=sandbox.url)
        ...     results = enricher.enrich(["Ana@acme.example", "bo@acme.example"])
        ...     print([result["status"] for result in results], sandbox.ledger.billed)
        ['found', 'not_found'] {'ana@acme.example': 1}
    """

    def __init__(
        self,
        *,
        match_rate: float = 0.7,
        seed: int = 0,
        latency: float | timedelta = 0.0,
        credits: int | None = None,  # noqa: A002  (the vendor's word; `site`'s is for people at a prompt)
        requests_per_minute: int | None = 200,
        retry_after: Literal["seconds", "date"] | None = None,
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        ranges = (("seed", seed, 2**64), ("credits", credits, 2**64), ("port", port, 2**16))
        for name, number, end in (*ranges, ("requests_per_minute", requests_per_minute, 2**32)):
            if number is not None and not 0 <= number < end:
                raise ValueError(f"{name} must be from 0 to {end - 1}")
        self._server = SandboxServer(
            port=port,
            seed=seed,
            match_rate=match_rate,
            latency_s=_seconds(latency),
            balance=credits,
            requests_per_minute=requests_per_minute or None,
            retry_after=retry_after,
            api_key=api_key,
        )
        self._url = self._server.url()
        self._api_key = self._server.api_key()

    @property
    def url(self) -> str:
        """Its address: what a client takes for the vendor's base URL."""
        return self._url

    @property
    def api_key(self) -> str:
        """A key that it accepts."""
        return self._api_key

    @property
    def credits_left(self) -> int | None:
        """Credits left on the account; `None`: unlimited."""
        return self._server.credits_left()

    @property
    def ledger(self) -> Ledger:
        """The vendor's books as they stand: who was billed for what, how often, and what arrived."""
        return Ledger(self._server.ledger())

    def person(self, value: str, contact: Mapping[str, Any]) -> None:
        """From now on this identifier belongs to this person, whatever the match rate.

        Args:
            value: The identifier, in any spelling.
            contact: The contact, handed out as it is. Counts as a match only where it has what
                `required_fields` asks for: `current_work_email`, `personal_emails`, `phone_numbers`,
                `social_profiles`.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.person("linkedin.com/in/ana", {"full_name": "Ana Almeida"})
        """
        # Half surrogate pairs stay escaped, where they are JSON; bare, they could not be encoded.
        self._server.person(value, json.dumps(dict(contact)))

    def nobody(self, value: str) -> None:
        """From now on this identifier belongs to nobody."""
        self._server.nobody(value)

    def reject(self, value: str) -> None:
        """From now on every call that holds this value is refused with 400, and costs nothing."""
        self._server.reject(value)

    def fail(
        self,
        fault: Fault,
        *,
        request: int | Iterable[int] | None = None,
        probability: float | None = None,
        times: int | None = None,
        pause: float | timedelta | None = None,
        location: str | None = None,
        retry_after: int | str | None = None,
    ) -> None:
        """Adds bad luck; of several rules that fit a request, the one added first strikes.

        A call that the vendor refuses anyway (no key, too fast, no credits) is refused, and has no other bad
        luck unless the fault is a free one.

        Args:
            fault: What goes wrong: see `Fault`.
            request: Which request has it, or which ones: they are numbered as they arrive, from 1. Neither
                `request` nor `probability`: every one from now on.
            probability: How likely each request has it, from 0 to 1; the sandbox's seed and the request's
                number decide.
            times: No more often than that.
            pause: How long `slow` waits (1 s by default) and `drip` pauses before each byte (50 ms); before
                any other answer, an extra wait. In seconds or as a `timedelta`.
            location: Where a redirect leads; by default to another path of this sandbox, whose ledger then
                shows who went there, and with what.
            retry_after: What an answer with a status says in `Retry-After`: seconds, or any text.

        Example:
            >>> with Sandbox(seed=1) as sandbox:
            ...     sandbox.fail("reset_after_billing", request=3)
            ...     sandbox.fail("status_503", probability=0.1, retry_after=2)
            ...     sandbox.fail("slow", pause=0.5, times=1)
        """
        numbers = [request] if request is None or isinstance(request, int) else list(request)
        if any(number is not None and not 1 <= number < 2**32 for number in numbers):
            raise ValueError("request must be 1 or more: the first request is number 1")
        if times is not None and not 0 <= times < 2**32:
            raise ValueError("times must be 0 or more")
        for number in numbers:
            self._server.fail(
                fault,
                request=number,
                probability=probability,
                times=times,
                pause_s=None if pause is None else _seconds(pause),
                location=location,
                retry_after=None if retry_after is None else str(retry_after),
            )

    def top_up(self, credits: int) -> None:  # noqa: A002
        """Pays credits in, where they are limited."""
        if not 0 <= credits < 2**64:
            raise ValueError("credits must be 0 or more")
        self._server.top_up(credits)

    def reset(self) -> None:
        """Forgets everything since the start: books, pins, bad luck, the limit's window, credits spent."""
        self._server.reset()

    def close(self) -> None:
        """Stops it; whoever still waits for an answer is disconnected. Twice is once."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Sandbox at {self._url}>"


def _seconds(duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _failure(text: str) -> tuple[Fault, dict[str, Any]]:
    """Reads `FAULT`, `FAULT@REQUEST` or `FAULT~PROBABILITY`."""
    for mark, name, read in (("@", "request", int), ("~", "probability", float)):
        if mark in text:
            fault, _, number = text.partition(mark)
            return _fault(fault), {name: read(number)}
    return _fault(text), {}


def _fault(name: str) -> Fault:
    for fault in FAULTS:
        if fault == name:
            return fault
    raise argparse.ArgumentTypeError(f"no fault is called {name!r}; there are: {', '.join(FAULTS)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exactbuyer sandbox",
        description="Serves a stand-in for the vendor on this machine until Ctrl-C. Prints its URL first.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="the port to listen on (default: one that is free)")
    add("--seed", type=int, default=0, help="which people exist (default: 0)")
    add(
        "--match-rate",
        type=float,
        default=0.7,
        metavar="SHARE",
        help="who is known, from 0 to 1 (default: 0.7)",
    )
    add(
        "--requests-per-minute",
        type=int,
        default=200,
        metavar="N",
        help="calls accepted in any 60 s (default: 200, the vendor's limit; 0: any number)",
    )
    add("--retry-after", choices=["seconds", "date"], help="what a 429 says (default: nothing)")
    add("--latency", type=float, default=0.0, metavar="S", help="seconds that each answer takes (default: 0)")
    add("--credits", type=int, metavar="N", help="credits on the account (default: unlimited)")
    add("--api-key", metavar="KEY", help="the key that is accepted (default: any)")
    add(
        "--fail",
        type=_failure,
        action="append",
        default=[],
        metavar="FAULT[@REQUEST|~PROBABILITY]",
        help="bad luck, e.g. reset_after_billing@3 or status_503~0.1; may be given several times",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves a sandbox until Ctrl-C or SIGTERM; the URL is the first line of standard output.

    Args:
        arguments: What follows the program's name. `None`: the process's own.

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
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            print(sandbox.url, flush=True)  # noqa: T201  (its one line of output)
            # With a timeout, because on Windows a wait without one cannot be interrupted.
            while not over.wait(3600.0):
                pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    return 0


if __name__ == "__main__":
    sys.exit(main())
