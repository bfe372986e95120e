"""Excel's limits, what is left of a run that is stopped, and the extra that is needed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from cli_runs import PATIENCE_S, against, people, start, until
from excel_books import CITY, book, cells, enriched, fill

from exactbuyer.cli import ExitCode, main
from exactbuyer.cli._io import excel_output as _excel_output
from exactbuyer.cli._io import files as _files

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox


@pytest.fixture(autouse=True)
def _a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXACTBUYER_API_KEY", "a-key")


@pytest.mark.parametrize("noted", [True, False])
def test_a_stray_cell_far_away_is_refused_and_not_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, noted: bool
) -> None:
    made = xlsxwriter.Workbook(str(tmp_path / "in.xlsx"))
    fill(made.add_worksheet("A & B"), [["mail"], ["ana@acme.example"]])
    made.worksheets()[0].write(1_048_575, 16_383, "stray")
    made.close()
    if not noted:
        without_dimensions(tmp_path / "in.xlsx")
    assert main(["plan", str(tmp_path / "in.xlsx"), "--by", "mail"]) == ExitCode.FILES
    assert "the cells of sheet 'A & B' reach to row 1,048,576 and column XFD" in capsys.readouterr().err


def without_dimensions(path: Path) -> None:
    """As programs write a sheet that do not know its size before its cells."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, re.sub(rb"<dimension [^>]*>", b"", part))


