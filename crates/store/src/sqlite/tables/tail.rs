//! The tail: the newest answers, request by request, before they are moved into the index.
//!
//! Keyed hashes are spread over the whole index: a thousand answers change nearly as many of its pages, and each page is
//! written to the log and to the file. So the answers of a request are first stored as one row. Connections that look
//! up answers keep these rows in memory. Tens of thousands of answers are moved into the index at once, so that each
//! page is written once for many of them.
//!
//! ```text
//!  table tail: request ─▶ line, …, checksum    a line is 16 bytes: key (12), state (1), place (3, lowest byte first);
//!                                              the checksum is 4 bytes, a hash of the request's
//!                                              number and the lines
//!  memory:     key ─▶ answers                  the same, with the required fields and the time of their requests
//! ```
//!
//! The writer adds to the table and to its memory in the same step. If another connection has committed since its last
//! transaction, a reader first compares the numbers of the requests in the table with those that it knows. It reads only
//! new ones.
//!
//! SQLite notices most damage to a file, but not changed bytes within a row. Without the checksum, lookups whose keys
//! are damaged would be taken for new ones and paid for again.

use std::hash::Hasher;
use std::ops::RangeInclusive;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, params};
use siphasher::sip::SipHasher13;

use super::super::file::{Fault, query};
use super::super::key::Key;
use super::index;

/// The tail is moved into the index when it has one answer for this many in the index, within these bounds. The
/// larger the index, the more answers it takes until each of its pages gets several of them. The upper bound limits
/// what each connection keeps in memory and what an opening reads.
const ONE_FOR: i64 = 16;
const AT_LEAST: i64 = 20_000;
const AT_MOST: i64 = 200_000;

/// An answer that is not in the index yet.
///
/// The same columns as a row of the index, without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TailAnswer {
    pub(crate) request: i64,
    pub(crate) place: i64,
    pub(crate) state: u8,
    pub(crate) required: i64,
    pub(crate) at_ms: i64,
}

/// The tail as one connection has last seen it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// What was read of each request, so that it can be removed.
    requests: HashMap<i64, Vec<Key>>,
    /// Several if a lookup was sent again while it was in the tail.
    answers: HashMap<Key, Vec<TailAnswer>>,
    /// Lines of all requests.
    len: usize,
}

/// The outcome of a request: key, place and state of each lookup.
pub(crate) type Lines = Vec<(Key, i64, u8)>;

impl Tail {
    /// Updates it from the file, as the current transaction sees the file.
    ///
    /// Another connection may have added requests, or may have moved all of them into the index. A request that is in
    /// the table never changes.
    pub(crate) fn sync(&mut self, connection: &Connection) -> Result<(), Fault> {
        let there: HashSet<i64> = query::all(connection, "SELECT request FROM tail", [])?;
        let gone: Vec<i64> =
            self.requests.keys().filter(|request| !there.contains(*request)).copied().collect();
        for request in gone {
            self.remove(request);
        }
        if self.requests.is_empty() {
            // With one query, because there may be as many requests as lookups.
            return self.load(connection, ALL);
        }
        for request in there {
            if !self.requests.contains_key(&request) {
                self.load(connection, request..=request)?;
            }
        }
        Ok(())
    }

    fn load(&mut self, connection: &Connection, range: RangeInclusive<i64>) -> Result<(), Fault> {
        for (request, required, at_ms, lines) in read(connection, range)? {
            self.add(request, required, at_ms, &lines);
        }
        Ok(())
    }

    /// Adds the outcome of a request, which was put into the file.
    pub(crate) fn add(&mut self, request: i64, required: i64, at_ms: i64, lines: &Lines) {
        for (key, place, state) in lines {
            let answer = TailAnswer { request, place: *place, state: *state, required, at_ms };
            self.answers.entry(*key).or_default().push(answer);
        }
        self.len += lines.len();
        self.requests.insert(request, lines.iter().map(|(key, ..)| *key).collect());
    }

    fn remove(&mut self, request: i64) {
        for key in self.requests.remove(&request).unwrap_or_default() {
            self.len -= 1;
            if let Some(answers) = self.answers.get_mut(&key) {
                answers.retain(|answer| answer.request != request);
                if answers.is_empty() {
                    self.answers.remove(&key);
                }
            }
        }
    }

