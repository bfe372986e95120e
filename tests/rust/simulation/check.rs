//! What must be true after every run, whatever happened in it. Each function is one invariant; its
//! name is what a failure is reported by.

use std::collections::{BTreeMap, BTreeSet};

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome, Source, Status};
use exactbuyer_core::service::limits::WINDOW;
use tokio::time::Instant;

use crate::scenario::{Fate, Scenario, alternatives};
use crate::vendor::{Books, Seen, is_guilty, is_known, record_of};

/// One finished run.
pub struct Finished {
    pub rows: Vec<Row>,
    pub outcomes: Vec<RowOutcome>,
    pub receipt: Receipt,
    pub troubles: Vec<exactbuyer_core::error::Error>,
    /// When the last outcome was there.
    pub ended: Instant,
}

pub fn all(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    for run in runs {
        order_and_completeness(scenario, books, run);
        identity_of_the_receipt(run);
        duplicates_are_named(run);
    }
    every_request_accounted_for(scenario, books, runs);
    money_adds_up(books, runs);
    never_above_the_ceiling(scenario, books, runs);
    nothing_billed_twice(scenario, books);
    no_window_above_the_limit(scenario, books);
    doubt_stays_within_bounds(scenario, books, runs);
    nobody_pays_for_a_later_alternative_too_early(books, runs);
    few_full_requests(scenario, books, runs);
    never_more_than_a_chunk_or_the_slots(scenario, books);
}

fn order_and_completeness(scenario: &Scenario, books: &Books, run: &Finished) {
    let name = "order and completeness";
    let mut outcomes: Vec<&RowOutcome> = run.outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.row);
    let numbers: Vec<u64> = outcomes.iter().map(|outcome| outcome.row).collect();
    let read = run.receipt.rows;
    assert_eq!(numbers, (0..read).collect::<Vec<_>>(), "{name}: one outcome a row");
    if scenario.stop.is_none() {
        assert_eq!(read, run.rows.len() as u64, "{name}: every row is read");
    }
    for (row, outcome) in run.rows.iter().zip(outcomes) {
        one_row(scenario, books, run, row, outcome);
    }
}

fn one_row(scenario: &Scenario, books: &Books, run: &Finished, row: &Row, outcome: &RowOutcome) {
    let name = "order and completeness";
    let choices = alternatives(row);
    let billed = |value: &str| books.billed.get(value).copied().unwrap_or_default() > 0;
    match (row, outcome.status) {
        (Row::Missing, status) => assert_eq!(status, Status::Missing, "{name}"),
        (Row::Invalid(..), status) => assert_eq!(status, Status::Invalid, "{name}"),
        (_, Status::Missing | Status::Invalid) => panic!("{name}: {outcome:?} of {row:?}"),
        (_, Status::Found) => {
            let choice = choices.iter().find(|(place, _)| *place == outcome.alternative);
            let (_, value) = choice.expect("a found row names one of its own values");
            let record = outcome.record.as_ref().expect("a found row has a record");
            assert_eq!(record, record_of(value).as_bytes(), "{name}: the right person");
            assert!(billed(value), "{name}: found, so billed");
        }
        (_, Status::NotFound) => {
            for (_, value) in &choices {
                let silent =
                    !is_known(scenario, value) || is_guilty(scenario, value) || scenario.largest == 0;
                assert!(silent, "{name}: {value} would have been found");
                assert!(books.passed.contains_key(value), "{name}: {value} was never asked");
            }
        }
        (_, Status::Rejected) => {
            for (_, value) in &choices {
                assert!(is_guilty(scenario, value) || scenario.largest == 0, "{name}: {value} is not guilty");
            }
        }
        (_, Status::Unknown) => {
            let open = choices.iter().find(|(_, value)| {
                books.doubtful.contains(value) || gave_up(run) && was_on_its_way(books, value)
            });
            assert!(open.is_some(), "unknown only what is in doubt: {choices:?} {outcome:?}");
        }
        (_, Status::NotSent) => {
            // The first alternative that was not plainly passed over is the one not sent.
            let passed = |value: &String| books.passed.contains_key(value);
            let open = choices.iter().find(|(_, value)| !passed(value));
            if let Some((_, value)) = open
                && scenario.second.is_none()
            {
                // (Of two runs, one may stop before the other asks.)
                let asked: Vec<_> = books.seen.iter().filter(|seen| seen.lookups.contains(value)).collect();
                assert!(
                    !billed(value),
                    "{name}: {value} was billed, and is called not_sent ({outcome:?}, {asked:?})"
                );
            }
        }
    }
    if matches!(outcome.status, Status::Unknown | Status::NotSent | Status::Rejected) {
        assert!(outcome.reason.is_some(), "a reason for what is open");
    }
}

