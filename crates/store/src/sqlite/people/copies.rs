//! What a merge takes over about people who were purged from a copy of this store, or allowed again there. This is
//! possible because copies share the secret of the hashes. For each identifier, the later of the last purge and the last
//! `allow` counts, so merges can be done in any order and direction, and repeated.
//!
//! A merge does this before it takes over any request, in this order: bar, allow, erase. So no answer of the other
//! store is stored for a person who was purged from it.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension, params};

use exactbuyer_core::error::Error;

use super::super::file::{Fault, query};
use super::super::key::Key;
use super::super::process::SqliteStore;
use super::super::recognise::{Matcher, PurgedPeople};
use super::super::tables::barred;
use super::super::threads::WriterState;
use super::purge::{Purged, erase};

/// Barred identifiers read and written in one transaction.
const AT_ONCE: i64 = 10_000;

/// The entry of `meta` that exists from the commit that bars people until they are erased.
///
/// A merge that is killed leaves it, and the next merge erases first.
const TO_ERASE: &str = "to_erase";

impl SqliteStore {
    /// Bars the people who are barred in a copy of this store, unless this store has a later decision. Records that they
    /// must be erased.
    ///
    /// In pages, each of which is a transaction on either side.
    ///
    /// # Errors
    /// If either store cannot be used. What was barred until then stays barred.
    pub(crate) fn take_over_barred(&self, other: &Self) -> Result<(), Error> {
        let mut after = Vec::new();
        loop {
            let page = other.ask(move |reader, _| barred(&reader.connection, &after))?;
            let Some((key, ..)) = page.last() else { return Ok(()) };
            after = key.as_bytes().to_vec();
            self.write(move |connection, writer| put_barred(connection, writer, &page))?;
        }
    }

    /// Allows the people who were allowed in a copy of this store, unless this store has a later decision.
    ///
    /// Unbars those whose purge is older, also if it was taken over from the copy a moment ago.
    pub(crate) fn take_over_allowed(&self, other: &Self) -> Result<(), Error> {
        let mut after = Vec::new();
        loop {
            let page = other.ask(move |reader, _| allowed(&reader.connection, &after))?;
            let Some((key, _)) = page.last() else { return Ok(()) };
            after = key.as_bytes().to_vec();
            self.write(move |connection, writer| put_allowed(connection, writer, &page))?;
        }
    }

    /// Erases the people who were taken over and are not erased yet, by this merge or by an earlier one that did not end.
    /// Returns whether the log was emptied.
    ///
    /// If the log was not emptied, the note stays, and the next merge erases again, which finds nothing.
    pub(crate) fn erase_barred(&self) -> Result<bool, Error> {
        let is_to_do: bool = self.ask(|reader, _| {
            query::one(&reader.connection, "SELECT EXISTS (SELECT 1 FROM meta WHERE name = ?1)", [TO_ERASE])
        })?;
        if !is_to_do {
            return Ok(true);
        }
        let purged = self.ask(|reader, shared| {
            Ok(PurgedPeople::new(barred::named_keys(&reader.connection)?, shared.secret().clone()))
        })?;
        if !purged.is_empty() {
            let matcher: Arc<dyn Matcher> = Arc::new(purged);
            self.erase_all(&matcher, &mut Purged::default())?;
        }
        self.erase_older()?;
        let cleaned = self.empty_log()?;
        if cleaned {
            self.write(|connection, _| {
                query::change(connection, "DELETE FROM meta WHERE name = ?1", [TO_ERASE]).map(drop)
            })?;
        }
        Ok(cleaned)
    }

    /// Erases the answers to barred lookups that are older than the purge. Among them are contacts that the other store has
    /// erased because they mention a person in a way that only a search for the identifier itself can find, such as a phone
    /// number without its area code.
    fn erase_older(&self) -> Result<(), Error> {
        self.write(|connection, writer| writer.fold(connection))?;
        let mut after = Vec::new();
        loop {
            let read = self.ask(move |reader, _| {
                let page = barred(&reader.connection, &after)?;
                let last = page.last().map(|(key, ..)| key.as_bytes().to_vec());
                Ok((older(&reader.connection, &page)?, last))
            })?;
            let (by_request, Some(last)) = read else { return Ok(()) };
            after = last;
            for (request, keys) in by_request {
                self.write(move |connection, writer| {
                    erase(connection, writer.shared.secret(), request, &keys)
                })?;
            }
        }
    }
}

