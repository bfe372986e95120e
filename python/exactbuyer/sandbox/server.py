"""The sandbox as an object: start it, say who exists and what fails, read its ledger, stop it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from exactbuyer._core import SandboxServer
from exactbuyer.report.wording import as_given
from exactbuyer.settings._checks import check_text, number, one_of, seconds, whole

from .faults import FAULTS
from .ledger import Ledger, sent_for

if TYPE_CHECKING:
    from typing_extensions import Self

    from .faults import Fault

_YEAR_S = 365 * 86_400


class Sandbox:
    """A running stand-in for the service, on the loopback interface of this machine.

    It speaks the documented protocol, invents people (the same people for the same `seed`), records who was
    billed, enforces credits and the rate limit, and fails on request. It serves any number of clients in any
    process, from its own thread, which never needs the interpreter. It costs nothing.

    Args:
        match_rate: The share of identifiers that belong to a person, from 0 to 1. With `required_fields`,
            fewer of them match.
        seed: Determines which people exist, and which requests random faults hit.
        latency: How long each answer takes, in seconds or as a `timedelta`. Requests are served concurrently.
        credits: Credits on the account; `None`: unlimited. A request that needs more credits than are left is
            refused as a whole, with 403. So is every request when no credits are left.
        requests_per_minute: Requests accepted in any 60 s; by default the limit of the service; `None` or 0:
            any number. Requests beyond it get 429 and an HTML page, as from the service.
        retry_after: The form of `Retry-After` in a 429: `"seconds"` or `"date"`. `None`: no such header, as
            the service documents it.
        api_key: The key that is accepted; `None`: any key that is not empty.
        port: The port to listen on; 0: any free port.

    Raises:
        ConfigError: A setting is out of its range.
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
        credits: int | None = None,  # noqa: A002  (the service's word; `site`'s is for people at a prompt)
        requests_per_minute: int | None = 200,
        retry_after: Literal["seconds", "date"] | None = None,
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        ranges = (("seed", seed, 2**64), ("credits", credits, 2**64), ("port", port, 2**16))
        for name, value, end in (*ranges, ("requests_per_minute", requests_per_minute, 2**32)):
            if value is not None:
                whole(name, value, 0, end - 1)
        check_text("api_key", api_key)
        check_text("retry_after", retry_after)
        if retry_after is not None:
            one_of("retry_after", retry_after, ("seconds", "date"))
        self._server = SandboxServer(
            {
                "port": port,
                "seed": seed,
                "match_rate": number("match_rate", match_rate, 0, 1),
                "latency_s": seconds("latency", latency, 0, _YEAR_S),
                "credits": credits,
                "requests_per_minute": requests_per_minute or None,
                "retry_after": retry_after,
                "api_key": api_key,
            }
        )
        self._url = self._server.url()
        self._api_key = self._server.api_key()

    @property
    def url(self) -> str:
        """The address of the sandbox: the `base_url` for a client."""
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
        """The ledger of the sandbox at this moment: which requests arrived, and who was billed for what."""
        return Ledger(self._server.ledger())

    def person(self, value: str, contact: Mapping[str, Any]) -> None:
        """From now on this identifier belongs to this person, whatever the match rate.

        Args:
            value: The identifier, in any spelling that a row may have. A phone number needs its country code.
            contact: The contact, which is returned unchanged. It is a match only if it has what
                `required_fields` asks for, in `current_work_email`, `personal_emails`, `phone_numbers` or
                `social_profiles`.

        Raises:
            InvalidIdentifierError: `value` cannot be read as an identifier, so no row would ever match.
            ValueError: The contact has NaN or an infinity, which JSON cannot express.
            TypeError: The contact has a value that JSON cannot express.

        Example:
            >>> with Sandbox() as sandbox:
            ...     sandbox.person("linkedin.com/in/ana", {"full_name": "Ana Almeida"})
        """
        read = sent_for(value)
        try:
            # Half surrogate pairs stay escaped, where they are JSON; bare, they could not be encoded.
            text = json.dumps(dict(contact), allow_nan=False)
        except RecursionError:
            raise ValueError("the contact is nested too deeply") from None
        self._server.person(read, text)

    def nobody(self, value: str) -> None:
        """From now on this identifier belongs to nobody.

        Raises:
            InvalidIdentifierError: As for `person`.
        """
        self._server.nobody(sent_for(value))

    def reject(self, value: str) -> None:
        """From now on every request with this identifier is refused with 400, and costs nothing.

        Raises:
            InvalidIdentifierError: As for `person`.
        """
        self._server.reject(sent_for(value))

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
        """Adds a fault. If several faults apply to a request, the one that was added first is used.

        If the sandbox refuses a request anyway (no key, too fast, no credits), it gets a fault only if the
        fault is a free one.

        Args:
            fault: What goes wrong: see `Fault`.
            request: The number of the request with the fault, or several numbers. Requests are numbered as
                they arrive, from 1. Without `request` and `probability`, every request from now on has the
                fault.
            probability: The probability that a request has the fault, from 0 to 1. Whether a request has it
                depends only on the seed of the sandbox and the number of the request.
            times: The most requests that get the fault. `None`: any number.
            pause: How long `slow` waits (1 s by default), or `drip` pauses before each byte (50 ms by
                default); for other faults, an additional wait before the answer. In seconds or as a
                `timedelta`.
            location: The target of a redirect. By default another path of this sandbox, so that its ledger
                shows whether a client followed the redirect, and with which headers.
            retry_after: The `Retry-After` of an answer with a status: seconds, or any text.

        Example:
            >>> with Sandbox(seed=1) as sandbox:
            ...     sandbox.fail("reset_after_billing", request=3)
            ...     sandbox.fail("status_503", probability=0.1, retry_after=2)
            ...     sandbox.fail("slow", pause=0.5, times=1)
        """
        numbers = [request] if request is None or isinstance(request, int) else list(request)
        numbers = [each if each is None else whole("request", each, 1, 2**32 - 1) for each in numbers]
        if request is not None and probability is not None:
            raise ValueError("give request or probability, not both")
        if retry_after is not None and not isinstance(retry_after, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"retry_after must be seconds or a string; not {as_given(retry_after)}")
        try:
            retry_text = None if retry_after is None else str(retry_after)
        except ValueError:
            raise ValueError("retry_after is a number of too many digits") from None
        for name, text in (("fault", fault), ("location", location), ("retry_after", retry_text)):
            check_text(name, text)
        if fault not in FAULTS:
            shown = as_given(fault, FAULTS, is_word=True)
            raise ValueError(f"fault must be one of exactbuyer.sandbox.FAULTS; got {shown}")
        rule = {
            "fault": fault,
            "probability": None if probability is None else number("probability", probability, 0, 1),
            "times": None if times is None else whole("times", times, 0, 2**32 - 1),
            "pause_s": None if pause is None else seconds("pause", pause, 0, _YEAR_S),
            "location": location,
            "retry_after": retry_text,
        }
        for each in numbers:
            self._server.fail({**rule, "request": each})

    def top_up(self, credits: int) -> None:  # noqa: A002
        """Adds credits to the account, if its credits are limited."""
        whole("credits", credits, 0, 2**64 - 1)
        self._server.top_up(credits)

    def reset(self) -> None:
        """Restores the state at the start: an empty ledger, no persons, no faults, all credits."""
        self._server.reset()

    def close(self) -> None:
        """Stops the sandbox, and disconnects clients that still wait. Closing again does nothing."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Sandbox at {self._url}>"
