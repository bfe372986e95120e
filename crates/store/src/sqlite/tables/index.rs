//! The index of answers: the table `answer`.
//!
//! Each settled lookup of each request has one row, unless it is still in the tail or was purged. The primary key is
//! the lookup's key and then the request, so all answers to one identifier lie side by side, and one seek finds them.
//! The partial index `answer_doubt` has only open doubts (states 3 and 6): it answers at once whether there are any,
//! and lists them by request.

use rusqlite::{Connection, params};

use super::super::file::{Fault, query};
use super::super::key::{Key, Secret};
use super::block::DecodedBlock;
use super::block_table;
use super::field_sets::{FieldSets, within};
use super::state;

/// A row: the key of the lookup, its request, its place in the request, its state, the number of its required fields,
/// and the time of the answer.
type AnswerRow = (Key, i64, i64, u8, i64, i64);

/// Writes rows, in the order of the index.
///
/// A row that is there already is replaced.
pub(crate) fn put(connection: &Connection, mut rows: Vec<AnswerRow>) -> Result<(), Fault> {
    rows.sort_unstable();
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO answer VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for row in rows {
        put.execute(row)?;
    }
    Ok(())
}

/// Deletes the answer of a request to a lookup, and returns its state.
pub(crate) fn delete(connection: &Connection, key: Key, request: i64) -> Result<Option<u8>, Fault> {
    query::find(
        connection,
        "DELETE FROM answer WHERE key = ?1 AND request = ?2 RETURNING state",
        params![key, request],
    )
}

/// The keys of the lookups of a settled request.
///
/// In the order of their places; those of purged lookups are missing. Empty for a request in flight, which has no
/// blocks.
pub(crate) fn keys_of(connection: &Connection, secret: &Secret, request: i64) -> Result<Vec<Key>, Fault> {
    let mut keys = Vec::new();
    for (_, packed) in block_table::of(connection, request)? {
        keys.extend(DecodedBlock::decode(&packed)?.keys(secret));
    }
    Ok(keys)
}

/// Removes the outcome of a settled request, so that a later outcome can replace it.
///
/// Affects the index and the blocks. The row of the request, its kept reply and the tail stay as they are: only
/// doubts are replaced, and doubts are never in the tail.
pub(crate) fn remove_outcome(connection: &Connection, secret: &Secret, request: i64) -> Result<(), Fault> {
    let mut keys = keys_of(connection, secret, request)?;
    keys.sort_unstable();
    for key in keys {
        delete(connection, key, request)?;
    }
    block_table::clear(connection, request)
}

/// The outcome of a request replaces earlier doubts about the same lookups, in spite of which it was sent. The credits
/// of those doubts still count. To be called only when the request has an outcome: a request that was refused free of
/// charge replaces no doubts.
pub(crate) fn replace_doubts(
    connection: &Connection,
    sets: &FieldSets,
    (request, required): (i64, i64),
    keys: impl Iterator<Item = Key>,
) -> Result<(), Fault> {
    // Nearly always there are no doubts, and then the keys need not be looked up.
    let any: bool = query::one(
        connection,
        "SELECT EXISTS (SELECT 1 FROM answer WHERE state IN (3, 6) AND request < ?1)",
        [request],
    )?;
    if !any {
        return Ok(());
    }
    let fields = sets.get(connection, required)?;
    let mut ask = connection.prepare_cached(
        "SELECT request, required FROM answer WHERE key = ?1 AND state IN (3, 6) AND request < ?2",
    )?;
    let mut replace =
        connection.prepare_cached("UPDATE answer SET state = ?3 WHERE key = ?1 AND request = ?2")?;
    for key in keys {
        let older: Vec<(i64, i64)> = ask
            .query_map(params![key, request], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (doubtful, of) in older {
            let theirs = sets.get(connection, of)?;
            if within(&fields, &theirs) || within(&theirs, &fields) {
                replace.execute(params![key, doubtful, state::ASKED_AGAIN])?;
            }
        }
    }
    Ok(())
}
