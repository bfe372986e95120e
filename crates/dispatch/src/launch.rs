//! What a run sends next, and what it waits for where it may not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::policy::{LONGEST_PAUSE, Verdict};

use super::Shared;
use super::attempt::{Attempt, CameTo, Landed, Parcel, now_ms, pause};
use super::runner::{Event, Flight, Runner, now};
use super::split::GroupId;

/// The service asks for a pause that no run should sleep through.
pub(super) fn pause_too_long(wait: Duration) -> Error {
    let minutes = super::tally::counted(wait.as_secs().div_ceil(60), "minute");
    let message = format!("the service asks for a pause of {minutes} (429): run this again after that");
    Error::new(ErrorKind::RateLimit, message).with_status(429)
}

/// A partial chunk from a slow source goes out after so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Rows delivered and not taken, in chunks, at which nothing new is sent: a slow reader must not
/// fill the memory. Few, so that a body is read again while the processor still has it at hand.
const BACKLOG_CHUNKS: usize = 4;

/// What may happen next.
enum Step {
    Send(Parcel),
    /// Nothing before then, or before something else happens; why.
    Wait(Option<Instant>, &'static str),
    /// Nothing any more.
    End(Error),
}

impl Runner {
    /// Sends whatever may go out now; when to look again, if time alone could change the answer.
    pub(super) fn send_what_may_go(&mut self) -> Option<Instant> {
        loop {
            if self.stopping.is_some() {
                return None;
            }
            // One moment for the step and its slot: the slot is given back by the moment it was taken.
            let at = now();
            match self.next_step(at) {
                Step::Send(parcel) => self.launch(parcel, at),
                Step::Wait(until, why) => {
                    self.limited_by = why;
                    return until;
                }
                Step::End(error) => self.halt(&Arc::from(error.message()), Some(error)),
            }
        }
    }

    /// The design's order: something to send, doubt, budget, concurrency slot, rate slot. (The
    /// claim is the attempt's own.)
    fn next_step(&mut self, now: Instant) -> Step {
        if self.port.backlog() >= BACKLOG_CHUNKS * self.chunk_size.max(1_000) {
            return Step::Wait(None, "the consumer");
        }
        if let Some(until) = self.not_before.filter(|until| now < *until) {
            return Step::Wait(Some(until), "requests_per_minute");
        }
        if self.table.is_full() && self.wants_rows() {
            // The rows that need the kept contacts are admitted first.
            return Step::Wait(None, "the source");
        }
        let suspect = self.suspect();
        let may_go = |parcel: &Parcel| suspect.is_none() || parcel.group == suspect;
        let retry = self.retries.iter().position(|parcel| may_go(parcel) && self.is_due(parcel, now));
        let due = self.retries.iter().filter_map(|parcel| parcel.due).filter(|due| *due > now).min();
        let size = match retry.and_then(|place| self.retries.get(place)) {
            // A request that is too large since it was cut: the rest of it stays where it is.
            Some(parcel) => parcel.ids.len().min(self.chunk_size),
            None if suspect.is_some() => return Step::Wait(due, "latency"),
            None => match self.fresh_chunk(now) {
                Ok(size) => size,
                Err((until, why)) => {
                    return Step::Wait(until.into_iter().chain(due).min(), why);
                }
            },
        };
        let size = match self.fits_doubt(size).and_then(|size| self.fits_budget(size)) {
            Ok(size) => size,
            Err(step) => return step,
        };
        if let Err(step) = self.take_slots(now, size) {
            return step;
        }
        Step::Send(self.cut(retry, size))
    }

    /// The refused chunk that must first show whether it is the request as such that is wrong: until
    /// then nothing else is sent.
    fn suspect(&self) -> Option<GroupId> {
        let suspect = self.splits.suspect()?;
        let in_flight = self.flights.values().map(|flight| &flight.parcel);
        let mut open = self.retries.iter().chain(&self.held).chain(in_flight);
        open.any(|parcel| parcel.group == Some(suspect)).then_some(suspect)
    }

    fn is_due(&self, parcel: &Parcel, now: Instant) -> bool {
        parcel.due.is_none_or(|due| due <= now)
            && parcel.group.is_none_or(|group| self.splits.may_send(group))
    }

