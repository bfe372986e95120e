//! The limiters of this process, one for each origin and key.
//!
//! Two enrichers of a process with the same service and key must not send twice as fast as one. Processes that share
//! a durable store share their rate through its journal instead (`store::sqlite`); both limits apply.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use exactbuyer_core::lock;
use exactbuyer_core::schedule::{Limiter, Share};

/// By the service's address and the fingerprint of the key.
type Registry = HashMap<(String, u64), Arc<Limiter>>;

/// A share in the limiter of this origin and key. A limiter without users is kept as long as its sends or its
/// pause still count.
///
/// Each call first removes the limiters that nobody uses and on which no send or pause counts any more.
pub(super) fn share(origin: (String, u64), rate: u32, now: Instant) -> Share {
    static REGISTRY: Mutex<Option<(u32, Registry)>> = Mutex::new(None);
    let mut registry = lock(&REGISTRY);
    let pid = std::process::id();
    if registry.as_ref().is_some_and(|(owner, _)| *owner != pid) {
        // Inherited through a fork: a thread that does not exist here may have locked one of them.
        std::mem::forget(registry.take());
    }
    let (_, registry) = registry.get_or_insert_with(|| (pid, Registry::new()));
    registry.retain(|_, limiter| !limiter.is_forgettable(now));
    Share::new(registry.entry(origin).or_default().clone(), rate)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // a moment to start from

    use super::*;

    #[test]
    fn the_lowest_live_rate_wins_and_other_keys_are_apart() {
        let origin = || ("https://one.example".to_owned(), 1);
        let now = Instant::now();
        let fast = share(origin(), 3, now);
        let slow = share(origin(), 1, now);
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_err(), "the slow one's rate is in force");
        assert!(share(("https://one.example".to_owned(), 2), 1, now).take(now).is_ok());
        drop(slow);
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_ok());
        assert!(fast.take(now).is_err());
    }

    #[test]
    fn sends_count_after_those_who_made_them_are_gone() {
        let origin = || ("https://three.example".to_owned(), 1);
        let now = Instant::now();
        assert!(share(origin(), 1, now).take(now).is_ok());
        assert!(share(origin(), 1, now).take(now).is_err());
    }

    #[test]
    fn a_pause_stops_all_who_share() {
        let origin = || ("https://two.example".to_owned(), 1);
        let now = Instant::now();
        let (one, other) = (share(origin(), 9, now), share(origin(), 9, now));
        let until = now + std::time::Duration::from_secs(5);
        one.pause(until);
        assert_eq!(other.take(now), Err(until));
        assert_eq!(other.look(now), (0, Some(until)));
        assert!(other.take(until).is_ok());
    }
}
