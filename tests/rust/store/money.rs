//! Ceilings that outlive a process, and the journal that they are counted from.

use std::sync::Arc;
use std::time::Duration;

use exactbuyer_core::config::{Config, Per};
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Failure, Lost};
use exactbuyer_core::store::{Ceiling, Claim, Evidence, Outcome, RequestOutcome, Store, Terms};
use exactbuyer_store::sqlite::{Yield, check_time_zone, service_at};

use crate::fixture::*;

fn ceiling(credits: u64, per: Per) -> Config {
    Config { max_credits: Some(credits), per, ..settings() }
}

#[test]
fn a_ceiling_holds_across_runs_and_processes() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    for per in [Per::Store, Per::Month, Per::Day] {
        let folder = Folder::new();
        once(&folder, ceiling(3, per), &vendor, &["a", "b"]);
        let done = once(&folder, ceiling(3, per), &vendor, &["a", "c", "d", "e"]);
        assert_eq!(done.receipt.count(Status::Found), 2, "{per:?}");
        assert_eq!(done.receipt.count(Status::NotSent), 2, "{per:?}");
        assert_eq!(done.troubles[0].kind(), ErrorKind::BudgetExceeded);
        assert_eq!(folder.store().info().unwrap().credits, 3);
        // Running the same again with more does the rest, and pays for the rest only.
        let rest = once(&folder, ceiling(5, per), &vendor, &["a", "c", "d", "e"]);
        assert_eq!(rest.receipt.count(Status::Found), 4, "{per:?}");
        assert_eq!(rest.receipt.credits, 2);
    }
    once(&folder, ceiling(3, Per::Run), &vendor, &["a", "b", "c"]);
    let next = once(&folder, ceiling(3, Per::Run), &vendor, &["d", "e", "f"]);
    assert_eq!(next.receipt.count(Status::Found), 3);
}

/// Spending limits are compared with the sums, whatever writes the requests.
#[test]
fn the_sums_follow_the_requests() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, settings(), &vendor, &["a", "b"]);
    tamper(&folder, "UPDATE request SET credits = 7, in_doubt = 4");
    let info = folder.store().info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt), (7, 4));
    tamper(
        &folder,
        "INSERT INTO request (owner, run, key, required, tags, sent_ms, lookups, credits, in_doubt, counted, settled_ms)
         VALUES (0, 0, 0, 1, 1, 0, 9, 3, 2, 0, 0)",
    );
    let info = folder.store().info().unwrap();
    assert_eq!((info.credits, info.credits_in_doubt), (10, 6));
}

#[test]
fn a_doubt_counts_as_spent() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| match number {
        1 => Err(Failure::Lost(Lost::TimedOut)),
        _ => Ok(found(values)),
    });
    once(&folder, ceiling(3, Per::Store), &vendor, &["a", "b"]);
    let done = once(&folder, ceiling(3, Per::Store), &vendor, &["c", "d"]);
    assert_eq!(done.receipt.count(Status::Found), 1);
    assert_eq!(done.receipt.count(Status::NotSent), 1);
}

