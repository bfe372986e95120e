//! Answers that cannot be stored when they come: none is given up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exactbuyer_core::results::Status;
use exactbuyer_core::store::{Evidence, Outcome, RequestOutcome, Store};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{SqliteStore, after_fork, before_fork};

use crate::copies::{Kind, claim};
use crate::fixture::*;

#[test]
fn all_of_150_answers_that_wait_for_a_lock_are_stored() {
    const MANY: usize = 150;
    let folder = Folder::new();
    let path = folder.file("a.db");
    let store = SqliteStore::open_within(&path, "loopback", Duration::from_millis(10)).unwrap();
    let name = |number| format!("p{number}");
    let pending: Vec<_> =
        (0..MANY).map(|number| claim(&store, 0, number, &[(name(number), Kind::Hit)]).unwrap()).collect();
    let hold = Hold::on(&path);
    for (number, one) in pending.iter().enumerate() {
        let evidence = Evidence {
            at_ms: 1,
            outcome: RequestOutcome::Answered,
            left: true,
            credits: 1,
            ..Evidence::default()
        };
        let hit = Outcome::Hit(record(&name(number)).into());
        let settled = vec![(email(&name(number)), hit)];
        assert!(wait(store.settle(one.run, &[].into(), one.request, settled, evidence)).is_err());
    }
    drop(hold);
    // The next commit takes all of them along.
    let vendor = Vendor::honest();
    let done = run(&engine(settings(), &vendor, &store), rows(&["eve"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::Found]);
    let info = store.info().unwrap();
    assert_eq!((info.hits, info.under_way, info.credits_in_doubt), (MANY as u64 + 1, 0, 0));
    assert_eq!(store.unknown().unwrap(), []);
}

#[test]
fn right_after_a_fork_a_row_waits_until_its_answer_is_stored() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let store = SqliteStore::open_within(&path, "loopback", Duration::from_millis(50)).unwrap();
    let hold: Arc<Mutex<Option<Hold>>> = Arc::default();
    let taken = hold.clone();
    let vendor = Vendor::new(move |_, values| {
        *taken.lock().unwrap() = Some(Hold::on(&path));
        Ok(found(values))
    });
    let engine = engine(settings(), &vendor, &store);
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!((done.statuses(), done.receipt.not_stored), (vec![Status::Found], 1));
    before_fork(|| Duration::from_mins(1));
    after_fork();
    // From here on, the writer must open the file again before it can store anything.
    drop(hold.lock().unwrap().take());
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!((done.statuses(), done.receipt.from_store), (vec![Status::Found], 1));
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn an_answer_is_stored_late_once_the_lock_is_gone() {
    let folder = Folder::new();
    let path = folder.file("a.db");
    let store = SqliteStore::open_within(&path, "loopback", Duration::from_millis(10)).unwrap();
    let pending = claim(&store, 0, 0, &[("ana".into(), Kind::Hit)]).unwrap();
    let hold = Hold::on(&path);
    let settled = vec![(email("ana"), Outcome::Hit(record("ana").into()))];
    let evidence = Evidence { at_ms: 1, left: true, credits: 1, ..Evidence::default() };
    assert!(wait(store.settle(pending.run, &[].into(), pending.request, settled, evidence)).is_err());
    assert_eq!(wait(store.settle_again(vec![pending.request])), []);
    drop(hold);
    assert_eq!(wait(store.settle_again(vec![pending.request])), [pending.request]);
    assert_eq!(store.info().unwrap().hits, 1);
}
