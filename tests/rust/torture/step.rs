//! Everything that is done to the store's files fails once, at its first, second, third time and so
//! on to the last; and so does every send.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use exactbuyer_core::config::Config;
use exactbuyer_core::error::ErrorKind;
use exactbuyer_core::results::Status;
use exactbuyer_core::service::transport::{Cut, Failure, Lost, NotSent, Reply};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::SqliteStore;

use crate::books::{Kept, intents, is_sound, kept};
use crate::disk::{self, Fate};
use crate::fixture::{Done, Folder, Vendor, engine, found, record, rows, run, settings, status};
use crate::one_more_try;
use crate::worker::fingerprint;

/// What a panic says that is part of a test.
pub(crate) const PLANNED: &str = "planned by a test";

const NAMES: [&str; 10] = ["ana", "bob", "nobody1", "cyd", "dan", "eve", "nobody2", "fay", "ana", "gus"];

/// How things go wrong, from which step on, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) at: u64,
    pub(crate) fate: Fate,
    pub(crate) for_good: bool,
}

/// Lets the disk fail in this folder; how many things have been done to its files.
pub(crate) fn fails_as(folder: &Folder, failing: Failing) -> Arc<Mutex<u64>> {
    let steps = Arc::new(Mutex::new(0));
    let (count, path) = (steps.clone(), folder.path().canonicalize().unwrap());
    disk::decide_by(Some(Box::new(move |file, _| {
        if file.parent() != Some(&path) {
            return Fate::Done;
        }
        let mut step = count.lock().unwrap();
        *step += 1;
        let fails = *step == failing.at || failing.for_good && *step > failing.at;
        if fails { failing.fate } else { Fate::Done }
    })));
    steps
}

pub(crate) fn every_step_fails_once(times: u64) -> String {
    let (mut steps, mut tried, mut refused, mut not_stored) = (0, 0, 0, 0);
    for (number, (fate, for_good)) in
        [(Fate::Fails, false), (Fate::Torn, false), (Fate::Fails, true)].into_iter().enumerate()
    {
        // In a short check, every third step of each kind: with the three of them, every one.
        let mut at = if times > 1 { 1 } else { 1 + number as u64 };
        loop {
            one_more_try();
            let tally = one_failure(Failing { at, fate, for_good });
            if tally.steps < at {
                break; // The last one is past.
            }
            (tried, refused, not_stored) =
                (tried + 1, refused + u64::from(tally.refused), not_stored + tally.not_stored);
            steps = steps.max(at);
            at += if times > 1 { 1 } else { 3 };
        }
    }
    assert!(steps > 50 && refused > 0 && not_stored > 0, "too little failed: {steps} {refused} {not_stored}");
    format!(
        "{steps} steps of a run, {tried} failures: in {refused} runs something was then not sent, {not_stored} answers \
         reached the caller alone"
    )
}

#[derive(Default)]
struct Tally {
    steps: u64,
    refused: bool,
    not_stored: u64,
}

/// The vendor's side, and what stood in the store whenever something arrived.
#[derive(Default)]
struct Books {
    billed: BTreeMap<String, u64>,
    asked: BTreeMap<String, u64>,
    unnoted: Vec<String>,
}

fn watching(
    folder: &Folder,
    books: &Arc<Mutex<Books>>,
    answer: impl Fn(usize, &[String]) -> (Result<Reply, Failure>, bool) + Send + Sync + 'static,
) -> Vendor {
    let (books, path) = (books.clone(), folder.path().join("a.db"));
    Vendor::new(move |number, values| {
        let noted = disk::aside(|| intents(&path).0);
        let mut books = books.lock().unwrap();
        books.unnoted.extend(values.iter().filter(|value| !noted.contains_key(*value)).cloned());
        let (reply, billed) = answer(number, values);
        for value in values {
            *books.asked.entry(value.clone()).or_default() += 1;
            if billed && !value.starts_with("nobody") {
                *books.billed.entry(value.clone()).or_default() += 1;
            }
        }
        drop(books);
        reply.inspect_err(|failure| assert!(*failure != Failure::Forbidden(PLANNED), "{PLANNED}"))
    })
}

