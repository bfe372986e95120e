//! The invariants that hold after every run. Each function checks one; an assertion that fails begins with the
//! invariant's name.

use std::collections::{BTreeMap, BTreeSet};

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome, Source, Status};
use exactbuyer_core::service::limits::WINDOW;
use tokio::time::Instant;

use crate::scenario::{Fate, Scenario, alternatives};
use crate::vendor::{Books, Seen, is_known, is_refused, record_of};

/// One finished run.
pub struct Finished {
    pub rows: Vec<Row>,
    pub outcomes: Vec<RowOutcome>,
    pub receipt: Receipt,
    pub troubles: Vec<exactbuyer_core::error::Error>,
    /// When the reader had the last outcome.
    pub ended: Instant,
}

pub fn all(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    for run in runs {
        each_row_has_one_correct_outcome(scenario, books, run);
        the_receipt_agrees_with_the_outcomes(run);
        duplicates_are_reported_as_duplicates(run);
    }
    the_receipt_counts_every_request(scenario, books, runs);
    the_receipt_covers_the_billed_credits(books, runs);
    never_more_credits_than_max_credits(scenario, books, runs);
    nothing_is_billed_twice(scenario, books);
    no_60_s_have_more_requests_than_the_limit(scenario, books);
    in_flight_plus_unknown_never_exceeds_max_in_doubt(scenario, books, runs);
    an_alternative_is_sent_only_after_all_earlier_ones(books, runs);
    requests_are_few_and_full(scenario, books, runs);
    chunks_and_requests_in_flight_stay_within_their_limits(scenario, books);
}

fn each_row_has_one_correct_outcome(scenario: &Scenario, books: &Books, run: &Finished) {
    let name = "each row has one correct outcome";
    let mut outcomes: Vec<&RowOutcome> = run.outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.row);
    let numbers: Vec<u64> = outcomes.iter().map(|outcome| outcome.row).collect();
    let read = run.receipt.rows;
    assert_eq!(numbers, (0..read).collect::<Vec<_>>(), "{name}: one outcome for each row");
    if scenario.stop.is_none() {
        assert_eq!(read, run.rows.len() as u64, "{name}: every row is read");
    }
    for (row, outcome) in run.rows.iter().zip(outcomes) {
        one_row(scenario, books, run, row, outcome);
    }
}

fn one_row(scenario: &Scenario, books: &Books, run: &Finished, row: &Row, outcome: &RowOutcome) {
    let name = "each row has one correct outcome";
    let choices = alternatives(row);
    let billed = |value: &str| books.billed.get(value).copied().unwrap_or_default() > 0;
    match (row, outcome.status) {
        (Row::Missing, status) => assert_eq!(status, Status::Missing, "{name}"),
        (Row::Invalid(..), status) => assert_eq!(status, Status::Invalid, "{name}"),
        (_, Status::Missing | Status::Invalid) => panic!("{name}: {outcome:?} of {row:?}"),
        (_, Status::Found) => {
            let choice = choices.iter().find(|(place, _)| *place == outcome.alternative);
            let (_, value) =
                choice.expect("each row has one correct outcome: a found row names one of its values");
            let record =
                outcome.record.as_ref().expect("each row has one correct outcome: a found row has a record");
            assert_eq!(record, record_of(value).as_bytes(), "{name}: the right person");
            assert!(billed(value), "{name}: a found row was billed");
        }
        (_, Status::NotFound) => {
            for (_, value) in &choices {
                let no_contact =
                    !is_known(scenario, value) || is_refused(scenario, value) || scenario.largest == 0;
                assert!(no_contact, "{name}: {value} would have been found");
                assert!(books.passed.contains_key(value), "{name}: {value} was never sent");
            }
        }
        (_, Status::Rejected) => {
            for (_, value) in &choices {
                assert!(
                    is_refused(scenario, value) || scenario.largest == 0,
                    "{name}: the service does not refuse {value}"
                );
            }
        }
        (_, Status::Unknown) => {
            let open = choices.iter().find(|(_, value)| {
                books.doubtful.contains(value) || gave_up(run) && may_have_been_in_flight(books, value)
            });
            assert!(open.is_some(), "only rows in doubt are unknown: {choices:?} {outcome:?}");
        }
        (_, Status::NotSent) => {
            // The row stands at the first alternative that neither missed nor was refused.
            let passed = |value: &String| books.passed.contains_key(value);
            let open = choices.iter().find(|(_, value)| !passed(value));
            if let Some((_, value)) = open
                && scenario.second.is_none()
            {
                // (If there are two runs, one may stop before the other sends the lookup.)
                let asked: Vec<_> = books.seen.iter().filter(|seen| seen.lookups.contains(value)).collect();
                assert!(
                    !billed(value),
                    "{name}: {value} was billed, but is reported as not_sent ({outcome:?}, {asked:?})"
                );
            }
        }
    }
    if matches!(outcome.status, Status::Unknown | Status::NotSent | Status::Rejected) {
        assert!(outcome.reason.is_some(), "{name}: a row without an answer has a reason");
    }
}

