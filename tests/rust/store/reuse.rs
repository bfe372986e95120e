//! What was answered once is answered from the file.

use std::time::Duration;

use exactbuyer_core::config::Config;
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::plan::{Preference, Row};
use exactbuyer_core::results::{Source, Status};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::SqliteStore;

use crate::fixture::*;

#[test]
fn the_same_call_again_costs_nothing_and_brings_the_same_bytes() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let first = once(&folder, settings(), &vendor, &["ana", "nobody", "bob", "ana"]);
    let again = once(&folder, settings(), &vendor, &["bob", "ana", "nobody"]);
    assert_eq!(vendor.asked().len(), 1);
    assert_eq!(again.statuses(), [Status::Found, Status::Found, Status::NotFound]);
    assert_eq!(again.records()[1], first.records()[0]);
    assert_eq!(again.records()[1].as_deref(), Some(&*record("ana@x.example")));
    assert!(again.outcomes.iter().all(|outcome| outcome.source == Source::Store));
    assert_eq!(again.outcomes[1].fetched_at_ms, first.outcomes[0].fetched_at_ms);
    assert!(again.outcomes[1].fetched_at_ms.is_some());
    let receipt = again.receipt;
    assert_eq!((receipt.from_store, receipt.requests, receipt.sent, receipt.credits), (3, 0, 0, 0));
}

#[test]
fn damaged_answers_are_not_paid_for_again() {
    for damage in [
        "packed = zeroblob(length(packed))",
        "packed = substr(packed, 17)",
        "packed = substr(packed, 1, 20)",
        "packed = x''",
        "request = request + 1",
    ] {
        let (folder, vendor) = (Folder::new(), Vendor::honest());
        once(&folder, settings(), &vendor, &["ana", "bob"]);
        tamper(&folder, &format!("UPDATE tail SET {damage}"));
        let store = folder.store();
        let done = run(&engine(settings(), &vendor, &store), rows(&["ana", "bob"]), RunOptions::default());
        assert_eq!(done.statuses(), [Status::NotSent; 2], "{damage}");
        assert!(done.troubles[0].to_string().contains("the newest answers are damaged"), "{damage}");
        assert_eq!(vendor.asked().len(), 1);
    }
}

#[test]
fn an_answer_too_old_is_asked_for_again_and_named() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    let old = Config { miss_max_age: Some(Duration::ZERO), ..settings() };
    a_moment_passes();
    let misses = once(&folder, old.clone(), &vendor, &["ana", "nobody"]);
    assert_eq!(vendor.asked()[1..], [["nobody@x.example"]]);
    assert_eq!((misses.receipt.from_store, misses.receipt.bought_again), (1, 0));
    a_moment_passes();
    let all = once(&folder, Config { max_age: Some(Duration::ZERO), ..old }, &vendor, &["ana", "nobody"]);
    assert_eq!(vendor.asked().len(), 3);
    assert_eq!((all.receipt.from_store, all.receipt.bought_again, all.receipt.credits), (0, 1, 1));
}

#[test]
fn a_refresh_asks_again_and_replaces() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| {
        let mut reply = found(values);
        if number > 1 {
            reply.body = String::from_utf8_lossy(&reply.body).replace("Zo", "Jo").into();
        }
        Ok(reply)
    });
    let store = folder.store();
    let engine = engine(settings(), &vendor, &store);
    let first = run(&engine, rows(&["ana", "nobody"]), RunOptions::default());
    let refresh = RunOptions { refresh: true, ..RunOptions::default() };
    let second = run(&engine, rows(&["ana", "nobody", "ana"]), refresh);
    assert_eq!(vendor.asked().len(), 2);
    assert_eq!((second.receipt.bought_again, second.receipt.from_store), (1, 0));
    let third = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!(vendor.asked().len(), 2);
    assert_eq!(third.records()[0], second.records()[0]);
    assert_ne!(third.records()[0], first.records()[0]);
}

#[test]
fn somebody_known_with_fewer_fields_is_bought_again_and_that_is_told() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    let more = Config { required_fields: [Box::from("phone")].into(), ..settings() };
    let done = once(&folder, more.clone(), &vendor, &["ana", "bob", "nobody"]);
    assert_eq!(vendor.asked()[1..], [["ana@x.example", "bob@x.example"]]);
    assert_eq!((done.receipt.credits, done.receipt.bought_again), (2, 1));
    let again = once(&folder, more, &vendor, &["ana", "bob", "nobody"]);
    assert_eq!((again.receipt.from_store, again.receipt.bought_again), (3, 0));
}

