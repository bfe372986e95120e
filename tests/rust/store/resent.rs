//! What was in doubt, is sent again, and is lost again as its process dies: it is in doubt once more,
//! and what both may have cost is on the books.

use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Failure, Lost};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Resolution, SqliteStore};

use crate::fixture::*;
use crate::other::Other;

/// Puts Ana and Bob in doubt.
fn in_doubt(folder: &Folder) {
    let vendor = Vendor::new(|_, _| Err(Failure::Lost(Lost::Disconnected)));
    once(folder, settings(), &vendor, &["ana", "bob"]);
    assert_eq!(books(&folder.store()), (2, 2));
}

/// Lookups in doubt, and credits that they may have cost.
fn books(store: &SqliteStore) -> (usize, u64) {
    let doubts = store.unknown().unwrap();
    let info = store.info().unwrap();
    assert_eq!((info.unknown, info.under_way, info.credits), (doubts.len() as u64, 0, 0));
    (doubts.len(), info.credits_in_doubt)
}

/// A process sends both again, and dies before the answer comes.
fn sent_again_and_killed(folder: &Folder, part: &str) {
    let mut other = Other::start(folder, part);
    other.says("asked");
    other.kill();
}

/// Nothing of it is sent unasked, nothing is forgotten.
fn is_held(folder: &Folder) {
    let vendor = Vendor::honest();
    let done = once(folder, settings(), &vendor, &["ana", "bob"]);
    assert_eq!((done.statuses(), vendor.asked().len()), (vec![Status::Unknown; 2], 0));
    assert_eq!((done.receipt.inherited.lookups, done.receipt.inherited.credits), (2, 2));
}

#[test]
fn what_somebody_decided_to_resend_is_in_doubt_again() {
    let folder = Folder::new();
    in_doubt(&folder);
    folder.store().resolve_unknown(Resolution::Resend, None).unwrap();
    assert_eq!(books(&folder.store()), (0, 2));
    sent_again_and_killed(&folder, "silent");
    assert_eq!(books(&folder.store()), (2, 4));
    is_held(&folder);
    // And so on, as often as somebody dares.
    folder.store().resolve_unknown(Resolution::Resend, None).unwrap();
    sent_again_and_killed(&folder, "silent");
    assert_eq!(books(&folder.store()), (2, 6));
    is_held(&folder);
}

#[test]
fn an_automatic_resend_that_is_lost_leaves_one_doubt_and_counts_twice() {
    let folder = Folder::new();
    in_doubt(&folder);
    sent_again_and_killed(&folder, "resend");
    let store = folder.store();
    assert_eq!(books(&store), (2, 4));
    let doubts = store.unknown().unwrap();
    assert!(doubts.iter().all(|doubt| doubt.reason.contains("ended before the answer came")), "{doubts:?}");
    drop(store);
    is_held(&folder);
    // It is resolved as a whole: the doubt before it does not come back.
    let store = folder.store();
    assert_eq!(store.resolve_unknown(Resolution::Drop, None).unwrap().lookups, 2);
    assert_eq!(books(&store), (0, 4));
    drop(store);
    let done = once(&folder, settings(), &Vendor::honest(), &["ana", "bob"]);
    assert_eq!(done.statuses(), [Status::NotSent; 2]);
}

#[test]
fn what_was_dropped_and_allowed_again_is_in_doubt_again() {
    let folder = Folder::new();
    in_doubt(&folder);
    let store = folder.store();
    store.resolve_unknown(Resolution::Drop, None).unwrap();
    assert!(store.allow(&email("ana")).unwrap() && store.allow(&email("bob")).unwrap());
    drop(store);
    sent_again_and_killed(&folder, "silent");
    assert_eq!(books(&folder.store()), (2, 4));
    is_held(&folder);
}

#[test]
fn an_answer_to_what_was_resent_ends_all_doubts_about_it_but_those_of_the_books() {
    let folder = Folder::new();
    in_doubt(&folder);
    sent_again_and_killed(&folder, "resend");
    let store = folder.store();
    store.resolve_unknown(Resolution::Resend, None).unwrap();
    let vendor = Vendor::honest();
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!((done.statuses(), vendor.asked().len()), (vec![Status::Found; 2], 1));
    assert_eq!(store.unknown().unwrap(), []);
    let info = store.info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt, info.unknown), (2, 4, 0));
}
