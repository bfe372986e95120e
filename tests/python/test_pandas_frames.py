"""Columns that are added to a pandas frame behave as the caller's own columns do."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from exactbuyer import BulkEnricher
from exactbuyer._frames import pandas as _pandas
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAILS = ["ana@acme.example", "eve@acme.example", None, "nobody@acme.example", "no address"]
CITIES = ["Zürich", "", None, None, None]
COLUMNS = {
    "city": "location.city",
    "tags": "tags[*]",
    "n": ("n", "int64"),
    "big": ("big", "uint64"),
    "score": ("score", "float64"),
    "is": ("is", "bool"),
    "day": ("day", "date"),
    "at": ("at", "timestamp"),
}


@pytest.fixture(scope="module")
def enricher() -> Iterator[BulkEnricher]:
    """A sandbox that knows two people."""
    with Sandbox(requests_per_minute=None) as sandbox:
        more = {"n": 2**53 + 1, "big": 2**64 - 1, "score": 0.5, "is": True, "tags": ["a", "b"]}
        more |= {"day": "2024-01-31", "at": "2024-01-31T10:30+02:00"}
        sandbox.person("ana@acme.example", {"location": {"city": "Zürich"}} | more)
        sandbox.person("eve@acme.example", {"location": {"city": ""}})
        sandbox.nobody("nobody@acme.example")
        with BulkEnricher("any", base_url=sandbox.url, requests_per_minute=1_000_000) as enricher:
            yield enricher


KINDS: dict[str, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "usual": lambda column: column,
    "object": lambda column: column.astype(object),
    "string": lambda column: column.astype("string"),
    "string-python": lambda column: column.astype("string[python]"),
    "arrow": lambda column: column.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.fixture(params=[*KINDS, "without pyarrow"])
def frame(
    request: pytest.FixtureRequest, enricher: BulkEnricher, monkeypatch: pytest.MonkeyPatch
) -> pd.DataFrame:
    """A frame with a column that has the same values as one of the added columns."""
    if request.param == "without pyarrow":
        monkeypatch.setattr(_pandas, "has_pyarrow", lambda: False)
    kind = KINDS.get(request.param, KINDS["usual"])
    theirs = pd.DataFrame({"mail": kind(pd.Series(MAILS)), "city": kind(pd.Series(CITIES))})
    theirs.index = pd.Index(list("abcde"))
    made: pd.DataFrame = enricher.enrich_table(theirs, by="mail", columns=COLUMNS)
    assert made[["mail", "city"]].equals(theirs)
    return made


def test_text_has_the_type_that_text_has_here(frame: pd.DataFrame) -> None:
    usual = pd.Series(["text"]).dtype
    expected = frame["mail"].dtype if usual == "object" else usual
    for name in ("status", "matched_by", "source", "reason", "city"):
        assert frame[f"eb_{name}"].dtype == expected, name


def test_other_columns_have_types_of_pandas(frame: pd.DataFrame) -> None:
    types = {name: str(frame[f"eb_{name}"].dtype) for name in ("n", "big", "score", "is", "day", "at")}
    assert types == {
        "n": "Int64", "big": "UInt64", "score": "float64", "is": "boolean", "day": "datetime64[ms]",
        "at": "datetime64[us, UTC]",
    }  # fmt: skip
    assert str(frame["eb_fetched_at"].dtype) == "datetime64[us, UTC]"
    first = frame.iloc[0]
    assert (first["eb_n"], first["eb_big"], first["eb_score"], first["eb_is"]) == (
        2**53 + 1,
        2**64 - 1,
        0.5,
        True,
    )
    assert first["eb_day"] == pd.Timestamp("2024-01-31")
    assert first["eb_at"] == pd.Timestamp("2024-01-31T08:30Z")
    assert frame.iloc[1:][["eb_n", "eb_big", "eb_score", "eb_is", "eb_day", "eb_at"]].isna().all(axis=None)
    assert list(first["eb_tags"]) == ["a", "b"]


LISTS = ["eb_tags"]
"""pandas itself cannot convert a column of Arrow's lists."""

