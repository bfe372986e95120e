//! Whole runs against a script that says what comes next: rows, answers, failures, a stop. After each step
//! every promise in the head of `schedule` is checked against books of the test's own.

use std::collections::{BTreeMap, HashMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::config::{OnUnknown, Per};
use crate::error::ErrorKind;
use crate::outcome::Seen;
use crate::results::Status;
use crate::store::{RequestId, Room};

/// Steps after which a run is taken for one that never ends.
const MOST_STEPS: usize = 20_000;

/// What last became of a lookup that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    InFlight,
    Free,
    Unknown,
    Over,
}

struct Run<'a> {
    script: std::slice::Iter<'a, u8>,
    config: Config,
    ceiling: Option<u64>,
    scheduler: Scheduler,
    now: Instant,
    feed: VecDeque<Vec<Row>>,
    finished: bool,
    fed: u64,
    /// What the store says of a lookup, once it has been asked.
    store: HashMap<Identifier, Availability>,
    flights: BTreeMap<u64, Vec<Identifier>>,
    last: HashMap<Identifier, Last>,
    unknown: usize,
    spent: u64,
    in_doubt: u64,
    unanswered_in_a_row: u32,
    /// From now on nothing may be sent.
    must_not_send: bool,
    not_before: Instant,
    /// Whether the store keeps what this run is answered.
    keeps: bool,
    outcomes: BTreeMap<u64, RowOutcome>,
}