    /// The size of a chunk of lookups that go out for the first time.
    ///
    /// # Errors
    /// Until when to wait for it to fill, and for what.
    fn fresh_chunk(&mut self, now: Instant) -> Result<usize, (Option<Instant>, &'static str)> {
        let queued = self.table.queued();
        if queued >= self.chunk_size {
            self.partial_since = None;
            return Ok(self.chunk_size);
        }
        if queued == 0 {
            self.partial_since = None;
            let why = match (self.flights.is_empty(), self.held.is_empty(), self.retries.is_empty()) {
                (false, ..) => "latency",
                (true, false, _) => "another run",
                (true, true, false) => "retries",
                (true, true, true) => "the source",
            };
            return Err((None, why));
        }
        if !self.fed.is_empty() {
            // What came in with these is about to fill it.
            return Err((None, "the source"));
        }
        if self.input_over {
            // Few, full requests: a partial chunk waits for what may still fill it. Asked anew each
            // time: a row that misses may have come to wait for what was in flight already.
            let in_flight = self.flights.values().map(|flight| &flight.parcel);
            let mut open = in_flight.chain(&self.retries).chain(&self.held);
            let may_refill = open.any(|parcel| self.table.may_refill(&parcel.ids));
            return if may_refill { Err((None, "latency")) } else { Ok(queued) };
        }
        let until = *self.partial_since.get_or_insert(now) + PATIENCE;
        if until <= now {
            return Ok(queued);
        }
        Err((Some(until), "the source"))
    }

    fn fits_doubt(&self, size: usize) -> Result<usize, Step> {
        let most = self.shared.config.max_in_doubt;
        let room = most.saturating_sub(self.in_doubt());
        if room >= size {
            Ok(size)
        } else if !self.flights.is_empty() {
            Err(Step::Wait(None, "max_in_doubt"))
        } else if room > 0 {
            Ok(room)
        } else {
            let message = format!(
                "{} lookups went unknown, which is all that max_in_doubt allows{}: compare the vendor's usage page \
                 before you raise it",
                self.unknown,
                self.tally.first_doubt()
            );
            Err(Step::End(Error::new(ErrorKind::UnknownOutcome, message)))
        }
    }

    fn fits_budget(&self, size: usize) -> Result<usize, Step> {
        let resources = self.shared.resources();
        let (shared, own) = (resources.budget.room(), self.budget.room());
        let stored = self.room.map_or(u64::MAX, |(room, _)| room.credits);
        let room = shared.min(own).min(stored);
        if room >= size as u64 {
            return Ok(size);
        }
        // What is in flight may cost less than was set aside for it: wait, rather than waste
        // requests on crumbs.
        let tightest = |this: u64| this <= room;
        let reserved = self.budget.reserved() > 0
            || (tightest(shared) && resources.budget.reserved() > 0)
            || (tightest(stored) && self.room.is_some_and(|(room, _)| room.reserved));
        if reserved {
            return Err(Step::Wait(self.room.map(|(_, until)| until), "max_credits"));
        }
        if self.hit_rate.likely_buys(room) {
            return Ok(usize::try_from(room).unwrap_or(size));
        }
        let (ceiling, known) = match self.room {
            Some((room, _)) if tightest(stored) => {
                let spent = super::tally::counted(room.spent, "credit");
                (Some(room.ceiling), format!("; {spent} spent or in doubt by all who share the store"))
            }
            _ if tightest(shared) => (resources.budget.ceiling(), String::new()),
            _ => (self.budget.ceiling(), String::new()),
        };
        let ceiling = super::tally::counted(ceiling.unwrap_or_default(), "credit");
        let message = format!(
            "max_credits reached ({ceiling}{known}): raise it, and ask again for the rows that are not_sent"
        );
        Err(Step::End(Error::new(ErrorKind::BudgetExceeded, message)))
    }

