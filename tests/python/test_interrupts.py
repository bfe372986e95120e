"""Ctrl-C wherever it can come: what was paid for is in the results, the exception or `recover()`.

CPython looks for signals where a Python function begins and where a call of C code returns. A profile
function sees just these, so one run after another is interrupted at the first of them, the second, and so on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

import exactbuyer
from exactbuyer import BulkEnricher, _tables
from exactbuyer.exceptions import Interrupted
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from typing_extensions import Self

    from exactbuyer import Result

PACKAGE = str(Path(exactbuyer.__file__).parent)
ROWS = [f"person{number}@acme.example" for number in range(12)]


def within_del(frame: FrameType | None) -> bool:
    """Whether this is part of a `__del__`: what that raises is only printed, with a signal as without."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class Press:
    """Ctrl-C at the point of this number inside the package, and no other."""

    def __init__(self, point: int) -> None:
        self._left = point
        self.pressed_in = ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in {"call", "c_return"} or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        if within_del(frame):
            return
        if self._left:
            self._left -= 1
            return
        sys.setprofile(None)
        self.pressed_in = f"{event} in {frame.f_code.co_name}, line {frame.f_lineno}"
        raise KeyboardInterrupt

    def __enter__(self) -> Self:
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def enrich(enricher: BulkEnricher, got: list[Result]) -> None:
    got.extend(enricher.enrich(ROWS, progress=False))


def stream(enricher: BulkEnricher, got: list[Result]) -> None:
    with enricher.stream(ROWS, progress=False) as results:
        for row in results:
            got.append(row)


def left_stream(enricher: BulkEnricher, got: list[Result]) -> None:
    with enricher.stream(ROWS, progress=False) as results:
        got.append(next(results))


@pytest.mark.parametrize("work", [enrich, stream, left_stream])
def test_wherever_it_comes_nothing_that_was_paid_for_is_lost(
    work: Callable[[BulkEnricher, list[Result]], None],
) -> None:
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        point = 0
        while True:
            sandbox.reset()
            enricher = BulkEnricher("any", base_url=sandbox.url, chunk_size=4, requests_per_minute=10_000)
            got: list[Result] = []
            in_exception: list[Result] = []
            press = Press(point)
            with press:
                try:
                    work(enricher, got)
                except Interrupted as interrupted:
                    in_exception = interrupted.results or []
                except KeyboardInterrupt:
                    pass
            recovered: list[Result] = []
            while part := enricher.recover():
                recovered += part
            if in_exception:
                assert recovered == in_exception, press.pressed_in
            within_reach = [*got, *recovered]
            found = [row["value"] for row in within_reach if row["status"] == "found"]
            assert sorted(found) == sorted(sandbox.ledger.billed), press.pressed_in
            # In order, each row once, and none left out in the middle.
            assert [row["value"] for row in within_reach] == ROWS[: len(within_reach)], press.pressed_in
            assert enricher.receipt.credits == len(found), press.pressed_in
            assert enricher.receipt.under_way == 0, press.pressed_in
            enricher.close()
            if not press.pressed_in:
                break
            point += 1
        assert point > 50, "there were hardly any points: is this still where the package is?"


def table(enricher: BulkEnricher, got: list[Any]) -> None:
    got.append(enricher.enrich_table(pa.table({"mail": ROWS}), by="mail", progress=False))


def reader(enricher: BulkEnricher, got: list[Any]) -> None:
    source = pa.table({"mail": ROWS}).to_reader(max_chunksize=3)
    for batch in enricher.enrich_table(source, by="mail", progress=False):
        got.append(pa.Table.from_batches([batch]))


@pytest.mark.parametrize("work", [table, reader])
def test_nor_is_what_was_paid_for_a_table(
    work: Callable[[BulkEnricher, list[Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tables, "BLOCK_ROWS", 3)
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        point = 0
        while True:
            sandbox.reset()
            enricher = BulkEnricher("any", base_url=sandbox.url, chunk_size=4, requests_per_minute=10_000)
            got: list[Any] = []
            in_exception: Any = None
            press = Press(point)
            with press:
                try:
                    work(enricher, got)
                except Interrupted as interrupted:
                    in_exception = interrupted.table
                except KeyboardInterrupt:
                    pass
            recovered: list[Any] = []
            while part := enricher.recover():
                recovered.append(part.table)
            if in_exception is not None:
                assert [in_exception] == recovered, press.pressed_in
            within_reach = [row for part in [*got, *recovered] for row in part.to_pylist()]
            found = [row["mail"] for row in within_reach if row["eb_status"] == "found"]
            assert sorted(found) == sorted(sandbox.ledger.billed), press.pressed_in
            assert [row["mail"] for row in within_reach] == ROWS[: len(within_reach)], press.pressed_in
            assert enricher.receipt.credits == len(found), press.pressed_in
            assert enricher.receipt.under_way == 0, press.pressed_in
            enricher.close()
            if not press.pressed_in:
                break
            point += 1
        assert point > 50, "there were hardly any points: is this still where the package is?"
