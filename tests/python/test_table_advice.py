"""What is no table, but can be made one: the message says how, and that works."""

from __future__ import annotations

import csv
import io
import warnings
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from exactbuyer import BulkEnricher, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAIL = "ana.almeida@acme.example"


def dataset() -> Any:
    return pa.dataset.dataset(pa.table({"mail": [MAIL]}))


@pytest.fixture
def enricher() -> Iterator[BulkEnricher]:
    with BulkEnricher.sandbox(match_rate=1) as enricher:
        yield enricher


@pytest.mark.parametrize(
    ("make", "message", "fix"),
    [
        (lambda: (row for row in [{"mail": MAIL}]), r"pass list\(data\)", list),
        (lambda: ({"mail": MAIL},), r"pass list\(data\)", list),
        (lambda: csv.DictReader(["mail", MAIL]), r"pass list\(data\)", list),
        (dataset, r"pass data\.scanner\(\)\.to_reader\(\)", lambda data: data.scanner().to_reader()),
        (lambda: dataset().scanner(), r"pass data\.to_reader\(\)", lambda data: data.to_reader()),
    ],
    ids=["generator", "tuple", "csv", "dataset", "scanner"],
)
def test_the_advice_works(
    enricher: BulkEnricher, make: Callable[[], Any], message: str, fix: Callable[[Any], Any]
) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        enricher.enrich_table(make(), by="mail")
    assert "ana" not in str(caught.value)
    made = enricher.enrich_table(fix(make()), by="mail")
    rows = made if isinstance(made, list) else made.read_all().to_pylist()
    assert [row["eb_full_name"] for row in rows] == ["Ana Almeida"]


def test_a_relation_and_not_a_connection_is_a_table(enricher: BulkEnricher) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create table people as select '{MAIL}' mail")
        with pytest.raises(TypeError, match=r"pass a relation, such as con\.sql\("):
            enricher.enrich_table(connection, by="mail")
        people = connection.sql("select * from people")
        assert len(enricher.enrich_table(people, by="mail").fetchall()) == 1


def test_by_is_no_none(enricher: BulkEnricher) -> None:
    with pytest.raises(ConfigError, match="by is None: pass the name of the column"):
        enricher.enrich_table([{"mail": MAIL}], by=None)  # type: ignore[call-overload]


@pytest.mark.parametrize("data", [io.StringIO("mail"), "people.csv"], ids=["file", "path"])
def test_a_file_is_read_first(enricher: BulkEnricher, data: Any) -> None:
    with pytest.raises(TypeError, match=r"read it first, as with pandas\.read_csv"):
        enricher.enrich_table(data, by="mail")


def test_a_join_on_trial_changes_no_filters_of_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    # They belong to the process: other threads may change them at the same time.
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("the filters were changed")

    for name in ("simplefilter", "filterwarnings", "catch_warnings"):
        monkeypatch.setattr(warnings, name, refuse)
    with pytest.raises(ConfigError, match="cannot be joined"):
        BulkEnricher().plan(
            pl.DataFrame({"mail": ["ana@acme.example"]}),
            by="mail",
            columns={"n": ("n", pa.decimal256(50, 2))},
        )
