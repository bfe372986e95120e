"""The sandbox in a process of its own: whoever of the others is killed, its ledger stays.

Run as a script, it serves until its input ends, and answers each line of it with the ledger.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

KEY = "a-key-that-must-stay-with-the-caller"


class Vendor:
    """The sandbox, seen from outside."""

    def __init__(self, **options: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps({"api_key": KEY, "requests_per_minute": None, **options})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url: str = self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ledger(self) -> dict[str, int]:
        """Requests, credits, people billed, and how often the one who was billed most often was."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        ledger: dict[str, int] = self._answer()
        return ledger

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


def _serve(options: dict[str, Any]) -> None:
    from exactbuyer.sandbox import Sandbox

    with Sandbox(**options) as sandbox:
        print(json.dumps(sandbox.url), flush=True)
        for _ in sys.stdin:
            ledger = sandbox.ledger
            billed = ledger.billed
            told = {
                "requests": len(ledger.requests),
                "credits": ledger.credits,
                "people": len(billed),
                "most": max(billed.values(), default=0),
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
