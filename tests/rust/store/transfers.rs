//! People who were purged from one copy of a store, and what comes from the other copy.

use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Failure, Lost, Reply};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{SqliteStore, Target};

use crate::copies::{copy, merge};
use crate::fixture::*;

/// Puts this into Bob's record.
fn gossip(text: &'static str) -> Vendor {
    Vendor::new(move |_, values| {
        let reply = found(values);
        let body = String::from_utf8_lossy(&reply.body).replace("of bob@", &format!("{text}, bob@"));
        Ok(Reply { body: body.into(), ..reply })
    })
}

fn truncated() -> Vendor {
    Vendor::new(|_, values| {
        let reply = found(values);
        Ok(Reply { body: reply.body.slice(..reply.body.len() - 40), ..reply })
    })
}

fn is_kept(store: &SqliteStore) -> bool {
    let request = store.receipts(0).unwrap().last().unwrap().request;
    store.read_unread(request).unwrap().is_some()
}

#[test]
fn a_truncated_reply_is_not_kept_after_a_person_was_purged() {
    let folder = Folder::new();
    let store = folder.store();
    let ask = |name| {
        run(&engine(settings(), &truncated(), &store), rows(&[name]), RunOptions::default());
        is_kept(&store)
    };
    assert!(ask("ana"));
    assert_eq!(store.purge_before(i64::MAX).unwrap().replies, 1);
    assert!(ask("bob"), "a purge by age is not about people");
    store.purge(&email("zoe")).unwrap();
    assert!(!ask("eve"), "it may end in the middle of an identifier");
    store.allow(&email("zoe")).unwrap();
    assert!(ask("max"));
}

#[test]
fn a_truncated_reply_does_not_come_with_another_store_once_somebody_was_purged() {
    let (here, there) = (Folder::new(), Folder::new());
    once(&there, settings(), &truncated(), &["bob"]);
    let (store, third) = (here.store(), Folder::new());
    store.purge(&email("zoe")).unwrap();
    assert_eq!(store.merge(&there.file("a.db")).unwrap().requests, 1);
    assert!(!is_kept(&store));
    let third = third.store();
    assert_eq!(third.merge(&there.file("a.db")).unwrap().requests, 1);
    assert!(is_kept(&third));
}

