//! A run whose task panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exactbuyer_core::config::{BodyFormat, Config};
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::results::Status;
use exactbuyer_core::store::{
    Availability, Claim, Evidence, Outcome, RequestId, Required, RunId, Store, Terms,
};
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_store::MemoryStore;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::{Seen, Told, finish, found, paused, person, start};

/// A store in memory that panics when it is consulted, if it is told to, and may be slow.
#[derive(Default)]
pub(super) struct Breaking {
    store: MemoryStore,
    is_broken: AtomicBool,
    consult_takes: Duration,
    claim_takes: Duration,
}

impl Breaking {
    pub(super) fn slow(consult_takes: Duration, claim_takes: Duration) -> Self {
        Self { consult_takes, claim_takes, ..Self::default() }
    }
}

impl Store for Breaking {
    fn begin(&self, terms: Terms) -> RunId {
        self.store.begin(terms)
    }

    fn end(&self, run: RunId) {
        self.store.end(run);
    }

    fn durable(&self) -> bool {
        false
    }

    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>> {
        assert!(!self.is_broken.load(Ordering::Relaxed), "the test breaks it");
        Box::pin(async move {
            tokio::time::sleep(self.consult_takes).await;
            self.store.consult(run, required, lookups).await
        })
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        Box::pin(async move {
            tokio::time::sleep(self.claim_takes).await;
            self.store.claim(run, required, lookups).await
        })
    }

    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        request: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        self.store.settle(run, required, request, lookups, evidence)
    }

    fn abandon(&self, run: RunId, required: &Required, request: RequestId, lookups: Vec<Identifier>) {
        self.store.abandon(run, required, request, lookups);
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.store.changed()
    }
}

#[test]
fn a_run_whose_task_panics_ends_with_an_error() {
    paused(async {
        let (store, seen) = (Arc::new(Breaking::default()), Seen::default());
        let answer = Arc::new(|_: usize, values: &[String]| Ok(found(values, |_| true)));
        let transport = Told { latency: Duration::from_secs(5), answer, seen: seen.clone() };
        let config = Config { chunk_size: 10, body: BodyFormat::Json, ..Config::default() };
        let engine = Engine::seeded(config, Arc::new(transport), store.clone(), 1);
        let broken = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
        broken.feed((0..10).map(person).collect(), Vec::new());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(seen.lock().unwrap().len(), 1);
        store.is_broken.store(true, Ordering::Relaxed);
        broken.feed(vec![person(10)], Vec::new());

        let end = timeout(Duration::from_mins(1), broken.next()).await;
        assert!(end.expect("its caller does not wait for ever").is_none());
        assert!(broken.is_over());
        assert_eq!(broken.troubles()[0].kind(), ErrorKind::UnknownOutcome);

        // The store has forgotten it, and keeps its answers for those who wait for them.
        store.is_broken.store(false, Ordering::Relaxed);
        let done = finish(&start(&engine, 0..11), &seen).await;
        assert_eq!(done.receipt.count(Status::Found), 11);
    });
}
