"""`exactbuyer` and `python -m exactbuyer`: the version, and the stand-in vendor."""

from __future__ import annotations

import subprocess
import sys

import pytest

import exactbuyer
from exactbuyer import sandbox
from exactbuyer.__main__ import main


def test_the_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exactbuyer", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"exactbuyer {exactbuyer.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["enrich"], ["--fast"]])
def test_what_it_cannot_do_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "sandbox" in capsys.readouterr().err


def test_the_sandbox_gets_its_own_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def run(arguments: list[str]) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr(sandbox, "main", run)
    assert main(["sandbox", "--port", "8000", "--help"]) == 0
    assert given == [["--port", "8000", "--help"]]
