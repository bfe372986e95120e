"""The bugs that are planted: each a small change to the engine that the simulation must notice.

Data only. `old` must stand in its file exactly once, so that a bug whose place has changed is noticed. The
invariant is the beginning of what the failing assertion says.
"""

from __future__ import annotations

from bug import INTAKE, LANDED, LIMITS, LOOKUPS, MEMORY, NEXT, RETRIES, SCHEDULER, SHARED, SHELL, TABLE, Bug
from money_bugs import MONEY_BUGS

BUGS = (
    *MONEY_BUGS,
    # ---- doubt ----
    Bug(
        "what went unknown no longer counts against max_in_doubt",
        "doubt stays within bounds",
        LIMITS,
        "self.most.saturating_sub(in_flight + self.unknown)",
        "self.most.saturating_sub(in_flight)",
    ),
    Bug(
        "a chunk is not cut down to the doubt that is left",
        "doubt stays within bounds",
        NEXT,
        "            Ok(room)\n",
        "            Ok(size)\n",
    ),
    Bug(
        "unknown replies in a row stop nobody",
        "three unknown replies in a row stop the run",
        LIMITS,
        "const MOST_UNKNOWN_IN_A_ROW: u32 = 3;",
        "const MOST_UNKNOWN_IN_A_ROW: u32 = 4;",
    ),
    # ---- what a call remembers ----
    Bug(
        "a call forgets an answer before the last row that names it",
        "duplicates are named",
        LOOKUPS,
        "is_some_and(|rows| *rows > 0)",
        "is_some_and(|rows| *rows > 1)",
    ),
    Bug(
        "a call sends before it knows all its rows",
        "a whole call knows its rows before it sends",
        INTAKE,
        "let known = !self.whole || self.over;",
        "let known = !self.whole || !self.fed.is_empty();",
    ),
    # ---- pace ----
    Bug(
        "one request too many in a window",
        "no window above the limit",
        "crates/core/src/pace.rs",
        "if self.sends.len() >= most {",
        "if self.sends.len() > most {",
    ),
    Bug(
        "a window of 59 s",
        "no window above the limit",
        "crates/core/src/pace.rs",
        "pop_front_if(|sent| *sent + WINDOW + MARGIN <= now)",
        "pop_front_if(|sent| *sent + WINDOW - MARGIN <= now)",
    ),
    Bug(
        "a token bucket whose burst is the whole rate",
        "no window above the limit",
        "crates/core/src/pace.rs",
        "        self.sends.push_back(now);\n",
        "        let refilled = self.sends.back().map_or(now, |last| now.max(*last + WINDOW + MARGIN));\n"
        "        self.sends.push_back(refilled + WINDOW / per_minute.max(1) - WINDOW - MARGIN);\n",
    ),
    Bug(
        "a 429 is obeyed by the chunk that met it alone",
        "a pause stops everybody",
        SHELL,
        "if let AttemptOutcome::Failed { verdict: Verdict::Paused(wait), .. } = &report.outcome {",
        "if let AttemptOutcome::Failed { verdict: Verdict::Paused(wait), .. } = &report.outcome\n"
        "            && wait.as_secs() == 60\n"
        "        {",
    ),
    Bug(
        "what a 503 says of when to come back is not heard",
        "waits as long as it was told",
        "crates/core/src/policy.rs",
        "            wait: reply.retry_after,\n",
        "            wait: None,\n",
    ),
    Bug(
        "one request more than there are slots",
        "no more in flight than max_concurrency",
        SHARED,
        "if self.in_flight >= self.concurrency.limit() {",
        "if self.in_flight > self.concurrency.limit() {",
    ),
    Bug(
        "retries without an end",
        "no more retries than allowed",
        LANDED,
        "let over = attempts > self.config.max_retries || too_long;",
        "let over = too_long;",
    ),
    # ---- few, full requests ----
    Bug(
        "a partial chunk does not wait for what may still fill it",
        "a partial chunk waits for more",
        NEXT,
        "return if may_refill {",
        "return if may_refill && self.flights.is_empty() {",
    ),
    Bug(
        "a partial chunk does not wait for a slow source",
        "a partial chunk waits for more",
        NEXT,
        "const PATIENCE: Duration = Duration::from_secs(1);",
        "const PATIENCE: Duration = Duration::from_millis(900);",
    ),
    Bug(
        "a 413 teaches too little",
        "smaller chunks after 413",
        LANDED,
        "self.retries.chunk_size.min(chunk.ids.len() / 2).max(1);",
        "self.retries.chunk_size.min(chunk.ids.len() - 1).max(1);",
    ),
    Bug(
        "a 413 teaches nothing",
        "smaller chunks after 413",
        LANDED,
        "self.retries.chunk_size = self.retries.chunk_size.min(chunk.ids.len() / 2).max(1);",
        "",
    ),
    Bug(
        "a 413 teaches nothing to what waits to be sent again",
        "smaller chunks after 413",
        RETRIES,
        "chunk.ids.len().min(self.chunk_size)",
        "chunk.ids.len()",
    ),
    Bug(
        "the search for a refused record never ends",
        "a refused chunk costs at most 22 requests",
        RETRIES,
        "const MOST_PROBES: u32 = 22;",
        "const MOST_PROBES: u32 = 23;",
    ),
    Bug(
        "a wrong request is taken for wrong records",
        "a wrong request is found out",
        RETRIES,
        "const HOPELESS: u32 = 12;",
        "const HOPELESS: u32 = 13;",
    ),
    Bug(
        "others go out while the request itself is in question",
        "a wrong request is found out",
        NEXT,
        "let suspect = self.suspect();",
        "let suspect: Option<GroupId> = None;",
    ),
    # ---- rows ----
    Bug(
        "of the rows that wait for one lookup, the last is forgotten",
        "every run comes to an end",
        TABLE,
        "while let Some(row) = self.row_mut(turned) {",
        "for _ in 0..3 {\n            let Some(row) = self.row_mut(turned) else { break };",
    ),
    Bug(
        "two answers are swapped",
        "order and completeness: the right person",
        "crates/core/src/service/align.rs",
        "contact.value.as_deref() == Some(asked.canonical())",
        "contact.value.as_deref().map(str::len) == Some(asked.canonical().len())",
    ),
    Bug(
        "what a broken answer leaves out passes for a miss",
        "order and completeness",
        "crates/core/src/service/align.rs",
        "outcome.unwrap_or_else(|| unanswered(place))",
        "{ let _ = unanswered(place); outcome.unwrap_or(Outcome::Miss) }",
    ),
    Bug(
        "the second of a list is asked together with the first",
        "nobody pays for a later alternative too early",
        TABLE,
        "            self.prefer_stored_hit(number);\n",
        "            let second = self.choice(number).and_then(|choice| choice.alternatives.get(1));\n"
        "            if let Some((_, id)) = second.copied()\n"
        "                && let Some(lookup) = self.lookups.get_mut(id)\n"
        "                && matches!(lookup.state, State::Idle)\n"
        "            {\n"
        "                lookup.state = State::Queued;\n"
        "                self.queue.push_back(id);\n"
        "            }\n",
    ),
    Bug(
        "after an unknown, the next of a list is paid for",
        "order and completeness",
        TABLE,
        "let may_go_on = matches!(outcome, Outcome::Miss | Outcome::Rejected(_));",
        "let may_go_on = matches!(outcome, Outcome::Miss | Outcome::Rejected(_) | Outcome::Unknown(_));",
    ),
    Bug(
        "a whole chunk is rejected for one record",
        "order and completeness",
        LANDED,
        "        if let [id] = chunk.ids[..] {\n",
        "        for id in chunk.ids.split_off(1) {\n"
        "            self.settle(id, Outcome::Rejected(verdict.rejection()), Source::Asked);\n"
        "        }\n"
        "        if let [id] = chunk.ids[..] {\n",
    ),
    Bug(
        "what was given up in flight is called not_sent",
        "order and completeness",
        SCHEDULER,
        "                self.settle(id, Outcome::Unknown(reason.clone()), Source::Asked);",
        "                let reason = Arc::new(reason.to_string().into());\n"
        "                self.settle(id, Outcome::NotSent(reason), Source::Asked);",
    ),
    Bug(
        "a doubt is forgotten when its retry is not sent",
        "order and completeness",
        LANDED,
        "if let Some(doubt) = chunk.doubt {",
        "if let Some(doubt) = chunk.doubt.filter(|_| false) {",
    ),
    Bug(
        "a duplicate is not called one",
        "duplicates are named",
        TABLE,
        "Source::Asked if lookup.asked_for != number => Source::Duplicate,",
        "Source::Asked if lookup.asked_for > number => Source::Duplicate,",
    ),
    # ---- stopping, and coming to an end ----
    Bug(
        "sending goes on after a 401",
        "nothing is sent after a fatal answer",
        LANDED,
        "            Verdict::Fatal(error) => {\n"
        "                self.again(chunk);\n"
        "                self.fail(error);\n",
        "            Verdict::Fatal(error) => {\n"
        "                self.again(chunk);\n"
        "                if error.status() != Some(401) {\n"
        "                    self.fail(error);\n"
        "                }\n",
    ),
    Bug(
        "a stop only refuses further rows",
        "nothing is sent after a stop",
        SCHEDULER,
        "        self.halt(&Arc::new(trouble::STOPPED.into()), None);\n",
        "",
    ),
    Bug(
        "a stopped run takes twice its grace",
        "ends within its grace",
        SCHEDULER,
        "self.ending.shorten(now + grace);",
        "self.ending.shorten(now + grace + grace);",
    ),
    Bug(
        "a run looks away where its grace ends",
        "ends within its grace",
        LIMITS,
        "self.deadline.is_some_and(|deadline| deadline <= now)",
        "self.deadline.is_some_and(|deadline| deadline + Duration::from_secs(1) <= now)",
    ),
    Bug(
        "a slot is not given back",
        "every run comes to an end",
        SHELL,
        "        self.shared.limits.free_slot();\n",
        "        if self.number % 8 != 7 {\n            self.shared.limits.free_slot();\n        }\n",
    ),
    Bug(
        "a claim is not given up",
        "every run comes to an end",
        MEMORY,
        "            } else if let Some(of_required) = inner.lookups.get_mut(required) {\n"
        "                of_required.remove(&lookup);\n",
        "            } else if let Some(of_required) = inner.lookups.get_mut(required)\n"
        "                && !matches!(outcome, Outcome::NotSent(_))\n"
        "            {\n"
        "                of_required.remove(&lookup);\n",
    ),
    Bug(
        "who waits for another run is not woken",
        "every run comes to an end",
        MEMORY,
        "        self.changed.notify_waiters();\n",
        "",
    ),
    Bug(
        "a choice does not follow from the seed",
        "same seed, same trace",
        "crates/dispatch/src/lib.rs",
        "fastrand::Rng::with_seed(seed))",
        "fastrand::Rng::with_seed(seed ^ fastrand::u64(..)))",
    ),
)
