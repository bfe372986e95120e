//! The service's rate limit: at most so many accepted requests in any 60 s. Time is an argument.
//!
//! It shares no code with the client's limiter, because it checks that limiter.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use exactbuyer_core::service::limits;

/// The times at which the requests of the last 60 s were accepted.
///
/// The oldest comes first. It has at most as many entries as the limit allows.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<Instant>);

impl Window {
    /// Accepts a request now, or returns how long it will take until there is space for one.
    ///
    /// A refused request is not noted, so that asking too often does not lengthen the wait.
    pub(super) fn admit(&mut self, limit: u32, now: Instant) -> Result<(), Duration> {
        while self.0.pop_front_if(|accepted| now.duration_since(*accepted) >= limits::WINDOW).is_some() {}
        let full = self.0.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        if full {
            let oldest = self.0.front().map_or(Duration::ZERO, |accepted| now.duration_since(*accepted));
            return Err(limits::WINDOW.saturating_sub(oldest));
        }
        self.0.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_limit_in_any_60_s() {
        let (start, mut window) = (Instant::now(), Window::default());
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(window.admit(2, at(0)), Ok(()));
        assert_eq!(window.admit(2, at(59)), Ok(()));
        assert_eq!(window.admit(2, at(59)), Err(Duration::from_secs(1)));
        assert_eq!(window.admit(2, at(60)), Ok(()));
        assert_eq!(window.admit(2, at(61)), Err(Duration::from_secs(58)));
    }
}
