//! Which processes are alive. An owner is one process's use of a store. It is alive as long as it holds the lock on
//! its byte of the side file. The kernel releases the lock when the process dies, in whatever way; a process that
//! sleeps keeps it; a forked child never has it. Clocks and process numbers, which containers share, play no part.
//!
//! If the side file is deleted, other processes can no longer see the locks of the processes that are still running.
//! So the file records which store it belongs to and which file it is. A process that finds an unmarked file must not
//! treat any owner as dead because of it: see [`Owners::open`] and [`Owners::check`].

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::super::platform::unix::descriptors::Listed;
use super::super::platform::unix::locks;
use super::super::threads::shared::open_file;
use super::busy;
use super::fault::Fault;
use super::open_files;
use super::place::{self, FileId};

/// How long we try to get exclusive use of the store: another process may be trying the same.
const ALONE_WITHIN: Duration = Duration::from_secs(1);

/// The side file of one store, opened once. The locks belong to this open file description.
#[derive(Debug)]
pub(in super::super) struct Owners {
    store: PathBuf,
    name: [u8; 16],
    held: Mutex<Held>,
    /// Owners of this process: the kernel does not report the locks of the asking description itself.
    ours: Mutex<HashSet<i64>>,
}

/// The side file, as it was opened.
#[derive(Debug)]
struct Held {
    file: Listed<File>,
    id: FileId,
    /// The store that lay beside it then.
    store: FileId,
}

impl Owners {
    /// Opens the side file of the store of this name. `None` if it is not known to be the file on which the recorded
    /// owners hold their locks. Then only a process with exclusive use of the store can know which of them are alive.
    pub(in super::super) fn open(
        store: &Path,
        name: [u8; 16],
        connection: &Connection,
    ) -> Result<Option<Self>, Fault> {
        let held = Held::open(store).map_err(unusable)?;
        if !held.is_marked(&name) {
            // Nobody else marks it, and nobody becomes an owner meanwhile.
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let marked = held.mark_if_new(&name, connection);
            let ended = connection.execute_batch("ROLLBACK");
            let marked = marked?;
            ended?;
            if !marked {
                return Ok(None);
            }
        }
        Ok(Some(Self::of(store, name, held)))
    }

    /// The same for whoever is alone with the store: then all owners on file are dead. The caller
    /// has no connection to it.
    ///
    /// # Errors
    /// Where another process has the store open.
    pub(in super::super) fn open_alone(store: &Path, name: [u8; 16]) -> Result<Self, Fault> {
        let connection = open_file(store)?;
        // Set before anything is read, it takes the file's own lock, which every connection of every
        // process shares for as long as it is open.
        let alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE";
        busy::within(ALONE_WITHIN, || connection.execute_batch(alone)).map_err(|error| {
            let fault = Fault::from(error);
            if fault.is_busy() && !busy::is_fork_near() { lost(store) } else { fault }
        })?;
        let held = Held::open(store).map_err(unusable)?;
        // One that closes the store's files for a fork has its lock all the same.
        if held.is_locked().map_err(unusable)? {
            return Err(lost(store));
        }
        held.mark(&name).map_err(unusable)?;
        Ok(Self::of(store, name, held))
    }

    fn of(store: &Path, name: [u8; 16], held: Held) -> Self {
        Self { store: store.to_owned(), name, held: Mutex::new(held), ours: Mutex::default() }
    }

    /// Whether the side file is still where others look for it; in a transaction, before anything is
    /// claimed.
    ///
    /// # Errors
    /// Where it is not, so that who asks here looks dead to others, and they to us.
    pub(in super::super) fn check(&self, connection: &Connection) -> Result<(), Fault> {
        let mut held = self.held();
        if held.look(&self.store).map_err(unusable)? {
            return Ok(());
        }
        if !self.ours().is_empty() {
            return Err(lost(&self.store));
        }
        // Nobody here has a lock yet: the one that lies there now will do, if it does for the others.
        let found = Held::open(&self.store).map_err(unusable)?;
        if !found.mark_if_new(&self.name, connection)? {
            return Err(lost(&self.store));
        }
        *held = found;
        Ok(())
    }

    /// Whether the side file is still where others look for it.
    pub(in super::super) fn is_in_place(&self) -> bool {
        self.held().is_in_place(&self.store)
    }

    /// Takes the lock of a new owner.
    pub(in super::super) fn enter(&self, owner: i64) -> Result<(), Fault> {
        locks::lock_byte(self.held().file.get().map_err(unusable)?, owner).map_err(unusable)?;
        self.ours().insert(owner);
        Ok(())
    }

    /// Gives it back.
    pub(in super::super) fn leave(&self, owner: i64) {
        self.ours().remove(&owner);
        // What cannot be given back goes with the process.
        let _ = self.held().file.get().and_then(|file| locks::unlock_byte(file, owner));
    }

