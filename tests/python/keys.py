"""The key of the tests' enrichers."""

from __future__ import annotations

import os

KEY = os.environ.get("CANARY_KEY", "a-key-of-nobodys")
"""In a canary run it must be seen nowhere: `tests/canary/run_with_canary.py`."""
