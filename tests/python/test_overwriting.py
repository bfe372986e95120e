"""What an output may replace: never a store, never an input, and of other files only earlier outputs."""

from __future__ import annotations

import gzip
import itertools
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import COMMAND, PATIENCE_S, against, environment, run

from exactbuyer import BulkEnricher, ConfigError
from exactbuyer._files import atomic, overwrite
from exactbuyer.cli import ExitCode, main
from exactbuyer.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer.sandbox import Sandbox

ROWS = "mail\nana@acme.example\nbob@acme.example\n"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    file = tmp_path / "in.csv"
    file.write_text(ROWS)
    return file


@pytest.fixture
def store(tmp_path: Path, everybody: Sandbox) -> Path:
    """A closed store with answers."""
    path = tmp_path / "s.db"
    with BulkEnricher("any", base_url=everybody.url, store=path) as enricher:
        enricher.enrich(["ana@acme.example", "eve@acme.example"])
    everybody.reset()
    return path


def enrich(sandbox: Sandbox, source: object, output: object, *options: object) -> int:
    given = ["enrich", source, "-o", output, "--by", "mail", "--to", "csv", *against(sandbox), *options, "-q"]
    return main([str(each) for each in given])


def same(path: Path) -> Path:
    return path


def through_a_link(path: Path) -> Path:
    link = path.with_name("link.csv")
    link.symlink_to(path)
    return link


def by_a_hard_link(path: Path) -> Path:
    link = path.with_name("hard.csv")
    link.hardlink_to(path)
    return link


def spelled_otherwise(path: Path) -> Path:
    (path.parent / "folder").mkdir(exist_ok=True)
    return path.parent / "folder" / ".." / path.name


def through_a_linked_folder(path: Path) -> Path:
    link = path.parent / "elsewhere"
    link.symlink_to(path.parent, target_is_directory=True)
    return link / path.name


