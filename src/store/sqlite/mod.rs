//! The durable store: one SQLite file that outlives crashes, power cuts and whoever wrote it, and
//! that several processes may share.
//!
//! One thread of each process writes (`writer`); others read. A claim (`claim`) notes the intent
//! to send in the same commit that finds the lookups free; `settle` replaces it by what came of
//! it; `look` decides what of the answers on file may be used. `owner` tells the living from the
//! dead, `opening` sees to it that a process opens a file once. People's questions are answered by
//! `journal`, `doubts`, `find`, `privacy`, `export`, `merge` and `migrate`.
//!
//! Knows nothing of runs beyond their terms, and nothing of the vendor but the length of its window.

mod block;
mod claim;
mod doubts;
mod estimate;
mod export;
mod fault;
mod find;
mod journal;
mod key;
mod ledger;
mod look;
mod mention;
mod merge;
mod migrate;
mod opening;
mod owner;
mod place;
mod privacy;
mod reader;
mod schema;
mod settle;
mod shared;
mod tail;
mod thread;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, ready};
use tokio::sync::futures::Notified;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;
use crate::secret::ApiKey;

use super::{Claim, Evidence, Known, RequestId, Required, RunId, Settled, Standing, Store, Terms};
use claim::ClaimWork;
use look::RunState;
use opening::{Opening, ended};
use settle::SettleWork;
use shared::{now_ms, sorted};
use writer::Listen;

pub use doubts::{Doubt, Resolution, Resolved};
pub use estimate::{Yield, check_time_zone};
pub use export::Export;
pub use find::{Contact, Target};
pub use journal::{Entry, Info, Reconciliation, SummaryRow};
pub use merge::Merged;
pub use migrate::{Migrated, migrate};
pub use opening::{after_fork, before_fork, service_at};
pub use place::service_of;
pub use privacy::Purged;

/// How long a commit waits for other processes' before it is given up.
const LOCK_TIMEOUT: Duration = Duration::from_secs(15);

/// A store in a file. Clones, and all others of this process that open the same file, share it.
pub struct SqliteStore {
    /// Always there, but while it is being dropped.
    opening: Option<Arc<Opening>>,
    runs: Arc<Runs>,
}

/// The runs of this handle and its clones.
#[derive(Debug, Default)]
struct Runs {
    last: AtomicU64,
    live: Mutex<HashMap<RunId, Arc<RunState>>>,
    /// Somebody is listening already.
    listening: Arc<AtomicBool>,
}

impl Runs {
    fn live(&self) -> MutexGuard<'_, HashMap<RunId, Arc<RunState>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run, and the lowest rate of all that send with the same key.
    ///
    /// # Errors
    /// Where it is over: a request that it gave up before this was asked has no terms to be sent on,
    /// and above all no ceiling.
    fn run(&self, run: RunId) -> Result<(Arc<RunState>, u32), Error> {
        let live = self.live();
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

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Clone for SqliteStore {
    fn clone(&self) -> Self {
        Self { opening: self.opening.clone(), runs: self.runs.clone() }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            opening::close(opening);
        }
    }
}

impl SqliteStore {
    /// Opens the store of this service (see [`service_of`]), and makes it where there is none: the
    /// file readable by its owner alone, and the folder, if that is not there. What dead processes
    /// have left under way is in doubt from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it belongs to another service;
    /// [`ErrorKind::Store`] if it cannot be opened, lies on a
    /// network disk, is no store, or was written by another version.
    pub fn open(path: &Path, service: &str) -> Result<Self, Error> {
        Self::open_within(path, service, LOCK_TIMEOUT)
    }

    /// The same, where a commit that other programs hold up for longer than this fails. Where the
    /// process has the file open already, it stays as it was opened first.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_within(path: &Path, service: &str, lock_timeout: Duration) -> Result<Self, Error> {
        Ok(Self { opening: Some(opening::open(path, service, lock_timeout)?), runs: Arc::default() })
    }

    /// What to tell the person who opened it: that others can read it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.opening.as_ref().map(|opening| &*opening.warnings).unwrap_or_default()
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.opening.as_ref().map_or(Path::new(""), |opening| &opening.shared.path)
    }

    /// Tells this store from every other, wherever it lies.
    ///
    /// # Errors
    /// Where the handle is another process's.
    pub fn name(&self) -> Result<[u8; 16], Error> {
        Ok(self.opening()?.shared.identity.name)
    }

    /// Stands for a key in the journal: the same for all who share the store, and for nobody else.
    ///
    /// # Errors
    /// Where the handle is another process's.
    pub fn fingerprint(&self, key: &ApiKey) -> Result<u64, Error> {
        Ok(self.opening()?.shared.identity.secret.fingerprint(key))
    }

    /// How lookups stand, for a plan: as a run on these terms would find them now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn peek(
        &self,
        terms: &Terms,
        required: &[Box<str>],
        lookups: &[&Identifier],
    ) -> Result<Vec<Standing>, Error> {
        let opening = self.opening()?;
        let keys: Vec<_> = lookups.iter().map(|lookup| opening.shared.identity.secret.key(lookup)).collect();
        let (run, fields) = (RunState::new(terms.clone(), now_ms()), sorted(required));
        opening.ask(move |reading, shared| {
            reading.at_once(|connection, blocks, tail| {
                let found = look::find(connection, shared, tail, &run, &fields, &keys, now_ms())?;
                look::tell(connection, blocks, &found)
            })
        })
    }

    fn opening(&self) -> Result<&Arc<Opening>, Error> {
        let opening = self.opening.as_ref().filter(|opening| opening.pid == std::process::id());
        opening.ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "the store was opened by the process that this one was forked from: open it again here",
            )
        })
    }
}

