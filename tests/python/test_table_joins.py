"""New columns that a library cannot join with its table: refused at first, and returned once paid for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import fake_cluster
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fake_cluster import FakeFrame, Partitions, WholeFrame
from test_tables import OnlyCapsules

from exactbuyer import AuthenticationError, BulkEnricher, ColumnWarning, ConfigError
from exactbuyer._frames import arrow, dicts, joining, pandas, polars, readers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

MAILS = [f"person{number}@firm.example" for number in range(4)]
TABLE = pa.table({"n": range(4), "mail": MAILS})
WIDE = {"name": "full_name", "score": ("score", pa.decimal256(50, 2))}


@pytest.fixture
def enricher(everybody: Sandbox) -> BulkEnricher:
    return BulkEnricher(everybody.api_key, base_url=everybody.url, requests_per_minute=1_000_000)


class Capsules(OnlyCapsules):
    """A table with Arrow's interface, whose class cannot be made of the result."""

    @classmethod
    def from_arrow(cls, batches: Any) -> Any:
        raise ValueError(pa.table(batches).schema.names[-1])


class TwoArguments(Capsules):
    from_arrow = classmethod(lambda cls, batches, schema: cls(batches))  # type: ignore[assignment]


class OfAnInstance(Capsules):
    def from_arrow(self, batches: Any) -> Any:  # type: ignore[override]
        return batches


class Nothing(Capsules):
    from_arrow = classmethod(lambda _, __: None)  # type: ignore[assignment]


class LikePandas:
    """What looks like a frame of pandas, and is none."""

    def __init__(self, frame: Any) -> None:
        self.columns, self.iloc = frame.columns, frame.iloc

    def __iter__(self) -> Any:
        return iter(self.columns)

    def to_pandas(self) -> Any:
        raise NotImplementedError


class Once:
    """A reader that is no more than Arrow's interface, and whose class cannot be made of the result."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.to_reader(max_chunksize=1).__arrow_c_stream__(requested_schema)

    @classmethod
    def from_arrow(cls, batches: Any) -> Any:
        raise ValueError


@pytest.mark.parametrize(
    ("make", "columns", "told"),
    [
        (
            pl.DataFrame,
            WIDE,
            "column 'score' of type decimal256.* data of type DataFrame .polars raised PanicException.: ",
        ),
        (lambda table: pl.DataFrame(table).lazy(), WIDE, "column 'score' of .* data of type LazyFrame"),
        (duckdb.from_arrow, WIDE, "column 'score' .* with data of type DuckDBPyRelation"),
    ],
)
def test_what_cannot_be_joined_is_refused_before_anything_is_sent(
    everybody: Sandbox, enricher: BulkEnricher, make: Callable[[Any], Any], columns: Any, told: str
) -> None:
    for rows in (4, 0):
        data = make(TABLE.slice(0, rows))
        with pytest.raises(ConfigError, match=f"{told}.*Nothing was sent"):
            enricher.enrich_table(data, by="mail", columns=columns)
        with pytest.raises(ConfigError, match=told):
            enricher.plan(data, by="mail", columns=columns)
    assert not everybody.ledger.requests
    assert enricher.recover() is None
    assert enricher.last_results is None


def test_what_only_looks_like_pandas_is_refused_or_read_by_arrow(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch
) -> None:
    data: Any = LikePandas(TABLE.to_pandas())
    with pytest.raises(TypeError, match=r"data is of type LikePandas, .*: pass data\.to_pandas\(\)"):
        enricher.enrich_table(data, by="mail")
    assert not everybody.ledger.requests
    stream = TABLE.__arrow_c_stream__
    monkeypatch.setattr(
        LikePandas, "__arrow_c_stream__", lambda _, schema=None: stream(schema), raising=False
    )
    monkeypatch.setattr(LikePandas, "__len__", lambda _: 4, raising=False)
    assert pa.table(enricher.enrich_table(data, by="mail"))["eb_status"].to_pylist() == ["found"] * 4


def test_a_class_is_made_once_of_the_result(enricher: BulkEnricher) -> None:
    class Counted(Capsules):
        made: ClassVar[list[int]] = []

        @classmethod
        def from_arrow(cls, batches: Any) -> Any:
            cls.made.append(len(batches))
            return cls(pa.table(batches))

    assert type(enricher.enrich_table(Counted(TABLE), by="mail")) is Counted
    assert Counted.made == [4]


@pytest.mark.parametrize("kind", [Capsules, TwoArguments, OfAnInstance, Nothing])
def test_if_a_class_cannot_be_made_of_the_result_arrow_data_is_returned(
    everybody: Sandbox, enricher: BulkEnricher, kind: Callable[[Any], Any]
) -> None:
    with pytest.warns(ColumnWarning, match="could not be joined with yours"):
        table: Any = enricher.enrich_table(kind(TABLE), by="mail")
    assert table["eb_status"].to_pylist() == ["found"] * 4
    assert everybody.ledger.credits == 4
    assert enricher.recover() is None


class PanicException(BaseException):
    """As a library in Rust raises."""


class Breaks:
    """Lets a method fail once it gets the new columns of more than one row."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: Any, error: BaseException) -> None:
        self.fails, self.error = True, error
        name = "join" if issubclass(kind, readers.TableReader) else "beside"
        joined = getattr(kind, name)

        def join(frame: Any, *given: Any) -> Any:
            if self.fails and any(len(added) > 1 for added in given[:2] if type(added).__name__ == "Batches"):
                raise self.error
            return joined(frame, *given)

        monkeypatch.setattr(kind, name, join)


