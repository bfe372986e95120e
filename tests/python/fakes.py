"""A core that does as it is told, for what the real one cannot be made to do at a given moment.

Outcomes are scripted by value: text with "lost" in it is `unknown`, with "none" `not_found`, with "?"
invalid, blank missing, and anything else found. A run gives `per_wait` outcomes each time it is waited for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

STATUSES = ("missing", "invalid", "found", "not_found", "rejected", "unknown", "not_sent")


class Rows:
    def __init__(self, rows: Any, *, first_row: int = 0, **_: Any) -> None:
        if isinstance(rows, str):
            raise TypeError("rows is one string: wrap it in a list, [value]")
        self.values: list[Any] = []
        self.first_row = first_row
        for number, value in enumerate(rows, first_row):
            if isinstance(value, bool):
                raise TypeError(f"row {number} is a bool")
            self.values.append(value)

    def __len__(self) -> int:
        return len(self.values)

    def invalid(self) -> list[tuple[int, str]]:
        return [
            (at, "looks like nothing")
            for at, value in enumerate(self.values, self.first_row)
            if status_of(value) == "invalid"
        ]

    def asking(self) -> int:
        return sum(status_of(value) not in {"missing", "invalid"} for value in self.values)

    def plan(self, settings: dict[str, Any], **_: Any) -> dict[str, Any]:
        asking = [value for value in self.values if status_of(value) not in {"missing", "invalid"}]
        unique = len(set(asking))
        chunks = -(-unique // settings["chunk_size"])
        return {
            "rows": len(self.values),
            "missing": sum(status_of(value) == "missing" for value in self.values),
            "invalid": len(self.invalid()),
            "duplicates": len(asking) - unique,
            "from_store": 0,
            "to_send": (unique, unique),
            "requests": (chunks, chunks),
            "max_credits": unique,
            "suspects": (),
            "columns": (),
            "lately": None,
            "room": None,
        }


def status_of(value: Any) -> str:
    if value is None or value == "":
        return "missing"
    if "?" in value:
        return "invalid"
    if "lost" in value:
        return "unknown"
    return "not_found" if "none" in value else "found"


class Run:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.values: list[Any] = []
        self.outcomes: list[tuple[int, str]] = []
        self.done = 0
        self.handed_out = 0
        self.statuses: list[tuple[int, str]] = []
        self.finished = False
        self.stopped: float | None = None
        self.waits = 0
        self.trouble: list[tuple[str, str, int | None]] = []
        engine.runs.append(self)

    def feed(self, rows: Rows) -> None:
        assert not self.finished
        assert rows.first_row == len(self.values)
        self.values.extend(rows.values)

    def finish(self) -> None:
        self.finished = True

    def _advance(self) -> None:
        upto = (
            len(self.values)
            if self.stopped is not None
            else min(self.done + self.engine.per_wait, len(self.values))
        )
        for at in range(self.done, upto):
            status = status_of(self.values[at])
            if self.stopped is not None and status in {"found", "not_found", "unknown"}:
                status = "not_sent"
            self.outcomes.append((at, status))
        self.done = upto

    def wait(self, timeout_s: float) -> bool:
        self.waits += 1
        self.engine.before_wait(self)
        self._advance()
        return bool(self.outcomes)

    async def _wait_async(self) -> None:
        await asyncio.sleep(0)
        self.engine.before_wait(self)
        self._advance()

    def wait_async(self) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._wait_async())

    def _result(self, at: int, status: str) -> dict[str, Any]:
        contact = {"full_name": f"Person {at}"} if status == "found" else None
        return {"value": self.values[at], "enriched_contact": contact, "status": status}

    def fill(self, into: list[Any]) -> int:
        filled = len(self.outcomes)
        for at, status in self.outcomes:
            into[at] = self._result(at, status)
        self.counted(self.outcomes)
        self.outcomes = []
        return filled

    def take(self, most: int) -> list[dict[str, Any]]:
        now, self.outcomes = self.outcomes[:most], self.outcomes[most:]
        self.counted(now)
        return [self._result(at, status) for at, status in now]

    def counted(self, outcomes: list[tuple[int, str]]) -> None:
        self.handed_out += len(outcomes)
        self.statuses.extend(outcomes)

    def over(self) -> bool:
        return self.finished and self.handed_out == len(self.values)

    def log(self) -> list[tuple[str, int, float, str]]:
        return []

    def stop(self, grace_s: float) -> None:
        self.stopped = grace_s

    def receipt(self) -> dict[str, Any]:
        counts = dict.fromkeys(STATUSES, 0)
        for _, status in self.statuses:
            counts[status] += 1
        asked = counts["found"] + counts["not_found"] + counts["unknown"]
        return counts | {
            "rows": len(self.values),
            "duplicates": 0,
            "from_store": 0,
            "sent": asked,
            "requests": 1,
            "credits": counts["found"],
            "credits_in_doubt": counts["unknown"],
            "elapsed_s": 0.5,
            "notes": (),
            "columns": (),
            "withheld": 0,
            "stopped": "stopped by the caller" if self.stopped is not None else None,
        }

    def origins(self, rows: int) -> bytes:
        return bytes(9 * rows)

    def problems(self) -> list[tuple[int, str, str]]:
        return [
            (at, status, "a reason")
            for at, status in self.statuses
            if status not in {"found", "not_found", "missing"}
        ]

    def troubles(self) -> list[tuple[str, str, int | None]]:
        lost = any(status == "unknown" for _, status in self.statuses)
        doubt = (
            [("UnknownOutcomeError", "1 row may have been charged: the connection dropped.", None)]
            if lost
            else []
        )
        return [*self.trouble, *doubt]

    def progress(self) -> dict[str, Any]:
        return {
            "rows": len(self.values),
            "done": self.done,
            "open_rows": 0,
            "credits": self.done,
            "credits_in_doubt": 0,
            "in_flight": self.engine.in_flight,
            "requests_last_minute": 1,
            "requests_left": 0,
            "limited_by": "",
            "left_s": None,
        }


class Engine:
    per_wait = 10
    in_flight = 0

    def __init__(self, settings: dict[str, Any], store: object = None, proxy: object = None) -> None:
        self.settings, self.store = settings, store
        self.runs: list[Run] = []
        self.started: list[dict[str, Any]] = []
        self.closed: float | None = None
        self.before_wait: Callable[[Run], None] = lambda _: None

    def start(self, **how: Any) -> Run:
        self.started.append({name: value for name, value in how.items() if name != "api_key"})
        return Run(self)

    def close(self, grace_s: float) -> None:
        self.closed = grace_s
        for run in self.runs:
            run.stop(grace_s)
