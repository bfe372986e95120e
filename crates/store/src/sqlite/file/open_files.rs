//! Whether the files that a connection has open are still the ones at the store's path, and whether all other processes
//! use the store under the same name.
//!
//! Somebody may delete a file that is in use, put a backup in its place, or create a new one. A process that has the old
//! file open can still use it, and does not see what others do with the new file. Both would pay for the same lookup,
//! and everything that is written to a deleted file is lost when it is closed. SQLite detects this only if it uses a
//! rollback journal (`SQLITE_READONLY_DBMOVED`), and we use a write-ahead log. SQLite does not notice a second name of
//! the file either: it derives the log's name from the store's, so a process that uses another name has another log.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use siphasher::sip::SipHasher13;

use super::super::clock::pause_shortly;
use super::super::platform::{self, FileId, Listed, file_id};
use super::fault::Fault;
use super::paths::beside;
use super::place;

/// The files of one connection: the store's own, the log, and the log's index.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    store: PathBuf,
    all: [(PathBuf, FileId); 3],
    /// The length of the log's index at the last check. SQLite never shortens it while it is open.
    index: Cell<u64>,
}

impl OpenFiles {
    /// The files of a connection that has read from the store. From then on until it is closed, SQLite does not replace
    /// any of them; only a person can. `id` is the file that the process has opened first.
    ///
    /// # Errors
    /// If another file is there now.
    pub(crate) fn of(store: &Path, id: FileId) -> Result<Self, Fault> {
        let side = |end: &str| {
            let path = beside(store, end);
            let known = file_id(&path).map_err(|error| not_found(store, &error))?;
            Ok::<_, Fault>((path, known))
        };
        let all = [(store.to_owned(), id), side("-wal")?, side("-shm")?];
        let files = Self { store: store.to_owned(), all, index: Cell::default() };
        files.check()?;
        Ok(files)
    }

    /// # Errors
    /// If one of them was deleted, replaced or truncated, or if the store has a second name: then nothing that is written
    /// can be relied on.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let known =
            self.all.each_ref().map(|(path, id)| platform::status(path).ok().filter(|known| known.id == *id));
        let [Some(store), Some(_), Some(index)] = known else { return Err(gone(&self.store)) };
        place::refuse_second_name(&self.store, &store)?;
        self.check_length(index.length)
    }

    /// SQLite maps the log's index into memory, and the system ends a process that uses a part which the file no longer
    /// has (SIGBUS). So this must be called before SQLite does anything.
    ///
    /// # Errors
    /// If the index was truncated.
    pub(crate) fn check_index(&self) -> Result<(), Fault> {
        let [.., (path, _)] = &self.all;
        fs::metadata(path).map_or(Ok(()), |index| self.check_length(index.len()))
    }

    fn check_length(&self, length: u64) -> Result<(), Fault> {
        if length < self.index.get() {
            return Err(truncated(&self.store));
        }
        self.index.set(length);
        Ok(())
    }
}

/// The fault for a store that was deleted or replaced.
pub(crate) fn gone(store: &Path) -> Fault {
    Fault::of(format!(
        "the store {} or a side file of it (-wal, -shm) was deleted or replaced while it was open, so nothing is sent or \
         stored: close everything that uses it, and run this again",
        store.display()
    ))
}

/// The fault for a file that does not exist or cannot be examined.
pub(crate) fn not_found(store: &Path, error: &io::Error) -> Fault {
    if platform::is_absent(error) {
        return gone(store);
    }
    Fault::system(format_args!("the store {} cannot be looked at", store.display()), error)
}

/// The fault for a log's index that has become shorter.
fn truncated(store: &Path) -> Fault {
    Fault::of(format!(
        "the side file {} was cut while the store was open, so nothing is sent or stored: close everything that uses \
         the store, and run this again",
        beside(store, "-shm").display()
    ))
}

/// Shows all processes that have the same file open under which name this process uses it: a shared lock on one byte of
/// the file, whose position is a hash of the name. Each name has its own log, whether the second name is a hard link or
/// a single file that is mounted at another place.
#[derive(Debug)]
pub(crate) struct NameLock(Mutex<Option<Listed<File>>>);

/// The bytes for names. They are far from the data and from the bytes that SQLite locks.
const NAMES: std::ops::Range<i64> = 1 << 40..(1 << 40) + (1 << 32);

/// How often a file that is locked under another name is checked, every 10 ms, before it is refused. A store that was closed
/// and renamed stays locked for some milliseconds if a program is being started at that moment: the child has all open
/// files of its parent until it runs the program.
const MOST_CHECKS: u32 = 100;

impl NameLock {
    /// To be called before a connection is opened.
    ///
    /// # Errors
    /// If another process has the same file open under another name.
    pub(crate) fn take(store: &Path) -> Result<Self, Fault> {
        // If locks belong to the process, closing this file later would drop SQLite's locks on it.
        if !platform::locks_last() {
            return Ok(Self(Mutex::default()));
        }
        let unusable =
            |error| Fault::system(format_args!("the store {} cannot be locked", store.display()), &error);
        let open = || OpenOptions::new().read(true).write(true).open(store);
        let held = Listed::open(open).map_err(unusable)?;
        let file = held.get().map_err(unusable)?;
        let byte = byte_of(store).map_err(unusable)?;
        platform::share_byte(file, byte).map_err(unusable)?;
        let is_used = |others: std::ops::Range<i64>| {
            if others.is_empty() { Ok(false) } else { platform::is_used(file, others).map_err(unusable) }
        };
        let mut checks = 1;
        while is_used(NAMES.start..byte)? || is_used(byte + 1..NAMES.end)? {
            if checks == MOST_CHECKS {
                return Err(Fault::of(format!(
                    "the store {} is in use under another name (a link, or a file mounted at two places), so nothing is \
                     sent: use one name for it everywhere, or mount its folder",
                    store.display()
                )));
            }
            checks += 1;
            pause_shortly();
        }
        Ok(Self(Mutex::new(Some(held))))
    }

    /// Releases the lock.
    pub(crate) fn close(&self) {
        crate::lock(&self.0).take();
    }
}

fn byte_of(store: &Path) -> std::io::Result<i64> {
    let folder = store.parent().map_or(Ok((0, 0)), file_id)?;
    let mut hasher = SipHasher13::new();
    hasher.write_u64(folder.0);
    hasher.write_u64(folder.1);
    hasher.write(store.file_name().unwrap_or_default().as_encoded_bytes());
    let width = (NAMES.end - NAMES.start).unsigned_abs();
    Ok(NAMES.start + (hasher.finish() % width).cast_signed())
}
