"""Tables of every kind: the same kind comes back, with what `enrich` says, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exactbuyer import DEFAULT_COLUMNS, BulkEnricher, By
from exactbuyer._frames.request import FIXED_COLUMNS
from exactbuyer.report.message import TABLE, said
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CELLS = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "no address", "@", "ana@acme.example", "ANA@acme.example", "+1 201 555 0123"]),
    st.integers(0, 30).map(lambda n: f"person{n}@firm.example"),
    st.integers(0, 30).map(lambda n: f"https://www.linkedin.com/in/person-{n}/"),
    st.text(max_size=6).filter(lambda text: all(ord(letter) not in range(0xD800, 0xE000) for letter in text)),
)
ROWS = st.lists(CELLS, max_size=40)
ADDED = [f"eb_{name}" for name in (*FIXED_COLUMNS, *DEFAULT_COLUMNS)]


class OnlyCapsules:
    """A table that is no more than Arrow's PyCapsule interface."""

    type = "relation"
    """As duckdb's have one: no word of it says that this is a column."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)


class OnlyCapsulesOnce:
    """A reader that is no more than that."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.to_reader(max_chunksize=3).__arrow_c_stream__(requested_schema)


class OnlyArrays:
    """A record batch that is no more than the interface for arrays."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self.batch.__arrow_c_array__(requested_schema)


def arrow(cells: list[str | None], kind: Any = None) -> pa.Table:
    """A table of pyarrow's with these cells in the middle column."""
    kind = kind or pa.string()
    # A cast makes views that crash pyarrow before 25 itself.
    mail = pa.array(cells, kind) if pa.types.is_string_view(kind) else pa.array(cells, pa.string()).cast(kind)
    return pa.table({"n": pa.array(range(len(cells)), pa.int16()), "mail": mail})


def chunked(cells: list[str | None]) -> pa.Table:
    table = arrow(cells)
    parts = [table.slice(at, 3) for at in range(0, len(cells), 3)]
    return pa.concat_tables(parts) if parts else table


def one_batch(cells: list[str | None]) -> pa.RecordBatch:
    table = arrow(cells)
    return pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in table.columns], schema=table.schema
    )


DICTIONARY = pa.dictionary(pa.int8(), pa.string())

# Each makes a table of some kind out of cells.
KINDS: dict[str, Callable[[list[str | None]], Any]] = {
    "pandas-object": lambda cells: pd.DataFrame(
        {"n": range(len(cells)), "mail": pd.Series(cells, dtype=object)}
    ),
    "pandas-string": lambda cells: pd.DataFrame(
        {"n": range(len(cells)), "mail": pd.array(cells, dtype="string")}
    ),
    "pandas-arrow": lambda cells: arrow(cells).to_pandas(types_mapper=pd.ArrowDtype),
    "pandas-category": lambda cells: pd.DataFrame(
        {"n": range(len(cells)), "mail": pd.Series(cells, dtype=object).astype("category")}
    ),
    "polars": lambda cells: pl.DataFrame(arrow(cells)),
    "polars-lazy": lambda cells: pl.DataFrame(arrow(cells)).lazy(),
    "polars-category": lambda cells: pl.DataFrame(arrow(cells)).cast({"mail": pl.Categorical}),
    "arrow": arrow,
    "arrow-chunked": chunked,
    "arrow-large": lambda cells: arrow(cells, pa.large_string()),
    "arrow-view": lambda cells: arrow(cells, pa.string_view()),
    "arrow-dictionary": lambda cells: arrow(cells, DICTIONARY),
    "arrow-batch": one_batch,
    "arrow-reader": lambda cells: arrow(cells).to_reader(max_chunksize=4),
    "capsules": lambda cells: OnlyCapsules(chunked(cells)),
    "capsules-once": lambda cells: OnlyCapsulesOnce(arrow(cells)),
    "capsules-array": lambda cells: OnlyArrays(one_batch(cells)),
}


def rows_of(table: Any) -> list[dict[str, Any]]:
    """The rows of any kind of table, read the plainest way."""
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if isinstance(table, pl.DataFrame):
        return table.to_dicts()
    if isinstance(table, pd.DataFrame):
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        return [{str(name): value for name, value in row.items()} for row in rows]
    if isinstance(table, pa.RecordBatchReader):
        table = table.read_all()
    rows_: list[dict[str, Any]] = pa.table(table).to_pylist()
    return rows_


