"""What people read: receipts, plans, progress, results. Each text as a newcomer would see it."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import sys
from contextlib import suppress
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from exactbuyer import (
    BulkEnricher,
    ExactBuyerError,
    Note,
    Plan,
    Problem,
    Progress,
    Receipt,
    Result,
    Results,
    Suspect,
    UnknownOutcomeError,
)
from exactbuyer.report.progress import Watch
from exactbuyer.report.wording import as_given, clock, count, duration

EUR = (Decimal("0.05"), "EUR")

BUSY = Progress(
    rows=50_000, done=31_204, credits=16_870, credits_in_doubt=1_000, requests_last_minute=58,
    left_s=21.2, limited_by="max_in_doubt",
)  # fmt: skip

INCOMPLETE = Receipt(
    rows=50_000, missing=3_112, invalid=418, found=31_370, not_found=13_100, unknown=1_000, not_sent=1_000,
    duplicates=4_470, from_store=1_900, found_duplicates=2_470, found_from_store=1_900,
    sent=61_000, requests=61, credits=27_000, credits_in_doubt=1_000,
    elapsed_s=112.0, stopped="max_credits reached", stopped_error="BudgetExceededError",
    credit_price=EUR,
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("week", "'week'"),
        ("mon-th_2", "'mon-th_2' (did you mean 'month'?)"),
        ("ana@acme.example", "a string"),
        ("Ana Lopez", "a string"),
        ("a" * 21, "a string"),
        ("2015550123", "a string"),
        ("josé", "a string"),
        ("", "a string"),
    ],
)
def test_only_a_short_word_is_shown_and_only_in_place_of_a_word(value: str, shown: str) -> None:
    assert as_given(value, ["day", "month"], is_word=True) == shown
    assert as_given(value, ["day"]) == "a string"


def test_a_receipt_with_everything() -> None:
    assert (
        str(INCOMPLETE)
        == """\
INCOMPLETE: 2,000 of 50,000 rows open                                 1 min 52 s
  found      31,370   27,000 paid · 1,900 from the store · 2,470 duplicates
  not found  13,100   free
  missing     3,112   nothing to look up
  invalid       418   cannot be looked up: see results.problems
  unknown     1,000   0 to 1,000 credits
  not sent    1,000   max_credits reached
charged   27,000 credits, EUR 1,350.00 (+ up to EUR 50.00 in doubt) in 61 requests
next      fix what stopped it, then run this again for the rows that are not_sent; for those that are \
unknown, check the service's usage page first"""
    )
    # The same at a prompt.
    assert repr(INCOMPLETE) == str(INCOMPLETE)


def test_a_receipt_of_one_row() -> None:
    assert (
        str(Receipt(rows=1, found=1, sent=1, requests=1, credits=1, elapsed_s=0.52))
        == """\
COMPLETE: 1 row                                                            0.5 s
  found  1   paid
charged   1 credit in 1 request
next      nothing: every row has its answer"""
    )


def test_why_credits_are_in_doubt_is_told_and_adds_up() -> None:
    odd = Receipt(rows=2, found=2, credits=2, credits_in_doubt=8, notes=(Note("no count", 1),))
    assert "\nnote      no count (1 request)\nnext " in str(odd)
    assert "no count (1 request)" in odd._repr_html_()
    total = odd + odd + Receipt(notes=(Note("reordered", 3),))
    assert total.notes == (Note("no count", 2), Note("reordered", 3))
    assert "note      no count (2 requests)\nnote      reordered (3 requests)" in str(total)


def test_whoever_stopped_a_run_has_nothing_to_put_right() -> None:
    stopped = Receipt(rows=2, not_sent=2, stopped="by Ctrl-C")
    assert stopped.next_step == "run this again for the rows that are not_sent"
    some = replace(stopped, rows=3, found=1)
    assert some.next_step == "run this again for the rows that are not_sent: the others are done"
    full = Receipt(rows=9, found=9, not_stored=1)
    keep = "keep these results: the store does not have the answers to 1 lookup"
    assert full.next_step == keep
    assert replace(some, not_stored=1).next_step == f"{some.next_step}; {keep}"


