"""What goes into a command comes out again: every kind of file into every other, byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import against, people, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exactbuyer.cli import ExitCode, main
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ADDED = ["eb_status", "eb_matched_by", "eb_source", "eb_fetched_at", "eb_reason"]
COLUMN = ["--column", "full_name"]


@pytest.fixture(scope="module")
def somebody() -> Iterator[Sandbox]:
    """A sandbox for all tests of this file: it knows most."""
    with Sandbox(requests_per_minute=None) as sandbox:
        sandbox.person(
            "ana@acme.example", {"full_name": '=1+1,"\n', "phone_numbers": [{"E164": "+17735550142"}]}
        )
        sandbox.person("eve@acme.example", {"full_name": "Eve\r", "tags": ["+1", "a;b"], "n": 1.5})
        yield sandbox


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


def enrich(sandbox: Sandbox, source: Path, output: Path, *options: str, by: str = "mail") -> None:
    arguments = ["enrich", str(source), "-o", str(output), "--by", by, *against(sandbox), "-q", *options]
    assert main(arguments) == ExitCode.DONE


CELL = st.one_of(
    st.text(alphabet="\",;\r\n\t '=+-@aé\u2028\ufeff\x01", max_size=8),
    st.sampled_from(["ana@acme.example", "007", " x ", "1e5", "NULL", "=cmd()", '"', '""', "\r", "a\nb"]),
)


def written(cell: str, delimiter: str, *, always: bool) -> str:
    """A cell as it is written: in quotes where it needs them, or always."""
    if always or any(mark in cell for mark in (delimiter, '"', "\r", "\n")):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    delimiter=st.sampled_from([",", ";", "\t"]),
    always=st.booleans(),
    last=st.booleans(),
)
def test_hostile_cells_come_through_byte_for_byte(
    somebody: Sandbox,
    tmp_path: Path,
    rows: list[list[str]],
    end: str,
    delimiter: str,
    *,
    always: bool,
    last: bool,
) -> None:
    rows = [["id", "mail", "no,te"], ["", "ana@acme.example", ""], *rows]
    records = [delimiter.join(written(cell, delimiter, always=always) for cell in row) for row in rows]
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes((end.join(records) + (end if last else "")).encode())
    enrich(somebody, source, output, *COLUMN, "--delimiter", delimiter)
    made = output.read_bytes().decode()

    # As any reader of CSV sees it: their cells, then ours.
    read = list(csv.reader(io.StringIO(made, newline=""), delimiter=delimiter))
    assert [row[:3] for row in read] == rows
    assert {len(row) for row in read} == {9}
    # And byte for byte: it is what was there, with ours put in before the end of each record.
    ours = [
        delimiter.join(["", *(written(cell, delimiter, always=False) for cell in row[3:])]) for row in read
    ]
    joined = [record + added for record, added in zip(records, ours, strict=True)]
    assert made == end.join(joined) + (end if last else "")
    # The same command on its own output changes nothing but the time.
    again = tmp_path / "again.csv"
    enrich(somebody, output, again, *COLUMN, "--delimiter", delimiter)
    assert _without_time(again, delimiter) == _without_time(output, delimiter)


def _without_time(file: Path, delimiter: str) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(file.read_bytes().decode(), newline=""), delimiter=delimiter))
    return [[cell for nth, cell in enumerate(row) if nth != 6] for row in rows]


TABLE = {"id": ["007", "", "1e5", 'é\n"x"'], "mail": ["ana@acme.example", "", "eve@acme.example", "nobody"]}


def write(file: Path) -> None:
    """The table, as the kind of file that its name says."""
    rows = list(zip(*TABLE.values(), strict=True))
    packed = gzip.open if file.suffix == ".gz" else open
    if ".parquet" in file.name:
        parquet.write_table(pyarrow.table(TABLE), file)
    elif ".jsonl" in file.name:
        text = "".join(json.dumps(dict(zip(TABLE, row, strict=True))) + "\n" for row in rows)
        if file.suffix == ".zst":
            with pyarrow.output_stream(str(file), compression="zstd") as stream:
                stream.write(text.encode())
            return
        with packed(file, "wt") as stream:
            stream.write(text)
    else:
        with packed(file, "wt", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if ".tsv" in file.name else ",")
            writer.writerows([TABLE.keys(), *rows])


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file, with texts for values."""
    if ".parquet" in file.name:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
        return rows
    raw = file.read_bytes()
    if file.suffix == ".gz":
        raw = gzip.decompress(raw)
    if file.suffix == ".zst":
        raw = pyarrow.input_stream(pyarrow.py_buffer(raw), compression="zstd").read()
    if ".jsonl" in file.name:
        return [json.loads(line) for line in raw.decode().splitlines()]
    delimiter = "\t" if ".tsv" in file.name else ","
    return list(csv.DictReader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter))


