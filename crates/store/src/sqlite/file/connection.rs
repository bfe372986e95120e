//! Connections to a store. All of them are made here.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::super::platform;
use super::fault::Fault;
use super::{busy, place};

/// A connection to an existing file, which has read from it.
///
/// The read at the end makes SQLite open the log and its index, which [`OpenFiles::of`](super::OpenFiles::of) then
/// notes.
pub(crate) fn connect(path: &Path) -> Result<Connection, Fault> {
    let connection = open_file(path)?;
    // Each commit is on the disk when it returns. With NORMAL, a power cut could undo a commit after the request was
    // sent.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What a purge deletes is overwritten. What SQLite sorts stays in memory and gets into no other file.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    // Neighbouring commits change the same pages of the index. With a log of 16 MB, most of them need not be written
    // to the file each time, and after a crash such a log is read in a moment.
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

/// A connection that has not accessed the file yet.
///
/// Works also for an empty file, such as a backup that is about to be written.
pub(crate) fn open_file(path: &Path) -> Result<Connection, Fault> {
    platform::install_system_calls();
    platform::forget_failed_call();
    if let Ok(known) = platform::status(path) {
        place::refuse_second_name(path, &known)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(busy::handler))?;
    if connection.is_readonly("main")? {
        // If SQLite cannot open a file to write, for whatever reason, it opens it only to read.
        return Err(Fault::unopened(path));
    }
    Ok(connection)
}
