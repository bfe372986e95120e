"""Values that are skipped because their row has another one: plan, receipt and a warning show them."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cli_runs import against, last_line, run

import exactbuyer.cli._plan
from exactbuyer import BulkEnricher, ColumnCount, ColumnWarning, Plan, Receipt
from exactbuyer.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer import Result
    from exactbuyer.sandbox import Sandbox

ROWS = 40
MAILS = [f"person{number}@acme.example" for number in range(ROWS)]
NATIONAL = [f"0151 {12_345_600 + number}" for number in range(ROWS)]
"""Mobile numbers of Germany as people write them there: the most common mistake is to forget the region."""

WHY = "a phone number without a country code: write it with +, or set "
NOTE = f"column mobile: 40 of 40 values cannot be read: {WHY}default_region"


@pytest.fixture
def enricher(everybody: Sandbox) -> BulkEnricher:
    return BulkEnricher(everybody.api_key, base_url=everybody.url, requests_per_minute=1_000_000)


def counts_of(told: Plan | Receipt) -> list[tuple[str | int, int, int, int]]:
    return [(column.column, column.values, column.skipped, column.unreadable) for column in told.columns]


@pytest.mark.parametrize(
    "make",
    [pd.DataFrame, pl.DataFrame, pa.table, lambda columns: pd.DataFrame(columns).to_dict("records")],
    ids=["pandas", "polars", "arrow", "dictionaries"],
)
def test_a_second_column_that_cannot_be_read_is_told(
    enricher: BulkEnricher, make: Callable[[dict[str, list[str]]], Any]
) -> None:
    table = make({"mail": MAILS, "mobile": NATIONAL})
    plan = enricher.plan(table, by=["mail", "mobile"])
    assert (plan.invalid, plan.problems) == (0, ())
    assert str(plan).splitlines()[-1] == f"check     {NOTE}"
    assert NOTE in plan._repr_html_()
    with pytest.warns(ColumnWarning) as met:
        enricher.enrich_table(table, by=["mail", "mobile"])
    (warned,) = met
    assert str(warned.message) == NOTE
    receipt = enricher.last_receipt
    assert f"\nnote      {NOTE}\n" in str(receipt)
    assert NOTE in receipt._repr_html_()
    expected = [("mail", 40, 0, 0), ("mobile", 40, 40, 40)]
    assert counts_of(plan) == counts_of(receipt) == expected
    in_germany = BulkEnricher.sandbox(default_region="DE")
    assert in_germany.plan(table, by=["mail", "mobile"]).checks() == []


def test_a_reader_is_counted_batch_by_batch(enricher: BulkEnricher) -> None:
    reader = pa.table({"mail": MAILS, "mobile": NATIONAL}).to_reader(7)
    with pytest.warns(ColumnWarning, match="column mobile: 40 of 40"):
        enricher.enrich_table(reader, by=["mail", "mobile"]).read_all()
    assert counts_of(enricher.last_receipt) == [("mail", 40, 0, 0), ("mobile", 40, 40, 40)]


def test_lists_are_counted_by_position(enricher: BulkEnricher, run_call: Callable[..., list[Result]]) -> None:
    rows = [
        ["ana@acme.example", "whatever", None],
        ["bo@acme.example", "0"],
        [None, "what", "dee@acme.example"],
        "carla@acme.example",
    ]
    run_call(enricher, rows)
    receipt, plan = enricher.last_receipt, enricher.plan(rows)
    assert counts_of(receipt) == counts_of(plan) == [(0, 3, 0, 0), (1, 3, 3, 3), (2, 1, 0, 0)]
    note = "entry 1: 3 of 3 values cannot be read: not recognised"
    assert f"\ncheck     {note}" in str(plan)
    assert f"\nnote      {note}" in str(receipt)
    assert "if it is one, pass its field type, as in field_type='phone'" in str(plan)


def test_a_single_column_is_told_as_ever(enricher: BulkEnricher) -> None:
    frame = pd.DataFrame({"mobile": [*NATIONAL, "+49 151 12345678"]})
    plan = enricher.plan(frame, by="mobile")
    assert counts_of(plan) == [("mobile", 41, 0, 40)]
    assert plan.checks() == []
    assert len(plan.problems) == 40
    with pytest.warns(ColumnWarning, match="40 of 41 rows that hold something are invalid: is 'mobile'"):
        enricher.enrich_table(frame, by="mobile")
    assert "\nnote" not in str(enricher.last_receipt)


def test_a_cell_of_several_values_counts_once(enricher: BulkEnricher) -> None:
    cells = ["ana@acme.example; n/a", "?; n/a", None, "bo@acme.example"]
    frame = pd.DataFrame({"mails": cells, "profile": ["linkedin.com/in/ana-lopez"] * 4})
    plan = enricher.plan(frame, by=["mails", "profile"], split={"mails": ";"})
    assert counts_of(plan) == [("mails", 3, 1, 1), ("profile", 4, 0, 0)]


@pytest.mark.parametrize(
    ("unreadable", "readable", "is_told"),
    [(10, 0, True), (10, 1, True), (9, 1, False), (3, 0, True), (2, 0, False), (3, 1, False)],
)
def test_one_column_of_several_is_told(
    enricher: BulkEnricher, unreadable: int, readable: int, is_told: bool
) -> None:
    numbers = [*NATIONAL[:unreadable], *["+49 151 12345678"] * readable]
    frame = pd.DataFrame({"mail": MAILS, "mobile": [*numbers, *[None] * (ROWS - len(numbers))]})
    with warnings.catch_warnings(record=True) as met:
        warnings.simplefilter("always")
        enricher.enrich_table(frame, by=["mail", "mobile"])
    assert [warned.category for warned in met] == [ColumnWarning] * is_told
    # However many they are, the receipt has them.
    assert f"column mobile: {unreadable} of {unreadable + readable} values cannot be read" in str(
        enricher.last_receipt
    )


def test_the_most_frequent_reason_is_told(enricher: BulkEnricher) -> None:
    frame = pd.DataFrame({"mail": MAILS, "mobile": [*["+1 201 555"] * 3, *NATIONAL[:4], *[None] * 33]})
    (check,) = enricher.plan(frame, by=["mail", "mobile"]).checks()
    assert check == f"column mobile: 7 of 7 values cannot be read, most often (4): {WHY}default_region"


def test_words_that_mean_no_value_are_no_wrong_column(enricher: BulkEnricher) -> None:
    people = pd.DataFrame({"mail": MAILS[:4], "mobile": ["n/a", "-", "unknown", None]})
    enricher.enrich_table(people, by=["mail", "mobile"])
    assert enricher.last_receipt.columns[1].skipped == 3


def test_what_is_said_of_a_table_names_its_parameters(enricher: BulkEnricher) -> None:
    people = pd.DataFrame(
        {"mail": ["a@acme.example"] * 3, "other": ["what is it", "123", "b@x.example c@x.example"]}
    )
    plan = enricher.plan(people[:2], by=["mail", "other"])
    with pytest.warns(ColumnWarning) as warned:
        enricher.enrich_table(people, by=["mail", "other"])
    told = [str(plan), str(enricher.last_receipt), str(warned[0].message)]
    assert all("as in by={'mobile': 'phone'}" in text for text in told)
    several = enricher.plan(people[2:], by=["mail", "other"])
    assert "as in split=';'" in str(several)
    assert "as a list" not in str(several)


def test_a_name_that_looks_like_a_person_is_not_shown(enricher: BulkEnricher) -> None:
    frame = pd.DataFrame({"mail": MAILS, "ana@acme.example": NATIONAL})
    plan = enricher.plan(frame, by=["mail", "ana@acme.example"])
    assert "ana@" not in json.dumps(plan.to_dict())
    assert "check     column number 2 of by: 40 of 40" in str(plan)


def test_of_many_columns_the_first_are_shown(enricher: BulkEnricher) -> None:
    checks = enricher.plan([["ana@acme.example", *["?"] * 8]]).checks()
    assert [check[:7] for check in checks] == [*(f"entry {number}" for number in range(1, 6)), "3 more "]


def test_they_add_up() -> None:
    one = Receipt(rows=3, columns=(ColumnCount("mail", 3, 0), ColumnCount("tel", 3, 2, (("short", 2),))))
    two = Receipt(
        rows=2, columns=(ColumnCount("tel", 2, 1, (("long", 3), ("short", 1))), ColumnCount(0, 1, 0))
    )
    tel = ColumnCount("tel", 5, 3, (("short", 3), ("long", 3)))
    assert (one + two).columns == (ColumnCount("mail", 3, 0), tel, ColumnCount(0, 1, 0))
    assert pickle.loads(pickle.dumps(one)) == one
    assert two.to_dict()["columns"] == [["tel", 2, 1, [["long", 3], ["short", 1]]], [0, 1, 0, []]]
    assert json.loads(json.dumps(two.to_dict()))["columns"] == two.to_dict()["columns"]
    assert Plan(columns=two.columns).to_dict()["columns"] == two.to_dict()["columns"]


def people(tmp_path: Path) -> str:
    rows = [f"{mail},{number}" for mail, number in zip(MAILS, NATIONAL, strict=True)]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(["mail,mobile", *rows]) + "\n")
    return str(file)


def test_the_command_line_tells_it_in_its_own_words(tmp_path: Path, everybody: Sandbox) -> None:
    by = ["--by", "mail", "--by", "mobile"]
    note = f"column mobile: 40 of 40 values cannot be read: {WHY}--default-region"
    planned = run("plan", people(tmp_path), *by)
    assert planned.stdout.decode().splitlines()[-1] == f"check     {note}"
    done = run(
        *("enrich", people(tmp_path), *by, *against(everybody)),
        *("--store", "none", "-o", tmp_path / "out.csv", "--json"),
    )
    told = done.stderr.decode()
    for line in (f"check     {note}", f"exactbuyer: warning: {note}", f"note      {note}"):
        assert line in told.splitlines()
    assert [column[:3] for column in last_line(done)["columns"]] == [["mail", 40, 0], ["mobile", 40, 40]]


def test_the_windows_of_a_long_file_are_added_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for window in (1_000, 15):
        monkeypatch.setattr(exactbuyer.cli._plan, "WINDOW_ROWS", window)
        assert main(["plan", people(tmp_path), "--by", "mail", "--by", "mobile", "--json"]) == 0
        told.append(json.loads(capsys.readouterr().out)["columns"])
    assert told[0] == told[1] == [["mail", 40, 0, []], ["mobile", 40, 40, [[f"{WHY}default_region", 40]]]]
