"""Frames of pandas: their labels and their cells may be anything. And long tables of every library."""

from __future__ import annotations

import asyncio
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exactbuyer import BulkEnricher, ColumnWarning, ConfigError
from exactbuyer._frames import pandas as _pandas
from exactbuyer._frames.request import FIXED_COLUMNS
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def enricher() -> Iterator[BulkEnricher]:
    with Sandbox(match_rate=0.6, requests_per_minute=None) as sandbox:
        yield BulkEnricher(
            sandbox.api_key, base_url=sandbox.url, requests_per_minute=1_000_000, default_region="US"
        )


@pytest.mark.parametrize(
    "values",
    [
        pd.period_range("2026-01", periods=2, freq="M"),
        pd.interval_range(0, 2),
        pd.date_range("2026-01-01", periods=2),
        pd.to_timedelta([1, 2], unit="h"),
        pd.Index([True, False]),
    ],
    ids=["period", "interval", "datetime", "timedelta", "bool"],
)
@pytest.mark.parametrize("is_category", [False, True])
@pytest.mark.parametrize("has_pyarrow", [False, True])
def test_times_and_the_like_are_no_identifiers(
    enricher: BulkEnricher,
    monkeypatch: pytest.MonkeyPatch,
    values: pd.Index,
    is_category: bool,
    has_pyarrow: bool,
) -> None:
    monkeypatch.setattr(_pandas, "has_pyarrow", lambda: has_pyarrow)
    column = pd.Series(values).astype("category") if is_category else pd.Series(values)
    shown = re.escape(str(values.dtype))
    with pytest.raises(ConfigError, match=f"column 'c' is of type {shown}, which cannot be looked up"):
        enricher.enrich_table(pd.DataFrame({"c": column}), by="c")
    with pytest.raises(ConfigError, match=f"column 'c' is of type {shown}, which cannot hold regions"):
        enricher.enrich_table(pd.DataFrame({"m": ["?", "?"], "c": column}), by="m", region="c")


@pytest.mark.parametrize("fill", ["", None, "ana@acme.example"])
@pytest.mark.parametrize("has_pyarrow", [False, True])
def test_sparse_text_is_text(
    enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch, fill: str | None, has_pyarrow: bool
) -> None:
    monkeypatch.setattr(_pandas, "has_pyarrow", lambda: has_pyarrow)
    texts = pd.Series([fill, "bo@acme.example", fill, "?"], dtype=object)
    made: Any = pd.SparseDtype
    sparse = texts.astype(made(object, fill))
    dense, table = (enricher.enrich_table(pd.DataFrame({"m": each}), by="m") for each in (texts, sparse))
    assert table["eb_status"].tolist() == dense["eb_status"].tolist()
    assert table["eb_status"].iloc[3] == "invalid"
    assert "invalid" not in set(table["eb_status"].iloc[:3])


def test_an_index_and_labels_of_any_sort_stay(enricher: BulkEnricher) -> None:
    cells = ["ana@acme.example", "?", None, "b@b.example"]
    plain = pd.DataFrame({"mail": cells, 7: [1.5, None, 2.0, 3.0]}, index=[3, 3, 1, 3])
    plain.attrs["mine"] = {"a": 1}
    plain.columns.name = "field"
    levels = pd.MultiIndex.from_tuples([("x", 1), ("x", 1), ("y", 2), ("y", 3)], names=["a", "b"])
    deep = plain.set_axis(pd.MultiIndex.from_tuples([("m", "mail"), ("m", "n")]), axis=1)
    for data, by in [(plain, "mail"), (plain.set_index(levels), "mail"), (deep, ("m", "mail"))]:
        before = data.copy()
        table = enricher.enrich_table(data, by)
        width = data.shape[1]
        pd.testing.assert_frame_equal(data, before)
        pd.testing.assert_frame_equal(table.iloc[:, :width], data)
        assert table.columns.names == data.columns.names
        assert table.attrs["mine"] == {"a": 1}
        assert list(table.iloc[:, width]) == [
            row["status"] for row in enricher.enrich(cells, on_error="record")
        ]
        # Run again, with other columns, on rows in another order.
        with pytest.warns(ColumnWarning, match="are removed"):
            again = enricher.enrich_table(table.iloc[::-1], by, columns=["city"])
        pd.testing.assert_frame_equal(again.iloc[:, :width], data.iloc[::-1])
        added = [f"eb_{name}" for name in (*FIXED_COLUMNS, "city")]
        names = [label[0] if isinstance(label, tuple) else label for label in again.columns]
        assert names[width:] == added
        assert list(again.iloc[:, width]) == list(table.iloc[::-1, width])
        # Not the caller's memory under another name.
        table.iloc[0, 0] = "changed"
        pd.testing.assert_frame_equal(data, before)


