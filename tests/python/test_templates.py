"""Dicts that are copies of a template, filled without looking up their keys, are ordinary dicts."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import subprocess
import sys
import sysconfig
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from test_decoder import decode, reply_of

from exactbuyer import BulkEnricher, _core

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer import Result
    from exactbuyer.sandbox import Sandbox

RECORD: dict[str, Any] = {
    "name": "Ana Silva",
    "age": 41,
    "score": 0.5,
    "checked": True,
    "site": None,
    "jobs": [{"title": "CEO", "since": 2019}, {"title": "CTO", "since": None}],
    "home": {"city": "Porto", "at": [41.15, -8.61]},
}
"""A value of each kind."""

ENOUGH = 30
"""More than `OFTEN` in shape.rs: the last records come from templates."""

KNOWN = (
    sys.implementation.name == "cpython"
    and sys.version_info < (3, 16)
    and sys.version_info.releaselevel == "final"
    and not sys.version.split()[0].endswith("+")
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
)


def built(record: dict[str, Any] = RECORD) -> list[dict[str, Any]]:
    """Records as a run builds them: the last ones from the same template."""
    contacts = decode(reply_of([json.dumps(record)] * ENOUGH))[0]
    return [record for _, record in contacts]


@pytest.mark.skipif(not KNOWN, reason="its dicts are not known")
@pytest.mark.parametrize("keys", [1, 2, 3, 7, 8, 15, 29])
def test_values_are_replaced_by_place(keys: int) -> None:
    """Otherwise the tests of this file would test nothing but the other way."""
    assert _core._has_places([f"key {number}" for number in range(keys)])  # pyright: ignore[reportPrivateUsage]


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda one: one.update(new="one more key"),
    lambda one: one.update({f"key {number}": number for number in range(100)}),
    lambda one: one.pop("age"),
    lambda one: one.popitem(),
    lambda one: [one.pop(key) for key in reversed(RECORD)],
    lambda one: (one.pop("name"), one.setdefault("name", "again the first key, now the last")),
    lambda one: one.clear(),
    lambda one: one.setdefault("site", "there is a value"),
    lambda one: one.update({key: [one] for key in one}),
    lambda one: one.__ior__({"age": 42}),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_changes_do_what_they_do_to_other_dicts(number: int) -> None:
    *_, ours, untouched = built()
    other = copy.deepcopy(RECORD)
    for one in (ours, other):
        CHANGES[number](one)
    assert repr(list(ours.items())) == repr(list(other.items()))
    assert repr(untouched) == repr(RECORD), "the dicts of other records have values of their own"


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        dict,
        lambda one: pickle.loads(pickle.dumps(one)),
        lambda one: {**one},
        lambda one: one | {},
        lambda one: {key: one[key] for key in one},
        lambda one: dict(zip(one.keys(), one.values(), strict=True)),
        lambda one: json.loads(json.dumps(one)),
        lambda one: dict(reversed(list(reversed(one.items())))),
    ],
)
def test_copies_and_views_are_those_of_other_dicts(copied: Callable[[dict[str, Any]], Any]) -> None:
    assert repr(copied(built()[-1])) == repr(RECORD)


def test_a_key_that_comes_twice_has_the_last_value() -> None:
    contacts = decode(reply_of(['{"a":1,"b":[2],"a":{"c":3}}'] * ENOUGH))[0]
    assert [record for _, record in contacts] == [{"a": {"c": 3}, "b": [2]}] * ENOUGH


def test_the_collector_knows_each_dict_that_can_be_a_part_of_a_cycle() -> None:
    record = built()[-1]
    assert all(map(gc.is_tracked, (record, record["home"])))
    plain = record["jobs"][0]
    assert gc.is_tracked(plain) == gc.is_tracked({"a": 1, "b": "c"})
    plain["later"] = record
    assert gc.is_tracked(plain)


class Text(str):
    """A text that can refer to others."""

    __slots__ = ("__weakref__", "owner")

    owner: object


@pytest.mark.parametrize("value", [[], {}, ([],), Text("ana@acme.example"), "ana@acme.example"])
@pytest.mark.parametrize("contact", [b"{}", None])
def test_the_collector_knows_a_result_by_its_values(value: Any, contact: bytes | None) -> None:
    for row in _core._make_rows([(value, contact, 2)] * 2):  # pyright: ignore[reportPrivateUsage]
        assert row["value"] is value
        expected = {"value": value, "enriched_contact": {} if contact else None, "status": "found"}
        assert gc.is_tracked(row) == gc.is_tracked(expected)


def test_a_cycle_through_the_callers_value_is_collected() -> None:
    value = Text("ana@acme.example")
    (row,) = _core._make_rows([(value, None, 2)])  # pyright: ignore[reportPrivateUsage]
    value.owner = row
    ended = weakref.ref(value)
    del value, row
    gc.collect()
    assert ended() is None


def test_references_are_counted() -> None:
    """Neither the values nor those that they replace stay or go too early."""
    value = object()
    text = "somebody@example.com"
    record = json.dumps({"a": None, "b": 1, "c": [text], "mail": text}).encode()
    none = sys.getrefcount(None)
    objects = sys.getrefcount(value), sys.getrefcount(text)
    for _ in range(20):
        rows = _core._make_rows([(text, record, 2), (value, None, 2)] * 500)  # pyright: ignore[reportPrivateUsage]
        assert (sys.getrefcount(value), sys.getrefcount(text)) == (objects[0] + 500, objects[1] + 1_500)
        del rows
    assert (sys.getrefcount(value), sys.getrefcount(text)) == objects
    # From 3.12 on, it is immortal, and this finds nothing.
    assert abs(sys.getrefcount(None) - none) < 500


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ("pop", ["enriched_contact", "status", "value"]),
        ("clear", ["value", "enriched_contact"]),
        ("hole", ["enriched_contact", "status", "another", "value"]),
        ("value", ["value", "enriched_contact", "status"]),
    ],
)
def test_a_template_that_somebody_changes_does_no_harm(
    change: str, keys: list[str], everybody: Sandbox
) -> None:
    """From 3.14 on, the collector shows each dict to everybody, also the template of results."""
    values = [f"ana.{number}@acme.example" for number in range(2_500)]
    own = Text("in the template")
    ended = weakref.ref(own)
    results: list[Result] = []
    is_changed = False
    for result in BulkEnricher("key", base_url=everybody.url).stream(values, progress=False):
        results.append(result)
        if len(results) != 5:
            continue
        for one in gc.get_objects():
            if type(one) is not dict or [*one] != ["value", "enriched_contact", "status"]:
                continue
            if one["value"] is not None:
                continue
            is_changed = True
            if change == "value":
                one["value"] = own
            elif change == "clear":
                one.clear()
            else:
                one.pop("value")
                if change == "hole":
                    one["another"] = 1
        del one
    assert [result["value"] for result in results] == values
    assert is_changed == (sys.version_info >= (3, 14))
    assert [*results[-1]] == (keys if is_changed else ["value", "enriched_contact", "status"])
    # What was replaced in the copies has lost no reference, and kept none.
    assert own == "in the template"
    del own
    gc.collect()
    assert ended() is None


@pytest.mark.parametrize("setting", ["", "1"])
def test_a_user_can_do_without(setting: str) -> None:
    program = "from exactbuyer import _core; print(_core._has_places(['a', 'b']))"
    environment = {**os.environ, "EXACTBUYER_PLAIN_OBJECTS": setting}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert told.stdout.strip() == str(not setting and _core._has_places(["a", "b"]))
