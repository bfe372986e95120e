"""The mark of the pytest plugin: it protects a test by itself, and a mistake in it is named."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def run_tests(folder: Path, text: str) -> str:
    """What pytest says about these tests, run where nothing else protects them."""
    (folder / "test_theirs.py").write_text(f"import os, pytest, unittest\n{text}", encoding="utf-8")
    is_loaded = any(each.value == "pytest_exactbuyer" for each in entry_points(group="pytest11"))
    plugin = [] if is_loaded else ["-p", "pytest_exactbuyer"]
    there = {name: value for name, value in os.environ.items() if name != "EXACTBUYER_OFFLINE"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", *plugin]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=there)
    return done.stdout


def test_a_mark_without_the_fixture_protects_the_test(tmp_path: Path) -> None:
    told = run_tests(
        tmp_path,
        """
@pytest.fixture
def theirs():
    assert os.environ["EXACTBUYER_OFFLINE"] == "1"

@pytest.mark.exactbuyer_sandbox
def test_plain(theirs): pass

@pytest.mark.exactbuyer_sandbox(match_rate=0.0)
class TestAll:
    def test_one(self): assert os.environ["EXACTBUYER_OFFLINE"] == "1"
    def test_two(self, exactbuyer_sandbox): assert exactbuyer_sandbox.url

@pytest.mark.exactbuyer_sandbox
class TestCase(unittest.TestCase):
    def test_three(self): assert os.environ["EXACTBUYER_OFFLINE"] == "1"

def test_without_the_mark(): assert "EXACTBUYER_OFFLINE" not in os.environ
""",
    )
    assert "5 passed" in told, told


def test_the_sandbox_comes_before_all_other_fixtures_of_a_test(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if "late" in item.name:
            item.add_marker("exactbuyer_sandbox")
""",
        encoding="utf-8",
    )
    told = run_tests(
        tmp_path,
        """
@pytest.fixture
def theirs():
    return os.environ.get("EXACTBUYER_OFFLINE")

@pytest.mark.exactbuyer_sandbox(match_rate=1)
def test_mark_and_name(theirs, exactbuyer_sandbox): assert theirs == "1"

def test_name(theirs, exactbuyer_sandbox): assert theirs == "1"

def test_late(theirs): assert theirs == "1"

@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.exactbuyer_sandbox), 3])
def test_one_case(n, theirs): assert theirs == ("1" if n == 2 else None)
""",
    )
    assert "6 passed" in told, told


def test_items_of_other_plugins_need_not_be_functions(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        """
import pytest

class Mine(pytest.Item):
    fixturenames = ["theirs"]

    def runtest(self): assert self.fixturenames == ["exactbuyer_sandbox", "theirs"]

def pytest_collection_modifyitems(session, items):
    items.append(Mine.from_parent(session, name="mine"))
    items[-1].add_marker("exactbuyer_sandbox")
""",
        encoding="utf-8",
    )
    told = run_tests(tmp_path, "def test_a_function(): pass\n")
    assert "2 passed" in told, told


def test_the_end_of_a_test_leaves_the_protection_of_all_tests(tmp_path: Path) -> None:
    told = run_tests(
        tmp_path,
        """
@pytest.fixture(scope="session", autouse=True)
def of_all():
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EXACTBUYER_OFFLINE", "1")
        yield

@pytest.mark.exactbuyer_sandbox
def test_first(): assert os.environ["EXACTBUYER_OFFLINE"] == "1"

def test_second(): assert os.environ["EXACTBUYER_OFFLINE"] == "1"
""",
    )
    assert "2 passed" in told, told


def test_a_test_that_undoes_its_changes_is_still_protected(tmp_path: Path) -> None:
    told = run_tests(
        tmp_path,
        """
def test_mine(monkeypatch, exactbuyer_sandbox):
    monkeypatch.undo()
    assert os.environ["EXACTBUYER_OFFLINE"] == "1"
    assert os.environ["EXACTBUYER_BASE_URL"] == exactbuyer_sandbox.url

def test_after_it(): assert "EXACTBUYER_BASE_URL" not in os.environ
""",
    )
    assert "2 passed" in told, told


def test_enrichers_that_name_no_service_use_the_sandbox_of_the_test(tmp_path: Path) -> None:
    told = run_tests(
        tmp_path,
        """
import subprocess, sys
from exactbuyer import BulkEnricher

@pytest.mark.exactbuyer_sandbox(match_rate=1)
def test_mine(exactbuyer_sandbox):
    with BulkEnricher() as enricher:
        assert enricher.settings.store is None
        assert enricher.enrich(["ana@x.example"])[0]["status"] == "found"
    command = [sys.executable, "-m", "exactbuyer", "enrich", "-", "--from", "csv", "--by", "mail"]
    done = subprocess.run(command, input=b"mail\\nbo@x.example\\n", check=True, capture_output=True)
    assert b"uses http://127.0.0.1" in done.stderr
    assert b"because EXACTBUYER_BASE_URL is set" in done.stderr
    for value in ["ana@x.example", "bo@x.example"]:
        assert exactbuyer_sandbox.ledger.times_billed(value) == 1
""",
    )
    assert "1 passed" in told, told
    assert not list(tmp_path.rglob("*.db"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("matchrate=1", "has no setting 'matchrate': did you mean 'match_rate'? It has match_rate, seed,"),
        ("colour='red'", "has no setting 'colour': it has match_rate, seed,"),
        ("0.5", "takes settings by name, as in @pytest.mark.exactbuyer_sandbox(match_rate=1.0)"),
    ],
)
def test_a_mistake_in_the_mark_is_named(settings: str, said: str, tmp_path: Path) -> None:
    told = run_tests(tmp_path, f"@pytest.mark.exactbuyer_sandbox({settings})\ndef test_mine(): pass\n")
    assert f"@pytest.mark.exactbuyer_sandbox {said}" in told, told
    assert "1 error" in told
    assert "TypeError" not in told
