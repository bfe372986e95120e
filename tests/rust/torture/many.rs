//! Eight processes share one store. Their lists overlap and have duplicates, and one process is killed. In a second
//! proof, some of them read the store's files all the time.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::time::Duration;

use exactbuyer_sandbox::{Options, Sandbox};
use fastrand::Rng;

use crate::books::{Kept, Snapshot, intents, nothing_is_billed_twice};
use crate::fixture::Folder;
use crate::one_more_try;
use crate::worker::{Given, Job, Moment, Remains, Worker};

/// The number of runs.
const RUNS: u64 = 5;

const PROCESSES: usize = 8;

/// The number of rows of each process, duplicates included.
const ROWS: usize = 100;

/// The share of rows that are duplicates.
const DUPLICATES: f64 = 0.3;

/// How many other stores all processes create at the same time first.
const MAKES: usize = 6;

/// In every third run, the disks of this many processes sometimes fail.
const FAILING: usize = 3;

/// The number of people from whom all lists are drawn.
const PEOPLE: usize = 250;

#[derive(Default)]
struct Tally {
    runs: u64,
    killed: u64,
    failing: usize,
    free_rows: u64,
    billed: u64,
    unknown: u64,
    at_the_ceiling: u64,
}

impl Tally {
    /// Whether each kind of event has happened at least once.
    fn shows(&self) -> bool {
        self.killed > 0 && self.free_rows > 0 && self.billed > 0 && self.at_the_ceiling > 0
    }
}

/// In the second proof, one in this many processes reads the files.
const READERS: usize = 2;

pub(crate) fn eight_at_once(times: u64) -> String {
    several(times, RUNS, false)
}

/// If closing any descriptor of a file dropped the locks of the whole process, this would destroy stores.
pub(crate) fn eight_while_their_files_are_read(times: u64) -> String {
    catch_unwind(|| several(times, 2 * RUNS, true)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map_or("", String::as_str);
        panic!("reading a store's files does no harm: {said}")
    })
}

fn several(times: u64, runs: u64, are_read: bool) -> String {
    // How long a process runs if it is not killed. Updated from each run.
    let mut lives = Duration::from_millis(400);
    let mut tally = Tally::default();
    let runs = runs * if times > 1 { times * 2 } else { 1 };
    // More runs if some kind of event has not happened.
    while tally.runs < runs || tally.runs < 5 * runs && !tally.shows() {
        one_more_try();
        let done = one_run(tally.runs, &mut lives, are_read);
        tally.runs += 1;
        tally.killed += u64::from(done.killed);
        tally.failing += done.failing;
        tally.free_rows += done.free_rows;
        tally.billed += done.billed;
        tally.unknown += done.unknown;
        tally.at_the_ceiling += u64::from(done.at_the_ceiling);
    }
    assert!(tally.shows(), "some kind of event never happened");
    let Tally { runs, killed, failing, free_rows, billed, unknown, at_the_ceiling } = tally;
    format!(
        "{runs} runs of {PROCESSES} processes, {killed} killed, {failing} with a failing disk, {at_the_ceiling} runs \
         at the ceiling: {billed} lookups billed, each once; {free_rows} rows answered by another process; {unknown} \
         in doubt"
    )
}

struct Done {
    killed: bool,
    failing: usize,
    at_the_ceiling: bool,
    /// Rows that cost nothing, because another process had sent their lookups.
    free_rows: u64,
    billed: u64,
    unknown: u64,
}