/// Whether a run ended before its requests in flight did: it cannot know whether those were sent.
fn gave_up(run: &Finished) -> bool {
    let reasons = run.outcomes.iter().filter_map(|outcome| outcome.reason.as_ref());
    reasons.into_iter().any(|reason| reason.to_string().starts_with("stopped before the answer came"))
}

/// Whether a lookup was in a request, which may have been in flight when a run gave up.
fn may_have_been_in_flight(books: &Books, value: &str) -> bool {
    let mut requests = books.seen.iter().map(|seen| &seen.lookups).chain(&books.unsent);
    requests.any(|lookups| lookups.iter().any(|lookup| lookup == value))
}

fn the_receipt_agrees_with_the_outcomes(run: &Finished) {
    let name = "the receipt agrees with the outcomes";
    let receipt = &run.receipt;
    assert_eq!(receipt.rows, receipt.by_status.iter().sum::<u64>(), "{name}: {receipt:?}");
    for status in Status::ALL {
        let rows = run.outcomes.iter().filter(|outcome| outcome.status == status).count() as u64;
        assert_eq!(receipt.count(status), rows, "{name}: {status:?}");
    }
    let duplicates = run.outcomes.iter().filter(|outcome| outcome.source == Source::Duplicate).count() as u64;
    assert_eq!(receipt.duplicates, duplicates, "{name}: duplicates");
    // If a run has not stopped, it leaves out only lookups of refused chunks.
    let left_out =
        run.outcomes.iter().filter(|outcome| outcome.status == Status::NotSent && !is_uncleared(outcome));
    assert!(receipt.stopped.is_some() || left_out.count() == 0, "{name}: the reason of the stop is reported");
    let unknown = receipt.count(Status::Unknown) > 0;
    let reported = run
        .troubles
        .iter()
        .any(|trouble| trouble.kind() == exactbuyer_core::error::ErrorKind::UnknownOutcome);
    assert!(!unknown || reported, "{name}: a doubt is reported");
}

/// Whether the row has no outcome because the search for the refused record of its chunk ended early.
fn is_uncleared(outcome: &RowOutcome) -> bool {
    outcome
        .reason
        .as_ref()
        .is_some_and(|reason| reason.to_string().starts_with("the service refused the chunk"))
}

/// Of the rows of one run that found the same person, at most one counts as the one that asked.
fn duplicates_are_reported_as_duplicates(run: &Finished) {
    let mut asked = BTreeSet::new();
    for outcome in &run.outcomes {
        if outcome.status == Status::Found && outcome.source == Source::Asked {
            let row = &run.rows[usize::try_from(outcome.row).unwrap()];
            let mut choices = alternatives(row).into_iter();
            let (_, value) = choices.find(|(place, _)| *place == outcome.alternative).unwrap();
            assert!(
                asked.insert(value.clone()),
                "duplicates are reported as duplicates: two rows asked for {value}"
            );
        }
    }
}

fn sum(runs: &[Finished], of: impl Fn(&Receipt) -> u64) -> u64 {
    runs.iter().map(|run| of(&run.receipt)).sum()
}

fn the_receipt_counts_every_request(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "the receipt counts every request";
    let requests = books.seen.len() as u64;
    let lookups = books.seen.iter().map(|seen| seen.lookups.len() as u64).sum::<u64>();
    let (mut requests_most, mut lookups_most) = (requests, lookups);
    if runs.iter().any(gave_up) {
        requests_most += books.unsent.len() as u64;
        lookups_most += books.unsent.iter().map(|lookups| lookups.len() as u64).sum::<u64>();
        if scenario.second.is_some() {
            // It does not know either which of these lookups the other run had claimed.
            lookups_most += requests_most * scenario.config.chunk_size as u64;
        }
    }
    let counted = sum(runs, |receipt| receipt.requests);
    assert!((requests..=requests_most).contains(&counted), "{name}: {counted} of {requests} requests");
    let counted = sum(runs, |receipt| receipt.sent);
    assert!((lookups..=lookups_most).contains(&counted), "{name}: {counted} of {lookups} lookups");
}

