"""What can go wrong with a table: before anything is sent, on the way, and half-way through a reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from exactbuyer import AuthenticationError, BulkEnricher, ConfigError, IncompleteWarning
from exactbuyer._frames import pandas as _pandas
from exactbuyer.exceptions import Interrupted
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAILS = [f"person{number}@firm.example" for number in range(40)]


def frame(**more: Any) -> Any:
    return pd.DataFrame({"mail": MAILS, **more})


@pytest.fixture
def enricher(everybody: Sandbox) -> BulkEnricher:
    return BulkEnricher(everybody.api_key, base_url=everybody.url, requests_per_minute=1_000_000)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"by": "post"}, "by names a column that the table lacks. Its columns: 'mail', 'x_title'"),
        ({"by": " Mail"}, "by names a column that the table lacks: did you mean 'mail'\\? Its columns"),
        ({"by": []}, "by names no column"),
        ({"by": ["mail", "mail"]}, "by names a column twice"),
        ({"by": {"mail": "fax"}}, "by gives a column a field type that does not exist: use 'email', "),
        ({"by": {"mail": None, "tel": "fax"}}, "by gives a column .number 2 of 2. a field type"),
        ({"by": "mail", "columns": "title"}, "columns must be a mapping"),
        ({"by": "mail", "columns": ["titel"]}, "a string.*, which is not in DEFAULT_COLUMNS"),
        ({"by": "mail", "columns": {"x": "a..b"}}, "is not a path into a contact"),
        ({"by": "mail", "columns": {"x": ("a", "int65")}}, "'int65'|\"int65\" is not a column type"),
        ({"by": "mail", "columns": {"x": ("a", pa.struct([]))}}, "cannot be made of JSON"),
        ({"by": "mail", "columns": {"x": ("a", 5)}}, "column 'x' needs a path"),
        ({"by": "mail", "columns": {"status": "a"}}, "one of the columns that are always there"),
        ({"by": "mail", "prefix": 5}, "prefix must be a string"),
        ({"by": "mail", "split": ""}, "split must be what separates"),
        ({"by": "mail", "split": [5]}, "split must be what separates"),
        ({"by": {"mail", "x_title"}}, "by is a set, whose order varies: pass a list"),
        ({"by": ("mail", "x_title")}, "several columns go in a list"),
        ({"by": ["mail", "post"]}, "table lacks \\(number 2 of 2\\). Its columns"),
        ({"by": [["mail"]]}, "by must be a column's name, or a list of names"),
        ({"by": "mail", "prefix": "x_"}, "has a column 'x_title' already.*prefix"),
        ({"by": "when"}, "cannot be (looked up|read by Arrow)"),
        ({"by": "yes"}, "cannot be looked up"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_sent(
    everybody: Sandbox, enricher: BulkEnricher, how: dict[str, Any], told: str
) -> None:
    data = frame(x_title="mine", when=pd.Timestamp(2026, 1, 1), yes=True)
    for each in (data, pa.Table.from_pandas(data), pl.from_pandas(data)):
        with pytest.raises(ConfigError, match=told):
            enricher.enrich_table(each, **how)
        with pytest.raises(ConfigError, match=told):
            enricher.plan(each, **how)  # pyright: ignore[reportArgumentType]
    assert not everybody.ledger.requests
    assert enricher.recover() is None


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        (["a@b.example"], "pass it to enrich"),
        ("mails.csv", "read it first, as with pandas.read_csv, or use `exactbuyer enrich`"),
        (None, "read it first"),
        (pd.Series(MAILS), "pass it to enrich"),
        (pa.array(MAILS), ""),
        (5, "make it one"),
        ({"a": [1]}, "make it one"),
    ],
)
def test_what_is_no_table_is_told(enricher: BulkEnricher, data: Any, fix: str) -> None:
    with pytest.raises(TypeError, match=rf"^data is of type .*{fix}"):
        enricher.enrich_table(data, by="mail")


@pytest.mark.parametrize(
    ("by", "fix"),
    [
        (frame()["mail"], "by='mail'$"),
        (pl.Series("mail", MAILS), "by='mail'$"),
        (pl.Series(MAILS[0], MAILS), "by='mail'$"),
        (frame()["mail"].to_numpy(), "the column itself: by='mail'$"),
        (pa.array(MAILS), "the column itself"),
        (pl.col("mail"), "the column itself"),
        (MAILS, r"lacks \(number 1 of 40\)"),
        (MAILS[0], "table lacks. Its columns: 'mail'$"),
    ],
)
def test_a_column_in_the_place_of_its_name_shows_nobody(enricher: BulkEnricher, by: Any, fix: str) -> None:
    for data in (frame(), pl.from_pandas(frame())):
        with pytest.raises(ConfigError, match=fix) as caught:
            enricher.enrich_table(data, by=by)
        assert "person" not in str(caught.value)


def test_a_frame_read_without_its_header_shows_nobody(enricher: BulkEnricher) -> None:
    headless = frame().rename(columns={"mail": MAILS[0]})
    with pytest.raises(ConfigError, match="was it read without its header") as caught:
        enricher.enrich_table(headless, by="mail")
    assert "@" not in str(caught.value)
    for typed in (headless.assign(**{MAILS[0]: True}), pa.table({MAILS[0]: [True]})):
        with pytest.raises(ConfigError, match="cannot be looked up") as caught:
            enricher.enrich_table(typed, by=MAILS[0])
        assert "@" not in str(caught.value)


def test_an_index_of_names_is_a_list_of_them(enricher: BulkEnricher) -> None:
    assert len(enricher.enrich_table(frame(), by=frame().columns)) == 40


def test_an_index_is_no_column(enricher: BulkEnricher) -> None:
    with pytest.raises(ConfigError, match=r"it is the index: pass frame\.reset_index\(\)"):
        enricher.enrich_table(frame(n=1).set_index("mail"), by="mail")


class Broken:
    """Says that it is a table, and is none."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        raise RuntimeError(MAILS[0])


