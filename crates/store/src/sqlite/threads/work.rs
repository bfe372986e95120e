//! What the writer can be given to do.

use rusqlite::Connection;

use exactbuyer_core::error::Error;

use super::super::file::Fault;
use super::shared::Shared;
use super::writer_state::WriterState;

/// Something to write. Its life: `is_needed`, then `write` in a transaction with other work, then `finish` once the
/// outcome of the transaction is known. `write` is repeated if the transaction failed because of other work, so it
/// must not change anything but the file, the writer's state, and its own result.
pub(crate) trait Work: Send {
    /// Whether it needs a transaction.
    ///
    /// Asked outside of a transaction, and only if a connection is open. Work that is not needed is finished as if it
    /// had been committed.
    fn is_needed(&self, connection: &Connection, state: &WriterState) -> bool {
        let _ = (connection, state);
        true
    }

    /// Whether it is finished only after the answers that could not be stored have been tried again. Such work is never
    /// written.
    fn follows_unsettled(&self) -> bool {
        false
    }

    /// Writes, within a transaction.
    ///
    /// An error rolls back the whole transaction; the other work in it is then tried again, each by itself.
    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault>;

    /// Is called after the transaction was committed, or has failed. Returns the work if the writer must try it again
    /// later.
    ///
    /// The only place where a caller may be told the result: before this, the result could still be rolled back. Work
    /// that is postponed for a fork is written again without being finished in between.
    fn finish(self: Box<Self>, shared: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>>;

    /// Whether nothing more may be claimed while it waits to be tried again.
    fn blocks_claims(&self) -> bool {
        false
    }
}
