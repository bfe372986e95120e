"""Cells of several values, and the marks between them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from cli_runs import against

from exactbuyer import BulkEnricher
from exactbuyer.cli import ExitCode, main
from exactbuyer.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

TABLE = pa.table(
    {
        "emails": [
            "a@x.example;b@x.example,c@x.example | d@x.example",
            "e@x.example\r\nf@x.example\ng@x.example",
        ],
        "urls": ["https://h.example/a,b;c", None],
    }
)


def plan(**how: Any) -> tuple[int, int]:
    told = BulkEnricher(store=None).plan(TABLE, **{"by": "emails", **how})
    return told.to_send[1], told.invalid


@pytest.mark.parametrize(
    ("how", "values"),
    [
        ({}, (0, 2)),
        ({"split": ";"}, (1, 1)),
        ({"split": [";", ",", "|"]}, (4, 1)),
        ({"split": (mark for mark in ";,|")}, (4, 1)),
        ({"split": {"emails": [";", ",", "|"]}}, (4, 1)),
        ({"split": {"emails": [";", ",", "|", "\n"]}}, (7, 0)),
        ({"split": "\n"}, (3, 1)),
        ({"split": {"emails": [";", ",", "|"]}, "by": ["emails", "urls"]}, (5, 1)),
        ({"split": [";", ",", "|"], "by": ["urls"]}, (1, 0)),
    ],
)
def test_a_column_has_as_many_marks_as_it_needs(how: dict[str, Any], values: tuple[int, int]) -> None:
    assert plan(**how) == values


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize("kind", [TABLE, TABLE.to_pandas(), TABLE.to_pandas().astype(object)])
def test_each_value_is_looked_up_until_one_is_found(everybody: Sandbox, kind: Any, *, awaited: bool) -> None:
    everybody.nobody("a@x.example")
    enricher = BulkEnricher("a-key", base_url=everybody.url)
    split = {"emails": [";", ",", "|", "\n"]}
    if awaited:
        table = asyncio.run(enricher.enrich_table_async(kind, by="emails", split=split, columns=[]))
    else:
        table = enricher.enrich_table(kind, by="emails", split=split, columns=[])
    assert {entry.value for entry in everybody.ledger.entries} == {
        "a@x.example",
        "b@x.example",
        "e@x.example",
    }
    assert list(pd.Series(table["eb_status"])) == ["found", "found"]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ([], "split must be what separates"),
        ([";", ""], "split must be what separates"),
        ([";", 1], "split must be what separates"),
        (5, "split must be what separates"),
        ({"emails": ""}, "split must be what separates"),
        ({"mail": ";"}, "split names a column that by does not name: its keys are out of 'emails'"),
        ({"emails": ["\ud800"]}, "split holds half a character"),
    ],
)
def test_what_is_no_mark_is_refused(split: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        plan(split=split)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ([";"], 1),
        ([";", ",", "|"], 4),
        (["emails=;", "emails=,", "e-mails =|"], 2),
        ([";", ",", "|", "\\n"], 7),
        (["e\nmails=;"], 0),
        (["="], 0),
    ],
)
def test_the_command_line_takes_marks_for_all_columns_or_for_one(
    tmp_path: Path, options: list[str], values: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "people.csv"
    TABLE.to_pandas().to_csv(source, index=False)
    given = [part for option in options for part in ("--split", option)]
    ending = main(["plan", str(source), "--by", "emails", *given, "--json"])
    told = capsys.readouterr()
    if "e-mails =|" in options or "e\nmails=;" in options:
        assert ending == ExitCode.USAGE
        assert "--by does not name a column 'e" in told.err
    else:
        assert json.loads(told.out)["to_send"][1] == values


def test_a_columns_own_marks_take_the_place_of_those_for_all(
    everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "people.csv"
    source.write_text('"a=b","c"\n"a@x.example|b@x.example","c@x.example;d@x.example"\n')
    by = ["--by", "a=b", "--by", "c", "--split", ";", "--split", "a=b=|"]
    assert main(["plan", str(source), *by, "--json"]) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["to_send"] == [1, 4]
    output = tmp_path / "out.csv"
    assert main(["enrich", str(source), "-o", str(output), *by, *against(everybody)]) == ExitCode.DONE
    assert {entry.value for entry in everybody.ledger.entries} == {"a@x.example"}