impl Store for SqliteStore {
    fn begin(&self, terms: Terms) -> RunId {
        let run = RunId(self.runs.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.runs.live().insert(run, Arc::new(RunState::new(terms, now_ms())));
        run
    }

    fn end(&self, run: RunId) {
        self.runs.live().remove(&run);
    }

    fn durable(&self) -> bool {
        true
    }

    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Standing>, Error>> {
        let opening = match self.opening() {
            Ok(opening) => opening,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let shared = opening.shared.clone();
        let keys: Vec<_> = lookups.iter().map(|lookup| shared.identity.secret.key(lookup)).collect();
        let run = match self.runs.run(run) {
            Ok((run, _)) => run,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let fields = sorted(required);
        let (reply, answer) = oneshot::channel();
        opening.reader.give(Box::new(move |reading| {
            let answer = reading.and_then(|reading| {
                let standings = reading.at_once(|connection, blocks, tail| {
                    let found = look::find(connection, &shared, tail, &run, &fields, &keys, now_ms())?;
                    look::tell(connection, blocks, &found)
                });
                standings.map_err(|fault| shared.told(fault))
            });
            let _ = reply.send(answer);
        }));
        async move { answer.await.unwrap_or_else(|_| Err(ended())) }.boxed()
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        let opening = match self.opening() {
            Ok(opening) => opening,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let shared = opening.shared.clone();
        let packed = match block::pack_intent(lookups.iter()) {
            Ok(packed) => packed,
            Err(fault) => return ready(Err(shared.told(fault))).boxed(),
        };
        let (state, per_minute) = match self.runs.run(run) {
            Ok(known) => known,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let tags = state.terms.tags.iter().map(|(name, value)| (name.to_string(), value.to_string().into()));
        let tags = serde_json::Value::Object(tags.collect()).to_string();
        let (reply, answer) = oneshot::channel();
        opening.writer.give(Box::new(ClaimWork {
            run: state,
            number: run.0,
            fields: sorted(required),
            keys: lookups.iter().map(|lookup| shared.identity.secret.key(lookup)).collect(),
            lookups: lookups.to_vec(),
            packed,
            per_minute,
            tags,
            answer: None,
            reply,
            shared,
        }));
        async move { answer.await.unwrap_or_else(|_| Err(ended())) }.boxed()
    }

    fn settle<'a>(
        &'a self,
        _: RunId,
        _: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Settled)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (reply, answer) = oneshot::channel();
        match self.hand_in(request, lookups, evidence, Some(reply)) {
            Ok(()) => async move { answer.await.unwrap_or_else(|_| Err(ended())) }.boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn abandon(&self, _: RunId, _: &Required, request: RequestId, lookups: Vec<Identifier>) {
        let doubt = Settled::Known(Known::Unknown("its request ended without a word".into()));
        let in_doubt = lookups.len() as u64;
        let lookups = lookups.into_iter().map(|lookup| (lookup, doubt.clone())).collect();
        let evidence =
            Evidence { at_ms: now_ms(), outcome: "unknown", left: true, in_doubt, ..Evidence::default() };
        // Where even this fails, the request stays under way until the process ends, and is in
        // doubt then.
        let _ = self.hand_in(request, lookups, evidence, None);
    }

    fn changed(&self) -> Notified<'_> {
        static NEVER: tokio::sync::Notify = tokio::sync::Notify::const_new();
        self.opening.as_ref().map_or_else(|| NEVER.notified(), |opening| opening.shared.changed.notified())
    }

    fn listen(&self) {
        let Ok(opening) = self.opening() else { return };
        if self.runs.listening.swap(true, Ordering::AcqRel) {
            return;
        }
        opening.writer.give(Box::new(Listen(self.runs.listening.clone())));
    }
}

impl SqliteStore {
    fn hand_in(
        &self,
        request: RequestId,
        lookups: Vec<(Identifier, Settled)>,
        evidence: Evidence,
        reply: Option<oneshot::Sender<Result<(), Error>>>,
    ) -> Result<(), Error> {
        let opening = self.opening()?;
        let shared = opening.shared.clone();
        let told = |fault| opening.shared.told(fault);
        let (lines, blocks) = settle::pack(&shared, lookups).map_err(told)?;
        let unread = evidence.unread.as_deref().map(block::compress).transpose().map_err(told)?;
        opening.writer.give(Box::new(SettleWork {
            request: request.0,
            lines,
            blocks,
            evidence,
            unread,
            reply,
            shared,
        }));
        Ok(())
    }
}
