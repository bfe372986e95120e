//! An open store: its threads, and what they share.
//!
//! Its life: [`Opening::new`] opens files and starts threads; handles use it; [`Opening::end`] ends the threads and
//! closes the files. Nothing is ever opened again through an opening that has ended.

use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rusqlite::Connection;

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::clock::now_ms;
use super::super::file::{Fault, NameLock, OpenFiles, connect, owners, schema};
use super::super::platform::FileId;
use super::super::threads::{
    Bury, ReadTask, Reader, ReaderState, Shared, Work, Worker, Writer, WriterState, closed,
};
use super::live_runs::LiveRuns;

/// A file that is open in this process.
///
/// In a forked child, an opening of the parent is never used and never dropped.
pub(crate) struct Opening {
    /// The process that made it.
    pub(crate) pid: u32,
    pub(crate) shared: Arc<Shared>,
    /// The only thread that writes.
    pub(crate) writer: Worker<Box<dyn Work>>,
    pub(crate) reader: Worker<ReadTask>,
    /// Reads for the user's questions.
    pub(crate) user_reader: Worker<ReadTask>,
    /// The runs of all its handles.
    pub(super) runs: Arc<LiveRuns>,
    /// About its place and the access of others; the same for all users.
    pub(super) warnings: Vec<String>,
    /// Its strong count, less one, is the number of users.
    users: User,
    /// Whether its threads have ended and its files are closed.
    is_over: AtomicBool,
}

/// Counts the users of an opening: one reference for the opening itself, and one for each handle that somebody will
/// close.
pub(super) type User = Arc<()>;

impl Opening {
    /// Whether any user has not closed it yet.
    pub(super) fn is_used(&self) -> bool {
        Arc::strong_count(&self.users) > 1
    }

    /// Adds a user. The opening is in use until the returned value is dropped.
    pub(super) fn new_user(&self) -> User {
        self.users.clone()
    }

    /// Whether [`end`](Self::end) is complete: from then on no thread of the opening touches the file.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends the threads and closes all files, although somebody may keep a reference. If locks belong to the process,
    /// closing a file later would drop the locks of a newer opening.
    ///
    /// Waits for the threads, which finish their tasks first; the writer goes last, because it may still have to
    /// store answers and removes its owner. A second call does nothing.
    pub(super) fn end(&self) {
        self.reader.end();
        self.user_reader.end();
        self.writer.end();
        self.shared.close_files();
        self.is_over.store(true, Ordering::Release);
    }

    /// Opens a file that this process does not have open.
    ///
    /// Nothing is left open if it fails.
    ///
    /// # Errors
    /// If the file cannot be used: see [`SqliteStore::open`](super::SqliteStore::open).
    pub(super) fn new(
        (path, file): (&Path, FileId),
        service: &str,
        warnings: Vec<String>,
        lock_timeout: Duration,
    ) -> Result<Self, Fault> {
        owners::refuse_replaced(path)?;
        let name = NameLock::take(path)?;
        let connection = connect(path)?;
        let identity = schema::open(&connection, service, now_ms())?;
        check_service(&identity.service, service)?;
        let (connection, owners) = with_owners(connection, path, identity.name)?;
        let files = OpenFiles::of(path, file)?;
        let shared = Arc::new(Shared::new((path.to_owned(), file, name), identity, owners, lock_timeout));
        let no_thread = |_| Fault::of("no thread could be started for the store: close some programs");
        Ok(Self {
            pid: process::id(),
            writer: Worker::spawn("exactbuyer-store", Writer::new(shared.clone(), (connection, files)))
                .map_err(no_thread)?,
            reader: Worker::spawn("exactbuyer-read", Reader::new(shared.clone())).map_err(no_thread)?,
            user_reader: Worker::spawn("exactbuyer-user", Reader::new(shared.clone())).map_err(no_thread)?,
            shared,
            runs: Arc::default(),
            warnings,
            users: User::default(),
            is_over: AtomicBool::new(false),
        })
    }

    /// Puts the requests in doubt that dead processes have left in flight.
    ///
    /// Waits for the commit.
    pub(crate) fn bury_the_dead(&self) -> Result<(), Error> {
        let (reply, answer) = sync_channel(1);
        self.writer.give(Box::new(Bury(reply)));
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Asks a question, and waits for the answer.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut ReaderState, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = sync_channel(1);
        let shared = self.shared.clone();
        self.user_reader.give(Box::new(move |reader| {
            let _ = reply
                .send(reader.and_then(|reader| ask(reader, &shared).map_err(|fault| shared.error(fault))));
        }));
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Writes, and waits until it is committed.
    ///
    /// `write` may be called several times, because its transaction may be repeated; the result of the last call is
    /// returned.
    pub(super) fn write<T: Send + 'static>(
        &self,
        write: impl FnMut(&Connection, &mut WriterState) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = sync_channel(1);
        self.writer.give(Box::new(Write { act: write, result: None, reply }));
        answer.recv().unwrap_or_else(|_| Err(closed()))
    }
}

/// Something that a user wants to write.
///
/// As work for the writer: the caller waits at the other end of `reply`.
struct Write<F, T> {
    act: F,
    result: Option<T>,
    reply: SyncSender<Result<T, Error>>,
}

impl<F, T> Work for Write<F, T>
where
    F: FnMut(&Connection, &mut WriterState) -> Result<T, Fault> + Send,
    T: Send,
{
    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
        self.result = Some((self.act)(connection, state)?);
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
        let Self { result, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| result.ok_or_else(closed)));
        None
    }
}

/// Refuses a store of another service.
///
/// `loopback` and the real service have different people: answers of one must never serve the other.
pub(super) fn check_service(stored: &str, asked: &str) -> Result<(), Error> {
    if stored == asked {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Config,
        format!("the store belongs to another service ({stored}, not {asked}): use another path"),
    ))
}

/// Returns the owners of the store, and this connection or another one that was opened in its place. For a file that this
/// process has not opened otherwise.
///
/// If the side file is not marked for this store, nobody knows which owners are alive, unless this process alone has
/// the store. To find that out, its own connection must be closed first.
///
/// # Errors
/// If another process has the store open. If it had exclusive use only for a moment, its mark is found in the second
/// try.
pub(crate) fn with_owners(
    connection: Connection,
    path: &Path,
    name: [u8; 16],
) -> Result<(Connection, owners::Owners), Fault> {
    if let Some(owners) = owners::Owners::open(path, name, &connection)? {
        return Ok((connection, owners));
    }
    drop(connection);
    let alone = owners::Owners::open_alone(path, name);
    let connection = connect(path)?;
    match alone {
        Ok(owners) => Ok((connection, owners)),
        // Another process may have had exclusive use of the store a moment ago.
        Err(fault) => {
            owners::Owners::open(path, name, &connection)?.map(|owners| (connection, owners)).ok_or(fault)
        }
    }
}
