//! What a run hands out: outcomes, counts, and how far it is.

use std::time::{Duration, Instant};

use crate::results::{Receipt, RowOutcome};
use crate::vendor::limits::WINDOW;

use super::Scheduler;

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Rows fed.
    pub rows: u64,
    /// Rows whose outcome is known.
    pub done: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may be charged in addition: in doubt, and in flight.
    pub credits_in_doubt: u64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Sends within the last 60 s, by all who share the limiter.
    pub requests_last_minute: usize,
    /// Requests still to be sent, as far as is known.
    pub requests_left: u64,
    /// What holds the run back: one of `""`, `"requests_per_minute"`, `"max_concurrency"`,
    /// `"max_in_doubt"`, `"max_credits"`, `"the vendor's pause"`, `"retries"`, `"the source"`,
    /// `"the consumer"`, `"another run"`, `"latency"`.
    pub limited_by: &'static str,
    /// Seconds until it is done, as far as can be estimated.
    pub left_s: Option<f64>,
}

impl Scheduler {
    /// The outcomes that became known since the last call, the receipt so far, and how far the run is.
    pub fn report(&mut self, now: Instant) -> (Vec<RowOutcome>, &Receipt, Progress) {
        self.tally.count(&self.out, now);
        self.tally.receipt.rows = self.table.rows();
        let (recent, paused) = self.limits.rate.look(now);
        let receipt = &self.tally.receipt;
        let requests_left = self.lookups_left().div_ceil(self.retries.chunk_size as u64);
        let progress = Progress {
            rows: receipt.rows + self.intake.rows(),
            done: receipt.by_status.iter().sum(),
            credits: receipt.credits,
            credits_in_doubt: receipt.credits_in_doubt + self.ceilings.own.reserved(),
            in_flight: self.flights.len(),
            requests_last_minute: recent,
            requests_left,
            limited_by: if paused { "the vendor's pause" } else { self.limited_by },
            left_s: self.left_s(receipt.requests, receipt.elapsed, requests_left),
        };
        (std::mem::take(&mut self.out), &self.tally.receipt, progress)
    }

    /// Lookups to be sent: those that wait, and for rows not yet admitted an estimate from the rows before.
    fn lookups_left(&self) -> u64 {
        let retries = self.retries.iter().map(|chunk| chunk.ids.len()).sum::<usize>();
        let waiting = (self.table.queued() + retries) as u64;
        let (rows, fed) = (self.table.rows(), self.intake.rows());
        let asked = (self.tally.receipt.sent + waiting).min(rows);
        waiting + (fed * asked).checked_div(rows).unwrap_or(fed)
    }

    /// As fast as up to now, and never faster than the limiter allows.
    #[allow(clippy::cast_precision_loss)] // counts of requests
    fn left_s(&self, requests: u64, elapsed: Duration, requests_left: u64) -> Option<f64> {
        let left = (requests_left + self.flights.len() as u64) as f64;
        let fastest = left * WINDOW.as_secs_f64() / f64::from(self.config.requests_per_minute);
        let beyond_burst = requests_left > u64::from(self.config.requests_per_minute);
        let as_before = (requests > 0).then(|| left * elapsed.as_secs_f64() / requests as f64)?;
        Some(if beyond_burst { as_before.max(fastest) } else { as_before })
    }
}
