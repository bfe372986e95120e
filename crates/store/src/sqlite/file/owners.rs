//! Which processes are alive. An owner is one process's use of a store. It is alive as long as it holds the lock on
//! its byte of the side file. The kernel releases the lock when the process ends, however it ends. A process that sleeps
//! keeps it, and a forked child never has it. Clocks are not used, and neither are process numbers, which can be the
//! same in two containers.
//!
//! If the side file is deleted, other processes can no longer see the locks of the processes that are still running.
//! So the file records which store it belongs to and which file it is. A process that finds an unmarked file must not
//! treat any owner as dead because of it: see [`Owners::open`] and [`Owners::check`].
//!
//! It also notes the store's generation, by which [`refuse_replaced`] tells the store from its earlier copies.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::super::platform::{self, FileId, Listed};
use super::busy;
use super::connection::open_file;
use super::fault::Fault;
use super::generation::{self, Generation};
use super::open_files;
use super::paths::{self, beside};
use super::query;
use crate::lock;

/// How long we try to get exclusive use of the store, because another process may be trying the same.
const ALONE_WITHIN: Duration = Duration::from_secs(1);

/// The side file of one store, opened once. The locks belong to this open file description.
#[derive(Debug)]
pub(crate) struct Owners {
    store: PathBuf,
    name: [u8; 16],
    file: Mutex<SideFile>,
    /// Owners of this process. The kernel does not report locks of the description through which it is asked.
    /// There is one at most: each opening has its own side file.
    ours: Mutex<HashSet<i64>>,
}

#[derive(Debug)]
struct SideFile {
    file: Listed<File>,
    id: FileId,
    store: FileId,
}

impl Owners {
    /// Opens the side file of the store of this name. Returns `None` if it may not be the file on which the recorded
    /// owners hold their locks. Then only a process with exclusive use of the store can know which of them are alive.
    pub(crate) fn open(store: &Path, name: [u8; 16], connection: &Connection) -> Result<Option<Self>, Fault> {
        let file = SideFile::open(store).map_err(unusable)?;
        let is_marked = file.is_marked(&name);
        if !is_marked || !file.notes(generations(store, connection)?) {
            // During this transaction no other process marks the file or becomes an owner.
            let marking = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
            let marked = if is_marked {
                // A copy was put here while there was no log: from now on, it is the store.
                file.note(generations(store, connection)?).map_err(unusable)?;
                true
            } else {
                file.mark_if_new((store, &name), connection)?
            };
            marking.rollback()?;
            if !marked {
                return Ok(None);
            }
        }
        Ok(Some(Self::of(store, name, file)))
    }

    /// Opens the side file with exclusive use of the store: then all recorded owners are dead. The caller must have no
    /// connection to the store.
    ///
    /// # Errors
    /// If another process has the store open.
    pub(crate) fn open_alone(store: &Path, name: [u8; 16]) -> Result<Self, Fault> {
        let connection = open_file(store)?;
        // This must be set before anything is read. It takes the file's own lock exclusively, which every open connection
        // of every process shares.
        let alone = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE";
        busy::within(ALONE_WITHIN, || connection.execute_batch(alone)).map_err(|error| {
            let fault = Fault::from(error);
            if fault.is_busy() && !busy::is_fork_near() { lost(store) } else { fault }
        })?;
        let file = SideFile::open(store).map_err(unusable)?;
        // A process that has closed the store's files for a fork still has its lock.
        if file.is_locked().map_err(unusable)? {
            return Err(lost(store));
        }
        file.mark(&name, generations(store, &connection)?).map_err(unusable)?;
        Ok(Self::of(store, name, file))
    }

    fn of(store: &Path, name: [u8; 16], file: SideFile) -> Self {
        Self { store: store.to_owned(), name, file: Mutex::new(file), ours: Mutex::default() }
    }

    /// Checks that the side file is still where other processes look for it. To be called in each transaction that
    /// claims something.
    ///
    /// # Errors
    /// If it is not: then this process looks dead to others, and they look dead to it.
    pub(crate) fn check(&self, connection: &Connection) -> Result<(), Fault> {
        let mut file = lock(&self.file);
        if file.look(&self.store).map_err(unusable)? {
            return Ok(());
        }
        if !lock(&self.ours).is_empty() {
            return Err(lost(&self.store));
        }
        // This process has no lock yet, so it can use the file that is there now, if the other processes can.
        let found = SideFile::open(&self.store).map_err(unusable)?;
        if !found.mark_if_new((&self.store, &self.name), connection)? {
            return Err(lost(&self.store));
        }
        *file = found;
        Ok(())
    }

