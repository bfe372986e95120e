"""Values that the output cannot hold are reported before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import against

from exactbuyer.cli import ExitCode, main

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

numpy = pytest.importorskip("numpy")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

MAIL = pyarrow.field("mail", pyarrow.string())


def table(field: Any = None, metadata: Any = None, value: Any = None) -> Any:
    fields = [MAIL] if field is None else [MAIL, field]
    rows = {"mail": ["ana@acme.example"]} | ({} if field is None else {field.name: [value]})
    return pyarrow.table(rows, schema=pyarrow.schema(fields, metadata=metadata))


BYTES = {b"\xff": b"\xfe"}
TABLES = {
    "metadata that is no text": table(metadata=BYTES),
    "a column's metadata that is no text": table(pyarrow.field("x", pyarrow.int8(), metadata=BYTES)),
    "a damaged note of ours": table(metadata={"exactbuyer_columns": "[" * 100_000}),
    "a long note": table(metadata={"note": "x" * (1 << 20)}),
    "durations": table(pyarrow.field("x", pyarrow.duration("s"))),
    "nulls": table(pyarrow.field("x", pyarrow.null())),
    "half floats": table(pyarrow.field("x", pyarrow.float16()), value=numpy.float16(1.5)),
    "bytes": table(pyarrow.field("x", pyarrow.binary()), value=b"\xff"),
    "a map": table(pyarrow.field("x", pyarrow.map_(pyarrow.string(), pyarrow.int8())), value=[("a", 1)]),
    "not null": table(pyarrow.field("x", pyarrow.int8(), nullable=False), value=1),
    "text in another layout": table(pyarrow.field("x", pyarrow.string_view()), value="a"),
    "an extension type": table(pyarrow.field("x", pyarrow.uuid()), value=b"0" * 16)
    if hasattr(pyarrow, "uuid")
    else table(),
}


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


@pytest.mark.parametrize("output", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("name", TABLES)
def test_a_parquet_file_is_written_whatever_it_says_of_itself(
    name: str, output: str, tmp_path: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / f"out.{output}"
    try:
        parquet.write_table(TABLES[name], source)
    except pyarrow.ArrowNotImplementedError as trouble:
        # Some versions have a type that they cannot write.
        pytest.skip(str(trouble))
    given = ["enrich", str(source), "-o", str(target), "--by", "mail", *against(everybody), "-q"]
    assert main(given) == ExitCode.DONE, capsys.readouterr().err
    if output == "parquet":
        made = parquet.read_table(target)
        assert made.select(TABLES[name].column_names).equals(TABLES[name])
        metadata = TABLES[name].schema.metadata or {}
        for key, value in metadata.items() if name != "a damaged note of ours" else ():
            assert made.schema.metadata[key] == value
    else:
        assert target.read_bytes()


@pytest.mark.parametrize("output", ["csv", "jsonl", "parquet"])
def test_what_cannot_be_written_is_told_before_anything_is_sent(
    output: str,
    tmp_path: Path,
    everybody: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / f"out.{output}"
    parquet.write_table(table(), source)

    def refuse(*_: Any, **__: Any) -> None:
        raise pyarrow.ArrowNotImplementedError("ana@acme.example")

    monkeypatch.setattr(f"exactbuyer.cli._io.joining.{JOINERS[output]}.join", refuse)
    given = ["enrich", str(source), "-o", str(target), "--by", "mail", *against(everybody), "-q"]
    assert main(given) == ExitCode.FILES
    told = capsys.readouterr().err
    assert f"cannot be written as {output}" in told
    assert "ana@acme" not in told
    assert not everybody.ledger.requests
    assert not list(tmp_path.glob("out*"))


JOINERS = {"csv": "CsvLines", "jsonl": "JsonLines", "parquet": "ParquetTables"}


def test_metadata_that_cannot_be_read_again_is_told_before_anything_is_sent(
    tmp_path: Path, everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.parquet"
    parquet.write_table(table(), source)
    written = parquet.ParquetWriter.add_key_value_metadata

    def write_too_much(writer: Any, notes: dict[str, str]) -> None:
        # More metadata than Arrow can read.
        written(writer, notes | {"note": "x" * (101 << 20)})

    monkeypatch.setattr(parquet.ParquetWriter, "add_key_value_metadata", write_too_much)
    given = ["enrich", str(source), "-o", str(tmp_path / "out.parquet"), "--by", "mail", *against(everybody)]
    assert main(given) == ExitCode.FILES
    assert not everybody.ledger.requests


def test_columns_of_one_name_are_refused_before_anything_is_sent(
    tmp_path: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("mail,x,x\nana@acme.example,1,2\n")
    given = ["enrich", str(source), "-o", str(tmp_path / "out.parquet"), "--by", "mail", *against(everybody)]
    assert main(given) == ExitCode.FILES
    assert "two columns called 'x'" in capsys.readouterr().err
    assert not everybody.ledger.requests