fn few_at_a_time() -> Config {
    Config { chunk_size: 3, max_concurrency: 2, max_retries: 0, ..settings() }
}

fn one_failure(failing: Failing) -> Tally {
    let (folder, books) = (Folder::new(), Arc::new(Mutex::new(Books::default())));
    let vendor = watching(&folder, &books, |_, values| (Ok(found(values)), true));
    let steps = fails_as(&folder, failing);
    let opened = SqliteStore::open(&folder.path().join("a.db"), "loopback");
    let first = opened
        .map(|store| run(&engine(few_at_a_time(), &vendor, &store), rows(&NAMES), RunOptions::default()));
    disk::decide_by(None);
    let steps = *steps.lock().unwrap();
    let told = format!("{failing:?}");
    check_noted(&books, &told);
    let (mut refused, mut not_stored) = (true, 0);
    match &first {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Store, "{told}: {error}");
            assert!(books.lock().unwrap().asked.is_empty(), "nothing is sent without a store: {told}");
        }
        Ok(done) => {
            every_answer_reaches_the_caller(done, &books.lock().unwrap(), &told);
            refused = done.receipt.count(Status::NotSent) > 0;
            let store = done.troubles.iter().any(|trouble| trouble.kind() == ErrorKind::Store);
            assert_eq!(refused, store, "what is not sent is explained: {told} {:?}", done.troubles);
            not_stored = done.receipt.not_stored;
        }
    }
    let unknown = the_rest_is_done(&folder, &vendor, &books, &told);
    // What fails once is tried again; and a commit that failed may yet be found on a disk that failed for
    // good: two chunks may be under way.
    let most = if failing.for_good { not_stored + 3 * 2 } else { 0 };
    assert!(unknown <= most, "unknown only what could not be stored: {told} {unknown} of {not_stored}");
    Tally { steps, refused, not_stored }
}

fn check_noted(books: &Mutex<Books>, told: &str) {
    let books = books.lock().unwrap();
    assert!(books.unnoted.is_empty(), "nothing is sent that was not noted: {told} {:?}", books.unnoted);
}

fn every_answer_reaches_the_caller(done: &Done, books: &Books, told: &str) {
    let name = "every answer reaches the caller";
    assert_eq!(done.outcomes.len(), NAMES.len(), "{name}: {told}");
    for (outcome, person) in done.outcomes.iter().zip(NAMES) {
        let value = format!("{person}@x.example");
        let asked = books.asked.contains_key(&value);
        let expected = match (asked, person.starts_with("nobody")) {
            (true, true) => Status::NotFound,
            (true, false) => Status::Found,
            (false, _) => Status::NotSent,
        };
        assert_eq!(
            outcome.status, expected,
            "{name}: {told} {person} {:?} {:?}",
            outcome.reason, done.troubles
        );
        let expected = (expected == Status::Found).then(|| record(&value));
        assert_eq!(
            outcome.record.as_deref(),
            expected.as_deref().map(str::as_bytes),
            "{name}: {told} {person}"
        );
    }
}

