"""The command line: the stand-in vendor, and the version."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: What follows the program's name. `None`: the process's own.

    Returns:
        The exit code: 0, or 2 for arguments that cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog="exactbuyer", description="Bulk contact enrichment with ExactBuyer's API."
    )
    parser.add_argument("--version", action="version", version=f"exactbuyer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "sandbox", help="run the stand-in vendor: no key, no cost, invented people", add_help=False
    )
    known, rest = parser.parse_known_args(arguments)
    if known.command != "sandbox":
        parser.error(f"there is no command {known.command}")
    # Imported here: `--version` and `--help` need no server.
    from .sandbox import main as sandbox

    return sandbox(rest)


if __name__ == "__main__":
    sys.exit(main())
