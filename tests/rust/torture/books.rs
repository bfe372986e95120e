//! The invariants of a store whose processes were killed or failed. An assertion that fails begins with the invariant's
//! name.
//!
//! Where the store itself is checked, the file is read with separate SQL and not through the store, so that an error in
//! the store is noticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use exactbuyer_core::store::{Availability, Outcome, Store, Terms};
use exactbuyer_sandbox::Ledger;
use exactbuyer_store::sqlite::SqliteStore;
use rusqlite::Connection;

use crate::fixture::Folder;
use crate::worker::{Given, fingerprint, person};

/// What a store has for a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A contact, by its bytes.
    Hit(u64),
    Miss,
    Unknown,
    /// Refused, or barred.
    Closed,
    /// Nothing: a run would send it.
    Nothing,
    /// A request for it is in flight.
    Held,
}

/// A store as it was on the disk at one moment, and what it reports after it is opened.
pub(crate) struct Snapshot {
    /// The lookups in flight, each with its owner: intents without an answer.
    pub(crate) open: BTreeMap<String, i64>,
    /// The lookups that were in doubt before.
    pub(crate) doubted: BTreeSet<String>,
    /// The lookups that are in doubt now.
    pub(crate) unknown: BTreeSet<String>,
    kept: BTreeMap<String, Kept>,
    pub(crate) credits: u64,
    pub(crate) in_doubt: u64,
    pub(crate) hits: u64,
}

/// Copies the files of a store that still count after a crash of the process or the machine.
fn copy(path: &Path, folder: &Folder) -> PathBuf {
    let to = folder.path().join("copy.db");
    for end in ["", "-wal", "-journal"] {
        let with = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        if with(path).exists() {
            std::fs::copy(with(path), with(&to)).unwrap();
        }
    }
    to
}

impl Snapshot {
    /// Takes a snapshot of a store that no process has open. Only copies of it are opened.
    pub(crate) fn take(path: &Path, people: &[String]) -> Self {
        let folder = Folder::new();
        let (open, doubted) = intents(&copy(path, &folder));
        let folder = Folder::new();
        Self::open(&copy(path, &folder), people, open, doubted)
    }

    /// Opens a store and reads what it has.
    fn open(path: &Path, people: &[String], open: BTreeMap<String, i64>, doubted: BTreeSet<String>) -> Self {
        let store = SqliteStore::open(path, "loopback")
            .unwrap_or_else(|error| panic!("a store can always be opened: {error}"));
        let unknown = store.unknown().unwrap();
        let unknown = unknown.iter().map(|doubt| doubt.identifier.canonical().to_owned()).collect();
        let info = store.info().unwrap();
        let kept = kept(&store, people);
        drop(store);
        let (credits, in_doubt, hits) = (info.credits, info.credits_in_doubt, info.hits);
        is_sound(path);
        Self { open, doubted, unknown, kept, credits, in_doubt, hits }
    }

    pub(crate) fn kept(&self, value: &str) -> Kept {
        self.kept.get(value).copied().unwrap_or(Kept::Nothing)
    }

    /// Checks what holds after every death of a process.
    pub(crate) fn check(&self, given: &[Given], ledger: &Ledger) {
        self.no_answer_is_lost(given);
        self.the_doubts_are_exactly_the_open_intents();
        self.each_sent_lookup_is_a_hit_a_miss_or_in_doubt(ledger);
        self.the_journal_covers_the_billed_credits(ledger);
        nothing_is_billed_twice(ledger);
    }

    fn no_answer_is_lost(&self, given: &[Given]) {
        for row in given {
            let kept = self.kept(&row.value);
            let same = match &*row.status {
                "found" => kept == Kept::Hit(row.record),
                "not_found" => kept == Kept::Miss,
                "unknown" => {
                    assert_eq!(kept, Kept::Unknown, "a doubt stays until the user decides: {}", row.value);
                    continue;
                }
                _ => continue,
            };
            assert!(same, "no answer is lost: {row:?} was delivered, the store has {kept:?}");
        }
    }

    /// Includes what has been billed since the process was killed: those requests were in flight.
    fn each_sent_lookup_is_a_hit_a_miss_or_in_doubt(&self, ledger: &Ledger) {
        for entry in ledger.entries() {
            let (_, _, value, credits) = entry;
            let kept = self.kept(value);
            let right = match kept {
                Kept::Hit(_) => credits == 1,
                Kept::Miss => credits == 0,
                Kept::Unknown => true,
                Kept::Closed | Kept::Nothing | Kept::Held => false,
            };
            assert!(
                right,
                "each lookup that was sent is a hit, a miss or in doubt: {entry:?}, and the store has {kept:?}"
            );
        }
    }

