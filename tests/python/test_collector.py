"""What a call builds, and the cyclic collector: which objects are old, found later, and still the user's."""

from __future__ import annotations

import gc
import sys
import sysconfig
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from test_decoder import decode, reply_of

from exactbuyer import BulkEnricher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exactbuyer.sandbox import Sandbox


class Mark:
    """Something that can be referred to weakly."""


def test_cycles_that_are_made_later_are_collected() -> None:
    contacts, _, _ = decode(reply_of(['{"jobs":[{"at":"x"}],"home":{"city":"y"}}'] * 20))
    marks: list[weakref.ref[Mark]] = []
    for _, record in contacts:
        mark = Mark()
        marks.append(weakref.ref(mark))
        record["jobs"][0]["person"] = record
        record["home"]["owner"] = record["jobs"]
        record["jobs"].append(mark)
        del mark
    del contacts, record, _
    gc.collect()
    assert [mark() for mark in marks] == [None] * 20


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collectors_state_is_the_users(enabled: bool) -> None:
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        decode(reply_of(['{"a":[{}]}', '{"a":', "{}"]))
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.skipif(
    sys.version_info >= (3, 16)
    or (3, 14) <= sys.version_info < (3, 14, 5)
    or bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="its collector is not known",
)
@pytest.mark.parametrize("frozen", [False, True], ids=["plain", "frozen"])
def test_new_objects_are_old_for_the_collector_and_nothing_else_is(frozen: bool) -> None:
    """Also after `gc.freeze()`, as servers call it before they fork: what is frozen stays so."""
    before = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        if frozen:
            gc.freeze()
        count = gc.get_freeze_count()
        young: list[list[object]] = [[]]
        without = decode(reply_of(['{"a":[{}]}']))[0][0][1]
        gc.enable()
        old = decode(reply_of(['{"a":[{}]}']))[0][0][1]
        gc.disable()
        ages = {
            id(one): generation for generation in (0, 1, 2) for one in gc.get_objects(generation=generation)
        }
        assert [ages[id(one)] for one in (old, old["a"])] == [2, 2]
        assert [ages[id(one)] for one in (young, young[0], without)] == [0, 0, 0], "the collector was off"
        assert gc.get_freeze_count() == count
    finally:
        gc.unfreeze()
        (gc.enable if before else gc.disable)()


def test_the_collectors_lists_stay_sound_between_calls_of_other_threads() -> None:
    """They collect, freeze and make cycles of the records. All cycles are found in the end."""
    body = reply_of(['{"a":[{"b":[]}],"c":{}}'] * 50)
    marks: list[weakref.ref[object]] = []
    over = threading.Event()

    def work() -> None:
        for _ in range(10):
            for _, record in decode(body)[0]:
                mark = Mark()
                record["c"]["cycle"] = [record, mark]
                marks.append(weakref.ref(mark))

    def disturb() -> None:
        number = 0
        while not over.is_set():
            number += 1
            gc.collect(number % 2)
            gc.freeze()
            gc.unfreeze()

    disturber = threading.Thread(target=disturb)
    workers = [threading.Thread(target=work) for _ in range(3)]
    disturber.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    over.set()
    disturber.join()
    gc.collect()
    assert len(marks) == 3 * 10 * 50
    assert not [mark for mark in marks if mark() is not None]


def test_rows_whose_end_runs_the_collector_do_no_harm(everybody: Sandbox) -> None:
    """The alternatives that were not used end while results are delivered, and their `__del__` collects."""
    ended: list[bool] = []

    class Collects(str):
        __slots__ = ()

        def __del__(self) -> None:
            ended.append(gc.isenabled())
            gc.collect()

    def rows() -> Iterator[list[str]]:
        for number in range(30):
            yield [Collects(f"ana.{number}@acme.example"), Collects(f"eva.{number}@acme.example")]

    results = BulkEnricher("key", base_url=everybody.url).enrich(rows(), progress=False)
    assert ended == [True] * 30, "the collector is paused only while objects are built"
    assert [result["value"] for result in results] == [f"ana.{number}@acme.example" for number in range(30)]
    assert {result["status"] for result in results} == {"found"}
    gc.collect()
