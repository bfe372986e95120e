//! Power cuts: everything that a run does to its files is recorded, together with the moments at which the engine
//! relied on a commit. The recording is played back up to each of these moments.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use exactbuyer_core::config::Config;
use exactbuyer_core::service::transport::Reply;
use exactbuyer_dispatch::{Engine, RunOptions};
use exactbuyer_store::sqlite::SqliteStore;
use fastrand::Rng;

use crate::books::{Kept, is_sound, kept};
use crate::disk::{self, Fate};
use crate::fixture::{Folder, Vendor, engine, found, rows, settings, status};
use crate::one_more_try;
use crate::replay::{Deed, Disk, Tail};
use crate::worker::fingerprint;

/// The number of runs that are recorded.
const RUNS: u64 = 3;

/// The number of power cuts at other moments, for each run.
const ANYWHERE: usize = 60;

const DATABASE: &str = "a.db";
const LOG: &str = "a.db-wal";

/// What happened, in order.
#[derive(Debug, Clone)]
enum Event {
    Done(String, Deed),
    /// A request with these lookups was sent: its claim was committed.
    Sent(Vec<String>),
    /// An outcome was delivered: its answer was committed.
    Given(String, Kept),
}

/// Whether the playback that is running is the control, which must lose something.
static EXPECTED_TO_FAIL: AtomicBool = AtomicBool::new(false);

pub(crate) fn is_expected_to_fail() -> bool {
    EXPECTED_TO_FAIL.load(Ordering::Relaxed)
}

type Trace = Arc<Mutex<Vec<Event>>>;

pub(crate) fn the_power_is_cut(times: u64) -> String {
    let (mut cuts, mut relied_on, mut checkpoints, mut lost) = (0, 0, 0, 0);
    for number in 0..RUNS * times {
        let trace = record(number);
        let played = play(&trace, number, |_, _| true);
        cuts += played.cuts;
        relied_on += played.relied_on;
        checkpoints += played.at_checkpoints;
        // As if a commit did not wait for the disk: synchronous=NORMAL syncs the log for a checkpoint only.
        let told = |name: &str, next: Option<&Event>| {
            name != LOG || matches!(next, Some(Event::Done(next, _)) if next == DATABASE)
        };
        EXPECTED_TO_FAIL.store(true, Ordering::Relaxed);
        let without = catch_unwind(AssertUnwindSafe(|| play(&trace, number, told)));
        EXPECTED_TO_FAIL.store(false, Ordering::Relaxed);
        lost += u64::from(without.is_err());
    }
    assert!(relied_on > 100 && checkpoints > 10, "there were too few power cuts");
    assert_eq!(lost, RUNS * times, "without a sync at each commit, this proof must fail");
    format!(
        "{cuts} power cuts ({checkpoints} within a checkpoint), {relied_on} of them right after a commit that was \
         relied on; without a sync at each commit, every run loses one"
    )
}

/// Records two runs that use one store one after the other, with checkpoints at random moments.
fn record(number: u64) -> Vec<Event> {
    let folder = Folder::new();
    let trace = Trace::default();
    let (path, events) = (folder.path().canonicalize().unwrap(), trace.clone());
    disk::decide_by(Some(Box::new(move |file, act| {
        if file.parent() == Some(&path) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            events.lock().unwrap().push(Event::Done(name, act.into()));
        }
        Fate::Done
    })));
    let mut rng = Rng::with_seed(number);
    // One run is so large that the store sorts its answers into their index.
    let (count, chunk_size) = if number == 0 { (24_000, 1_000) } else { (60, rng.usize(1..=4)) };
    let people: Vec<String> =
        (0..count).map(|n| format!("{}{n}", if n % 4 == 3 { "nobody" } else { "p" })).collect();
    for half in people.chunks(people.len() / 2) {
        let config = Config { chunk_size, max_concurrency: rng.usize(1..=6), ..settings() };
        one_run(&folder, config, half, &trace, &mut rng);
    }
    disk::decide_by(None);
    if number == 0 {
        let connection = rusqlite::Connection::open(folder.path().join(DATABASE)).unwrap();
        let sorted: i64 = connection.query_row("SELECT count(*) FROM answer", [], |row| row.get(0)).unwrap();
        assert!(sorted > 10_000, "the large run was too small: {sorted}");
    }
    Arc::try_unwrap(trace).unwrap().into_inner().unwrap()
}

