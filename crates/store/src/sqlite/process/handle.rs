//! The handle of a store.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::secret::ApiKey;

use super::super::file::{Fault, LOCK_TIMEOUT};
use super::super::threads::{ReaderState, Shared, WriterState};
use super::interrupt::Interrupt;
use super::live_runs::LiveRuns;
use super::opening::{Opening, User};
use super::{closing, open};

/// A handle of a store in a file. Its clones, and all other handles of the same file in this process, share one opening.
#[derive(Clone)]
pub struct SqliteStore {
    /// `None` only while the handle is being dropped. Keeps the store open, unless all users have closed it.
    opening: Option<Arc<Opening>>,
    /// The live runs of this file in this process. Other processes see the lowest of their rates.
    pub(crate) runs: Arc<LiveRuns>,
    /// The user that this handle and its clones count as, until one of them is closed.
    user: Arc<Mutex<Option<User>>>,
    /// Interrupts the user's calls of this handle.
    pub(crate) interrupt: Interrupt,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            closing::close(opening);
        }
    }
}

impl SqliteStore {
    /// Opens the store of this service (see [`service_of`](crate::sqlite::service_of)). Creates it if it does not exist, with a
    /// file that only its owner can read, and its folder. The requests that dead processes have left in flight are in
    /// doubt from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it belongs to another service;
    /// [`ErrorKind::Store`] if it cannot be opened, is on a disk that cannot be relied on, is not a store, or was written
    /// by another version.
    pub fn open(path: &Path, service: &str) -> Result<Self, Error> {
        Self::open_within(path, service, LOCK_TIMEOUT)
    }

    /// The same with the time after which a commit fails that waits for other programs. If this process has the file open
    /// already, the time of the first opening stays.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_within(path: &Path, service: &str, lock_timeout: Duration) -> Result<Self, Error> {
        let (opening, user) = open::open(path, service, lock_timeout)?;
        Ok(Self {
            runs: opening.runs.clone(),
            opening: Some(opening),
            user: Arc::new(Mutex::new(Some(user))),
            interrupt: Interrupt::default(),
        })
    }

    /// A handle for another user. Closing one of them does not close the store for the other.
    #[must_use]
    pub fn for_another_user(&self) -> Self {
        let user = self.opening.as_ref().map(|opening| opening.new_user());
        let mut handle = self.clone();
        handle.user = Arc::new(Mutex::new(user));
        handle
    }

    /// Closes the store for this handle and its clones, and waits until it is closed. If nothing else in
    /// this process uses the store, its threads have then ended, everything is in the file, and the files
    /// are closed. The log is deleted, unless another process has the store open. Later calls through a
    /// clone fail.
    pub fn close(mut self) {
        crate::lock(&self.user).take();
        if let Some(opening) = self.opening.take() {
            closing::finish(opening);
        }
    }

    /// Warnings for the user who opened it, such as that others can read it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.opening.as_ref().map(|opening| &*opening.warnings).unwrap_or_default()
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.opening.as_ref().map_or(Path::new(""), |opening| &opening.shared.path)
    }

    /// Identifies this store and its copies. [`SqliteStore::add_mark`] distinguishes it from copies that were made earlier.
    ///
    /// # Errors
    /// If the handle belongs to the process that this one was forked from.
    pub fn name(&self) -> Result<[u8; 16], Error> {
        Ok(self.opening()?.shared.identity.name)
    }

    /// The fingerprint of a key in the journal. It is the same for all processes that share the store, and another one in
    /// every other store.
    ///
    /// # Errors
    /// If the handle belongs to the process that this one was forked from.
    pub fn fingerprint(&self, key: &ApiKey) -> Result<u64, Error> {
        Ok(self.opening()?.shared.secret().fingerprint(key))
    }

    /// Asks a question of the user, and waits for the answer. An interrupt ends the statement.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut ReaderState, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let interrupt = self.interrupt.clone();
        self.opening()?.ask(move |reader, shared| {
            let _listening = interrupt.listen(&reader.connection)?;
            ask(reader, shared)
        })
    }

    /// Asks a question of the user that is answered from one state of the file.
    pub(crate) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(move |reader, shared| reader.in_transaction(|connection, _, _| read(connection, shared)))
    }

    /// Writes for the user, and waits until it is committed. An interrupt cannot end a statement, because runs share the
    /// connection: work that takes long must check for it.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        mut write: impl FnMut(&Connection, &mut WriterState) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let interrupt = self.interrupt.clone();
        self.opening()?.write(move |connection, state| {
            interrupt.check()?;
            write(connection, state)
        })
    }

    /// The opening, also in a forked child.
    pub(crate) fn any_opening(&self) -> Option<&Arc<Opening>> {
        self.opening.as_ref()
    }

    /// The opening.
    ///
    /// # Errors
    /// If the handle belongs to the process that this one was forked from.
    pub(crate) fn opening(&self) -> Result<&Arc<Opening>, Error> {
        let opening = self.opening.as_ref().filter(|opening| opening.pid == std::process::id());
        opening.ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "the store was opened by the process that this one was forked from: open it again here",
            )
        })
    }

    /// The same store, and what interrupts the calls of the new handle and its clones.
    #[must_use]
    pub fn interruptible(&self) -> (Self, Interrupt) {
        let (mut handle, interrupt) = (self.clone(), Interrupt::default());
        handle.interrupt = interrupt.clone();
        (handle, interrupt)
    }
}
