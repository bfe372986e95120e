//! The store in memory, which keeps nothing longer than necessary: lookups in flight, so that runs at the same time do not
//! pay twice, and their answers as long as another run is live that may have seen them in flight.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::future::{BoxFuture, FutureExt, ready};
use hashbrown::HashMap;
use tokio::sync::Notify;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;

use exactbuyer_core::store::{
    ABANDONED, Availability, Claim, Evidence, Outcome, RequestId, Required, RunId, Seen, Store, Terms,
};

/// The most answers that are kept: as many as a run itself remembers. A stream that is left open must not fill the memory,
/// and neither must two streams that never end.
const MOST_KEPT: usize = 100_000;

/// Remembers lookups and answers only while runs are live.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Runs and answers get their numbers from one sequence, which shows which came first: a run may use the answers
    /// with higher numbers than its own.
    clock: u64,
    /// Begun and not ended. The first one is the oldest, because numbers only grow.
    live: BTreeSet<RunId>,
    /// What is in flight or answered. A lookup that is not here is free.
    lookups: HashMap<Required, HashMap<Identifier, LookupState>>,
    /// The chunks in flight of the only live run, as long as `lookups` is empty. A run never asks for a lookup twice at the
    /// same time, so nobody looks for one.
    alone: Vec<Chunk>,
    /// Answers that are kept, oldest first.
    kept: VecDeque<(u64, Required, Identifier)>,
    /// The same for doubts. They must not be sent again, however many answers come later.
    doubts: VecDeque<(u64, Required, Identifier)>,
}

/// The lookups of one claim.
#[derive(Debug)]
struct Chunk {
    required: Required,
    lookups: Box<[Identifier]>,
}

#[derive(Debug)]
enum LookupState {
    /// Others wait for [`Store::changed`]. Its claimant settles, releases or abandons it.
    InFlight,
    /// `at` is its number in the sequence, `at_ms` the time in milliseconds since 1970.
    Answered { at: u64, at_ms: i64, outcome: Outcome },
}

impl Inner {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn is_alone(&self, run: RunId) -> bool {
        self.live.iter().all(|live| *live == run)
    }

    fn is_empty(&self) -> bool {
        self.lookups.values().all(HashMap::is_empty)
    }

    /// Makes the lookups in flight findable for other runs.
    fn index(&mut self) {
        for Chunk { required, lookups } in std::mem::take(&mut self.alone) {
            let of_required = self.lookups.entry_ref(&required).or_default();
            of_required.extend(lookups.into_iter().map(|lookup| (lookup, LookupState::InFlight)));
        }
    }

    fn availability(&self, run: RunId, required: &Required, lookup: &Identifier) -> Availability {
        match self.lookups.get(required).and_then(|of_required| of_required.get(lookup)) {
            // An answer from before the run began is not for this run: without a durable store, each call asks again,
            // whether or not another one happens to be live.
            Some(LookupState::Answered { at, at_ms, outcome }) if *at > run.0 => {
                Availability::Known(outcome.clone(), Seen { at_ms: *at_ms, ..Seen::default() })
            }
            Some(LookupState::InFlight) => Availability::Held,
            Some(LookupState::Answered { .. }) | None => Availability::Free,
        }
    }

    /// Drops answers that no live run may use, and the oldest ones if there are too many.
    fn forget(&mut self) {
        let oldest = self.live.first().map_or(u64::MAX, |run| run.0);
        loop {
            let too_many = self.kept.len() > MOST_KEPT;
            let next = self.kept.pop_front_if(|(at, ..)| too_many || *at < oldest);
            let next = next.or_else(|| self.doubts.pop_front_if(|(at, ..)| *at < oldest));
            let Some((at, required, lookup)) = next else { break };
            let Some(of_required) = self.lookups.get_mut(&required) else { continue };
            // It may have been sent again since then.
            let same = |state: &LookupState| matches!(state, LookupState::Answered { at: answered, .. } if *answered == at);
            if of_required.get(&lookup).is_some_and(same) {
                of_required.remove(&lookup);
            }
        }
        if self.live.is_empty() {
            self.lookups.retain(|_, of_required| !of_required.is_empty());
        }
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        crate::lock(&self.inner)
    }

