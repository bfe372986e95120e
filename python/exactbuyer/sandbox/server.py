"""The stand-in vendor as an object: start it, tell it who exists and what fails, read its books, stop it."""

from __future__ import annotations

import json
import operator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from exactbuyer._core import SandboxServer
from exactbuyer.rows import check_text
from exactbuyer.wording import as_given

from .ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from .faults import Fault


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
            if number is not None:
                _check_whole(name, number, 0, end)
        check_text("api_key", api_key)
        check_text("retry_after", retry_after)
        self._server = SandboxServer(
            port=port,
            seed=seed,
            match_rate=_number("match_rate", match_rate),
            latency_s=_seconds("latency", latency),
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

        Raises:
            ValueError: It holds NaN or an infinity, which JSON has no words for.
            TypeError: It holds what JSON has no words for.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.person("linkedin.com/in/ana", {"full_name": "Ana Almeida"})
        """
        # Half surrogate pairs stay escaped, where they are JSON; bare, they could not be encoded.
        check_text("value", value)
        try:
            text = json.dumps(dict(contact), allow_nan=False)
        except RecursionError:
            raise ValueError("the contact is nested too deeply") from None
        self._server.person(value, text)

    def nobody(self, value: str) -> None:
        """From now on this identifier belongs to nobody."""
        check_text("value", value)
        self._server.nobody(value)

    def reject(self, value: str) -> None:
        """From now on every call that holds this value is refused with 400, and costs nothing."""
        check_text("value", value)
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
        for number in numbers:
            if number is not None:
                _check_whole("request", number, 1, 2**32)
        if times is not None:
            _check_whole("times", times, 0, 2**32)
        if retry_after is not None and not isinstance(retry_after, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"retry_after must be seconds or a text; not {as_given(retry_after)}")
        try:
            said = None if retry_after is None else str(retry_after)
        except ValueError:
            raise ValueError("retry_after is a number of too many digits") from None
        for name, text in (("fault", fault), ("location", location), ("retry_after", said)):
            check_text(name, text)
        for number in numbers:
            self._server.fail(
                fault,
                request=number,
                probability=None if probability is None else _number("probability", probability),
                times=times,
                pause_s=None if pause is None else _seconds("pause", pause),
                location=location,
                retry_after=said,
            )

    def top_up(self, credits: int) -> None:  # noqa: A002
        """Pays credits in, where they are limited."""
        _check_whole("credits", credits, 0, 2**64)
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


def _seconds(name: str, duration: float | timedelta) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else _number(name, duration)


def _number(name: str, value: float) -> float:
    if not hasattr(type(value), "__float__"):
        raise TypeError(f"{name} must be a number; not {as_given(value)}")
    try:
        return float(value)
    except (OverflowError, ValueError):
        raise ValueError(f"{name} must be a number that is neither NaN nor so large") from None


def _check_whole(name: str, number: int, least: int, end: int) -> None:
    try:
        whole = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; not {as_given(number)}") from None
    if not least <= whole < end:
        raise ValueError(f"{name} must be from {least} to {end - 1}")
