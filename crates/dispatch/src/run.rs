//! The caller's end of a run: rows go in, outcomes come out, in the order in which they become known.
//!
//! The two ends share a [`Port`]. Events go to the task through a channel without a limit, so feeding never blocks
//! the caller. Outcomes wait in a queue until the caller takes them; while many of them wait, the scheduler sends
//! and admits nothing new.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use exactbuyer_core::error::Error;
use exactbuyer_core::lock;
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome};
use exactbuyer_core::schedule::{LogEntry, Progress};

use super::shell::Event;

/// The most entries of the log that wait to be taken.
const MOST_LOG_ENTRIES: usize = 1_000;

/// A run in progress. Dropping it stops the run. Replies to requests in flight are still received, for as long as
/// the engine's grace, and stored if there is a store.
pub struct Run {
    port: Arc<Port>,
    /// How long requests in flight may still take after a drop.
    grace: Duration,
}

/// What the task of a run and its [`Run`] share.
///
/// The task writes outcomes, counts and troubles; the caller takes them. Neither waits for the other while it holds
/// the lock.
pub(super) struct Port {
    inner: Mutex<Delivered>,
    /// Something was delivered, or the run is over.
    pub(super) delivered: Notify,
    pub(super) taken: Notify,
    /// To the task. Attempts have a clone, by which they report.
    pub(super) events: UnboundedSender<Event>,
    /// Set when the run must send nothing more. Each attempt checks it before it sends.
    pub(super) halted: Arc<AtomicBool>,
}

/// What the caller has not taken yet, and the latest counts.
#[derive(Default)]
struct Delivered {
    /// In parts, as they became known.
    outcomes: VecDeque<Vec<RowOutcome>>,
    /// The sum of the lengths of all parts in `outcomes`.
    rows: usize,
    /// As of the last delivery, like `progress`: it may be ahead of the outcomes that the caller has taken.
    receipt: Receipt,
    progress: Progress,
    /// Replaced as a whole by each report.
    troubles: Vec<Error>,
    /// At most [`MOST_LOG_ENTRIES`].
    log: Vec<LogEntry>,
    /// The task has ended: no more outcomes are added.
    over: bool,
}

impl Port {
    fn lock(&self) -> MutexGuard<'_, Delivered> {
        lock(&self.inner)
    }

    /// From now on, no attempt of the run sends anything.
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// Rows delivered and not yet taken.
    ///
    /// The scheduler gets this number with each step, and sends and admits nothing new while it is large.
    pub(super) fn backlog(&self) -> usize {
        self.lock().rows
    }

    /// Hands outcomes and counts to the caller.
    ///
    /// Counts are replaced even if there are no outcomes. The caller is woken only for outcomes: it polls the counts.
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

    /// Adds an entry to the log. If nobody takes the entries, further ones are left out.
    pub(super) fn log(&self, entry: LogEntry) {
        let mut inner = self.lock();
        if inner.log.len() < MOST_LOG_ENTRIES {
            inner.log.push(entry);
        }
    }

    /// Reports the errors of the run: at once if an error stops it, because its input may be endless; otherwise
    /// when it is over.
    pub(super) fn report(&self, troubles: Vec<Error>, over: bool) {
        let mut inner = self.lock();
        (inner.troubles, inner.over) = (troubles, over);
        drop(inner);
        self.delivered.notify_one();
    }
}

impl Run {
    /// Both ends of a run, and the events for its task. Dropping the [`Run`] stops the task with this grace.
    pub(super) fn open(grace: Duration) -> (Self, Arc<Port>, UnboundedReceiver<Event>) {
        let (events, inbox) = unbounded_channel();
        let port = Arc::new(Port {
            inner: Mutex::default(),
            delivered: Notify::new(),
            taken: Notify::new(),
            events,
            halted: Arc::default(),
        });
        (Self { port: port.clone(), grace }, port, inbox)
    }

    /// Adds rows, each of which stands for as many equal rows as `counts` says. Without counts, each row stands
    /// for itself. Never blocks: a caller with an endless source must itself wait for outcomes.
    pub fn feed(&self, rows: Vec<Row>, counts: Vec<u64>) {
        self.send(Event::Fed(rows, counts));
    }

    /// No more rows come.
    pub fn finish(&self) {
        self.send(Event::Finished);
    }

    /// The next outcomes, in the order in which they became known; `None` once every row fed has
    /// had its outcome and the input is finished, or the run was stopped and is over.
    ///
    /// Several tasks may wait. Each delivery wakes one of them, and the end of the run wakes all, one after another.
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
                    // Others that wait must see it, too.
                    self.port.delivered.notify_one();
                    return None;
                }
            }
            self.port.delivered.notified().await;
        }
    }

    /// Starts nothing new. What is in flight may still take `grace`, then it is unknown. Rows not yet sent
    /// become `not_sent`. If called again, the shorter grace counts.
    ///
    /// Returns at once; the rows get their outcomes through [`Run::next`], as always.
    pub fn stop(&self, grace: Duration) {
        self.send(Event::Stop(grace));
        // At once: the task may be waiting for the store. After the event, so that the task stops before it hears of
        // requests that were not sent because of this.
        self.port.halt();
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

    /// The errors of the run, worst first: fatal, budget, unknown, rejected. An error that stops the run is
    /// reported at once; the list is final once [`Run::next`] has returned `None`.
    #[must_use]
    pub fn troubles(&self) -> Vec<Error> {
        self.port.lock().troubles.clone()
    }

    /// The entries of the log since the last call.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        std::mem::take(&mut self.port.lock().log)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.port.lock().progress
    }

    fn send(&self, event: Event) {
        // The task ends only when the run is over.
        let _ = self.port.events.send(event);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop(self.grace);
    }
}