    /// Whether the side file is still where other processes look for it.
    pub(crate) fn is_in_place(&self) -> bool {
        lock(&self.file).is_in_place(&self.store)
    }

    /// Gives the store a new generation, and returns whether that was possible. To be called before an opening writes
    /// anything, outside a transaction.
    pub(crate) fn renew_generation(&self, connection: &Connection) -> Result<bool, Fault> {
        generation::renew(connection, &self.store, |generations| lock(&self.file).note(generations))
    }

    /// Takes the lock of a new owner.
    ///
    /// The kernel ends this lock with the process. Once the row of the owner is committed, others rely on it.
    pub(crate) fn enter(&self, owner: i64) -> Result<(), Fault> {
        platform::lock_byte(lock(&self.file).file.get().map_err(unusable)?, owner).map_err(unusable)?;
        lock(&self.ours).insert(owner);
        Ok(())
    }

    /// Releases the lock of an owner.
    pub(crate) fn leave(&self, owner: i64) {
        lock(&self.ours).remove(&owner);
        // If this fails, the kernel releases it when the process ends.
        let _ = lock(&self.file).file.get().and_then(|file| platform::unlock_byte(file, owner));
    }

    /// Whether this owner's process is alive. If that is uncertain, it counts as alive.
    pub(crate) fn is_alive(&self, owner: i64) -> bool {
        if lock(&self.ours).contains(&owner) {
            return true;
        }
        let file = lock(&self.file);
        // A process that started after the file was replaced has its lock on the new file.
        !file.is_in_place(&self.store) || file.is_alive(owner).unwrap_or(true)
    }

    /// Closes the side file, which releases all locks.
    pub(crate) fn close(&self) {
        lock(&self.file).file.close();
    }
}

impl SideFile {
    fn open(store: &Path) -> io::Result<Self> {
        let file = Listed::open(|| platform::open_private(&paths::owners(store)))?;
        Ok(Self { id: platform::status_of(file.get()?)?.id, store: platform::file_id(store)?, file })
    }

    /// Whether another process has the lock of this owner.
    fn is_alive(&self, owner: i64) -> io::Result<bool> {
        platform::is_locked(self.file.get()?, owner..owner.saturating_add(1))
    }

    /// The mark at the beginning of the file.
    fn read_mark(&self) -> io::Result<[u8; MARK]> {
        let mut mark = [0; MARK];
        platform::read_at(self.file.get()?, &mut mark, 0).map(|()| mark)
    }

    /// The generations that the store may have.
    fn noted(&self) -> io::Result<[Generation; 2]> {
        let mut noted = [[0; size_of::<Generation>()]; 2];
        platform::read_at(self.file.get()?, noted.as_flattened_mut(), MARK as u64)?;
        Ok(noted.map(Generation::from_le_bytes))
    }

    fn notes(&self, generations: [Generation; 2]) -> bool {
        self.noted().is_ok_and(|noted| generations.iter().all(|generation| noted.contains(generation)))
    }

    /// To be called in a transaction that keeps others from writing.
    fn note(&self, generations: [Generation; 2]) -> io::Result<()> {
        let file = self.file.get()?;
        platform::write_at(file, generations.map(Generation::to_le_bytes).as_flattened(), MARK as u64)?;
        platform::sync_data(file)
    }

    /// Returns true if that cannot be found out: then no owner is treated as dead.
    fn is_in_place(&self, store: &Path) -> bool {
        self.look(store).unwrap_or(true)
    }

    fn look(&self, store: &Path) -> io::Result<bool> {
        platform::lies_at(self.id, &paths::owners(store))
    }

    /// Whether its mark says that it belongs to this store, and that neither file is a copy.
    fn is_marked(&self, name: &[u8; 16]) -> bool {
        self.read_mark().is_ok_and(|mark| mark == self.mark_of(name))
    }

    fn mark(&self, name: &[u8; 16], generations: [Generation; 2]) -> io::Result<()> {
        // First, so that a marked file has them, whenever the process is killed.
        self.note(generations)?;
        platform::write_at(self.file.get()?, &self.mark_of(name), 0)
    }

