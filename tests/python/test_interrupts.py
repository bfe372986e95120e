"""Ctrl-C wherever it can come: what was paid for is in the results, the exception or `recover()`.

CPython looks for signals where a Python function begins and where a call of C code returns. A profile
function sees just these, so one run after another is interrupted at the first of them, the second, and so on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pytest

import exactbuyer
from exactbuyer import BulkEnricher
from exactbuyer._calls.call import Call
from exactbuyer._calls.streams import BlockingStream
from exactbuyer._frames import table_input
from exactbuyer.exceptions import Interrupted
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from typing_extensions import Self

    from exactbuyer import Result, Results

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


class Pressed(NamedTuple):
    """What became of one run."""

    enricher: BulkEnricher
    where: str
    got: list[Any]
    in_exception: Any
    recovered: list[Results]


def pressed_at_each_point(
    sandbox: Sandbox, work: Callable[[BulkEnricher, list[Any]], None], kept: Callable[[Interrupted], object]
) -> Iterator[Pressed]:
    """One run after another, each interrupted a point later; the last one is through before."""
    point = 0
    while True:
        sandbox.reset()
        enricher = BulkEnricher("any", base_url=sandbox.url, chunk_size=4, requests_per_minute=10_000)
        got: list[Any] = []
        in_exception: object = None
        press = Press(point)
        with press:
            try:
                work(enricher, got)
            except Interrupted as interrupted:
                # Without the exception itself, whose traceback would keep alive what the run has left.
                in_exception = kept(interrupted)
            except KeyboardInterrupt:
                pass
        recovered: list[Results] = []
        while (part := enricher.recover()) is not None:
            recovered.append(part)
        yield Pressed(enricher, press.pressed_in, got, in_exception, recovered)
        enricher.close()
        if not press.pressed_in:
            break
        point += 1
    assert point > 50, "there were hardly any points: is this still where the package is?"


def check_books(sandbox: Sandbox, run: Pressed, rows: list[tuple[Any, str]]) -> None:
    """Compares the values and statuses within reach after a run with what the vendor has billed."""
    found = [value for value, status in rows if status == "found"]
    assert sorted(found) == sorted(sandbox.ledger.billed), run.where
    # In order, each row once, and none left out in the middle.
    assert [value for value, _ in rows] == ROWS[: len(rows)], run.where
    assert run.enricher.receipt.credits == len(found), run.where
    assert run.enricher.receipt.under_way == 0, run.where


@pytest.mark.parametrize("work", [enrich, stream, left_stream])
def test_wherever_it_comes_nothing_that_was_paid_for_is_lost(
    work: Callable[[BulkEnricher, list[Result]], None], everybody: Sandbox
) -> None:
    for run in pressed_at_each_point(everybody, work, lambda interrupted: interrupted.results):
        recovered = [row for part in run.recovered for row in part]
        if run.in_exception:
            assert recovered == run.in_exception, run.where
        check_books(everybody, run, [(row["value"], row["status"]) for row in [*run.got, *recovered]])


def table(enricher: BulkEnricher, got: list[Any]) -> None:
    got.append(enricher.enrich_table(pa.table({"mail": ROWS}), by="mail", progress=False))


def reader(enricher: BulkEnricher, got: list[Any]) -> None:
    source = pa.table({"mail": ROWS}).to_reader(max_chunksize=3)
    for batch in enricher.enrich_table(source, by="mail", progress=False):
        got.append(pa.Table.from_batches([batch]))


@pytest.mark.parametrize("work", [table, reader])
def test_nor_is_what_was_paid_for_a_table(
    work: Callable[[BulkEnricher, list[Any]], None], everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_input, "BLOCK_ROWS", 3)
    for run in pressed_at_each_point(everybody, work, lambda interrupted: interrupted.table):
        recovered = [part.table for part in run.recovered]
        if run.in_exception is not None:
            assert [run.in_exception] == recovered, run.where
        within_reach = [row for part in [*run.got, *recovered] for row in part.to_pylist()]
        check_books(everybody, run, [(row["mail"], row["eb_status"]) for row in within_reach])


@pytest.mark.parametrize("name", ["enrich", "stream"])
def test_two_at_the_same_moment_count_as_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[str] = []

    def pressing(where: str, go_on: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def press_once(self: Any) -> Any:
            if where not in pressed:
                pressed.append(where)
                raise KeyboardInterrupt
            return go_on(self)

        return press_once

    waits, name_of_wait = (Call, "until_over") if name == "enrich" else (BlockingStream, "_advance")
    monkeypatch.setattr(waits, name_of_wait, pressing("while it waits", getattr(waits, name_of_wait)))
    monkeypatch.setattr(Call, "interrupt", pressing("before it stops", Call.interrupt))
    with BulkEnricher.sandbox(match_rate=1, store=None) as enricher:
        with pytest.raises(Interrupted) as caught:
            list(getattr(enricher, name)(ROWS))
        assert pressed == ["while it waits", "before it stops"]
        assert enricher.receipt == caught.value.receipt
        assert enricher.receipt.credits == enricher.sandbox_server.ledger.credits
