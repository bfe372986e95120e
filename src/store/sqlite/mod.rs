//! The durable store: one SQLite file that outlives crashes, power cuts and whoever wrote it, and
//! that several processes may share.
//!
//! The engine's door is `runs`. One thread of each process writes (`writer`); others read. A claim
//! (`claim`) notes the intent to send in the same commit that finds the lookups free; `settle` replaces
//! it by the outcome; `look` decides which of the stored answers may be used. `owner` tells which
//! processes are alive, `files` whether the files are still the ones that were opened, and `disks` whether
//! a disk can be relied on. `opening` makes sure that a process opens a file once, `closing` closes it, and
//! `registry` and `descriptors` handle forks. Users' calls are answered by `journal`, `doubts`, `find`,
//! `privacy`, `export`, `merge`, `migrate` and `backup`; `interrupt` cancels them. `forgotten` keeps purged
//! people out.
//!
//! Knows nothing of runs beyond their terms, and nothing of the vendor but the length of its window.

mod backup;
mod barred;
mod block;
mod busy;
mod claim;
mod closing;
mod descriptors;
mod disk_kinds;
mod disks;
mod doubts;
mod estimate;
mod export;
mod fault;
mod files;
mod find;
mod foreign;
mod forgotten;
mod interrupt;
mod journal;
mod key;
mod ledger;
mod look;
mod marks;
mod mention;
mod merge;
mod migrate;
mod opening;
mod owner;
mod place;
mod platform;
mod privacy;
mod reader;
mod recognise;
mod registry;
mod runs;
mod schema;
mod settle;
mod shared;
mod shelf;
mod system_calls;
mod tail;
mod thread;
mod trial;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;
use crate::secret::ApiKey;

use super::{Availability, Terms};
use busy::LOCK_TIMEOUT;
use fault::Fault;
use ledger::Ledger;
use look::{Question, RunState};
use opening::{Opening, User};
use reader::Reading;
use runs::Runs;
use shared::{Shared, now_ms, sorted};

pub use disks::distrust;
pub use doubts::{Doubt, Resolution, Resolved};
pub use estimate::{Yield, check_time_zone};
pub use export::Export;
pub use find::{Contact, Target};
pub use interrupt::Interrupt;
pub use journal::{Entry, Info, Reconciliation, SummaryRow};
pub use merge::Merged;
pub use migrate::{Migrated, migrate, migrate_unless};
pub use opening::service_at;
pub use place::service_of;
pub use privacy::Purged;
pub use registry::{after_fork, before_fork};

/// A store in a file. Clones, and all others of this process that open the same file, share it.
pub struct SqliteStore {
    /// Always there, but while it is being dropped.
    opening: Option<Arc<Opening>>,
    runs: Arc<Runs>,
    /// Counts as one user for this handle and its clones, until it is closed.
    user: Arc<Mutex<Option<User>>>,
    /// Takes back what people ask by this handle.
    interrupt: Interrupt,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path()).finish_non_exhaustive()
    }
}

impl Clone for SqliteStore {
    fn clone(&self) -> Self {
        Self {
            opening: self.opening.clone(),
            runs: self.runs.clone(),
            user: self.user.clone(),
            interrupt: self.interrupt.clone(),
        }
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
    /// Opens the store of this service (see [`service_of`]), and makes it where there is none: the
    /// file readable by its owner alone, and the folder, if that is not there. What dead processes
    /// have left under way is in doubt from then on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it belongs to another service;
    /// [`ErrorKind::Store`] if it cannot be opened, lies on a
    /// disk that cannot be relied on, is no store, or was written by another version.
    pub fn open(path: &Path, service: &str) -> Result<Self, Error> {
        Self::open_within(path, service, LOCK_TIMEOUT)
    }

    /// The same, where a commit that other programs hold up for longer than this fails. Where the
    /// process has the file open already, it stays as it was opened first.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_within(path: &Path, service: &str, lock_timeout: Duration) -> Result<Self, Error> {
        let (opening, user) = opening::open(path, service, lock_timeout)?;
        Ok(Self {
            opening: Some(opening),
            runs: Arc::default(),
            user: Arc::new(Mutex::new(Some(user))),
            interrupt: Interrupt::default(),
        })
    }

    /// The same store for another user: closing one does not close it for the other.
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
        self.user.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(opening) = self.opening.take() {
            closing::finish(opening);
        }
    }

    /// What to tell the person who opened it: that others can read it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.opening.as_ref().map(|opening| &*opening.warnings).unwrap_or_default()
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.opening.as_ref().map_or(Path::new(""), |opening| &opening.shared.path)
    }

    /// Tells this store and its copies from every other store. [`SqliteStore::add_mark`] tells it from copies
    /// that were made earlier.
    ///
    /// # Errors
    /// Where the handle is another process's.
    pub fn name(&self) -> Result<[u8; 16], Error> {
        Ok(self.opening()?.shared.identity.name)
    }

    /// Stands for a key in the journal: the same for all who share the store, and for nobody else.
    ///
    /// # Errors
    /// Where the handle is another process's.
    pub fn fingerprint(&self, key: &ApiKey) -> Result<u64, Error> {
        Ok(self.opening()?.shared.identity.secret.fingerprint(key))
    }

    /// The standing of lookups, for a plan: as a run on these terms would find them now, but without
    /// contacts and reasons. Reads only the index.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn peek(
        &self,
        terms: &Terms,
        required: &[Box<str>],
        lookups: &[&Identifier],
    ) -> Result<Vec<Availability>, Error> {
        let opening = self.opening()?;
        let keys: Vec<_> = lookups.iter().map(|lookup| opening.shared.identity.secret.key(lookup)).collect();
        let (run, fields) = (RunState::new(terms.clone(), now_ms()), sorted(required));
        self.ask(move |reading, shared| {
            let question = Question::of(shared, &run, &fields, &keys)?;
            reading.at_once(|connection, _, tail| {
                Ok(look::foretell(&look::find(connection, shared, tail, &question)?))
            })
        })
    }

    /// Asks a question, and waits for the answer, unless it is taken back.
    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Reading, &Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let interrupt = self.interrupt.clone();
        self.opening()?.ask(move |reading, shared| {
            let _listening = interrupt.listen(&reading.connection)?;
            ask(reading, shared)
        })
    }

    /// Writes, and waits until it is committed, unless it is taken back. The connection is everybody's:
    /// what takes long has to look for that itself.
    fn write<T: Send + 'static>(
        &self,
        mut write: impl FnMut(&Connection, &mut Ledger) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let interrupt = self.interrupt.clone();
        self.opening()?.write(move |connection, ledger| {
            interrupt.check()?;
            write(connection, ledger)
        })
    }

    fn opening(&self) -> Result<&Arc<Opening>, Error> {
        let opening = self.opening.as_ref().filter(|opening| opening.pid == std::process::id());
        opening.ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "the store was opened by the process that this one was forked from: open it again here",
            )
        })
    }
}