def test_of_several_levels_only_ours_are_replaced(enricher: BulkEnricher) -> None:
    labels = [("mail", "", ""), ("eb_status", "mine", ""), ("eb_title", "", "mine")]
    mine = pd.DataFrame([["ana@acme.example", 1, 2]], columns=pd.MultiIndex.from_tuples(labels))
    once = enricher.enrich_table(mine, ("mail", "", ""))
    assert list(once.columns)[:3] == labels
    assert list(once.columns)[3] == ("eb_status", "", "")
    with pytest.warns(ColumnWarning, match=r"again: \('eb_full_name', '', ''\), .*pass another prefix"):
        twice = enricher.enrich_table(once, ("mail", "", ""), columns=["title"])
    assert list(twice.columns) == [*labels, *((f"eb_{name}", "", "") for name in (*FIXED_COLUMNS, "title"))]
    # Without the note that the first call left, the fixed columns together say whose they are.
    bare = once.copy()
    bare.attrs.clear()
    with pytest.warns(ColumnWarning, match="are removed"):
        again = enricher.enrich_table(bare, ("mail", "", ""), columns=["title"])
    assert list(again.columns) == list(twice.columns)
    taken = mine.rename(columns={"mine": ""})
    with pytest.raises(ConfigError, match="'eb_status' already, and not from an earlier call"):
        enricher.enrich_table(taken, ("mail", "", ""))


def test_cells_of_all_sorts_are_their_rows_own_trouble(enricher: BulkEnricher) -> None:
    junk = ["ana@acme.example", 2015550123, 2015550123.0, 1e300, 0.5, b"x", {"a": 1}, True, float("nan")]
    junk += [["?", "b@b.example"], object(), pd.NaT, "\ud800"]
    frame = pd.DataFrame({"mail": pd.Series(junk, dtype=object)})
    table = enricher.enrich_table(frame, by="mail", columns=[])
    asked = {"found", "not_found"}
    expected = [asked, asked, asked, {"invalid"}, {"invalid"}, {"invalid"}, {"invalid"}, {"invalid"}]
    expected += [{"missing"}, asked, {"invalid"}, {"missing"}, {"invalid"}]
    statuses = list(table["eb_status"])
    assert [status in one for status, one in zip(statuses, expected, strict=True)] == [True] * len(junk)
    assert all(table["eb_reason"].notna() == (table["eb_status"] == "invalid"))
    categories = enricher.enrich_table(frame.iloc[:5].astype("category"), by="mail", columns=[])
    assert list(categories["eb_status"]) == statuses[:5]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(),
    st.sampled_from([pd.NA, pd.NaT, float("nan"), object, "ana@acme.example", ("email", "b@b.example")]),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=2),
        st.builds(
            lambda kind, value: {"field_type": kind, "value": value},
            st.sampled_from(["email", "fax", 5]),
            inner,
        ),
        st.frozensets(st.integers(), max_size=2),
        st.lists(st.text(max_size=3), max_size=3).map(lambda texts: pd.Series(texts, dtype=object)),
        st.lists(st.integers(), max_size=2).map(lambda numbers: pd.Series(numbers).to_numpy()),
    ),
    max_leaves=6,
)


@pytest.mark.filterwarnings("ignore::exactbuyer.ColumnWarning")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(JUNK, max_size=12), split=st.sampled_from([None, ";"]))
def test_no_junk_in_a_cell_is_more_than_its_row_s_trouble(
    enricher: BulkEnricher, cells: list[Any], split: str | None
) -> None:
    column = pd.Series([None] * len(cells), dtype=object)
    for number, cell in enumerate(cells):
        column.iat[number] = cell
    frame = pd.DataFrame({"mail": column})
    frame.index = pd.Index([0] * len(cells))
    table = enricher.enrich_table(frame, by="mail", columns=[], split=split, progress=False)
    assert all(ours is theirs for ours, theirs in zip(table["mail"], column, strict=True))
    assert list(table.index) == [0] * len(cells)
    met = list(table["eb_status"])
    assert set(met) <= {"found", "not_found", "missing", "invalid"}
    assert list(table["eb_reason"].notna()) == [status == "invalid" for status in met]
    objects = pl.DataFrame({"mail": pl.Series(cells, dtype=pl.Object)})
    table = enricher.enrich_table(objects, by="mail", columns=[], split=split, progress=False)
    assert table["eb_status"].to_list() == met


