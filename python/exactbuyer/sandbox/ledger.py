"""The vendor's books: what arrived, and who was billed for what, how often."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from exactbuyer._core import SandboxLedger
    from exactbuyer.rows import FieldType

    from .faults import Fault


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
    """What it was to be answered with, even if the client left before; `None` where it got no answer."""
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


# Refused by the rate limit.
_TOO_FAST = 429


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
        return [
            Request(number, arrived_s, target, tuple(names), body_bytes, status, fault, lookups, credits_)
            for (
                number,
                arrived_s,
                target,
                names,
                body_bytes,
                status,
                fault,
                lookups,
                credits_,
            ) in self._books.requests()
        ]

    @cached_property
    def billed(self) -> dict[str, int]:
        """How often each identifier was billed; those that never were are not in it."""
        times: dict[str, int] = {}
        for _, value, _, billed in self._books.identifiers():
            if billed:
                # One text may have been asked for by two field types.
                times[value] = times.get(value, 0) + billed
        return times

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
        """Most requests in any stretch of time of that length: to check a client's rate limit.

        Args:
            window_s: The length in seconds; the vendor's limit is per minute.

        Returns:
            The number of requests, whatever became of them: who sends again at once what was lost or refused
            is too fast as well. Only those refused for being too fast (429) do not count: they took no room.

        Raises:
            ValueError: The length is not above 0.
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
