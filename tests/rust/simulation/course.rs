//! The invariants about the times at which a run sends its requests. Each function checks one; an assertion that
//! fails begins with the invariant's name.

use std::time::Duration;

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::Status;
use tokio::time::Instant;

use crate::check::{Finished, made_unknown};
use crate::scenario::{Fate, Scenario, alternatives};
use crate::vendor::{Books, Seen};

/// These numbers are repeated here and not imported from the engine, so that a wrong number in the engine is noticed.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
const MOST_PROBES: usize = 22;
const HOPELESS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(1);
const PRIOR: (f64, f64) = (14.0, 20.0);

/// If one request ends and another is sent within this time, the checks cannot tell which came first.
const MOMENT: Duration = Duration::from_millis(1);

pub fn all(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    nothing_is_sent_during_a_pause(scenario, books);
    nothing_is_sent_after_a_stop(scenario, books);
    a_partial_chunk_waits_for_more(scenario, books);
    chunks_are_smaller_after_a_413(scenario, books);
    a_whole_call_has_all_its_rows_before_it_sends(scenario, books);
    no_more_retries_than_max_retries(scenario, books);
    if scenario.second.is_some() {
        return; // The service cannot tell to which run a request belongs.
    }
    nothing_is_sent_after_a_fatal_answer(books);
    three_unknown_replies_stop_the_run(books);
    a_stopped_run_ends_within_its_grace(scenario, books, &runs[0]);
    a_lookup_waits_for_retry_after(books);
    a_refused_chunk_costs_few_requests(books);
    if_every_request_is_refused_few_are_sent(books);
    remaining_credits_are_used(scenario, books, &runs[0]);
}

fn sent_after(books: &Books, since: Instant) -> Option<&Seen> {
    books.seen.iter().find(|seen| seen.at > since + MOMENT)
}

fn nothing_is_sent_during_a_pause(scenario: &Scenario, books: &Books) {
    for paused in &books.seen {
        let (Some(pause), Some(from)) = (paused.pause, paused.over) else { continue };
        let until = from + pause;
        let sent = books.seen.iter().find(|seen| seen.at > from && seen.at < until);
        assert!(
            sent.is_none(),
            "nothing is sent during the pause of a 429: {sent:?} (seed {})",
            scenario.seed
        );
    }
}

fn nothing_is_sent_after_a_stop(scenario: &Scenario, books: &Books) {
    let Some((after, _)) = scenario.stop else { return };
    let sent = sent_after(books, books.started.unwrap() + after);
    assert!(sent.is_none(), "nothing is sent after a stop: {sent:?}");
}

/// When the first fatal answer came: 401, 403, a redirect, or a pause that is too long to wait for.
fn fatal(books: &Books) -> Option<Instant> {
    let long = |wait: Option<Duration>| wait.is_some_and(|wait| wait > LONGEST_PAUSE);
    let fatal = |seen: &&Seen| {
        matches!(seen.status, Some(401 | 403 | 307)) || long(seen.pause) || long(seen.retry_after)
    };
    books.seen.iter().filter(fatal).filter_map(|seen| seen.over).min()
}

fn nothing_is_sent_after_a_fatal_answer(books: &Books) {
    if let Some(since) = fatal(books) {
        let sent = sent_after(books, since);
        assert!(sent.is_none(), "nothing is sent after a fatal answer: {sent:?}");
    }
}

fn a_stopped_run_ends_within_its_grace(scenario: &Scenario, books: &Books, run: &Finished) {
    if scenario.slow_reader {
        return;
    }
    let stop = scenario.stop.map(|(after, grace)| books.started.unwrap() + after + grace);
    // A fatal answer limits the rest of a run only if all rows were there, and if the run was not stopped
    // before: a stop has its own grace.
    let stopped = |at: Instant| scenario.stop.is_some_and(|(after, _)| books.started.unwrap() + after <= at);
    let fatal =
        fatal(books).filter(|at| scenario.slice == 0 && !stopped(*at)).map(|at| at + scenario.config.grace);
    if let Some(latest) = stop.into_iter().chain(fatal).min() {
        assert!(
            run.ended <= latest + MOMENT,
            "a stopped run ends within its grace: {:?} late",
            run.ended - latest
        );
    }
}

