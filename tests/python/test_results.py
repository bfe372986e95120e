"""Results as tables, and what a call leaves in `last_results`."""

from __future__ import annotations

import copy
import json
import pickle
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cli_runs import until

from exactbuyer import DEFAULT_COLUMNS, BulkEnricher, IncompleteWarning, Receipt, Results, UnknownOutcomeError
from exactbuyer.exceptions import ConfigError, ExactBuyerError, Interrupted, InvalidIdentifierError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exactbuyer.sandbox import Fault

ROWS: list[Any] = [
    "ana.almeida@acme.example",
    "ANA.almeida@acme.example",
    None,
    "nobody@acme.example",
    "not valid",
    [("email", "nobody@acme.example"), ("phone", "+1 773 474 9362")],
    "linkedin.com/in/bo-berg",
]
TEXTS = [*ROWS[:5], "+1 773 474 9362", ROWS[6]]


@pytest.fixture
def enricher() -> Iterator[BulkEnricher]:
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        enricher.sandbox_server.nobody("nobody@acme.example")
        enricher.sandbox_server.person(
            "linkedin.com/in/bo-berg", {"full_name": "Bo \ud83d", "odd": float("1e5"), "title": "Ünïcode"}
        )
        yield enricher


def results_of(enricher: BulkEnricher) -> Results:
    return enricher.enrich(ROWS, on_error="record", progress=False)


def test_a_table_of_results_is_the_one_of_enrich_table(tmp_path: Path) -> None:
    with BulkEnricher.sandbox(match_rate=0.5, store=tmp_path / "people.db") as enricher:
        values = [f"ana.person{n % 80}@acme.example" for n in range(100)] + [None, "?"]
        enricher.enrich(values[:10])
        results = enricher.enrich(values, on_error="record")
        table = pd.DataFrame({"value": pd.Series(values, dtype="str")})
        expected = enricher.enrich_table(table, by="value", store_only=True)
    made = results.to_pandas()
    assert list(made.columns) == list(expected.columns)
    assert dict(made.dtypes) == dict(expected.dtypes)
    # All are from the store now, and the reason of a table names its column.
    assert set(made["eb_source"].dropna()) == {"paid", "duplicate", "store"}
    same = [name for name in made.columns if name not in {"eb_source", "eb_reason", "eb_contact"}]
    pd.testing.assert_frame_equal(made[same], expected[same])
    # The numbers in a contact may be spelled in another way: 0.6 for 0.60.
    for ours, theirs in zip(made["eb_contact"].dropna(), expected["eb_contact"].dropna(), strict=True):
        assert json.loads(ours) == json.loads(theirs)
    assert made["eb_reason"].notna().tolist() == expected["eb_reason"].notna().tolist()
    assert made.attrs["exactbuyer_receipt"] == results.receipt.to_dict()


def test_rows_of_all_kinds_become_rows(enricher: BulkEnricher) -> None:
    results = results_of(enricher)
    table = results.to_arrow()
    assert table["value"].to_pylist() == TEXTS
    assert table["eb_status"].to_pylist() == [row["status"] for row in results]
    assert table["eb_source"].to_pylist() == ["paid", "duplicate", None, None, None, "paid", "paid"]
    assert [bool(text) for text in table["eb_reason"].to_pylist()] == [row == "not valid" for row in ROWS]
    assert table["eb_fetched_at"].null_count == 2
    contacts = [None if text is None else json.loads(text) for text in table["eb_contact"].to_pylist()]
    assert contacts == [row["enriched_contact"] for row in results]
    assert results.to_polars().drop("eb_fetched_at").rows() == [
        tuple(row.values()) for row in table.drop_columns(["eb_fetched_at"]).to_pylist()
    ]
    names = ["value", *(f"eb_{name}" for name in ("status", "matched_by", "source", "fetched_at", "reason"))]
    assert table.column_names == [*names, *(f"eb_{name}" for name in DEFAULT_COLUMNS)]


def test_columns_and_their_prefix_are_the_callers_choice(enricher: BulkEnricher) -> None:
    results = results_of(enricher)
    table = results.to_polars(columns={"name": "full_name", "odd": ("odd", "float64")}, prefix="")
    assert table.columns == ["value", "status", "matched_by", "source", "fetched_at", "reason", "name", "odd"]
    assert table["name"][0] == "Ana Almeida"
    assert table["odd"][6] == 1e5
    with pytest.raises(ConfigError, match="'value' already"):
        results.to_polars(columns={"value": "full_name"}, prefix="")