    /// Takes a concurrency slot, a rate slot, and sets the worst case aside.
    fn take_slots(&mut self, now: Instant, size: usize) -> Result<(), Step> {
        let mut resources = self.shared.resources();
        if resources.in_flight >= resources.concurrency.limit() {
            return Err(Step::Wait(None, "max_concurrency"));
        }
        if let Err(until) = self.shared.limiter.take(now) {
            let wait = until.saturating_duration_since(now);
            // Another run was told so; this one would be told the same.
            if wait > LONGEST_PAUSE {
                return Err(Step::End(pause_too_long(wait)));
            }
            return Err(Step::Wait(Some(until), "requests_per_minute"));
        }
        // Only this task reserves from `self.budget`, and `fits_budget` has looked at it; another
        // run may have been quicker with the shared one.
        if !resources.budget.reserve(size as u64) {
            self.shared.limiter.give_back(now);
            return Err(Step::Wait(Some(now), "max_credits"));
        }
        let _fits = self.budget.reserve(size as u64);
        resources.in_flight += 1;
        Ok(())
    }

    /// The lookups of the next request; what does not fit of a parcel stays where it is.
    fn cut(&mut self, retry: Option<usize>, size: usize) -> Parcel {
        let Some(place) = retry else {
            self.partial_since = None;
            return Parcel { ids: self.table.take(size), ..Parcel::default() };
        };
        let Some(parcel) = self.retries.get_mut(place) else { return Parcel::default() };
        if parcel.ids.len() > size {
            let rest = parcel.ids.split_off(size);
            let ids = std::mem::replace(&mut parcel.ids, rest);
            return Parcel { ids, ..parcel.clone_without_ids() };
        }
        self.retries.remove(place).unwrap_or_default()
    }

    fn launch(&mut self, parcel: Parcel, slot: Instant) {
        if let Some(group) = parcel.group {
            self.splits.sent(group);
            if self.splits.exhausted(group) {
                self.leave_unresolved(group);
            }
        }
        // Each beside its own, though none should be unknown: what was set aside for one is free again.
        let known = parcel.ids.iter().filter_map(|id| Some((*id, self.table.identifier(*id)?.clone())));
        let (ids, identifiers): (Vec<_>, Vec<_>) = known.unzip();
        if ids.len() < parcel.ids.len() {
            self.settle_budget(parcel.ids.len() - ids.len(), 0, 0);
        }
        let parcel = Parcel { ids, ..parcel };
        let config = &self.shared.config;
        let hold = config.on_unknown == OnUnknown::Hold || parcel.attempts >= config.max_retries;
        let attempt = Attempt {
            transport: self.shared.transport.clone(),
            store: self.shared.store.clone(),
            run: self.run,
            required: self.required.clone(),
            format: config.body,
            identifiers,
            parcel: parcel.clone(),
            hold,
            cleared: self.splits.cleared(),
        };
        let number = self.launched;
        self.launched += 1;
        self.flights.insert(number, Flight { parcel, slot });
        let parcel = attempt.parcel.clone();
        let on_its_way = OnItsWay {
            shared: self.shared.clone(),
            events: self.port.events.clone(),
            number,
            parcel: Some(parcel),
        };
        tokio::spawn(async move { on_its_way.over(attempt.run().await) });
    }
}

/// An attempt's task. Whatever becomes of it, the run hears of its end, and the slot is free again.
struct OnItsWay {
    shared: Arc<Shared>,
    events: UnboundedSender<Event>,
    number: u64,
    /// What it carries, until it is over.
    parcel: Option<Parcel>,
}

impl OnItsWay {
    fn over(mut self, landed: Landed) {
        self.parcel = None;
        // Here, not in the run, which may have given up waiting: the slot is taken until now, and
        // a pause is everybody's.
        if let CameTo::Judged { verdict: Verdict::Paused(wait), .. } = &landed.came_to {
            self.shared.limiter.pause(now() + pause(*wait));
        }
        self.tell(landed);
    }

    fn tell(&self, landed: Landed) {
        self.shared.resources().in_flight -= 1;
        self.shared.freed.notify_waiters();
        // Where the run is over by then, the answer is in the store, if there is one.
        let _ = self.events.send(Event::Landed(self.number, Box::new(landed)));
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        let Some(parcel) = self.parcel.take() else { return };
        let reason = "the request ended without a word".to_owned();
        let verdict = Verdict::Unknown { reason, congested: false };
        let came_to = CameTo::Judged { verdict, left: true };
        self.tell(Landed { at_ms: now_ms(), ..Landed::of(parcel, came_to) });
    }
}
