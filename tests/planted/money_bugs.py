"""Bugs that are planted in the engine and cost money: paid twice, or too much. Data only, as `bugs.py`."""

from __future__ import annotations

from bug import CONSULT, LANDED, LIMITS, MEMORY, SHARED, TALLY, Bug

MONEY_BUGS = (
    Bug(
        "what was reset is sent again, though told to hold",
        "nothing billed twice",
        LANDED,
        "if self.resends(&chunk) {",
        'let is_short = chunk.attempts < self.config.max_retries && reason.contains("connection");\n'
        "        if self.resends(&chunk) || is_short {",
    ),
    Bug(
        "a gateway's late 503 passes for a refusal",
        "nothing billed twice",
        "crates/core/src/policy.rs",
        "const PATIENCE_OF_A_GATEWAY: Duration = Duration::from_secs(10);",
        "const PATIENCE_OF_A_GATEWAY: Duration = Duration::from_mins(10);",
    ),
    Bug(
        "duplicates are not merged",
        "every run comes to an end",
        "crates/core/src/plan/lookups.rs",
        "if is_indexed { self.index.find",
        "if is_indexed && row.is_multiple_of(2) { self.index.find",
    ),
    Bug(
        "what one run asks for, another asks for as well",
        "nothing billed twice",
        MEMORY,
        "Some(LookupState::InFlight) => Availability::Held",
        "Some(LookupState::InFlight) => Availability::Free",
    ),
    Bug(
        "an answer is not kept for the run that waits for it",
        "nothing billed twice",
        MEMORY,
        "if is_final && shared {",
        "if is_final && shared && inner.live.len() > 2 {",
    ),
    Bug(
        "what others ask for is not looked at when a row comes to it",
        "every run comes to an end",
        CONSULT,
        "            self.held.wait_and_look(Chunk { ids, ..Chunk::default() });\n",
        "            self.held.wait_for(Chunk { ids, ..Chunk::default() });\n",
    ),
    Bug(
        "nothing is set aside before a send",
        "never above the ceiling",
        "crates/core/src/budget.rs",
        "            self.reserved += credits;",
        "            self.reserved += 0;",
    ),
    Bug(
        "half a chunk is set aside before a send",
        "never above the ceiling",
        SHARED,
        "self.budget.reserve(credits);",
        "self.budget.reserve(credits.div_ceil(2));",
    ),
    Bug(
        "a doubt is not counted as spent",
        "never above the ceiling",
        "crates/core/src/budget.rs",
        "self.in_doubt = self.in_doubt.saturating_add(in_doubt);",
        "let _ = in_doubt;",
    ),
    Bug(
        "a run forgets its own ceiling",
        "never above the ceiling",
        LIMITS,
        "let (shared, own) = (engine.room(), self.own.room());",
        "let (shared, own) = (engine.room(), u64::MAX);",
    ),
    Bug(
        "the last credits are given up",
        "what is left is used up",
        LIMITS,
        "if self.hit_rate.likely_buys(room) {",
        "if room > 3 && self.hit_rate.likely_buys(room) {",
    ),
    Bug(
        "an unknown counts as free",
        "money adds up",
        LANDED,
        "if matches!(verdict, Verdict::Unknown { .. }) { lookups as u64 } else { 0 };",
        "0;",
    ),
    Bug(
        "the receipt forgets requests that cost nothing",
        "every request accounted for",
        TALLY,
        "        self.receipt.requests += 1;",
        "        self.receipt.requests += u64::from(credits + in_doubt > 0);",
    ),
    Bug(
        "the receipt does not say why the run stopped",
        "identity of the receipt",
        TALLY,
        "self.receipt.stopped = Some(reason.clone());",
        "let _ = reason;",
    ),
)