def test_results_of_many_blocks(enricher: BulkEnricher) -> None:
    results = enricher.enrich([f"ana.person{n}@acme.example" for n in range(20_000)], progress=False)
    table = results.to_arrow(columns=["work_email"])
    assert table["eb_work_email"].to_pylist() == table["value"].to_pylist()
    assert table["eb_source"].to_pylist() == ["paid"] * 20_000


def test_results_that_were_pickled_still_know_their_sources(enricher: BulkEnricher) -> None:
    results = results_of(enricher)
    copied = cast("Results", pickle.loads(pickle.dumps(results)))
    assert copied.to_arrow().equals(results.to_arrow())


def test_half_a_surrogate_pair_in_a_value_becomes_a_replacement_character(enricher: BulkEnricher) -> None:
    results = enricher.enrich(["ana\udcfc@acme.example", "Zoë 😀"], on_error="record", progress=False)
    for values in (
        results.to_pandas()["value"].to_list(),
        results.to_polars()["value"].to_list(),
        results.to_arrow()["value"].to_pylist(),
    ):
        assert values == ["ana\ufffd@acme.example", "Zoë 😀"]


def test_what_was_changed_or_is_a_table_is_refused(enricher: BulkEnricher) -> None:
    results = results_of(enricher)
    del results[2]
    for make in (results.to_pandas, results.to_polars, results.to_arrow, results.preview):
        with pytest.raises(ValueError, match="rows were added, removed"):
            make()
    enricher.enrich_table(pd.DataFrame({"mail": ["ana@acme.example"]}), by="mail")
    assert enricher.last_results is not None
    with pytest.raises(ValueError, match=r"use their \.table"):
        enricher.last_results.to_pandas()


def rotate(results: Results) -> None:
    results.append(results.pop(0))


def swap(results: Results) -> None:
    results[0], results[3] = results[3], results[0]


def take_out_and_put_back(results: Results) -> None:
    results.insert(1, results[4])
    del results[5]


@pytest.mark.parametrize(
    "move",
    [
        rotate,
        swap,
        take_out_and_put_back,
        Random(7).shuffle,
        lambda results: results.sort(key=lambda row: row["status"]),
        lambda results: results.reverse(),
    ],
)
def test_rows_that_were_moved_get_no_reason_of_another(
    enricher: BulkEnricher, move: Callable[[Results], object]
) -> None:
    results = results_of(enricher)
    before = results.to_arrow()
    copied = copy.deepcopy(results)
    move(results)
    with pytest.raises(ValueError, match="reordered after the call"):
        results.to_arrow()
    assert copied.to_arrow().equals(before), "what was not moved still becomes a table"


def test_the_rest_of_a_stream_becomes_a_table(enricher: BulkEnricher) -> None:
    with enricher.stream(ROWS) as stream:
        next(stream)
        next(stream)
        # The second address of a list is asked for only once the first one is a miss.
        until(lambda: stream.receipt.requests == 2)
    rest = enricher.recover()
    assert rest is not None
    assert rest.first_row == 2
    table = rest.to_arrow()
    assert table["value"].to_pylist() == TEXTS[2:]
    assert table["eb_source"].to_pylist() == [None, None, None, "paid", "paid"]
    assert [bool(text) for text in table["eb_reason"].to_pylist()] == [row == "not valid" for row in ROWS[2:]]


