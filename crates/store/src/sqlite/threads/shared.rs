//! What the threads of one open store share.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::Notify;

use exactbuyer_core::error::Error;

use super::super::file::{Fault, Identity, NameLock, OpenFiles, Owners, connect, open_files};
use super::super::key::Secret;
use super::super::platform::{self, FileId};
use super::super::tables::FieldSets;
use super::intents::Intents;
use crate::lock;

/// What the threads share.
///
/// Lives as long as the opening, or longer if a task keeps a reference. [`close_files`](Self::close_files) ends the
/// use of the files in any case.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Absolute, and without links.
    pub(crate) path: PathBuf,
    /// The file that was opened first. Another file at this path is another store.
    pub(crate) file: FileId,
    /// What the file recorded when it was opened.
    pub(crate) identity: Identity,
    pub(crate) owners: Owners,
    /// Locked as long as the store is open.
    name: NameLock,
    /// How long a statement waits for locks of other programs.
    pub(crate) lock_timeout: Duration,
    /// Wakes all runs that wait for a change, of this process or of others.
    pub(crate) changed: Notify,
    pub(crate) field_sets: FieldSets,
    /// Changed by the writer; read by all.
    intents: Mutex<Intents>,
    /// Requests to release, until a transaction that releases them was committed.
    orphans: Mutex<Vec<i64>>,
}

impl Shared {
    pub(crate) fn new(
        (path, file, name): (PathBuf, FileId, NameLock),
        identity: Identity,
        owners: Owners,
        lock_timeout: Duration,
    ) -> Self {
        Self {
            path,
            file,
            identity,
            owners,
            name,
            lock_timeout,
            changed: Notify::new(),
            field_sets: FieldSets::default(),
            intents: Mutex::default(),
            orphans: Mutex::default(),
        }
    }

    /// Closes the files that hold locks, although this value may still be referenced.
    pub(crate) fn close_files(&self) {
        self.owners.close();
        self.name.close();
    }

    /// The secret of the keyed hashes.
    pub(crate) fn secret(&self) -> &Secret {
        &self.identity.secret
    }

    /// The requests in flight. All threads use them: hold the lock only for a moment.
    pub(crate) fn intents(&self) -> MutexGuard<'_, Intents> {
        lock(&self.intents)
    }

    /// Claimed requests whose claimants were gone before they received the claims.
    pub(super) fn orphans(&self) -> Vec<i64> {
        lock(&self.orphans).clone()
    }

    /// Notes a claim whose claimant is gone. The writer releases it with its next commit; nothing was sent for it.
    pub(crate) fn add_orphan(&self, request: i64) {
        lock(&self.orphans).push(request);
    }

    /// To be called once an earlier transaction with its release is committed: until then it must be released again.
    pub(super) fn remove_orphan(&self, request: i64) {
        lock(&self.orphans).retain(|known| *known != request);
    }

    /// Another connection to the store, and the files that it has open.
    ///
    /// # Errors
    /// If the store's file is not at its path any more, or cannot be opened.
    pub(crate) fn connect(&self) -> Result<(Connection, OpenFiles), Fault> {
        // Another store must not be accessed.
        let is_here = platform::lies_at(self.file, &self.path);
        if !is_here.map_err(|error| open_files::not_found(&self.path, &error))? {
            return Err(open_files::gone(&self.path));
        }
        let connection = connect(&self.path)?;
        let files = OpenFiles::of(&self.path, self.file)?;
        Ok((connection, files))
    }

    pub(crate) fn error(&self, fault: Fault) -> Error {
        fault.into_error(&self.path)
    }
}
