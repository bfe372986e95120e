//! The durable store behind the trait that the engine uses. Everything is given to the store's threads, and nothing here
//! waits for them.
//!
//! ```text
//!  the engine's task                         a thread of the store
//!  hash, sort, compress ── ClaimWork ──────▶ writer: one transaction for all work that waits
//!                       ── SettleWork ─────▶ writer
//!                       ── a closure ──────▶ reader: one read transaction
//!  await oneshot  ◀───────── the answer ────
//! ```
//!
//! If the future is dropped, the receiver is gone. A consultation then ends without effect. A claim is noted as an
//! orphan if nobody receives it, and released with the next commit, because nothing was sent for it. A settlement is
//! stored all the same.

use std::sync::atomic::Ordering;

use futures_util::future::{BoxFuture, FutureExt, ready};
use tokio::sync::oneshot;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::store::{
    ABANDONED, Availability, Claim, Evidence, Outcome, RequestId, RequestOutcome, Required, RunId, Store,
    Terms,
};

use super::super::clock::now_ms;
use super::super::key::Key;
use super::super::process::SqliteStore;
use super::super::tables::block;
use super::super::threads::{AfterUnsettled, Listen, closed};
use super::claim::ClaimWork;
use super::lookups::{self, LookupQuery};
use super::settle::{self, SettleWork};

/// `release_if_alone` keeps its default: other processes may ask for these answers, so every request is settled.
impl Store for SqliteStore {
    /// Only in memory. The file learns of a run with its first claim.
    fn begin(&self, terms: Terms) -> RunId {
        self.runs.begin(terms)
    }

    fn end(&self, run: RunId) {
        self.runs.end(run);
    }

    fn durable(&self) -> bool {
        true
    }

    /// # Cancel safety
    /// Safe: it changes nothing.
    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>> {
        let ask = move || {
            let (reply, answer) = oneshot::channel();
            answered(self.ask_availability(run, required, lookups, reply), answer)
        };
        // What could not be stored may be asked for, and the disk may have room by now.
        self.after_unsettled(ask)
    }

    /// # Cancel safety
    /// Not safe. A claim that is dropped before the writer has answered is released; one that is dropped at a later
    /// moment keeps its lookups until this process ends.
    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        let (reply, answer) = oneshot::channel();
        answered(self.give_claim(run, required, lookups, reply), answer)
    }

    /// The run does not matter: what it needs to know of it is in the request's row.
    ///
    /// # Cancel safety
    /// Safe: the work is with the writer as soon as this function has returned.
    fn settle<'a>(
        &'a self,
        _: RunId,
        _: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        let (reply, answer) = oneshot::channel();
        answered(self.give_settlement(request, lookups, evidence, Some(reply)), answer)
    }

    fn settle_again(&self, requests: Vec<RequestId>) -> BoxFuture<'_, Vec<RequestId>> {
        self.after_unsettled(move || {
            let is_stored = |request: &RequestId| {
                self.opening().is_ok_and(|opening| !opening.shared.intents().is_lost(*request))
            };
            ready(requests.into_iter().filter(is_stored).collect()).boxed()
        })
    }

    /// The whole worst case stays in doubt. Nobody waits for the answer, so this may be called in a destructor.
    fn abandon(&self, _: RunId, _: &Required, request: RequestId, lookups: Vec<Identifier>) {
        let doubt = Outcome::Unknown(ABANDONED.into());
        let in_doubt = lookups.len() as u64;
        let lookups = lookups.into_iter().map(|lookup| (lookup, doubt.clone())).collect();
        let evidence = Evidence {
            at_ms: now_ms(),
            outcome: RequestOutcome::Unknown,
            left: true,
            in_doubt,
            ..Evidence::default()
        };
        // If this fails too, the request stays in flight until the process ends, and is then in doubt.
        let _ = self.give_settlement(request, lookups, evidence, None);
    }

    /// A handle without an opening never changes; neither does a forked child's, whose opening is the parent's.
    fn changed(&self) -> BoxFuture<'_, ()> {
        static NEVER: tokio::sync::Notify = tokio::sync::Notify::const_new();
        self.any_opening().map_or(&NEVER, |opening| &opening.shared.changed).notified().boxed()
    }

    /// Gives the writer one `Listen` at a time, however many runs of this handle ask: more would find nothing new.
    fn listen(&self) {
        let Ok(opening) = self.opening() else { return };
        if self.runs.listening.swap(true, Ordering::AcqRel) {
            return;
        }
        opening.writer.give(Box::new(Listen(self.runs.listening.clone())));
    }
}