NAMES = ["t.csv", "t.tsv", "t.jsonl", "t.parquet", "t.csv.gz", "t.jsonl.zst"]


@pytest.mark.parametrize("output", NAMES)
@pytest.mark.parametrize("source", NAMES)
def test_every_kind_goes_into_every_other(
    source: str, output: str, somebody: Sandbox, tmp_path: Path
) -> None:
    before, after = tmp_path / "in" / source, tmp_path / "out" / output
    before.parent.mkdir()
    after.parent.mkdir()
    write(before)
    enrich(somebody, before, after, *COLUMN)
    rows = read(after)
    assert [{name: row[name] for name in TABLE} for row in rows] == [
        dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)
    ]
    assert [row["eb_status"] for row in rows] == ["found", "missing", "found", "invalid"]
    assert [row["eb_full_name"] or "" for row in rows] == ['=1+1,"\n', "", "Eve\r", ""]
    assert [list(row) for row in rows] == [["id", "mail", *ADDED, "eb_full_name"]] * 4
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_streams_are_files_without_a_name(name: str, somebody: Sandbox, tmp_path: Path) -> None:
    write(tmp_path / name)
    kind = name.removeprefix("t.")
    done = run(
        "enrich", "-", "--from", kind, "--by", "mail", *COLUMN, *against(somebody),
        stdin=(tmp_path / name).read_bytes(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    piped = tmp_path / f"piped.{kind}"
    piped.write_bytes(done.stdout)
    enrich(somebody, tmp_path / name, tmp_path / f"file.{kind}", *COLUMN)
    rows = [
        [row | {"eb_fetched_at": None} for row in read(file)] for file in (piped, tmp_path / f"file.{kind}")
    ]
    assert rows[0] == rows[1]


def test_lines_of_json_come_through_byte_for_byte(somebody: Sandbox, tmp_path: Path) -> None:
    lines = [
        '{"mail" : "ana@acme.example", "n": 1.00, "big":123456789012345678901234567890}',
        '{"mail":["nobody","eve@acme.example"],"\\u006ail":{"x":[1,{"y":"}"}]}}  ',
        "",
        '{"id":17734749362}',
    ]
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(lines))
    enrich(somebody, source, output, "--column", "full_name", "--column", "all=$:json")
    written = output.read_text().split("\n")
    assert len(written) == len(lines)
    for before, after in zip(lines, written, strict=True):
        assert after.startswith(before.rstrip().removesuffix("}"))
    rows = [json.loads(line) for line in written if line]
    assert [row["eb_status"] for row in rows] == ["found", "found", "missing"]
    assert rows[0]["eb_all"]["phone_numbers"] == [{"E164": "+17735550142"}]
    first = written
    enrich(somebody, output, tmp_path / "again.jsonl", "--column", "full_name", "--column", "all=$:json")
    again = (tmp_path / "again.jsonl").read_text().split("\n")
    assert [line.partition('"eb_fetched_at"')[0] for line in again] == [
        line.partition('"eb_fetched_at"')[0] for line in first
    ]


def test_types_of_parquet_survive_and_are_written_as_they_are_said(somebody: Sandbox, tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "mail": pyarrow.array(["ana@acme.example", None]).dictionary_encode(),
            "phone": pyarrow.array([17735550142, None], pyarrow.uint64()),
            "when": pyarrow.array([0, 1], pyarrow.timestamp("ms", "Europe/Berlin")),
            "price": pyarrow.array([1.5, None]),
            "list": pyarrow.array([[1, None], []]),
            "deep": pyarrow.array([{"a": "x", "b": [True]}, None]),
            "cents": pyarrow.array([1, 2]).cast(pyarrow.decimal128(21, 2)),
        }
    ).replace_schema_metadata({"mine": "1"})
    source = tmp_path / "in.parquet"
    parquet.write_table(table, source)
    enrich(somebody, source, tmp_path / "out.parquet", *COLUMN)
    made = parquet.read_table(tmp_path / "out.parquet")
    assert made.select(table.column_names).equals(table)
    assert made.schema.metadata[b"mine"] == b"1"
    receipt = json.loads(parquet.read_metadata(tmp_path / "out.parquet").metadata[b"exactbuyer_receipt"])
    assert (receipt["rows"], receipt["found"], receipt["missing"]) == (2, 1, 1)
    enrich(somebody, tmp_path / "out.parquet", tmp_path / "again.parquet", "--column", "title")
    assert parquet.read_table(tmp_path / "again.parquet").column_names[-2:] == ["eb_reason", "eb_title"]

    enrich(somebody, source, tmp_path / "out.csv", *COLUMN)
    row = read(tmp_path / "out.csv")[0]
    assert {name: row[name] for name in table.column_names} == {
        "mail": "ana@acme.example",
        "phone": "17735550142",
        "when": "1970-01-01T00:00:00Z",
        "price": "1.5",
        "list": "[1,null]",
        "deep": '{"a":"x","b":[true]}',
        "cents": "1.00",
    }
    enrich(somebody, source, tmp_path / "out.jsonl", *COLUMN)
    row = read(tmp_path / "out.jsonl")[0]
    assert (row["phone"], row["list"], row["deep"]) == (17735550142, [1, None], {"a": "x", "b": [True]})
    assert (row["cents"], row["when"]) == (1.0, "1970-01-01T00:00:00Z")