def test_what_cannot_be_read_by_arrows_interface_is_told(enricher: BulkEnricher) -> None:
    wide = pl.DataFrame({"mail": [17735550142]}).with_columns(pl.col("mail").cast(pl.Int128))
    for ask in (enricher.enrich_table, enricher.plan):
        with pytest.raises(ConfigError, match="column 'mail' is of type Int128, which cannot be read"):
            ask(wide, by="mail")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="data is of type Broken, and what it hands on") as caught:
        enricher.enrich_table(Broken(), by="mail")
    assert "@" not in str(caught.value)


def test_a_plan_says_how_a_cell_of_several_is_parted(enricher: BulkEnricher) -> None:
    several = pd.DataFrame({"mail": ["a@b.example; c@d.example"]})
    assert "as in split=';'" in enricher.plan(several, by="mail").problems[0].reason
    assert "give them as a list" in enricher.plan(list(several["mail"])).problems[0].reason


def test_two_columns_of_one_name(enricher: BulkEnricher) -> None:
    twice = pd.DataFrame([["a", "b"]], columns=["mail", "mail"])
    with pytest.raises(ConfigError, match="2 columns 'mail': rename all but one"):
        enricher.enrich_table(twice, by="mail")


@pytest.mark.parametrize("note", [5, {"eb_": None}, {"eb_": ["eb_x", 7, None]}, {7: []}, "text"])
def test_a_note_that_says_nothing_is_none(enricher: BulkEnricher, note: Any) -> None:
    data = frame()
    data.attrs["exactbuyer_columns"] = note
    arrow = pa.table({"mail": MAILS}).replace_schema_metadata({"exactbuyer_columns": json.dumps(note)})
    for table in (data, arrow):
        again = enricher.enrich_table(table, by="mail", columns=[])
        assert len(again.columns) == 6


