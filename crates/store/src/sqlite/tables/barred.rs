//! The tables `barred` and `allowed`: identifiers that must not be sent, and identifiers that a user has allowed. They
//! have only keyed hashes. No identifier is in both tables.

use hashbrown::HashMap;
use rusqlite::{Connection, params};

use super::super::clock::now_ms;
use super::super::file::{Fault, query};
use super::super::key::Key;

/// The keys of people who were purged by their identifier, each with the number of the identifier's kind (column
/// `named`).
pub(crate) fn named_keys(connection: &Connection) -> Result<HashMap<Key, i64>, Fault> {
    query::rows(connection, "SELECT key, named FROM barred WHERE named > 0", [])
}

/// Whether any identifier is barred.
pub(crate) fn any(connection: &Connection) -> Result<bool, Fault> {
    query::one(connection, "SELECT EXISTS (SELECT 1 FROM barred)", [])
}

/// How many identifiers are barred.
pub(crate) fn count(connection: &Connection) -> Result<u64, Fault> {
    Ok(query::one::<i64>(connection, "SELECT count(*) FROM barred", [])?.unsigned_abs())
}

/// Bars a lookup and adds to its credits. If it is barred already, the date of that decision stays.
///
/// `credits` adds up what the erased contacts of this lookup had cost.
pub(crate) fn bar(connection: &Connection, key: Key, credits: i64) -> Result<(), Fault> {
    let known = query::change(
        connection,
        "UPDATE barred SET credits = credits + ?2 WHERE key = ?1",
        params![key, credits],
    )?;
    if known == 0 { bar_at(connection, key, now_ms(), credits, 0) } else { Ok(()) }
}

/// Whether this identifier is barred.
pub(crate) fn is_barred(connection: &Connection, key: Key) -> Result<bool, Fault> {
    query::one(connection, "SELECT EXISTS (SELECT 1 FROM barred WHERE key = ?1)", [key])
}

/// Whether an answer must not be stored. After a purge by this identifier: always. After a purge by age: if it is not
/// newer than the purge. `at_ms` is when the request was sent; in a merge, when it was answered.
pub(crate) fn keeps_out(connection: &Connection, key: Key, at_ms: i64) -> Result<bool, Fault> {
    query::one(
        connection,
        "SELECT EXISTS (SELECT 1 FROM barred WHERE key = ?1 AND (named OR purged_ms >= ?2))",
        params![key, at_ms],
    )
}

/// Bars an identifier by a user's decision, as of this moment. `named` is the number of its kind, or 0 if contacts of others
/// may mention it. The later of a purge and an `allow` counts, so each gets a later time than the one that it follows,
/// whatever the clock says.
pub(crate) fn bar_at(
    connection: &Connection,
    key: Key,
    at_ms: i64,
    credits: i64,
    named: i64,
) -> Result<(), Fault> {
    query::change(
        connection,
        "INSERT INTO barred SELECT ?1, max(?2, 1 + coalesce((SELECT at_ms FROM allowed WHERE key = ?1), 0)), ?3, ?4
         WHERE 1 ON CONFLICT DO UPDATE SET purged_ms = max(purged_ms, excluded.purged_ms),
         credits = credits + excluded.credits, named = max(named, excluded.named)",
        params![key, at_ms, credits, named],
    )?;
    query::change(connection, "DELETE FROM allowed WHERE key = ?1", [key])?;
    Ok(())
}

/// Allows an identifier, whether or not it is barred: a copy of the store may have barred it. Returns how many rows of
/// `barred` it had.
pub(crate) fn allow(connection: &Connection, key: Key) -> Result<usize, Fault> {
    query::change(
        connection,
        "INSERT INTO allowed SELECT ?1, max(?2, 1 + coalesce((SELECT purged_ms FROM barred WHERE key = ?1), 0)) WHERE 1
         ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
        params![key, now_ms()],
    )?;
    query::change(connection, "DELETE FROM barred WHERE key = ?1", [key])
}
