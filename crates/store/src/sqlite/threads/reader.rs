//! The threads that read. There are two, one for runs and one for the user's questions, so that neither waits for the
//! other.
//!
//! A reading connection cannot write (`query_only`), so that a mistake in a question cannot change the store.

use std::sync::Arc;

use rusqlite::Connection;

use exactbuyer_core::error::Error;

use super::super::file::{Fault, OpenFiles, busy, query, schema};
use super::super::platform;
use super::super::tables::{BlockCache, Tail};
use super::shared::Shared;
use super::worker::Role;

/// A question. It gets the state of the reading thread, or the error if the store could not be opened.
pub(crate) type ReadTask = Box<dyn FnOnce(Result<&mut ReaderState, Error>) + Send>;

/// The connection of a reading thread, and what the thread remembers.
#[derive(Debug)]
pub(crate) struct ReaderState {
    /// Has no open transaction between two questions.
    pub(crate) connection: Connection,
    pub(crate) blocks: BlockCache,
    /// Its index is checked before each question, because using a truncated one ends the process.
    files: OpenFiles,
    /// As the last transaction of this connection has seen it.
    tail: Tail,
    /// The version of the file with which `tail` was last compared.
    version: Option<i64>,
}

/// The role of a thread that reads.
///
/// `state` is `None` before the first task and while the thread is parked.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    state: Option<ReaderState>,
}

impl Reader {
    /// A reader without a connection. It connects at its first task, and again after it was parked.
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: None }
    }

    /// Connects if necessary.
    ///
    /// # Errors
    /// If the file is gone or was replaced, or the log's index was truncated.
    fn state(&mut self) -> Result<&mut ReaderState, Fault> {
        platform::forget_failed_call();
        if self.state.is_none() {
            let (connection, files) = self.shared.connect()?;
            connection.pragma_update(None, "query_only", true)?;
            let (blocks, tail) = (BlockCache::default(), Tail::default());
            self.state = Some(ReaderState { connection, blocks, files, tail, version: None });
        }
        let state = self.state.as_mut();
        state.as_ref().map_or(Ok(()), |state| state.files.check_index())?;
        state.ok_or_else(|| Fault::of("the store could not be opened: run this again"))
    }
}

impl Role for Reader {
    type Task = ReadTask;

    /// A question that has not begun is postponed if a fork is near. One that has begun is not interrupted by it.
    fn serve(&mut self, tasks: Vec<ReadTask>) -> Vec<ReadTask> {
        let mut tasks = tasks.into_iter();
        while !busy::is_fork_near()
            && let Some(task) = tasks.next()
        {
            let shared = self.shared.clone();
            let longest = shared.lock_timeout;
            busy::within(longest, || task(self.state().map_err(|fault| shared.error(fault))));
        }
        tasks.collect()
    }

    fn close(&mut self) {
        self.state = None;
    }
}

impl ReaderState {
    /// Answers a question from one state of the file.
    ///
    /// The tail is compared with the file first, so `ask` sees answers that were stored a moment ago. This connection
    /// commits nothing itself, so an unchanged version means an unchanged tail. Commits of others during `ask` are not
    /// seen. `ask` must not write.
    pub(crate) fn in_transaction<T>(
        &mut self,
        ask: impl FnOnce(&Connection, &mut BlockCache, &Tail) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Self { connection, blocks, tail, version, .. } = self;
        // A transaction ends when it is dropped, but an interrupt can also end that ROLLBACK.
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK")?;
        }
        let reading = connection.unchecked_transaction()?;
        let current = query::data_version(connection)?;
        if *version != Some(current) {
            schema::check_rules(connection)?;
            tail.sync(connection)?;
            *version = Some(current);
        }
        let answer = ask(connection, blocks, tail)?;
        reading.commit()?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::super::process::SqliteStore;
    use super::*;

    #[test]
    fn the_tail_is_read_again_only_after_another_connection_has_committed() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-reader-{}", std::process::id()));
        let store = SqliteStore::open(&folder.join("a.db"), "loopback").unwrap();
        let look = |reader: &mut ReaderState| reader.in_transaction(|_, _, _| Ok(()));
        let is_read = store.ask(move |reader, shared| {
            look(reader)?;
            // A damaged row makes reading the tail fail. The connection's own commits do not change the version.
            reader.connection.pragma_update(None, "query_only", false)?;
            reader.connection.execute("INSERT INTO tail VALUES (1, x'00')", [])?;
            let before = look(reader).is_err();
            shared.connect()?.0.execute("INSERT INTO meta VALUES ('another', 1)", [])?;
            Ok([before, look(reader).is_err()])
        });
        assert_eq!(is_read.unwrap(), [false, true]);
        drop(store);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
