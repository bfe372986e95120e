"""The names of all faults: the list of `crates/sandbox/src/fault.rs`."""

from __future__ import annotations

from typing import Literal, get_args

Fault = Literal[
    "status_400",
    "status_401",
    "status_403",
    "status_404",
    "status_408",
    "status_409",
    "status_413",
    "status_422",
    "status_429",
    "status_500",
    "status_502",
    "status_503",
    "status_504",
    "status_500_after_billing",
    "status_502_after_billing",
    "status_503_after_billing",
    "status_504_after_billing",
    "reset_before_billing",
    "reset_after_billing",
    "close_before_billing",
    "close_after_billing",
    "hang_before_billing",
    "hang",
    "slow",
    "truncate",
    "truncate_chunked",
    "drip",
    "endless",
    "reorder",
    "fewer",
    "more",
    "foreign",
    "wrong_count",
    "absurd_count",
    "no_count",
    "not_json",
    "html_200",
    "broken_record",
    "deep",
    "lone_surrogate",
    "nan",
    "big_int",
    "duplicate_keys",
    "gzip",
    "gzip_bomb",
    "redirect_301",
    "redirect_302",
    "redirect_307",
    "redirect_308",
    "garbage",
]
"""What can go wrong with a request to the sandbox.

Free, because nothing was billed: `status_…` (but not `status_…_after_billing`), `redirect_…`, and all names
that end in `_before_billing`. All other faults happen to a request that was billed.

- `status_NNN`, `status_5NN_after_billing`: that status. `redirect_NNN`: to `location`.
- `reset_…`, `close_…`, `hang…`: the connection is reset or closed instead of an answer, or no answer ever
  comes.
- `slow`: the answer comes after `pause` (1 s). `drip`: one byte per `pause` (50 ms). `endless`: white space
  for ever.
- `truncate`, `truncate_chunked`: the body ends inside a record.
- `reorder`, `fewer`, `more`, `foreign`: the contacts are reversed; a quarter of them is missing; the first
  comes twice; the first is for an identifier that was not requested.
- `wrong_count`, `absurd_count`, `no_count`: `records_enriched` is off by one, a thousand times too large,
  missing.
- `not_json`, `html_200`, `garbage`: text that is not JSON, an HTML page with status 200, bytes that are not
  HTTP.
- `broken_record`, `deep`, `lone_surrogate`, `nan`, `big_int`, `duplicate_keys`: the first match is not JSON;
  is nested 100,000 levels deep; has half a surrogate pair, NaN, an integer beyond 64 bits, a key twice.
- `gzip`: the reply is compressed although this was not requested. `gzip_bomb`: a megabyte that unpacks to a
  gigabyte.
"""

FAULTS: tuple[Fault, ...] = get_args(Fault)
"""Every fault."""
