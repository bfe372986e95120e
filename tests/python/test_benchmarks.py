"""The table says what was measured: ratios are of one turn, and medians of those."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import measure
import report
import run
import workload


def figures(peer: str, cpu_s: float) -> report.Figures:
    return {
        "peer": peer,
        "run_cpu_s": cpu_s,
        "run_and_columns_cpu_s": 2 * cpu_s,
        "run_peak_mb": 100 * cpu_s,
        "more_objects_cpu_s": cpu_s / 10,
    }


def test_ratios_are_taken_within_a_turn() -> None:
    turns = [
        [figures("requests_loop", theirs), figures(run.OURS, ours)]
        for theirs, ours in [(4, 1), (8, 4), (2, 0.2)]
    ]
    table = report.comparison(turns, run.OURS, median).splitlines()
    assert table[2] == "| `requests` in a loop | 4.00 | 8.00 | 400 | 0.25 | 0.25 | 0.25 | 0.40 |"
    assert table[3].startswith("| **`exactbuyer`** | 1.00 |")


def test_a_heap_is_compared_with_a_new_process_of_its_turn() -> None:
    turns = [[figures(run.OURS, plain * share) for share in (1, 1.1, 1.2, 2)] for plain in (1, 5)]
    table = report.heaps(turns, measure.HEAPS.values(), median).splitlines()
    assert table[2] == "| those of a new process | 1.00 | 1.00 | 0.30 |"
    assert table[5] == "| these, after `gc.freeze()` | 2.00 | 2.00 | 0.60 |"


def test_every_contestant_has_a_file_and_a_name() -> None:
    files = {path.stem for path in (ROOT / "benchmarks/peers").glob("*.py")} - {"__init__"}
    assert files == set(run.PEERS) == set(report.NAMES)


def test_the_page_has_a_place_for_the_table() -> None:
    page = (ROOT / report.PAGE).read_text(encoding="utf-8")
    filled = report.filled(page, "the table")
    assert "<!-- bench -->\nthe table\n<!-- /bench -->" in filled
    assert report.filled(filled, "the table") == filled
    with pytest.raises(ValueError, match="no place"):
        report.filled("nothing", "the table")


def test_contestants_that_did_not_do_the_same_work_are_not_compared() -> None:
    same = [{"peer": "a", "results": 2, "matched": 1}, {"peer": "b", "results": 2, "matched": 1}]
    run.check_same_work(same, 2)
    with pytest.raises(SystemExit, match="not the same work"):
        run.check_same_work([same[0], same[1] | {"matched": 0}], 2)
    with pytest.raises(SystemExit, match="not the same work"):
        run.check_same_work(same, 3)


def test_rows_are_distinct_and_mixed() -> None:
    rows = workload.make_rows(10_000)
    assert len(set(rows)) == 10_000
    assert {kind for kind, _ in rows} == {"email", "phone", "social_profile"}


def test_columns_read_what_is_there_and_pass_over_what_is_not() -> None:
    full = {
        "full_name": "A B",
        "phone_numbers": [{"E164": "+1"}],
        "employment": {"name": "F", "job": {"title": "T"}},
    }
    table = workload.columns(
        [
            {"value": "x", "enriched_contact": full},
            {"value": "y", "enriched_contact": None},
            {"value": "z", "enriched_contact": {"employment": None, "education": []}},
        ]
    )
    assert [len(row) for row in table] == [12, 12, 12]
    assert (table[0][1], table[0][5], table[0][10]) == ("A B", "+1", "T")
    assert table[1][1:] == table[2][1:] == (None,) * 11
