//! Questions that are taken back: they end, what they had written stays whole, and they can be asked
//! again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use exactbuyer_core::config::Config;
use exactbuyer_core::error::ErrorKind;
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Interrupt, SqliteStore, Target, migrate};

use crate::fixture::*;

const REQUESTS: usize = 300;

/// Many requests of one lookup each, so that there is something to do in several goes.
fn many(folder: &Folder) {
    let names: Vec<String> = (0..REQUESTS).map(|number| format!("p{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let config = Config { chunk_size: 1, requests_per_minute: 10_000, ..settings() };
    once(folder, config, &Vendor::honest(), &names);
}

fn text(text: &str) -> Target {
    Target::Text(text.into())
}

#[test]
fn what_was_taken_back_is_not_begun_and_others_go_on() {
    let (folder, there) = (Folder::new(), Folder::new());
    many(&folder);
    once(&there, settings(), &Vendor::honest(), &["eve"]);
    let store = folder.store();
    let (asked, interrupt) = store.interruptible();
    interrupt.interrupt();
    let told = [
        asked.find(&text("p7")).err(),
        asked.purge(&email("p7")).err(),
        asked.purge_before(i64::MAX).err(),
        asked.merge(&there.file("a.db")).err(),
        asked.info().err(),
        asked.unknown().err(),
        asked.clone().receipts(0).err(),
    ];
    for error in told {
        let error = error.expect("it was taken back");
        assert_eq!(error.kind(), ErrorKind::Store);
        assert!(error.to_string().contains("ask again"), "{error}");
    }
    assert_eq!(store.info().unwrap().hits, REQUESTS as u64);
    assert_eq!(store.find(&text("p7@")).unwrap().len(), 1);
}

/// Takes back what `act` asks as soon as `is_time`; whether that came in time.
fn taken_back_when(
    store: &SqliteStore,
    is_time: impl Fn() -> bool + Send,
    act: impl FnOnce(&SqliteStore) -> bool,
) -> bool {
    let (asked, interrupt) = store.interruptible();
    let over = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let ended = over.clone();
        scope.spawn(move || {
            while !is_time() && !ended.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            interrupt.interrupt();
        });
        let done = act(&asked);
        over.store(true, Ordering::Relaxed);
        !done
    })
}

#[test]
fn a_purge_that_was_taken_back_half_way_is_whole_and_goes_on() {
    let folder = Folder::new();
    many(&folder);
    let store = folder.store();
    let began = |store: &SqliteStore| store.info().unwrap().hits < REQUESTS as u64;
    let watch = store.clone();
    let broken = taken_back_when(&store, || began(&watch), |asked| asked.purge_before(i64::MAX).is_ok());
    let info = store.info().unwrap();
    // Every request is purged whole, or not at all.
    assert_eq!(info.hits, exported(&store).len() as u64, "taken back in time: {broken}");
    let rest = store.purge_before(i64::MAX).unwrap();
    assert_eq!((rest.answers, rest.cleaned), (info.hits, true));
    assert!(!holds(folder.path(), "x.example"));
    assert_eq!(store.info().unwrap().credits, REQUESTS as u64);
}

#[test]
fn a_merge_that_was_taken_back_half_way_goes_on() {
    let (here, there) = (Folder::new(), Folder::new());
    many(&there);
    let store = here.store();
    let other = there.file("a.db");
    let watch = store.clone();
    taken_back_when(&store, || watch.info().unwrap().hits > 0, |asked| asked.merge(&other).is_ok());
    let had = store.info().unwrap();
    assert_eq!(had.hits, had.credits, "each request is taken over whole");
    let rest = store.merge(&other).unwrap();
    assert_eq!((rest.known, rest.requests), (had.hits, REQUESTS as u64 - had.hits));
    assert_eq!(store.info().unwrap().credits, REQUESTS as u64);
}

#[test]
fn a_migration_that_was_taken_back_leaves_the_file_as_it_was() {
    let folder = Folder::new();
    many(&folder);
    let path = folder.file("a.db");
    tamper(&folder, "UPDATE meta SET value = 0 WHERE name = 'rules_version'");
    let interrupt = Interrupt::default();
    interrupt.interrupt();
    assert!(migrate(&path, &interrupt).unwrap_err().to_string().contains("taken back"));
    assert!(SqliteStore::open(&path, "loopback").unwrap_err().to_string().contains("store migrate"));
    let left = |name: &str| {
        std::fs::read_dir(folder.path())
            .unwrap()
            .any(|file| file.unwrap().file_name().to_string_lossy().contains(name))
    };
    assert!(!left("backup"), "nor is there half a backup");
    assert!(migrate(&path, &Interrupt::default()).unwrap().backup.is_some());
    assert_eq!(folder.store().info().unwrap().hits, REQUESTS as u64);
}

#[test]
fn runs_are_not_taken_back() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let (store, interrupt) = folder.store().interruptible();
    interrupt.interrupt();
    let done = run(&engine(settings(), &vendor, &store), rows(&["ana"]), RunOptions::default());
    assert_eq!(done.receipt.credits, 1);
    assert!(done.troubles.is_empty(), "{:?}", done.troubles);
}
