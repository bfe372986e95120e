//! The next step of a run.
//!
//! The order in which [`Scheduler::next`] looks for something to do: ask the store about new rows and held
//! lookups; send; after a stop, give up what is in flight when the grace is over; admit more rows; sleep. It returns
//! at the first that applies, and the shell calls it again after each step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::OnUnknown;
use crate::error::Error;

use super::chunk::{Chunk, Flight, Request};
use super::consult::Question;
use super::retries::GroupId;
use super::tally::LimitedBy;
use super::{Scheduler, trouble};

/// How often a run that waits for other processes checks whether they are done.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// A partial chunk from a slow source is sent after so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// While the caller has so many chunks of rows to take, nothing new is sent, and no rows are admitted, because the
/// store may answer them: a slow reader must not fill the memory. Few, so that a body is read again while the
/// processor still has it in its cache.
const BACKLOG_CHUNKS: usize = 4;

/// What the shell does next.
#[derive(Debug)]
pub enum Step {
    /// Ask the store, and hand its answer to [`Scheduler::consulted`].
    ///
    /// Comes before sending, so that nothing is paid for that the store has.
    Consult(Question),
    /// Claim, send and settle this request, and hand its report to [`Scheduler::landed`].
    ///
    /// Its credits, slot and rate are taken already.
    Send(Request),
    /// Call [`Scheduler::give_up`].
    ///
    /// The grace after a stop is over, and something is still in flight or held.
    GiveUp,
    /// More rows can be admitted: let other tasks run, then ask again.
    More,
    /// Sleep until something happens.
    Sleep(Nap),
    /// Every row has its outcome.
    ///
    /// Nothing follows. The receipt is final.
    Done,
}

/// How long a run sleeps, unless an event or a free slot wakes it.
///
/// Whatever wakes the run, it asks for the next step again; waking too early costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct Nap {
    /// When to ask again. Never in the past.
    pub until: Option<Instant>,
    /// A change of the store wakes it, too.
    pub store: bool,
    /// Other processes share the store: ask it to look for their changes after the nap.
    pub listen: bool,
    /// A deadline counts meanwhile.
    deadline: bool,
}

/// Why nothing can be sent now.
///
/// Not an error of the run: [`Scheduler::next`] turns it into a sleep or a stop.
#[derive(Debug)]
pub(super) enum Blocked {
    /// Ask again at this time, or when something happens. Contains what the run waits for.
    Until(Option<Instant>, LimitedBy),
    /// Nothing can be sent any more.
    Over(Error),
}

impl Scheduler {
    /// The next step. `backlog` is the number of outcomes that the caller has not taken yet.
    ///
    /// Does not wait.
    pub fn next(&mut self, now: Instant, backlog: usize) -> Step {
        self.now = now;
        self.is_reader_behind = backlog >= BACKLOG_CHUNKS * self.retries.chunk_size.max(1_000);
        self.ceilings.stored = self.ceilings.stored.filter(|(_, until)| now < *until);
        if let Some(question) = self.question() {
            return Step::Consult(question);
        }
        let mut wake = None;
        while self.ending.reason.is_none() {
            match self.choose() {
                Ok((chunk, reserved)) => return Step::Send(self.launch(&chunk, reserved)),
                Err(Blocked::Until(until, why)) => {
                    (wake, self.limited_by) = (until, why);
                    break;
                }
                Err(Blocked::Over(error)) => self.halt(&Arc::new(error.message().clone()), Some(error)),
            }
        }
        if self.ending.is_over(now) && !(self.flights.is_empty() && self.held.is_empty()) {
            return Step::GiveUp;
        }
        self.admitted = false;
        if self.is_over() {
            Step::Done
        } else if self.wants_rows() {
            Step::More
        } else {
            Step::Sleep(self.nap(wake))
        }
    }

    /// `wake` is when a limit allows the next request.
    fn nap(&self, wake: Option<Instant>) -> Nap {
        let now = self.now;
        let store = !self.held.is_empty() || self.ceilings.stored.is_some();
        let listen = store && self.tally.durable;
        let deadline = self.ending.look(now);
        let until = wake.into_iter().chain(deadline).chain(listen.then(|| now + LISTEN_EVERY)).min();
        Nap { until, store, listen, deadline: deadline.is_some() }
    }

    /// The nap is over.
    pub fn woke(&mut self, nap: &Nap, now: Instant) {
        if let Some(until) = nap.until.filter(|_| nap.deadline) {
            self.ending.woke(until, now);
        }
    }

