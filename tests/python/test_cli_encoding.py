"""Text files that are not UTF-8: `--encoding` reads them, and without it no output has two encodings."""

from __future__ import annotations

import csv
import gzip
import json
from typing import TYPE_CHECKING

import pytest
from cli_runs import against, last_line, run
from hypothesis import given
from hypothesis import strategies as st

from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._io.encoding import as_utf_8
from exactbuyer.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENCODINGS = {
    "utf-8": b"\xff",
    "cp1252": b"\x81",
    "utf-16-be": b"\xdc\x00\x00\x41",
    "utf-16": b"\x00\xdc\x41\x00",
    "utf-32": b"\xff\xff\xff\xff",
    "cp932": b"\x81\x20",
    "gb18030": b"\xff",
    "euc_kr": b"\xff\xff",
    "utf-7": b"\xff",
}
"""Encodings of all sorts, and bytes that none of their texts has."""

FIND = ["--column", "full_name"]


@pytest.fixture(scope="module")
def zoe() -> Iterator[Sandbox]:
    with Sandbox(match_rate=0.0, requests_per_minute=None) as sandbox:
        sandbox.person("zoe@acme.example", {"full_name": "Zoë Łuk"})
        yield sandbox


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


def cut(text: bytes, length: int) -> Iterator[bytes]:
    return (text[at : at + length] for at in range(0, len(text), length))


@given(st.sampled_from(sorted(ENCODINGS)), st.text(), st.integers(1, 9))
def test_a_text_is_the_same_wherever_it_is_cut(encoding: str, text: str, length: int) -> None:
    text = text.encode(encoding, "ignore").decode(encoding)
    pieces = as_utf_8(cut(text.encode(encoding), length), encoding, otherwise="")
    assert b"".join(pieces).decode() == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_line_of_a_wrong_byte_is_named_and_what_is_before_it_is_read(encoding: str, end: str) -> None:
    before = f"a,b{end}c,d{end}"
    text = before.encode(encoding)
    for length in range(1, 12):
        pieces = as_utf_8(cut(text + ENCODINGS[encoding] + b"    ", length), encoding, otherwise="do this")
        read: list[bytes] = []
        with pytest.raises(ValueError, match=f"line 3 is not {encoding}: do this"):
            read.extend(pieces)
        assert b"".join(read).decode("utf-8", "ignore") == before
    # A letter that is not complete.
    with pytest.raises(ValueError, match="line 2 is not UTF-8"):
        list(as_utf_8(iter([b"a\n\xc3"]), None, otherwise=""))


TEXT = 'Straße;mail\r\n"Gänse;weg";zoe@acme.example\r\nÜberweg;\r\n'


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "UTF8"])
@pytest.mark.parametrize("output", ["out.csv", "out.jsonl"])
def test_a_file_of_another_encoding_is_as_one_in_utf8(
    encoding: str, output: str, zoe: Sandbox, tmp_path: Path
) -> None:
    target, store = tmp_path / output, tmp_path / "people.db"
    given = [
        "-o",
        str(target),
        "--by",
        "mail",
        "--delimiter",
        ";",
        *FIND,
        *against(zoe),
        "--store",
        str(store),
    ]
    name = ["--encoding", encoding]
    made: list[bytes] = []
    files = {
        "plain.csv": (TEXT.encode(), []),
        # Replaces the output before it, which is known by its columns: it is UTF-8 in any case.
        "other.csv": (TEXT.encode(encoding), name),
        "packed.csv.gz": (gzip.compress(TEXT.encode(encoding)), name),
    }
    before = zoe.ledger.credits
    for file, (content, options) in files.items():
        (tmp_path / file).write_bytes(content)
        assert main(["enrich", str(tmp_path / file), *given, *options, "-q"]) == ExitCode.DONE
        made.append(target.read_bytes())
    done = run("enrich", "-", "--from", "csv", *given, *name, "--yes", stdin=TEXT.encode(encoding))
    assert done.returncode == ExitCode.DONE, done.stderr
    made.append(target.read_bytes())
    # Whoever was paid for is known again, and nothing else differs but where the answer comes from.
    assert zoe.ledger.credits == before + 1
    assert made[1] == made[2] == made[3] == made[0].replace(b"paid", b"store")
    assert "Zoë Łuk" in made[0].decode()
    assert "Gänse;weg" in made[0].decode()


