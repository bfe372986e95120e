//! The scheduler, decision by decision. Whole runs are in `runs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod limits;
mod runs;
mod steps;
mod time_left;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::identifier::FieldType;
use crate::outcome::Availability;
use crate::plan::Preference;
use crate::policy::Verdict;
use crate::service::align::Settlement;

fn email(number: usize) -> Identifier {
    Identifier::from_canonical(FieldType::Email, format!("p{number}@x.example"))
}

fn rows(people: impl IntoIterator<Item = usize>) -> Vec<Row> {
    people.into_iter().map(|number| Row::One(email(number))).collect()
}

fn list(people: &[usize]) -> Row {
    let alternatives = (0..).zip(people).map(|(place, number)| (place, email(*number))).collect();
    Row::Preference(Box::new(Preference { first: 0, alternatives }))
}

fn limits_of(config: &Config, credits: Option<u64>) -> Arc<Limits> {
    let rate = Share::new(Arc::new(Limiter::default()), config.requests_per_minute);
    Arc::new(Limits::new(credits, config.max_concurrency, rate))
}

/// A scheduler with the middle of all random numbers.
fn scheduler(config: Config, options: &RunOptions, now: Instant) -> Scheduler {
    let limits = limits_of(&config, None);
    Scheduler::new(Arc::new(config), options, limits, false, Box::new(|| 0.5), now)
}

/// A reply that says this of each lookup. What is unknown may have been charged.
fn answered(outcomes: Vec<Outcome>) -> AttemptOutcome {
    let count =
        |is: fn(&Outcome) -> bool| u32::try_from(outcomes.iter().filter(|one| is(one)).count()).unwrap();
    let credits = count(|outcome| matches!(outcome, Outcome::Hit(_)));
    let in_doubt = count(|outcome| matches!(outcome, Outcome::Unknown(_)));
    AttemptOutcome::Answered(Settlement { outcomes, credits, in_doubt, note: None })
}

fn hit() -> Outcome {
    Outcome::Hit(Bytes::from_static(b"{}"))
}

fn failed(verdict: Verdict) -> AttemptOutcome {
    AttemptOutcome::Failed { verdict, left: true }
}

fn lost() -> AttemptOutcome {
    failed(Verdict::Unknown { reason: "lost".to_owned(), congested: false })
}

fn busy(wait: Option<Duration>) -> AttemptOutcome {
    let trouble = Error::new(crate::error::ErrorKind::Server, "busy");
    failed(Verdict::Later { cause: "busy".into(), trouble, wait, congested: true })
}

/// The next step other than a question, if the store says this of every lookup.
fn next_if(scheduler: &mut Scheduler, now: Instant, availability: &Availability) -> Step {
    loop {
        match scheduler.next(now, 0) {
            Step::Consult(question) => {
                let (ids, _) = scheduler.lookups(&question);
                let answer = ids.into_iter().map(|id| (id, availability.clone()));
                scheduler.consulted(question, Ok(answer), now);
            }
            Step::More => {}
            step => return step,
        }
    }
}

/// The same, for a store that knows nothing.
fn next(scheduler: &mut Scheduler, now: Instant) -> Step {
    next_if(scheduler, now, &Availability::Free)
}

fn sent(step: Step) -> Request {
    match step {
        Step::Send(request) => request,
        other => panic!("nothing is sent: {other:?}"),
    }
}

fn slept(step: Step) -> Nap {
    match step {
        Step::Sleep(nap) => nap,
        other => panic!("no nap: {other:?}"),
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn hits(request: &Request) -> Report {
    Report::of(answered(vec![hit(); request.identifiers.len()]))
}

fn land(scheduler: &mut Scheduler, number: u64, report: Report, now: Instant) {
    scheduler.limits.free_slot();
    scheduler.landed(number, report, now);
}

fn started(config: Config, people: impl IntoIterator<Item = usize>) -> (Scheduler, Instant) {
    let now = Instant::now();
    let mut scheduler = scheduler(config, &RunOptions::default(), now);
    scheduler.feed(rows(people), Vec::new());
    scheduler.finish();
    (scheduler, now)
}

fn of_ten() -> Config {
    Config { chunk_size: 10, ..Config::default() }
}
