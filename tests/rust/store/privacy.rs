//! Finding people, and forgetting them.

use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::Reply;
use exactbuyer_core::store::{Claim, Terms};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Purged, SqliteStore, Target};

use crate::copies::{Kind, Pending, claim, settle};
use crate::fixture::*;
use crate::other::Other;

/// Mentions Ana in Bob's record.
fn gossip() -> Vendor {
    Vendor::new(|_, values| {
        let reply = found(values);
        let body = String::from_utf8_lossy(&reply.body)
            .replace("of bob@x.example", "of bob, friend of ANA@x.example,");
        Ok(Reply { body: body.into(), ..reply })
    })
}

#[test]
fn a_person_is_found_by_key_and_by_content() {
    let (folder, vendor) = (Folder::new(), gossip());
    once(&folder, settings(), &vendor, &["ana", "bob", "eve", "nobody"]);
    let store = folder.store();
    let found = store.find(&Target::Identifier(email("ana"))).unwrap();
    let who: Vec<_> = found.iter().map(|contact| (contact.identifier.canonical(), contact.status)).collect();
    assert_eq!(who, [("ana@x.example", "found"), ("bob@x.example", "found")]);
    assert_eq!(found[0].record.as_deref(), Some(record("ana@x.example").as_bytes()));
    let text = |text: &str| store.find(&Target::Text(text.into())).unwrap().len();
    assert_eq!((text("zoë of eve"), text("nobody"), text("mallory")), (1, 1, 0));
}

#[test]
fn a_purge_leaves_no_byte_and_bars_until_allowed() {
    let (folder, vendor) = (Folder::new(), gossip());
    let names: Vec<String> = (0..300)
        .map(|number| format!("p{number}"))
        .chain(["ana".into(), "bob".into(), "eve".into()])
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    once(&folder, settings(), &vendor, &names);
    assert!(holds(folder.path(), "ana@x.example"));
    let store = folder.store();
    let before = store.info().unwrap();
    let purged = store.purge(&email("ana")).unwrap();
    let expected =
        Purged { identifiers: 2, answers: 2, contacts: 2, credits: 2, cleaned: true, ..Purged::default() };
    assert_eq!(purged, expected);
    for text in ["ana@x.example", "ANA@x.example", "bob@x.example"] {
        assert!(!holds(folder.path(), text), "{text}");
    }
    assert!(holds(folder.path(), "eve@x.example"));
    let after = store.info().unwrap();
    assert_eq!((after.credits, after.requests, after.purged), (before.credits, before.requests, 2));
    assert_eq!(after.hits, before.hits - 2);

    let done = once(&folder, settings(), &vendor, &["ana", "eve", "p7"]);
    assert_eq!(done.statuses(), [Status::NotSent, Status::Found, Status::Found]);
    assert_eq!(vendor.asked().len(), 1);
    assert!(done.troubles.is_empty());
    assert!(store.allow(&email("ana")).unwrap());
    assert!(!store.allow(&email("ana")).unwrap());
    let done = once(&folder, settings(), &vendor, &["ana"]);
    assert_eq!(done.statuses(), [Status::Found]);
}

#[test]
fn what_is_old_is_purged_and_the_journal_stays() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    let store = folder.store();
    let at_ms = store.receipts(0).unwrap()[0].settled_ms.unwrap();
    assert_eq!(store.purge_before(at_ms).unwrap().answers, 0);
    let purged = store.purge_before(at_ms + 1).unwrap();
    assert_eq!((purged.answers, purged.contacts, purged.identifiers, purged.cleaned), (2, 1, 0, true));
    assert!(!holds(folder.path(), "x.example"));
    assert_eq!(store.receipts(0).unwrap()[0].hits, 1);
    assert_eq!(store.info().unwrap().credits, 1);
    assert!(exported(&store).is_empty());
    // It concerns answers, not people: they may be looked up again.
    let done = once(&folder, settings(), &vendor, &["ana", "nobody"]);
    assert_eq!((done.statuses(), done.receipt.credits), (vec![Status::Found, Status::NotFound], 1));
}