fn three_unknown_replies_stop_the_run(books: &Books) {
    let mut over: Vec<&Seen> = books.seen.iter().filter(|seen| seen.over.is_some()).collect();
    // Of several that ended at the same moment, answers come last, so that they end a streak.
    over.sort_by_key(|seen| (seen.over, made_unknown(seen) == 0));
    let mut streak = 0;
    for (place, seen) in over.iter().enumerate() {
        if made_unknown(seen) > 0 {
            streak += 1;
        } else if seen.status == Some(200) {
            streak = 0;
        }
        let same_moment = over.get(place + 1).is_some_and(|next| next.over == seen.over);
        if streak >= 3 && !same_moment {
            let sent = sent_after(books, seen.over.unwrap());
            assert!(sent.is_none(), "three unknown replies in a row stop the run: {sent:?}");
        }
    }
}

/// A lookup fails if its request was not sent, got a 503, or (if unknown lookups are sent again) became unknown.
fn no_more_retries_than_max_retries(scenario: &Scenario, books: &Books) {
    let again = |seen: &&Seen| {
        let unknown = scenario.config.on_unknown == OnUnknown::Resend && made_unknown(seen) > 0;
        seen.fate == Fate::Busy || unknown
    };
    let failed = books.seen.iter().filter(again).map(|seen| &seen.lookups).chain(&books.unsent);
    let mut times = std::collections::BTreeMap::new();
    for value in failed.flatten() {
        *times.entry(value).or_insert(0_u32) += 1;
    }
    let most = (scenario.config.max_retries + 1) * if scenario.second.is_some() { 2 } else { 1 };
    for (value, times) in times {
        assert!(times <= most, "no more retries than max_retries: {value} failed {times} times of {most}");
    }
}

fn a_lookup_waits_for_retry_after(books: &Books) {
    for busy in &books.seen {
        let (Some(wait), Some(from)) = (busy.retry_after, busy.over) else { continue };
        let again = |seen: &&Seen| seen.lookups.iter().any(|value| busy.lookups.contains(value));
        let sent = books.seen.iter().filter(again).find(|seen| seen.at > from && seen.at < from + wait);
        assert!(sent.is_none(), "a lookup waits for the Retry-After of its 503: {sent:?}");
    }
}

/// If the source is slow, for a second. At the end of the input, as long as a miss in flight could add lookups.
fn a_partial_chunk_waits_for_more(scenario: &Scenario, books: &Books) {
    let name = "a partial chunk waits for more";
    if !scenario.is_undisturbed() {
        return;
    }
    let started = books.started.unwrap();
    let slices = if scenario.slice == 0 { 0 } else { slices(scenario) };
    let all_fed = started + scenario.slice_wait * slices;
    let mut last = started;
    for (place, seen) in books.seen.iter().enumerate() {
        if seen.lookups.len() < scenario.config.chunk_size {
            if slices > 0 && seen.at < all_fed {
                assert!(seen.at >= last + PATIENCE, "{name}: {seen:?}");
            } else if slices == 0 || seen.at > all_fed {
                let in_flight = books.seen.iter().take(place).filter(|other| other.over > Some(seen.at));
                for value in in_flight.flat_map(|other| &other.lookups) {
                    assert!(!may_bring_another(scenario, books, value, seen.at), "{name}: {value}, {seen:?}");
                }
            }
        }
        last = seen.at;
    }
}

/// Whether a miss of this lookup would make a row send its next alternative.
fn may_bring_another(scenario: &Scenario, books: &Books, value: &str, at: Instant) -> bool {
    let passed = |value: &String| books.passed.get(value).is_some_and(|since| *since < at);
    scenario.rows.iter().filter(|row| matches!(row, Row::Preference(_))).any(|row| {
        let choices = alternatives(row);
        let waits_for = choices.iter().position(|(_, value)| !passed(value));
        waits_for.is_some_and(|place| choices[place].1 == value && place + 1 < choices.len())
    })
}

fn a_whole_call_has_all_its_rows_before_it_sends(scenario: &Scenario, books: &Books) {
    if scenario.whole && scenario.slice > 0 && scenario.second.is_none() {
        let all_fed = books.started.unwrap() + scenario.slice_wait * slices(scenario);
        let early = books.seen.iter().find(|seen| seen.at < all_fed);
        assert!(early.is_none(), "a call that is not a stream has all its rows before it sends: {early:?}");
    }
}

fn slices(scenario: &Scenario) -> u32 {
    u32::try_from(scenario.rows.len().div_ceil(scenario.slice)).unwrap()
}