SPELLINGS: list[Callable[[Path], Path]] = [
    same, through_a_link, by_a_hard_link, spelled_otherwise, through_a_linked_folder,
]  # fmt: skip


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_no_output_replaces_a_store(
    spelled: Callable[[Path], Path],
    csv: Path,
    store: Path,
    everybody: Sandbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, target = store.read_bytes(), spelled(store)
    for options in itertools.product(["--store"], [store, "none"], ["--force", "--yes"]):
        assert enrich(everybody, csv, target, *options) == ExitCode.USAGE
        assert "name another file" in capsys.readouterr().err
    assert store.read_bytes() == before
    assert not everybody.ledger.requests


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal", "-owners", ".unfinished", "-OWNERS", "-wal."])
def test_no_output_takes_the_name_of_a_side_file(
    end: str, csv: Path, store: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    for used, named in [(store, store), ("none", store), ("none", csv.parent / "not-yet.db")]:
        target = Path(f"{named}{end}")
        assert enrich(everybody, csv, target, "--store", used, "--force") == ExitCode.USAGE
        assert "name another file" in capsys.readouterr().err
    assert not everybody.ledger.requests


def test_no_output_is_where_the_store_will_be(csv: Path, everybody: Sandbox) -> None:
    folder = csv.parent
    (folder / "link.csv").symlink_to(folder / "new.db")
    for target in [folder / "new.db", folder / "NEW.db", folder / "link.csv"]:
        assert enrich(everybody, csv, target, "--store", folder / "new.db", "--force") == ExitCode.USAGE
    assert not everybody.ledger.requests
    assert not (folder / "new.db").exists()


def test_no_output_replaces_another_database(csv: Path, everybody: Sandbox) -> None:
    file = csv.parent / "theirs.csv"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    before = file.read_bytes()
    assert enrich(everybody, csv, file, "--force") == ExitCode.USAGE
    assert file.read_bytes() == before
    # A copy of a store may be there, with only its log beside it.
    (csv.parent / "empty.db").touch()
    (csv.parent / "empty.db-wal").touch()
    assert enrich(everybody, csv, csv.parent / "empty.db", "--force") == ExitCode.USAGE


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/fd of this kind")
@pytest.mark.parametrize("target", ["/dev/fd/1", "/dev/stdout", "-"])
def test_a_store_that_is_open_as_standard_output_is_left_alone(
    target: str, csv: Path, store: Path, everybody: Sandbox
) -> None:
    before = store.read_bytes()
    with store.open("ab") as stream:
        done = subprocess.run(
            [*COMMAND, "enrich", csv, "-o", target, "--by", "mail", "--to", "csv", *against(everybody)],
            stdout=stream, stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert store.read_bytes() == before


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_no_output_replaces_the_input(
    spelled: Callable[[Path], Path], csv: Path, everybody: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    for options in [(), ("--force",)]:
        target = csv.parent / ("link.csv" if spelled is through_a_link else "hard.csv")
        target.unlink(missing_ok=True)
        (csv.parent / "elsewhere").unlink(missing_ok=True)
        assert enrich(everybody, csv, spelled(csv), *options) == ExitCode.USAGE
        assert "is also the input" in capsys.readouterr().err
    assert csv.read_text() == ROWS
    assert not everybody.ledger.requests


def test_no_output_replaces_what_is_read_otherwise(csv: Path, everybody: Sandbox) -> None:
    key = csv.parent / "key.csv"
    key.write_text("a-key")
    key.chmod(0o600)
    assert enrich(everybody, csv, key, "--key-file", key, "--force") == ExitCode.USAGE
    assert key.read_text() == "a-key"
    with csv.open() as stdin:
        command = [*COMMAND, "enrich", "-", "--from", "csv", "-o", csv, "--by", "mail", "--force"]
        done = subprocess.run(
            [*map(str, command), *against(everybody)],
            stdin=stdin, stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.USAGE
    assert csv.read_text() == ROWS
    assert not everybody.ledger.requests


def test_no_output_goes_into_the_folder_that_is_read(tmp_path: Path, everybody: Sandbox) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "parts"
    (folder / "country=US").mkdir(parents=True)
    file = folder / "country=US" / "a.parquet"
    parquet.write_table(pyarrow.table({"mail": ["ana@acme.example"]}), file)
    (tmp_path / "hard.parquet").hardlink_to(file)
    given = ["enrich", folder, "--by", "mail", *against(everybody), "--force", "-q"]
    for target in [folder / "out.parquet", folder / "country=US" / "b.parquet", tmp_path / "hard.parquet"]:
        assert main([*map(str, given), "-o", str(target)]) == ExitCode.USAGE
    assert not everybody.ledger.requests


def put_csv(path: Path) -> None:
    path.write_text("name,salary\nana,1\n")


def put_other_bytes(path: Path) -> None:
    path.write_bytes(b"\x00\xff" * 100)


@pytest.mark.parametrize("put", [put_csv, put_other_bytes])
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "tsv", "parquet"])
def test_other_files_are_replaced_only_with_force(
    put: Callable[[Path], None],
    ending: str,
    csv: Path,
    everybody: Sandbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = csv.parent / f"out.{ending}"
    put(target)
    before = target.read_bytes()
    given = ["enrich", str(csv), "-o", str(target), "--by", "mail", *against(everybody), "-q"]
    assert main(given) == ExitCode.USAGE
    assert "earlier output of exactbuyer: name another file, or pass --force" in capsys.readouterr().err
    assert not everybody.ledger.requests
    assert target.read_bytes() == before
    assert main([*given, "--force"]) == ExitCode.DONE
    # From now on it is an earlier output, under any spelling of its path and with any prefix.
    assert main(given) == ExitCode.DONE
    assert main([*given, "--prefix", "x_"]) == ExitCode.DONE
    assert main(given) == ExitCode.DONE


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_an_earlier_output_without_a_row_is_replaced(ending: str, csv: Path, everybody: Sandbox) -> None:
    csv.write_text("mail\n")
    target = csv.parent / f"out.{ending}"
    target.touch()
    given = ["enrich", str(csv), "-o", str(target), "--by", "mail", *against(everybody), "-q"]
    for _ in range(2):
        assert main(given) == ExitCode.DONE


def test_what_appears_at_the_place_meanwhile_is_not_replaced(
    csv: Path, everybody: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = csv.parent / "out.csv"
    begun = atomic.Draft._begin

    def begin(draft: atomic.Draft, path: Path) -> None:
        begun(draft, path)
        put_csv(path)

    monkeypatch.setattr(atomic.Draft, "_begin", begin)
    assert enrich(everybody, csv, target) == ExitCode.FILES
    assert "not an earlier output" in capsys.readouterr().err
    assert target.read_text() == "name,salary\nana,1\n"
    assert not list(csv.parent.glob(".*"))
    assert target.with_name("out.csv").exists()


def test_what_was_kept_of_an_earlier_run_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    drafts = [atomic.Draft(target) for _ in range(3)]
    for draft in drafts:
        os.close(draft.descriptor)
    drafts[0].move(target, 0o600, replace=False)
    with pytest.raises(FileExistsError):
        drafts[1].move(target, 0o600, replace=False)
    drafts[1].move(tmp_path / "out.partial.csv", 0o600, replace=False)
    drafts[2].discard()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.partial.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/fd of this kind")
def test_a_pipe_under_dev_fd_is_written_to(csv: Path, everybody: Sandbox) -> None:
    reader, writer = os.pipe()
    command = [*COMMAND, "enrich", csv, "-o", f"/dev/fd/{writer}", "--to", "csv", "--by", "mail", "-q"]
    done = subprocess.run(
        [*map(str, command), *against(everybody)],
        pass_fds=[writer], stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert len(stream.readlines()) == 3, done.stderr


# Exports


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_no_export_replaces_a_store(spelled: Callable[[Path], Path], store: Path, tmp_path: Path) -> None:
    named = tmp_path / "s.jsonl"
    other = tmp_path / "other.jsonl"
    shutil.copy(store, other)
    store.rename(named)
    with Store(named) as opened:
        before = opened.info().credits
        other_name = spelled(named)
        if other_name.suffix == ".csv":
            other_name = other_name.rename(other_name.with_suffix(".jsonl"))
        for target in [other_name, other]:
            for force in [False, True]:
                with pytest.raises(ConfigError, match="name another file"):
                    opened.export(target, force=force)
        if named.stat().st_nlink > 1:
            # A store with a second name is always refused.
            other_name.unlink()
        assert opened.info().credits == before


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_an_export_replaces_only_an_earlier_one(ending: str, store: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    target = tmp_path / f"all.{ending}"
    put_csv(target)
    with Store(store) as opened:
        with pytest.raises(ConfigError, match=r"not an earlier output of exactbuyer.*force=True"):
            opened.export(target)
        assert target.read_text() == "name,salary\nana,1\n"
        assert opened.export(target, force=True) == 2
        assert opened.export(target) == 2
        link = tmp_path / f"link.{ending}"
        link.symlink_to(target)
        assert opened.export(link) == 2
        assert link.is_symlink()
    if ending == "jsonl.gz":
        assert len(gzip.decompress(target.read_bytes()).splitlines()) == 2


def test_an_export_by_the_command_line(store: Path, tmp_path: Path) -> None:
    target = tmp_path / "all.jsonl"
    put_csv(target)
    refused = run("store", "--store", store, "export", target)
    assert refused.returncode == ExitCode.USAGE
    assert b"pass --force" in refused.stderr
    assert run("store", "--store", store, "export", target, "--force").returncode == ExitCode.DONE
    assert run("store", "--store", store, "export", target).returncode == ExitCode.DONE


# Drafts


def test_a_link_in_the_place_of_a_draft_changes_nothing_of_its_target(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.write_text("secret")
    private.chmod(0o600)
    target = tmp_path / "out.csv"
    draft = atomic.Draft(target)
    os.close(draft.descriptor)
    draft.path.unlink()
    draft.path.symlink_to(private)
    with pytest.raises(OSError, match="another program has replaced it"):
        draft.move(target, 0o644, replace=True)
    draft.discard()
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text() == "secret"
    assert not target.exists()


def test_a_link_in_the_place_of_the_target_does_not_lend_its_mode(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch(mode=0o600)
    other.chmod(0o777)
    link = tmp_path / "out.csv"
    link.symlink_to(other)
    assert atomic.mode_for(link) & 0o111 == 0


def test_a_draft_is_private_until_it_is_in_its_place(tmp_path: Path) -> None:
    draft = atomic.Draft(tmp_path / "out.csv")
    assert draft.path.stat().st_mode & 0o777 == 0o600
    os.close(draft.descriptor)
    draft.move(tmp_path / "out.csv", 0o640, replace=True)
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o640


def test_a_store_with_the_name_of_a_draft_is_not_removed_as_abandoned(store: Path, tmp_path: Path) -> None:
    named = tmp_path / ".out.csv.a1b2c3d4.exactbuyer.tmp"
    store.rename(named)
    left = tmp_path / ".out.csv.a1b2c3d5.exactbuyer.tmp"
    left.touch()
    atomic.remove_left(tmp_path / "out.csv")
    assert named.exists()
    assert not left.exists()


def test_a_disk_without_hard_links_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first, second = drafts = [atomic.Draft(tmp_path / "out.csv") for _ in range(2)]
    for draft in drafts:
        os.close(draft.descriptor)
    first.move(tmp_path / "out.csv", 0o600, replace=False)
    with pytest.raises(FileExistsError):
        second.move(tmp_path / "out.csv", 0o600, replace=False)
    second.discard()


def test_a_store_is_told_by_its_first_bytes_and_its_neighbours(store: Path, tmp_path: Path) -> None:
    assert all(map(overwrite.is_of_a_store, [store, tmp_path / "s.db-wal"]))
    assert overwrite.is_of_a_store(tmp_path / "not-yet.db-owners")
    assert not overwrite.is_of_a_store(tmp_path / "owners")
    assert not overwrite.is_of_a_store(tmp_path)
