//! Time limits that do not run out while the process is stopped.
//!
//! While a process is stopped (Ctrl-Z), or its machine sleeps, replies arrive and wait in the
//! sockets. A timer that fires late for this reason says nothing about the service, and the data
//! that has arrived must be read first. So a time limit is divided into slices, and a slice that
//! took too long counts only with its intended length.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The longest wait between two readings of the clock.
const SLICE: Duration = Duration::from_secs(1);

/// If a timer fires later than this, the cause is more than a busy machine.
const LATE: Duration = Duration::from_millis(100);

/// The rest of a time limit.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    /// How many timers have fired late so far.
    late: u32,
}

impl Patience {
    /// A time limit that begins now.
    pub(super) fn new(limit: Duration) -> Self {
        // Timers may be a little late, and data that arrives at the last moment must still be read.
        Self { left: limit.saturating_add(LATE), late: 0 }
    }

    /// Waits for the future. `None` if it is not ready within the time that is left.
    pub(super) async fn wait<T>(&mut self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        loop {
            let slice = self.left.min(SLICE);
            let began = Instant::now();
            let outcome = timeout(slice, future.as_mut()).await.ok();
            let took = began.elapsed();
            self.left = self.left.saturating_sub(took.min(slice));
            if took > slice + LATE {
                self.late += 1;
                // Leave enough time to read the data that has arrived in the meantime.
                self.left = self.left.max(SLICE);
            }
            if outcome.is_some() || self.left.is_zero() {
                return outcome;
            }
        }
    }

    /// Whether a timer has fired late since the last call of this method.
    pub(super) const fn was_late(&mut self) -> bool {
        std::mem::replace(&mut self.late, 0) > 0
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_kept() {
        let began = Instant::now();
        let mut patience = Patience::new(Duration::from_millis(2_500));
        assert_eq!(patience.wait(sleep(Duration::from_secs(2))).await, Some(()));
        assert_eq!(patience.wait(pending::<()>()).await, None);
        assert!(began.elapsed() >= Duration::from_millis(2_500));
        assert!(began.elapsed() <= Duration::from_millis(2_500) + 2 * LATE);
        assert!(!patience.was_late());
        assert_eq!(patience.wait(std::future::ready(())).await, Some(()));
    }

    /// Advances the clock while none of our code runs, as happens while a process is stopped.
    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_was_stopped_does_not_count() {
        for limit in [Duration::from_millis(10), Duration::from_secs(1), Duration::from_mins(1)] {
            let mut patience = Patience::new(limit);
            let stopped = async {
                sleep(limit / 2).await;
                advance(Duration::from_hours(8)).await;
                // Reading what arrived while the process was stopped takes a moment.
                sleep(Duration::from_millis(500)).await;
            };
            assert_eq!(patience.wait(stopped).await, Some(()), "{limit:?}");
            assert!(patience.was_late());
            let began = Instant::now();
            assert_eq!(patience.wait(pending::<()>()).await, None);
            assert!(began.elapsed() <= limit.max(SLICE) + 2 * LATE);
        }
    }
}