KINDS: dict[str, tuple[Callable[[], Any], Any]] = {
    "pandas": (TABLE.to_pandas, pandas.PandasFrame),
    "polars": (lambda: pl.DataFrame(TABLE), polars.PolarsFrame),
    "polars-lazy": (lambda: pl.DataFrame(TABLE).lazy(), polars.PolarsFrame),
    "arrow": (lambda: TABLE, arrow.PyarrowFrame),
    "arrow-batch": (lambda: TABLE.combine_chunks().to_batches()[0], arrow.PyarrowFrame),
    "dicts": (TABLE.to_pylist, dicts.DictsFrame),
    "duckdb": (lambda: duckdb.from_arrow(TABLE), arrow.RelationFrame),
    "capsules": (lambda: OnlyCapsules(TABLE), arrow.CapsuleFrame),
}


@pytest.mark.parametrize("has_pyarrow", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_paid_for_is_returned_if_it_cannot_be_joined(
    everybody: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, has_pyarrow: bool
) -> None:
    make, frame_class = KINDS[kind]
    monkeypatch.setattr(joining, "has_pyarrow", lambda: has_pyarrow)
    breaks = Breaks(monkeypatch, frame_class, PanicException("4 rows"))
    enricher = BulkEnricher(everybody.api_key, base_url=everybody.url, store=path)
    with pytest.warns(ColumnWarning, match=r"could not be joined with yours \(PanicException\)") as met:
        table: Any = enricher.enrich_table(make(), by="mail", columns=["full_name"])
    (warned,) = met
    assert warned.filename == __file__
    assert isinstance(table, pa.Table) == has_pyarrow
    assert enricher.last_results is not None
    assert enricher.last_results.table is table
    assert isinstance(warned.message, ColumnWarning)
    assert warned.message.table is table
    in_order = kind not in {"polars-lazy", "duckdb", "capsules"}
    assert ("row n belongs to row n" in str(warned.message)) == in_order
    rows = pa.table(table).to_pylist()
    assert [row["eb_status"] for row in rows] == ["found"] * 4
    assert list(rows[0]) == [
        *([] if in_order else ["n", "mail"]),
        *(f"eb_{name}" for name in ("status", "matched_by", "source", "fetched_at", "reason", "full_name")),
    ]
    if not in_order:
        assert [row["mail"] for row in rows] == MAILS
    if kind == "pandas" and has_pyarrow:
        # As the documentation says.
        frame = make().set_axis([7, 7, 8, 9])
        joined = pd.concat([frame, table.to_pandas().set_axis(frame.index)], axis=1)
        assert list(joined["mail"]) == MAILS
    assert enricher.recover() is None
    # The store has the answers, as always.
    breaks.fails = False
    enricher.enrich_table(make(), by="mail", columns=["full_name"])
    assert [everybody.ledger.times_billed(mail) for mail in MAILS] == [1] * 4


@pytest.mark.parametrize("error", [ValueError(MAILS[0]), MemoryError(), UserWarning("old")])
def test_a_warning_as_an_error_has_the_columns(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    Breaks(monkeypatch, pandas.PandasFrame, error)
    with pytest.raises(ColumnWarning, match=type(error).__name__) as caught:
        enricher.enrich_table(TABLE.to_pandas(), by="mail")
    assert "@" not in str(caught.value)
    assert caught.value.table["eb_status"].to_pylist() == ["found"] * 4
    assert caught.value.receipt.credits == everybody.ledger.credits == 4
    assert enricher.recover() is None


@pytest.mark.parametrize("awaited", [False, True])
def test_recover_returns_them_and_warns_once(
    everybody: Sandbox, monkeypatch: pytest.MonkeyPatch, awaited: bool
) -> None:
    breaks = Breaks(monkeypatch, polars.PolarsFrame, SystemExit())
    with BulkEnricher(everybody.api_key, base_url=everybody.url) as enricher:

        def recovered() -> Any:
            return asyncio.run(enricher.recover_async()) if awaited else enricher.recover()

        with pytest.raises(SystemExit):
            enricher.enrich_table(pl.DataFrame(TABLE), by="mail", columns=[])
        breaks.error = PanicException()
        with pytest.raises(ColumnWarning, match="could not be joined") as caught:
            recovered()
        results = recovered()
        assert results.table is caught.value.table
        assert results.table["eb_status"].to_pylist() == ["found"] * 4
        assert recovered() is None
    assert everybody.ledger.credits == 4


def test_an_exception_says_what_its_table_is(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch
) -> None:
    Breaks(monkeypatch, pandas.PandasFrame, ValueError())
    everybody.fail("status_401")
    told = r"\.table \(the new columns could not be joined with yours \(ValueError\): the table is Arrow data"
    with pytest.raises(AuthenticationError, match=told) as caught:
        enricher.enrich_table(TABLE.to_pandas(), by="mail")
    assert caught.value.table["eb_status"].to_pylist() == ["not_sent"] * 4


def test_ctrl_c_in_a_join_is_no_failure_of_it(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = Breaks(monkeypatch, pandas.PandasFrame, SystemExit(3))
    with pytest.raises(SystemExit):
        enricher.enrich_table(TABLE.to_pandas(), by="mail")
    breaks.fails = False
    recovered = enricher.recover()
    assert recovered is not None
    assert isinstance(recovered.table, pd.DataFrame)
    assert everybody.ledger.credits == 4


@pytest.mark.parametrize("kind", [readers.PyarrowTableReader, readers.TableReader])
def test_the_rest_of_a_reader_is_returned_with_its_own_columns(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    Breaks(monkeypatch, kind, ValueError("type"))
    data: Any = TABLE.to_reader(2)
    if kind is readers.TableReader:
        monkeypatch.delattr(Once, "from_arrow")
        monkeypatch.setattr(
            Once, "__arrow_c_stream__", lambda _, __=None: TABLE.to_reader(2).__arrow_c_stream__()
        )
        data = Once(TABLE)
    with pytest.raises(Exception, match="type"):
        pa.table(enricher.enrich_table(data, by="mail"))
    with pytest.warns(ColumnWarning, match="with your columns and the new ones"):
        left = enricher.recover()
    assert left is not None
    rows = left.table.to_pylist()
    assert [(row["mail"], row["eb_status"]) for row in rows] == [(mail, "found") for mail in MAILS]
    assert enricher.recover() is None
    assert everybody.ledger.credits == 4


@pytest.mark.parametrize("read", [1, 3, 4])
def test_a_class_that_reads_a_result_and_then_fails(
    everybody: Sandbox, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch, read: int
) -> None:
    def from_arrow(batches: Any) -> Any:
        reader = pa.RecordBatchReader.from_stream(batches)
        rows = [batch["eb_status"][0] for batch, _ in zip(reader, range(read), strict=False)]
        if rows:
            raise ValueError("too many")
        return reader

    monkeypatch.setattr(Once, "from_arrow", from_arrow)
    with pytest.warns(ColumnWarning, match=r"Once\.from_arrow has read the result and failed \(ValueError\)"):
        result: Any = enricher.enrich_table(Once(TABLE), by="mail")
    table = pa.table(result)
    assert table["mail"].to_pylist() == MAILS
    assert table["eb_status"].to_pylist() == ["found"] * 4
    assert everybody.ledger.credits == 4
    assert enricher.recover() is None
    # Where warnings are errors, it is still returned.
    assert pa.table(enricher.enrich_table(Once(TABLE), by="mail"))["mail"].to_pylist() == MAILS


@pytest.mark.parametrize("has_folder", [False, True])
@pytest.mark.parametrize("kind", [FakeFrame, WholeFrame])
def test_a_frame_of_a_cluster(
    enricher: BulkEnricher,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[FakeFrame],
    has_folder: bool,
) -> None:
    engine = fake_cluster.install(monkeypatch, kind)
    joined = engine.joined

    def lost(frame: Any, joiner: Any, parts: Any) -> Any:
        if parts.tables or parts.names:
            raise ConnectionError("the session has ended")
        return joined(frame, joiner, parts)

    monkeypatch.setattr(engine, "joined", lost)
    data, answers = Partitions.of(TABLE, 2), tmp_path if has_folder else None
    with pytest.warns(ColumnWarning, match=r"\(ConnectionError\): the table is"):
        table: Any = enricher.enrich_table(data, by="mail", answers=answers)
    assert isinstance(table, pa.Table)
    if has_folder:
        names = table["file"].to_pylist()
        assert names
        assert all(name.startswith(str(tmp_path)) for name in names)
    else:
        assert table["eb_status"].to_pylist() == ["found"] * 4


MAKE: dict[str, Callable[[Any], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "polars": pl.DataFrame,
    "arrow": lambda table: table,
    "reader": lambda table: table.to_reader(),
}


@pytest.mark.parametrize("kind", MAKE)
def test_columns_that_would_be_lost_are_named_before_anything_is_sent(
    everybody: Sandbox, enricher: BulkEnricher, kind: str
) -> None:
    columns = ["full_name", "work_email", "title"]
    once = pa.table(enricher.enrich_table(TABLE, by="mail", columns=columns))
    requests = len(everybody.ledger.requests)
    told = "not add them again: 'eb_work_email', 'eb_title'. To keep them, pass another prefix"
    with pytest.raises(ColumnWarning, match=told):
        enricher.enrich_table(MAKE[kind](once), by="mail", columns=["full_name"])
    assert len(everybody.ledger.requests) == requests
    # The same columns, or more, or under another prefix.
    for more in (columns, [*columns, "city"]):
        enricher.enrich_table(MAKE[kind](once), by="mail", columns=more)
    enricher.enrich_table(MAKE[kind](once), by="mail", columns=["full_name"], prefix="eb2_")
