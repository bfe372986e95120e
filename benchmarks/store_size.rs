//! What a large store costs to open, to plan against, to search and to purge.
//!
//! ```console
//! $ cargo bench -p exactbuyer_tests --bench store_size -- 2100000 [folder]
//! ```
//!
//! Makes the store in the folder (by default a temporary one), some 250 bytes a lookup, and removes it.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::cast_precision_loss)] // counts of lookups

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::store::{Claim, Evidence, Outcome, RequestOutcome, Required, Store, Terms};
use exactbuyer_store::sqlite::{SqliteStore, Target};

/// Lookups of one request.
const CHUNK: usize = 1_000;

/// Size of a log after many answers were moved into the index of a large store.
const LARGE_LOG: u64 = 40 << 20;

/// The round in which the other process ends by itself.
const CLOSES: usize = 3;

/// Lookups planned at a time, as the engine does.
const PLANNED: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.iter().find(|argument| argument.starts_with('/')).map(PathBuf::from);
    let numbers: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if arguments.iter().any(|argument| argument == "die") {
        die(&folder.unwrap(), numbers[0], numbers[1]);
        return;
    }
    let lookups = numbers.first().copied().unwrap_or(300_000);
    let folder =
        folder.unwrap_or_else(std::env::temp_dir).join(format!("exactbuyer-size-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("store.db");
    let open = || SqliteStore::open(&path, "loopback").unwrap();

    let timed = |what: &str, act: &mut dyn FnMut() -> u64| {
        let (start, cpu) = (Instant::now(), cpu_s());
        let count = act();
        let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_s() - cpu);
        println!("{what:34} {:10.1} ms, {:10.1} ms of processor time; {count}", wall * 1e3, cpu * 1e3);
    };
    timed("made", &mut || {
        let store = open();
        for first in (0..lookups).step_by(CHUNK) {
            ask(&store, first..(first + CHUNK).min(lookups));
        }
        lookups as u64
    });
    let mut store = None;
    for what in ["opened", "opened once more"] {
        timed(what, &mut || {
            store = Some(open());
            0
        });
    }
    timed("closed", &mut || {
        store = None;
        0
    });
    // Another process is killed during its work: with a small log, and after it has moved answers into the
    // index, which fills the log.
    for (round, what) in [
        "opened after a kill",
        "the same with a large log",
        "the same with small requests",
        "opened while another closes it",
    ]
    .into_iter()
    .enumerate()
    {
        // Closing the store here empties its log.
        store = None;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["die", &path.display().to_string(), &lookups.to_string(), &round.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        if round != CLOSES {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let log = std::fs::metadata(folder.join("store.db-wal")).map_or(0, |log| log.len());
        timed(what, &mut || {
            store = Some(open());
            log
        });
        child.wait().unwrap();
    }
    let store = store.unwrap();
    timed("first look", &mut || plan(&store, 0..PLANNED));
    let planned = lookups / 10;
    timed("planned, side by side", &mut || plan(&store, 0..planned));
    timed("planned, from everywhere", &mut || {
        let step = 7_919;
        let some: Vec<usize> = (0..planned).map(|number| number * step % lookups).collect();
        some.chunks(PLANNED)
            .map(|some| look(&store, &some.iter().map(|n| person(*n)).collect::<Vec<_>>()))
            .sum()
    });
    timed("planned, nobody known", &mut || plan(&store, 2 * lookups..2 * lookups + planned));
    for (what, target) in [
        ("found by address", Target::Identifier(person(lookups / 2))),
        (
            "found by phone",
            Target::Identifier(Identifier::from_canonical(FieldType::Phone, phone(lookups / 2 + 123))),
        ),
        ("found by text", Target::Text(format!("Person {} ", lookups / 2))),
    ] {
        timed(what, &mut || store.find(&target).unwrap().len() as u64);
    }
    let more = 20 * CHUNK;
    timed("20,000 answers stored", &mut || ask_many(&store, lookups, more));
    timed("purged", &mut || store.purge(&person(lookups / 2)).unwrap().answers);
    timed("20,000 answers, somebody purged", &mut || ask_many(&store, lookups + more, more));
    timed("counted", &mut || store.info().unwrap().hits);
    drop(store);
    println!("{} MB", std::fs::metadata(&path).unwrap().len() >> 20);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Uses the store for a while, and then waits to be killed in the middle of a request.
fn die(path: &Path, lookups: usize, round: usize) {
    let store = SqliteStore::open(path, "loopback").unwrap();
    let log = || std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    let mut first = (10 + round) * lookups;
    let small = if round == 2 { 20 * CHUNK } else { 0 };
    for number in 0..small {
        ask(&store, first + number..first + number + 1);
    }
    first += small;
    for _ in 0..if round % 2 == 1 { 400 } else { 20 } {
        ask(&store, first..first + CHUNK);
        first += CHUNK;
        if log() > LARGE_LOG {
            break;
        }
    }
    let people: Vec<Identifier> = (first..first + CHUNK).map(person).collect();
    wait(store.claim(store.begin(terms()), &required(), &people)).unwrap();
    println!("asked");
    if round == CLOSES {
        return;
    }
    std::io::stdin().read_line(&mut String::new()).unwrap();
    std::thread::park();
}

fn ask_many(store: &SqliteStore, first: usize, count: usize) -> u64 {
    for first in (first..first + count).step_by(CHUNK) {
        ask(store, first..first + CHUNK);
    }
    count as u64
}

fn required() -> Required {
    [].into()
}

fn terms() -> Terms {
    Terms { requests_per_minute: 1_000_000, ..Terms::default() }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn person(number: usize) -> Identifier {
    let address = format!("person{number}@company{}.example", number % 997);
    Identifier::from_canonical(FieldType::Email, address)
}

fn phone(number: usize) -> String {
    format!("+1{:010}", 2_000_000_000 + number * 389 % 8_000_000_000)
}

/// A contact like those of real services: some 1,100 bytes, with dates, numbers and links.
fn contact(number: usize) -> String {
    let (company, phone) = (number % 997, phone(number));
    let position = |year: usize| {
        format!(
            r#"{{"title":"Head of team {}","company":{{"name":"Company {company} Ltd.","domain":"company{company}.example","linkedin_url":"https:\/\/www.linkedin.com\/company\/company-{company}","employees":{}}},"start_date":"{year}-03-01","end_date":"{}-02-28"}}"#,
            number % 31,
            number % 5_000,
            year + 3,
        )
    };
    format!(
        r#"{{"id":"{:032x}","full_name":"Person {number} N\u00fa\u00f1ez","emails":[{{"email":"person{number}@company{company}.example","type":"work"}}],"phone_numbers":[{{"e164":"{phone}","type":"mobile"}}],"location":{{"city":"Springfield","postal_code":"{}","country":"US","latitude":40.71{number},"longitude":-74.0}},"social_profiles":[{{"network":"linkedin","url":"https:\/\/www.linkedin.com\/in\/person-{number}"}}],"experience":[{},{},{}]}}"#,
        number as u128 * 0x9e37_79b9_7f4a_7c15,
        10_000 + number % 90_000,
        position(2004),
        position(2008),
        position(2013),
    )
}

fn ask(store: &SqliteStore, numbers: std::ops::Range<usize>) {
    let people: Vec<Identifier> = numbers.clone().map(person).collect();
    let run = store.begin(terms());
    let Claim::Granted { request, .. } = wait(store.claim(run, &required(), &people)).unwrap() else {
        return;
    };
    let lines = people.into_iter().zip(numbers).map(|(person, number)| {
        let known = if number % 10 < 7 { Outcome::Hit(contact(number).into()) } else { Outcome::Miss };
        (person, known)
    });
    let evidence =
        Evidence { at_ms: 1, outcome: RequestOutcome::Answered, left: true, ..Evidence::default() };
    wait(store.settle(run, &required(), request, lines.collect(), evidence)).unwrap();
    store.end(run);
}

fn plan(store: &SqliteStore, numbers: std::ops::Range<usize>) -> u64 {
    let people: Vec<Identifier> = numbers.map(person).collect();
    people.chunks(PLANNED).map(|people| look(store, people)).sum()
}

fn look(store: &SqliteStore, people: &[Identifier]) -> u64 {
    let people: Vec<&Identifier> = people.iter().collect();
    store.peek(&terms(), &required(), &people).unwrap().len() as u64
}

/// Processor seconds of this process, user and system (`man 5 proc_pid_stat`, fields 14 and 15, in
/// hundredths of a second).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}