    fn mark_of(&self, name: &[u8; 16]) -> [u8; MARK] {
        let mut mark = [0; MARK];
        let (own, store) = (self.id.1.to_le_bytes(), self.store.1.to_le_bytes());
        let parts = name.iter().chain(&own).chain(&store);
        mark.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        mark
    }

    /// Marks the file if nobody can have a lock on another one: the store has no owner on record, and no process has a
    /// lock on this file. To be called in a transaction that keeps others from writing.
    fn mark_if_new(&self, (store, name): (&Path, &[u8; 16]), connection: &Connection) -> Result<bool, Fault> {
        if self.is_marked(name) {
            return Ok(true);
        }
        let owned: bool = query::one(
            connection,
            "SELECT EXISTS (SELECT 1 FROM owner) OR EXISTS (SELECT 1 FROM request WHERE settled_ms IS NULL)",
            [],
        )?;
        if owned || self.is_locked().map_err(unusable)? {
            return Ok(false);
        }
        self.mark(name, generations(store, connection)?).map_err(unusable)?;
        Ok(true)
    }

    /// Whether any other process has a lock on it.
    fn is_locked(&self) -> io::Result<bool> {
        platform::is_locked(self.file.get()?, 0..i64::MAX)
    }
}

/// Bytes of the mark: the store's name, the inode number of the side file, and that of the store. The generations that
/// the store may have follow.
const MARK: usize = 32;

/// The generation in the file, and the one that its log has.
fn generations(store: &Path, connection: &Connection) -> Result<[Generation; 2], Fault> {
    let current = generation::current(connection)?;
    let at_rest = if platform::locks_last() { generation::at_rest(store).ok() } else { None };
    Ok([at_rest.unwrap_or(current), current])
}

/// Refuses a store that was put in the place of another one. To be called before a connection is opened: it would use
/// the other store's log as its own, to which running processes still write, or which has the last answers of dead
/// processes. The other store may be a later state of the same one.
///
/// # Errors
/// If the earlier store is in use by another process, or its log is still there.
pub(crate) fn refuse_replaced(store: &Path) -> Result<(), Fault> {
    if !paths::owners(store).exists() {
        return Ok(());
    }
    let file = SideFile::open(store).map_err(unusable)?;
    let mark = file.read_mark().ok();
    let is_same_file = mark.is_some_and(|mark| mark.ends_with(&file.store.1.to_le_bytes()));
    let is_noted = has_noted_generation(store, &file).unwrap_or(false);
    if is_same_file && is_noted {
        return Ok(());
    }
    if file.is_locked().map_err(unusable)? {
        return Err(open_files::gone(store));
    }
    if is_noted {
        // All files were restored together, and the store has got another number.
        return Ok(());
    }
    // A side file that was copied together with its store says nothing about an earlier store.
    let is_of_here = mark.is_some_and(|mark| mark.get(16..24) == Some(&file.id.1.to_le_bytes()));
    let is_filled = |path: &Path| std::fs::metadata(path).is_ok_and(|known| known.len() > 0);
    let log = beside(store, "-wal");
    if is_of_here && is_filled(store) && is_filled(&log) {
        return Err(Fault::of(format!(
            "the store {} was put beside the log of another, {}, which may have answers that were paid for: to use it \
             without them, move that and the -shm file away and keep them; if store and log belong together, move {} away",
            store.display(),
            log.display(),
            paths::owners(store).display()
        )));
    }
    Ok(())
}

/// Whether the store has one of the generations that are noted for it. Another process may be giving it a new one: then
/// we look again.
fn has_noted_generation(store: &Path, file: &SideFile) -> io::Result<bool> {
    loop {
        let (noted, at_rest) = (file.noted()?, generation::at_rest(store)?);
        if file.noted()? == noted {
            return Ok(noted.contains(&at_rest));
        }
    }
}

/// The fault for a side file that was deleted or replaced: nobody can know which owners are alive.
pub(crate) fn lost(store: &Path) -> Fault {
    Fault::of(format!(
        "the side file {} was deleted or replaced while the store was open, so nothing is sent: close everything that \
         uses the store, and run this again",
        paths::owners(store).display()
    ))
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn unusable(error: io::Error) -> Fault {
    Fault::system("the store's side file (its name ends in -owners) cannot be opened or locked", &error)
}
