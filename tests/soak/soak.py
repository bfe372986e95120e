"""What `make torture` runs for minutes: a stream without an end, large lists with bad luck, threads, outages.

    python tests/soak/soak.py [--rows N] [--stream-rows N] [--rounds N]

Prints what each run saw; ends with 1, and says why, where the books do not agree or memory grew.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import warnings
from functools import partial
from typing import TYPE_CHECKING

import scenarios

from exactbuyer import IncompleteWarning

if TYPE_CHECKING:
    from collections.abc import Callable

MAY_GROW_MB = 60.0
"""How much more a stream may take later than once its window was full: what the allocator keeps."""


def main() -> int:
    """Runs everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of a list (default: 100,000)")
    parser.add_argument("--stream-rows", type=int, default=3_000_000, help="rows of the stream")
    parser.add_argument("--rounds", type=int, default=5, help="how often each run is made (default: 5)")
    options = parser.parse_args()
    warnings.simplefilter("error", IncompleteWarning)
    # First: a list of before would leave memory to be used again.
    measured = scenarios.endless_stream(options.stream_rows, probes=20)
    for read, mb in measured:
        print(f"stream      {read:>10,} rows read: {mb:,.0f} MB", flush=True)
    # The first quarter fills the window and warms the allocator up.
    early = max(mb for _, mb in measured[: len(measured) // 4])
    late = max(mb for _, mb in measured[len(measured) // 4 :])
    if late - early > MAY_GROW_MB:
        sys.exit(f"the stream took {late - early:,.0f} MB more after its first quarter: it should stay flat")
    print(f"stream      at most {late - early:+,.1f} MB after the first quarter")
    for seed in range(options.rounds):
        told("bad luck", partial(scenarios.bad_luck, options.rows, seed))
        told("threads", partial(scenarios.many_threads, 50, 2_000))
        told("standstill", partial(scenarios.outage, signal.SIGSTOP, 2_000))
        told("outage", partial(scenarios.outage, signal.SIGKILL, 2_000))
    return 0


def told(name: str, run: Callable[[], str]) -> None:
    """Runs it, and says what it saw and how long that took."""
    began = time.monotonic()
    seen = run()
    print(f"{name:<11} {seen} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