/// The lookups that were barred after they were answered, by request.
///
/// An answer of the same millisecond counts as older.
fn older(connection: &Connection, rows: &[Barred]) -> Result<HashMap<i64, HashSet<Key>>, Fault> {
    let mut ask = connection.prepare_cached("SELECT request FROM answer WHERE key = ?1 AND at_ms <= ?2")?;
    let mut by_request: HashMap<i64, HashSet<Key>> = HashMap::new();
    for (key, purged_ms, ..) in rows {
        for request in ask.query_map(params![key, purged_ms], |row| row.get(0))? {
            by_request.entry(request?).or_default().insert(*key);
        }
    }
    Ok(by_request)
}

/// Bars, unless this store has an `allow` that is later. A row that is here already keeps the later time, the larger
/// costs and the stricter `named`. Rows that change nothing do not make the store be searched.
fn put_barred(connection: &Connection, writer: &mut WriterState, rows: &[Barred]) -> Result<(), Fault> {
    let mut ask = connection.prepare_cached("SELECT purged_ms, named FROM barred WHERE key = ?1")?;
    let mut put = connection.prepare_cached(
        "INSERT INTO barred VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET
         purged_ms = max(purged_ms, excluded.purged_ms), credits = max(credits, excluded.credits),
         named = max(named, excluded.named)",
    )?;
    let mut later = connection.prepare_cached("DELETE FROM allowed WHERE key = ?1 AND at_ms <= ?2")?;
    let mut allowed = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM allowed WHERE key = ?1)")?;
    let mut any_new = false;
    for row @ (key, purged_ms, _, named) in rows {
        later.execute(params![key, purged_ms])?;
        if allowed.query_row([key], |row| row.get(0))? {
            continue;
        }
        let known: Option<(i64, i64)> = ask.query_row([key], |row| row.try_into()).optional()?;
        any_new |= known.is_none_or(|known| known.0 < *purged_ms || known.1 < *named);
        put.execute(*row)?;
    }
    if any_new {
        query::change(connection, "INSERT OR REPLACE INTO meta VALUES (?1, 1)", [TO_ERASE])?;
    }
    writer.purged_changed();
    writer.notify = true;
    Ok(())
}

/// Unbars and allows, unless this store has a purge of the same millisecond or a later one.
fn put_allowed(connection: &Connection, writer: &mut WriterState, rows: &[(Key, i64)]) -> Result<(), Fault> {
    let mut later = connection.prepare_cached("DELETE FROM barred WHERE key = ?1 AND purged_ms < ?2")?;
    let mut put = connection.prepare_cached(
        "INSERT INTO allowed SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM barred WHERE key = ?1)
         ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
    )?;
    for row in rows {
        later.execute(*row)?;
        put.execute(*row)?;
    }
    writer.purged_changed();
    writer.notify = true;
    Ok(())
}

/// A row of `barred`.
///
/// The key, when it was barred in milliseconds since 1970, what its contacts had cost, and `named`.
type Barred = (Key, i64, i64, i64);

fn barred(connection: &Connection, after: &[u8]) -> Result<Vec<Barred>, Fault> {
    query::rows(
        connection,
        "SELECT key, purged_ms, credits, named FROM barred WHERE key > ?1 ORDER BY key LIMIT ?2",
        params![after, AT_ONCE],
    )
}

fn allowed(connection: &Connection, after: &[u8]) -> Result<Vec<(Key, i64)>, Fault> {
    query::rows(
        connection,
        "SELECT key, at_ms FROM allowed WHERE key > ?1 ORDER BY key LIMIT ?2",
        params![after, AT_ONCE],
    )
}