impl Run<'_> {
    /// The next word of the script, below this number; 0 after its end.
    fn pick(&mut self, below: u8) -> u8 {
        self.script.next().map_or(0, |word| word % below)
    }

    fn availability(&mut self) -> Availability {
        let known = |outcome| Availability::Known(outcome, Seen { at_ms: 1, ..Seen::default() });
        match self.pick(16) {
            10 => Availability::Again,
            11 | 12 => Availability::Held,
            13 => known(hit()),
            14 => known(Outcome::Miss),
            15 => Availability::barred("purged".into()),
            _ => Availability::Free,
        }
    }

    fn consult(&mut self, question: Question) {
        let (ids, identifiers) = self.scheduler.lookups(&question);
        let identifiers: Vec<Identifier> = identifiers.into_iter().cloned().collect();
        if self.pick(64) == 63 {
            self.must_not_send = true;
            let error = Error::new(ErrorKind::Store, "worn out");
            let nothing = Err::<std::iter::Empty<_>, _>(error);
            return self.scheduler.consulted(question, nothing, self.now);
        }
        let mut answer = Vec::new();
        for (id, identifier) in ids.into_iter().zip(identifiers) {
            let said = self.store.get(&identifier).cloned().unwrap_or_else(|| self.availability());
            self.store.insert(identifier, said.clone());
            answer.push((id, said));
        }
        self.scheduler.consulted(question, Ok(answer.into_iter()), self.now);
    }

    fn is_free(&self, identifier: &Identifier) -> bool {
        matches!(self.store.get(identifier), Some(Availability::Free | Availability::Again))
    }

    fn send(&mut self, request: Request) {
        assert!(!self.must_not_send, "nothing is sent after a stop");
        assert!(self.now >= self.not_before, "a pause is kept");
        let lookups = &request.identifiers;
        assert!(!lookups.is_empty() && lookups.len() <= self.config.chunk_size);
        for identifier in lookups {
            let resend = self.config.on_unknown == OnUnknown::Resend;
            let last = self.last.insert(identifier.clone(), Last::InFlight);
            let may = last.is_none_or(|last| last == Last::Free || (last == Last::Unknown && resend));
            assert!(may && self.is_free(identifier), "nothing is sent twice without permission: {last:?}");
        }
        self.flights.insert(request.number, request.identifiers);
        let in_flight: usize = self.flights.values().map(Vec::len).sum();
        assert!(in_flight + self.unknown <= self.config.max_in_doubt, "doubt stays within bounds");
        let worst = self.spent + self.in_doubt + in_flight as u64;
        assert!(self.ceiling.is_none_or(|ceiling| worst <= ceiling), "never above the ceiling");
        assert!(self.flights.len() <= self.config.max_concurrency, "no more requests than slots");
    }

    /// Some request in flight ends, as the script says.
    fn land(&mut self) {
        let place = usize::from(self.pick(8)) % self.flights.len();
        let number = *self.flights.keys().nth(place).unwrap();
        let report = self.report(number);
        self.scheduler.limits.free_slot();
        self.scheduler.landed(number, report, self.now);
    }

    fn report(&mut self, number: u64) -> Report {
        let lookups = self.flights.remove(&number).unwrap();
        let unsent = match self.pick(40) {
            37 => Some(AttemptOutcome::NotBefore(Duration::from_secs(2))),
            38 => {
                let room = Room { credits: 0, spent: 9, ceiling: 9, per: Per::Day, reserved: false };
                Some(AttemptOutcome::NoRoom(room))
            }
            39 => {
                self.must_not_send = true;
                Some(AttemptOutcome::NotNoted(Error::new(ErrorKind::Store, "full")))
            }
            _ => None,
        };
        if let Some(unsent) = unsent {
            if let AttemptOutcome::NotBefore(wait) = unsent {
                self.not_before = self.not_before.max(self.now + wait);
            }
            self.last.extend(lookups.into_iter().map(|identifier| (identifier, Last::Free)));
            return Report::of(unsent);
        }
        let mut claimed = Vec::new();
        let mut mine = Vec::new();
        for identifier in lookups {
            let said = if self.pick(32) == 31 { self.availability() } else { Availability::Free };
            if matches!(said, Availability::Free | Availability::Again) {
                mine.push(identifier);
            } else {
                self.last.insert(identifier.clone(), Last::Free);
                self.store.insert(identifier, said.clone());
            }
            claimed.push(said);
        }
        if mine.is_empty() {
            return Report { claimed, at_ms: 1, ..Report::of(AttemptOutcome::NothingToSend) };
        }
        let outcome = self.attempt(mine.clone());
        let not_stored = (self.pick(16) == 15).then_some(RequestId(1));
        if self.keeps && not_stored.is_none() {
            self.keep(mine, &outcome);
        }
        Report { claimed, at_ms: 1, not_stored, ..Report::of(outcome) }
    }

    /// Does what a durable store does with the end of a request.
    fn keep(&mut self, lookups: Vec<Identifier>, outcome: &AttemptOutcome) {
        let resends = self.config.on_unknown == OnUnknown::Resend;
        for (place, identifier) in lookups.into_iter().enumerate() {
            let outcome = match (outcome, self.last.get(&identifier)) {
                (AttemptOutcome::Answered(settlement), _) => settlement.outcomes[place].clone(),
                (_, Some(Last::Unknown)) => Outcome::Unknown("lost".into()),
                _ => continue,
            };
            if !resends || !matches!(outcome, Outcome::Unknown(_)) {
                let seen = Seen { at_ms: 1, ..Seen::default() };
                self.store.insert(identifier, Availability::Known(outcome, seen));
            }
        }
    }

    fn attempt(&mut self, lookups: Vec<Identifier>) -> AttemptOutcome {
        let (outcome, last) = match self.pick(12) {
            6 => (busy(None), Last::Free),
            7 => {
                let wait = Duration::from_secs([3, 30, 3_000][usize::from(self.pick(3))]);
                self.must_not_send |= wait > Duration::from_mins(15);
                // The attempt itself says so to everybody.
                self.scheduler.limits.rate.pause(self.now + wait);
                self.not_before = self.not_before.max(self.now + wait);
                (failed(Verdict::Paused(wait)), Last::Free)
            }
            8 => (failed(Verdict::Refused(400)), Last::Free),
            9 => (failed(Verdict::TooLarge), Last::Free),
            10 => (lost(), Last::Unknown),
            11 if self.pick(4) == 3 => {
                self.must_not_send = true;
                (failed(Verdict::Fatal(Error::new(ErrorKind::Authentication, "401"))), Last::Free)
            }
            _ => {
                let outcomes = (0..lookups.len()).map(|_| match self.pick(8) {
                    5 | 6 => Outcome::Miss,
                    7 => Outcome::Unknown("odd".into()),
                    _ => hit(),
                });
                let outcomes: Vec<Outcome> = outcomes.collect();
                for (identifier, outcome) in lookups.into_iter().zip(&outcomes) {
                    let is_unknown = matches!(outcome, Outcome::Unknown(_));
                    self.unknown += usize::from(is_unknown);
                    self.last.insert(identifier, if is_unknown { Last::Unknown } else { Last::Over });
                }
                let answers =
                    outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Unknown(_))).count();
                self.unanswered_in_a_row = if answers > 0 { 0 } else { self.unanswered_in_a_row + 1 };
                self.must_not_send |= self.unanswered_in_a_row >= 3;
                let outcome = answered(outcomes);
                if let AttemptOutcome::Answered(settlement) = &outcome {
                    self.spent += u64::from(settlement.credits);
                    self.in_doubt += u64::from(settlement.in_doubt);
                }
                return outcome;
            }
        };
        if last == Last::Unknown {
            self.unknown += lookups.len();
            self.in_doubt += lookups.len() as u64;
            self.unanswered_in_a_row += 1;
            self.must_not_send |= self.unanswered_in_a_row >= 3;
        }
        self.last.extend(lookups.into_iter().map(|identifier| (identifier, last)));
        outcome
    }

    /// Other requests end: what they asked for is known, or free.
    fn others_end(&mut self) -> bool {
        let answer = if self.pick(2) == 0 {
            Availability::Known(hit(), Seen { at_ms: 2, ..Seen::default() })
        } else {
            Availability::Free
        };
        let held = self.store.values_mut().filter(|said| **said == Availability::Held);
        let ended = held.map(|said| *said = answer.clone()).count();
        self.scheduler.store_changed();
        ended > 0
    }

    /// Something happens while the run sleeps.
    fn sleep(&mut self, nap: Nap) {
        assert!(nap.until.is_none_or(|until| until > self.now), "waits are never in the past");
        let what = self.pick(24);
        if what == 23 {
            self.must_not_send = true;
            let grace = Duration::from_secs(self.pick(4).into());
            self.scheduler.stop(grace, self.now);
        } else if what == 22 {
            self.others_end();
        } else if let (Some(rows), true) = (self.feed.front(), what < 8 || self.flights.is_empty()) {
            self.fed += rows.len() as u64;
            self.scheduler.feed(self.feed.pop_front().unwrap(), Vec::new());
        } else if self.feed.is_empty() && !self.finished {
            self.finished = true;
            self.scheduler.finish();
        } else if !self.flights.is_empty() && (what < 18 || nap.until.is_none()) {
            self.land();
        } else if nap.store && (self.script.len() == 0 || nap.until.is_none()) && self.others_end() {
            // Otherwise a store that is looked at now and then would be looked at for ever.
        } else if let Some(until) = nap.until {
            let late = Duration::from_secs(u64::from(self.pick(8) / 7) * 100);
            self.now = until + late;
            self.scheduler.woke(&nap, self.now);
        } else {
            panic!("every run comes to an end");
        }
    }

    fn give_up(&mut self) {
        self.scheduler.give_up("12:00:00 UTC");
        let before = self.scheduler.report(self.now).0;
        self.collect(before);
        // What arrives later changes nothing for the run.
        for number in self.flights.keys().copied().collect::<Vec<_>>() {
            let report = self.report(number);
            self.scheduler.limits.free_slot();
            self.scheduler.landed(number, report, self.now);
        }
        assert!(self.scheduler.out.is_empty(), "what was given up is over");
    }

    fn collect(&mut self, outcomes: Vec<RowOutcome>) {
        for outcome in outcomes {
            let row = outcome.row;
            assert!(self.outcomes.insert(row, outcome).is_none(), "each row has one outcome: {row}");
        }
    }

    fn go(mut self) {
        for _ in 0..MOST_STEPS {
            match self.scheduler.next(self.now, 0) {
                Step::Consult(question) => self.consult(question),
                Step::Send(request) => self.send(request),
                Step::GiveUp => self.give_up(),
                Step::More => {}
                Step::Sleep(nap) => self.sleep(nap),
                Step::Done => return self.check_end(),
            }
            self.scheduler.effects().for_each(drop);
            let outcomes = self.scheduler.report(self.now).0;
            self.collect(outcomes);
        }
        panic!("every run comes to an end");
    }

    fn check_end(mut self) {
        let last = self.scheduler.report(self.now).0;
        self.collect(last);
        // A run that is stopped does not wait for more rows.
        assert_eq!(self.outcomes.len() as u64, self.fed, "each row has an outcome");
        assert!(self.flights.is_empty(), "what is in flight is waited for");
        let receipt = self.scheduler.report(self.now).1;
        assert!(receipt.credits <= self.spent && receipt.credits_in_doubt >= self.in_doubt);
        assert_eq!(receipt.by_status.iter().sum::<u64>(), self.fed);
        for outcome in self.outcomes.values() {
            let is_plain = matches!(outcome.status, Status::Found | Status::NotFound | Status::Missing);
            assert_eq!(is_plain, outcome.reason.is_none(), "what is not plain has a reason");
        }
    }
}