/// Whether a run gave up requests in flight: it cannot know whether those had left.
fn gave_up(run: &Finished) -> bool {
    let reasons = run.outcomes.iter().filter_map(|outcome| outcome.reason.as_ref());
    reasons.into_iter().any(|reason| reason.to_string().starts_with("stopped before the answer came"))
}

/// Whether it was on its way when a run may have given up.
fn was_on_its_way(books: &Books, value: &str) -> bool {
    let mut requests = books.seen.iter().map(|seen| &seen.lookups).chain(&books.unsent);
    requests.any(|lookups| lookups.iter().any(|lookup| lookup == value))
}

fn identity_of_the_receipt(run: &Finished) {
    let name = "identity of the receipt";
    let receipt = &run.receipt;
    assert_eq!(receipt.rows, receipt.by_status.iter().sum::<u64>(), "{name}: {receipt:?}");
    for status in Status::ALL {
        let rows = run.outcomes.iter().filter(|outcome| outcome.status == status).count() as u64;
        assert_eq!(receipt.count(status), rows, "{name}: {status:?}");
    }
    let duplicates = run.outcomes.iter().filter(|outcome| outcome.source == Source::Duplicate).count() as u64;
    assert_eq!(receipt.duplicates, duplicates, "{name}: duplicates");
    // What a run leaves out without having stopped, it leaves out of refused chunks.
    let left_out =
        run.outcomes.iter().filter(|outcome| outcome.status == Status::NotSent && !is_uncleared(outcome));
    assert!(receipt.stopped.is_some() || left_out.count() == 0, "{name}: why the run stopped is told");
    let unknown = receipt.count(Status::Unknown) > 0;
    let told = run
        .troubles
        .iter()
        .any(|trouble| trouble.kind() == exactbuyer_core::error::ErrorKind::UnknownOutcome);
    assert!(!unknown || told, "{name}: a doubt is told");
}

/// Whether the search for the record that a chunk was refused for ended before it came to this one.
fn is_uncleared(outcome: &RowOutcome) -> bool {
    outcome
        .reason
        .as_ref()
        .is_some_and(|reason| reason.to_string().starts_with("the service refused the chunk"))
}

/// Of the rows that found the same person in one run, one asked.
fn duplicates_are_named(run: &Finished) {
    let mut asked = BTreeSet::new();
    for outcome in &run.outcomes {
        if outcome.status == Status::Found && outcome.source == Source::Asked {
            let row = &run.rows[usize::try_from(outcome.row).unwrap()];
            let mut choices = alternatives(row).into_iter();
            let (_, value) = choices.find(|(place, _)| *place == outcome.alternative).unwrap();
            assert!(asked.insert(value.clone()), "duplicates are named: two rows asked for {value}");
        }
    }
}

fn sum(runs: &[Finished], of: impl Fn(&Receipt) -> u64) -> u64 {
    runs.iter().map(|run| of(&run.receipt)).sum()
}

fn every_request_accounted_for(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "every request accounted for";
    let requests = books.seen.len() as u64;
    let lookups = books.seen.iter().map(|seen| seen.lookups.len() as u64).sum::<u64>();
    let (mut requests_most, mut lookups_most) = (requests, lookups);
    if runs.iter().any(gave_up) {
        requests_most += books.unsent.len() as u64;
        lookups_most += books.unsent.iter().map(|lookups| lookups.len() as u64).sum::<u64>();
        if scenario.second.is_some() {
            // Nor can it know which of them the other run was asking for.
            lookups_most += requests_most * scenario.config.chunk_size as u64;
        }
    }
    let counted = sum(runs, |receipt| receipt.requests);
    assert!((requests..=requests_most).contains(&counted), "{name}: {counted} of {requests} requests");
    let counted = sum(runs, |receipt| receipt.sent);
    assert!((lookups..=lookups_most).contains(&counted), "{name}: {counted} of {lookups} lookups");
}

fn money_adds_up(books: &Books, runs: &[Finished]) {
    let name = "money adds up";
    let (known, doubt) =
        (sum(runs, |receipt| receipt.credits), sum(runs, |receipt| receipt.credits_in_doubt));
    assert!(known <= books.spent, "{name}: {known} credits on the receipt, {} billed", books.spent);
    assert!(books.spent <= known + doubt, "{name}: {} billed, {known} + {doubt} on the receipt", books.spent);
    let all_plain = books.seen.iter().all(|seen| seen.clean || seen.billed == 0 && seen.fate == Fate::Served);
    if all_plain && runs.iter().all(|run| run.receipt.count(Status::Unknown) == 0) {
        assert_eq!((known, doubt), (books.spent, 0), "{name}: where nothing is in doubt");
    }
}