@pytest.fixture(scope="module")
def enricher() -> Iterator[BulkEnricher]:
    with Sandbox(match_rate=0.6, requests_per_minute=None) as sandbox:
        yield BulkEnricher(
            sandbox.api_key, base_url=sandbox.url, requests_per_minute=1_000_000, default_region="US"
        )


def check(enricher: BulkEnricher, cells: list[str | None], rows: list[dict[str, Any]]) -> None:
    """Compares rows of a table with what `enrich` says of the same cells."""
    expected = enricher.enrich(cells, on_error="record", progress=False)
    # What to do about it is said in the words of a table.
    reasons = {problem.row: said(problem.reason, TABLE) for problem in expected.problems}
    assert len(rows) == len(cells)
    for number, (row, result) in enumerate(zip(rows, expected, strict=True)):
        assert list(row) == ["n", "mail", *ADDED]
        assert (row["n"], row["mail"]) == (number, cells[number])
        contact = result["enriched_contact"]
        assert row["eb_status"] == result["status"]
        assert row["eb_reason"] == reasons.get(number)
        assert row["eb_matched_by"] == ("mail" if contact else None)
        assert (row["eb_fetched_at"] is None) == (result["status"] not in {"found", "not_found"})
        assert (None if row["eb_contact"] is None else json.loads(row["eb_contact"])) == contact
        if contact is None:
            assert all(row[f"eb_{name}"] is None for name in DEFAULT_COLUMNS)
            continue
        profiles = [p["url"] for p in contact["social_profiles"] if p["network"] == "linkedin"]
        schools = contact.get("education") or [{"school": {"name": None}}]
        assert row["eb_full_name"] == contact["full_name"]
        assert row["eb_work_email"] == contact["current_work_email"]
        phones = [phone["E164"] for phone in contact["phone_numbers"]]
        assert row["eb_phones"] == (";".join(phones) or None)
        assert row["eb_personal_emails"] == (";".join(contact["personal_emails"]) or None)
        assert row["eb_linkedin_url"] == (profiles[0] if profiles else None)
        assert (row["eb_city"], row["eb_country"]) == (
            contact["location"]["city"],
            contact["location"]["country"],
        )
        assert (row["eb_company"], row["eb_title"]) == (
            contact["employment"]["name"],
            contact["employment"]["job"]["title"],
        )
        assert row["eb_school"] == schools[0]["school"]["name"]


@pytest.mark.filterwarnings("ignore::exactbuyer.ColumnWarning")
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=ROWS)
@example(cells=["0@@0"])
def test_every_kind_comes_back_with_what_enrich_says(
    enricher: BulkEnricher, kind: str, cells: list[str | None]
) -> None:
    data = KINDS[kind](cells)
    table = enricher.enrich_table(data, by="mail", progress=False)
    if not kind.startswith("capsules"):
        assert type(table) is type(data)
    check(enricher, cells, rows_of(table))
    receipt = enricher.last_receipt
    assert (receipt.rows, receipt.under_way) == (len(cells), 0)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"arrow-reader", "capsules-once"}])
