//! The limits that the runs of an engine share: credits, requests in flight, and the rate.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::budget::Budget;
use crate::concurrency::Concurrency;
use crate::policy::LONGEST_PAUSE;

use super::next::Blocked;
use super::rate::Share;
use super::trouble;

/// What the runs of an engine compete for.
#[derive(Debug)]
pub struct Limits {
    slots: Mutex<Slots>,
    /// The rate, which other engines may share.
    pub rate: Share,
}

#[derive(Debug)]
pub(super) struct Slots {
    pub(super) budget: Budget,
    pub(super) concurrency: Concurrency,
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
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request is no longer in flight. The attempt says so itself: its run may have stopped waiting for it.
    pub fn free_slot(&self) {
        self.lock().in_flight -= 1;
    }
}

impl Slots {
    /// Takes a slot for one request, and sets aside its worst case, which must fit.
    pub(super) fn take(&mut self, rate: &Share, credits: u64, now: Instant) -> Result<(), Blocked> {
        if self.in_flight >= self.concurrency.limit() {
            return Err(Blocked::Until(None, "max_concurrency"));
        }
        if let Err(until) = rate.take(now) {
            let wait = until.saturating_duration_since(now);
            // Another run was told to wait so long; this one would be told the same.
            if wait > LONGEST_PAUSE {
                return Err(Blocked::Over(trouble::pause_too_long(wait)));
            }
            return Err(Blocked::Until(Some(until), "requests_per_minute"));
        }
        self.in_flight += 1;
        let _fits = self.budget.reserve(credits);
        Ok(())
    }
}
