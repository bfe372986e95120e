//! Whole runs of the real engine against a simulated service that often fails, under a paused clock: thousands of
//! scenarios, each drawn from a seed and checked against every invariant. See `docs/design/simulation.md`.

#![allow(unreachable_pub, missing_docs)] // a test: nobody imports it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod course;
mod scenario;
mod vendor;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use exactbuyer_core::plan::Row;
use exactbuyer_dispatch::{Engine, Run, RunOptions};
use exactbuyer_store::MemoryStore;
use tokio::time::{Instant, sleep, timeout};

use check::Finished;
use scenario::Scenario;
use vendor::{Books, Vendor};

/// The number of scenarios. `SIMULATION_RUNS` sets another number; `SIMULATION_SEED` runs one scenario.
const RUNS: u64 = 50_000;

/// If no scenario ends within this real time, one is stuck in a busy loop. The paused clock does not advance during a
/// busy loop, so a limit on simulated time would not notice it. A scenario takes milliseconds.
const LONGEST: Duration = Duration::from_secs(30);

/// One scenario in this many runs twice: the same seed must give the same trace.
const TWICE: u64 = 10;

fn simulate(seed: u64) -> (Arc<Scenario>, Books, Vec<Finished>, Duration) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let scenario = Arc::new(Scenario::draw(seed));
        let started = Instant::now();
        let vendor = Vendor::new(scenario.clone());
        let books = vendor.books.clone();
        books.lock().unwrap().started = Some(started);
        let engine =
            Engine::seeded(scenario.config.clone(), Arc::new(vendor), Arc::new(MemoryStore::default()), seed);
        let options = RunOptions {
            max_credits: scenario.run_credits,
            whole: scenario.whole,
            read_ahead: Some(scenario.read_ahead),
            ..RunOptions::default()
        };
        let handle = tokio::runtime::Handle::current();
        let first = (scenario.rows.clone(), Duration::ZERO);
        let second = scenario.second.as_ref().map(|second| (second.rows.clone(), second.later));
        let fed: Vec<_> = std::iter::once(first).chain(second).collect();
        let runs: Vec<Run> = fed.iter().map(|_| engine.start(&handle, options.clone())).collect();
        let driven = runs.iter().zip(fed).map(|(run, (rows, later))| drive(&scenario, run, rows, later));
        let drive = futures_util::future::join_all(driven);
        let finished = timeout(Duration::from_hours(100), drive).await.unwrap_or_else(|_| {
            let stuck: Vec<_> = runs.iter().map(|run| (run.progress(), run.receipt())).collect();
            panic!("every run comes to an end: {stuck:#?} {:#?}", scenario.config)
        });
        // Requests that a stopped run no longer waits for are still in flight.
        while books.lock().unwrap().in_flight > 0 {
            sleep(Duration::from_secs(1)).await;
        }
        let books = std::mem::take(&mut *books.lock().unwrap());
        (scenario, books, finished, started.elapsed())
    })
}

async fn drive(scenario: &Scenario, run: &Run, rows: Vec<Row>, later: Duration) -> Finished {
    let feed = async {
        sleep(later).await;
        if scenario.slice == 0 {
            run.feed(rows.clone(), Vec::new());
        } else {
            for rows in rows.chunks(scenario.slice) {
                run.feed(rows.to_vec(), Vec::new());
                sleep(scenario.slice_wait).await;
            }
        }
        run.finish();
    };
    let stop = async {
        if let Some((after, grace)) = scenario.stop {
            sleep(after).await;
            run.stop(grace);
        }
    };
    let read = async {
        let mut outcomes = Vec::new();
        while let Some(more) = run.next().await {
            outcomes.extend(more);
            if scenario.slow_reader {
                sleep(Duration::from_secs(2)).await;
            }
        }
        (outcomes, Instant::now())
    };
    let ((outcomes, ended), ..) = tokio::join!(read, feed, stop);
    Finished { rows, outcomes, receipt: run.receipt(), troubles: run.troubles(), ended }
}

