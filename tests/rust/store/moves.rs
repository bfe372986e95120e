//! Into other files, and out of older ones.

use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::identifier::{FieldType, Identifier, Rules, identify};
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Failure, Lost, Reply};
use exactbuyer_core::store::{Claim, Evidence, Outcome, RequestOutcome, Store, Terms};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Interrupt, Merged, Migrated, SqliteStore, Target, migrate};

use crate::fixture::*;
use crate::other::Other;

#[test]
fn every_answer_is_a_line_of_json() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    let lines = exported(&folder.store());
    assert_eq!(lines.len(), 2);
    let ana: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&ana["value"], &ana["status"]), (&"ana@x.example".into(), &"found".into()));
    assert_eq!(ana["field_type"], "email");
    assert!(lines[0].contains(&record("ana@x.example")), "byte for byte");
    assert!(ana["fetched_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let nobody: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(
        (&nobody["status"], &nobody["enriched_contact"]),
        (&"not_found".into(), &serde_json::Value::Null)
    );
}

#[test]
fn what_another_store_has_paid_for_is_not_paid_for_again() {
    let (here, there) = (Folder::new(), Folder::new());
    let vendor = Vendor::new(|number, values| match number {
        2 => Err(Failure::Lost(Lost::Disconnected)),
        _ => Ok(found(values)),
    });
    once(&there, settings(), &vendor, &["ana", "nobody"]);
    once(&there, settings(), &vendor, &["eve"]);
    once(&here, settings(), &vendor, &["bob"]);
    let store = here.store();
    let other = there.path().join("a.db");
    let merged = store.merge(&other).unwrap();
    assert_eq!(merged, Merged { requests: 2, lookups: 3, ..Merged::default() });
    let again = store.merge(&other).unwrap();
    assert_eq!(again, Merged { known: 2, ..Merged::default() });
    let done = once(&here, settings(), &vendor, &["ana", "nobody", "bob", "eve"]);
    assert_eq!(done.statuses(), [Status::Found, Status::NotFound, Status::Found, Status::Unknown]);
    assert_eq!(done.records()[0].as_deref(), Some(&*record("ana@x.example")));
    assert_eq!(vendor.asked().len(), 3);
    let info = store.info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt, info.requests), (2, 1, 3));
    assert_eq!(store.unknown().unwrap()[0].identifier, email("eve"));
    assert_eq!(store.merge(&here.path().join("a.db")).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(store.merge(&here.path().join("none.db")).unwrap_err().kind(), ErrorKind::Store);
}

#[test]
fn what_comes_by_way_of_another_store_is_known_again() {
    let (a, b, c, vendor) = (Folder::new(), Folder::new(), Folder::new(), Vendor::honest());
    for (folder, name) in [(&a, "ana"), (&b, "bob"), (&c, "carla")] {
        once(folder, settings(), &vendor, &[name]);
    }
    let merge = |into: &Folder, from: &Folder| into.store().merge(&from.file("a.db")).unwrap();
    let books = |folder: &Folder| {
        let info = folder.store().info().unwrap();
        (info.credits, info.requests)
    };
    assert_eq!(merge(&b, &a).requests, 1);
    // There and back again.
    assert_eq!(merge(&a, &b), Merged { requests: 1, lookups: 1, known: 1, ..Merged::default() });
    assert_eq!((books(&a), books(&b)), ((2, 2), (2, 2)));
    // The same by two ways, and on from there.
    assert_eq!(merge(&c, &a).requests, 2);
    assert_eq!(merge(&c, &b), Merged { known: 2, ..Merged::default() });
    assert_eq!(merge(&a, &c), Merged { requests: 1, lookups: 1, known: 2, ..Merged::default() });
    assert_eq!((books(&a), books(&c)), ((3, 3), (3, 3)));
}

#[test]
fn who_was_purged_here_does_not_come_back_with_another_store() {
    let (here, there, vendor) = (Folder::new(), Folder::new(), Vendor::honest());
    once(&there, settings(), &vendor, &["ana", "bob"]);
    let store = here.store();
    store.purge(&email("ana")).unwrap();
    assert_eq!(store.merge(&there.path().join("a.db")).unwrap().lookups, 1);
    assert_eq!(store.find(&Target::Identifier(email("ana"))).unwrap(), []);
    assert_eq!(store.find(&Target::Identifier(email("bob"))).unwrap().len(), 1);
}

