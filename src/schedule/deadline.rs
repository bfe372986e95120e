//! How long requests in flight may still take once a run stops.

use std::time::{Duration, Instant};

/// While a deadline counts, the clock is looked at this often.
const SLICE: Duration = Duration::from_secs(1);

/// A run that wakes later than this was held up: its process was stopped, or its machine slept.
const LATE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// Sets it, if there was none.
    pub(super) fn begin(&mut self, until: Instant) {
        self.0.get_or_insert(until);
    }

    /// Sets it, or brings it forward.
    pub(super) fn shorten(&mut self, until: Instant) {
        self.0 = Some(self.0.map_or(until, |known| known.min(until)));
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.0.is_some_and(|deadline| deadline <= now)
    }

    /// When to look at the clock again.
    pub(super) fn look(&self, now: Instant) -> Option<Instant> {
        self.0.filter(|deadline| *deadline > now).map(|deadline| deadline.min(now + SLICE))
    }

    /// A sleep that was to end at `until` is over. Time in which this process was stopped does not count, and
    /// what has arrived meanwhile is read before it is given up.
    pub(super) fn woke(&mut self, until: Instant, now: Instant) {
        let late = now.saturating_duration_since(until);
        if let Some(deadline) = self.0.filter(|_| late > LATE) {
            self.0 = Some((deadline + late).max(now + SLICE));
        }
    }
}
