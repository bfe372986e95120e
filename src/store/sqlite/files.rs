//! Whether the files that a connection has open are still those that lie where the store lies.
//!
//! Somebody may delete a file that is in use, put a backup in its place, or make a new one. Whoever
//! has the old one open goes on with it and sees nothing of what others do with the new one: both
//! would pay for the same lookup, and what is written to a deleted file is gone when it is closed.
//! `SQLite` looks for that only where it keeps a rollback journal (`SQLITE_READONLY_DBMOVED`); with a
//! write-ahead log it does not.

use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::place::{FileId, beside, file_id};

/// The files of one connection: the store's own, the log, and the log's index.
#[derive(Debug)]
pub(super) struct Files {
    store: PathBuf,
    all: Vec<(PathBuf, FileId)>,
}

impl Files {
    /// Those of a connection that has read from the store: from then on, until it is closed, nobody
    /// but by hand replaces any of them. `id` is the file that the process has opened first.
    ///
    /// # Errors
    /// Where another file lies there by now.
    pub(super) fn of(store: &Path, id: FileId) -> Result<Self, Fault> {
        let side = |end: &str| {
            let path = beside(store, end);
            let known = file_id(&path).map_err(|_| gone(store))?;
            Ok::<_, Fault>((path, known))
        };
        let all = vec![(store.to_owned(), id), side("-wal")?, side("-shm")?];
        let files = Self { store: store.to_owned(), all };
        files.check()?;
        Ok(files)
    }

    /// # Errors
    /// Where one of them was deleted or replaced: then nothing may be relied on that is written.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let in_place = |(path, id): &(PathBuf, FileId)| file_id(path).is_ok_and(|known| known == *id);
        if self.all.iter().all(in_place) { Ok(()) } else { Err(gone(&self.store)) }
    }
}

/// The store was deleted or replaced.
pub(super) fn gone(store: &Path) -> Fault {
    Fault::of(format!(
        "the store {} or a side file of it (-wal, -shm) was deleted or replaced while it was open, so nothing is sent or \
         stored: close everything that uses it, and run this again",
        store.display()
    ))
}