#[test]
fn who_was_purged_here_does_not_come_back_though_the_other_index_has_lost_them() {
    let (here, there, vendor) = (Folder::new(), Folder::new(), Vendor::honest());
    once(&there, settings(), &vendor, &["ana", "bob"]);
    tamper(&there, "DELETE FROM tail; DELETE FROM answer");
    let store = here.store();
    store.purge(&email("ana")).unwrap();
    store.merge(&there.path().join("a.db")).unwrap();
    assert_eq!(store.find(&Target::Identifier(email("ana"))).unwrap(), []);
    assert_eq!(store.find(&Target::Identifier(email("bob"))).unwrap().len(), 1);
}

#[test]
fn who_was_purged_here_does_not_come_with_what_another_store_says_of_others() {
    let (here, there) = (Folder::new(), Folder::new());
    let vendor = Vendor::new(|_, values| {
        let reply = found(values);
        let body = String::from_utf8_lossy(&reply.body).replace("of bob@", "of ana@x.example and bob@");
        Ok(Reply { body: body.into(), ..reply })
    });
    once(&there, settings(), &vendor, &["bob", "eve"]);
    let store = here.store();
    store.purge(&email("ana")).unwrap();
    assert_eq!(store.merge(&there.file("a.db")).unwrap().lookups, 1);
    assert!(!holds(here.path(), "ana@x.example"));
    // Paid for, and not kept: nobody is to pay for it again by accident.
    let done = once(&here, settings(), &vendor, &["bob", "eve"]);
    assert_eq!(done.statuses(), [Status::NotSent, Status::Found]);
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn a_request_that_is_in_flight_during_a_merge_is_reported_and_comes_with_the_next_merge() {
    let (here, there) = (Folder::new(), Folder::new());
    once(&there, settings(), &Vendor::honest(), &["ana"]);
    let (store, other) = (here.store(), there.store());
    let (run, claim) = claim_freely(&other, &["bob"]);
    let Claim::Granted { request, .. } = claim else { panic!("{claim:?}") };
    let merged = store.merge(other.path()).unwrap();
    assert_eq!((merged.requests, merged.under_way), (1, 1));
    let evidence =
        Evidence { at_ms: 1, outcome: RequestOutcome::Answered, left: true, ..Evidence::default() };
    let known = vec![(email("bob"), Outcome::Miss)];
    wait(other.settle(run, &[].into(), request, known, evidence)).unwrap();
    let merged = store.merge(other.path()).unwrap();
    assert_eq!(merged, Merged { requests: 1, lookups: 1, known: 1, ..Merged::default() });
}

#[test]
fn a_merge_while_both_stores_grow_loses_nothing_and_takes_nothing_twice() {
    const EACH: u64 = 150;
    let (here, there) = (Folder::new(), Folder::new());
    let (mut giving, mut taking) = (Other::start(&there, "many 150"), Other::start(&here, "more 150"));
    giving.says("ready");
    taking.says("ready");
    let store = here.store();
    let other = there.file("a.db");
    let (mut merged, mut rounds) = (Merged::default(), 0);
    loop {
        let over = giving.is_over() && taking.is_over();
        let some = store.merge(&other).unwrap();
        merged.requests += some.requests;
        merged.lookups += some.lookups;
        rounds += 1;
        if over {
            assert_eq!((some.requests + some.known, some.under_way), (EACH, 0), "after {rounds} merges");
            break;
        }
    }
    giving.ends();
    taking.ends();
    assert_eq!((merged.requests, merged.lookups), (EACH, EACH));
    let info = store.info().unwrap();
    assert_eq!((info.requests, info.hits, info.credits), (2 * EACH, 2 * EACH, 2 * EACH));
    assert_eq!(exported(&store).len() as u64, 2 * EACH);
}

/// Writes into the file of a store that nobody has open.
#[test]
fn a_newer_file_is_refused_and_an_older_one_wants_to_be_migrated() {
    let folder = Folder::new();
    drop(folder.store());
    let path = folder.path().join("a.db");
    let refused = |sql: &str| {
        tamper(&folder, sql);
        let error = SqliteStore::open(&path, "loopback").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store);
        error.to_string()
    };
    assert!(refused("UPDATE meta SET value = 99 WHERE name = 'schema_version'").contains("newer version"));
    assert!(migrate(&path, &Interrupt::default()).unwrap_err().to_string().contains("newer version"));
    assert!(
        refused("UPDATE meta SET value = 6 WHERE name = 'schema_version'").contains("development version")
    );
    assert!(migrate(&path, &Interrupt::default()).unwrap_err().to_string().contains("development version"));
    assert!(refused("DELETE FROM meta WHERE name = 'schema_version'").contains("damaged"));
    assert!(
        refused("INSERT INTO meta VALUES ('schema_version', 7); UPDATE meta SET value = 99 WHERE name = 'rules_version'")
            .contains("newer")
    );
    assert!(refused("UPDATE meta SET value = 0 WHERE name = 'rules_version'").contains("store migrate"));
    assert!(migrate(&path, &Interrupt::default()).unwrap().backup.is_some());
    drop(folder.store());
    assert_eq!(migrate(&path, &Interrupt::default()).unwrap(), Migrated::default());
    assert_eq!(
        migrate(&folder.path().join("none.db"), &Interrupt::default()).unwrap_err().kind(),
        ErrorKind::Store
    );
}