    /// Notes the outcome of lookups that this run had claimed. If the run will send unknown lookups again,
    /// `unknown` is not their outcome yet.
    fn note(
        &self,
        run: RunId,
        required: &Required,
        lookups: Vec<(Identifier, Outcome)>,
        resends: bool,
        at_ms: i64,
    ) {
        let mut inner = self.lock();
        inner.index();
        let shared = !inner.is_alone(run);
        let at = inner.tick();
        for (lookup, outcome) in lookups {
            let is_doubt = matches!(outcome, Outcome::Unknown(_));
            let is_final = !matches!(outcome, Outcome::NotSent(_)) && (!is_doubt || !resends);
            if is_final && shared {
                let kept = if is_doubt { &mut inner.doubts } else { &mut inner.kept };
                kept.push_back((at, required.clone(), lookup.clone()));
                let answer = LookupState::Answered { at, at_ms, outcome };
                inner.lookups.entry_ref(required).or_default().insert(lookup, answer);
            } else if let Some(of_required) = inner.lookups.get_mut(required) {
                of_required.remove(&lookup);
            }
        }
        inner.forget();
        drop(inner);
        self.changed.notify_waiters();
    }
}

impl Store for MemoryStore {
    fn begin(&self, _: Terms) -> RunId {
        let mut inner = self.lock();
        inner.index();
        let run = RunId(inner.tick());
        inner.live.insert(run);
        run
    }

    fn end(&self, run: RunId) {
        let mut inner = self.lock();
        inner.live.remove(&run);
        inner.forget();
    }

    fn durable(&self) -> bool {
        false
    }

    fn release_if_alone(&self, run: RunId, required: &Required, lookups: &[Identifier]) -> bool {
        let mut inner = self.lock();
        if !inner.is_alone(run) {
            return false;
        }
        let same = |chunk: &Chunk| chunk.required == *required && *chunk.lookups == *lookups;
        if let Some(place) = inner.alone.iter().position(same) {
            inner.alone.swap_remove(place);
        } else if let Some(of_required) = inner.lookups.get_mut(required) {
            for lookup in lookups {
                of_required.remove(lookup);
            }
        }
        true
    }

