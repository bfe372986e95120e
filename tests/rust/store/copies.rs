//! Copies of one store that are used separately and merged again.

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::results::Status;
use exactbuyer_core::store::{
    Availability, Claim, Evidence, Outcome, RequestId, RequestOutcome, RunId, Store, Terms,
};
use exactbuyer_store::sqlite::{Interrupt, Merged, Resolution, SqliteStore, migrate};

use crate::fixture::*;

pub(crate) fn merge(into: &Folder, from: &Folder) -> Merged {
    into.store().merge(&from.file("a.db")).unwrap()
}

pub(crate) fn copy(from: &Folder) -> Folder {
    let to = Folder::new();
    copy_store(&from.file("a.db"), &to.file("a.db"));
    to
}

/// Credits and requests.
fn books(folder: &Folder) -> (u64, u64) {
    let info = folder.store().info().unwrap();
    (info.credits, info.requests)
}

#[test]
fn copies_that_were_both_used_merge_in_any_direction_and_nothing_is_paid_for_again() {
    let (a, vendor) = (Folder::new(), Vendor::honest());
    once(&a, settings(), &vendor, &["ana"]);
    let (ancestor, b) = (copy(&a), copy(&a));
    once(&a, settings(), &vendor, &["bob"]);
    once(&b, settings(), &vendor, &["eve"]);
    let everybody = ["ana", "bob", "eve"];
    let bought = vendor.asked().len();
    let third = Folder::new();
    let (a, b, ancestor) = (&a, &b, &ancestor);
    for into in [&third, ancestor, a, b] {
        for from in [a, b] {
            if !std::ptr::eq(into, from) {
                merge(into, from);
            }
        }
        assert_eq!(books(into), (3, 3));
        let again = if std::ptr::eq(into, ancestor) { a } else { ancestor };
        assert_eq!(merge(into, again).requests, 0, "merged again");
        let done = once(into, settings(), &vendor, &everybody);
        assert_eq!(done.statuses(), [Status::Found; 3]);
    }
    assert_eq!(vendor.asked().len(), bought, "nobody is bought again");
    let store = a.store();
    assert_eq!(store.merge(&a.file("a.db")).unwrap_err().kind(), ErrorKind::Config);
}

/// A request that waits for its answer.
pub(crate) struct Pending {
    pub(crate) run: RunId,
    pub(crate) request: RequestId,
    pub(crate) lookups: Vec<(String, Kind)>,
    pub(crate) number: usize,
    pub(crate) store: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Hit,
    Miss,
    Unknown,
}

/// Claims what of this is free, under a tag that tells the request from all others.
pub(crate) fn claim(
    store: &SqliteStore,
    at: usize,
    number: usize,
    wanted: &[(String, Kind)],
) -> Option<Pending> {
    let terms = Terms {
        requests_per_minute: 1_000_000,
        tags: [("number".into(), number.to_string().into())].into(),
        ..Terms::default()
    };
    let lookups: Vec<_> = wanted.iter().map(|(name, _)| email(name)).collect();
    let run = store.begin(terms);
    let claim = wait(store.claim(run, &[].into(), &lookups)).unwrap();
    let Claim::Granted { request, availability } = claim else { panic!("{claim:?}") };
    let free = |availability: &Availability| matches!(availability, Availability::Free | Availability::Again);
    let lookups: Vec<_> = wanted
        .iter()
        .zip(&availability)
        .filter(|(_, availability)| free(availability))
        .map(|(one, _)| one.clone())
        .collect();
    (!lookups.is_empty()).then_some(Pending { run, request, lookups, number, store: at })
}

pub(crate) fn settle(store: &SqliteStore, pending: &Pending) {
    let count = |kind| pending.lookups.iter().filter(|(_, of)| *of == kind).count() as u64;
    let evidence = Evidence {
        at_ms: jiff::Timestamp::now().as_millisecond(),
        outcome: if count(Kind::Unknown) > 0 { RequestOutcome::Unknown } else { RequestOutcome::Answered },
        left: true,
        credits: count(Kind::Hit),
        in_doubt: count(Kind::Unknown),
        ..Evidence::default()
    };
    let settled = pending.lookups.iter().map(|(name, kind)| {
        let known = match kind {
            Kind::Hit => Outcome::Hit(record(name).into()),
            Kind::Miss => Outcome::Miss,
            Kind::Unknown => Outcome::Unknown("lost".into()),
        };
        (email(name), known)
    });
    wait(store.settle(pending.run, &[].into(), pending.request, settled.collect(), evidence)).unwrap();
}

fn lookups(text: &str) -> Vec<(String, Kind)> {
    let kind = |name: &str| match name.chars().next() {
        Some('n') => Kind::Miss,
        Some('u') => Kind::Unknown,
        _ => Kind::Hit,
    };
    text.split(' ').map(|name| (name.to_owned(), kind(name))).collect()
}

