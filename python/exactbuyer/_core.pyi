"""The Rust core, as Python sees it. Private: use :class:`exactbuyer.BulkEnricher`."""

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, final

__version__: str

@final
class Rows:
    """Rows, read and identified: the caller's own values, and what may be asked of each."""

    def __init__(
        self,
        rows: Iterable[object],
        *,
        field_type: str | None = None,
        default_region: str | None = None,
        na_values: Iterable[str] = (),
        first_row: int = 0,
    ) -> None: ...
    def __len__(self) -> int: ...
    def invalid(self) -> list[tuple[int, str]]:
        """Each row that cannot be looked up, and why."""

    def plan(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Counts for a plan: rows, missing, invalid, duplicates, from_store, to_send (a range for list-rows), requests, suspects."""

@final
class Engine:
    """What an enricher holds: settings, network, limiter, budget. One per process: a fork makes its own."""

    def __init__(self, settings: Mapping[str, Any]) -> None: ...
    def start(self, *, api_key: str, required_fields: list[str] | None = None, max_credits: int | None = None) -> Run: ...
    def close(self, grace_s: float) -> None: ...

@final
class Run:
    """A call under way."""

    def feed(self, rows: Rows) -> None:
        """Adds rows; their values are kept for the results."""

    def finish(self) -> None:
        """No more rows come."""

    def wait(self, timeout_s: float) -> bool:
        """Waits, the GIL released, until outcomes are ready or the run is over; False on time-out. Raises KeyboardInterrupt within 50 ms of Ctrl-C."""

    def wait_async(self) -> Awaitable[None]:
        """The same for asyncio; cancelling it changes nothing in the run."""

    def fill(self, into: list[Any]) -> int:
        """Builds what is ready, each row at its own place in ``into``; how many rows that were."""

    def take(self, most: int) -> list[dict[str, Any]]:
        """The next results in input order, as far as they are ready."""

    def over(self) -> bool:
        """Whether every outcome has been handed out."""

    def undelivered(self) -> int:
        """Rows fed and not yet handed out."""

    def stop(self, grace_s: float) -> None:
        """Starts nothing new; what is in flight may still take so long."""

    def receipt(self) -> dict[str, Any]: ...
    def problems(self) -> list[tuple[int, str, str]]: ...
    def troubles(self) -> list[tuple[str, str, int | None]]: ...
    def progress(self) -> dict[str, Any]: ...