/// The same call again, with nothing in its way; how many lookups are in doubt.
fn the_rest_is_done(folder: &Folder, vendor: &Vendor, books: &Mutex<Books>, told: &str) -> u64 {
    let store = folder.store();
    let in_doubt: BTreeSet<String> =
        store.unknown().unwrap().iter().map(|doubt| doubt.identifier.canonical().to_owned()).collect();
    let values: Vec<String> = NAMES.iter().map(|name| format!("{name}@x.example")).collect();
    let before = kept(&store, &values);
    for value in books.lock().unwrap().billed.keys() {
        let kept = before[value];
        let fine = kept == Kept::Hit(fingerprint(record(value).as_bytes())) || in_doubt.contains(value);
        assert!(fine, "what was billed is known or unknown: {told} {value} {kept:?}");
    }
    let done = run(&engine(few_at_a_time(), vendor, &store), rows(&NAMES), RunOptions::default());
    drop(store);
    check_noted(books, told);
    for (outcome, value) in done.outcomes.iter().zip(&values) {
        let expected = match (in_doubt.contains(value), value.starts_with("nobody")) {
            (true, _) => Status::Unknown,
            (false, true) => Status::NotFound,
            (false, false) => Status::Found,
        };
        assert_eq!(outcome.status, expected, "the same call again does the rest: {told} {value}");
    }
    for (value, times) in &books.lock().unwrap().billed {
        assert_eq!(*times, 1, "nothing is billed twice: {told} {value}");
    }
    is_sound(&folder.path().join("a.db"));
    in_doubt.len() as u64
}

/// How a send goes wrong.
struct Luck {
    name: &'static str,
    comes_to: fn() -> Result<Reply, Failure>,
    billed: bool,
    /// What it came to cannot be told.
    doubtful: bool,
}

const fn luck(name: &'static str, comes_to: fn() -> Result<Reply, Failure>) -> Luck {
    Luck { name, comes_to, billed: false, doubtful: false }
}

impl Luck {
    const fn billed(self) -> Self {
        Self { billed: true, ..self }
    }

    const fn doubtful(self) -> Self {
        Self { doubtful: true, ..self }
    }
}

const LUCK: [Luck; 10] = [
    luck("not sent", || Err(Failure::NotSent(NotSent::Connect))),
    luck("reset", || Err(Failure::Lost(Lost::Disconnected))).doubtful(),
    luck("reset after billing", || Err(Failure::Lost(Lost::Disconnected))).billed().doubtful(),
    luck("timeout", || Err(Failure::Lost(Lost::TimedOut))).billed().doubtful(),
    luck("500", || Ok(status(500))).doubtful(),
    luck("502 after billing", || Ok(status(502))).billed().doubtful(),
    luck("503", || Ok(status(503))),
    luck("403", || Ok(status(403))),
    luck("not a word", || Ok(Reply { cut: Some(Cut::Disconnected), ..status(200) })).billed().doubtful(),
    luck("panic", || Err(Failure::Forbidden(PLANNED))).billed().doubtful(),
];

pub(crate) fn every_send_fails_once(_: u64) -> String {
    let (mut sends, mut tried, mut unknown) = (0, 0, 0);
    for Luck { name, comes_to, billed, doubtful } in LUCK {
        for nth in 1.. {
            one_more_try();
            let told = format!("send {nth}: {name}");
            let (folder, books) = (Folder::new(), Arc::new(Mutex::new(Books::default())));
            let vendor = watching(&folder, &books, move |number, values| {
                if number == nth { (comes_to(), billed) } else { (Ok(found(values)), true) }
            });
            let store = folder.store();
            let done = run(&engine(few_at_a_time(), &vendor, &store), rows(&NAMES), RunOptions::default());
            drop(store);
            check_noted(&books, &told);
            assert_eq!(done.outcomes.len(), NAMES.len(), "every row has its outcome: {told}");
            if vendor.asked().len() < nth {
                break;
            }
            let asked = vendor.asked()[nth - 1].len() as u64;
            let in_doubt = the_rest_is_done(&folder, &vendor, &books, &told);
            let expected = if doubtful { asked } else { 0 };
            assert_eq!(in_doubt, expected, "unknown only what is in doubt, and all of it: {told}");
            (sends, tried, unknown) = (sends.max(nth), tried + 1, unknown + in_doubt);
        }
    }
    assert!(sends > 2 && unknown > 0, "too little failed");
    format!(
        "{sends} sends of a run, {tried} failures in {} ways: {unknown} lookups in doubt, no more",
        LUCK.len()
    )
}
