//! What must be true of the order in which a run sent its requests. Each function is one invariant,
//! named by what it asserts.

use std::time::Duration;

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::Status;
use tokio::time::Instant;

use crate::check::{Finished, gone_unknown};
use crate::scenario::{Fate, Scenario, alternatives};
use crate::vendor::{Books, Seen};

/// Said here once more, and not taken from the engine: a check must not bend with what it checks.
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
const MOST_PROBES: usize = 22;
const HOPELESS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(1);
const PRIOR: (f64, f64) = (14.0, 20.0);

/// What lands and what is sent within the same moment has no order that can be seen from outside.
const MOMENT: Duration = Duration::from_millis(1);

pub fn all(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    a_pause_stops_everybody(scenario, books);
    nothing_is_sent_after_a_stop(scenario, books);
    a_partial_chunk_waits_for_more(scenario, books);
    smaller_chunks_after_413(scenario, books);
    a_whole_call_knows_its_rows_before_it_sends(scenario, books);
    no_more_retries_than_allowed(scenario, books);
    if scenario.second.is_some() {
        return; // From outside, requests of two runs cannot be told apart.
    }
    nothing_is_sent_after_a_fatal_answer(books);
    three_unknown_replies_stop_the_run(books);
    ends_within_its_grace(scenario, books, &runs[0]);
    waits_as_long_as_it_was_told(books);
    a_refused_chunk_costs_few_requests(books);
    a_wrong_request_is_found_out(books);
    what_is_left_is_used_up(scenario, books, &runs[0]);
}

fn sent_after(books: &Books, since: Instant) -> Option<&Seen> {
    books.seen.iter().find(|seen| seen.at > since + MOMENT)
}

fn a_pause_stops_everybody(scenario: &Scenario, books: &Books) {
    for paused in &books.seen {
        let (Some(pause), Some(from)) = (paused.pause, paused.over) else { continue };
        let until = from + pause;
        let sent = books.seen.iter().find(|seen| seen.at > from && seen.at < until);
        assert!(sent.is_none(), "a pause stops everybody: {sent:?} (seed {})", scenario.seed);
    }
}

fn nothing_is_sent_after_a_stop(scenario: &Scenario, books: &Books) {
    let Some((after, _)) = scenario.stop else { return };
    let sent = sent_after(books, books.started.unwrap() + after);
    assert!(sent.is_none(), "nothing is sent after a stop: {sent:?}");
}

/// When the vendor first said that it serves nobody, or not for a long time.
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

fn ends_within_its_grace(scenario: &Scenario, books: &Books, run: &Finished) {
    if scenario.slow_reader {
        return;
    }
    let stop = scenario.stop.map(|(after, grace)| books.started.unwrap() + after + grace);
    // The input may come to its end later than the trouble; and whoever stopped a run before has said
    // how long it may take.
    let stopped = |at: Instant| scenario.stop.is_some_and(|(after, _)| books.started.unwrap() + after <= at);
    let fatal =
        fatal(books).filter(|at| scenario.slice == 0 && !stopped(*at)).map(|at| at + scenario.config.grace);
    if let Some(latest) = stop.into_iter().chain(fatal).min() {
        assert!(run.ended <= latest + MOMENT, "ends within its grace: {:?} late", run.ended - latest);
    }
}

