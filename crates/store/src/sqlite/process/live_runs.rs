//! The runs that are live in this process, and which answers each of them inherits from earlier runs.
//!
//! A run inherits an answer if the answer was in the store when the run began. Inherited answers may be too old for
//! it, and `refresh` asks for them again. Answers that came later are used as they are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use hashbrown::HashSet;
use rusqlite::Connection;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::store::{RunId, Terms};

use super::super::clock::now_ms;
use super::super::file::{Fault, query};
use crate::lock;

/// The live runs of one file in this process.
#[derive(Debug, Default)]
pub(crate) struct LiveRuns {
    /// The number of the last run; the first run is 1.
    last: AtomicU64,
    /// Begun and not ended.
    live: Mutex<HashMap<RunId, Arc<RunState>>>,
    /// Whether a task that reads other processes' commits is waiting already.
    pub(crate) listening: Arc<AtomicBool>,
}

impl LiveRuns {
    /// Begins a run. It counts for the rate of its key until [`end`](Self::end).
    pub(crate) fn begin(&self, terms: Terms) -> RunId {
        let run = RunId(self.last.fetch_add(1, Ordering::Relaxed) + 1);
        lock(&self.live).insert(run, Arc::new(RunState::new(terms, now_ms())));
        run
    }

    /// Ends a run. Nothing can be claimed for it any more.
    pub(crate) fn end(&self, run: RunId) {
        lock(&self.live).remove(&run);
    }

    /// The run, and the lowest rate of all live runs with the same key.
    ///
    /// The rate is needed with each claim, because a run with the same key may have begun or ended since the last
    /// one.
    ///
    /// # Errors
    /// If the run is over: then it has no terms, and above all no spending limit.
    pub(crate) fn get(&self, run: RunId) -> Result<(Arc<RunState>, u32), Error> {
        let live = lock(&self.live);
        let Some(state) = live.get(&run).cloned() else {
            return Err(Error::new(
                ErrorKind::Store,
                "the run is over, so nothing more is sent for it: run this again",
            ));
        };
        let key = state.terms.key_fingerprint;
        let same = live.values().filter(|run| run.terms.key_fingerprint == key);
        let slowest = same.map(|run| run.terms.requests_per_minute).min();
        let per_minute = slowest.unwrap_or(state.terms.requests_per_minute);
        Ok((state, per_minute))
    }
}

/// What the store remembers about a run.
#[derive(Debug)]
pub(crate) struct RunState {
    pub(crate) terms: Terms,
    /// By the system's clock, which can be set back: so it does not decide alone.
    began_ms: i64,
    /// Set by the first consultation, claim or plan of the run.
    first_look: OnceLock<FirstLook>,
}

/// What was in the file when a run first looked.
#[derive(Debug, Default)]
pub(crate) struct FirstLook {
    /// The highest number then; 0 in an empty store. Requests with higher numbers are not inherited.
    last_request: i64,
    /// The requests in flight. Their answers come after the run began, whatever the clock says.
    open: HashSet<i64>,
    /// When it looked, in milliseconds since 1970.
    at_ms: i64,
}

impl RunState {
    pub(crate) fn new(terms: Terms, began_ms: i64) -> Self {
        Self { terms, began_ms, first_look: OnceLock::new() }
    }

    /// What was in the file when the run first looked, which is now if it has not looked yet. It never changes: later
    /// requests of other processes are not inherited by this run, even if their clocks are behind.
    pub(crate) fn first_look(&self, connection: &Connection) -> Result<&FirstLook, Fault> {
        if let Some(known) = self.first_look.get() {
            return Ok(known);
        }
        let last: Option<i64> = query::one(connection, "SELECT max(id) FROM request", [])?;
        let open = query::all(connection, "SELECT id FROM request WHERE settled_ms IS NULL", [])?;
        let look = FirstLook { last_request: last.unwrap_or_default(), open, at_ms: now_ms() };
        Ok(self.first_look.get_or_init(|| look))
    }

    /// Whether an answer was there before the run began. An answer that was in the file then but has a later time is from
    /// before the clock was set back.
    pub(crate) fn inherits(&self, first_look: &FirstLook, request: i64, at_ms: i64) -> bool {
        let from_the_future = at_ms > first_look.at_ms && !first_look.open.contains(&request);
        request <= first_look.last_request && (at_ms <= self.began_ms || from_the_future)
    }
}
