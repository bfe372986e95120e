//! The table of blocks. The blocks of a request are side by side, and each has the number of its first lookup.
//!
//! A block is written once with its request. Afterwards only purges, migrations and late answers change it.

use rusqlite::{Connection, params};

use super::super::file::{Fault, query};
use super::block::{self, PLACES, StoredLookup, block_id};

/// A block's number, and the block.
pub(super) type Numbered = (i64, Vec<u8>);

/// Writes the block that begins with this lookup of a request.
pub(crate) fn put(connection: &Connection, request: i64, first: i64, block: &[u8]) -> Result<(), Fault> {
    query::change(
        connection,
        "INSERT OR REPLACE INTO block VALUES (?1, ?2)",
        params![block_id(request, first), block],
    )?;
    Ok(())
}

/// Replaces the block of this number.
///
/// `lookups` must be all lookups of that block, in their order, because the places of those that stay must not
/// change.
pub(crate) fn rewrite(connection: &Connection, number: i64, lookups: &[StoredLookup]) -> Result<(), Fault> {
    query::change(
        connection,
        "UPDATE block SET body = ?2 WHERE id = ?1",
        params![number, block::pack_one(lookups)?],
    )?;
    Ok(())
}

/// The block that contains this lookup of a request, if there is one.
///
/// The nearest block at or before this place; it may end before the place if the request has fewer lookups.
pub(super) fn containing(
    connection: &Connection,
    request: i64,
    place: i64,
) -> Result<Option<Numbered>, Fault> {
    query::find_row(
        connection,
        "SELECT id, body FROM block WHERE id <= ?1 AND id >= ?2 ORDER BY id DESC LIMIT 1",
        [block_id(request, place), block_id(request, 0)],
    )
}

pub(crate) fn of(connection: &Connection, request: i64) -> Result<Vec<Numbered>, Fault> {
    query::rows(
        connection,
        "SELECT id, body FROM block WHERE id >= ?1 AND id < ?2 ORDER BY id",
        [block_id(request, 0), block_id(request, PLACES)],
    )
}

/// The next blocks with higher numbers.
///
/// For passes over the whole store: a caller remembers the last number, so that each page is a transaction of its
/// own.
pub(crate) fn after(connection: &Connection, number: i64, most: i64) -> Result<Vec<Numbered>, Fault> {
    query::rows(connection, "SELECT id, body FROM block WHERE id > ?1 ORDER BY id LIMIT ?2", [number, most])
}

/// Deletes all blocks of a request.
pub(crate) fn clear(connection: &Connection, request: i64) -> Result<(), Fault> {
    query::change(
        connection,
        "DELETE FROM block WHERE id >= ?1 AND id < ?2",
        [block_id(request, 0), block_id(request, PLACES)],
    )?;
    Ok(())
}