    pub(crate) fn of(&self, key: &Key) -> &[TailAnswer] {
        self.answers.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether it should be moved into the index.
    ///
    /// Below the lower bound, the file is not asked.
    pub(crate) fn is_full(&self, connection: &Connection) -> Result<bool, Fault> {
        let len = i64::try_from(self.len).unwrap_or(i64::MAX);
        if len < AT_LEAST {
            return Ok(false);
        }
        let indexed: i64 = query::one(connection, "SELECT answers FROM total", [])?;
        Ok(len >= (indexed / ONE_FOR).clamp(AT_LEAST, AT_MOST))
    }
}

/// Appends the outcome of a request.
pub(crate) fn put(connection: &Connection, request: i64, lines: &Lines) -> Result<(), Fault> {
    let mut packed = Vec::with_capacity(lines.len() * LINE + CHECKSUM_BYTES);
    for (key, place, state) in lines {
        packed.extend_from_slice(key.as_bytes());
        packed.push(*state);
        packed.extend(place.to_le_bytes().get(..3).unwrap_or_default());
    }
    packed.extend(checksum(request, &packed));
    query::change(connection, "INSERT OR REPLACE INTO tail VALUES (?1, ?2)", params![request, packed])?;
    Ok(())
}

/// Bytes of a lookup: its key, its state, and three bytes of its place.
const LINE: usize = Key::BYTES + 4;

/// The range of all requests.
const ALL: RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// The outcomes in the table of a range of requests: request, number of the required fields, time, and lines.
fn read(connection: &Connection, range: RangeInclusive<i64>) -> Result<Vec<(i64, i64, i64, Lines)>, Fault> {
    // The middle two are null if the request is missing. Such a row is damaged; an inner join would drop it silently.
    type Row = (i64, Option<i64>, Option<i64>, Vec<u8>);
    let rows: Vec<Row> = query::rows(
        connection,
        "SELECT request, required, coalesce(settled_ms, sent_ms), packed FROM tail
         LEFT JOIN request ON request.id = tail.request WHERE request BETWEEN ?1 AND ?2",
        [range.start(), range.end()],
    )?;
    let outcome = |(request, required, at_ms, packed): Row| {
        let (required, at_ms) = required.zip(at_ms).ok_or_else(damaged)?;
        Ok((request, required, at_ms, unpack(request, &packed)?))
    };
    rows.into_iter().map(outcome).collect()
}

const CHECKSUM_BYTES: usize = 4;

fn checksum(request: i64, lines: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = SipHasher13::new();
    hasher.write(&request.to_le_bytes());
    hasher.write(lines);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    [a, b, c, d]
}

fn unpack(request: i64, packed: &[u8]) -> Result<Lines, Fault> {
    let parts = packed.split_last_chunk().filter(|(lines, stored)| checksum(request, lines) == **stored);
    let (lines, _) = parts.ok_or_else(damaged)?;
    let line = |line: &[u8]| {
        let (key, rest) = line.split_at_checked(Key::BYTES)?;
        let [state, places @ ..] = rest else { return None };
        let place = places.iter().rev().fold(0, |place, byte| place << 8 | i64::from(*byte));
        Some((Key::from_bytes(key)?, place, *state))
    };
    Ok(lines.chunks_exact(LINE).filter_map(line).collect())
}

fn damaged() -> Fault {
    Fault::Damaged("the newest answers are damaged")
}

/// Moves the whole tail into the index. To be called in a transaction.
///
/// Sorts all lines by key and writes them in this order. The caller must empty its own [`Tail`]; other connections
/// notice with their next transaction.
pub(crate) fn fold(connection: &Connection) -> Result<(), Fault> {
    let outcomes = read(connection, ALL)?;
    if outcomes.is_empty() {
        return Ok(());
    }
    let rows = |(request, required, at_ms, lines): (i64, i64, i64, Lines)| {
        lines.into_iter().map(move |(key, place, state)| (key, request, place, state, required, at_ms))
    };
    let all: Vec<_> = outcomes.into_iter().flat_map(rows).collect();
    let moved = i64::try_from(all.len()).unwrap_or(i64::MAX);
    index::put(connection, all)?;
    query::change(connection, "DELETE FROM tail", [])?;
    query::change(connection, "UPDATE total SET answers = answers + ?1", [moved])?;
    Ok(())
}
