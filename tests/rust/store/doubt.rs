//! What is in doubt is named, and never sent again unasked.

use exactbuyer_core::config::{Config, OnUnknown};
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Cut, Failure, Lost, Reply};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Resolution, Resolved, Target};

use crate::fixture::*;

/// Loses the first request, and answers the others.
fn forgetful() -> Vendor {
    Vendor::new(|number, values| match number {
        1 => Err(Failure::Lost(Lost::Disconnected)),
        _ => Ok(found(values)),
    })
}

#[test]
fn a_doubt_is_inherited_told_and_not_raised_again() {
    let (folder, vendor) = (Folder::new(), forgetful());
    let first = once(&folder, settings(), &vendor, &["ana", "bob"]);
    assert_eq!(first.statuses(), [Status::Unknown; 2]);
    assert_eq!(first.troubles[0].kind(), ErrorKind::UnknownOutcome);
    assert_eq!(first.receipt.inherited.rows, 0);
    let again = once(&folder, settings(), &vendor, &["ana", "eve", "bob", "ana"]);
    assert_eq!(again.statuses(), [Status::Unknown, Status::Found, Status::Unknown, Status::Unknown]);
    assert!(again.troubles.is_empty(), "{:?}", again.troubles);
    let inherited = again.receipt.inherited;
    assert_eq!((inherited.lookups, inherited.rows, inherited.credits), (2, 3, 2));
    assert!(inherited.since_ms.is_some());
    assert_eq!(again.receipt.credits_in_doubt, 0);
    assert_eq!(vendor.asked()[1..], [["eve@x.example"]]);
    let doubts = folder.store().unknown().unwrap();
    assert_eq!(doubts.len(), 2);
    assert_eq!((&doubts[0].identifier, doubts[0].credits), (&email("ana"), 1));
    assert!(doubts[0].reason.contains("dropped before an answer"), "{}", doubts[0].reason);
}

#[test]
fn a_run_that_is_told_to_resends_what_it_inherits() {
    let (folder, vendor) = (Folder::new(), forgetful());
    once(&folder, settings(), &vendor, &["ana"]);
    let resend = Config { on_unknown: OnUnknown::Resend, ..settings() };
    let done = once(&folder, resend, &vendor, &["ana"]);
    assert_eq!(done.statuses(), [Status::Found]);
    let store = folder.store();
    assert_eq!(store.unknown().unwrap(), []);
    // It stays on the books.
    assert_eq!(store.info().unwrap().credits_in_doubt, 1);
    assert_eq!(store.info().unwrap().credits, 1);
}

#[test]
fn somebody_decides_and_the_doubt_stays_on_the_books() {
    let (folder, vendor) = (Folder::new(), forgetful());
    once(&folder, settings(), &vendor, &["ana", "bob"]);
    let store = folder.store();
    let resolved = store.resolve_unknown(Resolution::Resend, None).unwrap();
    assert_eq!(resolved, Resolved { lookups: 2, credits: 2 });
    assert_eq!(store.resolve_unknown(Resolution::Resend, None).unwrap(), Resolved::default());
    let done = once(&folder, settings(), &vendor, &["ana", "bob"]);
    assert_eq!(done.statuses(), [Status::Found; 2]);
    let info = store.info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt, info.unknown), (2, 2, 0));
}

#[test]
fn what_was_not_charged_counts_no_more() {
    let (folder, vendor) = (Folder::new(), forgetful());
    let limited = || Config { max_credits: Some(2), ..settings() };
    once(&folder, limited(), &vendor, &["ana", "bob"]);
    let store = folder.store();
    // One is decided first: its credits count until it is known that they were not charged.
    store.resolve_unknown(Resolution::Resend, None).unwrap();
    let full = once(&folder, limited(), &vendor, &["ana", "bob"]);
    assert_eq!(full.receipt.stopped_error, Some(ErrorKind::BudgetExceeded));
    let resolved = store.resolve_unknown(Resolution::NotCharged, None).unwrap();
    assert_eq!(resolved, Resolved { lookups: 0, credits: 2 });
    let done = once(&folder, limited(), &vendor, &["ana", "bob"]);
    assert_eq!(done.statuses(), [Status::Found; 2]);
    let info = store.info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt, info.unknown), (2, 0, 0));
}

#[test]
fn what_was_dropped_is_left_alone() {
    let (folder, vendor) = (Folder::new(), forgetful());
    once(&folder, settings(), &vendor, &["ana"]);
    folder.store().resolve_unknown(Resolution::Drop, None).unwrap();
    let done = once(&folder, settings(), &vendor, &["ana"]);
    assert_eq!(done.statuses(), [Status::NotSent]);
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn a_request_that_ends_without_a_word_is_in_doubt_and_holds_nobody_up() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| match number {
        1 => panic!("a bug of somebody's"),
        _ => Ok(found(values)),
    });
    let done = once(&folder, settings(), &vendor, &["ana"]);
    assert_eq!(done.statuses(), [Status::Unknown]);
    assert_eq!(done.receipt.credits_in_doubt, 1);
    let again = once(&folder, settings(), &vendor, &["ana", "bob"]);
    assert_eq!(again.statuses(), [Status::Unknown, Status::Found]);
    assert_eq!(again.receipt.inherited.lookups, 1);
}

#[test]
fn a_doubt_that_was_resent_in_vain_is_a_doubt_still() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| match number {
        1 => Err(Failure::Lost(Lost::Disconnected)),
        2 => Ok(status(403)),
        _ => Ok(found(values)),
    });
    once(&folder, settings(), &vendor, &["ana"]);
    let resend = Config { on_unknown: OnUnknown::Resend, ..settings() };
    once(&folder, resend, &vendor, &["ana"]);
    assert_eq!(vendor.asked().len(), 2);
    assert_eq!(folder.store().unknown().unwrap().len(), 1);
    let done = once(&folder, settings(), &vendor, &["ana"]);
    assert_eq!((done.statuses(), vendor.asked().len()), (vec![Status::Unknown], 2));
}

#[test]
fn who_resends_one_lookup_leaves_the_doubt_about_another_alone() {
    let (folder, vendor) = (Folder::new(), forgetful());
    let fields = |field: &str| Some([field.into()].into());
    let store = folder.store();
    let ask = |config, field| {
        let options = RunOptions { required_fields: fields(field), ..RunOptions::default() };
        run(&engine(config, &vendor, &store), rows(&["ana"]), options).statuses()
    };
    assert_eq!(ask(settings(), "mobile"), [Status::Unknown]);
    let resend = Config { on_unknown: OnUnknown::Resend, ..settings() };
    assert_eq!(ask(resend, "work_email"), [Status::Found]);
    assert_eq!(ask(settings(), "mobile"), [Status::Unknown]);
    assert_eq!(vendor.asked().len(), 2);
}

#[test]
fn what_comes_out_of_a_broken_compression_is_kept_and_not_believed() {
    let folder = Folder::new();
    let vendor = Vendor::new(|_, values| Ok(Reply { cut: Some(Cut::Garbled), ..found(values) }));
    let done = once(&folder, settings(), &vendor, &["ana", "nobody"]);
    assert_eq!(done.statuses(), [Status::Unknown; 2]);
    assert_eq!((done.receipt.credits, done.receipt.credits_in_doubt), (0, 2));
    let store = folder.store();
    assert_eq!(store.find(&Target::Identifier(email("ana"))).unwrap()[0].record, None);
    let kept = store.read_unread(1).unwrap().unwrap();
    assert!(String::from_utf8(kept.to_vec()).unwrap().contains(&record("ana@x.example")));
}
