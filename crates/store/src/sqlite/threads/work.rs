//! What the writer can be given to do.

use rusqlite::Connection;

use exactbuyer_core::error::Error;

use super::super::file::Fault;
use super::shared::Shared;
use super::writer_state::WriterState;

/// Something to write. It is done again if its transaction failed because of other work, so it must not change anything
/// but the file, the writer's state, and its own result.
pub(crate) trait Work: Send {
    /// Whether it needs a transaction.
    fn is_needed(&self, connection: &Connection, state: &WriterState) -> bool {
        let _ = (connection, state);
        true
    }

    /// Writes, within a transaction.
    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault>;

    /// Is called after the transaction was committed, or has failed. Returns the work if the writer must try it again
    /// later.
    fn finish(self: Box<Self>, shared: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>>;

    /// Bytes that count against the room for work that waits to be tried again.
    fn waiting_bytes(&self) -> usize {
        0
    }
}
