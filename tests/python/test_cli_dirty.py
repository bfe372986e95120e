"""Files as people have them: dirty, in other alphabets, of other programs, or not what they seem."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from cli_runs import COMMAND, PATIENCE_S, against, environment, last_line, run, start
from test_cli_questions import at_a_cost

from exactbuyer.cli import ExitCode, main
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

COLUMN = ["--column", "full_name"]


@pytest.fixture(scope="module")
def somebody() -> Iterator[Sandbox]:
    with Sandbox(match_rate=1.0, requests_per_minute=None) as sandbox:
        sandbox.person("ana@acme.example", {"full_name": "Ana"})
        yield sandbox


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


ADDED = "eb_status,eb_matched_by,eb_source,eb_fetched_at,eb_reason,eb_full_name"


@pytest.mark.parametrize(
    ("text", "options", "statuses"),
    [
        ("\ufeffmail,id\nana@acme.example,1\n".encode(), [], ["found"]),
        (b"id;price;mail\n1;1,50;ana@acme.example\n", ["--delimiter", ";"], ["found"]),
        (b"id\tmail\n1\tana@acme.example\n", ["--delimiter", "tab"], ["found"]),
        (
            "name,mail\nMüller,ana@acme.example\n,mü@x\n".encode("cp1252"),
            ["--encoding", "bytes"],
            ["found", "invalid"],
        ),
        (b'note,mail\r\n"two\r\nlines ""x""",ana@acme.example\r\n', [], ["found"]),
        (b"mail,id\rana@acme.example,1\r", [], ["found"]),
        (b"id,id,mail,,\n1,2,ana@acme.example,,\n", [], ["found"]),
        (b"mail,id\n", [], []),
        (b"mail\nana@acme.example\n\nana@acme.example", [], ["found", "missing", "found"]),
        (b"mail,id\nana@acme.example,\x00\nx\x00@y.example,2\n", [], ["found", "invalid"]),
        (b"id,mail\n1\n2,ana@acme.example\n", [], ["missing", "found"]),
    ],
)
def test_a_dirty_file_comes_through_byte_for_byte(
    text: bytes, options: list[str], statuses: list[str], somebody: Sandbox, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(text)
    given = ["enrich", str(source), "-o", str(output), "--by", "mail", *against(somebody), *COLUMN, "-q"]
    assert main([*given, *options]) == ExitCode.DONE
    made = output.read_bytes()
    mark = {"--delimiter;": b";", "--delimitertab": b"\t"}.get("".join(options), b",")
    end = b"\r\n" if b"\r\n" in text else b"\r" if b"\r" in text else b"\n"
    header, *rows = text.removesuffix(end).split(end) if b'"' not in text else text.split(end, 1)
    head = header + mark + ADDED.encode().replace(b",", mark)
    assert made.startswith(head)
    assert [part for part in made.split(mark) if part in STATUSES] == [each.encode() for each in statuses]
    assert made.endswith(end) == text.endswith(end)
    if b'"' not in text:
        own = len(header.split(mark))
        written = made.removesuffix(end).split(end)[1:]
        assert len(written) == len(rows) == len(statuses)
        for before, after in zip(rows, written, strict=True):
            lacking = own - len(before.split(mark))
            assert after.startswith(before + mark * lacking + mark)


STATUSES = {b"found", b"missing", b"invalid", b"not_found"}


@pytest.mark.parametrize(
    ("name", "text", "options", "said"),
    [
        ("x.csv", b"ana@acme.example,Ana\n", [], "the first record looks like a person's"),
        (
            "x.csv",
            b"Ana,+1 773 474 9362\nBob,+1 773 474 9363\n",
            [],
            "the first record looks like a person's",
        ),
        # The comma in the first row would be a cell too many: the names come first.
        ("x.csv", b"mail;note\nana@acme.example;hello, you\n", [], "--delimiter ';'"),
        ("x.csv", b"mail\tnote\nana@acme.example\thello, you\n", [], "--delimiter tab"),
        ("x.tsv", b"mail,note\nana@acme.example,hello\n", [], "pass --delimiter ','"),
        ("x.csv", b"mail,note\nana@acme.example,hello\n", ["--delimiter", ";"], "leave out --delimiter"),
        ("x.csv", b"Ana Lopez,SW1A 1AA,\n", [], "It is not shown, because it may be a person's data"),
        ("x.csv", b"Ana\n", [], "It is not shown, because it may be a person's data"),
        ("x.csv", b"ana,lopez,Email\n", [], "If there are lines above the names of the columns, pass --skip"),
        ("x.csv", b"Ana,Oslo\n", ["--skip-rows", "0"], "Also check --skip-rows"),
        (
            "x.csv",
            b"Vorname,Nachname,E-Mail Adresse\n",
            [],
            "Its columns: 'Vorname', 'Nachname', 'E-Mail Adresse'",
        ),
        (
            "x.csv",
            b"Odd one,firstName,Company (HQ)\n",
            [],
            "Its columns: 'Odd one', 'firstName', 'Company (HQ)'",
        ),
        ("x.csv", b"id, E-Mail \n1,ana@acme.example\n", ["--by", "e-mail"], "did you mean ' E-Mail '?"),
        ("x.csv", b"id,mail\n1,ana@acme.example\n", ["--by", "mial"], "did you mean 'mail'?"),
        ("x.jsonl", b'{"mail":"ana@acme.example"}\n', ["--by", "Mail"], "did you mean 'mail'?"),
    ],
)
def test_what_the_columns_are_called_is_asked_before_anything_else(
    name: str,
    text: bytes,
    options: list[str],
    said: str,
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    file.write_bytes(text)
    for command in ("enrich", "plan"):
        by = [] if "--by" in options else ["--by", "mail"]
        assert main([command, str(file), *by, *options, "--sandbox"]) == ExitCode.USAGE
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
        assert "ana@" not in told
        assert "773" not in told
        assert not re.search("ana|lopez", told, re.IGNORECASE)


@pytest.mark.parametrize(
    ("name", "text", "output", "said"),
    [
        (
            "x.csv",
            b"mail,name\n" + b"ana@acme.example,\n" * 5 + b",M\xfcller\n",
            "y.parquet",
            "line 7 is not UTF-8",
        ),
        (
            "x.csv",
            b"mail,name\n" + b"ana@acme.example,\n" * 5 + b",M\xfcller\n",
            "y.jsonl",
            "line 7 is not UTF-8",
        ),
        ("x.csv", b"mail,name\n,M\xfcller\n", "y.tsv", "line 2 is not UTF-8"),
        ("x.csv", b"mail,Stra\xdfe\nana@acme.example,\n", "y.jsonl", "line 1 is not UTF-8"),
        ("x.csv", b"mail,id,id\nana@acme.example,1,2\n", "y.jsonl", "two columns called 'id'"),
        ("x.csv", b"mail,id,id\nana@acme.example,1,2\n", "y.parquet", "two columns called 'id'"),
        ("x.jsonl", b'{"mail":"ana@acme.example"}\n{"mail":"M\xfcller"}\n', "y.jsonl", "line 2 is not UTF-8"),
        ("x.jsonl", b'[{"mail":"ana@acme.example"}]\n', "y.jsonl", "one object a line"),
        ("x.csv", "mail,id\nana@acme.example,1\n".encode("utf-16-le"), "y.csv", "--encoding utf-16-le"),
        ("x.csv", "mail,id\nana@acme.example,1\n".encode("utf-16-be"), "y.csv", "--encoding utf-16-be"),
        (
            "x.csv",
            gzip.compress(b"mail\nana@acme.example\n", mtime=0),
            "y.csv",
            "is compressed: pass --from csv.gz",
        ),
        (
            "x.csv.gz",
            gzip.compress(gzip.compress(b"mail\n", mtime=0), mtime=0),
            "y.csv",
            "is compressed twice",
        ),
        ("x.tsv", b"\x28\xb5\x2f\xfd\x04", "y.csv", "is compressed: pass --from tsv.zst"),
        ("x.csv", b"PK\x03\x04\x14\0\0\0", "y.csv", "is a ZIP archive, or a spreadsheet"),
        ("x.csv", b"PAR1\x15\0", "y.csv", "pass --from parquet"),
        ("x.jsonl", b' \n[{"mail":"ana@acme.example"}]\n', "y.jsonl", "jq -c '.[]'"),
    ],
)
def test_what_cannot_become_another_kind_is_told_before_anything_is_sent(
    name: str,
    text: bytes,
    output: str,
    said: str,
    *,
    somebody: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / name
    file.write_bytes(text)
    requests = len(somebody.ledger.requests)
    given = ["enrich", str(file), "--by", "mail", "-o", str(tmp_path / output), *against(somebody)]
    assert main(given) == ExitCode.FILES
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert "ller" not in told
    assert len(somebody.ledger.requests) == requests
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


# Objects enough for the names to be known, and then one of another name.
LATE = b'{"mail":"ana@acme.example"}\n' * 1_500


@pytest.mark.parametrize(
    ("line", "options", "said"),
    [
        (b'{"late":1}\n', ["--to", "csv"], b'line 1501 has a member "late" that none of the first lines has'),
        (b'{"eb_status":1}\n', [], b'line 1501 has a member "eb_status" already'),
        (b'{"eb_status":1}\n', ["--to", "parquet"], b"line 1501 has a member"),
        (b'{"mail":"M\xfcller"}\n', [], b"line 1501 is not UTF-8"),
        (b"[]\n", [], b"line 1501 is not a JSON object"),
    ],
)
def test_what_comes_late_in_a_stream_is_told_and_nothing_is_lost(
    line: bytes, options: list[str], said: bytes, somebody: Sandbox
) -> None:
    before = somebody.ledger.credits
    done = run(
        "enrich", "-", "--from", "jsonl", "--by", "mail", *COLUMN, "--yes", "--json", *options,
        *against(somebody), stdin=LATE + line + LATE,
    )  # fmt: skip
    assert done.returncode == ExitCode.FILES
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
    assert last_line(done)["exit_code"] == ExitCode.FILES
    assert last_line(done)["credits"] == somebody.ledger.credits - before


@pytest.mark.skipif(os.name != "posix", reason="pipes with names are POSIX's")
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_pipe_by_name_is_read_once(kind: str, somebody: Sandbox, tmp_path: Path) -> None:
    pipe, source = tmp_path / f"pipe.{kind}", tmp_path / "source"
    os.mkfifo(pipe)
    if kind == "parquet":
        parquet.write_table(pyarrow.table({"mail": ["ana@acme.example"]}), source)
    else:
        source.write_text("mail\nana@acme.example\n" if kind == "csv" else '{"mail":"ana@acme.example"}\n')
    writer = threading.Thread(target=lambda: pipe.write_bytes(source.read_bytes()), daemon=True)
    writer.start()
    done = run("enrich", pipe, "--by", "mail", *COLUMN, *against(somebody), "--to", "csv", "--yes")
    writer.join(PATIENCE_S)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert [line.split(b",")[1] for line in done.stdout.splitlines()] == [b"eb_status", b"found"]


def test_a_stream_that_costs_is_not_read_to_ask(somebody: Sandbox, tmp_path: Path) -> None:
    # What was read would be gone.
    given = ["enrich", "/dev/stdin", "--from", "csv", "--by", "mail", *against(somebody)]
    done = subprocess.run(
        ["sh", "-c", 'printf "mail\\n" | "$@"', "sh", *at_a_cost(*given)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert b"the cost of a stream is not known" in done.stderr


def test_a_plan_reads_only_the_columns_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "people"
    for domain in ("acme.example", "firm.example"):
        (folder / f"mail=ana@{domain}").mkdir(parents=True)
        table = pyarrow.table({"a": [{"b": 1}] * 2, "a.b": ["eve@acme.example", None], "n": [1, 2]})
        parquet.write_table(table, folder / f"mail=ana@{domain}" / "part.parquet")
    for by, unique in ((["mail"], 2), (["a.b"], 1), (["a.b", "mail"], 3)):
        given = [text for name in by for text in ("--by", name)]
        assert main(["plan", str(folder), *given, "--json"]) == 0
        plan = json.loads(capsys.readouterr().out)
        assert (plan["rows"], plan["max_credits"]) == (4, unique)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere/out.csv", "make the folder"),
        ("loop.csv", "a link to itself"),
        ("x" * 300 + ".csv", "File name too long"),
        ("folder.csv", "is a folder"),
    ],
)
def test_an_output_that_cannot_be_is_told_before_anything_is_sent(
    output: str, said: str, somebody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("mail\nana@acme.example\n")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "folder.csv").mkdir()
    requests = len(somebody.ledger.requests)
    given = [
        "enrich",
        str(source),
        "--by",
        "mail",
        "-o",
        str(tmp_path / output),
        "--to",
        "csv",
        *against(somebody),
    ]
    assert main(given) in {ExitCode.FILES, ExitCode.USAGE}
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert len(somebody.ledger.requests) == requests


def test_the_longest_name_is_a_name(somebody: Sandbox, tmp_path: Path) -> None:
    source, output = tmp_path / "in.csv", tmp_path / ("ü" * 125 + ".csv")
    source.write_text("mail\nana@acme.example\n")
    given = ["enrich", str(source), "--by", "mail", "-o", str(output), *against(somebody), "-q"]
    assert main(given) == ExitCode.DONE
    assert main(["enrich", str(tmp_path / ("x" * 300 + ".csv")), "--by", "mail"]) == ExitCode.FILES
    assert output.read_text().count("\n") == 2


def test_two_at_once_write_one_output_whole_and_pay_once(tmp_path: Path, everybody: Sandbox) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("mail\n" + "".join(f"person{n}@acme.example\n" for n in range(2_000)))
    given = [
        "enrich", source, "--by", "mail", "-o", output, "--store", tmp_path / "people.db", *COLUMN, "-q",
        "--chunk-size", "20", "--yes", *against(everybody),
    ]  # fmt: skip
    both = [start(*given, stderr=subprocess.PIPE) for _ in range(2)]
    told = [command.communicate(timeout=PATIENCE_S)[1] for command in both]
    assert [command.returncode for command in both] == [0, 0], told
    assert everybody.ledger.credits == 2_000
    assert output.read_text().count(",found,") == 2_000
    left = {entry.name for entry in tmp_path.iterdir()}
    assert {name for name in left if not name.startswith("people.db")} == {"in.csv", "out.csv"}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shell of this kind")
def test_where_nothing_can_be_shown_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("mail\nana@acme.example\n")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "plan", str(file), "--by", "mail"],
        env=environment(),
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr.count(b"\n")) == (ExitCode.FILES, 1), done.stderr
    assert b"no standard output" in done.stderr


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "out.parquet"])
def test_of_no_objects_nothing_is_asked(output: str, somebody: Sandbox, tmp_path: Path) -> None:
    source, made = tmp_path / "in.jsonl", tmp_path / output
    source.write_text("\n\n")
    given = ["enrich", str(source), "-o", str(made), "--by", "mail=email", *against(somebody), *COLUMN, "-q"]
    assert main(given) == ExitCode.DONE
    if output == "out.jsonl":
        assert made.read_text() == "\n\n"
    elif output == "out.csv":
        assert made.read_text() == f"mail,{ADDED}\n"
    else:
        assert parquet.read_table(made).column_names == ["mail", *ADDED.split(",")]