#[test]
fn what_was_paid_for_under_old_rules_is_found_under_new_ones() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    // As rules that did not fold case would have had it: two identifiers where today there is one.
    let old = |text: &str| Row::One(Identifier::from_canonical(FieldType::Email, text));
    let asked = ["nobody@x.example", "Ana@x.example", "Bob@X.example", "bob@x.example", "eve@x.example"];
    let store = folder.store();
    run(&engine(settings(), &vendor, &store), asked.map(old).to_vec(), RunOptions::default());
    drop(store);
    tamper(&folder, "UPDATE meta SET value = 0 WHERE name = 'rules_version'");
    let open = folder.path().join("a.db");
    let migrated = migrate(&open, &Interrupt::default()).unwrap();
    assert_eq!((migrated.rekeyed, migrated.merged), (2, 1));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(migrated.backup.unwrap()).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let done = once(&folder, settings(), &vendor, &["ana", "bob", "eve", "nobody"]);
    assert_eq!(done.receipt.from_store, 4);
    assert_eq!(vendor.asked().len(), 1);
    assert_eq!(exported(&folder.store()).len(), 5, "both of what became one");
}

/// For every kind of canonical form that the versions 2 and 4 of the rules changed, an answer that was paid for under
/// the old form answers a row of today.
#[test]
fn no_answer_of_older_rules_is_orphaned() {
    const CHANGED: [(FieldType, &str, &str); 19] = [
        (FieldType::Email, "'leo@firm.example", "'leo@firm.example"),
        (FieldType::Email, "{leo.b@firm.example", "{leo.b@firm.example}"),
        (FieldType::SocialProfile, "x.com/ana_a", "https://x.com/Ana_A"),
        (FieldType::SocialProfile, "twitter.com/@ana_b", "https://twitter.com/@ana_b"),
        (FieldType::SocialProfile, "fb.com/ana.c", "https://fb.com/ana.c"),
        (FieldType::SocialProfile, "facebook.com/people/ana/100013648514234", "facebook.com/100013648514234"),
        (FieldType::SocialProfile, "linkedin.com/pub/ana/1/2a/3b4/de", "linkedin.com/pub/ana/1/2a/3b4"),
        (FieldType::SocialProfile, "linkedin.com/comm/in/ana-d", "linkedin.com/comm/in/ana-d?x=y"),
        (FieldType::SocialProfile, "linkedin.com/m/in/ana-e", "https://www.linkedin.com/in/ana-e"),
        (FieldType::SocialProfile, "linkedin.com/in/ana-f&trk=x", "https://www.linkedin.com/in/ana-f&trk=x"),
        (FieldType::SocialProfile, "linkedin.cn/in/ana-g", "linkedin.cn/in/ana-g"),
        (FieldType::SocialProfile, "angel.co/u/ana", "https://angel.co/u/ana"),
        (FieldType::SocialProfile, "threads.com/@ana", "https://www.threads.com/@ana"),
        (FieldType::SocialProfile, "instagram.com/ana.h/tagged", "https://www.instagram.com/ana.h/"),
        (FieldType::Email, "’leo.c’@firm.example", "leo.c@firm.example"),
        (FieldType::SocialProfile, "ana.medium.com", "https://medium.com/@ana"),
        (FieldType::SocialProfile, "ana.tumblr.com", "https://www.tumblr.com/ana"),
        (FieldType::SocialProfile, "ana.deviantart.com", "https://www.deviantart.com/ana"),
        (FieldType::SocialProfile, "linkedin.com/in/ana%E2%80%91i", "linkedin.com/in/ana-i"),
    ];
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let old = CHANGED.map(|(kind, old, _)| Row::One(Identifier::from_canonical(kind, old))).to_vec();
    // Refused today, but it was paid for: the answer stays, and is exported.
    let company = Identifier::from_canonical(FieldType::SocialProfile, "linkedin.com/company/acme");
    let rows = old.into_iter().chain([Row::One(company)]).collect();
    run(&engine(settings(), &vendor, &folder.store()), rows, RunOptions::default());
    tamper(&folder, "UPDATE meta SET value = 1 WHERE name = 'rules_version'");
    let migrated = migrate(&folder.path().join("a.db"), &Interrupt::default()).unwrap();
    assert_eq!((migrated.rekeyed, migrated.merged), (CHANGED.len() as u64, 0));
    let today =
        CHANGED.map(|(kind, _, text)| Row::One(identify(text, Some(kind), &Rules::default()).unwrap()));
    let done = run(&engine(settings(), &vendor, &folder.store()), today.to_vec(), RunOptions::default());
    assert_eq!(done.receipt.from_store, CHANGED.len() as u64);
    assert_eq!(exported(&folder.store()).len(), CHANGED.len() + 1);
}