    fn consult<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [&'a Identifier],
    ) -> BoxFuture<'a, Result<Vec<Availability>, Error>> {
        let mut inner = self.lock();
        let availability = if inner.is_alone(run) && inner.is_empty() {
            vec![Availability::Free; lookups.len()]
        } else {
            inner.index();
            lookups.iter().map(|lookup| inner.availability(run, required, lookup)).collect()
        };
        drop(inner);
        ready(Ok(availability)).boxed()
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        let mut inner = self.lock();
        if inner.is_alone(run) && inner.is_empty() {
            inner.alone.push(Chunk { required: required.clone(), lookups: lookups.into() });
            let availability = vec![Availability::Free; lookups.len()];
            return ready(Ok(Claim::Granted { request: RequestId::default(), availability })).boxed();
        }
        inner.index();
        let mut availability = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            let one = inner.availability(run, required, lookup);
            if one == Availability::Free {
                inner.lookups.entry_ref(required).or_default().insert(lookup.clone(), LookupState::InFlight);
            }
            availability.push(one);
        }
        drop(inner);
        ready(Ok(Claim::Granted { request: RequestId::default(), availability })).boxed()
    }

    fn settle<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        _: RequestId,
        lookups: Vec<(Identifier, Outcome)>,
        evidence: Evidence,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        self.note(run, required, lookups, evidence.resends, evidence.at_ms);
        ready(Ok(0)).boxed()
    }

    fn abandon(&self, run: RunId, required: &Required, _: RequestId, lookups: Vec<Identifier>) {
        let doubt = Outcome::Unknown(ABANDONED.into());
        let doubted = lookups.into_iter().map(|lookup| (lookup, doubt.clone())).collect();
        self.note(run, required, doubted, false, 0);
    }

    fn doubt<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: Vec<(Identifier, Arc<str>)>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let doubted = lookups.into_iter().map(|(lookup, why)| (lookup, Outcome::Unknown(why)));
        self.note(run, required, doubted.collect(), false, 0);
        ready(Ok(())).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.changed.notified().boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::*;
    use exactbuyer_core::identifier::FieldType;

    fn lookup(text: &str) -> Identifier {
        Identifier::from_canonical(FieldType::Email, text)
    }

    fn hit() -> Outcome {
        Outcome::Hit(Bytes::from_static(b"{}"))
    }

    async fn one(store: &MemoryStore, run: RunId, text: &str) -> Availability {
        claim(store, run, &Required::from([]), text).await
    }

    async fn claim(store: &MemoryStore, run: RunId, required: &Required, text: &str) -> Availability {
        match store.claim(run, required, &[lookup(text)]).await.unwrap() {
            Claim::Granted { mut availability, .. } => availability.remove(0),
            refused => unreachable!("{refused:?}"),
        }
    }

    fn begin(store: &MemoryStore) -> RunId {
        store.begin(Terms::default())
    }

    fn known(outcome: Outcome) -> Availability {
        Availability::Known(outcome, Seen::default())
    }

    async fn settle(store: &MemoryStore, run: RunId, text: &str, outcome: Outcome) {
        let (request, evidence) = (RequestId::default(), Evidence::default());
        let settled = vec![(lookup(text), outcome)];
        store.settle(run, &Required::from([]), request, settled, evidence).await.unwrap();
    }

    #[tokio::test]
    async fn what_one_run_asks_the_others_wait_for() {
        let store = MemoryStore::default();
        let (first, second) = (begin(&store), begin(&store));
        assert_eq!(one(&store, first, "a").await, Availability::Free);
        assert_eq!(one(&store, second, "a").await, Availability::Held);
        let changed = store.changed();
        settle(&store, first, "a", hit()).await;
        changed.await;
        assert_eq!(one(&store, second, "a").await, known(hit()));
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_is_not_kept_but_one_that_somebody_may_is() {
        let store = MemoryStore::default();
        let required = Required::from([]);
        let first = begin(&store);
        assert_eq!(one(&store, first, "a").await, Availability::Free);
        assert_eq!(one(&store, first, "b").await, Availability::Free);
        assert!(store.release_if_alone(first, &required, &[lookup("a")]));
        assert_eq!(store.lock().alone.len(), 1);
        let second = begin(&store);
        assert_eq!(one(&store, second, "a").await, Availability::Free);
        assert!(!store.release_if_alone(first, &required, &[lookup("b")]));
        assert_eq!(one(&store, second, "b").await, Availability::Held);
    }

    #[tokio::test]
    async fn what_was_released_anybody_may_ask() {
        let store = MemoryStore::default();
        let (first, second) = (begin(&store), begin(&store));
        assert_eq!(one(&store, first, "a").await, Availability::Free);
        settle(&store, first, "a", Outcome::NotSent(Arc::default())).await;
        assert_eq!(one(&store, second, "a").await, Availability::Free);
    }

    #[tokio::test]
    async fn a_later_run_asks_anew_and_nothing_is_kept_after_the_last() {
        let store = MemoryStore::default();
        let (first, second) = (begin(&store), begin(&store));
        assert_eq!(one(&store, first, "a").await, Availability::Free);
        settle(&store, first, "a", hit()).await;
        let third = begin(&store);
        assert_eq!(one(&store, third, "a").await, Availability::Free);
        settle(&store, third, "a", hit()).await;
        for run in [first, second, third] {
            store.end(run);
        }
        assert!(store.lock().lookups.is_empty());
        assert!(store.lock().kept.is_empty());
    }

    #[tokio::test]
    async fn two_runs_that_go_on_for_ever_do_not_fill_the_memory() {
        let store = MemoryStore::default();
        let (first, second) = (begin(&store), begin(&store));
        assert_eq!(one(&store, first, "lost").await, Availability::Free);
        let unknown = Outcome::Unknown("lost".into());
        settle(&store, first, "lost", unknown.clone()).await;
        let most = MOST_KEPT + 10;
        for number in 0..most {
            let text = format!("p{number}");
            assert_eq!(one(&store, first, &text).await, Availability::Free);
            settle(&store, first, &text, hit()).await;
        }
        assert_eq!(store.lock().kept.len(), MOST_KEPT);
        assert_eq!(store.lock().lookups.values().map(HashMap::len).sum::<usize>(), MOST_KEPT + 1);
        assert_eq!(one(&store, second, "lost").await, known(unknown));
        assert_eq!(one(&store, second, &format!("p{}", most - 1)).await, known(hit()));
        assert_eq!(one(&store, second, "p0").await, Availability::Free);
    }

    #[tokio::test]
    async fn other_required_fields_are_another_lookup_and_another_order_is_not() {
        let store = MemoryStore::default();
        let (run, other) = (begin(&store), begin(&store));
        assert_eq!(one(&store, run, "a").await, Availability::Free);
        let fields = |names: [&str; 2]| Required::from(names.map(Box::from));
        assert_eq!(claim(&store, run, &fields(["phone", "email"]), "a").await, Availability::Free);
        assert_eq!(claim(&store, other, &fields(["email", "phone"]), "a").await, Availability::Held);
    }

    #[tokio::test]
    async fn doubts_are_shared_too() {
        let store = MemoryStore::default();
        let (first, second) = (begin(&store), begin(&store));
        assert_eq!(one(&store, first, "a").await, Availability::Free);
        let unknown = Outcome::Unknown("lost".into());
        settle(&store, first, "a", unknown.clone()).await;
        assert_eq!(one(&store, second, "a").await, known(unknown));
    }
}
