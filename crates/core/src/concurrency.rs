//! The number of requests that may be in flight: a quick start, then additive increase and
//! multiplicative decrease (AIMD), as in TCP (RFC 5681). Pure: the clock is an argument.

use std::time::Instant;

/// The limit before anything is known about the service.
const START: f64 = 4.0;

/// How much each reply raises the limit until the service is first congested. The number of
/// requests then quadruples with each round trip. A service that answers a thousand records needs
/// time. If the number only doubled, the way to 64 requests would take four round trips, an eighth
/// of a run of twenty.
const STEP: f64 = 3.0;

/// The current limit on requests in flight.
#[derive(Debug, Clone)]
pub struct Concurrency {
    /// The current limit. It has a fraction, because a reply raises it by `1 / limit` after the
    /// start.
    limit: f64,
    /// The setting `max_concurrency`.
    most: f64,
    /// Whether the service has not been congested yet.
    starting: bool,
    /// The time of the last decrease. Trouble with a request that was sent before it is ignored.
    last_decrease: Option<Instant>,
}

impl Concurrency {
    /// A low limit at the start, which never exceeds `most`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // at most some thousands
    pub fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Self { limit: START.min(most), most, starting: true, last_decrease: None }
    }

    /// How many requests may be in flight now.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and `most`
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Notes a reply. At first it raises the limit by three; after the first congestion, by one in
    /// each round trip.
    pub fn answered(&mut self) {
        let step = if self.starting { STEP } else { 1.0 / self.limit };
        self.limit = (self.limit + step).min(self.most);
    }

    /// Notes that the service could not keep up with a request that was sent at `sent_at`. The
    /// limit is halved, but only once for all requests that were sent before the last decrease:
    /// they tell nothing new.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// use exactbuyer_core::concurrency::Concurrency;
    ///
    /// # #[allow(clippy::disallowed_methods)]
    /// let sent = Instant::now();
    /// let later = sent + Duration::from_secs(1);
    /// let mut concurrency = Concurrency::new(64);
    /// concurrency.answered();
    /// concurrency.answered();
    /// assert_eq!(concurrency.limit(), 10);
    /// concurrency.congested(sent, later);
    /// concurrency.congested(sent, later); // a second reply of the same congestion
    /// assert_eq!(concurrency.limit(), 5);
    /// ```
    pub fn congested(&mut self, sent_at: Instant, now: Instant) {
        self.starting = false;
        if self.last_decrease.is_none_or(|last| sent_at >= last) {
            self.limit = (self.limit / 2.0).max(1.0);
            self.last_decrease = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn round_trip(concurrency: &mut Concurrency) {
        for _ in 0..concurrency.limit() {
            concurrency.answered();
        }
    }

    #[test]
    fn quadruples_each_round_trip_until_the_first_trouble() {
        let mut concurrency = Concurrency::new(64);
        let limits: Vec<usize> = std::iter::from_fn(|| {
            let limit = concurrency.limit();
            round_trip(&mut concurrency);
            Some(limit)
        })
        .take(4)
        .collect();
        assert_eq!(limits, [4, 16, 64, 64]);
    }

    #[test]
    fn one_trouble_halves_once_and_then_one_more_each_round_trip() {
        let mut concurrency = Concurrency::new(64);
        (0..2).for_each(|_| round_trip(&mut concurrency));
        let sent = Instant::now();
        let now = sent + Duration::from_secs(1);
        (0..64).for_each(|_| concurrency.congested(sent, now));
        assert_eq!(concurrency.limit(), 32);
        round_trip(&mut concurrency);
        round_trip(&mut concurrency);
        assert!((33..=34).contains(&concurrency.limit()));
        concurrency.congested(now, now + Duration::from_secs(1));
        assert!((16..=17).contains(&concurrency.limit()));
    }

    #[test]
    fn never_below_one_or_above_the_most() {
        let mut concurrency = Concurrency::new(2);
        assert_eq!(concurrency.limit(), 2);
        (0..9).for_each(|_| concurrency.answered());
        assert_eq!(concurrency.limit(), 2);
        let start = Instant::now();
        for second in 0..9 {
            let at = start + Duration::from_secs(second);
            concurrency.congested(at, at);
        }
        assert_eq!(concurrency.limit(), 1);
    }
}