#[test]
fn a_merge_erases_a_contact_that_the_other_copy_has_erased_however_it_mentions_the_person() {
    let a = Folder::new();
    once(&a, settings(), &gossip("call 555-0123"), &["bob", "eve"]);
    let b = copy(&a);
    let number = Identifier::from_canonical(FieldType::Phone, "+12015550123");
    assert_eq!(a.store().purge(&number).unwrap().contacts, 1);
    let store = b.store();
    assert!(store.merge(&a.file("a.db")).unwrap().cleaned);
    for text in ["555-0123", "bob@x.example"] {
        assert!(!holds(b.path(), text), "{text}");
    }
    assert!(holds(b.path(), "eve@x.example"));
    let vendor = Vendor::honest();
    let done = run(&engine(settings(), &vendor, &store), rows(&["bob", "eve"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::NotSent, Status::Found]);
    assert_eq!(store.info().unwrap().credits, 2, "what it had cost stays on the books");
}

#[test]
fn a_merge_erases_a_contact_of_one_copy_that_mentions_a_person_purged_from_the_other() {
    let a = Folder::new();
    once(&a, settings(), &Vendor::honest(), &["ana"]);
    let b = copy(&a);
    once(&b, settings(), &gossip("friend of ANA%40x.example"), &["bob", "eve"]);
    a.store().purge(&email("ana")).unwrap();
    assert!(b.store().merge(&a.file("a.db")).unwrap().cleaned);
    for text in ["ana@x.example", "ANA%40x.example", "bob@x.example"] {
        assert!(!holds(b.path(), text), "{text}");
    }
    assert!(holds(b.path(), "eve@x.example"));
}

#[test]
fn a_purge_by_age_erases_nothing_in_a_merge() {
    let (a, unrelated, vendor) = (Folder::new(), Folder::new(), Vendor::honest());
    once(&a, settings(), &vendor, &["ana", "bob"]);
    let b = copy(&a);
    let now = || jiff::Timestamp::now().as_millisecond();
    let limit = now() + 1;
    a_moment_passes();
    // Bought after the limit and before the purge.
    let refresh = RunOptions { refresh: true, ..RunOptions::default() };
    run(&engine(settings(), &vendor, &b.store()), rows(&["bob"]), refresh);
    once(&unrelated, settings(), &vendor, &["ana"]);
    assert_eq!(a.store().purge_before(limit).unwrap().answers, 2);
    let found = |store: &SqliteStore| {
        ["ana", "bob"].map(|name| store.find(&Target::Identifier(email(name))).unwrap().len())
    };
    b.store().merge(&a.file("a.db")).unwrap();
    assert_eq!(found(&b.store()), [1, 2]);
    // What was purged does not come back from a copy.
    a.store().merge(&b.file("a.db")).unwrap();
    assert_eq!(found(&a.store()), [0, 1]);
    a.store().merge(&unrelated.file("a.db")).unwrap();
    assert_eq!(found(&a.store()), [1, 1]);
}

#[test]
fn a_doubt_that_was_purged_by_age_is_not_sent_and_a_later_answer_is_merged() {
    let (a, b) = (Folder::new(), Folder::new());
    once(&a, settings(), &Vendor::new(|_, _| Err(Failure::Lost(Lost::Disconnected))), &["ana"]);
    let now = jiff::Timestamp::now().as_millisecond();
    let purged = a.store().purge_before(now + 1).unwrap();
    assert_eq!((purged.answers, purged.identifiers), (1, 1));
    assert_eq!(once(&a, settings(), &Vendor::honest(), &["ana"]).statuses(), [Status::NotSent]);
    a_moment_passes();
    once(&b, settings(), &Vendor::honest(), &["ana"]);
    a.store().merge(&b.file("a.db")).unwrap();
    assert_eq!(once(&a, settings(), &Vendor::honest(), &["ana"]).receipt.from_store, 1);
}

#[test]
fn a_merge_that_was_killed_before_it_erased_people_is_completed_by_the_next() {
    let a = Folder::new();
    once(&a, settings(), &gossip("friend of ANA@x.example"), &["ana", "bob", "eve"]);
    let (b, unrelated) = (copy(&a), Folder::new());
    a.store().purge(&email("ana")).unwrap();
    once(&unrelated, settings(), &Vendor::honest(), &["zoe"]);
    // As a process leaves the file that is killed after the commit that bars people.
    let connection = rusqlite::Connection::open(b.file("a.db")).unwrap();
    connection.execute("ATTACH ?1 AS other", [a.file("a.db").to_str().unwrap()]).unwrap();
    let bar = "INSERT INTO barred SELECT * FROM other.barred; INSERT INTO meta VALUES ('to_erase', 1)";
    connection.execute_batch(bar).unwrap();
    drop(connection);
    let is_there = || ["ana@x.example", "ANA@x.example"].iter().any(|text| holds(b.path(), text));
    assert!(is_there());
    // Whichever store is merged next.
    assert!(b.store().merge(&unrelated.file("a.db")).unwrap().cleaned);
    assert!(!is_there());
}

#[test]
fn a_merge_reports_whether_the_log_was_emptied_and_the_next_merge_empties_it() {
    let a = Folder::new();
    once(&a, settings(), &Vendor::honest(), &["ana", "bob"]);
    let b = copy(&a);
    a.store().purge(&email("ana")).unwrap();
    let store = b.store();
    let reader = rusqlite::Connection::open(b.file("a.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM request").unwrap();
    assert!(!store.merge(&a.file("a.db")).unwrap().cleaned);
    reader.execute_batch("COMMIT").unwrap();
    assert!(holds(b.path(), "ana@x.example"));
    assert!(store.merge(&a.file("a.db")).unwrap().cleaned);
    assert!(!holds(b.path(), "ana@x.example"));
    assert!(store.merge(&a.file("a.db")).unwrap().cleaned);
}

/// Merges these stores into each other, twice, in this order.
fn merge_all(stores: &[Folder; 3], order: [usize; 3]) {
    let [a, b, c] = order;
    for (into, from) in [(a, b), (a, c), (b, a), (c, a), (b, c), (c, b)].repeat(2) {
        merge(&stores[into], &stores[from]);
    }
}

#[test]
fn the_later_of_a_purge_and_an_allow_counts_in_every_order_of_merges() {
    let ana = email("ana");
    let vendor = Vendor::honest();
    let before = Folder::new();
    once(&before, settings(), &vendor, &["ana", "bob"]);
    let purged = copy(&before);
    purged.store().purge(&ana).unwrap();
    let allowed = copy(&purged);
    assert!(allowed.store().allow(&email("ana")).unwrap());
    once(&allowed, settings(), &vendor, &["ana"]);
    let purged_again = copy(&purged);
    a_moment_passes();
    purged_again.store().purge(&ana).unwrap();
    let bought = vendor.asked().len();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let stores = [&before, &purged, &allowed].map(copy);
        merge_all(&stores, order);
        for folder in &stores {
            assert_ne!(folder.store().find(&Target::Identifier(ana.clone())).unwrap(), [], "{order:?}");
            let done = once(folder, settings(), &vendor, &["ana", "bob"]);
            assert_eq!(done.statuses(), [Status::Found, Status::Found], "{order:?}");
        }
        // The later purge reached a store that had been purged already.
        let stores = [&before, &purged_again, &allowed].map(copy);
        merge_all(&stores, order);
        for folder in &stores {
            assert!(!holds(folder.path(), "ana@x.example"), "{order:?}");
            let done = once(folder, settings(), &vendor, &["ana", "bob"]);
            assert_eq!(done.statuses(), [Status::NotSent, Status::Found], "{order:?}");
        }
    }
    assert_eq!(vendor.asked().len(), bought, "nobody is bought again");
}

#[test]
fn an_allow_counts_in_a_copy_that_was_not_purged_yet() {
    let (a, vendor) = (Folder::new(), Vendor::honest());
    once(&a, settings(), &vendor, &["ana"]);
    let b = copy(&a);
    a.store().purge(&email("ana")).unwrap();
    a_moment_passes();
    assert!(!b.store().allow(&email("ana")).unwrap(), "it was not barred there");
    merge(&b, &a);
    let done = once(&b, settings(), &vendor, &["ana"]);
    assert_eq!((done.statuses(), vendor.asked().len()), (vec![Status::Found], 1));
}
