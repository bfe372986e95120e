"""Every example runs, against the sandbox, as the person who clones the repository would run it."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
CONTACTS = EXAMPLES / "contacts.csv"
README = ROOT / "README.md"


def test_every_example_has_its_test() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"}} == {
        "enrich_csv.py",
        "quickstart.ipynb",
    }


def test_enrich_csv(tmp_path: Path) -> None:
    output = tmp_path / "enriched.csv"
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "enrich_csv.py", CONTACTS, "-o", output],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr

    with CONTACTS.open(encoding="utf-8", newline="") as file:
        before = list(csv.DictReader(file))
    with output.open(encoding="utf-8", newline="") as file:
        after = list(csv.DictReader(file))
    assert [{column: row[column] for column in before[0]} for row in after] == before
    statuses = {row["status"] for row in after}
    assert {"found", "missing", "invalid"} <= statuses <= {"found", "not_found", "missing", "invalid"}
    assert all(bool(row["found_by"]) == (row["status"] == "found") for row in after)

    # Two spellings of one person are one person.
    ana = [row for row in after if row["name"] == "Ana Almeida"]
    assert len(ana) == 2
    assert ana[0]["enriched_email"] == ana[1]["enriched_email"]

    # The plan, the progress, the receipt, the first rows, and the way to the real service.
    assert "credits" in done.stdout
    assert "60/60 rows 100%" in done.stderr
    assert "Eszter Kovács" in done.stdout
    assert "EXACTBUYER_API_KEY" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["enriched.csv"]
    # The README shows what it prints, but for how long it took.
    shown = README.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0].splitlines()
    assert len(shown) == 13
    printed = done.stdout.splitlines()
    for line in shown:
        title = line.partition("  ")[0] if line.startswith("COMPLETE") else line
        assert any(each == line or (title != line and each.startswith(title)) for each in printed), line


def test_enrich_csv_takes_what_excel_writes_and_a_file_without_rows(tmp_path: Path) -> None:
    people, output = tmp_path / "people.csv", tmp_path / "enriched.csv"
    people.write_text("name,email,phone,linkedin\n", encoding="utf-8-sig")
    subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / "enrich_csv.py", people, "-o", output],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert output.read_text(encoding="utf-8").startswith("name,email,phone,linkedin,status,found_by,")


# Jupyter's own packages warn of what is to come in Jupyter.
@pytest.mark.filterwarnings("default")
def test_quickstart_notebook(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "clear the outputs before committing"
    done = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    # As it would be kept, and committed: a canary run looks for the key in it.
    nbformat.write(done, tmp_path / "executed.ipynb")
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert len(code) > 5
    shown = "".join(str(output) for cell in code for output in cell.outputs)
    assert "person2@kumo.example" not in shown
    assert code[-2].outputs[0]["data"]["text/plain"] == "True"
