//! The rate limit, as an exact sliding window. Pure: the clock is an argument.
//!
//! A token bucket whose burst equals the rate would let nearly twice the rate through in its first
//! minute. So each request is remembered until it leaves the window.

use std::collections::VecDeque;
use std::time::Instant;

use crate::service::limits::{MARGIN, WINDOW};

/// The requests of the last [`WINDOW`], and the end of a pause for all requests.
#[derive(Debug, Default)]
pub struct Pace {
    /// The times of the requests, the oldest first.
    sends: VecDeque<Instant>,
    /// The end of a pause that the service asked for.
    paused_until: Option<Instant>,
}

impl Pace {
    /// Takes the slot of one request that is sent at `now`.
    ///
    /// # Errors
    /// If there is no slot: the earliest moment at which asking again can succeed.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// use exactbuyer_core::pace::Pace;
    ///
    /// # #[allow(clippy::disallowed_methods)]
    /// let start = Instant::now();
    /// let mut pace = Pace::default();
    /// assert!(pace.take(start, 1).is_ok());
    /// // One request a minute, and a margin of one second.
    /// assert_eq!(pace.take(start, 1), Err(start + Duration::from_secs(61)));
    /// ```
    pub fn take(&mut self, now: Instant, per_minute: u32) -> Result<(), Instant> {
        if let Some(until) = self.paused_until {
            if now < until {
                return Err(until);
            }
            self.paused_until = None;
        }
        self.forget(now);
        let most = per_minute.max(1) as usize;
        if self.sends.len() >= most {
            // The request that must leave the window before there is a free slot. It is not always
            // the oldest, because the rate may have been lowered in the meantime.
            let blocking = self.sends.get(self.sends.len() - most).copied().unwrap_or(now);
            return Err(blocking + WINDOW + MARGIN);
        }
        self.sends.push_back(now);
        Ok(())
    }

    /// The earliest moment at which `requests` more requests can have been sent, if each is sent as soon as
    /// [`take`](Self::take) allows it and the rate stays as it is.
    #[must_use]
    pub fn earliest(&self, now: Instant, requests: u64, per_minute: u32) -> Instant {
        let start = self.paused_until(now).unwrap_or(now);
        let Some(before_last) = requests.checked_sub(1) else { return start };
        let most = u64::from(per_minute.max(1));
        // Each full window takes as long as the one before it.
        let (windows, place) = (before_last / most, before_last % most);
        let gone = self.sends.partition_point(|sent| *sent + WINDOW + MARGIN <= start);
        // The request whose slot becomes free for the one at `place`. `None` if a slot is free at `start`.
        let blocking = ((self.sends.len() - gone) as u64 + place).checked_sub(most);
        let blocking = blocking.and_then(|nth| self.sends.get(gone + usize::try_from(nth).ok()?));
        let first = blocking.map_or(start, |sent| *sent + WINDOW + MARGIN);
        first + (WINDOW + MARGIN) * u32::try_from(windows).unwrap_or(u32::MAX)
    }

    /// Gives back a slot that was taken at `at` and not used.
    pub fn give_back(&mut self, at: Instant) {
        if let Some(place) = self.sends.iter().rposition(|sent| *sent == at) {
            self.sends.remove(place);
        }
    }

    /// Forbids all requests before `until`. A pause is never shortened.
    pub fn pause(&mut self, until: Instant) {
        self.paused_until = Some(self.paused_until.map_or(until, |known| known.max(until)));
    }

    /// The end of the pause, if there is one at `now`.
    #[must_use]
    pub fn paused_until(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| now < *until)
    }

    /// The number of requests that are in the window at `now`.
    pub fn recent(&mut self, now: Instant) -> usize {
        self.forget(now);
        self.sends.len()
    }

    /// Forgets the requests that have left the window.
    fn forget(&mut self, now: Instant) {
        while self.sends.pop_front_if(|sent| *sent + WINDOW + MARGIN <= now).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_slots_of_a_window_and_not_one_more() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..200 {
            pace.take(start, 200).unwrap();
        }
        let again = pace.take(start, 200).unwrap_err();
        assert_eq!(again, start + WINDOW + MARGIN);
        assert!(pace.take(start + WINDOW, 200).is_err());
        assert!(pace.take(again, 200).is_ok());
    }

    #[test]
    fn a_slot_given_back_can_be_taken_again() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.take(start, 1).unwrap();
        pace.give_back(start);
        assert!(pace.take(start, 1).is_ok());
    }

    #[test]
    fn a_pause_stops_everybody_and_is_never_shortened() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.pause(start + Duration::from_mins(1));
        pace.pause(start + Duration::from_secs(5));
        assert_eq!(pace.take(start, 200).unwrap_err(), start + Duration::from_mins(1));
        assert!(pace.take(start + Duration::from_mins(1), 200).is_ok());
    }

    proptest! {
        /// With any arrivals and any changes of the rate, no 60 s have more requests than the rate
        /// that applies then.
        #[test]
        fn no_window_above_the_rate(
            steps in prop::collection::vec((0_u64..20_000, 1_u32..8), 1..400),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut pace = Pace::default();
            let mut sent: Vec<(Instant, u32)> = Vec::new();
            for (wait_ms, rate) in steps {
                now += Duration::from_millis(wait_ms);
                match pace.take(now, rate) {
                    Ok(()) => {
                        sent.push((now, rate));
                        let within = sent.iter().filter(|(at, _)| *at + WINDOW > now).count();
                        prop_assert!(within <= rate as usize);
                    }
                    Err(again) => prop_assert!(again > now),
                }
            }
        }

        /// [`Pace::earliest`] is when a sender that always sends as soon as it may has sent that many.
        #[test]
        fn the_earliest_end_is_that_of_a_sender_that_never_waits_longer_than_it_must(
            waits_ms in prop::collection::vec(0_u64..30_000, 0..12),
            pause_ms in prop::option::of(0_u64..100_000),
            (rates, requests) in ((1_u32..6, 1_u32..6), 0_u64..30),
        ) {
            let mut now = Instant::now();
            let mut pace = Pace::default();
            for wait_ms in waits_ms {
                now += Duration::from_millis(wait_ms);
                let _refused = pace.take(now, rates.0);
            }
            if let Some(pause_ms) = pause_ms {
                pace.pause(now + Duration::from_millis(pause_ms));
            }
            let expected = pace.earliest(now, requests, rates.1);
            let mut sent = 0;
            while sent < requests {
                match pace.take(now, rates.1) {
                    Ok(()) => sent += 1,
                    Err(again) => now = again,
                }
            }
            prop_assert!(requests == 0 || expected == now);
        }
    }
}
