//! Purges, merges and migrations on a disk that fails at each of their steps. A failed operation loses no other data
//! and can be repeated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exactbuyer_core::config::Config;
use exactbuyer_core::error::Error;
use exactbuyer_core::service::transport::{Failure, Lost};
use exactbuyer_dispatch::RunOptions;
use exactbuyer_store::sqlite::{Info, Interrupt, SqliteStore, migrate};

use crate::books::{Kept, is_sound, kept};
use crate::disk::{self, Fate};
use crate::fixture::{Folder, Vendor, email, engine, found, holds, rows, run, settings, with_older_rules};
use crate::one_more_try;
use crate::step::{Failing, fails_as};

/// An operation on fresh copies of the stores, what is checked after it has failed, and what is checked after it has
/// been repeated.
struct Chore {
    name: &'static str,
    act: fn(&Path) -> Result<(), Error>,
    after_failure: fn(&Before, &Path),
    after_all: fn(&Before, &Path),
}

/// The stores before, and what is in them.
struct Before {
    folder: Folder,
    here: BTreeMap<String, Kept>,
    there: BTreeMap<String, Kept>,
    books: (Info, Info),
}

const CHORES: [Chore; 3] = [
    Chore { name: "purge", act: purge, after_failure: no_other_data_is_lost, after_all: no_byte_is_left },
    Chore { name: "merge", act: merge, after_failure: both_are_as_they_were, after_all: both_are_one },
    Chore {
        name: "migrate",
        act: migrate_older,
        after_failure: every_backup_is_complete,
        after_all: all_is_there,
    },
];

const HERE: &str = "a.db";
const THERE: &str = "b.db";

/// The person who is purged.
const GONE: &str = "p3@x.example";

pub(crate) fn every_chore_fails_once(times: u64) -> String {
    let before = prepare();
    let (mut failed, mut steps) = (0, Vec::new());
    for chore in CHORES {
        let mut most = 0;
        for (number, (fate, for_good)) in
            [(Fate::Fails, false), (Fate::Torn, false), (Fate::Fails, true)].into_iter().enumerate()
        {
            let mut at = if times > 1 { 1 } else { 1 + number as u64 };
            loop {
                one_more_try();
                let taken = fails(&chore, &before, Failing { at, fate, for_good });
                if taken < at {
                    break;
                }
                (failed, most) = (failed + 1, most.max(at));
                at += if times > 1 { 1 } else { 3 };
            }
        }
        assert!(most > 10, "{} has too few steps: {most}", chore.name);
        steps.push(format!("{} in {most}", chore.name));
    }
    format!("{} steps, {failed} failures: repeated each time, and no other data was lost", steps.join(", "))
}

/// Makes two stores: one with a few chunks and a doubt, and one with some people of the first.
fn prepare() -> Before {
    let folder = Folder::new();
    let vendor = Vendor::new(|number, values| match number {
        2 => Err(Failure::Lost(Lost::TimedOut)),
        _ => Ok(found(values)),
    });
    let names: Vec<String> =
        (0..24).map(|n| format!("{}{n}", if n % 5 == 4 { "nobody" } else { "p" })).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let config = Config { chunk_size: 4, max_concurrency: 1, ..settings() };
    for (file, names) in [(HERE, &names[..16]), (THERE, &names[12..])] {
        let store = open(&folder.path().join(file));
        run(&engine(config.clone(), &vendor, &store), rows(names), RunOptions::default());
    }
    let (here, there) = (look(&folder.path().join(HERE)), look(&folder.path().join(THERE)));
    let books = (here.1, there.1);
    Before { here: here.0, there: there.0, books, folder }
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, "loopback")
        .unwrap_or_else(|error| panic!("a store can always be opened: {error}"))
}

fn look(path: &Path) -> (BTreeMap<String, Kept>, Info) {
    let people: Vec<String> =
        (0..24).flat_map(|n| [format!("p{n}@x.example"), format!("nobody{n}@x.example")]).collect();
    let store = open(path);
    let looked = (kept(&store, &people), store.info().unwrap());
    drop(store);
    is_sound(path);
    looked
}