TYPED = ["eb_n", "eb_big", "eb_score", "eb_is", "eb_day", "eb_at", "eb_fetched_at", *LISTS]


def _set(frame: pd.DataFrame, name: str) -> Any:
    changed = frame.copy()
    changed.loc["a", name] = "Bern"
    return changed[name]


# What people do with a column of text. The result is the same for our columns and theirs.
STEPS: dict[str, Callable[[pd.DataFrame, str], Any]] = {
    "fillna": lambda frame, name: frame[name].fillna(""),
    "fillna of all": lambda frame, name: frame.drop(columns=TYPED).fillna("")[name],
    "convert_dtypes": lambda frame, name: frame.drop(columns=LISTS).convert_dtypes()[name],
    "infer_objects": lambda frame, name: frame.infer_objects()[name],
    "str.extract": lambda frame, name: frame[name].str.extract(r"^(?P<first>Z)(?P<second>.)"),
    "str.extract one": lambda frame, name: frame[name].str.extract(r"^(?P<first>Z)", expand=False),
    "str.split": lambda frame, name: frame[name].str.split("r", expand=True),
    "str.contains": lambda frame, name: frame[name].str.contains("r", na=False),
    "str.len": lambda frame, name: frame[name].str.len(),
    "str.lower": lambda frame, name: frame[name].str.lower(),
    "str.replace": lambda frame, name: frame[name].str.replace(r"[^a-z]", "", regex=True),
    "concatenated": lambda frame, name: frame[name] + "!",
    "compared": lambda frame, name: frame[name] == "Zürich",
    "filtered": lambda frame, name: frame[frame[name] == "Zürich"][name],
    "isin": lambda frame, name: frame[name].isin(["Zürich"]),
    "isna": lambda frame, name: frame[name].isna(),
    "dropna": lambda frame, name: frame.dropna(subset=[name])[name],
    "sort_values": lambda frame, name: frame.sort_values(name)[name],
    "drop_duplicates": lambda frame, name: frame.drop_duplicates(name)[name],
    "value_counts": lambda frame, name: frame[name].value_counts(dropna=False),
    "groupby": lambda frame, name: frame.groupby(name, dropna=False).size(),
    "groupby of ours": lambda frame, name: frame.groupby("eb_status")[name].first(),
    "pivot": lambda frame, name: frame.pivot_table(index=name, values="eb_score", aggfunc="count"),
    "merge": lambda frame, name: frame.merge(pd.DataFrame({name: ["Zürich"], "x": [1]}), on=name, how="left")[
        "x"
    ],
    "merge with theirs": lambda frame, name: frame.merge(
        frame[["city"]].dropna(), left_on=name, right_on="city"
    )[name],
    "concat": lambda frame, name: pd.concat([frame, frame])[name],
    "concat with theirs": lambda frame, name: pd.concat([frame[name], frame["city"]]),
    "combine_first": lambda frame, name: frame[name].combine_first(frame["mail"]),
    "where": lambda frame, name: frame[name].where(frame[name].notna(), "none"),
    "map": lambda frame, name: frame[name].map({"Zürich": 1}),
    "apply": lambda frame, name: frame[name].dropna().apply(len),
    "astype str": lambda frame, name: frame[name].fillna("").astype(str),
    "category": lambda frame, name: frame[name].astype("category").cat.categories,
    "set a cell": _set,
    "shift": lambda frame, name: frame[name].shift(1),
    "reindex": lambda frame, name: frame.reindex(["a", "x"])[name],
    "to_numpy": lambda frame, name: pd.Series(frame[name].to_numpy()),
    "to_dict": lambda frame, name: pd.Series(frame[[name]].fillna("").to_dict("list")[name]),
    "to_json": lambda frame, name: frame[name].to_json(),
    "pickle": lambda frame, name: pickle.loads(pickle.dumps(frame))[name],
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("step", STEPS)
def test_a_step_does_with_ours_what_it_does_with_theirs(step: str, frame: pd.DataFrame) -> None:
    usual = pd.Series(["text"]).dtype
    if usual != "object":
        # All our text columns have one dtype, and theirs may have another one.
        frame["city"] = frame["city"].astype(usual)
    ours, theirs = (STEPS[step](frame, name) for name in ("eb_city", "city"))
    if isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs, check_names=False)
    elif isinstance(ours, pd.Series):
        pd.testing.assert_series_equal(ours, theirs, check_names=False, check_index_type=False)
    elif isinstance(ours, pd.Index):
        pd.testing.assert_index_equal(ours, theirs)
    else:
        assert ours == theirs


