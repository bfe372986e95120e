//! Whole copies of a store that may be in use. Requests that were under way are in doubt in the copy.

use std::fs;
use std::io::ErrorKind::AlreadyExists;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{Error, ErrorKind};

use super::SqliteStore;
use super::busy;
use super::fault::Fault;
use super::interrupt::Interrupt;
use super::place::{self, beside};
use super::platform;
use super::shared::open_file;

/// Pages copied between two checks for an interrupt: 4 MB.
const PAGES: i32 = 1_000;

impl SqliteStore {
    /// Copies the store as it is at this moment to a new file that only its owner can read. Other threads
    /// and processes may use the store meanwhile.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if a file with that name exists, or the side files of a store lie beside it.
    /// [`ErrorKind::Store`] if either file cannot be read or written, or the backup was interrupted: then
    /// there is no new file.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        let (to, interrupt) = (to.to_owned(), self.interrupt.clone());
        self.ask(move |reading, _| copy(&reading.connection, &to, &interrupt))
    }
}

/// The copy gets its name only when it is complete.
pub(super) fn copy(connection: &Connection, to: &Path, interrupt: &Interrupt) -> Result<(), Fault> {
    let taken = ["", "-wal", "-shm", "-journal"].map(|end| beside(to, end));
    if let Some(taken) = taken.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(exists(taken));
    }
    let unfinished = beside(to, ".unfinished");
    // Created here, because SQLite would create a file that others can read. SQLite accepts an empty file.
    platform::create_private(&unfinished).map_err(|error| {
        if error.kind() == AlreadyExists { exists(&unfinished) } else { unwritable(to, &error) }
    })?;
    let copied = copy_pages(connection, &unfinished, interrupt).and_then(|()| publish(&unfinished, to));
    if copied.is_err() {
        // The first failure is the one to report.
        let _ = fs::remove_file(&unfinished);
    }
    copied
}

/// Copies one state of the store: a transaction does not see the commits of others.
fn copy_pages(connection: &Connection, to: &Path, interrupt: &Interrupt) -> Result<(), Fault> {
    let mut copy = open_file(to)?;
    connection.execute_batch("BEGIN")?;
    let copied = (|| -> Result<(), Fault> {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let backup = Backup::new(connection, &mut copy)?;
        loop {
            interrupt.check()?;
            match backup.step(PAGES)? {
                StepResult::Done => return Ok(()),
                StepResult::More => {}
                _ => busy::pause_shortly(),
            }
        }
    })();
    let ended = connection.execute_batch("COMMIT");
    copied.and_then(|()| Ok(ended?))?;
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

    use std::io;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_name_that_another_file_has_got_meanwhile_is_left_to_it() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-backup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [draft, to] = ["draft", "a.db"].map(|name| folder.join(name));
        // The second is for systems without the first.
        for rename in [platform::rename_new, platform::rename_to_reserved] {
            fs::write(&draft, "backup").unwrap();
            // Made after the copy was begun: empty, as a reserved name is.
            fs::write(&to, "").unwrap();
            assert_eq!(rename(&draft, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&to).unwrap(), draft.exists()), (Vec::new(), true));
            fs::remove_file(&to).unwrap();
            rename(&draft, &to).unwrap();
            assert_eq!((fs::read(&to).unwrap(), draft.exists()), (b"backup".to_vec(), false));
            assert_eq!(fs::metadata(&to).unwrap().nlink(), 1);
            fs::remove_file(&to).unwrap();
            // What cannot be renamed leaves no empty file.
            assert!(rename(&draft, &to).is_err());
            assert!(!to.exists());
        }
        fs::write(&draft, "backup").unwrap();
        fs::write(&to, "another").unwrap();
        assert!(publish(&draft, &to).is_err());
        assert_eq!(fs::read(&to).unwrap(), b"another");
        fs::remove_dir_all(&folder).unwrap();
    }
}