/// Where a thread of the store puts its answer. If sending fails, the caller is gone.
type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// The answer of a thread that was given a task, or the reason why it was not.
///
/// If the thread has ended, the sender is dropped with the task, and the caller gets the error for a closed store.
fn answered<'a, T: Send + 'static>(
    given: Result<(), Error>,
    answer: oneshot::Receiver<Result<T, Error>>,
) -> BoxFuture<'a, Result<T, Error>> {
    match given {
        Ok(()) => async move { answer.await.unwrap_or_else(|_| Err(closed())) }.boxed(),
        Err(error) => ready(Err(error)).boxed(),
    }
}

impl SqliteStore {
    /// Lets the writer retry the answers that could not be stored, then calls `then`. Without such answers, calls it at
    /// once. If another program locks the file, this waits as long as a commit does.
    fn after_unsettled<'a, T: 'a>(
        &'a self,
        then: impl FnOnce() -> BoxFuture<'a, T> + Send + 'a,
    ) -> BoxFuture<'a, T> {
        let unsettled = self.opening().ok().filter(|opening| opening.shared.intents().any_lost());
        let Some(opening) = unsettled else { return then() };
        let (reply, tried) = oneshot::channel();
        opening.writer.give(Box::new(AfterUnsettled(reply)));
        async move {
            let _ = tried.await;
            then().await
        }
        .boxed()
    }

    /// Gives the reader a question. Hashing is done here, so that the reader only reads.
    ///
    /// # Errors
    /// If the handle is of another process, or the run is over.
    fn ask_availability(
        &self,
        run: RunId,
        required: &Required,
        lookups: &[&Identifier],
        reply: Reply<Vec<Availability>>,
    ) -> Result<(), Error> {
        let opening = self.opening()?;
        let shared = opening.shared.clone();
        let keys: Vec<Key> = lookups.iter().map(|lookup| shared.secret().key(lookup)).collect();
        let (run, _) = self.runs.get(run)?;
        let fields = required.clone();
        opening.reader.give(Box::new(move |reader| {
            let answer = reader.and_then(|reader| {
                let availability = LookupQuery::of(&shared, &run, &fields, &keys).and_then(|query| {
                    reader.in_transaction(|connection, blocks, tail| {
                        let found = lookups::find(connection, &shared, tail, &query)?;
                        lookups::with_bodies(connection, blocks, &found)
                    })
                });
                availability.map_err(|fault| shared.error(fault))
            });
            let _ = reply.send(answer);
        }));
        Ok(())
    }

    /// Gives the writer a claim. All lookups are packed in advance, because nearly always all of them are free.
    ///
    /// # Errors
    /// As [`ask_availability`](Self::ask_availability). Then nothing is claimed.
    fn give_claim(
        &self,
        run: RunId,
        required: &Required,
        lookups: &[Identifier],
        reply: Reply<Claim>,
    ) -> Result<(), Error> {
        let opening = self.opening()?;
        let shared = &opening.shared;
        let packed = block::pack_intent(lookups.iter()).map_err(|fault| shared.error(fault))?;
        let (state, per_minute) = self.runs.get(run)?;
        let tags = state.terms.tags.iter().map(|(name, value)| (name.to_string(), value.to_string().into()));
        let tags = serde_json::Value::Object(tags.collect()).to_string();
        opening.writer.give(Box::new(ClaimWork {
            run: state,
            number: run.0,
            fields: required.clone(),
            keys: lookups.iter().map(|lookup| shared.secret().key(lookup)).collect(),
            lookups: lookups.to_vec(),
            packed,
            per_minute,
            tags,
            answer: None,
            reply,
        }));
        Ok(())
    }

    /// Gives the writer a settlement, with its blocks already compressed. If compression fails, the writer gets the answer
    /// uncompressed and tries again: it was paid for.
    ///
    /// # Errors
    /// If the handle is of another process: then the request stays in flight until its owner ends.
    fn give_settlement(
        &self,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
        reply: Option<Reply<u64>>,
    ) -> Result<(), Error> {
        let opening = self.opening()?;
        let lines = settle::lines(&opening.shared, lookups);
        let packed = settle::pack(&lines, &evidence).ok();
        opening.writer.give(Box::new(SettleWork {
            request: request.0,
            lines,
            packed,
            evidence,
            withheld: 0,
            is_hopeless: false,
            reply,
        }));
        Ok(())
    }
}
