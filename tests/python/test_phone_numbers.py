"""libphonenumber's own example numbers of all regions and types, in five spellings each; the judge is
`phonenumbers`, its port to Python."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat as Format

from exactbuyer._core import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
# What is read otherwise than by the judge, and why.
DIFFERENT = {
    "+13101234": "a service number that is dialled within Canada only: libphonenumber calls it local"
}


def examples(region: str) -> Iterator[phonenumbers.PhoneNumber]:
    for kind in phonenumbers.PhoneNumberType.values():
        number = phonenumbers.example_number_for_type(region, kind)
        if number is not None:
            yield number


def spellings(number: phonenumbers.PhoneNumber, region: str) -> Iterator[tuple[str, str | None]]:
    """How it is written, and the default region that it needs."""
    full = phonenumbers.format_number(number, Format.E164)
    yield phonenumbers.format_number(number, Format.INTERNATIONAL), None
    yield phonenumbers.format_number(number, Format.RFC3966), None
    yield "00" + full[1:], None
    yield full[1:], "+"
    yield phonenumbers.format_number(number, Format.NATIONAL), region


def lookups(rows: list[str], region: str | None) -> tuple[int, int]:
    """How many different lookups these are, and how many are none."""
    plan = Rows(rows, field_type="phone", default_region=region).plan({})
    return plan["to_send"][1], plan["invalid"]


@pytest.mark.parametrize("region", REGIONS)
def test_every_spelling_of_an_example_is_the_number_that_the_judge_reads(region: str) -> None:
    seen = 0
    for number in examples(region):
        full = phonenumbers.format_number(number, Format.E164)
        for written, needed in spellings(number, region):
            # The judge knows neither `00` without a region nor `+` as one.
            if needed != "+" and not written.startswith("00"):
                assert phonenumbers.parse(written, needed) == phonenumbers.parse(full), (full, written)
            expected = (0, 2) if full in DIFFERENT else (1, 0)
            assert lookups([full, written], needed) == expected, (full, written, needed)
            seen += 1
    assert seen >= 5


def test_there_are_examples_of_all_regions() -> None:
    assert len(REGIONS) > 240
    assert sum(1 for region in REGIONS for _ in examples(region)) > 1_300


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_that_was_forked_while_numbers_were_read_reads_numbers() -> None:
    """The patterns of a region are compiled at first use, under a lock that a child may inherit locked."""
    numbers = {
        region: phonenumbers.format_number(number, Format.E164)
        for region in REGIONS
        if (number := phonenumbers.example_number(region)) is not None
    }
    expected = {region: lookups([number[1:]], region) for region, number in numbers.items()}
    assert sum(found == (1, 0) for found in expected.values()) > 240
    began, done = threading.Event(), threading.Event()

    def read_all() -> None:
        while not done.is_set():
            for region, number in numbers.items():
                lookups([number[1:]], region)
                began.set()

    reading = threading.Thread(target=read_all)
    reading.start()
    try:
        assert began.wait(60)
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(60)
                read = {region: lookups([number[1:]], region) for region, number in numbers.items()}
                os._exit(0 if read == expected else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        done.set()
        reading.join()
