//! Answers that cannot be stored when they come: none is given up.

use std::time::Duration;

use exactbuyer_core::results::Status;
use exactbuyer_core::store::{Evidence, Outcome, RequestOutcome, Store};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::SqliteStore;

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
