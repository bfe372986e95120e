"""A canary run sees a key wherever one could leak, and says so if it had nothing to look at."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

CANARY = Path(__file__).resolve().parents[1] / "canary"
sys.path.insert(0, str(CANARY))

from forms import Canary

# What a run without any leak does: all that must have been looked at.
CLEAN = """
import json, logging, os, pickle

import pytest
from exactbuyer import BulkEnricher, ConfigError
from exactbuyer.sandbox import Sandbox

KEY = os.environ["EXACTBUYER_API_KEY"]

def test_clean(tmp_path, monkeypatch):
    (tmp_path / "executed.ipynb").write_text(json.dumps({"cells": []}))
    with Sandbox() as sandbox, BulkEnricher("any", base_url=sandbox.url) as enricher:
        assert len(enricher.enrich(["ana@acme.example"])) == 1
        pickle.dumps(enricher)
    with pytest.raises(ConfigError):
        BulkEnricher(chunk_size=0)
"""

# One leak a test, and what the report says of it.
LEAKS = {
    "terminal, backwards": "atexit.register(os.write, 2, KEY[::-1].encode())",
    "output, plain": "print(KEY)",
    "log, plain": 'logging.getLogger("exactbuyer.deep").log(2, "sent %s", KEY)',
    "log, hex": "run('import logging; logging.warning(KEY.encode().hex())')",
    "raised, in capitals": "ConfigError(KEY.upper())",
    "pickle, plain": "pickle.dumps({'api_key': KEY})",
    "subprocess, base64": "run('import base64; print(base64.b64encode(KEY.encode()))')",
    "the file pytest/test_leak_70/kept, utf-16-le": "(tmp_path / 'kept').write_bytes(KEY.encode('utf-16'))",
    "the file kept.ipynb, base64": (
        "Path(tempfile.gettempdir(), 'kept.ipynb').write_bytes(base64.b64encode(b'k' + KEY.encode()))"
    ),
    "the file left.txt, percent-encoded": "Path('left.txt').write_text(''.join(f'%{ord(c):x}' for c in KEY))",
    "the name of the file pytest/test_leak_100/…": "(tmp_path / KEY[2:18]).touch()",
    "frame, plain": "fails_with({'key': [KEY]})",
}

LEAKING = """
import atexit, base64, subprocess, sys, tempfile
from pathlib import Path

def fails_with(value):
    # In a frame of the package, as one of its own functions would be.
    code = "def call(value):\\n raise ValueError"
    names = {"__name__": "exactbuyer._calls.session"}
    exec(compile(code, "session.py", "exec"), names)
    with pytest.raises(ValueError):
        names["call"](value)

def run(code):
    code = f"import os; KEY = os.environ['EXACTBUYER_API_KEY']; {code}"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
"""


def canary_run(place: Path, suite: str) -> subprocess.CompletedProcess[str]:
    place.mkdir(exist_ok=True)
    (place / "test_suite.py").write_text(suite, encoding="utf-8")
    (place / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return subprocess.run(
        [sys.executable, CANARY / "run_with_canary.py", "-q", "-p", "no:cacheprovider"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_clean_run_is_clean(tmp_path: Path) -> None:
    done = canary_run(tmp_path, CLEAN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "canary: 1 keys" in done.stdout


def test_every_leak_is_seen_and_named(tmp_path: Path) -> None:
    tests = [f"def test_leak_{number}(tmp_path):\n    {leak}\n" for number, leak in enumerate(LEAKS.values())]
    done = canary_run(tmp_path, "\n".join([CLEAN, LEAKING, *tests]))
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{1 + len(LEAKS)} passed" in done.stdout
    seen = {line.removeprefix("canary: the key was seen in ") for line in done.stderr.splitlines()}
    assert set(LEAKS) <= seen, sorted(set(LEAKS) - seen)


def test_a_run_with_nothing_to_look_at_fails(tmp_path: Path) -> None:
    done = canary_run(tmp_path, "def test_nothing(): pass\n")
    assert done.returncode == 1
    for said in (
        "no enricher used a key",
        "nothing was logged",
        "nothing was pickled",
        "no test wrote a file",
    ):
        assert f"canary: {said}" in done.stderr


@pytest.mark.parametrize("around", ["", "k", "ke", "key"])
def test_every_form_is_recognised(around: str) -> None:
    canary = Canary.hatched()
    key = f"{around}{canary.key}{around}"
    forms = [
        key,
        repr(key),
        quote(key, safe=""),
        quote(quote(key, safe=""), safe=""),
        base64.b64encode(key.encode()).decode(),
        base64.urlsafe_b64encode(key.encode()).decode(),
        repr(key.encode()),
        key.encode().hex(),
        key[: len(key) // 2 + 6],
        key[len(key) // 2 - 6 :],
    ]
    for form in forms:
        assert canary.found_in(b"before" + form.encode() + b"after"), form.replace(canary.core, "…")
    assert not canary.found_in("".join(forms).replace(canary.core, "").encode()[:20])
    assert not Canary.hatched().found_in("".join(forms).encode())
