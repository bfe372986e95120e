//! A file that cannot be written: nothing is sent that is not noted first, and nothing that was
//! paid for is kept from the caller.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::results::Status;
use exactbuyer_core::store::{
    Availability, Claim, Evidence, Outcome, RequestId, Required, RunId, Store, Terms,
};
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_store::sqlite::{SqliteStore, after_fork, before_fork};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::fixture::*;

/// A store that waits for a lock no longer than its own threads may hold it on a busy machine.
fn impatient(folder: &Folder) -> SqliteStore {
    SqliteStore::open_within(&folder.path().join("a.db"), "loopback", Duration::from_millis(50)).unwrap()
}

#[test]
fn nothing_is_sent_that_cannot_be_noted() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = impatient(&folder);
    let engine = engine(settings(), &vendor, &store);
    let hold = Hold::on(&folder.file("a.db"));
    let done = run(&engine, rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::NotSent; 2]);
    assert_eq!(done.troubles[0].kind(), ErrorKind::Store);
    assert!(done.troubles[0].to_string().contains("keeps it locked"), "{:?}", done.troubles);
    assert_eq!(vendor.asked().len(), 0);
    drop(hold);
    let done = run(&engine, rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::Found; 2]);
}

#[test]
fn an_answer_that_cannot_be_stored_is_delivered_and_stored_later() {
    let folder = Folder::new();
    let store = impatient(&folder);
    let path = folder.path().join("a.db");
    // The disk goes away just when the answer comes.
    let hold: Arc<Mutex<Option<Hold>>> = Arc::default();
    let taken = hold.clone();
    let vendor = Vendor::new(move |number, values| {
        if number == 1 {
            *taken.lock().unwrap() = Some(Hold::on(&path));
        }
        Ok(found(values))
    });
    let engine = engine(settings(), &vendor, &store);
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!((done.statuses(), done.receipt.not_stored), (vec![Status::Found], 1));
    // While it is not stored, no run pays for it again or waits for it.
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::Unknown]);
    hold.lock().unwrap().take().unwrap();
    // A run that asks for it has the store write it first.
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!((done.statuses(), done.receipt.from_store), (vec![Status::Found], 1));
    assert_eq!(vendor.asked(), [["ana@x.example"]]);
    assert_eq!(store.unknown().unwrap(), []);
}

#[test]
fn what_could_not_be_stored_is_tried_again_though_nobody_comes() {
    let folder = Folder::new();
    let store = impatient(&folder);
    let path = folder.path().join("a.db");
    let hold: Arc<Mutex<Option<Hold>>> = Arc::default();
    let away = hold.clone();
    let vendor = Vendor::new(move |_, values| {
        *away.lock().unwrap() = Some(Hold::on(&path));
        Ok(found(values))
    });
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana"]), RunOptions::default());
    assert_eq!(done.receipt.not_stored, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let changed = store.changed();
        hold.lock().unwrap().take();
        tokio::time::timeout(Duration::from_mins(1), changed).await.expect("it is tried again");
    });
    let info = store.info().unwrap();
    assert_eq!((info.hits, info.under_way), (1, 0));
}

#[test]
fn around_a_fork_only_what_holds_locks_is_open() {
    let folder = Folder::new();
    let vendor = Vendor::honest();
    let store = folder.store();
    run(&engine(settings(), &vendor, &store), rows(&["ana"]), RunOptions::default());
    store.info().unwrap();
    let open = || {
        let mut names = open_in(folder.path());
        names.retain(|name| name != "a.db-owners");
        names
    };
    assert!(open().contains(&"a.db-wal".to_owned()));
    before_fork(|| Duration::from_mins(1));
    let seen = open();
    after_fork();
    assert_eq!(seen, ["a.db"], "the lock that announces the name");
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!((done.receipt.from_store, done.receipt.credits), (1, 1));
}

#[test]
fn a_fork_does_not_wait_for_another_programs_lock() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let ask = |name| run(&engine(settings(), &vendor, &store), rows(&[name]), RunOptions::default());
    ask("ana");
    let hold = Hold::on(&folder.file("a.db"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask("bob"));
        for _ in 0..20 {
            before_fork(|| Duration::from_mins(1));
            let is_waiting = !waiting.is_finished();
            after_fork();
            assert!(is_waiting, "the fork does not wait for the lock");
            std::thread::yield_now();
        }
        drop(hold);
        assert_eq!(waiting.join().unwrap().statuses(), [Status::Found]);
    });
    assert_eq!(vendor.asked().len(), 2, "postponed, and sent once");
}

#[test]
fn a_fork_that_cannot_wait_leaves_the_parent_as_it_was() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let ask = |name| run(&engine(settings(), &vendor, &store), rows(&[name]), RunOptions::default());
    for name in ["ana", "bob", "eve"] {
        before_fork(|| Duration::ZERO);
        after_fork();
        assert_eq!(ask(name).statuses(), [Status::Found]);
    }
    assert_eq!(store.info().unwrap().hits, 3);
}

/// A store that can be read once.
struct Blind {
    store: SqliteStore,
    consulted: AtomicUsize,
}

impl Store for Blind {
    fn begin(&self, terms: Terms) -> RunId {
        self.store.begin(terms)
    }

    fn end(&self, run: RunId) {
        self.store.end(run);
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
        async move {
            if self.consulted.load(Ordering::Relaxed) > 0 {
                return Err(Error::new(ErrorKind::Store, "the disk is gone"));
            }
            let read = self.store.consult(run, required, lookups).await;
            // Only now: who looks at this must find that the answer has been given.
            self.consulted.fetch_add(1, Ordering::Relaxed);
            read
        }
        .boxed()
    }

    fn claim<'a>(
        &'a self,
        run: RunId,
        required: &'a Required,
        lookups: &'a [Identifier],
    ) -> BoxFuture<'a, Result<Claim, Error>> {
        self.store.claim(run, required, lookups)
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
fn who_waits_for_others_does_not_wait_for_ever_where_the_store_cannot_be_read() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let done = runtime.block_on(async {
        let (other, required) = (store.begin(Terms::default()), [].into());
        let claim = store.claim(other, &required, &[email("ana")]).await.unwrap();
        let Claim::Granted { request, .. } = claim else { panic!("{claim:?}") };
        let blind = Arc::new(Blind { store: store.clone(), consulted: AtomicUsize::new(0) });
        let engine = Engine::seeded(settings(), Arc::new(vendor.clone()), blind.clone(), 1);
        let waiting =
            tokio::spawn(async move { run_in(&engine, rows(&["ana"]), RunOptions::default()).await });
        while blind.consulted.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        store.abandon(other, &required, request, vec![email("ana")]);
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("it ends").unwrap()
    });
    assert_eq!(done.statuses(), [Status::NotSent]);
    assert_eq!(done.troubles[0].kind(), ErrorKind::Store);
    assert_eq!(vendor.asked().len(), 0);
}