/// Refuses each request that has one of these in it.
fn refusing(guilty: &'static [&'static str]) -> Vendor {
    Vendor::new(move |_, values| {
        let refused = values.iter().any(|value| guilty.iter().any(|name| value.starts_with(name)));
        Ok(if refused { status(400) } else { found(values) })
    })
}

#[test]
fn what_is_refused_while_nothing_was_accepted_is_asked_for_again() {
    let folder = Folder::new();
    let vendor = refusing(&["ana", "bob", "carla"]);
    let done = once(&folder, settings(), &vendor, &["ana", "bob", "carla"]);
    assert_eq!(done.statuses(), [Status::Rejected; 3]);
    assert_eq!(done.troubles[0].kind(), ErrorKind::BadRequest);
    assert!(done.troubles[0].to_string().contains("required_fields"), "{}", done.troubles[0]);
    let honest = Vendor::honest();
    let done = once(&folder, settings(), &honest, &["ana", "bob", "carla"]);
    assert_eq!((done.statuses(), honest.asked().len()), (vec![Status::Found; 3], 1));
}

#[test]
fn what_is_refused_for_its_own_sake_is_remembered() {
    let folder = Folder::new();
    let vendor = refusing(&["dora"]);
    let done = once(&folder, settings(), &vendor, &["ana", "bob", "carla", "dora"]);
    assert_eq!(done.statuses()[3], Status::Rejected);
    assert!(!done.troubles[0].to_string().contains("required_fields"), "{}", done.troubles[0]);
    let honest = Vendor::honest();
    let done = once(&folder, settings(), &honest, &["dora"]);
    assert_eq!((done.statuses(), honest.asked().len()), (vec![Status::Rejected], 0));
    assert!(done.troubles[0].to_string().contains("before"), "{}", done.troubles[0]);
}

#[test]
fn store_only_sends_nothing_and_raises_nothing() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana"]);
    let store = folder.store();
    let options = RunOptions { store_only: true, ..RunOptions::default() };
    let list = |names: [&str; 2]| {
        let alternatives = (0..).zip(names).map(|(place, name)| (place, email(name))).collect();
        Row::Preference(Box::new(Preference { first: 0, alternatives }))
    };
    let rows = vec![Row::One(email("ana")), Row::One(email("bob")), list(["bob", "ana"]), Row::Missing];
    let done = run(&engine(settings(), &vendor, &store), rows, options);
    assert_eq!(done.statuses(), [Status::Found, Status::NotSent, Status::Found, Status::Missing]);
    assert!(done.troubles.is_empty() && done.receipt.stopped.is_none());
    assert_eq!(vendor.asked().len(), 1);
}

#[test]
fn another_service_has_another_store() {
    let folder = Folder::new();
    drop(folder.store());
    let open = || SqliteStore::open(&folder.path().join("a.db"), "api.exactbuyer.com").unwrap_err();
    assert_eq!(open().kind(), ErrorKind::Config);
    let held = folder.store();
    assert_eq!(open().kind(), ErrorKind::Config);
    drop(held);
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let folder = Folder::new();
    let path = folder.path().join("a.db");
    std::fs::write(&path, "a diary, and no database at all; long enough to be one, though".repeat(20))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path, "loopback").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("another path"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path().join(".exactbuyer").join("a.db");
    let vendor = Vendor::honest();
    let store = SqliteStore::open(&path, "loopback").unwrap();
    run(&engine(settings(), &vendor, &store), rows(&["ana"]), RunOptions::default());
    let mode = |name: &str| {
        let known = std::fs::metadata(folder.path().join(".exactbuyer").join(name)).unwrap();
        known.permissions().mode() & 0o777
    };
    assert_eq!(mode(""), 0o700);
    for name in ["a.db", "a.db-wal", "a.db-shm", "a.db-owners"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    let ignored = std::fs::read_to_string(folder.path().join(".exactbuyer/.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"));
    assert!(store.warnings().is_empty());
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqliteStore::open(&path, "loopback").unwrap();
    assert!(store.warnings()[0].contains("chmod 600"), "{:?}", store.warnings());
}
