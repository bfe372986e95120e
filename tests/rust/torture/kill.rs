//! Processes are killed while they run, and the next process continues with the same store. After each death, the store
//! is compared with the sandbox's ledger, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use exactbuyer_sandbox::{BadLuck, Fault, Options, Sandbox};
use fastrand::Rng;

use crate::books::{Kept, Snapshot};
use crate::fixture::Folder;
use crate::one_more_try;
use crate::worker::{Given, Job, Moment, Remains, Worker};

/// The number of kills from outside.
const KILLS: u64 = 100;

/// How many processes use one store and are killed. One more follows and is not killed.
const LIVES: usize = 8;

/// How many rows each process has more than the one before. In a few rounds there are so many that the store sorts its
/// answers into their index.
const ROWS: usize = 40;
const MANY_ROWS: usize = 4_000;

/// How often the last call may be repeated until nothing is left to do: a fault of the sandbox may stop a run early.
const RESUMES: usize = 20;

/// The stages that a worker reports. Some worker is killed at each of them.
const STAGES: [&str; 4] = ["opening", "open", "running", "closing"];

#[derive(Default)]
struct Tally {
    kills: u64,
    from_within: u64,
    rounds: u64,
    stages: BTreeMap<String, u64>,
    unknown: u64,
    hits: u64,
}

pub(crate) fn processes_are_killed(times: u64) -> String {
    let mut tally = Tally::default();
    // How long a worker runs if it is not killed, and how many operations it does on its files. Updated from each run.
    let mut life = Life { lived: Duration::from_millis(150), acts: 300 };
    let mut long_life = Life { lived: Duration::from_millis(900), acts: 2_000 };
    // More kills if no worker was killed at some stage.
    let missing = |tally: &Tally| STAGES.iter().any(|stage| !tally.stages.contains_key(*stage));
    while tally.kills < KILLS * times || tally.kills < 5 * KILLS && missing(&tally) {
        let large = tally.rounds % 16 == 10;
        let life = if large { &mut long_life } else { &mut life };
        one_round(tally.rounds, large, &mut tally, life);
        tally.rounds += 1;
    }
    assert!(!missing(&tally), "no worker was killed at one of {STAGES:?}: {:?}", tally.stages);
    assert!(tally.unknown > 0 && tally.hits > 0, "the kills left nothing in doubt, or nothing was bought");
    format!(
        "{} killed from outside and {} from within at {:?}; {} stores, {} contacts, {} lookups left in doubt",
        tally.kills, tally.from_within, tally.stages, tally.rounds, tally.hits, tally.unknown
    )
}

struct Life {
    lived: Duration,
    acts: u64,
}

fn one_round(number: u64, large: bool, tally: &mut Tally, life: &mut Life) {
    let mut rng = Rng::with_seed(number);
    let sandbox = Sandbox::start(Options {
        seed: number,
        latency: Duration::from_micros(rng.u64(0..6_000)),
        requests_per_minute: None,
        ..Options::default()
    })
    .unwrap();
    let faulty = number % 4 == 3;
    if faulty {
        for fault in [Fault::ResetAfterBilling, Fault::Status500, Fault::Truncate, Fault::Status503] {
            sandbox.fail(BadLuck { probability: Some(0.03), ..fault.always() });
        }
    }
    let folder = Folder::new();
    let rows = if large { MANY_ROWS } else { ROWS };
    let people: Vec<String> = (0..rows * LIVES)
        .map(|n| format!("p{}@x.example", n - rng.usize(0..=n.min(1)) * rng.usize(0..=n.min(9))))
        .collect();
    let mut job = Job {
        store: folder.path().join("a.db"),
        url: sandbox.url(),
        chunk_size: if large { 500 } else { rng.usize(1..=8) },
        max_concurrency: rng.usize(1..=16),
        ..Job::default()
    };
    let (mut given, mut ever_open) = (Vec::new(), BTreeSet::new());
    for lives in 1..=LIVES {
        job.rows = people[..rows * lives].to_vec();
        let remains = live_and_die(&job, life, &mut rng, tally);
        one_more_try();
        given.extend(remains.given);
        if job.store.exists() {
            let name = "the doubts are exactly the intents that were open";
            let snapshot = Snapshot::take(&job.store, &people);
            snapshot.check(&given, &sandbox.ledger());
            ever_open.extend(snapshot.open.into_keys());
            let more = snapshot.unknown.difference(&ever_open).next();
            assert!(faulty || more.is_none(), "{name}: {more:?} never was");
        }
    }
    completes_the_list(&job, &people, given, &sandbox, faulty, tally);
}

fn live_and_die(job: &Job, life: &mut Life, rng: &mut Rng, tally: &mut Tally) -> Remains {
    let remains = if rng.u8(0..4) == 0 {
        let dies_at = Some(rng.u64(1..=life.acts));
        let remains = Worker::start(&Job { dies_at, ..job.clone() }).ends();
        tally.from_within += u64::from(remains.status.signal() == Some(9));
        remains
    } else {
        // At any time of its life, or shortly after it has reached a stage.
        let stages = ["opening", "opening", "opening", "opening", "opening", "open", "closing"];
        let stage = stages[rng.usize(..stages.len())];
        let most = if stage == "opening" { life.lived.mul_f64(1.1) } else { Duration::from_millis(5) };
        let after = most.mul_f64(rng.f64());
        let remains = Worker::start(job).kill_at(Moment { after, stage });
        if remains.status.signal() == Some(9) {
            tally.kills += 1;
            *tally.stages.entry(remains.stage.clone()).or_default() += 1;
        }
        remains
    };
    match remains.status.signal() {
        Some(9) => {}
        Some(signal) => panic!("a worker ends without an error: signal {signal}"),
        None => {
            assert!(remains.status.success(), "a worker ends without an error: {:?}", remains.status);
            life.lived = (life.lived + remains.lived) / 2;
        }
    }
    remains
}

/// Repeats the call until nothing is left to do, and compares the result with the store.
fn completes_the_list(
    job: &Job,
    people: &[String],
    mut given: Vec<Given>,
    sandbox: &Sandbox,
    faulty: bool,
    tally: &mut Tally,
) {
    let mut last = None;
    for _ in 0..RESUMES {
        let remains = Worker::start(job).ends();
        assert!(remains.status.success(), "a worker ends without an error: {:?}", remains.status);
        assert_eq!(remains.given.len(), job.rows.len(), "every row has its outcome");
        given.extend(remains.given.clone());
        let done = remains.given.iter().all(|row| row.status != "not_sent");
        last = Some(remains);
        if done {
            break;
        }
    }
    let last = last.unwrap();
    let snapshot = Snapshot::take(&job.store, people);
    let ledger = sandbox.ledger();
    snapshot.check(&given, &ledger);
    assert!(snapshot.open.is_empty(), "a process that is not killed leaves no open intent");
    for row in &last.given {
        let kept = snapshot.kept(&row.value);
        let expected = match &*row.status {
            "found" => Kept::Hit(row.record),
            "not_found" => Kept::Miss,
            "unknown" => Kept::Unknown,
            status => panic!("repeating a call completes it: {} is {status}", row.value),
        };
        assert_eq!(kept, expected, "a run delivers what the store has: {}", row.value);
    }
    if !faulty {
        assert_eq!(last.troubles, [""; 0], "doubts of other processes are not errors of a run");
    }
    tally.unknown += snapshot.unknown.len() as u64;
    tally.hits += snapshot.hits;
}
