//! The generation of a store's file: a random number in its header, which tells the file from its earlier copies.
//!
//! SQLite reads any log that lies beside a file. If a process was killed, the log has its last commits. Beside a backup,
//! the same log gives a mixture of both, and SQLite does not notice: answers that were paid for are missing, or the store
//! looks damaged. The number of the file (its inode) does not help: a backup that is copied over the file has the same.
//!
//! So each opening gives the file a new generation before it writes anything else, and notes it in the side file. A file
//! whose generation is not noted there is a copy from before.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::platform::{self, Listed};
use super::fault::Fault;
use super::query;

/// `PRAGMA user_version`.
pub(crate) type Generation = i32;

/// Where it is in the file: <https://www.sqlite.org/fileformat.html#user_version_number>.
const AT: u64 = 60;

/// The generation in the file itself, whatever its log says.
///
/// To be called only if no connection is open or [`platform::locks_last`]: it opens and closes the file.
pub(crate) fn at_rest(store: &Path) -> io::Result<Generation> {
    let file = Listed::open(|| File::open(store))?;
    let mut bytes = [0; size_of::<Generation>()];
    platform::read_at(file.get()?, &mut bytes, AT)?;
    Ok(Generation::from_be_bytes(bytes))
}

/// The generation that the connection sees: the one in the log, if it is not in the file yet.
pub(crate) fn current(connection: &Connection) -> Result<Generation, Fault> {
    query::one(connection, "PRAGMA user_version", [])
}

/// Gives the file a new generation, and calls `note` with those that the file may have from then on: first two, of which
/// the second one is new, and then the new one alone. Returns whether that was possible. It is not while another process
/// reads from the log: then it is to be called again before the next transaction.
///
/// It does nothing where locks belong to the process, because closing the file would drop them.
///
/// # Errors
/// If nothing can be written.
pub(crate) fn renew(
    connection: &Connection,
    store: &Path,
    note: impl Fn([Generation; 2]) -> io::Result<()>,
) -> Result<bool, Fault> {
    let failed = |error: io::Error| Fault::system("the store's side file cannot be written", &error);
    let is_in_file = |generation| at_rest(store).is_ok_and(|at_rest| at_rest == generation);
    if !platform::locks_last() {
        return Ok(true);
    }
    let changing = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let old = current(connection)?;
    if !is_in_file(old) {
        // An earlier new one is only in the log.
        return Ok(false);
    }
    let new = drawn(connection)?;
    note([old, new]).map_err(failed)?;
    connection.pragma_update(None, "user_version", new)?;
    changing.commit()?;
    // Into the file, as far as that is possible without waiting for others.
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    // Meanwhile nobody else draws a new one.
    let noting = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let is_done = current(connection)? == new && is_in_file(new);
    if is_done {
        note([new, new]).map_err(failed)?;
    }
    noting.rollback()?;
    Ok(is_done)
}

/// Gives a finished copy a generation of its own: otherwise it would pass for the file from which it was made.
pub(crate) fn mark_copy(connection: &Connection, copy: &File) -> Result<(), Fault> {
    let failed = |error: io::Error| Fault::system("the copy of the store cannot be written", &error);
    let new = drawn(connection)?;
    platform::write_at(copy, &new.to_be_bytes(), AT).and_then(|()| platform::sync_data(copy)).map_err(failed)
}

fn drawn(connection: &Connection) -> Result<Generation, Fault> {
    query::one(connection, "SELECT random() >> 32", [])
}
