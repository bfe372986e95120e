"""The decoder against the one that everybody knows: equal to ``json.loads``, types and order included."""

from __future__ import annotations

import json
import math
import struct
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exactbuyer import _core

Reply = tuple[list[tuple[str | None, Any]], int | None, str | None]


def decode(body: bytes) -> Reply:
    """Takes a reply apart; a record is a dict, None, or the text of why it is broken."""
    return _core._decode_reply(body)  # pyright: ignore[reportPrivateUsage]


def same(ours: object, theirs: object) -> bool:
    """Equal, with the same types, the same order of keys, the same sign of zero."""
    # Not recursive: documents may be nested deeper than a test should recurse.
    pairs = [(ours, theirs)]
    while pairs:
        a, b = pairs.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, dict) and isinstance(b, dict):
            if list(a) != list(b):
                return False
            pairs.extend(zip(a.values(), b.values(), strict=True))
        elif isinstance(a, list) and isinstance(b, list):
            if len(a) != len(b):
                return False
            pairs.extend(zip(a, b, strict=True))
        elif isinstance(a, float) and isinstance(b, float):
            if struct.pack("d", a) != struct.pack("d", b) and not (math.isnan(a) and math.isnan(b)):
                return False
        elif a != b:
            return False
    return True


def reply_of(records: list[str]) -> bytes:
    """A reply with these records, as text: any character that Python can hold."""
    contacts = ",".join(f'{{"enriched_contact":{text},"value":"v{n}"}}' for n, text in enumerate(records))
    return f'{{"contacts":[{contacts}],"records_enriched":{len(records)}}}'.encode()


def assert_as_json(body: bytes) -> None:
    """Each record is what ``json.loads`` makes of it, each in its place."""
    contacts, count, trouble = decode(body)
    theirs = json.loads(body)
    assert trouble is None
    assert count == theirs["records_enriched"]
    assert len(contacts) == len(theirs["contacts"])
    for (value, record), element in zip(contacts, theirs["contacts"], strict=True):
        assert value == element["value"]
        assert same(record, element["enriched_contact"])


# JSON *texts*, not values: what matters is how things are spelled.
space = st.sampled_from(["", "", "", " ", "\n", "\t \r\n"])
characters = st.characters(blacklist_categories=["Cs"], min_codepoint=0x20, blacklist_characters='"\\')
plain = st.text(characters, max_size=50)
escapes = st.one_of(
    st.sampled_from(['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"]),
    st.integers(0, 0xFFFF).map(lambda unit: f"\\u{unit:04x}"),
    st.integers(0xD7FF, 0xE000).map(lambda unit: f"\\u{unit:04X}"),
    st.tuples(st.integers(0xD800, 0xDBFF), st.integers(0xDC00, 0xDFFF)).map(
        lambda p: f"\\u{p[0]:04x}\\u{p[1]:04X}"
    ),
)
strings = st.lists(st.one_of(plain, escapes), max_size=5).map(lambda parts: f'"{"".join(parts)}"')
digits = st.text("0123456789", min_size=1, max_size=25)
numbers = st.builds(
    lambda sign, whole, fraction, exponent: f"{sign}{whole.lstrip('0') or '0'}{fraction}{exponent}",
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), digits.map(lambda d: f".{d}")),
    st.one_of(st.just(""), st.from_regex(r"[eE][+-]?[0-9]{1,3}", fullmatch=True)),
)
leaves = st.one_of(
    st.sampled_from(
        ["null", "true", "false", "NaN", "Infinity", "-Infinity", "[]", "{}", "-0", "-0.0", "1e400", "1E-400"]
    ),
    numbers,
    strings,
    st.integers(-(2**64), 2**64).map(str),
)
keys = st.one_of(
    st.sampled_from(['"a"', '"b"', '"\\u0061"', '"name"', '"__class__"', '""', '"\\ud800"']), strings
)


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Objects, duplicate keys among them."""
    member = st.builds(
        lambda a, k, b, c, v, d: f"{a}{k}{b}:{c}{v}{d}", space, keys, space, space, values, space
    )
    return st.lists(member, max_size=6).map(lambda members: "{" + ",".join(members) + "}")


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists."""
    element = st.builds(lambda a, v, b: f"{a}{v}{b}", space, values, space)
    return st.lists(element, max_size=5).map(lambda elements: "[" + ",".join(elements) + "]")


documents = st.recursive(leaves, lambda inner: st.one_of(objects(inner), lists(inner)), max_leaves=25)
records = objects(documents)


