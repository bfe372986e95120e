//! Finding people, and forgetting them.

use exactbuyer::dispatch::RunOptions;
use exactbuyer::error::ErrorKind;
use exactbuyer::results::Status;
use exactbuyer::store::sqlite::{Purged, Target};
use exactbuyer::vendor::transport::Reply;

use crate::desk::*;

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
    let purged = store.purge(&Target::Identifier(email("ana"))).unwrap();
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
    assert_eq!(store.purge(&Target::Text("ana".into())).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn what_is_old_is_purged_and_the_journal_stays() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    let store = folder.store();
    let at_ms = store.receipts(0).unwrap()[0].settled_ms.unwrap();
    assert_eq!(store.purge(&Target::OlderThan(at_ms)).unwrap().answers, 0);
    let purged = store.purge(&Target::OlderThan(at_ms + 1)).unwrap();
    assert_eq!((purged.answers, purged.contacts, purged.identifiers, purged.cleaned), (2, 1, 2, true));
    assert!(!holds(folder.path(), "x.example"));
    assert_eq!(store.receipts(0).unwrap()[0].hits, 1);
    assert_eq!(store.info().unwrap().credits, 1);
    assert_eq!(store.export().count(), 0);
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
    assert_eq!(store.purge(&Target::Identifier(email("ana"))).unwrap().replies, 1);
    assert_eq!(store.read_unread(request).unwrap(), None);
    assert!(!holds(folder.path(), "ana@x.example"));
}
