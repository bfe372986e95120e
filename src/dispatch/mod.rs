//! DISPATCH: the only place that spawns, sleeps and selects; what stopping means is decided here.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::error::Error;
use crate::plan::Row;
use crate::results::{Receipt, RowOutcome};
use crate::store::Store;
use crate::vendor::transport::Transport;

/// What several runs share: the settings, the network, the store, the limiter, the budget.
#[derive(Clone)]
pub struct Engine {}

/// What one run may settle for itself.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Instead of the engine's own.
    pub required_fields: Option<Box<[Box<str>]>>,
    /// Tightens the engine's ceiling for this run.
    pub max_credits: Option<u64>,
}

impl Engine {
    /// An engine of these settings. `origin` names the service and key for the limiter that all
    /// engines of the process share: `(base URL's origin, key's fingerprint)`.
    #[must_use]
    pub fn new(
        _config: Config,
        _transport: Arc<dyn Transport>,
        _store: Arc<dyn Store>,
        _origin: (String, u64),
    ) -> Self {
        Self {}
    }

    /// Starts a run on this runtime. Nothing is sent before rows are fed.
    #[must_use]
    pub fn start(&self, _runtime: &tokio::runtime::Handle, _options: RunOptions) -> Run {
        Run {}
    }
}

/// Where a run stands, for whoever watches it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Rows fed.
    pub rows: u64,
    /// Rows whose outcome is known.
    pub done: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may come on top: in doubt, and in flight.
    pub credits_in_doubt: u64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Sends within the last 60 s, by all who share the limiter.
    pub requests_last_minute: usize,
    /// Requests still to be sent, as far as is known.
    pub requests_left: u64,
    /// What holds the run back: one of `""`, `"requests_per_minute"`, `"max_concurrency"`,
    /// `"max_in_doubt"`, `"max_credits"`, `"the vendor's pause"`, `"retries"`, `"the source"`, `"the consumer"`.
    pub limited_by: &'static str,
    /// Seconds until it is done, as far as can be told.
    pub left_s: Option<f64>,
}

/// A run under way. Dropping it stops the run as [`Run::abandon`] does, but what is in flight is
/// still received and, with a store, kept.
pub struct Run {}

impl Run {
    /// Adds rows. Never blocks: a caller with an endless source looks at how far the outcomes are.
    pub fn feed(&self, _rows: Vec<Row>) {}

    /// Says that no more rows come.
    pub fn finish(&self) {}

    /// The next outcomes, in the order in which they became known; `None` once every row fed has
    /// had its outcome and the input is finished, or the run is over.
    ///
    /// # Cancel safety
    /// Safe: an outcome is either returned or still there.
    pub async fn next(&self) -> Option<Vec<RowOutcome>> {
        None
    }

    /// Starts nothing new; what is in flight may still take `grace`, then it is unknown. Rows not
    /// yet sent become `not_sent`.
    pub fn stop(&self, _grace: Duration) {}

    /// The counts so far; final once [`Run::next`] has returned `None`.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        Receipt::default()
    }

    /// What the run met, worst first: fatal, budget, unknown, rejected. Final once [`Run::next`]
    /// has returned `None`.
    #[must_use]
    pub fn troubles(&self) -> Vec<Error> {
        Vec::new()
    }

    /// Where it stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress::default()
    }
}