TIMES: dict[str, Callable[[pd.Series[Any]], Any]] = {
    "year": lambda times: times.dt.year,
    "date": lambda times: times.dt.date,
    "zone": lambda times: times.dt.tz_convert("Europe/Berlin"),
    "no zone": lambda times: times.dt.tz_localize(None),
    "floor": lambda times: times.dt.floor("D"),
    "strftime": lambda times: times.dt.strftime("%Y"),
    "compared": lambda times: times > pd.Timestamp("2020-01-01", tz="UTC"),
    "age": lambda times: pd.Timestamp("2100-01-01", tz="UTC") - times,
    "max": lambda times: times.max(),
    "fillna": lambda times: times.fillna(pd.Timestamp("2020-01-01", tz="UTC")),
    "resample": lambda times: times.dropna().to_frame("x").set_index("x").resample("D").size(),
}


@pytest.mark.parametrize("step", TIMES)
def test_times_are_as_to_datetime_makes_them(step: str, frame: pd.DataFrame) -> None:
    texts = ["2024-01-31T08:30:00Z", None, None, None, None]
    theirs = pd.to_datetime(pd.Series(texts, index=frame.index), utc=True).dt.as_unit("us")
    ours, theirs = TIMES[step](frame["eb_at"]), TIMES[step](theirs)
    if isinstance(ours, pd.Series):
        pd.testing.assert_series_equal(ours, theirs, check_names=False)
    else:
        assert ours == theirs


def test_files_of_pandas(frame: pd.DataFrame, tmp_path: Path) -> None:
    text = io.StringIO(frame.to_csv())
    again = pd.read_csv(text, index_col=0, parse_dates=["eb_fetched_at", "eb_at"])
    assert list(again.columns) == list(frame.columns)
    assert list(again["eb_status"]) == list(frame["eb_status"])
    assert list(again["eb_at"].dropna()) == list(frame["eb_at"].dropna())
    assert json_of(frame)["eb_n"]["a"] == 2**53 + 1
    parquet = tmp_path / "x.parquet"
    pytest.importorskip("pyarrow")
    # Arrow's lists are read again only by dtype_backend="pyarrow".
    frame.drop(columns=LISTS).to_parquet(parquet)
    again = pd.read_parquet(parquet)
    for name in ("eb_status", "eb_city", "eb_reason"):
        # The missing values may be of different kinds (None, NaN, NA).
        assert list(again[name].fillna("")) == list(frame[name].fillna(""))
    for name in ("eb_n", "eb_big", "eb_is", "eb_at", "eb_fetched_at", "eb_day", "eb_score"):
        pd.testing.assert_series_equal(again[name], frame[name], check_dtype=False)


def json_of(frame: pd.DataFrame) -> Any:
    import json

    return json.loads(frame.drop(columns=LISTS).to_json(date_format="iso"))


def test_a_spreadsheet(frame: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    # Excel has neither time zones nor lists.
    plain = frame.drop(columns=LISTS)
    for name in ("eb_fetched_at", "eb_at"):
        plain[name] = plain[name].dt.tz_localize(None)
    plain.to_excel(tmp_path / "x.xlsx")
    again = pd.read_excel(tmp_path / "x.xlsx", index_col=0, engine="openpyxl")
    assert list(again["eb_status"]) == list(frame["eb_status"])


def test_a_frame_that_was_enriched_is_enriched_again(frame: pd.DataFrame, enricher: BulkEnricher) -> None:
    again = enricher.enrich_table(frame, by="mail", columns=COLUMNS)
    assert list(again.columns) == list(frame.columns)
    assert list(again.dtypes) == list(frame.dtypes)
