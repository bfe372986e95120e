//! The rate of requests: one limiter for all that send with the same key, and what a run was told to wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pace::Pace;
use crate::policy::LONGEST_PAUSE;
use crate::vendor::limits::WINDOW;

/// The sends of everybody who shares it.
#[derive(Debug, Default)]
pub struct Limiter {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pace: Pace,
    /// The rate of each user; the lowest counts.
    rates: Vec<u32>,
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody uses it, and no send or pause that it knows of still counts.
    pub fn is_forgettable(&self, now: Instant) -> bool {
        let mut inner = self.lock();
        inner.rates.is_empty() && inner.pace.recent(now) == 0 && inner.pace.paused_until(now).is_none()
    }
}

/// One user of a limiter, with a rate of its own. Leaves when dropped.
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
    pub fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut inner = self.limiter.lock();
        let rate = inner.rates.iter().copied().min().unwrap_or(self.rate);
        inner.pace.take(now, rate)
    }

    /// Gives back a slot that was not used.
    pub(super) fn give_back(&self, at: Instant) {
        self.limiter.lock().pace.give_back(at);
    }

    /// Nobody who shares the limiter sends before `until`.
    pub fn pause(&self, until: Instant) {
        self.limiter.lock().pace.pause(until);
    }

    /// The number of sends that still count, and whether there is a pause.
    #[must_use]
    pub fn look(&self, now: Instant) -> (usize, bool) {
        let mut inner = self.limiter.lock();
        (inner.pace.recent(now), inner.pace.paused_until(now).is_some())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut inner = self.limiter.lock();
        if let Some(place) = inner.rates.iter().position(|rate| *rate == self.rate) {
            inner.rates.swap_remove(place);
        }
    }
}

/// What a run was told to wait for.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// Others who share the store have used up the rate until then.
    not_before: Option<Instant>,
    /// Since when every reply was a 429, and until when the last one asked to wait.
    limited: Option<(Instant, Instant)>,
}

impl Pauses {
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.not_before.filter(|until| now < *until)
    }

    pub(super) fn wait_until(&mut self, until: Instant) {
        self.not_before = Some(until);
    }

    /// A reply was not a 429.
    pub(super) const fn served(&mut self) {
        self.limited = None;
    }

    /// Another 429. Returns whether there was nothing else for longer than any pause may be: then waiting
    /// does not help. Time in which nothing was asked does not count.
    pub(super) fn limited(&mut self, now: Instant, wait: Duration) -> bool {
        let since = match self.limited {
            Some((since, until)) if now <= until + WINDOW => since,
            _ => now,
        };
        self.limited = Some((since, now + wait));
        now.saturating_duration_since(since) > LONGEST_PAUSE
    }
}
