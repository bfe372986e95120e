//! Several processes and one store: nobody pays for what another is asking for, and the dead are
//! told from the living.

use std::time::Duration;

use exactbuyer_core::config::{Config, Per};
use exactbuyer_core::results::Status;
use exactbuyer_core::store::{Availability, Claim, Store, Terms};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{after_fork, before_fork};

use crate::fixture::*;
use crate::other::{Other, overlapping, shared_vendor, small_chunks};

#[test]
fn who_is_killed_leaves_doubts_and_who_waits_hears_of_it() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let store = folder.store();
    assert_eq!(store.unknown().unwrap(), [], "it lives");
    let waiting = Background::start(&vendor, &store, &["ana", "eve"]);
    other.kill();
    let done = waiting.end();
    assert_eq!(done.statuses(), [Status::Unknown, Status::Found]);
    assert_eq!((done.receipt.inherited.lookups, done.receipt.inherited.credits), (1, 1));
    assert!(done.troubles.is_empty(), "{:?}", done.troubles);
    assert_eq!(vendor.asked(), [["eve@x.example"]]);
    let doubts = store.unknown().unwrap();
    assert_eq!(doubts.len(), 2);
    assert!(doubts[0].reason.contains("ended before the answer came"), "{}", doubts[0].reason);
    assert_eq!(store.info().unwrap().credits_in_doubt, 2);
}

#[test]
fn a_store_opened_after_a_crash_knows_what_is_in_doubt() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    other.kill();
    assert_eq!(folder.store().unknown().unwrap().len(), 2);
    let done = once(&folder, settings(), &vendor, &["ana", "eve"]);
    assert_eq!(done.statuses(), [Status::Unknown, Status::Found]);
}

#[test]
fn nothing_is_asked_twice_by_several() {
    let folder = Folder::new();
    let others: Vec<Other> = (0..3).map(|part| Other::start(&folder, &format!("overlap {part}"))).collect();
    let names = overlapping(3);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let store = folder.store();
    let vendor = shared_vendor(folder.path());
    let done = run(&engine(small_chunks(), &vendor, &store), rows(&names), RunOptions::default());
    assert_eq!(done.receipt.count(Status::Found), 60, "{:?}", done.troubles);
    others.into_iter().for_each(Other::ends);
    let ledger = std::fs::read_to_string(folder.path().join("ledger")).unwrap();
    let mut asked: Vec<&str> = ledger.lines().collect();
    let all = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), all, "something was asked twice");
    let mut wanted: Vec<String> = (0..4).flat_map(overlapping).collect();
    wanted.sort_unstable();
    wanted.dedup();
    assert_eq!(all, wanted.len());
    assert_eq!(store.info().unwrap().credits, all as u64);
}

#[test]
fn the_rate_is_shared_and_the_lowest_living_one_wins() {
    let folder = Folder::new();
    let mut other = Other::start(&folder, "rate 3");
    other.says("done");
    let store = folder.store();
    let claim = |name: &str| {
        let terms = Terms { requests_per_minute: 5, ..Terms::default() };
        let (run, claim) = claim_for_run(&store, terms, &[name]);
        store.end(run);
        claim
    };
    let Claim::NotBefore(wait) = claim("x") else { panic!("3 went out, and the other still lives") };
    assert!(wait.as_secs() <= 61, "{wait:?}");
    other.tell("go");
    other.ends();
    // Its rate went with it, but not what it has sent.
    for name in ["x", "y"] {
        let Claim::Granted { availability, .. } = claim(name) else { panic!("{name}") };
        assert_eq!(availability, [Availability::Free]);
    }
    assert!(matches!(claim("z"), Claim::NotBefore(_)));
}

/// Two enrichers of a process open the store separately, and other processes see one rate of this process.
#[test]
fn the_lowest_rate_of_all_handles_in_a_process_is_the_one_that_others_see() {
    let folder = Folder::new();
    let (slow, fast) = (folder.store(), folder.store());
    let terms = |requests_per_minute| Terms { requests_per_minute, ..Terms::default() };
    let (of_slow, _) = claim_for_run(&slow, terms(2), &["ana"]);
    let (of_fast, claim) = claim_for_run(&fast, terms(200), &["bob"]);
    assert!(matches!(claim, Claim::Granted { .. }));
    let file = rusqlite::Connection::open(folder.file("a.db")).unwrap();
    let seen = || file.query_row("SELECT min(per_minute) FROM pace", [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(seen(), 2);
    assert!(matches!(claim_for_run(&fast, terms(200), &["eve"]).1, Claim::NotBefore(_)));
    slow.end(of_slow);
    let claim = wait(fast.claim(of_fast, &[].into(), &[email("eve")])).unwrap();
    assert!(matches!(claim, Claim::Granted { .. }));
    assert_eq!(seen(), 200);
}

#[test]
fn what_others_have_under_way_counts_against_the_ceiling() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    let store = folder.store();
    let run = |names: &[&str], ceiling| {
        let config = Config { max_credits: Some(ceiling), per: Per::Store, ..settings() };
        run(&engine(config, &vendor, &store), rows(names), RunOptions::default())
    };
    let done = run(&["x"], 3);
    assert_eq!(done.receipt.count(Status::Found), 1);
    other.kill();
    let done = run(&["y"], 3);
    assert_eq!(done.receipt.count(Status::NotSent), 1);
    assert_eq!(done.troubles[0].kind(), exactbuyer_core::error::ErrorKind::BudgetExceeded);
}

#[test]
fn what_others_began_around_a_fork_is_seen_after_it() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let store = folder.store();
    run(&engine(settings(), &vendor, &store), rows(&["eve"]), RunOptions::default());
    before_fork(|| Duration::from_mins(1));
    let mut other = Other::start(&folder, "silent");
    other.says("asked");
    after_fork();
    let (_, claim) = claim_freely(&store, &["ana", "x"]);
    let Claim::Granted { availability, .. } = claim else { panic!("{claim:?}") };
    assert_eq!(availability, [Availability::Held, Availability::Free]);
}

#[test]
fn a_run_that_is_over_claims_nothing_beyond_its_terms() {
    let folder = Folder::new();
    let store = folder.store();
    let run = store.begin(Terms::default());
    store.end(run);
    let claim = wait(store.claim(run, &[].into(), &[email("ana")]));
    assert_eq!(claim.unwrap_err().kind(), exactbuyer_core::error::ErrorKind::Store);
    assert_eq!(store.info().unwrap().under_way, 0);
}

#[test]
fn who_was_taken_for_dead_and_answers_is_heard_by_whoever_knew_of_the_doubt() {
    let (folder, vendor) = (Folder::new(), Vendor::honest());
    let mut other = Other::start(&folder, "late 1");
    other.says("asked");
    // Of this owner nobody has ever held the lock.
    tamper(&folder, "DELETE FROM owner; UPDATE request SET owner = 7");
    let store = folder.store();
    let engine = engine(settings(), &vendor, &store);
    assert_eq!(run(&engine, rows(&["ana"]), RunOptions::default()).statuses(), [Status::Unknown]);
    other.tell("answer");
    other.ends();
    let done = run(&engine, rows(&["ana"]), RunOptions::default());
    assert_eq!(done.records()[0].as_deref(), Some(&*record("ana@x.example")));
    assert_eq!(vendor.asked().len(), 0);
}