class ArrowColumn:
    """A column, as a library hands it on that has no word of ours for what it is."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return pa.chunked_array([MAILS]).__arrow_c_stream__(requested_schema)


class ArrowArray:
    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return pa.array(MAILS).__arrow_c_array__(requested_schema)


@pytest.mark.parametrize("data", [ArrowColumn(), ArrowArray()])
def test_arrow_data_that_is_no_table_is_told(enricher: BulkEnricher, data: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^data is of type Arrow\w+, and hands on Arrow data that is no table"
    ):
        enricher.enrich_table(data, by="mail")


def test_columns_of_an_earlier_call_are_not_looked_up_and_replaced_at_once(enricher: BulkEnricher) -> None:
    once = enricher.enrich_table(frame(), by="mail")
    with pytest.raises(ConfigError, match="by names 'eb_work_email', a column of an earlier call"):
        enricher.enrich_table(once, by="eb_work_email")
    twice = enricher.enrich_table(once, by="eb_work_email", prefix="again_")
    assert list(twice["again_status"] == "missing") == list(once["eb_work_email"].isna())
    # Without metadata, all the fixed columns together say whose they are.
    plain = pl.DataFrame({"mail": MAILS, "eb_status": "mine"})
    with pytest.raises(ConfigError, match="'eb_status' already"):
        enricher.enrich_table(plain, by="mail")


def test_a_wrong_key_raises_with_the_table(everybody: Sandbox) -> None:
    everybody.fail("status_401")
    with BulkEnricher("wrong", base_url=everybody.url) as enricher:
        with pytest.raises(AuthenticationError, match=r"exception's \.table") as caught:
            enricher.enrich_table(frame(), by="mail")
        table = caught.value.table
        assert list(table["mail"]) == MAILS
        assert set(table["eb_status"]) == {"not_sent"}
        assert table["eb_reason"].notna().all()
        assert enricher.recover() is None


def test_rows_that_stay_open_are_told_once(everybody: Sandbox) -> None:
    with BulkEnricher(everybody.api_key, base_url=everybody.url, max_credits=10) as enricher:
        with pytest.warns(IncompleteWarning, match="30 of 40 rows open") as warned:
            table = enricher.enrich_table(pa.table({"mail": MAILS}), by="mail")
        assert len(warned) == 1
        assert warned[0].filename == __file__
        assert table["eb_status"].to_pylist().count("found") == 10
        receipt = json.loads(table.schema.metadata[b"exactbuyer_receipt"])
        assert (receipt["found"], receipt["not_sent"], receipt["credits"]) == (10, 30, 10)


def test_the_receipt_survives_parquet(enricher: BulkEnricher, tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    table = enricher.enrich_table(frame(), by="mail")
    assert table.attrs["exactbuyer_receipt"]["found"] == 40
    table.to_parquet(path)
    again = pd.read_parquet(path)
    assert again.attrs == table.attrs
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    enricher.enrich_table(pa.table({"mail": MAILS}), by="mail")
    arrow = enricher.enrich_table(pa.Table.from_pandas(frame()), by="mail")
    pyarrow.parquet.write_table(arrow, path)
    told = pyarrow.parquet.read_table(path).schema.metadata
    assert json.loads(told[b"exactbuyer_receipt"])["found"] == 40
    assert b"pandas" in told
    # What is read back is known for what it is.
    assert list(enricher.enrich_table(again, by="mail").columns) == list(again.columns)


def test_values_of_another_type_are_counted() -> None:
    with Sandbox() as sandbox, BulkEnricher(sandbox.api_key, base_url=sandbox.url) as enricher:
        sandbox.person(
            "a@b.example", {"n": "many", "at": "2026-02-03", "list": [1, None, "x", {"y": 2}], "\u00e9": 2}
        )
        columns = {
            "n": ("n", "int64"),
            "at": ("at", pa.date32()),
            "list": ("list[*]", "int8"),
            "y": "list[3].y",
            "text": "list",
            "big": ("\u00e9", "float64"),
            "kind": ("n", pa.dictionary(pa.int32(), pa.string())),
        }
        table = enricher.enrich_table(pa.table({"m": ["a@b.example"]}), by="m", columns=columns)
        row = {name: value for name, value in table.to_pylist()[0].items() if name[3:] in columns}
        assert json.dumps(row.pop("eb_at"), default=str) == '"2026-02-03"'
        assert row == {
            "eb_n": None, "eb_list": [1, None, None, None], "eb_y": "2",
            "eb_text": '[1, null, "x", {"y": 2}]', "eb_big": 2.0, "eb_kind": "many",
        }  # fmt: skip
        assert enricher.last_receipt.misfits == 3


def test_a_frame_without_pyarrow(enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {
        "full_name": "full_name", "phones": "phone_numbers[*].E164", "is": ("is_verified", "bool"),
        "n": ("id", "int64"), "p": ("likelihood", "float32"), "day": ("updated_at", "date"),
    }  # fmt: skip
    with_arrow = enricher.enrich_table(frame(), by="mail", columns=columns)
    monkeypatch.setattr(_pandas, "has_pyarrow", lambda: False)
    for dtype in ("object", "string", "category"):
        without = enricher.enrich_table(frame().astype({"mail": dtype}), by="mail", columns=columns)
        kinds = {str(without[f"eb_{name}"].dtype) for name in ("is", "n", "p")}
        assert kinds == {"boolean", "Int64", "float32"}
        assert str(without["eb_fetched_at"].dtype).startswith("datetime64[")
        for name in ("eb_status", "eb_full_name", "eb_is", "eb_n", "eb_day"):
            assert [str(each) for each in without[name]] == [str(each) for each in with_arrow[name]]
        assert [list(each) for each in without["eb_phones"]] == [
            list(each) for each in with_arrow["eb_phones"]
        ]
    # Rounded, it would be somebody else's number.
    rounded = pd.Series([2_015_550_123]).astype("float32")
    with BulkEnricher.sandbox(default_region="US") as american:
        for column in (rounded, rounded.astype("category")):
            assert list(american.enrich_table(column.to_frame("tel"), "tel")["eb_status"]) == ["invalid"]


class Source:
    """Batches of pyarrow's that count how many of them were read, and can end badly."""

    def __init__(self, batches: int, *, trouble: BaseException | None = None) -> None:
        self.read = 0
        self.batches = batches
        self.trouble = trouble

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(pa.schema({"mail": pa.string()}), self._parts())

    def _parts(self) -> Iterator[Any]:
        for number in range(self.batches):
            self.read += 1
            mails = [f"person{number}-{place}@firm.example" for place in range(50)]
            yield pa.record_batch({"mail": mails})
        if self.trouble is not None:
            raise self.trouble