def test_what_does_not_fit_into_a_sheet_is_told_before_anything_is_sent(
    everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = tmp_path / "in.csv", tmp_path / "out.xlsx"
    given = ["enrich", str(source), "--by", "mail", "-o", str(output), *CITY, *against(everybody)]
    source.write_text("mail,bio\nana@acme.example,\neve@acme.example," + "😀" * 16_384 + "\n")
    assert main(given) == ExitCode.USAGE
    assert "column 'bio' of row 2 has 32,768 characters" in capsys.readouterr().err
    source.write_text("mail," + "x" * 32_768 + "\n")
    assert main(given) == ExitCode.USAGE
    assert "the name of a column has 32,768 characters" in capsys.readouterr().err
    source.write_text("mail," + ",".join(map(str, range(16_384))) + "\n")
    assert main(given) == ExitCode.USAGE
    assert "the output has 16,391 columns, and a sheet at most 16,384" in capsys.readouterr().err
    monkeypatch.setattr(_excel_output, "MAX_ROWS", 3)
    source.write_text(people(3))
    assert main(given) == ExitCode.USAGE
    assert "has 3 rows, and a sheet has room for 2" in capsys.readouterr().err
    assert not output.exists()
    assert everybody.ledger.requests == []
    source.write_text(people(2))
    assert main(given) == ExitCode.DONE
    assert len(cells(output)) == 3


@pytest.mark.parametrize(
    "column",
    [
        pa.array([None, "x" * 32_768], pa.large_string()),
        pa.array([None, "x" * 32_768], pa.string_view()),
        pa.array([None, "x" * 32_768]).dictionary_encode(),
        pa.array([None, b"x" * 32_768]),
        pa.array([None, ["x" * 20_000] * 2]),
        pa.array([None, ["x" * 20_000] * 2], pa.large_list(pa.large_string())),
        pa.array([None, {"text": "x" * 32_768}]),
        pa.array([None, [("key", "x" * 32_768)]], pa.map_(pa.string(), pa.string())),
    ],
    ids=lambda column: str(column.type),
)
def test_text_of_every_type_of_parquet_is_refused_and_not_cut(
    column: Any, everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "out.xlsx"
    given = ["enrich", str(source), "--by", "mail", "-o", str(output), *CITY, *against(everybody)]
    mails = ["ana@acme.example", "eve@acme.example"]
    try:
        pq.write_table(pa.table({"mail": mails, "x": column}), source)
    except pa.ArrowNotImplementedError as trouble:
        # Some versions have a type that they cannot write.
        pytest.skip(str(trouble))
    assert main(given) == ExitCode.USAGE
    assert "column 'x' of row 2 has" in capsys.readouterr().err
    assert everybody.ledger.requests == []
    assert not output.exists()
    pq.write_table(pa.table({"mail": mails, "x": pa.concat_arrays([column.slice(0, 1)] * 2)}), source)
    assert main(given) == ExitCode.DONE


def test_a_stream_that_does_not_fit_keeps_what_was_paid_for(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_excel_output, "MAX_ROWS", 25)
    os.mkfifo(tmp_path / "in.csv")
    writer = subprocess.Popen(
        ["sh", "-c", 'cat > "$0"', tmp_path / "in.csv"], stdin=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    writer.stdin.write(people(60))
    writer.stdin.close()
    given = ["--chunk-size", "10", "--max-concurrency", "1", "--max-in-doubt", "10", "-y", "--store", "none"]
    output = ["-o", str(tmp_path / "out.xlsx"), *CITY, *against(everybody)]
    ending = main(["enrich", str(tmp_path / "in.csv"), "--by", "mail", *given, *output])
    writer.wait(PATIENCE_S)
    assert ending == ExitCode.FILES
    assert "the output has more rows than the 25 of a sheet" in capsys.readouterr().err
    kept = cells(tmp_path / "out.partial.xlsx")
    assert 1 < len(kept) <= 25
    assert {row[2] for row in kept[1:]} == {"found"}


def test_a_sheet_that_is_too_large_for_a_plain_zip_file_is_written(
    everybody: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = book(tmp_path / "in.xlsx", [["mail"], *([f"p{number}@acme.example"] for number in range(50))])
    enriched(everybody, source, tmp_path / "small.xlsx", "--by", "mail")
    assert extensions(tmp_path / "small.xlsx") == set()
    # Of the standard library: from this size on, a member needs the extension.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 4_000)
    large = enriched(everybody, source, tmp_path / "large.xlsx", "--by", "mail")
    assert "xl/worksheets/sheet1.xml" in extensions(tmp_path / "large.xlsx")
    assert [row[0] for row in cells(large)] == [row[0] for row in cells(source)]


def extensions(path: Path) -> set[str]:
    """The members of a zip file that need ZIP64: version 4.5 of the format."""
    with zipfile.ZipFile(path) as archive:
        return {member.filename for member in archive.infolist() if member.extract_version >= 45}


def test_an_answer_that_is_too_long_is_cut_and_told(
    everybody: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everybody.person("ana@acme.example", {"location": {"city": "😀" * 20_000}})
    source = book(tmp_path / "in.xlsx", [["mail"], ["ana@acme.example"]])
    header, row = cells(enriched(everybody, source, tmp_path / "out.xlsx", "--by", "mail"))
    city = row[header.index("eb_city")]
    assert city == "😀" * 16_383 + "…"
    assert "warning: 1 cell of the output had more than 32,767 characters" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["python_calamine", "xlsxwriter"])
def test_without_the_extra_it_is_told_how_to_install_it(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_files, "find_spec", lambda name: None if name == module else find_spec(name))
    (tmp_path / "in.csv").write_text(people(1))
    source = book(tmp_path / "in.xlsx", [["mail"], ["ana@acme.example"]])
    for given in (
        ["plan", str(source)],
        ["enrich", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.xlsx")],
    ):
        assert main([*given, "--by", "mail"]) == ExitCode.USAGE
        assert 'pip install "exactbuyer[excel]"' in capsys.readouterr().err


def test_neither_library_is_imported_before_it_is_needed() -> None:
    code = "import sys, exactbuyer.cli._app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not {"python_calamine", "xlsxwriter", "pyarrow"} & set(loaded.split())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_what_was_paid_for(
    signalled: signal.Signals, everybody: Sandbox, tmp_path: Path
) -> None:
    everybody.fail("hang", request=4)
    source = book(
        tmp_path / "in.xlsx", [["id", "mail"], *([str(n), f"p{n}@acme.example"] for n in range(2_000))]
    )
    slowly = [
        "--max-concurrency",
        "1",
        "--chunk-size",
        "10",
        "--store",
        "none",
        "-y",
        "--grace",
        "0.1",
        *CITY,
    ]
    command = start(
        "enrich", source, "--by", "mail", *slowly, *against(everybody), "-o", tmp_path / "out.xlsx",
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: len(everybody.ledger.requests) == 4)
    command.send_signal(signalled)
    _, told = command.communicate(timeout=PATIENCE_S)
    assert command.returncode == -signalled, told
    assert {entry.name for entry in tmp_path.iterdir()} == {"in.xlsx", "out.partial.xlsx"}
    rows = cells(tmp_path / "out.partial.xlsx")[1:]
    assert [row[2] for row in rows[:40]] == ["found"] * 30 + ["unknown"] * 10