def test_a_library_that_is_missing_is_named(enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(
        ImportError, match="to_polars needs polars, which is not installed: pip install polars"
    ):
        results_of(enricher).to_polars()


def test_a_preview_shows_people_only_on_request(enricher: BulkEnricher) -> None:
    enricher.sandbox_server.person("eve@acme.example", {"full_name": "<b>Eve</b>"})
    results = enricher.enrich(["eve@acme.example", *ROWS], on_error="record", progress=False)
    preview = results.preview(3)
    for text in (repr(results), results._repr_html_(), repr(preview)):
        assert "Almeida" not in text
        assert "acme" not in text
    assert repr(preview) == "<Preview of 3 of 8 rows: print it, or show it in a notebook>"
    html = preview._repr_html_()
    assert "<td style='text-align:left;padding:2px 8px'>Ana Almeida</td>" in html
    assert html.startswith("<div style='overflow-x:auto'><table>")
    assert html.count("<tr>") == 4
    assert "&lt;b&gt;Eve&lt;/b&gt;" in html
    assert "<b>" not in html
    lines = str(preview).splitlines()
    assert lines[0] == "3 of 8 rows"
    assert lines[1].split()[:3] == ["value", "status", "full_name"]
    assert "Ana Almeida" in lines[3]
    assert len(lines) == 5
    assert "1 of 8 rows" in str(results.preview(1))
    # A column without a value in these rows is left out.
    assert "title" not in str(results.preview(1))


def test_a_preview_sends_nothing_to_the_terminal_but_text(enricher: BulkEnricher) -> None:
    enricher.sandbox_server.person("eve@acme.example", {"full_name": "Eve\x1b[2J\x9b1m\x07\n\u202e Élan 李"})
    text = str(enricher.enrich(["eve@acme.example"], progress=False).preview(1))
    assert "Eve [2J 1m Élan 李" in text
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_receipt_is_json(enricher: BulkEnricher) -> None:
    receipt = results_of(enricher).receipt
    plain = json.loads(json.dumps(receipt.to_dict()))
    assert plain == receipt.to_dict()
    assert set(plain) == set(Receipt.__dataclass_fields__)
    assert (plain["rows"], plain["credits"], plain["invalid"]) == (7, 3, 1)


# ---- what a call leaves ----


def left_by(enricher: BulkEnricher) -> Results | None:
    return enricher.last_results


def test_after_an_exception_the_results_are_still_there(enricher: BulkEnricher) -> None:
    assert left_by(enricher) is None
    enricher.sandbox_server.fail("reset_after_billing", request=1)
    with pytest.raises(UnknownOutcomeError, match=r"are in enricher\.last_results and in this exc") as caught:
        enricher.enrich(["ana.almeida@acme.example", None])
    assert "The store has" not in str(caught.value)
    results = left_by(enricher)
    assert results is caught.value.results
    assert results is not None
    assert [row["status"] for row in results] == ["unknown", "missing"]
    assert enricher.recover() is None


@pytest.mark.parametrize("fault", ["status_400", "status_403", "reset_after_billing"])
def test_a_store_without_answers_is_not_said_to_have_them(fault: Fault, tmp_path: Path) -> None:
    with BulkEnricher.sandbox(match_rate=1, store=tmp_path / "people.db") as enricher:
        enricher.sandbox_server.fail(fault)
        with pytest.raises(ExactBuyerError) as caught:
            enricher.enrich(["ana.almeida@acme.example"])
        assert "The store has" not in str(caught.value)


def test_with_a_store_the_message_says_what_is_not_paid_for_again(tmp_path: Path) -> None:
    with BulkEnricher.sandbox(match_rate=1, store=tmp_path / "people.db", chunk_size=1) as enricher:
        enricher.sandbox_server.fail("reset_after_billing", request=2)
        rows = [f"ana.person{n}@acme.example" for n in range(4)]
        with pytest.raises(UnknownOutcomeError, match="The store has the answers that arrived"):
            enricher.enrich(rows)
        before = enricher.sandbox_server.ledger.credits
        with pytest.warns(IncompleteWarning):
            enricher.enrich(rows)
        assert enricher.sandbox_server.ledger.credits == before
        enricher.sandbox_server.fail("reset_after_billing", times=1)
        with pytest.raises(UnknownOutcomeError) as caught:
            enricher.enrich(rows, refresh=True)
        assert "run the same call again" not in str(caught.value)


def test_what_a_call_returned_is_kept_until_the_next_or_until_it_is_deleted(enricher: BulkEnricher) -> None:
    results = enricher.enrich(["ana.almeida@acme.example"])
    assert left_by(enricher) is results
    during: list[Results | None] = []
    enricher.enrich(["bo@acme.example"], progress=lambda _: during.append(enricher.last_results))
    assert during
    assert during == [None] * len(during)
    assert left_by(enricher) is not results
    with pytest.raises(InvalidIdentifierError):
        enricher.enrich(["ana.almeida@acme.example", "?"])
    assert left_by(enricher) is None, "nobody takes the results of the call before for this one's"
    assert enricher.enrich(["bo@acme.example"]) is left_by(enricher)
    del enricher.last_results
    assert left_by(enricher) is None
    with pytest.raises(AttributeError, match="frozen"):
        enricher.last_results = results  # type: ignore[misc]
    with pytest.raises(AttributeError, match="frozen"):
        del enricher.settings


def test_after_ctrl_c_the_results_are_still_there(enricher: BulkEnricher) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(
        Interrupted, match=r"is in enricher\.last_results and in this exception's \.results"
    ) as caught:
        enricher.enrich(["ana.almeida@acme.example", None], progress=interrupt)
    results = left_by(enricher)
    assert results is not None
    assert results is caught.value.results
    assert len(results) == 2
    assert enricher.recover() == results


def test_a_table_is_left_too(enricher: BulkEnricher) -> None:
    enricher.sandbox_server.fail("status_401")
    with pytest.raises(
        Exception, match=r"enricher\.last_results\.table and in this exception's \.table"
    ) as caught:
        enricher.enrich_table(pd.DataFrame({"mail": ["ana@acme.example"]}), by="mail")
    assert enricher.last_results is not None
    assert enricher.last_results.table is cast("Any", caught.value).table
    assert enricher.last_results.table["eb_status"].tolist() == ["not_sent"]


# ---- tables of plain Python and duckdb ----


def test_a_list_of_dicts_is_a_table(enricher: BulkEnricher) -> None:
    people: list[dict[str, Any]] = [
        {"mail": "ana.almeida@acme.example", "n": 1},
        {"n": 2, "mobile": "+17734749362"},
        {"mail": "nobody@acme.example", "n": 3, "eb_status": "mine"},
    ]
    before = [dict(row) for row in people]
    with pytest.raises(ConfigError, match="'eb_status' already"):
        enricher.enrich_table(people, by="mail")
    columns = {"name": "full_name", "since": ("updated_at", "date"), "all": "phone_numbers[*].E164"}
    table = enricher.enrich_table(people, by=["mail", "mobile"], columns=columns, prefix="x_")
    assert people == before
    assert type(table) is list
    assert [list(row)[:2] for row in table] == [["mail", "n"], ["n", "mobile"], ["mail", "n"]]
    assert [row["x_status"] for row in table] == ["found", "found", "not_found"]
    assert [row["x_matched_by"] for row in table] == ["mail", "mobile", None]
    assert table[0]["x_name"] == "Ana Almeida"
    expected = enricher.enrich_table(
        pa.Table.from_pylist(people, schema=pa.schema({"mail": "string", "mobile": "string"})),
        by=["mail", "mobile"],
        columns=columns,
        prefix="x_",
    ).to_pylist()
    for name in ("x_status", "x_source", "x_name", "x_since", "x_all"):
        assert [row[name] for row in table] == [row[name] for row in expected]
    assert table[0]["x_fetched_at"].utcoffset().total_seconds() == 0
    # Run again, it replaces what it has added.
    again = enricher.enrich_table(table, by="mail", columns=["title"], prefix="x_")
    assert "x_title" in again[0]
    assert list(again[0]).count("x_status") == 1
    assert enricher.plan(people, by="mail", prefix="x_").rows == 3


def test_an_empty_list_is_an_empty_table(enricher: BulkEnricher) -> None:
    assert enricher.enrich_table([], by="mail") == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["ana@acme.example"], "pass it to enrich"),
        ([{"mail": "ana@acme.example"}, "ana@acme.example"], "its row 1 is of type str"),
        (({"mail": "ana@acme.example"},), r"pass list\(data\)"),
    ],
)
def test_other_lists_are_no_tables(enricher: BulkEnricher, rows: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        enricher.enrich_table(rows, by="mail")
    assert "ana" not in str(caught.value)


def test_a_column_that_no_dict_has_is_refused(enricher: BulkEnricher) -> None:
    with pytest.raises(ConfigError, match="did you mean 'mail'"):
        enricher.enrich_table([{"mail": "ana@acme.example"}], by="male")


def test_a_relation_of_duckdb_stays_one_of_its_connection(enricher: BulkEnricher) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("create table people as select 'ana.almeida@acme.example' as mail, 7 as n")
    relation = connection.table("people")
    enriched = enricher.enrich_table(relation, by="mail", columns=["full_name"])
    assert type(enriched) is type(relation)
    assert "Ana Almeida" in str(enriched)
    joined = connection.sql("select people.n, eb_full_name from people join enriched using (mail)")
    # A second time, too.
    for _ in range(2):
        assert joined.fetchall() == [(7, "Ana Almeida")]
    assert pl.DataFrame(enriched)["eb_status"].to_list() == ["found"]
    connection.close()
