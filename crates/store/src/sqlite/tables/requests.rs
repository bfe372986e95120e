//! The table `request` and the tables that belong to it: tags, owners, and replies that could not be read.
//!
//! Claims and settlements write their rows of `request` themselves: see `answers`.

use rusqlite::{Connection, params};

use super::super::file::{Fault, query};

/// The number of the required fields of a request, and when it was settled; while it is in flight, when it was sent.
pub(crate) fn required_and_time(connection: &Connection, request: i64) -> Result<(i64, i64), Fault> {
    query::row(
        connection,
        "SELECT required, coalesce(settled_ms, sent_ms) FROM request WHERE id = ?1",
        [request],
    )
}

/// The number of these tags, which are added if they are new.
pub(crate) fn tags_number(connection: &Connection, text: &str) -> Result<i64, Fault> {
    let known = query::find(connection, "SELECT id FROM tags WHERE text = ?1", [text])?;
    if let Some(known) = known {
        return Ok(known);
    }
    query::change(connection, "INSERT INTO tags (text) VALUES (?1)", [text])?;
    Ok(connection.last_insert_rowid())
}

/// All owners that the file mentions.
///
/// Those with requests in flight, those that have registered, and those whose rate is recorded. One that is dead in
/// any of these ways must be buried.
pub(crate) fn owners(connection: &Connection) -> Result<Vec<i64>, Fault> {
    query::all(
        connection,
        "SELECT owner FROM request WHERE settled_ms IS NULL UNION SELECT id FROM owner UNION SELECT owner FROM pace",
        [],
    )
}

/// Keeps a compressed reply that was charged and could not be read completely.
pub(crate) fn put_unread(connection: &Connection, request: i64, packed: &[u8]) -> Result<(), Fault> {
    query::change(connection, "INSERT OR REPLACE INTO unread VALUES (?1, ?2)", params![request, packed])?;
    Ok(())
}

/// The kept reply of a request, compressed, if there is one.
pub(crate) fn unread(connection: &Connection, request: i64) -> Result<Option<Vec<u8>>, Fault> {
    query::find(connection, "SELECT body FROM unread WHERE request = ?1", [request])
}

/// Deletes the kept reply of a request. Returns how many there were: 0 or 1.
pub(crate) fn delete_unread(connection: &Connection, request: i64) -> Result<u64, Fault> {
    Ok(query::change(connection, "DELETE FROM unread WHERE request = ?1", [request])? as u64)
}