    fn the_doubts_are_exactly_the_open_intents(&self) {
        let open: BTreeSet<String> = self.open.keys().chain(&self.doubted).cloned().collect();
        let (more, less): (Vec<_>, Vec<_>) =
            (self.unknown.difference(&open).collect(), open.difference(&self.unknown).collect());
        assert!(
            more.is_empty() && less.is_empty(),
            "the doubts are exactly the intents that were open: {more:?} were not open, {less:?} are not in doubt"
        );
    }

    fn the_journal_covers_the_billed_credits(&self, ledger: &Ledger) {
        let (known, billed) = (self.credits, ledger.credits());
        assert!(
            known <= billed && billed <= known + self.in_doubt,
            "the journal covers the billed credits: {billed} billed, {known} + {} in the journal",
            self.in_doubt
        );
    }
}

/// Each identifier is billed at most once.
pub(crate) fn nothing_is_billed_twice(ledger: &Ledger) {
    for (_, value, _, billed) in ledger.identifiers() {
        assert!(billed <= 1, "nothing is billed twice: {value} {billed} times");
    }
}

/// What the store has for each of these people.
pub(crate) fn kept(store: &SqliteStore, people: &[String]) -> BTreeMap<String, Kept> {
    let lookups: Vec<_> = people.iter().map(|value| person(value)).collect();
    // As a run reads them, with their contacts. (A plan does not read contacts.)
    let run = store.begin(Terms::default());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (required, lookups) = ([].into(), lookups.iter().collect::<Vec<_>>());
    let availability = runtime.block_on(store.consult(run, &required, &lookups)).unwrap();
    store.end(run);
    let kept = |availability| match availability {
        Availability::Known(Outcome::Hit(record), _) => Kept::Hit(fingerprint(&record)),
        Availability::Known(Outcome::Miss, _) => Kept::Miss,
        Availability::Known(Outcome::Unknown(_), _) => Kept::Unknown,
        Availability::Known(Outcome::Rejected(_) | Outcome::NotSent(_), _) => Kept::Closed,
        Availability::Free | Availability::Again => Kept::Nothing,
        Availability::Held => Kept::Held,
    };
    people.iter().cloned().zip(availability.into_iter().map(kept)).collect()
}

/// SQLite's integrity check finds nothing.
pub(crate) fn is_sound(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let said: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(said, "ok", "a store can always be opened: SQLite's integrity check");
}

/// The lookups in flight with their owners, and the earlier doubts, as they are in the file.
pub(crate) fn intents(path: &Path) -> (BTreeMap<String, i64>, BTreeSet<String>) {
    let connection = Connection::open(path).unwrap();
    let tables: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('request', 'answer', 'block')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    if tables == 0 {
        return (BTreeMap::new(), BTreeSet::new()); // The process was killed before it had created the tables.
    }
    let mut open = BTreeMap::new();
    let mut ask = connection.prepare("SELECT intent, owner FROM request WHERE settled_ms IS NULL").unwrap();
    let mut rows = ask.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (packed, owner): (Vec<u8>, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        open.extend(entries(&packed).into_iter().map(|(value, _)| (value, owner)));
    }
    let mut ask = connection
        .prepare("SELECT body, (SELECT group_concat(place) FROM answer WHERE request = block.id >> 20 AND state IN (3, 6)), block.id & 1048575 FROM block")
        .unwrap();
    let mut rows = ask.query([]).unwrap();
    let mut doubted = BTreeSet::new();
    while let Some(row) = rows.next().unwrap() {
        let Some(places) = row.get::<_, Option<String>>(1).unwrap() else { continue };
        let places: BTreeSet<usize> = places.split(',').map(|place| place.parse().unwrap()).collect();
        let first: usize = row.get::<_, i64>(2).unwrap().try_into().unwrap();
        let values = entries(&row.get::<_, Vec<u8>>(0).unwrap());
        doubted.extend(
            values
                .into_iter()
                .zip(first..)
                .filter(|(_, at)| places.contains(at))
                .map(|((value, _), _)| value),
        );
    }
    (open, doubted)
}

/// Decodes a block into identifiers and what was found for them. Each entry has a type, a state, and two texts, each
/// with its length as a varint of seven bits to a byte.
fn entries(packed: &[u8]) -> Vec<(String, Vec<u8>)> {
    let raw = zstd::decode_all(packed).unwrap();
    let (mut rest, mut entries) = (&raw[..], Vec::new());
    let text = |rest: &mut &[u8]| {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = rest[0];
            *rest = &rest[1..];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let (text, after) = rest.split_at(length);
        *rest = after;
        text.to_vec()
    };
    while !rest.is_empty() {
        rest = &rest[2..];
        let value = String::from_utf8(text(&mut rest)).unwrap();
        entries.push((value, text(&mut rest)));
    }
    entries
}