#[test]
fn a_store_in_use_is_not_migrated() {
    let folder = Folder::new();
    let store = folder.store();
    assert!(
        migrate(&folder.path().join("a.db"), &Interrupt::default())
            .unwrap_err()
            .to_string()
            .contains("close it")
    );
    drop(store);
}

/// As a newer version of this package, in another process, does it.
fn migrate_elsewhere(folder: &Folder) {
    tamper(folder, "UPDATE meta SET value = value + 1 WHERE name = 'rules_version'");
}

#[test]
fn a_process_that_has_the_store_open_while_it_is_migrated_sends_and_finds_nothing_more() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana"]);
    let store = folder.store();
    let engine = engine(settings(), &vendor, &store);
    // Answered from the store: other processes do not notice this one.
    assert_eq!(run(&engine, rows(&["ana"]), RunOptions::default()).receipt.from_store, 1);
    migrate_elsewhere(&folder);
    let newer = |error: exactbuyer_core::error::Error| {
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("newer version"), "{error}");
    };
    newer(store.find(&Target::Identifier(email("ana"))).unwrap_err());
    newer(store.peek(&Terms::default(), &[], &[&email("ana")]).unwrap_err());
    newer(wait(store.claim(store.begin(Terms::default()), &[].into(), &[email("bob")])).unwrap_err());
    let done = run(&engine, rows(&["ana", "bob"]), RunOptions::default());
    assert_eq!(done.statuses(), [Status::NotSent; 2]);
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn a_run_that_waits_for_another_process_is_told_that_the_store_was_migrated() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let waiting = Background::start(&vendor, &folder.store(), &["eve", "ana"]);
    migrate_elsewhere(&folder);
    let done = waiting.end();
    assert_eq!(done.statuses()[1], Status::NotSent);
    assert!(done.troubles[0].to_string().contains("newer version"), "{:?}", done.troubles);
    other.kill();
}