fn any_row() -> impl Strategy<Value = Row> {
    prop_oneof![
        1 => Just(Row::Missing),
        6 => (0_usize..40).prop_map(|number| Row::One(email(number))),
        2 => prop::collection::vec(0_usize..40, 1..4).prop_map(|mut people| {
            people.sort_unstable();
            people.dedup();
            list(&people)
        }),
    ]
}

fn any_config() -> impl Strategy<Value = Config> {
    (1_usize..9, 1_usize..40, any::<bool>(), 0_u32..4, 1_u32..40, 1_usize..5).prop_map(
        |(chunk_size, max_in_doubt, resend, max_retries, requests_per_minute, max_concurrency)| Config {
            chunk_size,
            max_in_doubt,
            on_unknown: if resend { OnUnknown::Resend } else { OnUnknown::Hold },
            max_retries,
            requests_per_minute,
            max_concurrency,
            grace: Duration::from_secs(5),
            ..Config::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_promise_holds_in_every_run(
        config in any_config(),
        feed in prop::collection::vec(prop::collection::vec(any_row(), 0..30), 0..5),
        ceilings in prop::option::of((0_u64..60, any::<bool>())),
        (whole, durable, read_ahead) in (any::<bool>(), any::<bool>(), 1_usize..40),
        window in prop::option::of(0_u64..20),
        script in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let now = Instant::now();
        let (ceiling, of_engine) = ceilings.map_or((None, false), |(credits, engine)| (Some(credits), engine));
        let max_credits = ceiling.filter(|_| !of_engine);
        let read_ahead = Some(read_ahead);
        let options = RunOptions { max_credits, whole, window, read_ahead, ..RunOptions::default() };
        let limits = limits_of(&config, ceiling.filter(|_| of_engine));
        let chance = Box::new(|| 0.5);
        let scheduler = Scheduler::new(Arc::new(config.clone()), &options, limits, durable, chance, now);
        Run {
            script: script.iter(),
            config,
            ceiling,
            scheduler,
            now,
            feed: feed.into(),
            finished: false,
            fed: 0,
            store: HashMap::new(),
            flights: BTreeMap::new(),
            last: HashMap::new(),
            unknown: 0,
            spent: 0,
            in_doubt: 0,
            unanswered_in_a_row: 0,
            must_not_send: false,
            not_before: now,
            keeps: durable,
            outcomes: BTreeMap::new(),
        }
        .go();
    }
}