fn chunks_are_smaller_after_a_413(scenario: &Scenario, books: &Books) {
    let is_large = |seen: &&Seen| seen.status == Some(413);
    let is_alone = |seen: &&Seen| is_large(seen) && seen.lookups.len() == 1;
    for large in books.seen.iter().filter(is_large).filter(|seen| !is_alone(seen)) {
        let most = large.lookups.len() / 2;
        // A record that is too large by itself may have been the reason: then they grow again.
        let alone = books.seen.iter().filter(is_alone).filter_map(|seen| seen.over);
        let until = alone.filter(|over| Some(*over) >= large.over).min();
        let is_wrong = |seen: &&Seen| {
            Some(seen.at) > large.over
                && until.is_none_or(|until| seen.at < until)
                && seen.lookups.len() > most
        };
        let sent = books.seen.iter().find(is_wrong);
        let is_right = sent.is_none() || scenario.second.is_some();
        assert!(is_right, "after a 413, chunks are at most half as large: {sent:?} of {most}");
    }
}

fn is_part_of(part: &Seen, whole: &Seen) -> bool {
    part.lookups.iter().all(|value| whole.lookups.contains(value))
}

fn a_refused_chunk_costs_few_requests(books: &Books) {
    let refused = |seen: &&Seen| seen.status == Some(400);
    for (place, whole) in books.seen.iter().enumerate().filter(|(_, seen)| refused(seen)) {
        let earlier = &books.seen[..place];
        if earlier.iter().filter(refused).any(|larger| is_part_of(whole, larger)) {
            continue;
        }
        let parts = books.seen.iter().skip(place + 1).filter(|seen| is_part_of(seen, whole));
        let extra = parts.filter(|seen| seen.status != Some(429)).count();
        assert!(extra <= MOST_PROBES, "a refused chunk costs at most 22 more requests: {extra}");
    }
}

/// While nothing has been accepted, only parts of the first refused chunk are sent. If many of them are refused,
/// the request itself must be wrong, and nothing is sent any more.
fn if_every_request_is_refused_few_are_sent(books: &Books) {
    let name = "if every request is refused, few are sent";
    let of = |status| books.seen.iter().filter(move |seen| seen.status == Some(status));
    let Some(first) = of(400).filter(|seen| seen.over.is_some()).min_by_key(|seen| seen.over) else { return };
    let since = first.over.unwrap();
    let accepted = of(200).filter_map(|seen| seen.over).min();
    let alone = of(400).filter(|seen| seen.over == first.over).count() == 1;
    if !alone || first.lookups.len() == 1 || accepted.is_some_and(|at| at <= since) {
        return;
    }
    let parts: Vec<&Seen> =
        books.seen.iter().filter(|seen| seen.at >= since && is_part_of(seen, first)).collect();
    let mut refusals: Vec<Instant> =
        parts.iter().filter(|seen| seen.status == Some(400)).filter_map(|seen| seen.over).collect();
    refusals.sort();
    if let Some(at) = refusals.get(HOPELESS - 1).filter(|at| accepted.is_none_or(|since| since > **at)) {
        let sent = sent_after(books, *at);
        assert!(sent.is_none(), "{name}: {sent:?}");
    }
    for seen in books.seen.iter().filter(|seen| seen.at > since) {
        let counted = parts.iter().filter(|part| part.at < seen.at).count();
        if accepted.is_some_and(|at| at <= seen.at) || counted >= MOST_PROBES {
            break;
        }
        let over = |value: &String| {
            let mut asked = parts.iter().filter(|part| part.over <= Some(seen.at) && part.over.is_some());
            asked.any(|part| {
                part.lookups.contains(value) && (part.lookups.len() == 1 || made_unknown(part) > 0)
            })
        };
        let open = !first.lookups.iter().all(over);
        assert!(!open || is_part_of(seen, first), "{name}: of another chunk {seen:?}");
    }
}

/// If a run stops because of its budget, a request for the remaining credits would find somebody in fewer than one case
/// in four.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn remaining_credits_are_used(scenario: &Scenario, books: &Books, run: &Finished) {
    let over = run.troubles.iter().any(|trouble| trouble.kind() == ErrorKind::BudgetExceeded);
    let Some(ceiling) =
        scenario.config.max_credits.filter(|_| over && scenario.is_undisturbed_except_by_budget())
    else {
        return;
    };
    let asked = books.seen.iter().map(|seen| seen.lookups.len()).sum::<usize>() as f64;
    let rate = (books.spent as f64 + PRIOR.0) / (asked + PRIOR.1);
    let left = ceiling - books.spent;
    let name = "remaining credits are used while they may buy a hit";
    let hit = 1.0 - (1.0 - rate).powi(left as i32);
    assert!(hit < 0.25, "{name}: {left} credits at a hit rate of {rate}");
    assert!(run.receipt.count(Status::NotSent) > 0, "{name}: every lookup was sent");
}
