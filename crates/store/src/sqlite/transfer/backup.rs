//! Copies a whole store, which may be in use. Requests that were in flight are in doubt in the copy.
//!
//! A backup is written under the name `….unfinished` and renamed when it is complete, so a file with the final name
//! is always a whole store. A crash leaves an unfinished file. The next backup to that name overwrites it, if its
//! lock shows that nobody is writing it.

use std::fs::{self, File};
use std::io::{self, ErrorKind::AlreadyExists};
use std::iter;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::clock::pause_shortly;
use super::super::file::{
    Fault, SQLITE_FILES, UNFINISHED, beside, generation, open_file, place, refuse_reserved,
};
use super::super::platform::{self, FileId, Listed};
use super::super::process::{Interrupt, SqliteStore};

/// The number of pages that are copied between two checks for an interrupt: 4 MB.
const PAGES: i32 = 1_000;

impl SqliteStore {
    /// Copies the store as it is at this moment to a new file that only its owner can read. Other threads
    /// and processes may use the store meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a file with that name exists, the side files of a store lie beside it, or the name ends
    /// like that of a side file.
    /// [`ErrorKind::Store`] if either file cannot be read or written, or the backup was interrupted: then
    /// there is no new file.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        let (to, interrupt) = (to.to_owned(), self.interrupt.clone());
        self.ask(move |reader, _| copy(&reader.connection, &to, &interrupt))
    }
}

/// Copies the store. The copy gets its name only when it is complete.
///
/// The connection must have no transaction open.
///
/// # Errors
/// If a file is in the way, or one of both cannot be used. Then no new file is left.
pub(super) fn copy(connection: &Connection, to: &Path, interrupt: &Interrupt) -> Result<(), Fault> {
    refuse_reserved("backup", to)?;
    let mut taken = iter::once("").chain(SQLITE_FILES).map(|end| beside(to, end));
    if let Some(taken) = taken.find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(exists(&taken));
    }
    let unfinished = Unfinished::begin(to)?;
    copy_pages(connection, &unfinished.path, interrupt)?;
    generation::mark_copy(connection, unfinished.file.get().map_err(|error| unwritable(to, &error))?)?;
    publish(&unfinished.path, to)
}

/// The byte that is locked while a backup is written. It is far from the data and from the bytes that SQLite locks.
const WRITING: i64 = 1 << 41;

/// The file of a backup that is being written. It is locked, so that another backup to the same name can distinguish it
/// from a file that a dead process has left. It is deleted with this value, unless it has got its name.
struct Unfinished {
    path: PathBuf,
    id: FileId,
    /// Locked.
    file: Listed<File>,
}

impl Unfinished {
    /// Creates the file. SQLite would create one that others can read, but accepts an empty file.
    ///
    /// # Errors
    /// If another backup is writing this file, or somebody has put a file there that is not an unfinished backup.
    fn begin(to: &Path) -> Result<Self, Fault> {
        let path = beside(to, UNFINISHED);
        let failed = |error: io::Error| unwritable(to, &error);
        if platform::is_taken(&path) {
            return Err(exists(&path));
        }
        // If locks belong to the process, another thread of it may be writing the file that is there.
        let open = || {
            if platform::locks_last() {
                platform::open_private(&path)
            } else {
                platform::create_private(&path)
            }
        };
        let locked = Listed::open(open)
            .map_err(|error| if error.kind() == AlreadyExists { exists(&path) } else { failed(error) })?;
        let file = locked.get().map_err(failed)?;
        let id = platform::status_of(file).map_err(failed)?.id;
        // Another backup is writing it, or it has got its name meanwhile, or it was deleted.
        if platform::lock_byte(file, WRITING).is_err() || !platform::lies_at(id, &path).map_err(failed)? {
            return Err(exists(&path));
        }
        // A killed backup may have left a journal. SQLite would write the journal's pages into the file.
        delete(&beside(&path, "-journal")).and_then(|()| file.set_len(0)).map_err(failed)?;
        Ok(Self { path, id, file: locked })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // If the copy has got its name, another backup may be writing a file here.
        if platform::lies_at(self.id, &self.path).unwrap_or(false) {
            // The first failure is the one to report.
            let _ = delete(&beside(&self.path, "-journal"));
            let _ = delete(&self.path);
        }
    }
}

fn delete(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if platform::is_absent(&error) { Ok(()) } else { Err(error) })
}

/// Copies one state of the store: a transaction does not see the commits of others.
///
/// Reads in one transaction, so the log of the store grows while others write, until the copy is complete.
fn copy_pages(connection: &Connection, to: &Path, interrupt: &Interrupt) -> Result<(), Fault> {
    let mut copy = open_file(to)?;
    let reading = connection.unchecked_transaction()?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(connection, &mut copy)?;
    loop {
        interrupt.check()?;
        match backup.step(PAGES)? {
            StepResult::Done => break,
            StepResult::More => {}
            _ => pause_shortly(),
        }
    }
    drop(backup);
    reading.commit()?;
    copy.close().map_err(|(_, error)| error.into())
}

/// Gives a finished copy its name, if no other file has taken that name meanwhile. At no moment it has two names: a
/// store with a second name is not opened.
fn publish(unfinished: &Path, to: &Path) -> Result<(), Fault> {
    platform::rename_new(unfinished, to)
        .map_err(|error| if error.kind() == AlreadyExists { exists(to) } else { unwritable(to, &error) })?;
    place::sync_folder_of(to);
    Ok(())
}

fn exists(path: &Path) -> Fault {
    let message =
        format!("{} is there already, and a backup never replaces a file: give another path", path.display());
    Error::new(ErrorKind::Config, message).into()
}

fn unwritable(to: &Path, error: &std::io::Error) -> Fault {
    Fault::system(format_args!("the backup {} cannot be written", to.display()), error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_file_of_a_killed_backup_is_replaced_and_that_of_a_running_one_is_not() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-unfinished-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let to = folder.join("a.db");
        let [left, journal] = [UNFINISHED, ".unfinished-journal"].map(|end| beside(&to, end));
        for path in [&left, &journal] {
            io::Write::write_all(&mut platform::create_private(path).unwrap(), b"ana@x.example").unwrap();
        }
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE one (number)").unwrap();
        let is_refused = || copy(&connection, &to, &Interrupt::default()).is_err() && !to.exists();
        let writing = Unfinished::begin(&to).unwrap();
        assert!(!journal.exists());
        assert_eq!(fs::metadata(&left).unwrap().len(), 0);
        assert!(is_refused(), "another backup is writing it");
        assert!(left.exists());
        drop(writing);
        assert!(!left.exists());
        // A file that somebody else has put there is not touched.
        fs::write(&left, "mine").unwrap();
        platform::set_others_may_read(&left, true);
        assert!(is_refused());
        assert_eq!(fs::read(&left).unwrap(), b"mine");
        platform::set_others_may_read(&left, false);
        copy(&connection, &to, &Interrupt::default()).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the backup");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_backup_does_not_replace_a_file_that_was_created_meanwhile() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-backup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [draft, to] = ["draft", "a.db"].map(|name| folder.join(name));
        fs::write(&draft, "backup").unwrap();
        fs::write(&to, "another").unwrap();
        assert!(publish(&draft, &to).is_err());
        assert_eq!(fs::read(&to).unwrap(), b"another");
        fs::remove_dir_all(&folder).unwrap();
    }
}
