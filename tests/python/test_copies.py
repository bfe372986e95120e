"""Copies of an enricher: a copy that does not share the store of its original does not send."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import cli_runs
import pytest
from keys import KEY
from store_runs import emails, enricher
from test_secrets import leaks
from test_store_processes import answer, start

from exactbuyer import Budget, BulkEnricher, ConfigError
from exactbuyer._calls import session as _session
from exactbuyer._calls.copies import with_login
from exactbuyer._calls.list_call import ListCall
from exactbuyer._calls.options import CallOptions
from exactbuyer.report.progress import Watch
from exactbuyer.store import Store, migrate

if TYPE_CHECKING:
    from collections.abc import Callable

    from exactbuyer.sandbox import Sandbox
    from exactbuyer.settings import Settings

PEOPLE = emails(6)

COPY = """
import pickle
rows, pickled = rest
with pickle.loads(bytes.fromhex(pickled)) as copied:
    try:
        told = copied.enrich(rows).receipt.credits
    except ConfigError as error:
        told = str(error)
print(json.dumps(told))
"""


def in_another_process(sandbox: Sandbox, pickled: bytes) -> Any:
    """What a copy in another process spends in credits, or why it refuses."""
    return answer(start(COPY, sandbox.url, "", PEOPLE, pickled.hex()))


def enrich(copied: BulkEnricher) -> int:
    """Calls the enricher as a worker of a pool does."""
    return copied.enrich(PEOPLE).receipt.credits


CEILINGS: list[dict[str, Any]] = [{}, {"max_credits": 10}, {"max_credits": Budget(10, "run")}]


@pytest.mark.parametrize("settings", CEILINGS)
def test_a_copy_with_the_store_of_its_original_pays_for_nothing_again(
    everybody: Sandbox, path: Path, settings: dict[str, Any]
) -> None:
    people = enricher(everybody, path, **settings)
    # Before the original has asked anything: the store is made, so that copies share it.
    pickled = pickle.dumps(people)
    assert in_another_process(everybody, pickled) == 6
    assert people.enrich(PEOPLE).receipt.credits == 0
    people.close()
    assert in_another_process(everybody, pickle.dumps(people)) == 0
    assert everybody.ledger.credits == 6


@pytest.mark.parametrize("settings", CEILINGS)
@pytest.mark.parametrize(
    "become", ["nothing", "another store", "a copy of the file", "an earlier copy in place"]
)
def test_a_copy_whose_store_is_another_does_not_send(
    everybody: Sandbox, path: Path, settings: dict[str, Any], become: str
) -> None:
    with enricher(everybody, path, **settings) as people:
        people.enrich(PEOPLE[:1])
        # What a machine has that was made from an image of this one.
        earlier = people.store.backup(path.with_name("earlier.db")).read_bytes()
        pickled = pickle.dumps(people)
    kept = path.with_name("kept.db")
    for file in path.parent.glob(f"{path.name}*"):
        if become == "an earlier copy in place":
            file.write_bytes(earlier if file == path else file.read_bytes())
        else:
            shutil.move(file, file.with_name(file.name.replace(path.name, kept.name)))
    if become == "another store":
        with enricher(everybody, path) as other:
            other.enrich(PEOPLE[:1])
    elif become == "a copy of the file":
        shutil.copy(kept, path)
    before = everybody.ledger.credits
    told = in_another_process(everybody, pickled)
    assert "does not have the store" in told, told
    assert "copies='independent'" in told
    # A copy of the copy refuses, too.
    again = pickle.loads(pickle.dumps(pickle.loads(pickled)))
    with pytest.raises(ConfigError, match="does not have the store"):
        again.enrich(PEOPLE)
    assert everybody.ledger.credits == before
    assert path.exists() == (become != "nothing")


def test_a_store_has_one_mark_for_all_copies_of_an_enricher(everybody: Sandbox, path: Path) -> None:
    with enricher(everybody, path) as people:
        people.enrich(PEOPLE)
        copies = [pickle.loads(pickle.dumps(people)) for _ in range(3)]
        copies.append(pickle.loads(pickle.dumps(copies[0])))
        assert len({copied._session._origin.store.mark for copied in copies}) == 1
        assert [enrich(copied) for copied in copies] == [0] * 4
        # What a forked child pickles has a mark, too: its parent may not have pickled anything.
        with enricher(everybody, path) as forked:
            forked.enrich(PEOPLE)
            forked._session.after_fork()
            copied = pickle.loads(pickle.dumps(forked))
            assert copied._session._origin.store.mark not in {None, copies[0]._session._origin.store.mark}
            assert enrich(copied) == 0


def test_a_copy_without_a_store_does_not_send_in_another_process(everybody: Sandbox) -> None:
    people = BulkEnricher(KEY, base_url=everybody.url)
    told = in_another_process(everybody, pickle.dumps(people))
    assert "without a store" in told
    assert "use a store that all of them reach" in told
    assert everybody.ledger.credits == 0
    # In the same process a copy may send as its original may.
    assert pickle.loads(pickle.dumps(people)).enrich(PEOPLE).receipt.credits == 6
    assert copy.copy(people) is copy.deepcopy(people) is people


@pytest.mark.parametrize("settings", CEILINGS)
def test_an_independent_copy_pays_on_its_own(everybody: Sandbox, settings: dict[str, Any]) -> None:
    people = BulkEnricher(KEY, base_url=everybody.url, copies="independent", **settings)
    assert people.enrich(PEOPLE).receipt.credits == 6
    assert in_another_process(everybody, pickle.dumps(people)) == 6
    assert pickle.loads(pickle.dumps(people)).settings.copies == "independent"


def test_a_copy_without_a_key_says_where_copies_take_it_from(
    everybody: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EXACTBUYER_API_KEY", raising=False)
    people = BulkEnricher(KEY, base_url=everybody.url, copies="independent")
    copied = pickle.loads(pickle.dumps(people))
    with pytest.raises(ConfigError, match="Set EXACTBUYER_API_KEY in the process that uses the copy"):
        copied.enrich(PEOPLE)
    monkeypatch.setenv("EXACTBUYER_API_KEY", "any")
    assert copied.enrich(PEOPLE).receipt.credits == 6


def test_an_independent_copy_makes_no_store_until_it_is_used(everybody: Sandbox, path: Path) -> None:
    people = enricher(everybody, path, copies="independent")
    pickled = pickle.dumps(people)
    assert not path.exists()
    assert in_another_process(everybody, pickled) == 6


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_a_pool_share_the_store(
    everybody: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    if method not in {"spawn", *(["fork"] if hasattr(os, "fork") else [])}:
        pytest.skip("there is no fork here")
    monkeypatch.setenv("EXACTBUYER_API_KEY", KEY)
    # The pool starts its workers before the store is open: forks with threads are tested elsewhere.
    context = get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool, enricher(everybody, path) as people:
        assert sum(pool.map(enrich, [people] * 4)) == 6
    assert everybody.ledger.credits == 6


def test_threads_use_the_enricher_itself(everybody: Sandbox) -> None:
    people = BulkEnricher(KEY, base_url=everybody.url)
    threads = [threading.Thread(target=enrich, args=(people,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert people.receipt.rows == 18


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_whose_store_is_gone_does_not_send(everybody: Sandbox, path: Path) -> None:
    script = """
    rows, = rest
    with BulkEnricher(base_url=url, store=path) as people:
        people.enrich(rows[:1])
        for name in os.listdir(os.path.dirname(path)):
            os.unlink(os.path.join(os.path.dirname(path), name))
        child = os.fork()
        if not child:
            status = 1
            try:
                people.enrich(rows)
            except ConfigError as error:
                status = 0 if "does not have the store" in str(error) else 2
            except StoreError as error:
                status = 0
            finally:
                os._exit(status)
        print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
    """
    place = path.with_name("alone")
    place.mkdir()
    assert answer(start(script, everybody.url, place / "people.db", PEOPLE)) == 0
    assert everybody.ledger.credits == 1


SECRET = "hu5h"
ADDRESSES = [
    f"postgresql://u:{SECRET}@h/db",
    f"  postgresql+psycopg://u:{SECRET}@h/db",
    f"PostgreSQL://u:{SECRET}@h/db?sslmode=require",
    f"jdbc:postgresql://h/db?user=u&password={SECRET}",
    f"postgres:u:{SECRET}@h/db",
    f"u:{SECRET}@h/db",
    f"host=h user=u password={SECRET}",
    f"file:people.db?key={SECRET}",
    f"file:///home/{SECRET}.db",
    f"sqlite:///{SECRET}.db",
    f"sqlite:{SECRET}.db",
    f"s3://bucket/{SECRET}.db",
    ":memory:",
    Path(f"postgresql://u:{SECRET}@h/db"),
    Path(f"postgresql://u:{SECRET}@h/db").absolute(),
    Path("stores") / f"mysql://u:{SECRET}@h/db",
    PurePosixPath(f"redis://:{SECRET}@h"),
    PureWindowsPath(f"postgresql://u:{SECRET}@h/db"),
    f"postgresql://u:{SECRET}@h/db".encode(),
]


@pytest.mark.parametrize("address", ADDRESSES, ids=repr)
def test_an_address_of_a_database_is_no_path(
    address: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store("people.db") as store:
        refused: list[Callable[[], object]] = [
            lambda: BulkEnricher(store=address),
            lambda: BulkEnricher.sandbox(store=address),
            lambda: Store(address),
            lambda: migrate(address),
            lambda: store.merge(address),
            lambda: store.export(address),
            lambda: store.backup(address),
        ]
        for call in refused:
            with pytest.raises(ConfigError, match="path of a file") as caught:
                call()
            assert not leaks(caught.value, SECRET)
    assert {file.name for file in tmp_path.iterdir()} <= {"people.db", "people.db-owners"}


@pytest.mark.parametrize(
    "name",
    [
        "people.db",
        "a:b.db",
        "run-2026-11-28T10:00.db",
        "me@home.db",
        "filed/people.db",
        "C:\\stores\\x.db",
        "x=1.db",
    ],
)
def test_an_odd_name_is_a_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    assert BulkEnricher(store=name).settings.store == str(tmp_path / name)
    assert BulkEnricher(store=Path(name)).settings.store == str(tmp_path / name)


@pytest.mark.parametrize("address", [address for address in ADDRESSES if isinstance(address, str)])
def test_the_command_line_takes_no_address_for_a_store(address: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("mail\nana@acme.example\n")
    enrich = ["enrich", "in.csv", "--by", "mail", "-o", "out.csv", "--sandbox", "--store", address]
    for command in (
        enrich,
        ["plan", *enrich[1:4], "--store", address],
        ["store", "--store", address, "info"],
    ):
        done = cli_runs.run(*command, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert b"path of a file" in done.stderr
        assert SECRET.encode() not in done.stderr + done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["in.csv"]


class WatchedLock:
    """A reentrant lock that tells when a thread finds it taken."""

    def __init__(self, found_taken: threading.Event) -> None:
        self._lock, self._found_taken = threading.RLock(), found_taken

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self._found_taken.set()
            self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_two_threads_that_use_a_copy_first_at_the_same_time_get_one_engine(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = "http://user:a-password@proxy.example:3128"
    original = BulkEnricher(KEY, base_url="https://127.0.0.1:9", store=path, proxy=proxy)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("EXACTBUYER_API_KEY", KEY)
    session = pickle.loads(pickle.dumps(original))._session
    met = threading.Event()
    monkeypatch.setattr(session, "_lock", WatchedLock(met), raising=False)
    runs: list[Any] = []
    logins: list[Settings] = []

    def begin() -> None:
        options = CallOptions.checked(None, None, None, refresh=False, store_only=False)
        try:
            runs.append(session.begin(ListCall, "enrich", options, Watch(False, 0)).settings)
        except ConfigError as error:
            runs.append(error)
        met.set()

    other = threading.Thread(target=begin)

    def with_login_while_another_thread_begins(settings: Settings) -> Settings:
        logins.append(settings)
        if len(logins) == 1:
            found = with_login(settings)
            other.start()
            # It has found the lock taken, or has come to its end without one.
            assert met.wait(60)
            return found
        return with_login(settings)

    monkeypatch.setattr(_session, "with_login", with_login_while_another_thread_begins)
    begin()
    other.join(60)
    assert runs == [session.settings, session.settings]
    assert len(logins) == 1
    original.close()
    session.close(0.0)
