//! The store as the engine knows it: runs, and what they consult, claim and settle. Everything is
//! handed to the threads that speak to the file; nothing here waits for one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt, ready};
use tokio::sync::futures::Notified;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;
use crate::store::{Availability, Claim, Evidence, Outcome, RequestId, Required, RunId, Store, Terms};

use super::SqliteStore;
use super::block;
use super::claim::ClaimWork;
use super::look::{self, Question, RunState};
use super::opening::ended;
use super::settle::{self, SettleWork};
use super::shared::{now_ms, sorted};
use super::writer::Listen;

/// The runs of this handle and its clones.
#[derive(Debug, Default)]
pub(super) struct Runs {
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
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>> {
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
                let availability = Question::of(&shared, &run, &fields, &keys).and_then(|question| {
                    reading.at_once(|connection, blocks, tail| {
                        let found = look::find(connection, &shared, tail, &question)?;
                        look::tell(connection, blocks, &found)
                    })
                });
                availability.map_err(|fault| shared.told(fault))
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
        }));
        async move { answer.await.unwrap_or_else(|_| Err(ended())) }.boxed()
    }

    fn settle<'a>(
        &'a self,
        _: RunId,
        _: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        let (reply, answer) = oneshot::channel();
        match self.hand_in(request, lookups, evidence, Some(reply)) {
            Ok(()) => async move { answer.await.unwrap_or_else(|_| Err(ended())) }.boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn abandon(&self, _: RunId, _: &Required, request: RequestId, lookups: Vec<Identifier>) {
        let doubt = Outcome::Unknown("its request ended without a word".into());
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
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
        reply: Option<oneshot::Sender<Result<u64, Error>>>,
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
            withheld: 0,
            is_hopeless: false,
            reply,
        }));
        Ok(())
    }
}