    /// Chooses the next chunk and takes what it needs: something to send, room for doubt, credits, a slot, the
    /// rate, in this order. (The attempt itself claims it from the store.) Returns the credits set aside with it.
    ///
    /// If one check fails, nothing has been taken: the credits, the slot and the rate are taken under one lock.
    ///
    /// # Errors
    /// What is waited for, or why nothing can be sent any more.
    fn choose(&mut self) -> Result<(Chunk, usize), Blocked> {
        let now = self.now;
        if self.is_reader_behind {
            return Err(Blocked::Until(None, LimitedBy::Consumer));
        }
        if let Some(until) = self.pauses.not_before.filter(|until| now < *until) {
            return Err(Blocked::Until(Some(until), LimitedBy::RequestsPerMinute));
        }
        if self.table.is_full() && self.wants_rows() {
            // The rows that need the kept contacts are admitted first.
            return Err(Blocked::Until(None, LimitedBy::Source));
        }
        let suspect = self.suspect();
        let due = self.retries.next_due(now);
        let retry = self.retries.ready(now, suspect);
        let size = match retry {
            Some((_, size)) => size,
            None if suspect.is_some() => return Err(Blocked::Until(due, LimitedBy::Latency)),
            None => self
                .fresh_chunk()
                .map_err(|(until, why)| Blocked::Until(until.into_iter().chain(due).min(), why))?,
        };
        let size = self.fits_doubt(size)?;
        let mut slots = self.limits.lock();
        let size = self.ceilings.fits(size, &slots.budget)?;
        slots.take(&self.limits.rate, &mut self.ceilings.own, size as u64, now)?;
        drop(slots);
        let chunk = retry.and_then(|(place, _)| self.retries.take(place, size));
        let chunk = chunk.unwrap_or_else(|| {
            self.partial_since = None;
            Chunk { ids: self.table.take(size), ..Chunk::default() }
        });
        Ok((chunk, size))
    }

    /// The first refused chunk, if the request itself may be wrong: until that is decided, nothing else is sent.
    fn suspect(&self) -> Option<GroupId> {
        let suspect = self.retries.splits.suspect()?;
        self.open_chunks().any(|chunk| chunk.group == Some(suspect)).then_some(suspect)
    }

    /// The size of a chunk of lookups that are sent for the first time.
    ///
    /// # Errors
    /// Until when to wait for it to fill, and for what.
    fn fresh_chunk(&mut self) -> Result<usize, (Option<Instant>, LimitedBy)> {
        let (queued, chunk_size) = (self.table.queued(), self.retries.chunk_size);
        if queued >= chunk_size {
            self.partial_since = None;
            return Ok(chunk_size);
        }
        if queued == 0 {
            self.partial_since = None;
            let retries = self.retries.iter().next().is_some();
            let why = match (self.flights.is_empty(), self.held.is_empty(), retries) {
                (false, ..) => LimitedBy::Latency,
                (true, false, _) => LimitedBy::AnotherRun,
                (true, true, true) => LimitedBy::Retries,
                (true, true, false) => LimitedBy::Source,
            };
            return Err((None, why));
        }
        if !self.intake.fed.is_empty() {
            // Rows that came with these are about to fill it.
            return Err((None, LimitedBy::Source));
        }
        if self.intake.over {
            // Few, full requests: a partial chunk waits for what may still fill it. Looked at each time, as a
            // row that misses may since have come to wait for a lookup in flight.
            let may_refill = self.open_chunks().any(|chunk| self.table.may_refill(&chunk.ids));
            return if may_refill { Err((None, LimitedBy::Latency)) } else { Ok(queued) };
        }
        let until = *self.partial_since.get_or_insert(self.now) + PATIENCE;
        if until <= self.now { Ok(queued) } else { Err((Some(until), LimitedBy::Source)) }
    }

    /// How many lookups may be sent, so that at most `max_in_doubt` are unknown even if every reply is lost.
    ///
    /// # Errors
    /// If there is no room while something is in flight, or none at all.
    fn fits_doubt(&self, size: usize) -> Result<usize, Blocked> {
        let room = self.doubts.room(self.in_flight());
        if room >= size {
            Ok(size)
        } else if !self.flights.is_empty() {
            Err(Blocked::Until(None, LimitedBy::MaxInDoubt))
        } else if room > 0 {
            Ok(room)
        } else {
            let first_doubt = self.tally.first_doubt();
            Err(Blocked::Over(trouble::too_much_doubt(self.doubts.unknown, &first_doubt)))
        }
    }

    /// The chunk is in flight from here on, although the attempt has not claimed it yet.
    fn launch(&mut self, chunk: &Chunk, reserved: usize) -> Request {
        let splits = &mut self.retries.splits;
        if let Some(group) = chunk.group {
            splits.sent(group);
            if splits.exhausted(group) {
                self.leave_unresolved(group);
            }
        }
        // In pairs, so that an identifier never stands beside another lookup's number.
        let known = chunk.ids.iter().filter_map(|id| Some((*id, self.table.identifier(*id)?.clone())));
        let (ids, identifiers): (Vec<_>, Vec<_>) = known.unzip();
        let request = Request {
            number: self.launched,
            identifiers,
            resends: self.resends(chunk),
            // What may have been charged before is not known to be refused: the doubt stays.
            cleared: self.retries.splits.cleared() && chunk.doubt.is_none(),
        };
        self.launched += 1;
        self.flights.insert(request.number, Flight { chunk: chunk.with(ids), slot: self.now, reserved });
        request
    }

    /// Whether this chunk is sent again if it becomes unknown.
    pub(super) fn resends(&self, chunk: &Chunk) -> bool {
        self.config.on_unknown == OnUnknown::Resend && chunk.attempts < self.config.max_retries
    }
}