/// Lets one step fail. Returns how many steps there were.
fn fails(chore: &Chore, before: &Before, failing: Failing) -> u64 {
    let folder = Folder::new();
    for file in [HERE, THERE] {
        std::fs::copy(before.folder.path().join(file), folder.path().join(file)).unwrap();
    }
    if chore.name == "migrate" {
        with_older_rules(&folder.path().join(HERE));
    }
    let steps = fails_as(&folder, failing);
    let done = (chore.act)(folder.path());
    disk::decide_by(None);
    let steps = *steps.lock().unwrap();
    (chore.after_failure)(before, folder.path());
    if let Err(error) = (chore.act)(folder.path()) {
        panic!("a failed operation can be repeated: {} {failing:?}: {error}, after {done:?}", chore.name);
    }
    (chore.after_all)(before, folder.path());
    steps
}

fn purge(folder: &Path) -> Result<(), Error> {
    let store = SqliteStore::open(&folder.join(HERE), "loopback")?;
    store.purge(&email("p3")).map(|_| ())
}

fn no_other_data_is_lost(before: &Before, folder: &Path) {
    let (now, info) = look(&folder.join(HERE));
    for (value, kept) in &before.here {
        let right = if value == GONE { now[value] != Kept::Nothing } else { now[value] == *kept };
        assert!(right, "no other data is lost: {value} has {:?}, and had {kept:?}", now[value]);
    }
    assert_eq!(books(&info), books(&before.books.0), "no other data is lost: the sums of the journal");
}

fn no_byte_is_left(before: &Before, folder: &Path) {
    no_other_data_is_lost(before, folder);
    assert!(!holds(folder, "p3@x.example"), "no byte of a purged person is left");
    assert!(holds(folder, "p2@x.example"), "the search for bytes finds people who were not purged");
    assert_eq!(look(&folder.join(HERE)).0[GONE], Kept::Closed, "a purged person is not asked for");
}

fn merge(folder: &Path) -> Result<(), Error> {
    let store = SqliteStore::open(&folder.join(HERE), "loopback")?;
    store.merge(&folder.join(THERE)).map(|_| ())
}

fn both_are_as_they_were(before: &Before, folder: &Path) {
    let (here, there) = (look(&folder.join(HERE)).0, look(&folder.join(THERE)));
    for (value, kept) in &before.here {
        let right = here[value] == *kept || matches!(kept, Kept::Nothing | Kept::Unknown);
        assert!(right, "no other data is lost: {value} has {:?}, and had {kept:?}", here[value]);
    }
    assert_eq!(
        (&there.0, books(&there.1)),
        (&before.there, books(&before.books.1)),
        "no other data is lost: the store that is merged from"
    );
}

fn both_are_one(before: &Before, folder: &Path) {
    both_are_as_they_were(before, folder);
    let (here, info) = look(&folder.join(HERE));
    for (value, kept) in &before.there {
        let right = *kept == Kept::Nothing || here[value] == *kept || before.here[value] == here[value];
        assert!(right, "no other data is lost: {value} has {:?}, and the other {kept:?}", here[value]);
    }
    let (ours, theirs) = (books(&before.books.0), books(&before.books.1));
    assert_eq!(books(&info), [0, 1, 2].map(|n| ours[n] + theirs[n]), "each request is taken over once");
}

fn books(info: &Info) -> [u64; 3] {
    [info.requests, info.credits, info.credits_in_doubt]
}

fn migrate_older(folder: &Path) -> Result<(), Error> {
    migrate(&folder.join(HERE), &Interrupt::default()).map(|_| ())
}

fn every_backup_is_complete(_: &Before, folder: &Path) {
    for backup in backups(folder) {
        is_sound(&backup);
        let connection = rusqlite::Connection::open(&backup).unwrap();
        let requests = connection.query_row("SELECT count(*) FROM request", [], |row| row.get::<_, i64>(0));
        assert!(requests.is_ok_and(|requests| requests > 0), "every backup is complete");
    }
}

fn all_is_there(before: &Before, folder: &Path) {
    every_backup_is_complete(before, folder);
    assert!(!backups(folder).is_empty(), "there is a backup");
    let (now, info) = look(&folder.join(HERE));
    assert_eq!((&now, books(&info)), (&before.here, books(&before.books.0)), "no other data is lost");
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let is_one =
        |file: &PathBuf| file.extension().is_some_and(|end| end.to_str().unwrap().starts_with("backup-"));
    files.filter(is_one).collect()
}