def test_every_number_of_receipts_is_added_up() -> None:
    others = {"notes", "stopped", "stopped_error", "inherited_since", "in_store", "store_only"}
    others |= {"answers", "columns", "credit_price", "reasons"}
    numbers = {field.name for field in fields(Receipt)} - others
    each_one: dict[str, Any] = dict.fromkeys(numbers, 1)
    ones = Receipt(**each_one)
    assert {name: getattr(ones + ones, name) for name in numbers} == dict.fromkeys(numbers, 2)


def test_rows_under_way_are_open() -> None:
    receipt = Receipt(rows=3, found=1)
    assert (receipt.under_way, receipt.open_rows) == (2, 2)
    assert str(receipt).startswith("INCOMPLETE: 2 of 3 rows open")


def test_receipts_add_up() -> None:
    total = sum([INCOMPLETE, Receipt(rows=1, found=1, credits=1, elapsed_s=1.0, credit_price=EUR)], Receipt())
    assert (total.rows, total.credits, total.elapsed_s) == (50_001, 27_001, 113.0)
    assert total.cost == Decimal("1350.05")
    assert sum([total]) == total
    assert total.stopped == "max_credits reached"
    assert (INCOMPLETE + Receipt(rows=1, missing=1, credit_price=(Decimal(1), "USD"))).cost is None
    assert Receipt() + INCOMPLETE == INCOMPLETE == INCOMPLETE + Receipt()


@pytest.mark.parametrize(
    ("receipt", "kind", "said"),
    [
        (INCOMPLETE, UnknownOutcomeError, "2,000 of 50,000 rows open: 1,000 unknown, 1,000 not sent"),
        (Receipt(rows=2, found=1, not_sent=1), ExactBuyerError, "1 of 2 rows open: 1 not sent"),
    ],
)
def test_raise_for_incomplete(receipt: Receipt, kind: type[ExactBuyerError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        receipt.raise_for_incomplete()
    assert caught.value.receipt == receipt


def test_complete_does_not_raise() -> None:
    Receipt(rows=3, found=1, rejected=1, invalid=1).raise_for_incomplete()


def test_a_plan() -> None:
    plan = Plan(
        rows=50_000, missing=3_112, invalid=418, duplicates=4_470, from_store=1_900,
        to_send=(40_100, 120_000), requests=(41, 121), max_credits=40_100,
        expected_credits=(25_700, 30_700), credit_price=EUR, suspects=(Suspect(17, "phone", 1_204),),
    )  # fmt: skip
    assert (
        str(plan)
        == """\
50,000 rows
  skipped      3,530   3,112 missing · 418 invalid (plan.problems)
  free         6,370   4,470 duplicates · 1,900 from the store
  to look up  40,100   40,100 to 120,000 identifiers in 41 to 121 requests
credits   at most 40,100 (EUR 2,005.00), likely 25,700 to 30,700
check     row 17's phone appears in 1,204 rows: a placeholder?"""
    )
    assert repr(plan) == str(plan)
    shown = plan._repr_html_()
    for said in ("40,100 to 120,000 identifiers", "at most 40,100 (EUR 2,005.00)", "a placeholder?"):
        assert said in shown


def test_a_plan_says_how_long_the_limit_makes_it() -> None:
    plan = Plan(rows=3, to_send=(3, 3), requests=(450, 450), max_credits=3, min_duration_s=120.0)
    assert "3 identifiers in 450 requests, taking 2 min 0 s or more" in str(plan)


def test_progress() -> None:
    assert str(BUSY) == (
        "31,204/50,000 rows  62% | 16,870 credits (+ up to 1,000 in doubt) | 58 req/min | 0:21 left | "
        "limited by max_in_doubt"
    )
    assert str(Progress(done=1, credits=1)) == "1 row | 1 credit | 0 req/min"
    assert str(Progress(rows=0)).startswith("0/0 rows 100%")


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (120, str(BUSY)),
        (80, "31,204/50,000 62% | 16,870 cr (+1,000?) | 58/min | 0:21 left | max_in_doubt"),
        (70, "31,204/50,000 62% | 16,870 cr (+1,000?) | 0:21 left | max_in_doubt"),
        (50, "31,204/50,000 62% | 0:21 left | max_in_doubt"),
        (32, "31,204/50,000 62% | max_in_doubt"),
        (9, "31,204/50"),
    ],
)
def test_progress_fits_the_terminal_and_says_what_limits_it_longest(columns: int, shown: str) -> None:
    assert BUSY.within(columns) == shown
    assert len(shown) <= columns
    assert Progress(done=1_000, credits=1).within(30) == "1,000 | 1 cr | 0/min"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there")