fn never_above_the_ceiling(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "never above the ceiling";
    if let Some(ceiling) = scenario.config.max_credits {
        assert!(books.spent <= ceiling, "{name}: {} billed of {ceiling}", books.spent);
        let counted = sum(runs, |receipt| receipt.credits + receipt.credits_in_doubt);
        assert!(counted <= ceiling, "{name}: {counted} counted of {ceiling}");
    }
    if let Some(ceiling) = scenario.run_credits {
        for run in runs {
            let counted = run.receipt.credits + run.receipt.credits_in_doubt;
            assert!(counted <= ceiling, "{name}: {counted} counted of {ceiling} in one run");
        }
    }
}

fn nothing_billed_twice(scenario: &Scenario, books: &Books) {
    let name = "nothing billed twice";
    for (value, times) in &books.billed {
        if scenario.config.on_unknown == OnUnknown::Hold {
            assert!(*times <= 1, "{name}: {value} {times} times");
        } else {
            let asked = |seen: &&Seen| seen.lookups.contains(value) && !seen.clean && !seen.is_refusal();
            let doubts = books.seen.iter().filter(asked).count() as u64;
            assert!(*times <= 1 + doubts, "{name}: {value} {times} times after {doubts} doubts");
        }
    }
}

fn no_window_above_the_limit(scenario: &Scenario, books: &Books) {
    let most = scenario.config.requests_per_minute as usize;
    for (place, seen) in books.seen.iter().enumerate() {
        let within = books.seen.iter().skip(place).take_while(|later| later.at < seen.at + WINDOW).count();
        assert!(within <= most, "no window above the limit: {within} of {most} from {:?}", seen.at);
    }
}

/// At each send: lookups in flight, and gone unknown before.
fn doubt_stays_within_bounds(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "doubt stays within bounds";
    let most = scenario.config.max_in_doubt * runs.len();
    for seen in &books.seen {
        let open = books.seen.iter().filter(|other| other.at <= seen.at);
        let doubt: usize = open
            .map(|other| match other.over {
                Some(over) if over < seen.at => gone_unknown(other),
                _ => other.lookups.len(),
            })
            .sum();
        // Requests of the same instant are all counted, though one may have gone out only after
        // another landed; those that land in that very instant are counted as in flight.
        let landing: usize = books
            .seen
            .iter()
            .filter(|other| other.at < seen.at && other.over == Some(seen.at))
            .map(|other| other.lookups.len() - gone_unknown(other).min(other.lookups.len()))
            .sum();
        let at_least = doubt.saturating_sub(landing);
        assert!(at_least <= most, "{name}: {at_least} of {most}");
    }
}

/// Lookups that an attempt surely left unknown.
pub fn gone_unknown(seen: &Seen) -> usize {
    match (seen.status, seen.fate) {
        (None | Some(500 | 502 | 504), _) | (Some(503), Fate::SlowBusy) | (Some(200), Fate::Html) => {
            seen.lookups.len()
        }
        _ => 0,
    }
}

fn nobody_pays_for_a_later_alternative_too_early(books: &Books, runs: &[Finished]) {
    let passed = |value: &String, at: Instant| books.passed.get(value).is_some_and(|since| *since <= at);
    let mut wanted: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
    for row in runs.iter().flat_map(|run| &run.rows) {
        let choices = alternatives(row);
        for (place, (_, value)) in choices.iter().enumerate() {
            let before = choices.iter().take(place).map(|(_, value)| value.clone()).collect();
            wanted.entry(value.clone()).or_default().push(before);
        }
    }
    for seen in &books.seen {
        for value in &seen.lookups {
            let due = wanted[value].iter().any(|before| before.iter().all(|value| passed(value, seen.at)));
            assert!(due, "nobody pays for a later alternative too early: {value}");
        }
    }
}

fn few_full_requests(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    if scenario.is_plain() {
        let lookups = sum(runs, |receipt| receipt.sent);
        let fewest = lookups.div_ceil(scenario.config.chunk_size as u64);
        assert_eq!(books.seen.len() as u64, fewest, "few, full requests");
    }
}

fn never_more_than_a_chunk_or_the_slots(scenario: &Scenario, books: &Books) {
    for seen in &books.seen {
        assert!(seen.lookups.len() <= scenario.config.chunk_size, "a chunk is no larger than chunk_size");
        assert!(!seen.lookups.is_empty(), "no empty request");
        let open = |other: &&Seen| other.at <= seen.at && other.over.is_none_or(|over| over > seen.at);
        let in_flight = books.seen.iter().filter(open).count();
        assert!(in_flight <= scenario.config.max_concurrency, "no more in flight than max_concurrency");
    }
}