fn the_receipt_covers_the_billed_credits(books: &Books, runs: &[Finished]) {
    let name = "the receipt covers the billed credits";
    let (known, doubt) =
        (sum(runs, |receipt| receipt.credits), sum(runs, |receipt| receipt.credits_in_doubt));
    assert!(known <= books.spent, "{name}: {known} credits on the receipt, {} billed", books.spent);
    assert!(books.spent <= known + doubt, "{name}: {} billed, {known} + {doubt} on the receipt", books.spent);
    let all_clear = books.seen.iter().all(|seen| seen.clean || seen.billed == 0 && seen.fate == Fate::Served);
    if all_clear && runs.iter().all(|run| run.receipt.count(Status::Unknown) == 0) {
        assert_eq!((known, doubt), (books.spent, 0), "{name}: nothing is in doubt");
    }
}

fn never_more_credits_than_max_credits(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "never more credits than max_credits";
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

fn nothing_is_billed_twice(scenario: &Scenario, books: &Books) {
    let name = "nothing is billed twice";
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

fn no_60_s_have_more_requests_than_the_limit(scenario: &Scenario, books: &Books) {
    let name = "no 60 s have more requests than requests_per_minute";
    let most = scenario.config.requests_per_minute as usize;
    for (place, seen) in books.seen.iter().enumerate() {
        let within = books.seen.iter().skip(place).take_while(|later| later.at < seen.at + WINDOW).count();
        assert!(within <= most, "{name}: {within} of {most} from {:?}", seen.at);
    }
}

/// Counts at each send the lookups in flight and those that have become unknown.
fn in_flight_plus_unknown_never_exceeds_max_in_doubt(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    let name = "in flight plus unknown never exceeds max_in_doubt";
    let most = scenario.config.max_in_doubt * runs.len();
    for seen in &books.seen {
        let open = books.seen.iter().filter(|other| other.at <= seen.at);
        let doubt: usize = open
            .map(|other| match other.over {
                Some(over) if over < seen.at => made_unknown(other),
                _ => other.lookups.len(),
            })
            .sum();
        // Requests that are sent or end at this instant have no order that is visible here: one may have been
        // sent because another ended. So those that end at this instant are subtracted.
        let ending: usize = books
            .seen
            .iter()
            .filter(|other| other.at < seen.at && other.over == Some(seen.at))
            .map(|other| other.lookups.len() - made_unknown(other).min(other.lookups.len()))
            .sum();
        let at_least = doubt.saturating_sub(ending);
        assert!(at_least <= most, "{name}: {at_least} of {most}");
    }
}

/// How many lookups the request certainly made unknown.
pub fn made_unknown(seen: &Seen) -> usize {
    match (seen.status, seen.fate) {
        (None | Some(500 | 502 | 504), _) | (Some(503), Fate::SlowBusy) | (Some(200), Fate::Html) => {
            seen.lookups.len()
        }
        _ => 0,
    }
}

fn an_alternative_is_sent_only_after_all_earlier_ones(books: &Books, runs: &[Finished]) {
    let name = "an alternative is sent only after all earlier ones missed or were refused";
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
            let is_due = wanted[value].iter().any(|before| before.iter().all(|value| passed(value, seen.at)));
            assert!(is_due, "{name}: {value}");
        }
    }
}

fn requests_are_few_and_full(scenario: &Scenario, books: &Books, runs: &[Finished]) {
    if scenario.is_plain() {
        let lookups = sum(runs, |receipt| receipt.sent);
        let fewest = lookups.div_ceil(scenario.config.chunk_size as u64);
        assert_eq!(books.seen.len() as u64, fewest, "requests are as few and as full as possible");
    }
}

fn chunks_and_requests_in_flight_stay_within_their_limits(scenario: &Scenario, books: &Books) {
    let sizes = 1..=scenario.config.chunk_size;
    for seen in &books.seen {
        assert!(sizes.contains(&seen.lookups.len()), "a chunk has 1 to chunk_size lookups");
        let open = |other: &&Seen| other.at <= seen.at && other.over.is_none_or(|over| over > seen.at);
        let in_flight = books.seen.iter().filter(open).count();
        assert!(
            in_flight <= scenario.config.max_concurrency,
            "no more requests in flight than max_concurrency"
        );
    }
}
