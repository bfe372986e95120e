"""When `close()` or a `with` block returns, the store's files are complete and closed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from store_runs import emails, enricher

from exactbuyer import ConfigError
from exactbuyer.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from exactbuyer.sandbox import Sandbox

ROUNDS = 30
PEOPLE = emails(ROUNDS)


def hits(path: Path) -> int:
    with Store(path) as store:
        return int(store.info().hits)


@pytest.mark.parametrize("kind", ["enrich", "stream", "broken off"])
def test_a_copy_made_right_after_has_the_last_answer(
    everybody: Sandbox, path: Path, tmp_path: Path, kind: str
) -> None:
    """Also if a reference to the iterator of an interrupted call is kept."""
    kept = []
    for number, row in enumerate(PEOPLE, start=1):
        with enricher(everybody, path) as people:
            if kind == "enrich":
                people.enrich([row])
            else:
                rows = people.stream([row])
                kept.append(rows)
                assert next(rows)["status"] == "found"
                if kind == "stream":
                    assert list(rows) == []
        assert not path.with_name(f"{path.name}-wal").exists()
        copy = tmp_path / f"copy{number}.db"
        shutil.copy(path, copy)
        assert hits(copy) == number


def test_files_deleted_right_after_can_be_made_anew(everybody: Sandbox, path: Path) -> None:
    for _ in range(ROUNDS):
        with enricher(everybody, path) as people:
            assert people.enrich(PEOPLE[:1]).receipt.credits == 1
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


def test_a_backup_is_a_store_by_itself(everybody: Sandbox, path: Path, tmp_path: Path) -> None:
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE[:3])
        backup = people.store.backup(tmp_path / "backup.db")
        people.enrich(PEOPLE[3:4])
        with pytest.raises(ConfigError, match="is there already"):
            people.store.backup(backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert hits(backup) == 3
    with enricher(everybody, backup) as people:
        assert people.enrich(PEOPLE[:4]).receipt.from_store == 3


def test_who_else_uses_the_store_goes_on(everybody: Sandbox, path: Path) -> None:
    """After the first `close()` all answers are on the disk; the last `close()` closes the files."""
    log = path.with_name(f"{path.name}-wal")
    first, second = enricher(everybody, path), enricher(everybody, path)
    first.enrich(PEOPLE[:1])
    second.enrich(PEOPLE[1:2])
    first.close()
    assert log.exists()
    assert second.enrich(PEOPLE[:3]).receipt.from_store == 2
    with second.store as store:
        assert store.info().hits == 3
    # `enricher.store` counts as a user of its own. After `close()`, its next use opens the store again.
    assert second.enrich(PEOPLE[:4]).receipt.from_store == 3
    second.close()
    assert not log.exists()
    assert hits(path) == 4