@given(st.lists(records, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_records_are_as_json_loads_makes_them(texts: list[str]) -> None:
    assert_as_json(reply_of(texts))


@given(st.lists(records, min_size=1, max_size=3), st.lists(st.integers(0, 2), min_size=20, max_size=60))
@settings(max_examples=60, deadline=None)
def test_records_that_resemble_each_other_are_still_themselves(texts: list[str], order: list[int]) -> None:
    # Often enough for whatever is remembered of one record to be used on the next.
    assert_as_json(reply_of([texts[n % len(texts)] for n in order]))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_fields_may_come_and_go(data: st.DataObject) -> None:
    fields = data.draw(st.lists(keys, min_size=1, max_size=5, unique=True))
    rows = data.draw(
        st.lists(st.lists(st.tuples(st.sampled_from(fields), leaves), max_size=7), min_size=30, max_size=60)
    )
    assert_as_json(reply_of(["{" + ",".join(f"{k}:{v}" for k, v in row) + "}" for row in rows]))


nearly_json = st.text(st.sampled_from('{}[],:"\\ue0123456789.-+tfnNIaul \t\n\x0b\x00é'), max_size=30)


@given(
    st.one_of(nearly_json, records),
    st.integers(0),
    st.sampled_from(["", *'{}[],:"\\0123456789.-+eE \n\x00x']),
)
@settings(max_examples=300, deadline=None)
def test_a_reply_is_sound_exactly_where_json_loads_takes_it(text: str, place: int, other: str) -> None:
    place %= len(text) + 1
    body = reply_of(["{}", text[:place] + other + text[place + 1 :], "{}"])
    contacts, _, trouble = decode(body)
    try:
        theirs = json.loads(body)
    except ValueError:
        assert trouble or any(isinstance(record, str) for _, record in contacts)
        return
    assert trouble is None
    for (value, record), element in zip(contacts, theirs["contacts"], strict=True):
        if isinstance(element, dict) and isinstance(element.get("enriched_contact", ""), dict | None):
            assert same(record, element["enriched_contact"])
            assert value == element["value"] if isinstance(element.get("value"), str) else value is None
        else:
            assert isinstance(record, str)


@pytest.mark.parametrize("length", [1, 17, 18, 19, 20, 36, 37, 639, 640, 641, 4300])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_are_exact_at_any_length(length: int, sign: str) -> None:
    text = sign + ("9876543210" * 430)[:length]
    assert_as_json(reply_of([f'{{"n":{text},"z":{sign}1{"0" * (length - 1)}}}']))


@pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="this Python has no such limit")
def test_integers_do_not_depend_on_the_limit_for_reading_them() -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        contacts, _, _ = decode(reply_of([f'{{"n":{"7" * 4300}}}']))
    finally:
        sys.set_int_max_str_digits(before)
    assert contacts[0][1] == {"n": int("7" * 4300)}
    refused, _, _ = decode(reply_of([f'{{"n":{"7" * 4301}}}', "{}"]))
    assert isinstance(refused[0][1], str)
    assert refused[1][1] == {}


def test_nesting_is_capped_for_that_record_only() -> None:
    deep, deeper = (f'{{"a":{"[" * depth}{"]" * depth}}}' for depth in (199, 100_000))
    contacts, _, trouble = decode(reply_of(["{}", deeper, deep]))
    assert (contacts[0][1], trouble) == ({}, None)
    assert isinstance(contacts[1][1], str)
    assert same(contacts[2][1], json.loads(deep))


@pytest.mark.parametrize("width", [1, 5, 29, 30, 31, 32, 90, 2000])
def test_wide_records(width: int) -> None:
    text = json.dumps({f"k{n}": n if n % 3 else None for n in range(width)})
    assert_as_json(reply_of([text] * 20))


def test_dicts_keyed_by_what_they_hold() -> None:
    assert_as_json(
        reply_of([json.dumps({f"k{n}": {f"{n}-{m}": [m] for m in range(9)}}) for n in range(3000)])
    )


def test_a_key_twice_costs_other_places_nothing() -> None:
    # The dicts of a place that is known are copies of one that fits them; those of places beyond the most
    # that are remembered grow key by key.
    twice = r'{"a":1,"\u0061":2}'
    plain = '{"b":{"c":1,"d":2,"e":3}}'
    few, _, _ = decode(reply_of([plain] * 20))
    many, _, _ = decode(reply_of([twice] * 2_000 + [plain] * 20))
    assert many[0][1] == {"a": 2}
    assert many[-1][1] == few[-1][1]
    assert sys.getsizeof(many[-1][1]["b"]) == sys.getsizeof(few[-1][1]["b"]) < sys.getsizeof(few[0][1]["b"])


def test_every_dict_is_its_own() -> None:
    text = '{"a":{"b":null,"c":"x"},"d":[],"e":{}}'
    contacts, _, _ = decode(reply_of([text] * 40))
    made = [record for _, record in contacts]
    expected = json.loads(text)
    for n, record in enumerate(made):
        record["a"]["b"] = n
        record["new"] = record
        del record["d"]
        record["a"].clear()
        record["e"]["x"] = 1
        assert all(same(other, expected) for other in made[n + 1 :])


def test_dicts_are_dicts() -> None:
    contacts, _, _ = decode(reply_of(['{"a":1,"b":null}'] * 20))
    last: Any = contacts[-1][1]
    assert last == {"b": None, "a": 1}
    assert list(reversed(last)) == ["b", "a"]
    assert last.pop("a") == 1
    last["a"] = 2
    last["c"] = 3
    assert list(last.items()) == [("b", None), ("a", 2), ("c", 3)]
    assert json.dumps(last | {"d": 4}) == '{"b": null, "a": 2, "c": 3, "d": 4}'
    assert last.popitem() == ("c", 3)


def test_results_are_made_of_a_value_a_record_and_a_status() -> None:
    statuses = ["missing", "invalid", "found", "not_found", "rejected", "unknown", "not_sent"]
    value = "Ana@Acme.example"
    made = _core._make_rows([(value, b'{"a":1}', n) for n in range(7)] + [(None, None, n) for n in range(7)])  # pyright: ignore[reportPrivateUsage]
    assert made[:7] == [
        {"value": value, "enriched_contact": {"a": 1}, "status": status} for status in statuses
    ]
    assert made[7:] == [{"value": None, "enriched_contact": None, "status": status} for status in statuses]
    assert all(list(row) == ["value", "enriched_contact", "status"] for row in made)
    assert made[0]["value"] is value
    made[0]["status"] = made[0]
    made[0]["more"] = 1
    assert made[1]["status"] == "invalid"
    with pytest.raises(ValueError, match="please report"):
        _core._make_rows([(None, b"{", 2)])  # pyright: ignore[reportPrivateUsage]


def made(value: object, record: bytes) -> dict[str, Any]:
    """One result, made by a decoder that has seen nothing else."""
    (row,) = _core._make_rows([(value, record, 2)])  # pyright: ignore[reportPrivateUsage]
    return row


@pytest.mark.parametrize("own", ["ana@acme.example", "b\u00fccher@acme.example", "+4930901820"])
def test_the_callers_own_string_is_taken_where_the_contact_says_the_same(own: str) -> None:
    class Address(str):
        """No plain string: it may do anything."""

        __slots__ = ()

    record = b'{"email":"%s","others":["%s","%s.example"]}'.replace(b"%s", own.encode())
    told = {"email": own, "others": [own, f"{own}.example"]}
    contact = made(own, record)["enriched_contact"]
    assert contact == told
    assert contact["email"] is own
    for other in (Address(own), None, own.encode(), [own], float("nan")):
        contact = made(other, record)["enriched_contact"]
        assert contact == told
        assert all(type(text) is str for text in (contact["email"], *contact["others"]))


def test_any_value_may_be_the_callers() -> None:
    # Half a character is no text that anybody can compare; and names are no values.
    assert made("\ud800", b'{"a":"\\ud800"}')["enriched_contact"] == {"a": "\ud800"}
    assert made("é", b'{"a":"\\u00e9"}')["enriched_contact"] == {"a": "é"}
    assert made("", b'{"a":""}')["enriched_contact"] == {"a": ""}
    assert made("a", b'{"a":"a","a":"b"}')["enriched_contact"] == {"a": "b"}


@pytest.mark.parametrize("length", [0, 3, 4, 7, 8, 15, 16, 17, 24, 25, 31, 32, 33, 38, 39, 40, 60])
def test_texts_that_are_alike_are_told_apart(length: int) -> None:
    # All that differ in one place, again and again: whatever of them is remembered, it is of one.
    base = "".join(chr(ord("a") + n % 26) for n in range(length))
    texts = [base, *(base[:n] + "~" + base[n + 1 :] for n in range(length)), base + "~"]
    assert_as_json(reply_of([f'{{"text":"{text}"}}' for text in texts * 20]))


def test_texts_that_differ_in_length_are_told_apart() -> None:
    assert_as_json(reply_of([f'{{"text":"{"a" * length}"}}' for length in range(60)] * 20))


def test_texts_with_the_same_ends_are_made_once() -> None:
    days = [f"2021-03-{day:02}T00:00:00.000Z" for day in range(1, 32)]
    records = [(None, f'{{"at":"{day}"}}'.encode(), 2) for day in days * 40]
    rows = _core._make_rows([*records])  # pyright: ignore[reportPrivateUsage]
    assert [row["enriched_contact"]["at"] for row in rows] == days * 40
    last = {id(row["enriched_contact"]["at"]) for row in rows[-310:]}
    assert len(last) < 62, "most of the texts are made anew"


def test_many_threads_at_once() -> None:
    text = '{"a":{"b":"x","c":[1,2,{"d":null}]}}'
    body, expected = reply_of([text] * 300), json.loads(text)
    wrong: list[object] = []

    def work() -> None:
        for _ in range(5):
            wrong.extend(record for _, record in decode(body)[0] if not same(record, expected))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
