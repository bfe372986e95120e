//! The door to a run: rows go in, outcomes come out, in the order in which they become known.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use exactbuyer_core::error::Error;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome, STOPPED_BY_CALLER};

use super::runner::Event;

/// Why a run that somebody stopped has rows that were not sent.
pub(super) const STOPPED: &str = STOPPED_BY_CALLER;

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
    /// `"max_in_doubt"`, `"max_credits"`, `"the vendor's pause"`, `"retries"`, `"the source"`,
    /// `"the consumer"`, `"another run"`, `"latency"`.
    pub limited_by: &'static str,
    /// Seconds until it is done, as far as can be told.
    pub left_s: Option<f64>,
}

/// A run under way. Dropping it stops the run, but what is in flight is still received, for as
/// long as the engine's grace, and kept where there is a store.
pub struct Run {
    port: Arc<Port>,
    events: UnboundedSender<Event>,
    grace: Duration,
}

/// What the run's task and its door share.
pub(super) struct Port {
    inner: Mutex<Delivered>,
    /// Something was delivered, or the run is over.
    pub(super) delivered: Notify,
    /// Something was taken.
    pub(super) taken: Notify,
    pub(super) events: UnboundedSender<Event>,
}

#[derive(Default)]
struct Delivered {
    /// As they came, each time some did.
    outcomes: VecDeque<Vec<RowOutcome>>,
    rows: usize,
    receipt: Receipt,
    progress: Progress,
    troubles: Vec<Error>,
    over: bool,
}

impl Port {
    fn lock(&self) -> MutexGuard<'_, Delivered> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows delivered and not yet taken.
    pub(super) fn backlog(&self) -> usize {
        self.lock().rows
    }

    /// Hands outcomes and counts to the door.
    pub(super) fn deliver(&self, outcomes: Vec<RowOutcome>, receipt: &Receipt, progress: Progress) {
        let mut inner = self.lock();
        inner.receipt.clone_from(receipt);
        inner.progress = progress;
        if !outcomes.is_empty() {
            inner.rows += outcomes.len();
            inner.outcomes.push_back(outcomes);
            drop(inner);
            self.delivered.notify_one();
        }
    }

    /// Says what the run has met: at once where it stops it, as its input may be endless.
    pub(super) fn warn(&self, troubles: Vec<Error>) {
        self.lock().troubles = troubles;
        self.delivered.notify_one();
    }

    /// Says that nothing more comes.
    pub(super) fn end(&self, troubles: Vec<Error>) {
        let mut inner = self.lock();
        inner.troubles = troubles;
        inner.over = true;
        drop(inner);
        self.delivered.notify_one();
    }
}

impl Run {
    pub(super) fn open(grace: Duration) -> (Self, Arc<Port>, UnboundedReceiver<Event>) {
        let (events, inbox) = unbounded_channel();
        let port = Arc::new(Port {
            inner: Mutex::default(),
            delivered: Notify::new(),
            taken: Notify::new(),
            events: events.clone(),
        });
        (Self { port: port.clone(), events, grace }, port, inbox)
    }

    /// Adds rows. Never blocks: a caller with an endless source looks at how far the outcomes are.
    pub fn feed(&self, rows: Vec<Row>) {
        self.tell(Event::Fed(rows));
    }

    /// Says that no more rows come.
    pub fn finish(&self) {
        self.tell(Event::Finished);
    }

    /// The next outcomes, in the order in which they became known; `None` once every row fed has
    /// had its outcome and the input is finished, or the run was stopped and is over.
    ///
    /// # Cancel safety
    /// Safe: an outcome is either returned or still there.
    pub async fn next(&self) -> Option<Vec<RowOutcome>> {
        loop {
            {
                let mut inner = self.port.lock();
                if let Some(outcomes) = inner.outcomes.pop_front() {
                    inner.rows -= outcomes.len();
                    drop(inner);
                    self.port.taken.notify_one();
                    return Some(outcomes);
                }
                if inner.over {
                    // Whoever else waits must see it too.
                    self.port.delivered.notify_one();
                    return None;
                }
            }
            self.port.delivered.notified().await;
        }
    }

    /// Starts nothing new; what is in flight may still take `grace`, then it is unknown. Rows not
    /// yet sent become `not_sent`. Called again, the shorter grace holds.
    pub fn stop(&self, grace: Duration) {
        self.tell(Event::Stop(grace));
    }

    /// Whether the run is over, though its outcomes may still wait to be taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.port.lock().over
    }

    /// The counts so far; final once [`Run::next`] has returned `None`.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        self.port.lock().receipt.clone()
    }

    /// What the run met, worst first: fatal, budget, unknown, rejected. What stops it is there at
    /// once; final once [`Run::next`] has returned `None`.
    #[must_use]
    pub fn troubles(&self) -> Vec<Error> {
        self.port.lock().troubles.clone()
    }

    /// Where it stands.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.port.lock().progress
    }

    fn tell(&self, event: Event) {
        // The task is gone only when the run is over: then there is nobody to tell.
        let _ = self.events.send(event);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop(self.grace);
    }
}
