"""Files that are moved into place on every kind of disk: whole, with one name, and over no other file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from store_runs import emails, enricher

from exactbuyer._files import atomic
from exactbuyer._files.atomic import Draft, remove_left

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer.sandbox import Sandbox

NO_LINKS = [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK]


def names_in(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def draft_with(content: bytes, target: Path) -> Draft:
    draft = Draft(target)
    os.write(draft.descriptor, content)
    os.close(draft.descriptor)
    return draft


def failing_with(code: int, before: Callable[[], object] = lambda: None) -> Callable[..., None]:
    """Does something, and then fails as a function of `os` does."""

    def fail(*_: Any, **__: Any) -> None:
        before()
        raise OSError(code, os.strerror(code))

    return fail


@pytest.fixture(params=NO_LINKS, ids=lambda code: errno.errorcode[code])
def code(request: pytest.FixtureRequest) -> int:
    """How a disk says that it has no hard links."""
    return int(request.param)


def test_a_file_is_moved_without_hard_links(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing_with(code))
    target = tmp_path / "out.csv"
    draft_with(b"whole", target).move(target, 0o640, replace=False)
    assert names_in(tmp_path) == {"out.csv": b"whole"}
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_file_that_was_made_meanwhile_is_kept_without_hard_links(
    code: int, when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    made = (lambda: target.write_bytes(b"another's")) if when == "before" else (lambda: None)
    monkeypatch.setattr(os, "link", failing_with(code, made))
    if when == "during":
        opened = os.open

        def open_after_another(path: Any, flags: int, *args: Any, **how: Any) -> int:
            if Path(path) == target and flags & os.O_CREAT:
                target.write_bytes(b"another's")
            return opened(path, flags, *args, **how)

        monkeypatch.setattr(os, "open", open_after_another)
    draft = draft_with(b"whole", target)
    with pytest.raises(FileExistsError):
        draft.move(target, 0o600, replace=False)
    draft.discard()
    assert names_in(tmp_path) == {"out.csv": b"another's"}


@pytest.mark.parametrize("made", ["replaced", "written to"])
def test_a_claimed_name_that_another_program_takes_is_left_to_it(
    made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.csv"
    monkeypatch.setattr(os, "link", failing_with(errno.EPERM))
    draft = draft_with(b"whole", target)
    opened = os.open

    def open_before_another(path: Any, flags: int, *args: Any, **how: Any) -> int:
        descriptor = opened(path, flags, *args, **how)
        if Path(path) == target and flags & os.O_EXCL:
            monkeypatch.setattr(os, "open", opened)
            if made == "replaced":
                (tmp_path / "new").write_bytes(b"another's")
                (tmp_path / "new").replace(target)
            else:
                target.write_bytes(b"another's")
        return descriptor

    monkeypatch.setattr(os, "open", open_before_another)
    with pytest.raises(FileExistsError):
        draft.move(target, 0o600, replace=False)
    draft.discard()
    assert names_in(tmp_path) == {"out.csv": b"another's"}


@pytest.mark.parametrize(
    ("failing", "error", "after_move", "after_discard"),
    [
        # The link was made: the move goes on.
        ("link", OSError(errno.EIO, "it fails"), {"target"}, {"target"}),
        # The link that was made before the Ctrl-C stays.
        ("link", KeyboardInterrupt(), {"draft", "target"}, {"target"}),
        # The link is removed again, and the draft stays with its owner.
        ("unlink", OSError(errno.EIO, "it fails"), {"draft"}, set()),
        ("unlink", KeyboardInterrupt(), {"draft", "target"}, {"target"}),
        ("rename", OSError(errno.EIO, "it fails"), {"draft"}, set()),
        ("rename", KeyboardInterrupt(), {"draft"}, set()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_a_move_that_fails_leaves_no_second_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    failing: str,
    error: BaseException,
    after_move: set[str],
    after_discard: set[str],
) -> None:
    target = tmp_path / "out.csv"
    draft = draft_with(b"whole", target)
    linked, unlinked = os.link, Path.unlink

    def fail(*_: Any, **__: Any) -> None:
        raise error

    def link_and_fail(*args: Any) -> None:
        linked(*args)
        raise error

    def unlink_others(path: Path, *args: Any, **how: Any) -> None:
        if path == draft.path and not gone:
            gone.append(path)
            raise error
        unlinked(path, *args, **how)

    def left() -> set[str]:
        names = names_in(tmp_path)
        assert set(names.values()) <= {b"whole"}
        return {"target" if name == target.name else "draft" for name in names}

    gone: list[Path] = []
    if failing == "link":
        monkeypatch.setattr(os, "link", link_and_fail)
    elif failing == "unlink":
        monkeypatch.setattr(Path, "unlink", unlink_others)
    else:
        monkeypatch.setattr(os, "link", failing_with(errno.EPERM))
        monkeypatch.setattr(Path, "replace", fail)
    if after_move == {"target"}:
        draft.move(target, 0o600, replace=False)
    else:
        with pytest.raises(type(error)):
            draft.move(target, 0o600, replace=False)
    assert left() == after_move
    draft.discard()
    assert left() == after_discard


def test_a_link_that_was_made_though_the_disk_says_that_it_failed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on NFS, where the reply to the first try can be lost."""
    target = tmp_path / "out.csv"
    linked = os.link

    def link_and_fail(*args: Any) -> None:
        linked(*args)
        raise FileExistsError(errno.EEXIST, "it is there")

    monkeypatch.setattr(os, "link", link_and_fail)
    draft_with(b"whole", target).move(target, 0o600, replace=False)
    assert names_in(tmp_path) == {"out.csv": b"whole"}


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_an_export_to_a_disk_without_links_and_modes(
    code: int, everybody: Sandbox, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stick"
    folder.mkdir()
    monkeypatch.setattr(os, "link", failing_with(code))
    monkeypatch.setattr(os, "fchmod", failing_with(code))
    with enricher(everybody, path) as people:
        people.enrich(emails(2))
        for _ in range(2):
            # The second export replaces the first.
            assert people.store.export(folder / "out.jsonl") == 2
    assert [*names_in(folder)] == ["out.jsonl"]


@pytest.mark.parametrize("there", [True, False])
def test_a_system_that_moves_no_open_file_gets_a_closed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    monkeypatch.setattr(atomic, "MOVES_OPEN_FILES", False)
    target = tmp_path / "out.csv"
    if there:
        target.write_bytes(b"earlier")
    draft = draft_with(b"whole", target)
    own = draft._own
    draft.move(target, 0o640, replace=there)
    assert names_in(tmp_path) == {"out.csv": b"whole"}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(own)


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "it is open"), KeyboardInterrupt()])
def test_a_closed_draft_that_cannot_be_moved_is_moved_elsewhere_or_discarded(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where no program can replace a file that Excel has open."""
    monkeypatch.setattr(atomic, "MOVES_OPEN_FILES", False)
    target = tmp_path / "out.csv"
    target.write_bytes(b"earlier")

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(Path, "replace", fail)
    kept, discarded = draft_with(b"whole", target), draft_with(b"whole", target)
    for draft in (kept, discarded):
        with pytest.raises(type(error)):
            draft.move(target, 0o444, replace=True)
        # Windows does not remove a file that is read-only.
        assert draft.path.stat().st_mode & 0o200
    kept.move(tmp_path / "out.partial.csv", 0o600, replace=False)
    discarded.discard()
    assert names_in(tmp_path) == {"out.csv": b"earlier", "out.partial.csv": b"whole"}


def test_a_closed_draft_that_another_program_has_replaced_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "MOVES_OPEN_FILES", False)
    target = tmp_path / "out.csv"
    draft = draft_with(b"whole", target)
    (tmp_path / "new").write_bytes(b"another's")
    moved = Path.replace

    def replaced_first(*_: Any) -> None:
        moved(tmp_path / "new", draft.path)
        raise PermissionError(errno.EACCES, "it is open")

    monkeypatch.setattr(Path, "replace", replaced_first)
    with pytest.raises(PermissionError):
        draft.move(target, 0o600, replace=True)
    with pytest.raises(OSError, match="Bad file descriptor"):
        draft.move(tmp_path / "out.partial.csv", 0o600, replace=False)
    draft.discard()
    assert names_in(tmp_path) == {draft.path.name: b"another's"}


def test_without_locks_an_old_draft_is_abandoned_and_a_new_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "MOVES_OPEN_FILES", False)
    target = tmp_path / "out.csv"
    old, new = draft_with(b"old", target), draft_with(b"new", target)
    os.utime(old.path, (0, 0))
    remove_left(target)
    assert names_in(tmp_path) == {new.path.name: b"new"}
    old.close()
    new.discard()
    assert not names_in(tmp_path)