fn one_run(folder: &Folder, config: Config, people: &[String], trace: &Trace, rng: &mut Rng) {
    let store = folder.store();
    let (sent, chance) = (trace.clone(), Mutex::new(rng.fork()));
    // Another connection also runs checkpoints, as another process would.
    let beside = Mutex::new(rusqlite::Connection::open(folder.path().join(DATABASE)).unwrap());
    let vendor = Vendor::new(move |_, values| {
        sent.lock().unwrap().push(Event::Sent(values.to_vec()));
        let mut chance = chance.lock().unwrap();
        if chance.u8(0..5) == 0 {
            let how = ["PASSIVE", "TRUNCATE", "RESTART"][chance.usize(0..3)];
            let ask = format!("PRAGMA wal_checkpoint({how})");
            beside.lock().unwrap().query_row(&ask, [], |_| Ok(())).unwrap();
        }
        Ok::<Reply, _>(if chance.u8(0..8) == 0 { status(500) } else { found(values) })
    });
    let engine = engine(config, &vendor, &store);
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(listen(&engine, &names, trace));
    drop((vendor, engine, runtime, store));
}

async fn listen(engine: &Engine, names: &[&str], trace: &Trace) {
    let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
    run.feed(rows(names), Vec::new());
    run.finish();
    while let Some(outcomes) = run.next().await {
        for outcome in outcomes {
            let name = names[usize::try_from(outcome.row).unwrap()];
            let kept = match outcome.status.as_str() {
                "found" => Kept::Hit(fingerprint(outcome.record.as_deref().unwrap_or_default())),
                "not_found" => Kept::Miss,
                "unknown" => Kept::Unknown,
                _ => continue,
            };
            trace.lock().unwrap().push(Event::Given(format!("{name}@x.example"), kept));
        }
    }
}

#[derive(Default)]
struct Played {
    cuts: u64,
    relied_on: u64,
    at_checkpoints: u64,
}

/// Cuts the power at each moment at which something was relied on, and at other moments. `told` says which syncs reach
/// the disk.
fn play(trace: &[Event], seed: u64, told: impl Fn(&str, Option<&Event>) -> bool) -> Played {
    let mut rng = Rng::with_seed(seed);
    // Half of them within a checkpoint.
    let is_checkpoint = |event: &Event| matches!(event, Event::Done(name, _) if name == DATABASE);
    let checkpoints: Vec<usize> = (0..trace.len()).filter(|place| is_checkpoint(&trace[*place])).collect();
    let anywhere: Vec<usize> =
        (0..ANYWHERE)
            .map(|n| {
                if n % 2 == 0 {
                    rng.usize(..trace.len())
                } else {
                    checkpoints[rng.usize(..checkpoints.len())]
                }
            })
            .collect();
    let (mut disk, mut owed, mut played) = (Disk::default(), BTreeMap::new(), Played::default());
    for (place, event) in trace.iter().enumerate() {
        match event {
            Event::Done(name, deed) => {
                if !matches!(deed, Deed::Sync) || told(name, trace.get(place + 1)) {
                    disk.doing(name, deed);
                }
            }
            Event::Sent(values) => owed.extend(values.iter().map(|value| (value.clone(), None))),
            Event::Given(value, kept) => _ = owed.insert(value.clone(), Some(*kept)),
        }
        // If several such moments follow each other without a file operation in between, only the last is tested: it
        // includes the others.
        let next = trace.get(place + 1);
        let relied_on = !matches!(event, Event::Done(..)) && matches!(next, Some(Event::Done(..)) | None);
        let tails: &[Tail] = match (relied_on, anywhere.contains(&place)) {
            (true, _) => &[Tail::Nothing, Tail::EVERY[rng.usize(1..Tail::EVERY.len())]],
            (false, true) => &[Tail::EVERY[rng.usize(..Tail::EVERY.len())]],
            (false, false) => continue,
        };
        for tail in tails {
            one_more_try();
            played.cuts += 1;
            played.relied_on += u64::from(relied_on);
            played.at_checkpoints += u64::from(disk.is_at_a_checkpoint(DATABASE));
            let folder = Folder::new();
            disk.cut(*tail, &mut rng, folder.path());
            nothing_relied_on_is_lost(folder.path(), &owed);
        }
    }
    played
}

fn nothing_relied_on_is_lost(folder: &Path, owed: &BTreeMap<String, Option<Kept>>) {
    let path = folder.join(DATABASE);
    let store = SqliteStore::open(&path, "loopback")
        .unwrap_or_else(|error| panic!("a store can always be opened: {error}"));
    let people: Vec<String> = owed.keys().cloned().collect();
    for (value, kept) in kept(&store, &people) {
        let right = match owed[&value] {
            Some(given) => kept == given,
            None => !matches!(kept, Kept::Nothing | Kept::Held),
        };
        assert!(
            right,
            "a power cut loses no commit that was relied on: {value} has {kept:?}, given {:?}",
            owed[&value]
        );
    }
    drop(store);
    is_sound(&path);
}