#[test]
fn a_broken_reply_is_kept_and_goes_with_whom_it_names() {
    let folder = Folder::new();
    let vendor = Vendor::new(|_, values| {
        let mut reply = found(values);
        reply.body = reply.body.slice(..reply.body.len() - 40);
        Ok(reply)
    });
    let store = folder.store();
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::Found, Status::Unknown]);
    let request = store.receipts(0).unwrap()[0].request;
    let kept = store.read_unread(request).unwrap().unwrap();
    assert!(kept.starts_with(br#"{"contacts":[{"enriched_contact":"#));
    assert_eq!(store.read_unread(request + 1).unwrap(), None);
    assert_eq!(store.purge(&email("ana")).unwrap().replies, 1);
    assert_eq!(store.read_unread(request).unwrap(), None);
    assert!(!holds(folder.path(), "ana@x.example"));
}

/// What is on file of Ana, who was purged: nothing, also not in what is said of Bob.
fn nothing_of_ana(folder: &Folder, store: &SqliteStore) {
    for text in ["ana@x.example", "ANA@x.example"] {
        assert!(!holds(folder.path(), text), "{text}");
    }
    for name in ["ana", "bob"] {
        assert_eq!(store.find(&Target::Identifier(email(name))).unwrap(), []);
    }
}

#[test]
fn a_contact_in_flight_is_not_stored_if_a_person_that_it_mentions_is_purged_meanwhile() {
    let folder = Folder::new();
    let store = folder.store();
    let (purging, gossip) = (store.clone(), gossip());
    let vendor = Vendor::new(move |number, values| {
        let purged = purging.purge(&email("ana")).unwrap();
        assert_eq!((purged.intents, number), (1, 1));
        gossip.says(values)
    });
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana", "bob", "eve"]), RunOptions::default());
    // It was paid for: the caller gets it.
    assert_eq!(done.statuses(), [Status::Found; 3]);
    assert!(done.records()[1].as_ref().unwrap().contains("ANA@x.example"));
    assert!(done.troubles.is_empty(), "{:?}", done.troubles);
    nothing_of_ana(&folder, &store);
    // And nobody pays for it a second time by accident.
    let again = once(&folder, settings(), &Vendor::honest(), &["ana", "bob", "eve"]);
    assert_eq!(again.statuses(), [Status::NotSent, Status::NotSent, Status::Found]);
    assert_eq!(store.info().unwrap().credits, 3);
}

#[test]
fn a_contact_that_mentions_a_purged_person_is_not_stored_until_they_are_allowed() {
    let (folder, vendor) = (Folder::new(), gossip());
    let store = folder.store();
    store.purge(&email("ana")).unwrap();
    let done = once(&folder, settings(), &vendor, &["bob", "eve"]);
    assert_eq!(done.statuses(), [Status::Found; 2]);
    nothing_of_ana(&folder, &store);
    assert!(holds(folder.path(), "eve@x.example"));
    assert_eq!(once(&folder, settings(), &vendor, &["bob"]).statuses(), [Status::NotSent]);
    assert!(store.allow(&email("ana")).unwrap() && store.allow(&email("bob")).unwrap());
    assert_eq!(once(&folder, settings(), &vendor, &["bob"]).statuses(), [Status::Found]);
    assert_eq!(store.find(&Target::Identifier(email("ana"))).unwrap().len(), 1);
}

#[test]
fn a_broken_reply_that_mentions_who_was_purged_is_not_kept() {
    let folder = Folder::new();
    let vendor = Vendor::new(|_, values| {
        let mut reply = gossip().says(values)?;
        reply.body = reply.body.slice(..reply.body.len() - 40);
        Ok(reply)
    });
    let store = folder.store();
    let is_kept = |names: &[&str]| {
        run(&engine(settings(), &vendor, &store), rows(names), RunOptions::default());
        let request = store.receipts(0).unwrap().last().unwrap().request;
        store.read_unread(request).unwrap().is_some()
    };
    store.purge(&email("ana")).unwrap();
    // Broken off in Bob's own contact, which says so all the same.
    assert!(!is_kept(&["eve", "bob"]));
    assert!(!holds(folder.path(), "ANA@x.example"));
}

#[test]
fn what_was_merely_old_may_come_in_with_others() {
    let (folder, vendor) = (Folder::new(), gossip());
    once(&folder, settings(), &vendor, &["ana"]);
    let store = folder.store();
    assert_eq!(store.purge_before(i64::MAX).unwrap().contacts, 1);
    once(&folder, settings(), &vendor, &["bob"]);
    assert_eq!(store.find(&Target::Identifier(email("ana"))).unwrap().len(), 1);
}

/// A lookup in doubt is asked for again, and its doubt is old enough to be purged meanwhile.
#[test]
fn a_purge_by_age_does_not_keep_out_the_answer_to_a_request_that_was_sent_since_then() {
    let folder = Folder::new();
    let store = folder.store();
    settle(&store, &claim(&store, 0, 0, &[("ana".into(), Kind::Unknown)]).unwrap());
    a_moment_passes();
    let at_ms = jiff::Timestamp::now().as_millisecond();
    a_moment_passes();
    let terms = Terms { resend: true, requests_per_minute: 200, ..Terms::default() };
    let (run, claimed) = claim_for_run(&store, terms, &["ana"]);
    let Claim::Granted { request, .. } = claimed else { panic!("{claimed:?}") };
    assert_eq!(store.purge_before(at_ms).unwrap().identifiers, 1, "it is barred");
    let lookups = vec![("ana".into(), Kind::Hit)];
    settle(&store, &Pending { run, request, lookups, number: 1, store: 0 });
    // It was paid for, and is newer than what was purged.
    let done = once(&folder, settings(), &Vendor::honest(), &["ana"]);
    assert_eq!((done.statuses(), done.receipt.from_store), (vec![Status::Found], 1));
    // A purge of the person is of any time.
    store.purge(&email("ana")).unwrap();
    assert_eq!(once(&folder, settings(), &Vendor::honest(), &["ana"]).statuses(), [Status::NotSent]);
}

#[test]
fn what_the_dead_had_under_way_is_as_old_as_when_it_was_sent() {
    let folder = Folder::new();
    let store = folder.store();
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    // The living have no answer yet, and whom they ask for is evidence of what it may cost.
    assert_eq!(store.purge_before(i64::MAX).unwrap(), Purged { cleaned: true, ..Purged::default() });
    let sent_ms = store.receipts(0).unwrap()[0].sent_ms;
    other.kill();
    let purged = store.purge_before(sent_ms + 1).unwrap();
    assert_eq!((purged.answers, purged.identifiers, purged.contacts), (2, 2, 0));
    assert!(!holds(folder.path(), "x.example"));
    assert_eq!(store.unknown().unwrap(), []);
    // What it may have cost stays on the books, and it is not sent again.
    assert_eq!(store.info().unwrap().credits_in_doubt, 2);
    let done = once(&folder, settings(), &Vendor::honest(), &["ana", "bob"]);
    assert_eq!(done.statuses(), [Status::NotSent; 2]);
}

#[test]
fn a_purge_does_not_wait_for_ever_for_who_reads() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    run(&engine(settings(), &vendor, &store), rows(&["ana", "bob"]), RunOptions::default());
    let reader = rusqlite::Connection::open(folder.file("a.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM request").unwrap();
    let purged = store.purge(&email("ana")).unwrap();
    assert_eq!((purged.answers, purged.cleaned), (1, false));
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.purge(&email("ana")).unwrap().cleaned);
    assert!(!holds(folder.path(), "ana@x.example"));
}

#[test]
fn a_purge_names_what_was_left_of_backups_to_any_name() {
    let folder = Folder::new();
    once(&folder, settings(), &Vendor::honest(), &["ana"]);
    let store = folder.store();
    let left = ["a.db.backup-1", "b.db.unfinished", "b.db.unfinished-journal"];
    for name in left {
        std::fs::write(folder.file(name), "ana@x.example").unwrap();
    }
    let purged = store.purge(&email("ana")).unwrap();
    let mut named = purged.leftovers;
    named.sort();
    assert_eq!(named, left.map(|name| store.path().with_file_name(name).display().to_string()));
}