fn three_unknown_replies_stop_the_run(books: &Books) {
    let mut over: Vec<&Seen> = books.seen.iter().filter(|seen| seen.over.is_some()).collect();
    // Of one moment, answers last: then they surely end a streak.
    over.sort_by_key(|seen| (seen.over, gone_unknown(seen) == 0));
    let mut streak = 0;
    for (place, seen) in over.iter().enumerate() {
        if gone_unknown(seen) > 0 {
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

/// Each time something was not sent, refused for a while, or (where that is sent again) unknown.
fn no_more_retries_than_allowed(scenario: &Scenario, books: &Books) {
    let again = |seen: &&Seen| {
        let unknown = scenario.config.on_unknown == OnUnknown::Resend && gone_unknown(seen) > 0;
        seen.fate == Fate::Busy || unknown
    };
    let failed = books.seen.iter().filter(again).map(|seen| &seen.lookups).chain(&books.unsent);
    let mut times = std::collections::BTreeMap::new();
    for value in failed.flatten() {
        *times.entry(value).or_insert(0_u32) += 1;
    }
    let most = (scenario.config.max_retries + 1) * if scenario.second.is_some() { 2 } else { 1 };
    for (value, times) in times {
        assert!(times <= most, "no more retries than allowed: {value} failed {times} times of {most}");
    }
}

fn waits_as_long_as_it_was_told(books: &Books) {
    for busy in &books.seen {
        let (Some(wait), Some(from)) = (busy.retry_after, busy.over) else { continue };
        let again = |seen: &&Seen| seen.lookups.iter().any(|value| busy.lookups.contains(value));
        let sent = books.seen.iter().filter(again).find(|seen| seen.at > from && seen.at < from + wait);
        assert!(sent.is_none(), "waits as long as it was told: {sent:?}");
    }
}

/// From a slow source, for a second; at the end, for whatever may still fill it.
fn a_partial_chunk_waits_for_more(scenario: &Scenario, books: &Books) {
    let name = "a partial chunk waits for more";
    if !scenario.is_serene() {
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
                let under_way = books.seen.iter().take(place).filter(|other| other.over > Some(seen.at));
                for value in under_way.flat_map(|other| &other.lookups) {
                    assert!(!may_bring_another(scenario, books, value, seen.at), "{name}: {value}, {seen:?}");
                }
            }
        }
        last = seen.at;
    }
}

/// Whether a row that waits for this one would ask for another if it missed.
fn may_bring_another(scenario: &Scenario, books: &Books, value: &str, at: Instant) -> bool {
    let passed = |value: &String| books.passed.get(value).is_some_and(|since| *since < at);
    scenario.rows.iter().filter(|row| matches!(row, Row::Preference(_))).any(|row| {
        let choices = alternatives(row);
        let waits_for = choices.iter().position(|(_, value)| !passed(value));
        waits_for.is_some_and(|place| choices[place].1 == value && place + 1 < choices.len())
    })
}

fn a_whole_call_knows_its_rows_before_it_sends(scenario: &Scenario, books: &Books) {
    if scenario.whole && scenario.slice > 0 && scenario.second.is_none() {
        let all_fed = books.started.unwrap() + scenario.slice_wait * slices(scenario);
        let early = books.seen.iter().find(|seen| seen.at < all_fed);
        assert!(early.is_none(), "a whole call knows its rows before it sends: {early:?}");
    }
}

fn slices(scenario: &Scenario) -> u32 {
    u32::try_from(scenario.rows.len().div_ceil(scenario.slice)).unwrap()
}

fn smaller_chunks_after_413(scenario: &Scenario, books: &Books) {
    for large in books.seen.iter().filter(|seen| seen.status == Some(413)) {
        let most = (large.lookups.len() / 2).max(1);
        let sent = books.seen.iter().find(|seen| Some(seen.at) > large.over && seen.lookups.len() > most);
        assert!(sent.is_none() || scenario.second.is_some(), "smaller chunks after 413: {sent:?} of {most}");
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
        assert!(extra <= MOST_PROBES, "a refused chunk costs at most 22 requests: {extra}");
    }
}

/// While nothing was ever accepted, the first refused chunk shows whether it is the request as such
/// that is wrong: nothing else goes out meanwhile, and nothing at all after it has shown that.
fn a_wrong_request_is_found_out(books: &Books) {
    let name = "a wrong request is found out";
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
                part.lookups.contains(value) && (part.lookups.len() == 1 || gone_unknown(part) > 0)
            })
        };
        let open = !first.lookups.iter().all(over);
        assert!(!open || is_part_of(seen, first), "{name}: meanwhile {seen:?}");
    }
}

/// Where a run stops for money, what is left would hardly buy another credit.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn what_is_left_is_used_up(scenario: &Scenario, books: &Books, run: &Finished) {
    let over = run.troubles.iter().any(|trouble| trouble.kind() == ErrorKind::BudgetExceeded);
    let Some(ceiling) = scenario.config.max_credits.filter(|_| over && scenario.is_serene_but_for_money())
    else {
        return;
    };
    let asked = books.seen.iter().map(|seen| seen.lookups.len()).sum::<usize>() as f64;
    let rate = (books.spent as f64 + PRIOR.0) / (asked + PRIOR.1);
    let left = ceiling - books.spent;
    let likely = 1.0 - (1.0 - rate).powi(left as i32);
    assert!(likely < 0.5, "what is left is used up: {left} credits at a rate of {rate}");
    assert!(run.receipt.count(Status::NotSent) > 0, "what is left is used up: nothing was left to ask");
}
