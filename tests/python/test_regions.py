"""Rows that say where their phone numbers are from: by a column, or by a third part of a row."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runs import against
from hypothesis import given
from hypothesis import strategies as st

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.exceptions import ConfigError, InvalidIdentifierError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exactbuyer import Result
    from exactbuyer.sandbox import Sandbox

CALL = "050 2345678"
PEOPLE: list[tuple[str | None, str | None, str | None]] = [
    (CALL, "DE", "+49502345678"),
    (CALL, " austria ", "+43502345678"),
    (CALL, "NLD", "+31502345678"),
    (CALL, "de_DE", "+49502345678"),
    ("201 555 0123", None, "+12015550123"),
    ("201 555 0123", "", "+12015550123"),
    ("201 555 0123", "Mars", None),
    ("+44 20 7946 0018", "Mars", "+442079460018"),
    ("+44 20 7946 0018", "US", "+442079460018"),
    ("ana@acme.example", "Mars", "ana@acme.example"),
    (None, "Mars", None),
]
SENT = {sent for _, _, sent in PEOPLE if sent is not None}
REASON = "whose region is not a country"

FRAME = pa.table({"phone": [phone for phone, _, _ in PEOPLE], "country": [land for _, land, _ in PEOPLE]})
DICTIONARY = pa.dictionary(pa.int8(), pa.string())

KINDS: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": lambda table: table.to_pandas(),
    "pandas-object": lambda table: table.to_pandas().astype(object),
    "pandas-category": lambda table: table.to_pandas().astype("category"),
    "polars": pl.DataFrame,
    "polars-category": lambda table: pl.DataFrame(table).cast(pl.Categorical),
    "polars-lazy": lambda table: pl.DataFrame(table).lazy(),
    "arrow": lambda table: table,
    "arrow-chunked": lambda table: pa.concat_tables([table.slice(at, 3) for at in range(0, len(table), 3)]),
    "arrow-dictionary": lambda table: table.cast(
        pa.schema([(name, DICTIONARY) for name in table.column_names])
    ),
    "arrow-view": lambda table: table.cast(
        pa.schema([(name, pa.string_view()) for name in table.column_names])
    ),
    "arrow-reader": lambda table: table.to_reader(max_chunksize=4),
}


def columns(table: Any) -> dict[str, list[Any]]:
    if isinstance(table, pl.LazyFrame):
        table = table.collect()
    if isinstance(table, pa.RecordBatchReader):
        table = table.read_all()
    plain = pa.table(table) if not isinstance(table, pd.DataFrame) else pa.Table.from_pandas(table)
    return {name: plain.column(name).to_pylist() for name in plain.column_names}


def sent(sandbox: Sandbox) -> set[str]:
    """What the sandbox was asked for."""
    return {entry.value for entry in sandbox.ledger.entries}


def made(sandbox: Sandbox, **settings: Any) -> BulkEnricher:
    return BulkEnricher("a-key", base_url=sandbox.url, default_region="US", **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("awaited", [False, True])
def test_a_column_says_where_the_phone_numbers_are_from(
    everybody: Sandbox, kind: str, *, awaited: bool
) -> None:
    data = KINDS[kind](FRAME)
    if awaited and kind == "arrow-reader":
        pytest.skip("a reader is not awaited")
    enricher = made(everybody)
    if awaited:
        table = asyncio.run(enricher.enrich_table_async(data, by="phone", region="country", columns=[]))
    else:
        table = enricher.enrich_table(data, by="phone", region="country", columns=[])
    told = columns(table)
    assert sent(everybody) == SENT
    assert told["eb_status"] == [
        "missing" if phone is None else "invalid" if value is None else "found" for phone, _, value in PEOPLE
    ]
    assert [REASON in (reason or "") for reason in told["eb_reason"]].index(True) == 6
    if kind != "arrow-reader":
        receipt = enricher.last_receipt
        plan = enricher.plan(KINDS[kind](FRAME), by="phone", region="country")
        assert (plan.rows, plan.invalid, plan.missing) == (receipt.rows, receipt.invalid, receipt.missing)
        assert plan.to_send == (receipt.sent, receipt.sent) == (len(SENT), len(SENT))


def test_without_the_column_the_default_region_counts(everybody: Sandbox) -> None:
    plan = made(everybody).plan(FRAME, by="phone")
    # 050 2345678 is no number of the default region.
    assert (plan.to_send, plan.invalid) == ((3, 3), 4)


@pytest.mark.parametrize("form", ["mapping", "proxy", "tuple", "list"])
def test_a_row_says_where_its_phone_number_is_from(
    everybody: Sandbox, run_call: Callable[..., list[Result]], form: str
) -> None:
    def row(phone: str | None, region: Any) -> Any:
        kind = "email" if phone and "@" in phone else "phone"
        mapping = {"field_type": kind, "value": phone, "region": region}
        forms = {"mapping": mapping, "proxy": MappingProxyType(mapping), "tuple": (kind, phone, region)}
        return forms.get(form, [(kind, phone, region)])

    rows = [row(phone, region) for phone, region, _ in PEOPLE]
    rows += [row("201 555 0123", nothing) for nothing in (float("nan"), pd.NA, pa.scalar(None, pa.string()))]
    how = {} if run_call.__name__.startswith("_stream") else {"on_error": "record"}
    results = run_call(made(everybody), rows, **how)
    assert sent(everybody) == SENT
    assert [result["status"] for result in results].count("invalid") == 1
    assert results[6]["status"] == "invalid"
    assert (results[0]["value"] or [None])[0] in {CALL, "0"}
    plan = made(everybody).plan(rows)
    assert (plan.to_send, plan.invalid) == ((len(SENT), len(SENT)), 1)
    assert REASON in plan.problems[0].reason


@pytest.mark.parametrize("region", [49, True, [], "49", "+", "\ud800", b"DE"])
def test_a_region_of_any_other_kind_is_not_guessed(region: Any) -> None:
    plan = made_nowhere().plan([("phone", "201 555 0123", region), ("phone", "+12015550123", region)])
    assert plan.invalid == 1 or region == "+"
    assert plan.to_send == (1, 1) or region == "+"


def made_nowhere() -> BulkEnricher:
    return BulkEnricher(default_region="US", store=None)


def test_rows_of_three_that_are_not_such_are_refused() -> None:
    with pytest.raises(ValueError, match=r"with a region it is \(field_type, value, region\)"):
        made_nowhere().plan([("ana@acme.example", "+12015550123", "DE")])
    with pytest.raises(TypeError, match="wrap it in a list"):
        made_nowhere().plan(("phone", CALL, "DE"))
    with pytest.raises(InvalidIdentifierError, match=REASON):
        made_nowhere().enrich([("phone", CALL, "Mars")])


@given(
    drawn=st.lists(
        st.tuples(
            st.sampled_from([CALL, "(020) 7946 0018", "2015550123", "ana@acme.example"]),
            st.sampled_from(["DE", "Austria", "gb", "US", "NL", "Mars", "", None]),
        ),
        max_size=30,
    ),
    encode=st.booleans(),
)
def test_two_rows_that_share_a_text_but_not_a_region_are_never_one_lookup(
    drawn: list[tuple[str, str | None]], *, encode: bool
) -> None:
    """A table asks for no less than its rows do one by one, and for no more."""
    texts, regions = [text for text, _ in drawn], [region for _, region in drawn]
    kind = DICTIONARY if encode else pa.string()
    table = pa.table({"phone": pa.array(texts, kind), "land": pa.array(regions, kind)})
    enricher = made_nowhere()
    whole = enricher.plan(table, by={"phone": "phone"}, region="land")
    distinct = {
        (text, region or "US")
        for text, region in drawn
        if enricher.plan([("phone", text, region)]).to_send == (1, 1)
    }
    assert whole.to_send[1] == len(distinct)
    assert whole.to_send == enricher.plan([("phone", *row) for row in drawn]).to_send


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("contry", "region names a column that the table lacks: did you mean 'country'?"),
        ("DE", "If all rows have the same region, set default_region"),
        (["country"], "region must be the name of one column"),
        (FRAME.column("country"), "region must be the name of one column"),
        ("number", "is of type Int64, which cannot hold regions"),
        ("twice", "the table has 2 columns 'twice': rename all but one"),
        ("eb_country", "region names 'eb_country', a column of an earlier call that this one would replace"),
        ("\ud800", "region holds half a character"),
    ],
)
def test_a_region_that_is_no_column_of_countries_is_refused(region: Any, message: str) -> None:
    table = FRAME.append_column("number", pa.array([49] * len(FRAME)))
    table = table.append_column("twice", FRAME["phone"]).append_column("twice", FRAME["phone"])
    if region == "eb_country":
        table = BulkEnricher.sandbox().enrich_table(table, by="phone")
    with pytest.raises(ConfigError) as raised:
        made_nowhere().plan(table, by="phone", region=region)
    assert message.lower() in str(raised.value).lower()
    if region == "number":
        with pytest.raises(ConfigError, match="which cannot hold regions"):
            made_nowhere().plan(FRAME.to_pandas().assign(number=True), by="phone", region="number")


@pytest.mark.parametrize(
    "argument", [{"region": "country"}, {"split": ";"}, {"columns": ["first_name"]}, {"prefix": "x_"}]
)
def test_what_is_only_for_tables_needs_a_table(argument: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(argument))} is only for tables: pass by, too"):
        made_nowhere().plan([CALL], **argument)


def test_the_column_of_regions_is_matched_as_it_looks_and_does_not_decide_the_dtype(
    everybody: Sandbox,
) -> None:
    frame = pd.DataFrame(
        {"phone": pd.array([CALL], dtype="string"), "Land\n ": pd.Series(["DE"], dtype=object)}
    )
    table = made(everybody).enrich_table(frame, by="phone", region="Land", columns=[])
    assert sent(everybody) == {"+49502345678"}
    assert list(table["eb_status"]) == ["found"]


def test_a_column_of_regions_without_a_value_is_empty(everybody: Sandbox) -> None:
    frame = pd.DataFrame({"phone": ["201 555 0123"] * 3, "land": [None, float("nan"), float("nan")]})
    assert frame["land"].dtype == "float64"
    for kind in (frame, pl.DataFrame({"phone": frame["phone"].to_list(), "land": [None] * 3})):
        assert made(everybody).plan(kind, by="phone", region="land").to_send == (1, 1)
    assert made(everybody).plan(frame.assign(land=[1.0, None, None]), by="phone", region="land").invalid == 1


def write(path: Path, kind: str) -> Path:
    source = path / f"people.{kind}"
    rows = [{"phone": phone, "Country": land} for phone, land, _ in PEOPLE]
    if kind == "csv":
        lines = [f"{row['phone'] or ''},{row['Country'] or ''}" for row in rows]
        source.write_text("\n".join(["phone,Country", *lines]) + "\n")
    elif kind == "jsonl":
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(FRAME.rename_columns(["phone", "Country"]), source)
    return source


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_the_command_line_reads_a_column_of_regions(
    everybody: Sandbox, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = write(tmp_path, kind), tmp_path / "out.jsonl"
    given = [str(source), "--by", "phone", "--region-column", "Country", "--default-region", "US"]
    assert main(["plan", *given, "--json"]) == ExitCode.DONE
    plan = json.loads(capsys.readouterr().out)
    assert (plan["to_send"], plan["invalid"]) == ([len(SENT), len(SENT)], 1)
    assert main(["enrich", *given, "-o", str(output), *against(everybody)]) == ExitCode.DONE
    assert sent(everybody) == SENT
    assert sum(json.loads(line)["eb_status"] == "invalid" for line in output.read_text().splitlines()) == 1
    capsys.readouterr()
    assert main(["plan", str(source), "--by", "phone", "--region-column", "Contry"]) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert "--region-column names a column that the table lacks: did you mean 'Country'?" in told
    assert "set --default-region" in told