#[test]
fn the_journal_says_what_was_asked_and_what_it_cost() {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| match number {
        1 => Err(Failure::Lost(Lost::Disconnected)),
        2 => Ok(status(429)).map(|reply| exactbuyer_core::service::transport::Reply {
            retry_after: Some(Duration::ZERO),
            ..reply
        }),
        _ => Ok(found(values)),
    });
    let tags: Arc<[(Box<str>, Box<str>)]> = Arc::from([("job".into(), "nightly".into())]);
    let tagged = Config { tags, ..settings() };
    once(&folder, tagged.clone(), &vendor, &["ana"]);
    once(&folder, tagged, &vendor, &["bob", "nobody"]);
    once(&folder, settings(), &vendor, &["eve"]);
    let store = folder.store();
    let journal = store.receipts(0).unwrap();
    let outcomes: Vec<_> = journal
        .iter()
        .map(|entry| (entry.outcome.map_or("", RequestOutcome::as_str), entry.status))
        .collect();
    assert_eq!(
        outcomes,
        [("unknown", None), ("paused", Some(429)), ("answered", Some(200)), ("answered", Some(200))]
    );
    assert_eq!((journal[2].lookups, journal[2].hits, journal[2].misses, journal[2].credits), (2, 1, 1, 1));
    assert_eq!(journal[0].tags["job"], "nightly");
    assert!(store.receipts(journal[3].request).unwrap().is_empty());
    let month = jiff::Timestamp::from_millisecond(journal[0].sent_ms).unwrap().strftime("%Y-%m").to_string();
    let summary = store.summary(&["month", "job"], "UTC").unwrap();
    let groups: Vec<_> =
        summary.iter().map(|row| (row.group[1].as_deref(), row.requests, row.credits)).collect();
    assert_eq!(groups, [(None, 1, 1), (Some("nightly"), 3, 1)]);
    let books = store.reconcile(&month, 3, "UTC").unwrap();
    assert_eq!((books.charged, books.in_doubt, books.difference, books.fits), (2, 1, 1, true));
    assert!(!store.reconcile(&month, 4, "UTC").unwrap().fits);
    assert!(!store.reconcile(&month, 1, "UTC").unwrap().fits);
    assert_eq!(store.reconcile("2001-02", 0, "UTC").unwrap().charged, 0);
    assert!(store.reconcile("2001-13", 0, "UTC").is_err());
}

#[test]
fn a_pause_is_everybodys_who_shares_the_key() {
    let folder = Folder::new();
    let store = folder.store();
    let claim = |key_fingerprint, name: &str| {
        let terms = Terms { key_fingerprint, requests_per_minute: 200, ..Terms::default() };
        claim_for_run(&store, terms, &[name])
    };
    let (run, Claim::Granted { request, .. }) = claim(7, "ana") else { panic!("nobody else is there") };
    let evidence = Evidence {
        at_ms: jiff::Timestamp::now().as_millisecond(),
        outcome: RequestOutcome::Paused,
        left: true,
        pause: Some(Duration::from_mins(2)),
        ..Evidence::default()
    };
    let released = vec![(email("ana"), Outcome::NotSent(Arc::default()))];
    wait(store.settle(run, &[].into(), request, released, evidence)).unwrap();
    let (_, Claim::NotBefore(wait)) = claim(7, "bob") else { panic!("the service asked for a pause") };
    assert!(wait > Duration::from_secs(100) && wait <= Duration::from_mins(2), "{wait:?}");
    assert!(matches!(claim(8, "bob"), (_, Claim::Granted { .. })), "another key");
}

#[test]
fn a_plan_hears_what_is_left_and_what_was_found_of_late() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    once(&folder, ceiling(3, Per::Store), &vendor, &["a", "b", "nobody"]);
    let store = folder.store();
    let room = |credits, per, zone: &str| {
        store.room(&Ceiling { credits, per, time_zone: zone.into() }).map_err(|error| error.kind())
    };
    assert_eq!(room(3, Per::Store, "UTC"), Ok(1));
    assert_eq!(room(2, Per::Day, "Europe/Berlin"), Ok(0));
    assert_eq!(room(1, Per::Month, "UTC"), Ok(0), "never less than nothing");
    assert_eq!(room(1, Per::Month, "Atlantis"), Err(ErrorKind::Config));
    assert_eq!(check_time_zone("Atlantis").unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(store.lately(&[]).unwrap(), Yield { hits: 2, answered: 3 });
    assert_eq!(store.lately(&["phone".into()]).unwrap(), Yield::default());
}

#[test]
fn a_file_says_whose_it_is() {
    let folder = Folder::new();
    let path = folder.path().join("a.db");
    assert_eq!(service_at(&path).unwrap_err().kind(), ErrorKind::Store);
    let name = folder.store().name().unwrap();
    for store in [None, Some(folder.store())] {
        // Whether or not this process has it open.
        assert_eq!(service_at(&path).unwrap(), "loopback");
        assert!(store.is_none_or(|store| store.name().unwrap() == name));
    }
    std::fs::write(&path, b"something else altogether").unwrap();
    assert_eq!(service_at(&path).unwrap_err().kind(), ErrorKind::Store);
}
