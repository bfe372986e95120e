//! The one limiter of an origin and key, shared by everybody in the process who sends there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use exactbuyer_core::pace::Pace;

/// The sends of everybody who shares it.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pace: Pace,
    /// The rates of those alive, by how many have them: the lowest wins.
    rates: Vec<u32>,
}

/// One user of a limiter, with a rate of its own; leaves when dropped.
#[derive(Debug)]
pub(super) struct Share {
    limiter: Arc<Limiter>,
    rate: u32,
}

type Registry = HashMap<(String, u64), Arc<Limiter>>;

impl Share {
    /// The share of a newcomer in the limiter of this origin and key. A limiter that nobody uses
    /// any more is kept while sends or a pause that it knows of still count.
    pub(super) fn of(origin: (String, u64), rate: u32, now: Instant) -> Self {
        static REGISTRY: Mutex<Option<(u32, Registry)>> = Mutex::new(None);
        let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = std::process::id();
        if registry.as_ref().is_some_and(|(owner, _)| *owner != pid) {
            // Inherited through a fork, where a thread that is not here may have had one locked.
            std::mem::forget(registry.take());
        }
        let (_, registry) = registry.get_or_insert_with(|| (pid, Registry::new()));
        registry.retain(|_, limiter| !limiter.lock().is_forgettable(now));
        Self::new(registry.entry(origin).or_default().clone(), rate)
    }

    /// A share in a limiter that nobody else can find.
    pub(super) fn private(rate: u32) -> Self {
        Self::new(Arc::default(), rate)
    }

    fn new(limiter: Arc<Limiter>, rate: u32) -> Self {
        limiter.lock().rates.push(rate);
        Self { limiter, rate }
    }

    /// Takes the slot of one send.
    ///
    /// # Errors
    /// When to ask again.
    pub(super) fn take(&self, now: Instant) -> Result<(), Instant> {
        let mut inner = self.limiter.lock();
        let rate = inner.rates.iter().copied().min().unwrap_or(self.rate);
        inner.pace.take(now, rate)
    }

    /// Gives back a slot that was not used.
    pub(super) fn give_back(&self, at: Instant) {
        self.limiter.lock().pace.give_back(at);
    }

    /// Nobody who shares the limiter sends before `until`.
    pub(super) fn pause(&self, until: Instant) {
        self.limiter.lock().pace.pause(until);
    }

    /// Sends that still count, and whether there is a pause.
    pub(super) fn look(&self, now: Instant) -> (usize, bool) {
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

impl Inner {
    fn is_forgettable(&mut self, now: Instant) -> bool {
        self.rates.is_empty() && self.pace.recent(now) == 0 && self.pace.paused_until(now).is_none()
    }
}

impl Limiter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a moment to start from

    use super::*;

    #[test]
    fn the_lowest_live_rate_wins_and_other_keys_are_apart() {
        let origin = || ("https://one.example".to_owned(), 1);
        let now = Instant::now();
        let fast = Share::of(origin(), 3, now);
        let slow = Share::of(origin(), 1, now);
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_err(), "the slow one's rate is in force");
        assert!(Share::of(("https://one.example".to_owned(), 2), 1, now).take(now).is_ok());
        drop(slow);
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_err());
    }

    #[test]
    fn sends_count_after_those_who_made_them_are_gone() {
        let origin = || ("https://three.example".to_owned(), 1);
        let now = Instant::now();
        assert!(Share::of(origin(), 1, now).take(now).is_ok());
        assert!(Share::of(origin(), 1, now).take(now).is_err());
    }

    #[test]
    fn a_pause_stops_all_who_share() {
        let origin = || ("https://two.example".to_owned(), 1);
        let now = Instant::now();
        let (one, other) = (Share::of(origin(), 9, now), Share::of(origin(), 9, now));
        let until = now + std::time::Duration::from_secs(5);
        one.pause(until);
        assert_eq!(other.take(now), Err(until));
        assert_eq!(other.look(now), (0, true));
        assert!(other.take(until).is_ok());
    }
}
