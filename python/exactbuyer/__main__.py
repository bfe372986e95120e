"""The command line, as `python -m exactbuyer`."""

from __future__ import annotations

from .cli import run_as_process

if __name__ == "__main__":
    run_as_process()