#[test]
fn an_answer_that_came_after_the_copy_replaces_the_doubt_in_the_copy_for_good() {
    let (a, third) = (Folder::new(), Folder::new());
    let store = a.store();
    let pending = claim(&store, 0, 0, &lookups("ana nobody")).unwrap();
    let b = copy(&a);
    // The process that sent the request has not opened the copy, so the request is in doubt there.
    assert_eq!(b.store().unknown().unwrap().len(), 2);
    assert_eq!(store.merge(&b.file("a.db")).unwrap(), Merged { known: 1, ..Merged::default() });
    settle(&store, &pending);
    drop(store);
    merge(&third, &b);
    assert_eq!(third.store().unknown().unwrap().len(), 2);
    for (into, from) in [(&b, &a), (&a, &b), (&third, &b), (&third, &a), (&third, &b)] {
        merge(into, from);
    }
    for folder in [&a, &b, &third] {
        let store = folder.store();
        let info = store.info().unwrap();
        assert_eq!((info.requests, info.credits, info.credits_in_doubt), (1, 1, 0));
        assert_eq!((store.unknown().unwrap().len(), info.hits, info.misses), (0, 1, 1));
    }
}

#[test]
fn a_decision_about_a_doubt_reaches_each_copy() {
    let (a, vendor) = (Folder::new(), Vendor::honest());
    let store = a.store();
    settle(&store, &claim(&store, 0, 0, &lookups("uta uwe")).unwrap());
    drop(store);
    let (b, c) = (copy(&a), copy(&a));
    b.store().resolve_unknown(Resolution::Drop, None).unwrap();
    merge(&a, &b);
    let statuses = |folder| once(folder, settings(), &vendor, &["uta"]).statuses();
    assert_eq!((a.store().unknown().unwrap().len(), statuses(&a)), (0, vec![Status::NotSent]));
    c.store().resolve_unknown(Resolution::Resend, None).unwrap();
    merge(&a, &c);
    merge(&a, &b);
    assert_eq!(statuses(&a), [Status::Found]);
    assert_eq!(a.store().info().unwrap().credits_in_doubt, 2, "what they may have cost is still counted");
    // It was not charged, as somebody has found: in every copy, and however they are merged.
    assert_eq!(c.store().resolve_unknown(Resolution::NotCharged, None).unwrap().credits, 2);
    merge(&a, &c);
    merge(&b, &a);
    merge(&c, &b);
    for folder in [&a, &b, &c] {
        assert_eq!(folder.store().info().unwrap().credits_in_doubt, 0);
    }
}

#[test]
fn a_request_marked_as_not_charged_stays_so_when_another_copy_has_its_answer() {
    let (a, b) = (Folder::new(), Folder::new());
    let store = a.store();
    let pending = claim(&store, 0, 0, &lookups("uta uwe")).unwrap();
    // To the copy, the process that asked is dead.
    let left = copy(&a);
    assert_eq!(left.store().resolve_unknown(Resolution::NotCharged, None).unwrap().credits, 2);
    settle(&store, &pending);
    drop(store);
    merge(&b, &a);
    merge(&b, &left);
    merge(&left, &a);
    for folder in [&b, &left] {
        assert_eq!(folder.store().info().unwrap().credits_in_doubt, 0);
    }
}

#[test]
fn a_person_purged_from_a_copy_is_not_asked_for_after_the_merge() {
    let (a, vendor) = (Folder::new(), Vendor::honest());
    once(&a, settings(), &vendor, &["bob"]);
    let b = copy(&a);
    b.store().purge(&email("ana")).unwrap();
    assert_eq!(merge(&a, &b).purged_there, 0);
    assert_eq!(once(&a, settings(), &vendor, &["ana"]).statuses(), [Status::NotSent]);
}

#[test]
fn copies_made_before_an_upgrade_recognise_their_common_requests() {
    let (a, vendor, third) = (Folder::new(), Vendor::honest(), Folder::new());
    once(&a, settings(), &vendor, &["ana"]);
    merge(&third, &a);
    let b = copy(&a);
    once(&a, settings(), &vendor, &["bob"]);
    a_moment_passes();
    once(&b, settings(), &vendor, &["eve"]);
    for folder in [&a, &b, &third] {
        with_older_rules(&folder.file("a.db"));
    }
    for folder in [&a, &b, &third] {
        assert!(migrate(&folder.file("a.db"), &Interrupt::default()).unwrap().backup.is_some());
    }
    assert_eq!(merge(&third, &a), Merged { requests: 1, lookups: 1, known: 1, ..Merged::default() });
    assert_eq!(merge(&third, &b), Merged { requests: 1, lookups: 1, known: 1, ..Merged::default() });
    assert_eq!(merge(&a, &b), Merged { requests: 1, lookups: 1, known: 1, ..Merged::default() });
    assert_eq!((books(&third), books(&a)), ((3, 3), (3, 3)));
}