def test_the_same_awaited_and_in_threads(enricher: BulkEnricher, kind: str) -> None:
    cells = [f"person{number}@firm.example" for number in range(50)] + [None]
    check(enricher, cells, rows_of(asyncio.run(enricher.enrich_table_async(KINDS[kind](cells), by="mail"))))
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(enricher.enrich_table(KINDS[kind](cells), by="mail")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    for table in found:
        statuses = [row["eb_status"] for row in rows_of(table)]
        assert statuses == [row["eb_status"] for row in rows_of(found[0])]


@pytest.mark.parametrize("kind", KINDS)
def test_run_again_it_replaces_its_columns(enricher: BulkEnricher, kind: str) -> None:
    cells = ["ana@acme.example", "person3@firm.example", None, "?"]
    once = enricher.enrich_table(KINDS[kind](cells), by="mail", columns=["title", "city"])
    if "once" in kind or "reader" in kind:
        once = pa.table(once) if kind == "capsules-once" else once.read_all()
    twice = enricher.enrich_table(once, by="mail")
    check(enricher, cells, rows_of(twice))
    other = enricher.enrich_table(twice, by="mail", prefix="eb2_", columns={"name": "full_name"})
    names = list(rows_of(other)[0])
    assert names == ["n", "mail", *ADDED, *(f"eb2_{name}" for name in (*FIXED_COLUMNS, "name"))]


# Polars has no note, and there a default column with the prefix counts as one of an earlier call.
@pytest.mark.parametrize(
    ("kind", "prefix"), [("pandas", ""), ("polars", ""), ("arrow", ""), ("pandas", "eb_"), ("arrow", "eb_")]
)
def test_run_again_it_keeps_columns_that_no_call_has_added(
    enricher: BulkEnricher, kind: str, prefix: str
) -> None:
    own = {"mail": ["ana@acme.example"], f"{prefix}company": ["Mine Ltd"], f"{prefix}country": ["DE"]}
    table = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[kind](own)
    once = enricher.enrich_table(table, by="mail", columns=["full_name"], prefix=prefix)
    twice = enricher.enrich_table(once, by="mail", columns=["full_name"], prefix=prefix)
    assert list(rows_of(twice)[0]) == list(rows_of(once)[0])
    assert {name: rows_of(twice)[0][name] for name in own} == {name: cells[0] for name, cells in own.items()}


@pytest.mark.filterwarnings("ignore::exactbuyer.ColumnWarning")
@pytest.mark.parametrize("number", ["int64", "uint64", "float64", "Int64", "int64[pyarrow]", "float32"])
def test_numbers_are_taken_where_no_digit_was_lost(enricher: BulkEnricher, number: str) -> None:
    numbers: Any = pd.Series([2015550123, 2015550124, 3])
    values = numbers.astype(number)
    statuses = list(enricher.enrich_table(pd.DataFrame({"tel": values}), by={"tel": "phone"})["eb_status"])
    if number == "float32":
        assert statuses == ["invalid"] * 3
    else:
        assert statuses[2] == "invalid"
        assert set(statuses[:2]) <= {"found", "not_found"}
    decimals = pa.array([2015550123, 3]).cast(pa.decimal128(30, 2))
    table = enricher.enrich_table(pa.table({"tel": decimals}), by={"tel": "phone"})
    assert [status in {"found", "not_found"} for status in table["eb_status"].to_pylist()] == [True, False]


def test_columns_are_tried_in_order_and_cells_in_theirs() -> None:
    with Sandbox(match_rate=0.0) as sandbox:
        for known in ("ana@acme.example", "linkedin.com/in/bob", "+12015550123"):
            sandbox.person(known, {"full_name": known})
        with BulkEnricher(sandbox.api_key, base_url=sandbox.url) as enricher:
            table = pa.table(
                {
                    "mail": [
                        "x@y.example; ana@acme.example",
                        "x@y.example",
                        None,
                        "?",
                        "x@y.example;?",
                        None,
                    ],
                    "site": [
                        ["linkedin.com/in/bob"],
                        ["linkedin.com/in/eve", "linkedin.com/in/bob"],
                        [],
                        None,
                        None,
                        None,
                    ],
                    "tel": [None, "+12015550123", "+12015550123", "1", None, None],
                }
            )
            by: By = {"mail": "email", "site": None, "tel": "phone"}
            plan = enricher.plan(table, by=by, split=";")
            done = enricher.enrich_table(table, by=by, split=";", columns={"who": "full_name"})
            assert done["eb_status"].to_pylist() == [
                "found", "found", "found", "invalid", "not_found", "missing",
            ]  # fmt: skip
            assert done["eb_matched_by"].to_pylist() == ["mail", "site", "tel", None, None, None]
            who = ["ana@acme.example", "linkedin.com/in/bob", "+12015550123", None, None, None]
            assert done["eb_who"].to_pylist() == who
            assert done["eb_source"].to_pylist()[:3] == ["paid", "paid", "paid"]
            assert (plan.rows, plan.missing, plan.invalid) == (6, 1, 1)
            assert plan.problems[0].row == 3
            assert plan.to_send[0] <= enricher.last_receipt.sent <= plan.to_send[1]
            # The number of the second row was never needed.
            assert sandbox.ledger.credits == 3