    /// Whether this owner's process is alive. In doubt, it is.
    pub(in super::super) fn is_alive(&self, owner: i64) -> bool {
        if self.ours().contains(&owner) {
            return true;
        }
        let held = self.held();
        // Who came after the file was replaced has the lock on another one.
        !held.is_in_place(&self.store) || held.is_alive(owner).unwrap_or(true)
    }

    /// Closes the side file, and gives back all locks.
    pub(in super::super) fn close(&self) {
        self.held().file.close();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn open(store: &Path) -> io::Result<Self> {
        let file = Listed::open(|| locks::open_private(&place::owners(store)))?;
        Ok(Self { id: locks::id_of(&file.get()?.metadata()?), store: place::file_id(store)?, file })
    }

    /// Whether another process has the lock of this owner.
    fn is_alive(&self, owner: i64) -> io::Result<bool> {
        locks::is_locked(self.file.get()?, owner..owner.saturating_add(1))
    }

    /// What the file says of itself.
    fn read_mark(&self) -> io::Result<[u8; MARK]> {
        let mut mark = [0; MARK];
        self.file.get()?.read_exact_at(&mut mark, 0).map(|()| mark)
    }

    /// Where that cannot be told, it is: nobody is taken for dead because of it.
    fn is_in_place(&self, store: &Path) -> bool {
        self.look(store).unwrap_or(true)
    }

    fn look(&self, store: &Path) -> io::Result<bool> {
        locks::lies_at(self.id, &place::owners(store))
    }

    /// Whether it says that it is this store's, and neither of them the copy of such a one.
    fn is_marked(&self, name: &[u8; 16]) -> bool {
        self.read_mark().is_ok_and(|mark| mark == self.mark_of(name))
    }

    fn mark(&self, name: &[u8; 16]) -> io::Result<()> {
        self.file.get()?.write_all_at(&self.mark_of(name), 0)
    }

    fn mark_of(&self, name: &[u8; 16]) -> [u8; MARK] {
        let mut mark = [0; MARK];
        let (own, store) = (self.id.1.to_le_bytes(), self.store.1.to_le_bytes());
        let parts = name.iter().chain(&own).chain(&store);
        mark.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        mark
    }

    /// Marks it where nobody can have a lock anywhere else: no owner is on file, and none of a store
    /// that lay here before is alive. In a transaction that keeps others from writing.
    fn mark_if_new(&self, name: &[u8; 16], connection: &Connection) -> Result<bool, Fault> {
        if self.is_marked(name) {
            return Ok(true);
        }
        let owned: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM owner) OR EXISTS (SELECT 1 FROM request WHERE settled_ms IS NULL)",
            [],
            |row| row.get(0),
        )?;
        if owned || self.is_locked().map_err(unusable)? {
            return Ok(false);
        }
        self.mark(name).map_err(unusable)?;
        Ok(true)
    }

    /// Whether any other process has a lock on it.
    fn is_locked(&self) -> io::Result<bool> {
        locks::is_locked(self.file.get()?, 0..i64::MAX)
    }
}

/// Bytes of what the file says of itself: the store's name, the number that it has itself among the
/// files of its disk, and the store's.
const MARK: usize = 32;

/// Before a connection is opened: one to a store that was put in the place of another would take that
/// one's log for its own, which the living still write, or which has the last answers of the dead.
///
/// # Errors
/// Where what lay here before is in use by another process, or has left its log.
pub(in super::super) fn refuse_replaced(store: &Path) -> Result<(), Fault> {
    if !place::owners(store).exists() {
        return Ok(());
    }
    let held = Held::open(store).map_err(unusable)?;
    let mark = held.read_mark().ok();
    if mark.is_some_and(|mark| mark.ends_with(&held.store.1.to_le_bytes())) {
        return Ok(());
    }
    if held.is_locked().map_err(unusable)? {
        return Err(open_files::gone(store));
    }
    // A side file that was copied with its store says nothing of what lay here.
    let is_of_here = mark.is_some_and(|mark| mark.get(16..24) == Some(&held.id.1.to_le_bytes()));
    let is_filled = |path: &Path| std::fs::metadata(path).is_ok_and(|known| known.len() > 0);
    let log = place::beside(store, "-wal");
    if is_of_here && is_filled(store) && is_filled(&log) {
        return Err(Fault::of(format!(
            "the store {} was put beside the log of another, {}, which may have answers that were paid for: to use it \
             without them, move that and the -shm file away and keep them; if store and log belong together, move {} away",
            store.display(),
            log.display(),
            place::owners(store).display()
        )));
    }
    Ok(())
}

/// The side file was deleted or replaced: who is alive cannot be told.
pub(in super::super) fn lost(store: &Path) -> Fault {
    Fault::of(format!(
        "the side file {} was deleted or replaced while the store was open, so nothing is sent: close everything that \
         uses the store, and run this again",
        place::owners(store).display()
    ))
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn unusable(error: io::Error) -> Fault {
    Fault::system("the store's side file (its name ends in -owners) cannot be opened or locked", &error)
}
