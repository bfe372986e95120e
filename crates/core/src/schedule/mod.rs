//! SCHEDULE: what a run sends next, and what follows from each reply. Pure.
//!
//! A [`Scheduler`] is the state of one run. It does nothing itself: the shell, `dispatch`, tells it what has
//! happened, asks for the [next step](Scheduler::next) and carries it out. Times and random numbers are
//! arguments; what the store knows is the answer to a [`Question`]. So every decision of a run can be tested
//! without a runtime, a network or a store.
//!
//! What holds at any moment:
//! - A lookup is in one place: in the queue of the [`Table`], in a chunk to be sent again, held because another
//!   request asks for it, in flight, or over.
//! - A lookup is sent again only after a reply that was free, or if `on_unknown` allows it.
//! - Lookups in flight and unknown never exceed `max_in_doubt`. If each of them costs a credit, no ceiling is
//!   exceeded.
//! - After a stop nothing is sent. What is in flight may take the grace, then it is unknown.
//! - Each row gets one outcome.
//!
//! | file | what it owns |
//! |---|---|
//! | `chunk` | lookups that travel together; a request and its report |
//! | `intake` | rows that are not lookups yet |
//! | `consult` | what the store is asked, and lookups that other requests ask for |
//! | `next` | the next request, or what to wait for |
//! | `landed` | what follows from the end of a request |
//! | `retries` | chunks to be sent again; the search for a refused record |
//! | `limits` | the run's own limits: on credits, on unknown lookups, on requests, on time |
//! | `shared` | the limits that several runs share |
//! | `tally`, `trouble` | counts, and messages for people |
//! | `log` | entries for the log of the caller |

mod chunk;
mod consult;
mod counts;
mod intake;
mod landed;
mod limits;
mod log;
mod next;
mod retries;
mod shared;
mod tally;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::budget::{Budget, HitRate};
use crate::config::{Config, Keeper};
use crate::error::Error;
use crate::identifier::Identifier;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::plan::{LookupId, Row, Table};
use crate::results::{Origin, RowOutcome, Source};
use crate::store::RequestId;

use chunk::{Chunk, Flight};
use consult::Held;
use counts::Counts;
use intake::Intake;
use limits::{Ceilings, Doubts, Ending, Pauses};
use retries::Retries;
use tally::Tally;

pub use chunk::{AttemptOutcome, Report, Request};
pub use consult::Question;
pub use log::{LogEntry, LogKind};
pub use next::{Nap, Step};
pub use shared::{Limiter, Limits, Share};
pub use tally::{LimitedBy, Progress};

/// The options of one run.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Instead of the engine's own.
    pub required_fields: Option<Box<[Box<str>]>>,
    /// Lowers the engine's limit on credits for this run.
    pub max_credits: Option<u64>,
    /// Look up again what the store has.
    pub refresh: bool,
    /// Send nothing: lookups that the store cannot answer are `not_sent`.
    pub store_only: bool,
    /// All rows are available at once: nothing is sent before the input is finished, and each answer is
    /// kept until the last row that names its lookup, so that it is not paid for again. Otherwise a lookup
    /// is forgotten 100,000 rows after the last row that named it.
    pub whole: bool,
    /// For how many rows a lookup is remembered instead of 100,000. Used only with a durable store: a later row gets
    /// its answer from there, and counts as answered by the store. As soon as the run has an outcome that the store
    /// does not answer with (one that was not stored, a doubt, a rejection), it remembers lookups for 100,000 rows
    /// again.
    pub window: Option<u64>,
    /// How many rows will be fed, if that is known: only for the progress.
    pub rows: Option<u64>,
    /// The most lookups of a request, if fewer than the engine's.
    pub chunk_size: Option<usize>,
    /// The most lookups that wait to be sent, if not 16,384. The rows after them are not turned into lookups yet.
    pub read_ahead: Option<usize>,
}

/// What the shell must do besides the steps.
#[derive(Debug)]
pub enum Effect {
    /// Something that the runs of the engine share is free again: wake those that wait for it.
    Freed,
    /// These lookups were sent once, are unknown, and are not sent again after all: tell the store.
    Doubt(Vec<(Identifier, Arc<str>)>),
    /// For the log.
    Log(LogEntry),
    /// The run has met these troubles: tell the caller at once, as the input may be endless.
    Warn(Vec<Error>),
    /// The run sends nothing from now on: requests that still wait for the store must not be sent.
    Halt,
}

