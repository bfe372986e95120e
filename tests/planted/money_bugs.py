"""Planted bugs of the engine that cost money, or report a wrong cost. Data only, as in `bugs.py`."""

from __future__ import annotations

from bug import CONSULT, LANDED, LIMITS, MEMORY, SHARED, TALLY, Bug

MONEY_BUGS = (
    Bug(
        "a request whose connection dropped is sent again, although on_unknown is 'hold'",
        "nothing is billed twice",
        LANDED,
        "if self.resends(&chunk) {",
        'let is_short = chunk.attempts < self.config.max_retries && reason.contains("connection");\n'
        "        if self.resends(&chunk) || is_short {",
    ),
    Bug(
        "a 503 that took 30 s is treated as not charged",
        "nothing is billed twice",
        "crates/core/src/policy.rs",
        "const PATIENCE_OF_A_GATEWAY: Duration = Duration::from_secs(10);",
        "const PATIENCE_OF_A_GATEWAY: Duration = Duration::from_mins(10);",
    ),
    Bug(
        "rows with odd numbers are not merged with their duplicates",
        "every run comes to an end",
        "crates/core/src/plan/lookups.rs",
        "if is_indexed { self.index.find",
        "if is_indexed && row.is_multiple_of(2) { self.index.find",
    ),
    Bug(
        "a run sends lookups that another run has in flight",
        "nothing is billed twice",
        MEMORY,
        "Some(LookupState::InFlight) => Availability::Held",
        "Some(LookupState::InFlight) => Availability::Free",
    ),
    Bug(
        "with two runs, an answer is not kept for the other one",
        "nothing is billed twice",
        MEMORY,
        "if is_final && shared {",
        "if is_final && shared && inner.live.len() > 2 {",
    ),
    Bug(
        "the store is not asked again about another run's lookup when a row needs it",
        "every run comes to an end",
        CONSULT,
        "            self.held.wait_and_look(Chunk { ids, ..Chunk::default() });\n",
        "            self.held.wait_for(Chunk { ids, ..Chunk::default() });\n",
    ),
    Bug(
        "no credits are reserved before a send",
        "never more credits than max_credits",
        "crates/core/src/budget.rs",
        "            self.reserved += credits;",
        "            self.reserved += 0;",
    ),
    Bug(
        "the shared budget reserves credits for only half of a chunk",
        "never more credits than max_credits",
        SHARED,
        "self.budget.reserve(credits)",
        "self.budget.reserve(credits.div_ceil(2))",
    ),
    Bug(
        "credits in doubt do not count against max_credits",
        "never more credits than max_credits",
        "crates/core/src/budget.rs",
        "self.in_doubt = self.in_doubt.saturating_add(in_doubt);",
        "let _ = in_doubt;",
    ),
    Bug(
        "a run ignores its own max_credits",
        "never more credits than max_credits",
        LIMITS,
        "let (shared, own) = (engine.room(), self.own.room());",
        "let (shared, own) = (engine.room(), u64::MAX);",
    ),
    Bug(
        "a run stops with up to three credits that it could still use",
        "remaining credits are used while they may buy a hit",
        LIMITS,
        "if self.hit_rate.may_buy(room) {",
        "if room > 3 && self.hit_rate.may_buy(room) {",
    ),
    Bug(
        "a request with an unknown outcome counts as free",
        "the receipt covers the billed credits",
        LANDED,
        "if matches!(verdict, Verdict::Unknown { .. }) { lookups as u64 } else { 0 };",
        "0;",
    ),
    Bug(
        "the receipt does not count requests that cost nothing",
        "the receipt counts every request",
        TALLY,
        "        self.receipt.requests += 1;",
        "        self.receipt.requests += u64::from(credits + in_doubt > 0);",
    ),
    Bug(
        "the receipt does not say why the run stopped",
        "the receipt agrees with the outcomes",
        TALLY,
        "self.receipt.stopped = Some(reason.clone());",
        "let _ = reason;",
    ),
)
