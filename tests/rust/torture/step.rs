//! Every operation on the store's files fails once: the first, the second, and so on to the last. Every send fails
//! once, too.

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

/// The message of a panic that is part of a test.
pub(crate) const PLANNED: &str = "planned by a test";

const NAMES: [&str; 10] = ["ana", "bob", "nobody1", "cyd", "dan", "eve", "nobody2", "fay", "ana", "gus"];

/// Which step fails, how, and whether all later steps fail, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) at: u64,
    pub(crate) fate: Fate,
    pub(crate) for_good: bool,
}

/// Lets the disk fail in this folder. Returns the number of operations that have been done on its files.
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
        // A short check takes every third step of each kind; the three kinds together take every step.
        let mut at = if times > 1 { 1 } else { 1 + number as u64 };
        loop {
            one_more_try();
            let tally = one_failure(Failing { at, fate, for_good });
            if tally.steps < at {
                break; // There is no such step any more.
            }
            (tried, refused, not_stored) =
                (tried + 1, refused + u64::from(tally.refused), not_stored + tally.not_stored);
            steps = steps.max(at);
            at += if times > 1 { 1 } else { 3 };
        }
    }
    assert!(steps > 50 && refused > 0 && not_stored > 0, "too little failed: {steps} {refused} {not_stored}");
    format!(
        "{steps} steps of a run, {tried} failures: in {refused} runs something was not sent because of it, \
         {not_stored} answers reached the caller but not the store"
    )
}

#[derive(Default)]
struct Tally {
    steps: u64,
    refused: bool,
    not_stored: u64,
}

/// The service's ledger, and the lookups that arrived without an intent in the file.
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
            assert!(books.lock().unwrap().asked.is_empty(), "a run without a store sends nothing: {told}");
        }
        Ok(done) => {
            every_answer_reaches_the_caller(done, &books.lock().unwrap(), &told);
            refused = done.receipt.count(Status::NotSent) > 0;
            let store = done.troubles.iter().any(|trouble| trouble.kind() == ErrorKind::Store);
            assert_eq!(
                refused, store,
                "a run reports why something was not sent: {told} {:?}",
                done.troubles
            );
            not_stored = done.receipt.not_stored;
        }
    }
    let unknown = repeat_the_call(&folder, &vendor, &books, &told);
    // After a single failure, everything is tried again. If the disk fails for good, a commit that failed may still be
    // found on it: two chunks may be in flight.
    let most = if failing.for_good { not_stored + 3 * 2 } else { 0 };
    assert!(
        unknown <= most,
        "only answers that could not be stored are in doubt: {told} {unknown} of {not_stored}"
    );
    Tally { steps, refused, not_stored }
}

fn check_noted(books: &Mutex<Books>, told: &str) {
    let books = books.lock().unwrap();
    assert!(
        books.unnoted.is_empty(),
        "an intent is stored before its request is sent: {told} {:?}",
        books.unnoted
    );
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

/// Repeats the call without failures. Returns how many lookups are in doubt.
fn repeat_the_call(folder: &Folder, vendor: &Vendor, books: &Mutex<Books>, told: &str) -> u64 {
    let store = folder.store();
    let in_doubt: BTreeSet<String> =
        store.unknown().unwrap().iter().map(|doubt| doubt.identifier.canonical().to_owned()).collect();
    let values: Vec<String> = NAMES.iter().map(|name| format!("{name}@x.example")).collect();
    let before = kept(&store, &values);
    for value in books.lock().unwrap().billed.keys() {
        let kept = before[value];
        let fine = kept == Kept::Hit(fingerprint(record(value).as_bytes())) || in_doubt.contains(value);
        assert!(fine, "a billed lookup is a hit or in doubt: {told} {value} {kept:?}");
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
        assert_eq!(outcome.status, expected, "repeating a call completes it: {told} {value}");
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
    /// Whether its outcome cannot be known.
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
            assert_eq!(done.outcomes.len(), NAMES.len(), "each row has an outcome: {told}");
            if vendor.asked().len() < nth {
                break;
            }
            let asked = vendor.asked()[nth - 1].len() as u64;
            let in_doubt = repeat_the_call(&folder, &vendor, &books, &told);
            let expected = if doubtful { asked } else { 0 };
            assert_eq!(
                in_doubt, expected,
                "exactly the lookups whose outcome cannot be known are in doubt: {told}"
            );
            (sends, tried, unknown) = (sends.max(nth), tried + 1, unknown + in_doubt);
        }
    }
    assert!(sends > 2 && unknown > 0, "too little failed");
    format!(
        "{sends} sends of a run, {tried} failures in {} ways: {unknown} lookups in doubt, no more",
        LUCK.len()
    )
}