@pytest.mark.parametrize(("columns", "shown"), [(200, "limited by max_in_doubt"), (80, "| max_in_doubt")])
def test_the_bar_fits_the_terminal(columns: int, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import struct
    import termios

    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(terminal, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        watch = Watch(True, BUSY.rows)
        counts = {name: value for name, value in vars(BUSY).items() if name != "elapsed_s"}
        watch.tick(lambda: counts)
        watch.close()
        stderr.flush()
    pieces = []
    # It comes in as many pieces as the terminal likes, and ends when nobody writes any more.
    with suppress(OSError):
        while piece := os.read(screen, 65_536):
            pieces.append(piece)
    os.close(screen)
    drawn = b"".join(pieces).decode()
    lines = [re.sub(r"\x1b\[[0-9]*[A-Z]", "", line).rstrip() for line in re.split(r"[\r\n]+", drawn)]
    assert any(line.rstrip(" ▏▎▍▌▋▊▉█").endswith(shown) for line in lines), lines
    assert max(map(len, lines)) < columns


def test_units() -> None:
    assert [count(number, "row") for number in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [duration(seconds) for seconds in (0.04, 59, 112, 7_260)] == [
        "40 ms",
        "59 s",
        "1 min 52 s",
        "2 h 1 min",
    ]
    assert [clock(seconds) for seconds in (21, 61, 3_661)] == ["0:21", "1:01", "1:01:01"]


ROWS: list[Result] = [
    {"value": "ana@acme.example", "enriched_contact": {"full_name": "Ana <b>"}, "status": "found"},
    {"value": "bo@acme.example", "enriched_contact": None, "status": "unknown"},
]


def test_results_are_a_list_that_shows_counts() -> None:
    results = Results(
        ROWS, receipt=Receipt(rows=2, found=1, unknown=1), problems=[Problem(1, "unknown", "lost")]
    )
    assert repr(results) == "<Results: 2 rows: 1 found, 1 unknown>"
    assert repr(Results()) == "<Results: 0 rows>"
    assert "ana" not in results._repr_html_()
    assert type(results[:1]) is list
    assert results == ROWS
    for twin in (copy.copy(results), copy.deepcopy(results), pickle.loads(pickle.dumps(results))):
        assert twin == results
        assert (twin.receipt, twin.problems, twin.first_row) == (results.receipt, results.problems, 0)


def test_nothing_in_html_is_taken_for_html() -> None:
    assert "<script>" not in Receipt(rows=1, not_sent=1, stopped="<script>")._repr_html_()


def test_a_plan_is_json() -> None:
    rows = ["?", *["ana@acme.example"] * 40]
    plain = BulkEnricher(store=None, credit_price=(0.05, "EUR")).plan(rows).to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert all(type(reason) is str for *_, reason in plain["problems"])
    assert (plain["rows"], plain["to_send"], plain["credit_price"]) == (41, [1, 1], ["0.05", "EUR"])
    assert [place for place, *_ in plain["problems"]] == [0]
    assert plain["suspects"] == [[1, "email", 40]]