def test_a_million_rows_come_back_in_order(enricher: BulkEnricher) -> None:
    rows, people = 1_000_000, 997
    numbers = pa.array(range(rows), pa.int32())
    mails = pa.array([f"person{number}@firm.example" for number in range(people)] + [None])
    places = pa.array([number % (people + 1) for number in range(rows)], pa.int32())
    table = pa.table({"n": numbers, "mail": mails.take(places)})
    expected = [row["status"] for row in enricher.enrich(mails, on_error="record")]
    statuses = pa.array(expected).take(places)
    made: dict[str, Any] = {}
    calls = {
        "arrow": lambda: enricher.enrich_table(table, by="mail", columns=["title"]),
        "pandas": lambda: enricher.enrich_table(
            table.to_pandas(types_mapper=pd.ArrowDtype), by="mail", columns=["title"]
        ),
        "polars": lambda: asyncio.run(
            enricher.enrich_table_async(pl.DataFrame(table), by="mail", columns=["title"])
        ),
    }
    threads = [
        threading.Thread(target=lambda kind=kind, call=call: made.update({kind: call()}))
        for kind, call in calls.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert set(made) == set(calls)
    for kind, frame in made.items():
        back = pa.Table.from_pandas(frame, preserve_index=False) if kind == "pandas" else pa.table(frame)
        assert back["n"].combine_chunks().equals(numbers), kind
        assert back["mail"].cast(pa.string()).equals(table["mail"].cast(pa.string())), kind
        assert back["eb_status"].cast(pa.string()).combine_chunks().equals(statuses), kind


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("mail", [None, None]),
        pl.Series("mail", [], dtype=pl.Null),
        pl.Series("mail", [[None], []], dtype=pl.List(pl.Null)),
    ],
)
def test_a_column_of_nothing_but_nulls_is_missing_and_stays_what_it_was(
    enricher: BulkEnricher, column: Any
) -> None:
    data = pl.DataFrame([column])
    for table in (data, data.lazy()):
        assert enricher.plan(table, by="mail").missing == len(column)
        done: Any = enricher.enrich_table(table, by="mail").lazy().collect()
        assert done["mail"].dtype == column.dtype
        assert done["mail"].to_list() == column.to_list()
        assert done["eb_status"].to_list() == ["missing"] * len(column)
    for nothing in (
        pd.DataFrame({"mail": [None, None]}, dtype=object),
        pd.DataFrame({"mail": [None, None]}).astype(pd.ArrowDtype(pa.null())),
    ):
        done = enricher.enrich_table(nothing, by="mail")
        assert done["mail"].dtype == nothing["mail"].dtype
        assert list(done["eb_status"]) == ["missing"] * 2


@pytest.mark.parametrize(
    ("invalid", "rows", "said"),
    [
        (20, 20, "all 20 rows"),
        (19, 20, "19 of 20 rows"),
        (18, 20, None),
        (8, 9, None),
        (3, 3, "all 3 rows"),
        (2, 2, None),
    ],
)
def test_a_column_that_holds_no_identifiers_is_told(
    enricher: BulkEnricher, invalid: int, rows: int, said: str | None
) -> None:
    cells = ["Ana Almeida"] * invalid + ["ana@acme.example"] * (rows - invalid) + [None] * 100
    for data in (pd.DataFrame({"name": cells}), pa.table({"name": cells}).to_reader(7)):
        with warnings.catch_warnings(record=True) as met:
            warnings.simplefilter("always")
            table: Any = enricher.enrich_table(data, by="name")
            if not isinstance(table, pd.DataFrame):
                table = table.read_all()
        assert len(table) == rows + 100
        if said is None:
            assert met == []
            continue
        (warned,) = met
        assert isinstance(warned.message, ColumnWarning)
        text = str(warned.message)
        assert (
            f"{said} that hold something are invalid: is 'name' the right column? eb_reason says why" in text
        )
        assert "Ana" not in text
        assert warned.message.receipt.invalid == invalid


@pytest.mark.parametrize("is_reader", [False, True])
def test_a_path_that_leads_nowhere_is_told(enricher: BulkEnricher, is_reader: bool) -> None:
    frame = pa.table({"mail": [f"person{number}@acme.example" for number in range(40)]})
    columns = {"name": "full_name", "wrong": "full_nam", "job": "employment/title"}

    def enriched() -> Any:
        if not is_reader:
            return enricher.enrich_table(frame, by="mail", columns=columns)
        return enricher.enrich_table(frame.to_reader(9), by="mail", columns=columns).read_all()

    with pytest.warns(ColumnWarning, match="none of the") as met:
        table = enriched()
    (warned,) = met
    text = str(warned.message)
    assert "eb_wrong (path 'full_nam'), eb_job (path 'employment/title')" in text
    assert "eb_name" not in text
    assert table["eb_wrong"].null_count == 40 > table["eb_name"].null_count


def test_a_type_that_no_value_fits_is_told(enricher: BulkEnricher) -> None:
    frame = pa.table({"mail": [f"person{number}@acme.example" for number in range(40)]})
    columns = {"name": ("full_name", "int64"), "born": ("birth_year", "int64")}
    with pytest.warns(ColumnWarning, match="fits") as met:
        table = enricher.enrich_table(frame, by="mail", columns=columns)
    (warned,) = met
    assert "fits eb_name (path 'full_name'), which is null" in str(warned.message)
    receipt = enricher.last_receipt
    assert table["eb_name"].null_count == 40
    assert receipt.misfits == receipt.found
    assert f"{receipt.found} values do not fit the type of a column" in str(receipt)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"prefix": "a\0b"}, "prefix"),
        ({"columns": {"x\0": "full_name"}}, "columns"),
        ({"split": "\ud800"}, "split"),
    ],
)
def test_a_name_that_no_column_can_have_is_told_before_anything_is_sent(
    given: dict[str, Any], named: str, enricher: BulkEnricher
) -> None:
    before = enricher.receipt.requests
    with pytest.raises(ConfigError, match=f"^{named} holds half a character or a NUL"):
        enricher.enrich_table(pd.DataFrame({"mail": ["ana@acme.example"]}), by="mail", **given)
    assert enricher.receipt.requests == before
