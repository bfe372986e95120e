"""The ledger of the sandbox: which requests arrived, who was billed for what, and how often."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from exactbuyer._core import Rows
from exactbuyer.field_types import FIELD_TYPES
from exactbuyer.report.message import PYTHON
from exactbuyer.report.results import not_an_identifier
from exactbuyer.settings._checks import check_text

if TYPE_CHECKING:
    from exactbuyer._core import SandboxLedger
    from exactbuyer.field_types import FieldType

    from .faults import Fault


class Entry(NamedTuple):
    """One lookup of an accepted request, as the sandbox recorded it."""

    request: int
    """The number of the request."""
    field_type: FieldType
    """The field type of the identifier."""
    value: str
    """The identifier in the sandbox's own spelling: lower case, digits only, no scheme."""
    credits: int
    """What it cost: 1 for a match, 0 for none."""


class Request(NamedTuple):
    """One request that arrived, whatever its outcome."""

    number: int
    """The number of the request; the first is 1."""
    arrived_s: float
    """When it arrived, in seconds since the start of the sandbox, on a clock that never goes back."""
    target: str
    """Method and path."""
    header_names: tuple[str, ...]
    """The names of its headers, in lower case; values are not kept."""
    body_bytes: int
    """Bytes of body that were read."""
    status: int | None
    """The status of its answer, even if the client disconnected before; `None` if it got no answer."""
    fault: Fault | None
    """The fault that it had, if any."""
    lookups: int
    """The number of its lookups; 0 if it was refused."""
    credits: int
    """The credits that were charged for it."""

    @property
    def has_key(self) -> bool:
        """Whether it had the header of the API key."""
        return "x-api-key" in self.header_names


# Refused by the rate limit.
_TOO_FAST = 429

# The sandbox has no settings, and each of its methods takes one value of any field type.
_WORDS = {
    **PYTHON,
    "give_field_type": "correct it",
    "na_values": "na_values of the enricher",
    "or_default_region": "",
    "separate_values": "pass them one by one",
}


def sent_for(value: object) -> Rows:
    """Reads a value as a row: without a field type, or else with the first one that can read it.

    The sandbox compares spellings by simpler rules of its own, so what it stored for another spelling might
    match no request.

    Raises:
        InvalidIdentifierError: The value is never sent. No row could match it, so a test that names it would
            check nothing.
        TypeError: The value is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(f"value must be a string, not {type(value).__name__}")
    check_text("value", value)
    for field_type in (None, *FIELD_TYPES):
        read = Rows([value], field_type=field_type)
        if read.asking():
            return read
    raise not_an_identifier(Rows([value]), _WORDS)


class Ledger:
    """The ledger of the sandbox at the moment when `Sandbox.ledger` was read.

    An identifier is found in any spelling that a row may have: `"Ana@X.example"` and `"ana@x.example"` are
    one. A phone number needs its country code.
    """

    def __init__(self, ledger: SandboxLedger) -> None:
        self._ledger = ledger

    @property
    def credits(self) -> int:
        """All credits that were charged."""
        return self._ledger.credits()

    @cached_property
    def entries(self) -> list[Entry]:
        """Every lookup of every accepted request, in order."""
        return [Entry(*entry) for entry in self._ledger.entries()]

    @cached_property
    def requests(self) -> list[Request]:
        """Every request in order of arrival, including refused ones."""
        return [Request(**request) for request in self._ledger.requests()]

    @cached_property
    def billed(self) -> dict[str, int]:
        """How often each identifier was billed. Identifiers that were never billed are not included."""
        times: dict[str, int] = {}
        for _, value, _, billed in self._ledger.identifiers():
            if billed:
                # One text may have been asked for by two field types.
                times[value] = times.get(value, 0) + billed
        return times

    def times_billed(self, value: str) -> int:
        """How often this identifier was billed.

        Raises:
            InvalidIdentifierError: It cannot be read as an identifier, so no row was ever sent for it.
        """
        return self._ledger.times_billed(sent_for(value))

    def times_asked(self, value: str) -> int:
        """How often this identifier was looked up in accepted requests, found or not.

        Raises:
            InvalidIdentifierError: It cannot be read as an identifier, so no row was ever sent for it.
        """
        return self._ledger.times_asked(sent_for(value))

    @property
    def most_in_flight(self) -> int:
        """The largest number of requests that waited for their answer at the same time."""
        return self._ledger.most_in_flight()

    @property
    def connections(self) -> int:
        """The number of connections that were accepted."""
        return self._ledger.connections()

    def busiest(self, window_s: float = 60.0) -> int:
        """The largest number of requests in any period of this length, to check a client's rate limit.

        Args:
            window_s: The length in seconds. The limit of the service is per minute.

        Returns:
            The number of requests, whatever their outcome, because a client that sends lost or refused
            requests again at once is also too fast. Only requests that were refused by the rate limit (429)
            do not count.

        Raises:
            ValueError: `window_s` is not above 0.
        """
        if not window_s > 0:
            raise ValueError("window_s must be above 0 seconds")
        arrived = [request.arrived_s for request in self.requests if request.status != _TOO_FAST]
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