def few_at_once(sandbox: Sandbox, **more: Any) -> BulkEnricher:
    """An enricher whose window is 200 rows."""
    how: dict[str, Any] = {"requests_per_minute": 1_000_000, "chunk_size": 50, "max_concurrency": 2}
    return BulkEnricher(sandbox.api_key, base_url=sandbox.url, **how | more)


def test_a_reader_is_read_only_as_needed(everybody: Sandbox) -> None:
    enricher, source = few_at_once(everybody), Source(100)
    reader = enricher.enrich_table(source.reader(), by="mail", columns=["full_name"])
    assert source.read == 0
    first = reader.read_next_batch()
    assert first["mail"][0].as_py() == "person0-0@firm.example"
    assert source.read <= 6
    rest = reader.read_all()
    assert (first.num_rows + rest.num_rows, source.read) == (5_000, 100)
    mails = [*first["mail"].to_pylist(), *rest["mail"].to_pylist()]
    assert mails == [f"person{n}-{place}@firm.example" for n in range(100) for place in range(50)]
    assert set(rest["eb_status"].to_pylist()) == {"found"}
    assert everybody.ledger.credits == 5_000
    assert enricher.last_receipt.rows == 5_000


def test_a_reader_left_behind_can_be_recovered(everybody: Sandbox) -> None:
    enricher, source = few_at_once(everybody), Source(100)
    reader = enricher.enrich_table(source.reader(), by="mail", columns=["full_name"])
    taken = reader.read_next_batch().num_rows
    del reader
    left = enricher.recover()
    assert left is not None
    assert (left.first_row, len(left)) == (taken, 0)
    statuses = left.table["eb_status"].to_pylist()
    assert taken + statuses.count("found") == everybody.ledger.credits
    assert left.table["mail"][0].as_py() == "person0-0@firm.example".replace(
        "0-0", f"{taken // 50}-{taken % 50}"
    )
    assert enricher.recover() is None


def test_what_a_reader_raises_comes_after_what_it_gave(everybody: Sandbox) -> None:
    enricher = few_at_once(everybody)
    reader = enricher.enrich_table(Source(3, trouble=KeyError("source")).reader(), by="mail", columns=[])
    rows: list[int] = []
    with pytest.raises(KeyError, match="source"):
        rows.extend(batch.num_rows for batch in reader)
    assert sum(rows) == 150


def test_a_wrong_key_raises_out_of_a_reader(everybody: Sandbox) -> None:
    everybody.fail("status_401")
    enricher = few_at_once(everybody)
    reader = enricher.enrich_table(Source(3).reader(), by="mail", columns=[])
    with pytest.raises(AuthenticationError) as caught:
        reader.read_all()
    assert set(caught.value.table["eb_status"].to_pylist()) == {"not_sent"}


def test_a_reader_cannot_be_planned_or_awaited(enricher: BulkEnricher) -> None:
    with pytest.raises(ConfigError, match="data can be read only once"):
        enricher.plan(Source(1).reader(), by="mail")


def test_ctrl_c_leaves_a_table(everybody: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from exactbuyer._calls.table_calls import TableCall
    from exactbuyer._frames import table_input

    enricher = few_at_once(everybody)
    monkeypatch.setattr(table_input, "BLOCK_ROWS", 10)
    original, calls = TableCall.feed, []

    def pressed(self: Any, rows: Any) -> None:
        calls.append(rows)
        if len(calls) == 3:
            raise KeyboardInterrupt
        original(self, rows)

    monkeypatch.setattr(TableCall, "feed", pressed)
    with pytest.raises(Interrupted, match=r"exception's \.table") as caught:
        enricher.enrich_table(frame(), by="mail", columns=[])
    table, receipt = caught.value.table, caught.value.receipt
    assert list(table["mail"]) == MAILS
    assert list(table["eb_status"])[20:] == ["not_sent"] * 20
    assert (receipt.rows, receipt.under_way) == (40, 0)
    assert list(table["eb_status"]).count("found") == receipt.found == everybody.ledger.credits
    recovered = enricher.recover()
    assert recovered is not None
    pd.testing.assert_frame_equal(recovered.table, table)
    assert "a table of 40 rows" in repr(recovered)
    assert enricher.recover() is None
