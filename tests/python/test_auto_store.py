"""`store="auto"` where the working directory is no place for a store, here: a synchronised folder."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_runs import COMMAND, environment

import exactbuyer.settings._auto_store as auto
from exactbuyer import BulkEnricher, ConfigError, StoreError, StoreWarning, _core
from exactbuyer.store import Store

if TYPE_CHECKING:
    from exactbuyer.sandbox import Sandbox

ROWS = ["ana@acme.example", "bob@acme.example"]
NAME = "api.exactbuyer.com.db"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on a local disk, with the working directory in a synchronised folder of it."""
    here = tmp_path / "Dropbox" / "project"
    here.mkdir(parents=True)
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(auto, "_warned", set())
    monkeypatch.setattr(auto, "_elsewhere", {})
    return tmp_path


def placed() -> Path:
    """Where the store of an enricher without settings is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        store = BulkEnricher().store
    return store.path


def test_the_store_goes_to_a_local_disk_and_that_is_said_once(home: Path) -> None:
    with pytest.warns(StoreWarning, match=r"in a folder that is synchronised \(Dropbox\)") as caught:
        first = BulkEnricher()
    path = first.store.path
    assert path.name == NAME
    assert path.parent.parent == home / ".local" / "state" / "exactbuyer"
    assert str(path) in str(caught[0].message)
    assert "set store to a path on a local disk" in str(caught[0].message)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BulkEnricher().settings.store == str(path)
        assert "store" not in repr(first)
    # Nothing was made yet.
    assert not (home / ".local").exists()
    assert list((home / "Dropbox" / "project").iterdir()) == []


def test_each_place_is_judged_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Path] = []
    real = _core.disk_trouble

    def disk_trouble(path: Path) -> str | None:
        judged.append(path)
        return real(path)

    monkeypatch.setattr(auto, "disk_trouble", disk_trouble)
    path = placed()
    assert judged == [home / "Dropbox" / "project" / ".exactbuyer" / NAME, path]


def test_each_directory_has_its_own_store_and_finds_it_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = placed()
    other = home / "Dropbox" / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    assert placed() != first
    monkeypatch.chdir(home / "Dropbox" / "project")
    assert placed() == first
    monkeypatch.chdir(home)
    assert placed() == home / ".exactbuyer" / NAME


def test_the_store_there_works_and_is_private(home: Path, everybody: Sandbox) -> None:
    path = placed()
    for _ in range(2):
        with BulkEnricher("a-key", base_url=everybody.url, store=path) as enricher:
            enricher.enrich(ROWS, progress=False)
    assert everybody.ledger.credits == len(ROWS)
    for folder in (path.parent, path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert home in path.parents


@pytest.mark.parametrize("state", ["synchronised", "not writable", "a file", "no home"])
def test_without_a_lasting_folder_the_store_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """What a job's temporary folder holds is gone when the job ends, and would be paid for again."""
    if state == "synchronised":
        monkeypatch.setenv("XDG_STATE_HOME", str(home / "OneDrive - Acme"))
    elif state == "not writable":
        # For root every folder is writable.
        monkeypatch.setattr(os, "access", lambda *_: False)
    elif state == "a file":
        (home / ".local").write_bytes(b"")
    else:
        monkeypatch.setattr(Path, "home", no_home)
    usual = home / "Dropbox" / "project" / ".exactbuyer" / NAME
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BulkEnricher("a-key").settings.store == str(usual)
    with pytest.raises(StoreError) as caught, BulkEnricher("a-key", store="auto") as enricher:
        enricher.enrich(ROWS, progress=False)
    for words in ("synchronised (Dropbox)", "use a path on a local disk", "store=None"):
        assert words in str(caught.value)
    # Nothing was made anywhere.
    assert list((home / "temporary").iterdir()) == []
    assert list((home / "Dropbox" / "project").iterdir()) == []


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_an_explicit_path_is_refused_with_the_way_out(home: Path, everybody: Sandbox) -> None:
    path = home / "Dropbox" / "people.db"
    with (
        BulkEnricher("a-key", base_url=everybody.url, store=path) as enricher,
        pytest.raises(StoreError) as caught,
    ):
        enricher.enrich(ROWS, progress=False)
    message = str(caught.value)
    for words in ("synchronised (Dropbox)", "use a path on a local disk", "store=None", "merge"):
        assert words in message
    assert everybody.ledger.requests == []
    assert list((home / "Dropbox").iterdir()) == [home / "Dropbox" / "project"]