/// Random numbers between 0 and 1, for the jitter of retries.
pub type Chance = Box<dyn FnMut() -> f64 + Send + Sync>;

/// The state of one run.
pub struct Scheduler {
    config: Arc<Config>,
    limits: Arc<Limits>,
    chance: Chance,
    /// The time of the last call.
    now: Instant,
    /// Why nothing is sent, if the run may only use the store.
    store_only: Option<Arc<Message>>,
    table: Table,
    intake: Intake,
    /// Rows were admitted since the run last waited: the others wait until events have been read.
    admitted: bool,
    /// The caller has many outcomes to take, as of the last step.
    is_reader_behind: bool,
    held: Held,
    retries: Retries,
    flights: BTreeMap<u64, Flight>,
    launched: u64,
    /// When a partial chunk began to wait for more lookups.
    partial_since: Option<Instant>,
    ceilings: Ceilings,
    doubts: Doubts,
    pauses: Pauses,
    ending: Ending,
    /// Requests whose answers could not be stored, with the number of their lookups.
    unstored: Vec<(RequestId, usize)>,
    tally: Tally,
    counts: Counts,
    limited_by: LimitedBy,
    out: Vec<RowOutcome>,
    effects: Vec<Effect>,
}

impl Scheduler {
    /// A run with these settings and options. `durable` says whether the store keeps answers after the run.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        options: &RunOptions,
        limits: Arc<Limits>,
        durable: bool,
        chance: Chance,
        now: Instant,
    ) -> Self {
        let ceiling = config.credits_of(Keeper::Run, durable).into_iter().chain(options.max_credits).min();
        let mut table = Table::default();
        table.set_window(options.window.filter(|_| durable));
        let chunk_size = options.chunk_size.map_or(config.chunk_size, |size| size.min(config.chunk_size));
        Self {
            limits,
            chance,
            now,
            store_only: options.store_only.then(|| Arc::new(trouble::store_only())),
            table,
            intake: Intake::new(options),
            admitted: false,
            is_reader_behind: false,
            held: Held::default(),
            retries: Retries::new(chunk_size.clamp(1, config.max_in_doubt.max(1))),
            flights: BTreeMap::new(),
            launched: 0,
            partial_since: None,
            ceilings: Ceilings { own: Budget::new(ceiling), stored: None, hit_rate: HitRate::default() },
            doubts: Doubts { most: config.max_in_doubt, unknown: 0, in_a_row: 0 },
            pauses: Pauses::default(),
            ending: Ending::default(),
            unstored: Vec::new(),
            tally: Tally::new(now, durable),
            counts: Counts::default(),
            limited_by: LimitedBy::default(),
            out: Vec::new(),
            effects: Vec::new(),
            config,
        }
    }

    /// More rows, each of which stands for as many equal rows of the caller's as `counts` says. The receipt and
    /// the progress count those. Without counts, each row stands for itself.
    pub fn feed(&mut self, rows: Vec<Row>, counts: Vec<u64>) {
        self.counts.expect(self.table.rows() + self.intake.rows(), counts);
        self.intake.fed.push_back(rows.into_iter());
    }

    /// No more rows come.
    pub fn finish(&mut self) {
        self.intake.finish(&mut self.table);
        self.seal_if_complete();
    }

    /// Sends nothing new. Requests in flight may still take `grace`. If it is called several times, the shortest
    /// grace counts.
    pub fn stop(&mut self, grace: Duration, now: Instant) {
        self.intake.over = true;
        self.halt(&Arc::new(trouble::STOPPED.into()), None);
        self.ending.shorten(now + grace);
    }

    /// What to do besides the steps. To be called after each other call.
    pub fn effects(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.effects.drain(..)
    }

    /// The errors of the run, worst first: fatal, budget, unknown, rejected.
    #[must_use]
    pub fn troubles(&self) -> Vec<Error> {
        self.tally.troubles()
    }

    /// The requests whose answers could not be stored, if the run was not stopped: then there is time to try again.
    #[must_use]
    pub fn unstored(&self) -> Vec<RequestId> {
        if self.ending.reason.is_some() {
            return Vec::new();
        }
        self.unstored.iter().map(|(request, _)| *request).collect()
    }

    /// The answers to these requests are stored by now.
    pub fn stored_late(&mut self, requests: &[RequestId]) {
        for (_, lookups) in self.unstored.extract_if(.., |(request, _)| requests.contains(request)) {
            self.tally.receipt.not_stored -= lookups as u64;
        }
    }

    fn seal_if_complete(&mut self) {
        if self.intake.finished && self.intake.fed.is_empty() {
            self.table.seal();
        }
    }

    fn is_over(&self) -> bool {
        self.intake.over && self.intake.fed.is_empty() && self.table.open() == 0 && self.flights.is_empty()
    }

    /// Whether rows should be admitted now. After a stop, also while the reader is behind: the caller of a dropped run
    /// takes no more outcomes, and the run must end all the same.
    fn wants_rows(&self) -> bool {
        let is_room = !self.is_reader_behind || self.ending.reason.is_some();
        is_room && self.intake.wants_rows(&self.table, self.retries.chunk_size)
    }

    fn settle(&mut self, id: LookupId, outcome: Outcome, origin: impl Into<Origin>) {
        let origin = origin.into();
        if let Outcome::Unknown(reason) = &outcome
            && origin.source != Source::Store
        {
            self.tally.doubted(reason);
        }
        if matches!(outcome, Outcome::Unknown(_) | Outcome::Rejected(_)) {
            // The store may let this run ask again: its own memory keeps it from doing so.
            self.table.set_window(None);
        }
        self.table.settle(id, outcome, origin, &mut self.out);
    }

    /// From now on nothing new is sent: what waits is `not_sent`, unless it is in doubt already.
    fn halt(&mut self, reason: &Arc<Message>, error: Option<Error>) {
        self.tally.stopped(reason, error);
        self.effects.extend([Effect::Halt, Effect::Warn(self.tally.troubles())]);
        self.ending.reason.get_or_insert_with(|| reason.clone());
        // What other requests ask for costs this run nothing: it still waits for their answers.
        self.table.close(reason, &mut self.out);
        for chunk in self.retries.take_all(None) {
            self.leave(chunk, reason);
        }
    }

    /// The run cannot go on; what is in flight may still finish.
    fn fail(&mut self, error: Error) {
        self.ending.deadline.get_or_insert(self.now + self.config.grace);
        self.halt(&Arc::new(error.message().clone()), Some(error));
    }

    /// The grace is over: what is in flight is unknown, and no answers of other requests are waited for.
    /// `time` is the time of day.
    pub fn give_up(&mut self, time: &str) {
        for chunk in self.held.take_all() {
            self.again(chunk);
        }
        let reason: Arc<str> = format!("stopped before the answer came, at {time}").into();
        for (_, Flight { chunk, reserved, .. }) in std::mem::take(&mut self.flights) {
            let lookups = chunk.ids.len();
            self.settle_credits(reserved, 0, lookups as u64);
            self.tally.sent(lookups, 0, lookups as u64);
            for id in chunk.ids {
                self.settle(id, Outcome::Unknown(reason.clone()), Source::Asked);
            }
        }
    }

    /// Replaces the credits set aside for a request by what it cost.
    fn settle_credits(&mut self, reserved: usize, spent: u64, in_doubt: u64) {
        let reserved = reserved as u64;
        self.ceilings.own.settle(reserved, spent, in_doubt);
        self.limits.lock().budget.settle(reserved, spent, in_doubt);
        self.effects.push(Effect::Freed);
    }

    fn in_flight(&self) -> usize {
        self.flights.values().map(|flight| flight.chunk.ids.len()).sum()
    }

    /// The chunks whose lookups have no outcome yet.
    fn open_chunks(&self) -> impl Iterator<Item = &Chunk> {
        let in_flight = self.flights.values().map(|flight| &flight.chunk);
        in_flight.chain(self.retries.iter()).chain(self.held.iter())
    }
}