fn one_run(number: u64, lives: &mut Duration, are_read: bool) -> Done {
    let mut rng = Rng::with_seed(number);
    let sandbox = Sandbox::start(Options {
        seed: number,
        latency: Duration::from_micros(rng.u64(0..8_000)),
        requests_per_minute: None,
        ..Options::default()
    })
    .unwrap();
    let folder = Folder::new();
    let people: Vec<String> = (0..PEOPLE).map(|n| format!("p{n}@x.example")).collect();
    // The service knows about 70 % of them, so half of the ceilings are reached.
    let ceiling = number.is_multiple_of(2).then(|| rng.u64(20..120));
    let store = folder.path().join("a.db");
    let mut all: Vec<Process> = (0..PROCESSES)
        .map(|place| {
            let fails = number % 3 == 2 && place < FAILING;
            let job = Job {
                store: store.clone(),
                url: sandbox.url(),
                rows: draw(&people, &mut rng),
                chunk_size: rng.usize(1..=9),
                max_concurrency: rng.usize(1..=8),
                max_credits: ceiling,
                openings: rng.usize(1..=3),
                waits: true,
                reads: are_read && place % READERS == 0,
                makes: if fails { 0 } else { MAKES },
                one_fails_in: fails.then_some(150),
                ..Job::default()
            };
            Process { worker: Worker::start(&job), job }
        })
        .collect();
    for process in &mut all {
        assert!(process.worker.says("ready"));
    }
    for process in &mut all {
        process.worker.go();
    }
    let victim = all.remove(rng.usize(..PROCESSES));
    let moment = Moment { after: lives.mul_f64(rng.f64()), stage: "opening" };
    let mut ended = vec![(victim.worker.kill_at(moment), victim.job)];
    ended.extend(all.into_iter().map(|process| (process.worker.ends(), process.job)));

    let killed = ended[0].0.status.signal() == Some(9);
    for (remains, job) in ended.iter().skip(usize::from(killed)) {
        *lives = (*lives * 7 + remains.lived) / 8;
        comes_to_an_end(remains, job);
    }
    let ledger = sandbox.ledger();
    nothing_is_billed_twice(&ledger);
    let name = "never more credits than max_credits";
    if let Some(ceiling) = ceiling {
        assert!(ledger.credits() <= ceiling, "{name}: {} billed of {ceiling}", ledger.credits());
    }
    let failing = ended.iter().filter(|(_, job)| job.one_fails_in.is_some()).count();
    no_running_process_is_treated_as_dead(&store, usize::from(killed) + failing);
    let snapshot = Snapshot::take(&store, &people);
    // An answer that a failing disk could not store is in doubt until it is stored later.
    let is_certain = |row: &Given, job: &Job| {
        job.one_fails_in.is_none() || row.status != "unknown" && snapshot.kept(&row.value) != Kept::Unknown
    };
    let given = ended.iter().flat_map(|(remains, job)| remains.given.iter().map(move |row| (row, job)));
    let given: Vec<Given> =
        given.filter(|(row, job)| is_certain(row, job)).map(|(row, _)| row.clone()).collect();
    snapshot.check(&given, &ledger);
    if let Some(ceiling) = ceiling {
        let counted = snapshot.credits + snapshot.in_doubt;
        assert!(counted <= ceiling, "{name}: {counted} in the journal of {ceiling}");
    }
    let answered = |kept| matches!(kept, Kept::Hit(_) | Kept::Miss);
    let asked: BTreeSet<&str> = ledger.entries().map(|(_, _, value, _)| value).collect();
    let answered = asked.iter().filter(|value| answered(snapshot.kept(value))).count() as u64;
    let rows = given.iter().filter(|row| row.status != "not_sent").count() as u64;
    Done {
        killed,
        failing,
        at_the_ceiling: ceiling.is_some() && given.iter().any(|row| row.status == "not_sent"),
        free_rows: rows.saturating_sub(answered),
        billed: ledger.credits(),
        unknown: snapshot.unknown.len() as u64,
    }
}

struct Process {
    worker: Worker,
    job: Job,
}

fn draw(people: &[String], rng: &mut Rng) -> Vec<String> {
    let mut rows: Vec<String> = Vec::with_capacity(ROWS);
    for _ in 0..ROWS {
        let again = !rows.is_empty() && rng.f64() < DUPLICATES;
        let from = if again { &rows[..] } else { people };
        rows.push(from[rng.usize(..from.len())].clone());
    }
    rows
}

/// A process that was not killed ends, with one outcome for each row.
fn comes_to_an_end(remains: &Remains, job: &Job) {
    let name = "every run comes to an end";
    assert!(remains.status.success(), "{name}: {:?} {:?}", remains.status, remains.troubles);
    let (limited, failing) = (job.max_credits.is_some(), job.one_fails_in.is_some());
    let mut rows: Vec<&str> = job.rows.iter().map(String::as_str).collect();
    let mut given: Vec<&str> = remains.given.iter().map(|row| &*row.value).collect();
    rows.sort_unstable();
    given.sort_unstable();
    // If the store could not be opened, there was no run.
    assert!(
        rows == given || failing && !remains.troubles.is_empty(),
        "{name}: each row has an outcome: {given:?}"
    );
    for row in &remains.given {
        let fine = match &*row.status {
            "found" | "not_found" | "unknown" => true,
            "not_sent" => limited || failing,
            _ => false,
        };
        assert!(fine, "{name}: {row:?} {:?}", remains.troubles);
    }
    let fine = |trouble: &String| {
        limited && trouble.contains("BudgetExceeded") || failing && trouble.starts_with("trouble Store")
    };
    assert!(remains.troubles.iter().all(fine), "{name}: without other errors: {:?}", remains.troubles);
}

/// Only processes that were killed, or whose disks fail, leave doubts.
fn no_running_process_is_treated_as_dead(store: &std::path::Path, most: usize) {
    let (open, doubted) = intents(store);
    let connection = rusqlite::Connection::open(store).unwrap();
    let ask = "SELECT count(DISTINCT owner) FROM request WHERE settled_ms IS NULL OR outcome = 'left'";
    let owners: i64 = connection.query_row(ask, [], |row| row.get(0)).unwrap();
    assert!(
        usize::try_from(owners).unwrap() <= most,
        "no running process is treated as dead: {owners} of {most} have left {open:?} and {doubted:?}"
    );
}
