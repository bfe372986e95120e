//! Threads that read: one for runs, one for people's questions, so that neither waits for the other.

use std::sync::Arc;

use rusqlite::Connection;

use crate::error::Error;

use super::super::answers::lookups::Blocks;
use super::super::file::busy;
use super::super::file::fault::Fault;
use super::super::file::open_files::Files;
use super::super::platform::unix::system_calls;
use super::super::tables::tail::Tail;
use super::shared::Shared;
use super::worker::Desk;

/// One question: told of the connection, or that there is none.
pub(in super::super) type Question = Box<dyn FnOnce(Result<&mut Reading, Error>) + Send>;

/// What a question is asked of.
#[derive(Debug)]
pub(in super::super) struct Reading {
    pub(in super::super) connection: Connection,
    pub(in super::super) blocks: Blocks,
    files: Files,
    tail: Tail,
}

/// The desk of a thread that reads.
#[derive(Debug)]
pub(in super::super) struct Reader {
    shared: Arc<Shared>,
    reading: Option<Reading>,
}

impl Reader {
    pub(in super::super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared, reading: None }
    }

    fn reading(&mut self) -> Result<&mut Reading, Fault> {
        system_calls::forget_failure();
        if self.reading.is_none() {
            let (connection, files) = self.shared.connect()?;
            connection.pragma_update(None, "query_only", true)?;
            self.reading =
                Some(Reading { connection, files, blocks: Blocks::default(), tail: Tail::default() });
        }
        let reading = self.reading.as_mut();
        reading.as_ref().map_or(Ok(()), |reading| reading.files.check_index())?;
        reading.ok_or_else(|| Fault::of("the store could not be opened: run this again"))
    }
}

impl Desk for Reader {
    type Job = Question;

    fn serve(&mut self, jobs: Vec<Question>) -> Vec<Question> {
        let mut jobs = jobs.into_iter();
        while !busy::is_fork_near()
            && let Some(question) = jobs.next()
        {
            let shared = self.shared.clone();
            let longest = shared.lock_timeout;
            busy::within(longest, || question(self.reading().map_err(|fault| shared.told(fault))));
        }
        jobs.collect()
    }

    fn close(&mut self) {
        self.reading = None;
    }
}

impl Reading {
    /// Answers from one state of the file.
    pub(in super::super) fn at_once<T>(
        &mut self,
        ask: impl FnOnce(&Connection, &mut Blocks, &Tail) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.connection.execute_batch("BEGIN")?;
        let Self { connection, blocks, tail, .. } = self;
        let answer = tail.sync(connection).and_then(|()| ask(connection, blocks, tail));
        let ended = self.connection.execute_batch("COMMIT");
        if ended.is_err() && !self.connection.is_autocommit() {
            // An interrupt may meet this, too: the next question must not find a transaction open.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        answer.and_then(|answer| ended.map(|()| answer).map_err(Into::into))
    }
}
