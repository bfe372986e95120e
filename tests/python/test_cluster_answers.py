"""Answers are saved in a thread, in parts, while the next ones are looked up."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest

from exactbuyer._frames.cluster import answers as answers_module
from exactbuyer._frames.cluster.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TIMEOUT_S = 30
BLOCK = pa.table({"eb_status": ["found", "not_found"]})


class Engine:
    """Writes parts when it is told to."""

    by_partition = False

    @staticmethod
    def thread(run: Callable[[], None], **how: Any) -> threading.Thread:
        return threading.Thread(target=run, **how)

    def __init__(self) -> None:
        self.may_write = threading.Event()
        self.error: Exception | None = None
        self.written: dict[str, int] = {}
        self.writes = 0

    def write(self, folder: str, name: str, answers: Any) -> None:
        assert self.may_write.wait(TIMEOUT_S)
        self.writes += 1
        if self.error is not None:
            raise self.error
        self.written[name] = answers.num_rows


class Keys:
    """The keys of as many rows as anybody wants."""

    @staticmethod
    def keys(start: int, stop: int) -> Any:
        return pa.array([number.to_bytes(16, "big") for number in range(start, stop)])


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def answers(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    monkeypatch.setattr(answers_module, "PART_BYTES", BLOCK.nbytes + 1)
    return Answers(cast("Any", engine), cast("Any", Keys()), str(tmp_path))


def add(answers: Answers, blocks: int) -> None:
    answers.blocks += [cast("Any", BLOCK)] * blocks


def test_a_part_is_written_while_other_answers_come(engine: Engine, answers: Answers) -> None:
    add(answers, 1)
    answers.save()
    assert answers.parts().names == [], "a block is too small for a part"
    add(answers, 2)
    answers.save()
    assert (answers.received, engine.written) == (6, {}), "two blocks are a part, which is under way"
    engine.may_write.set()
    answers.save(last=True)
    assert engine.written == {"part-000000000000": 4, "part-000000000004": 2}
    assert answers.parts().names == list(engine.written)
    assert (answers.received, answers.blocks) == (6, [])


def test_as_much_as_a_part_waits_for_the_one_under_way(
    engine: Engine, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    permits, write = [engine.may_write.set], engine.write

    def wait(_: object, __: float) -> None:
        if permits:
            permits.pop()()

    def write_one(folder: str, name: str, part: Any) -> None:
        write(folder, name, part)
        engine.may_write.clear()

    monkeypatch.setattr(engine, "write", write_one)
    add(answers, 2)
    answers.save()
    add(answers, 1)
    answers.save()
    assert answers.parts().names == [], "one block more does not wait"
    add(answers, 1)
    monkeypatch.setattr(answers_module, "wait", wait)
    answers.save()
    assert answers.parts().names == ["part-000000000000"], "the next part is under way"
    engine.may_write.set()


def test_a_part_that_was_not_written_is_not_lost(engine: Engine, answers: Answers) -> None:
    engine.may_write.set()
    engine.error = OSError("the disk is full")
    add(answers, 3)
    with pytest.raises(OSError, match="the disk is full"):
        answers.save(last=True)
    assert engine.writes == answers_module.ATTEMPTS
    assert (answers.received, len(answers.blocks), answers.parts().names) == (6, 3, [])
    engine.error = None
    answers.save(last=True)
    assert engine.written == {"part-000000000000": 4, "part-000000000004": 2}


def test_a_process_ends_although_a_part_is_still_written() -> None:
    program = """
import threading
import pyarrow as pa
from types import SimpleNamespace as Fake
from exactbuyer._frames.cluster.answers import Answers

begun, never = threading.Event(), threading.Event()
def write(folder, name, answers):
    begun.set()
    never.wait()
def thread(run, **how):
    return threading.Thread(target=run, **how)
frame = Fake(by_partition=False, thread=thread, write=write)
spool = Fake(keys=lambda start, stop: pa.array([b""] * (stop - start)))
answers = Answers(frame, spool, "folder")
answers.blocks.append(pa.table({"eb_status": ["found"] * 2_500_000}))
answers.save()
assert begun.wait(30)
print("the last line")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT_S
    )
    assert ended.stdout == "the last line\n"
