//! The limits that several runs share: credits and requests in flight of an engine, and the rate of a key.
//!
//! Two kinds of sharing: [`Limits`] belongs to an engine, and counts credits and requests in flight; a
//! [`Limiter`] belongs to a service and a key, and counts sends, whichever engines use it. Both are locked for
//! a moment and never while waiting.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::budget::Budget;
use crate::concurrency::Concurrency;
use crate::lock::lock;
use crate::pace::Pace;
use crate::policy::LONGEST_PAUSE;

use super::next::Blocked;
use super::tally::LimitedBy;
use super::trouble;

/// The credits and slots that the runs of an engine share.
#[derive(Debug)]
pub struct Limits {
    /// One lock for credits and slots, so that a run takes both or neither.
    slots: Mutex<Slots>,
    /// The rate, which other engines may share.
    pub rate: Share,
}

#[derive(Debug)]
pub(super) struct Slots {
    /// The limit of the engine on credits, if it keeps one.
    pub(super) budget: Budget,
    /// How many requests may be in flight: less after congestion.
    pub(super) concurrency: Concurrency,
    /// Requests of all runs of the engine.
    in_flight: usize,
}

impl Limits {
    /// Limits of so many credits and requests in flight.
    #[must_use]
    pub fn new(max_credits: Option<u64>, max_concurrency: usize, rate: Share) -> Self {
        let (budget, concurrency) = (Budget::new(max_credits), Concurrency::new(max_concurrency));
        Self { slots: Mutex::new(Slots { budget, concurrency, in_flight: 0 }), rate }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Slots> {
        lock(&self.slots)
    }

    /// A request is no longer in flight. The attempt says so itself: its run may have stopped waiting for it.
    pub fn free_slot(&self) {
        self.lock().in_flight -= 1;
    }
}

impl Slots {
    /// Takes a slot for one request, and sets aside its worst case, here and in the run's own budget.
    ///
    /// Takes everything or nothing. [`Ceilings::fits`](super::limits::Ceilings::fits) has compared the credits with
    /// both budgets, but a request whose worst case is not set aside must not be sent whatever the caller has done.
    pub(super) fn take(
        &mut self,
        rate: &Share,
        own: &mut Budget,
        credits: u64,
        now: Instant,
    ) -> Result<(), Blocked> {
        if self.in_flight >= self.concurrency.limit() {
            return Err(Blocked::Until(None, LimitedBy::MaxConcurrency));
        }
        if let Err(until) = rate.take(now) {
            let wait = until.saturating_duration_since(now);
            // Another run was told to wait so long; this one would be told the same.
            return Err(if wait > LONGEST_PAUSE {
                Blocked::Over(trouble::pause_too_long(wait))
            } else {
                Blocked::Until(Some(until), LimitedBy::RequestsPerMinute)
            });
        }
        let over = |budget: &Budget| {
            rate.give_back(now);
            Err(Blocked::Over(trouble::ceiling_reached(budget.ceiling(), 0)))
        };
        if !own.reserve(credits) {
            return over(own);
        }
        if !self.budget.reserve(credits) {
            own.settle(credits, 0, 0);
            return over(&self.budget);
        }
        self.in_flight += 1;
        Ok(())
    }
}

/// The sends of everybody who uses the same key.
///
/// Engines of one process that use the same service and key share one. Between processes, the store does the
/// same.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<Sends>);

#[derive(Debug, Default)]
struct Sends {
    pace: Pace,
    /// The rate of each user; the lowest counts.
    rates: Vec<u32>,
}

impl Sends {
    /// The lowest rate of all users.
    fn rate(&self) -> Option<u32> {
        self.rates.iter().copied().min()
    }
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, Sends> {
        lock(&self.0)
    }

    /// Whether nobody uses it, and no send or pause that it knows of still counts.
    pub fn is_forgettable(&self, now: Instant) -> bool {
        let mut sends = self.lock();
        sends.rates.is_empty() && sends.pace.recent(now) == 0 && sends.pace.paused_until(now).is_none()
    }
}

/// One user of a limiter, with a rate of its own. Leaves when dropped.
///
/// The rate of the limiter is the lowest of all its users: the service counts for the key, not for the
/// enricher.
#[derive(Debug)]
pub struct Share {
    limiter: Arc<Limiter>,
    rate: u32,
}

impl Share {
    /// A new user of this limiter.
    #[must_use]
    pub fn new(limiter: Arc<Limiter>, rate: u32) -> Self {
        limiter.lock().rates.push(rate);
        Self { limiter, rate }
    }

    /// Takes the slot of one send.
    ///
    /// # Errors
    /// When to ask again.
    ///
    /// A slot counts for a little more than 60 seconds from `now`, unless it is given back because nothing was sent.
    pub fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut sends = self.limiter.lock();
        let rate = sends.rate().unwrap_or(self.rate);
        sends.pace.take(now, rate)
    }

    /// The earliest moment at which `requests` more requests can have been sent.
    pub(super) fn earliest(&self, now: Instant, requests: u64) -> Instant {
        let sends = self.limiter.lock();
        sends.pace.earliest(now, requests, sends.rate().unwrap_or(self.rate))
    }

    /// Gives back a slot that was not used.
    pub(super) fn give_back(&self, at: Instant) {
        self.limiter.lock().pace.give_back(at);
    }

    /// Nobody who shares the limiter sends before `until`.
    pub fn pause(&self, until: Instant) {
        self.limiter.lock().pace.pause(until);
    }

    /// The number of sends that still count, and the end of the pause if there is one.
    #[must_use]
    pub fn look(&self, now: Instant) -> (usize, Option<Instant>) {
        let mut sends = self.limiter.lock();
        (sends.pace.recent(now), sends.pace.paused_until(now))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut sends = self.limiter.lock();
        if let Some(place) = sends.rates.iter().position(|rate| *rate == self.rate) {
            sends.rates.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_whose_worst_case_cannot_be_set_aside_takes_nothing() {
        let now = Instant::now();
        for (of_run, of_engine) in [(Some(9), None), (None, Some(9)), (Some(9), Some(9))] {
            let mut own = Budget::new(of_run);
            let limits = Limits::new(of_engine, 1, Share::new(Arc::new(Limiter::default()), 1));
            let taken = |slots: &mut Slots, own: &mut Budget, credits| {
                slots.take(&limits.rate, own, credits, now).is_ok()
            };
            assert!(!taken(&mut limits.lock(), &mut own, 10));
            assert_eq!((own.reserved(), limits.lock().budget.reserved()), (0, 0));
            assert_eq!((limits.lock().in_flight, limits.rate.look(now).0), (0, 0));
            assert!(taken(&mut limits.lock(), &mut own, 9));
            assert_eq!((own.reserved(), limits.lock().budget.reserved()), (9, 9));
        }
    }
}