def test_a_folder_of_parquet_is_one_table(somebody: Sandbox, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    for country, mails in (("US", ["ana@acme.example"]), ("DE", ["eve@acme.example", None])):
        (folder / f"country={country}").mkdir(parents=True)
        parquet.write_table(pyarrow.table({"mail": mails}), folder / f"country={country}" / "part-0.parquet")
    (folder / "_SUCCESS").write_text("")
    enrich(somebody, folder, tmp_path / "out.csv", *COLUMN)
    rows = read(tmp_path / "out.csv")
    assert [(row["mail"], row["country"], row["eb_status"]) for row in rows] == [
        ("eve@acme.example", "DE", "found"),
        ("", "DE", "missing"),
        ("ana@acme.example", "US", "found"),
    ]
    parquet.write_table(pyarrow.table({"mail": [1]}), folder / "country=US" / "part-1.parquet")
    done = run("enrich", folder, "--by", "mail", *against(somebody))
    assert done.returncode == ExitCode.FILES
    assert "part-1.parquet has other columns" in done.stderr.decode()


@pytest.mark.skipif(os.name != "posix", reason="not everybody may make links there")
def test_every_file_of_a_folder_of_parquet_is_read(somebody: Sandbox, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "people", tmp_path / "elsewhere"
    for path in (
        folder / "a.parquet",
        folder / "b.PARQUET",
        elsewhere / "deep" / "c.Pq",
        folder / "_d.parquet",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table({"mail": [f"{path.stem}@acme.example"]}), path)
    (folder / "country=US").symlink_to(elsewhere)
    # Links that lead back.
    (elsewhere / "deep" / "back").symlink_to(elsewhere)
    (folder / "country=DE").symlink_to(folder)
    # A second way to the same rows.
    (folder / "country=ZZ").symlink_to(elsewhere)
    enrich(somebody, folder, tmp_path / "out.csv", *COLUMN)
    rows = read(tmp_path / "out.csv")
    assert [(row["mail"][0], row["country"]) for row in rows] == [("a", ""), ("b", ""), ("c", "US")]
    # What is read through a link is not replaced either.
    inside = elsewhere / "deep" / "c.Pq"
    done = run("enrich", folder, "--by", "mail", "-o", inside, "--force", *against(somebody))
    assert done.returncode == ExitCode.USAGE
    assert "is in the input folder" in done.stderr.decode()


def test_a_spreadsheet_gets_no_formula_and_every_phone_number(somebody: Sandbox, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("mail,note\nana@acme.example,=theirs\neve@acme.example,+1\n")
    columns = [
        "--column",
        "full_name",
        "--column",
        "phones",
        "--column",
        "tags=tags[*]",
        "--column",
        "n=n:float64",
    ]
    for kind in ("before.csv", "before.tsv"):
        enrich(somebody, source, tmp_path / kind, "--column", "title")
        enrich(somebody, tmp_path / kind, output, *columns, "--excel-safe", "--prefix", "x_")
        first, second = read(output)
        assert (first["x_full_name"], first["x_phones"], first["note"]) == (
            "'=1+1,\"\n",
            "+17735550142",
            "=theirs",
        )
        assert (second["x_full_name"], second["x_tags"], second["x_n"]) == ("Eve\r", "'+1;a;b", "1.5")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b'mail,id\na,"b\n', "never ends"),
        ("x.csv", b"mail\na,b\n", "has 2 cells, the header 1"),
        ("x.csv", "mail\n".encode("utf-16"), "UTF-16"),
        ("x.csv.gz", b"mail\n", "is not a gzip file: pass its format with --from"),
        ("x.csv.gz", b"", "is empty"),
        ("x.csv.gz", gzip.compress(people(1000).encode())[:-20], "it is incomplete or damaged"),
        ("x.csv.zst", b"mail\n", "is not a zstd file"),
        ("x.csv.zst", b"\x28\xb5\x2f\xfdmail\n", "cannot be read"),
        ("x.jsonl", b'{"mail":1}\n[]\n', "line 2 is not a JSON object"),
        ("x.parquet", b"PAR1", "is not a Parquet file"),
        ("x.parquet", None, "No such file"),
        ("x.csv", None, "No such file"),
    ],
)
def test_what_is_broken_is_told_before_anything_is_sent(
    name: str, text: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text)
    with Sandbox() as sandbox:
        given = ["enrich", str(file), "--by", "mail", *against(sandbox), "-o", str(tmp_path / "out.csv")]
        assert main(given) == ExitCode.FILES
        assert not sandbox.ledger.requests
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out.csv").exists()


def test_what_is_broken_in_a_stream_is_told_in_its_place(somebody: Sandbox) -> None:
    text = b"mail\nana@acme.example\n" + b"x,y\n"
    done = run("enrich", "-", "--from", "csv", "--by", "mail", *against(somebody), *COLUMN, stdin=text)
    assert done.returncode == ExitCode.FILES
    assert b"the record in line 3 has 2 cells" in done.stderr


def test_names_of_objects_are_found_wherever_they_stand(somebody: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"a":1}\n' * 70_000 + '{"mail":"ana@acme.example","z":null}\n')
    enrich(somebody, source, tmp_path / "out.parquet", *COLUMN)
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names[:3] == ["a", "mail", "z"]
    assert table.num_rows == 70_001
    assert table.slice(70_000).to_pylist()[0]["eb_status"] == "found"