def test_a_store_that_is_there_already_is_used_with_a_warning(home: Path, everybody: Sandbox) -> None:
    path, moved = home / "people.db", home / "Dropbox" / "people.db"
    with BulkEnricher("a-key", base_url=everybody.url, store=path) as enricher:
        enricher.enrich(ROWS, progress=False)
    path.rename(moved)
    with (
        pytest.warns(StoreWarning, match=r"synchronised \(Dropbox\).*move it to a local disk"),
        BulkEnricher("a-key", base_url=everybody.url, store=moved) as enricher,
    ):
        assert enricher.enrich(ROWS, progress=False).receipt.credits == 0
    assert everybody.ledger.credits == len(ROWS)


def test_a_store_that_is_there_already_is_not_replaced_by_an_empty_one(home: Path) -> None:
    usual = home / "Dropbox" / "project" / ".exactbuyer" / NAME
    usual.parent.mkdir()
    usual.write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BulkEnricher().settings.store == str(usual)
    with pytest.raises(StoreError, match="move a store that is there already"), Store(usual) as store:
        store.info()


def test_the_command_line_finds_the_same_store(home: Path) -> None:
    import subprocess

    done = subprocess.run(
        [*COMMAND, "store", "info"],
        env=environment() | {"TMPDIR": str(home / "temporary")},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert str(placed()) in done.stderr.decode()
    assert done.stderr.decode().startswith("exactbuyer: warning: a store in the working directory would lie")
    assert "set --store to a path on a local disk" in done.stderr.decode()


def test_the_environment_names_the_store_that_auto_means(
    home: Path, monkeypatch: pytest.MonkeyPatch, everybody: Sandbox
) -> None:
    monkeypatch.setenv("EXACTBUYER_STORE", str(home / "volume" / "people.db"))
    with pytest.raises(ConfigError, match=r"^EXACTBUYER_STORE is in the folder .*volume, which does not"):
        BulkEnricher("key")
    (home / "volume").mkdir()
    assert BulkEnricher("key").settings.store == str(home / "volume" / "people.db")
    assert BulkEnricher("key", store=home / "own.db").settings.store == str(home / "own.db")
    assert BulkEnricher("key", store=None).settings.store is None
    assert BulkEnricher("key", base_url=everybody.url).settings.store is None, "invented people are not kept"
    monkeypatch.setenv("EXACTBUYER_STORE", "none")
    assert BulkEnricher("key").settings.store is None
    assert BulkEnricher("key", store="none").settings.store == str(Path("none").absolute())
    monkeypatch.setenv("EXACTBUYER_STORE", " ")
    with pytest.raises(ConfigError, match=r"^EXACTBUYER_STORE must be .* got an empty text"):
        BulkEnricher("key")
    monkeypatch.setenv("EXACTBUYER_STORE", "postgresql://me:hush@host/db")
    with pytest.raises(ConfigError, match=r"^EXACTBUYER_STORE must be the path of a file") as refused:
        BulkEnricher("key")
    assert "hush" not in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="a working directory cannot be removed there")
def test_the_representation_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    enrichers = [BulkEnricher(grace=1), BulkEnricher(store="people.db"), BulkEnricher(store=None)]
    shown = [
        "BulkEnricher(grace=1.0)",
        f"BulkEnricher(store={str(here / 'people.db')!r})",
        "BulkEnricher(store=None)",
    ]
    assert [repr(enricher) for enricher in enrichers] == shown
    os.chdir(tmp_path)
    assert [repr(enricher) for enricher in enrichers] == shown
    os.chdir(here)
    here.rmdir()
    assert [repr(enricher) for enricher in enrichers] == shown
