//! The durable store behind the trait that the engine uses. Everything is given to the store's threads, and nothing here
//! waits for them.

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
use super::super::tables::{block, sorted};
use super::super::threads::{Listen, closed};
use super::claim::ClaimWork;
use super::lookups::{self, LookupQuery};
use super::settle::{self, SettleWork};

impl Store for SqliteStore {
    fn begin(&self, terms: Terms) -> RunId {
        self.runs.begin(terms)
    }

    fn end(&self, run: RunId) {
        self.runs.end(run);
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
        let (reply, answer) = oneshot::channel();
        answered(self.ask_availability(run, required, lookups, reply), answer)
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        let (reply, answer) = oneshot::channel();
        answered(self.give_claim(run, required, lookups, reply), answer)
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
        answered(self.give_settlement(request, lookups, evidence, Some(reply)), answer)
    }

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

    fn changed(&self) -> BoxFuture<'_, ()> {
        static NEVER: tokio::sync::Notify = tokio::sync::Notify::const_new();
        self.any_opening().map_or(&NEVER, |opening| &opening.shared.changed).notified().boxed()
    }

    fn listen(&self) {
        let Ok(opening) = self.opening() else { return };
        if self.runs.listening.swap(true, Ordering::AcqRel) {
            return;
        }
        opening.writer.give(Box::new(Listen(self.runs.listening.clone())));
    }
}

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// The answer of a thread that was given a task, or the reason why it was not.
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
        let fields = sorted(required);
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
            fields: sorted(required),
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

    fn give_settlement(
        &self,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
        reply: Option<Reply<u64>>,
    ) -> Result<(), Error> {
        let opening = self.opening()?;
        let failed = |fault| opening.shared.error(fault);
        let (lines, blocks) = settle::pack(&opening.shared, lookups).map_err(failed)?;
        let unread = evidence.unread.as_deref().map(block::compress).transpose().map_err(failed)?;
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