/// What must be the same in both runs of a seed: every request and every outcome.
fn trace(books: &Books, runs: &[Finished], took: Duration) -> String {
    let start = books.seen.first().map(|seen| seen.at);
    let sent = books.seen.iter().map(|seen| (start.map(|start| seen.at - start), &seen.lookups, seen.fate));
    let outcomes = runs.iter().map(|run| {
        run.outcomes.iter().map(|outcome| (outcome.row, outcome.status, outcome.source)).collect::<Vec<_>>()
    });
    format!("{:?} {:?} {took:?}", sent.collect::<Vec<_>>(), outcomes.collect::<Vec<_>>())
}

fn run_and_check(seed: u64) -> u64 {
    let (scenario, books, runs, took) = simulate(seed);
    check::all(&scenario, &books, &runs);
    course::all(&scenario, &books, &runs);
    if seed.is_multiple_of(TWICE) {
        let (_, books_again, runs_again, took_again) = simulate(seed);
        let (first, second) = (trace(&books, &runs, took), trace(&books_again, &runs_again, took_again));
        assert_eq!(first, second, "the same seed gives the same trace");
    }
    books.seen.len() as u64
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

type Panic = Box<dyn std::any::Any + Send>;

/// What the threads of one test share.
struct Work {
    runs: u64,
    next: AtomicU64,
    requests: AtomicU64,
    running: Mutex<BTreeSet<u64>>,
    failed: Mutex<BTreeMap<u64, Panic>>,
}

/// Runs scenarios until there are no more, or one has failed. Sends a message after each.
fn run_scenarios(work: &Work, over: &Sender<()>) {
    while work.failed.lock().unwrap().is_empty() {
        let seed = work.next.fetch_add(1, Ordering::Relaxed);
        if seed >= work.runs {
            break;
        }
        work.running.lock().unwrap().insert(seed);
        match catch_unwind(AssertUnwindSafe(|| run_and_check(seed))) {
            Ok(sent) => _ = work.requests.fetch_add(sent, Ordering::Relaxed),
            Err(panic) => _ = work.failed.lock().unwrap().insert(seed, panic),
        }
        work.running.lock().unwrap().remove(&seed);
        let _ = over.send(());
    }
}

#[test]
fn every_invariant_holds_in_every_scenario() {
    if let Some(seed) = asked("SIMULATION_SEED") {
        run_and_check(seed);
        return;
    }
    let runs = asked("SIMULATION_RUNS").unwrap_or(RUNS);
    let work = Arc::new(Work {
        runs,
        next: AtomicU64::default(),
        requests: AtomicU64::default(),
        running: Mutex::default(),
        failed: Mutex::default(),
    });
    let (over, overs) = channel();
    for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
        let (work, over) = (work.clone(), over.clone());
        std::thread::spawn(move || run_scenarios(&work, &over));
    }
    drop(over);
    loop {
        match overs.recv_timeout(LONGEST) {
            Ok(()) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                // The thread in the busy loop cannot be stopped; it ends with the process.
                let stuck = work.running.lock().unwrap().first().copied();
                let message = "every run comes to an end: one is in a busy loop";
                work.failed.lock().unwrap().insert(stuck.unwrap_or_default(), Box::new(message));
                break;
            }
        }
    }
    // No lower seed fails: seeds are taken in order, and each that was taken has ended.
    if let Some((seed, panic)) = work.failed.lock().unwrap().pop_first() {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        eprintln!("SIMULATION_SEED={seed} shows it again: {}", said.lines().next().unwrap_or_default());
        resume_unwind(panic);
    }
    let requests = work.requests.load(Ordering::Relaxed);
    println!("{runs} scenarios, {requests} requests");
    assert!(requests > runs, "the simulation sent too few requests");
}
