"""The bugs that are planted in the engine: each is a small change that the simulation must find.

Data only. The text `old` must be in its file exactly once; otherwise the bug can no longer be planted, and
`plant.py` says so. `caught_by` is the name of an invariant; the failing assertion's message begins with it.
"""

from __future__ import annotations

from bug import INTAKE, LANDED, LIMITS, LOOKUPS, MEMORY, NEXT, RETRIES, SCHEDULER, SHARED, SHELL, TABLE, Bug
from money_bugs import MONEY_BUGS

BUGS = (
    *MONEY_BUGS,
    # ---- doubt ----
    Bug(
        "unknown lookups do not count against max_in_doubt",
        "in flight plus unknown never exceeds max_in_doubt",
        LIMITS,
        "self.most.saturating_sub(in_flight + self.unknown)",
        "self.most.saturating_sub(in_flight)",
    ),
    Bug(
        "a chunk is not reduced to what max_in_doubt still allows",
        "in flight plus unknown never exceeds max_in_doubt",
        NEXT,
        "            Ok(room)\n",
        "            Ok(size)\n",
    ),
    Bug(
        "the run stops after four unknown replies in a row instead of three",
        "three unknown replies in a row stop the run",
        LIMITS,
        "const MOST_UNKNOWN_IN_A_ROW: u32 = 3;",
        "const MOST_UNKNOWN_IN_A_ROW: u32 = 4;",
    ),
    # ---- what a call knows of its rows ----
    Bug(
        "a call forgets an answer although one more row names its lookup",
        "duplicates are reported as duplicates",
        LOOKUPS,
        "is_some_and(|rows| *rows > 0)",
        "is_some_and(|rows| *rows > 1)",
    ),
    Bug(
        "a call that is not a stream sends before it has all its rows",
        "a call that is not a stream has all its rows before it sends",
        INTAKE,
        "let known = !self.whole || self.over;",
        "let known = !self.whole || !self.fed.is_empty();",
    ),
    # ---- pace ----
    Bug(
        "one request more than requests_per_minute is sent in 60 s",
        "no 60 s have more requests than requests_per_minute",
        "crates/core/src/pace.rs",
        "if self.sends.len() >= most {",
        "if self.sends.len() > most {",
    ),
    Bug(
        "the window of the rate limit has only 59 s",
        "no 60 s have more requests than requests_per_minute",
        "crates/core/src/pace.rs",
        "pop_front_if(|sent| *sent + WINDOW + MARGIN <= now)",
        "pop_front_if(|sent| *sent + WINDOW - MARGIN <= now)",
    ),
    Bug(
        "the rate limit is a token bucket whose burst is the whole rate",
        "no 60 s have more requests than requests_per_minute",
        "crates/core/src/pace.rs",
        "        self.sends.push_back(now);\n",
        "        let refilled = self.sends.back().map_or(now, |last| now.max(*last + WINDOW + MARGIN));\n"
        "        self.sends.push_back(refilled + WINDOW / per_minute.max(1) - WINDOW - MARGIN);\n",
    ),
    Bug(
        "the pause of a 429 is ignored unless it is exactly 60 s",
        "nothing is sent during the pause of a 429",
        SHELL,
        "if let AttemptOutcome::Failed { verdict: Verdict::Paused(wait), .. } = &report.outcome {",
        "if let AttemptOutcome::Failed { verdict: Verdict::Paused(wait), .. } = &report.outcome\n"
        "            && wait.as_secs() == 60\n"
        "        {",
    ),
    Bug(
        "the Retry-After of a 503 is ignored",
        "a lookup waits for the Retry-After of its 503",
        "crates/core/src/policy.rs",
        "            wait: reply.retry_after,\n",
        "            wait: None,\n",
    ),
    Bug(
        "one request more than the number of slots is in flight",
        "no more requests in flight than max_concurrency",
        SHARED,
        "if self.in_flight >= self.concurrency.limit() {",
        "if self.in_flight > self.concurrency.limit() {",
    ),
    Bug(
        "max_retries is ignored for requests that were refused or not sent",
        "no more retries than max_retries",
        LANDED,
        "let over = attempts > self.config.max_retries || too_long;",
        "let over = too_long;",
    ),
    # ---- few, full requests ----
    Bug(
        "a partial chunk does not wait for lookups that a miss in flight may add",
        "a partial chunk waits for more",
        NEXT,
        "return if may_refill {",
        "return if may_refill && self.flights.is_empty() {",
    ),
    Bug(
        "a partial chunk waits 0.9 s for a slow source instead of 1 s",
        "a partial chunk waits for more",
        NEXT,
        "const PATIENCE: Duration = Duration::from_secs(1);",
        "const PATIENCE: Duration = Duration::from_millis(900);",
    ),
    Bug(
        "after a 413, the chunk size is reduced by one instead of halved",
        "after a 413, chunks are at most half as large",
        RETRIES,
        "self.chunk_size.min(lookups / 2).max(1);",
        "self.chunk_size.min(lookups - 1).max(1);",
    ),
    Bug(
        "after a 413, the chunk size is not reduced",
        "after a 413, chunks are at most half as large",
        RETRIES,
        "self.chunk_size = self.chunk_size.min(lookups / 2).max(1);",
        "",
    ),
    Bug(
        "after a 413, chunks that wait to be sent again keep their size",
        "after a 413, chunks are at most half as large",
        RETRIES,
        "chunk.ids.len().min(self.chunk_size)",
        "chunk.ids.len()",
    ),
    Bug(
        "the search for a refused record may cost 23 requests instead of 22",
        "a refused chunk costs at most 22 more requests",
        RETRIES,
        "const MOST_PROBES: u32 = 22;",
        "const MOST_PROBES: u32 = 23;",
    ),
    Bug(
        "the run stops after 13 refused parts of a chunk instead of 12",
        "if every request is refused, few are sent",
        RETRIES,
        "const HOPELESS: u32 = 12;",
        "const HOPELESS: u32 = 13;",
    ),
    Bug(
        "other chunks are sent before it is clear why the first chunk was refused",
        "if every request is refused, few are sent",
        NEXT,
        "let suspect = self.suspect();",
        "let suspect: Option<GroupId> = None;",
    ),
    # ---- rows ----
    Bug(
        "only the first three rows that wait for a lookup get its outcome",
        "every run comes to an end",
        TABLE,
        "while let Some(row) = self.row_mut(turned) {",
        "for _ in 0..3 {\n            let Some(row) = self.row_mut(turned) else { break };",
    ),
    Bug(
        "answers are matched by position if their values have the right lengths",
        "each row has one correct outcome: the right person",
        "crates/core/src/service/align.rs",
        "contact.value.as_deref() == Some(asked.canonical())",
        "contact.value.as_deref().map(str::len) == Some(asked.canonical().len())",
    ),
    Bug(
        "a lookup that is missing in the reply counts as a miss",
        "each row has one correct outcome",
        "crates/core/src/service/align.rs",
        "outcome.unwrap_or_else(|| unanswered(place))",
        "{ let _ = unanswered(place); outcome.unwrap_or(Outcome::Miss) }",
    ),
    Bug(
        "the second alternative of a row is sent together with the first",
        "an alternative is sent only after all earlier ones missed or were refused",
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
        "after an unknown outcome, the next alternative is sent",
        "each row has one correct outcome",
        TABLE,
        "let may_go_on = matches!(outcome, Outcome::Miss | Outcome::Rejected(_));",
        "let may_go_on = matches!(outcome, Outcome::Miss | Outcome::Rejected(_) | Outcome::Unknown(_));",
    ),
    Bug(
        "all lookups of a refused chunk are rejected",
        "each row has one correct outcome",
        LANDED,
        "        if let [id] = chunk.ids[..] {\n",
        "        for id in chunk.ids.split_off(1) {\n"
        "            self.settle(id, Outcome::Rejected(verdict.rejection()), Source::Asked);\n"
        "        }\n"
        "        if let [id] = chunk.ids[..] {\n",
    ),
    Bug(
        "lookups in flight at the end of the grace are reported as not_sent",
        "each row has one correct outcome",
        SCHEDULER,
        "                self.settle(id, Outcome::Unknown(reason.clone()), Source::Asked);",
        "                let reason = Arc::new(reason.to_string().into());\n"
        "                self.settle(id, Outcome::NotSent(reason), Source::Asked);",
    ),
    Bug(
        "a lookup in doubt is reported as not_sent if its retry is not sent",
        "each row has one correct outcome",
        LANDED,
        "if let Some(doubt) = chunk.doubt {",
        "if let Some(doubt) = chunk.doubt.filter(|_| false) {",
    ),
    Bug(
        "a duplicate of an earlier row is not reported as a duplicate",
        "duplicates are reported as duplicates",
        TABLE,
        "Source::Asked if lookup.asked_for != number => Source::Duplicate,",
        "Source::Asked if lookup.asked_for > number => Source::Duplicate,",
    ),
    # ---- stopping, and coming to an end ----
    Bug(
        "a run goes on sending after a 401",
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
        "a stopped run takes no more rows but goes on sending",
        "nothing is sent after a stop",
        SCHEDULER,
        "        self.halt(&Arc::new(trouble::STOPPED.into()), None);\n",
        "",
    ),
    Bug(
        "a stopped run takes twice its grace",
        "a stopped run ends within its grace",
        SCHEDULER,
        "self.ending.shorten(now + grace);",
        "self.ending.shorten(now + grace + grace);",
    ),
    Bug(
        "a run notices the end of its grace at least one second late",
        "a stopped run ends within its grace",
        LIMITS,
        "self.deadline.is_some_and(|deadline| deadline <= now)",
        "self.deadline.is_some_and(|deadline| deadline + Duration::from_secs(1) <= now)",
    ),
    Bug(
        "every eighth request does not free its slot",
        "every run comes to an end",
        SHELL,
        "        self.shared.limits.free_slot();\n",
        "        if self.number % 8 != 7 {\n            self.shared.limits.free_slot();\n        }\n",
    ),
    Bug(
        "a lookup that was not sent stays claimed",
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
        "a run that waits for another run's answer is not woken",
        "every run comes to an end",
        MEMORY,
        "        self.changed.notify_waiters();\n",
        "",
    ),
    Bug(
        "the engine's random numbers do not follow from the seed",
        "the same seed gives the same trace",
        "crates/dispatch/src/lib.rs",
        "fastrand::Rng::with_seed(seed))",
        "fastrand::Rng::with_seed(seed ^ fastrand::u64(..)))",
    ),
)
