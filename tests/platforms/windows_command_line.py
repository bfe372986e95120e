"""The command line on Windows: files in, files out, in the encodings that its consoles and pipes have."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exactbuyer.sandbox import Sandbox

LIMIT_S = 120.0
# As a console does it: Windows runs the handler in a thread of its own, and so does this.
SIGNALLED = """
import signal, sys, threading
from exactbuyer.cli import main

def wait():
    line = sys.stdin.readline()
    if line:
        signal.raise_signal(int(line))

threading.Thread(target=wait, daemon=True).start()
sys.exit(main())
"""
NAMES = ["Ana Łukasiewicz", "Łódź", "日本", "→"]


def main() -> None:
    """Fails if anything is not as on other systems."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, Sandbox(match_rate=1.0) as sandbox:
        folder = Path(name)
        rows = folder / "rows.csv"
        with rows.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [["name", "email"]] + [[n, f"p{i}@acme.example"] for i, n in enumerate(NAMES)]
            )
        enrich(sandbox, folder, rows)
        encodings(sandbox, folder, rows)
        interrupted(sandbox, folder)
    print("the command line works: files, encodings, Ctrl-C and Ctrl-Break")


def command(sandbox: Sandbox, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    """Starts the command line. A line on its standard input is the number of a signal, which it then gets."""
    return subprocess.Popen(
        [sys.executable, "-c", SIGNALLED, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "EXACTBUYER_API_KEY": sandbox.api_key, **environment},
    )


def run(sandbox: Sandbox, *arguments: object, **environment: str) -> tuple[int, bytes, bytes]:
    """Runs it to its end."""
    return ended(command(sandbox, *arguments, **environment))


def ended(process: subprocess.Popen[bytes], line: bytes | None = None) -> tuple[int, bytes, bytes]:
    """Sends this line, and waits for the end."""
    try:
        out, err = process.communicate(line, timeout=LIMIT_S)
    finally:
        process.kill()
    return process.returncode, out, err


def enrich(sandbox: Sandbox, folder: Path, rows: Path) -> None:
    """A file in, a file out; the second run replaces it and pays nothing."""
    out = folder / "out.csv"
    given = [
        "enrich",
        rows,
        "-o",
        out,
        "--by",
        "email",
        "--store",
        folder / "people.db",
        "--base-url",
        sandbox.url,
    ]
    for paid in (len(NAMES), len(NAMES)):
        code, _, err = run(sandbox, *given, "--yes")
        assert code == 0, err
        assert sandbox.ledger.credits == paid, sandbox.ledger
    with out.open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.reader(file))
    assert [row[0] for row in table[1:]] == NAMES, table
    left = [path.name for path in folder.iterdir() if path.name.endswith(".tmp")]
    assert not left, left


def encodings(sandbox: Sandbox, folder: Path, rows: Path) -> None:
    """Whatever the code page is, data is UTF-8 and messages do not fail."""
    given = [
        "enrich",
        rows,
        "--by",
        "email",
        "--store",
        folder / "people.db",
        "--base-url",
        sandbox.url,
        "--yes",
    ]
    for encoding in ("cp1252", "cp437", "utf-8"):
        code, out, err = run(sandbox, *given, "--to", "jsonl", PYTHONIOENCODING=encoding)
        assert code == 0, err
        assert "Łódź" in out.decode("utf-8"), out
        code, out, err = run(sandbox, "plan", *given[1:-1], PYTHONIOENCODING=encoding)
        assert code == 0, err
        assert b"Traceback" not in err, err


def interrupted(sandbox: Sandbox, folder: Path) -> None:
    """Ctrl-C and Ctrl-Break end a run in good order: the answers are kept, and the exit code says it."""
    many = folder / "many.csv"
    many.write_text("email\n" + "".join(f"r{i}@acme.example\n" for i in range(3_000)), encoding="utf-8")
    for number, code in ((signal.SIGINT, 130), (getattr(signal, "SIGBREAK", signal.SIGTERM), 143)):
        out, store = folder / f"{code}.csv", folder / f"{code}.db"
        before = len(sandbox.ledger.requests)
        sandbox.fail(request=before + 2, fault="hang")
        to = ["-o", out, "--store", store, "--base-url", sandbox.url, "--yes", "--grace", "1"]
        process = command(sandbox, "enrich", many, "--by", "email", *to)
        deadline = time.monotonic() + LIMIT_S
        while process.poll() is None and len(sandbox.ledger.requests) < before + 3:
            assert time.monotonic() < deadline, sandbox.ledger
            time.sleep(0.01)
        returned, _, err = ended(process, f"{int(number)}\n".encode())
        assert returned == code, (returned, err)
        assert b"Traceback" not in err, err
        assert not out.exists(), "only a whole file gets its name"
        assert b"found    2,000" in err, err
        assert not list(folder.glob("*.tmp")), err


if __name__ == "__main__":
    main()