def test_json_lines_of_another_encoding(zoe: Sandbox, tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes('{"Straße": "Überweg", "mail": "zoe@acme.example"}\n'.encode("utf-16"))
    given = ["enrich", str(source), "-o", str(output), "--by", "mail", *FIND, *against(zoe), "-q"]
    assert main([*given, "--encoding", "utf-16"]) == ExitCode.DONE
    (line,) = output.read_text(encoding="utf-8").splitlines()
    assert line.startswith('{"Straße": "Überweg", ')
    assert json.loads(line)["eb_full_name"] == "Zoë Łuk"


MANY = b"zoe@acme.example,\n" * 20_000
OTHER = "--encoding cp1252 for a file from Windows or Excel"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"mail,Stra\xdfe\nzoe@acme.example,\n", f"line 1 is not UTF-8: pass its encoding, such as {OTHER}"),
        (b"mail,city\nzoe@acme.example,M\xfcnchen\n", "line 2 is not UTF-8"),
        (b"Stra\xdfen\n\nmail,city\nzoe@acme.example,\n", "line 1 is not UTF-8"),
        # Beyond what is read at once.
        (b"mail,city\n" + MANY + b",M\xfcnchen\n", "line 20002 is not UTF-8"),
        ("mail,city\nzoe@acme.example,München\n".encode("utf-16"), "is UTF-16: pass --encoding utf-16"),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_before_anything_is_sent(
    content: bytes, said: str, *, zoe: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(content)
    requests = len(zoe.ledger.requests)
    for command in (["enrich", "-o", str(output), *against(zoe), "--yes"], ["plan"]):
        assert main([*command, str(source), "--by", "mail"]) == ExitCode.FILES
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
        assert "nchen" not in told
    assert len(zoe.ledger.requests) == requests
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "content", "said"),
    [
        (
            ["--encoding", "utf-8"],
            b"mail,city\n,M\xfc\n",
            "line 2 is not utf-8: pass the file's own encoding",
        ),
        (["--encoding", "cp1252"], b"mail,city\n,\x81\n", "line 2 is not cp1252: pass the file's own"),
        (["--encoding", "cp1252"], "mail\nü\n".encode("utf-16"), "is UTF-16: pass --encoding utf-16"),
        (["--encoding", "cp1252"], "mail\nü\n".encode("utf-8-sig"), "leave out --encoding"),
    ],
)
def test_another_encoding_than_the_given_one_is_refused(
    options: list[str], content: bytes, said: str, *, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(content)
    assert main(["plan", str(source), "--by", "mail", *options]) == ExitCode.FILES
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["in.csv", "--encoding", "cp125"],
            "'--encoding': 'cp125' is not an encoding that Python knows, such as",
        ),
        (["in.csv", "--encoding", "hex"], "'hex' is not an encoding that Python knows"),
        (["in.parquet", "--encoding", "cp1252"], "--encoding is for text files, and the input is parquet"),
        (["in.jsonl", "--encoding", "bytes"], "--encoding bytes is for CSV, and the input is jsonl"),
        (["in.csv", "--encoding", "bytes", "-o", "out.tsv"], "--encoding bytes is for CSV that becomes CSV"),
        (
            ["in.csv", "--encoding", "bytes", "-o", "out.jsonl"],
            "--encoding bytes is for CSV that becomes CSV",
        ),
        (
            ["-", "--from", "csv", "--encoding", "bytes", "--to", "tsv"],
            "for CSV that becomes CSV with the same",
        ),
        (
            ["-", "--from", "csv", "--encoding", "bytes", "-o", "out.xlsx"],
            "for CSV that becomes CSV with the same",
        ),
    ],
)
def test_an_encoding_is_checked_before_anything_is_sent(
    options: list[str], said: str, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_bytes(b"mail,city\nzoe@acme.example,M\xfcnchen\n")
    done = run("enrich", *options, "--by", "mail", "--sandbox", stdin=b"mail\n", cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert said in " ".join(done.stderr.decode().split())
    assert done.stdout == b""


def test_a_stream_ends_where_it_is_not_utf8_and_keeps_what_was_paid_for(zoe: Sandbox) -> None:
    stream = b"mail,city\nzoe@acme.example,\n" + MANY + b",M\xfcnchen\n" + MANY
    given = ["enrich", "-", "--from", "csv", "--by", "mail", *FIND, *against(zoe), "--yes", "--json"]
    before = zoe.ledger.credits
    done = run(*given, stdin=stream)
    assert done.returncode == ExitCode.FILES
    assert b"line 20003 is not UTF-8: pass its encoding" in done.stderr
    assert b"nchen" not in done.stderr
    receipt = last_line(done)
    assert receipt["credits"] == zoe.ledger.credits - before
    assert receipt["lost_credits"] == 0
    rows = list(csv.reader(done.stdout.decode().splitlines()))
    assert receipt["kept_rows"] == receipt["rows"] == len(rows) - 1
    # Bytes that nobody can read are copied only if that is asked for.
    done = run(*given, "--encoding", "bytes", stdin=stream)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert b"\n,M\xfcnchen,missing," in done.stdout


def test_a_cell_of_unknown_bytes_says_what_to_do(zoe: Sandbox, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b"mail\nzo\xeb@acme.example\nzoe@acme.example\n")
    done = run("enrich", source, "--by", "mail", *FIND, *against(zoe), "--encoding", "bytes")
    assert done.returncode == ExitCode.DONE, done.stderr
    refused = next(line for line in done.stdout.splitlines() if line.startswith(b"zo\xeb"))
    assert (
        b"a letter that could not be read as text (U+FFFD): correct it, or pass the encoding of the file, "
        b"as in --encoding cp1252"
    ) in refused
