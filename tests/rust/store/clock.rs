//! A clock that somebody sets back: what was stored before is dated ahead of it.

use std::time::Duration;

use exactbuyer_core::config::{Config, Per};
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::Reply;
use exactbuyer_core::store::{Claim, Evidence, RunId, Store};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::SqliteStore;

use crate::fixture::*;

const HOUR_MS: i64 = 3_600_000;

/// As if the clock had been an hour ahead until now. Nobody has the store open.
fn set_back(folder: &Folder) {
    let connection = rusqlite::Connection::open(folder.file("a.db")).unwrap();
    let changed = |what: &str| connection.execute(what, [HOUR_MS]).unwrap();
    assert!(changed("UPDATE request SET sent_ms = sent_ms + ?1, settled_ms = settled_ms + ?1") > 0);
    changed("UPDATE answer SET at_ms = at_ms + ?1");
    changed("UPDATE pause SET since_ms = since_ms + ?1, until_ms = until_ms + ?1");
}

#[test]
fn an_answer_from_the_future_is_too_old_only_if_it_is_further_away_than_the_limit() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["ana", "nobody"]);
    set_back(&folder);
    let any_age = Config { max_age: None, miss_max_age: None, ..settings() };
    assert_eq!(once(&folder, any_age.clone(), &vendor, &["ana", "nobody"]).receipt.from_store, 2);
    let day = Some(Duration::from_hours(24));
    let in_a_day = Config { max_age: day, miss_max_age: day, ..settings() };
    assert_eq!(once(&folder, in_a_day, &vendor, &["ana", "nobody"]).receipt.from_store, 2);
    let soon = Some(Duration::from_mins(30));
    let misses = once(&folder, Config { miss_max_age: soon, ..any_age.clone() }, &vendor, &["ana", "nobody"]);
    assert_eq!((misses.receipt.from_store, misses.receipt.credits), (1, 0));
    let limited = Config { max_age: soon, ..any_age };
    let hits = once(&folder, limited.clone(), &vendor, &["ana"]);
    assert_eq!((hits.receipt.from_store, hits.receipt.bought_again), (0, 1));
    // The new answer has an age, and is served.
    assert_eq!(once(&folder, limited, &vendor, &["ana"]).receipt.from_store, 1);
}

#[test]
fn after_the_clock_was_set_back_a_refreshed_answer_is_used() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| {
        let mut reply = found(values);
        reply.body = String::from_utf8_lossy(&reply.body).replace("Zo", &format!("Zo{number}")).into();
        Ok(reply)
    });
    once(&folder, settings(), &vendor, &["ana"]);
    set_back(&folder);
    let store = folder.store();
    let ask = |refresh| {
        let options = RunOptions { refresh, ..RunOptions::default() };
        run(&engine(settings(), &vendor, &store), rows(&["ana"]), options)
    };
    let refreshed = ask(true);
    assert_eq!((refreshed.receipt.credits, refreshed.receipt.bought_again), (1, 1));
    let later = ask(false);
    assert_eq!(later.receipt.from_store, 1);
    assert_eq!(later.records(), refreshed.records());
}

#[test]
fn setting_the_clock_back_does_not_make_a_pause_longer() {
    let folder = Folder::new();
    let pause = Duration::from_mins(50);
    let vendor = Vendor::new(move |_, _| Ok(Reply { retry_after: Some(pause), ..status(429) }));
    once(&folder, Config { max_retries: 0, ..settings() }, &vendor, &["ana"]);
    set_back(&folder);
    let store = folder.store();
    let first = pause_of(&store);
    assert!(first > Duration::ZERO && first <= pause + Duration::from_mins(2), "{first:?}");
    a_moment_passes();
    assert!(pause_of(&store) < first, "it goes on from there");
}

#[test]
fn setting_the_clock_back_does_not_make_a_pause_longer_when_another_reply_asks_for_one_first() {
    let folder = Folder::new();
    let store = folder.store();
    let claims = ["bob", "eve"].map(|name| claim_freely(&store, &[name]));
    let (long, short) = (Duration::from_mins(50), Duration::from_mins(1));
    settle_pause(&store, &claims[0], 0, long);
    set_back(&folder);
    settle_pause(&store, &claims[1], 0, short);
    let left = pause_of(&store);
    assert!(left > short && left <= long, "{left:?}");
}

/// A settlement may have to wait for the disk, or for another program.
#[test]
fn a_pause_that_is_stored_late_does_not_shorten_a_newer_one() {
    let folder = Folder::new();
    let store = folder.store();
    let claims = ["bob", "eve"].map(|name| claim_freely(&store, &[name]));
    settle_pause(&store, &claims[0], 0, Duration::from_mins(50));
    settle_pause(&store, &claims[1], 15 * 60_000, Duration::from_mins(50));
    let left = pause_of(&store);
    assert!(left > Duration::from_mins(40), "{left:?}");
}

/// A 429 that came so long ago, and asked for this pause.
fn settle_pause(store: &SqliteStore, (run, claim): &(RunId, Claim), ago_ms: i64, pause: Duration) {
    let Claim::Granted { request, .. } = claim else { panic!("{claim:?}") };
    let at_ms = jiff::Timestamp::now().as_millisecond() - ago_ms;
    let evidence = Evidence { at_ms, left: true, pause: Some(pause), ..Evidence::default() };
    wait(store.settle(*run, &[].into(), *request, Vec::new(), evidence)).unwrap();
}

fn pause_of(store: &SqliteStore) -> Duration {
    let (_, claim) = claim_freely(store, &["ana"]);
    let Claim::NotBefore(wait) = claim else { panic!("{claim:?}") };
    wait
}

/// What is dated ahead counts: a ceiling is never more than it was.
#[test]
fn a_ceiling_of_a_day_does_not_begin_again() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let limited = Config { max_credits: Some(1), per: Per::Month, ..settings() };
    once(&folder, limited.clone(), &vendor, &["ana"]);
    set_back(&folder);
    assert_eq!(once(&folder, limited, &vendor, &["bob"]).statuses(), [Status::NotSent]);
}
