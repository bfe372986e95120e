//! Whole copies of a store that may be in use. Requests that were under way are in doubt in the copy.

use std::fs::{self, File};
use std::io::{self, ErrorKind::AlreadyExists};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::error::{Error, ErrorKind};

use super::super::SqliteStore;
use super::super::file::busy;
use super::super::file::fault::Fault;
use super::super::file::place::{self, FileId, OTHERS, beside};
use super::super::platform::unix::descriptors::Listed;
use super::super::platform::unix::locks;
use super::super::process::interrupt::Interrupt;
use super::super::threads::shared::open_file;

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
pub(in super::super) fn copy(connection: &Connection, to: &Path, interrupt: &Interrupt) -> Result<(), Fault> {
    let taken = ["", "-wal", "-shm", "-journal"].map(|end| beside(to, end));
    if let Some(taken) = taken.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        return Err(exists(taken));
    }
    let unfinished = Unfinished::begin(to)?;
    copy_pages(connection, &unfinished.path, interrupt)?;
    publish(&unfinished.path, to)
}

/// The name of a backup goes on with this until it is complete.
pub(in super::super) const UNFINISHED: &str = ".unfinished";

/// The byte that is locked while a backup is written: far from any data, and from what SQLite locks.
const WRITING: i64 = 1 << 41;

/// A file for a backup that is being written. It is locked, so that another backup to the same name can tell it from
/// one that was left by a process that died. Deleted with this value, unless it has got its name.
struct Unfinished {
    path: PathBuf,
    id: FileId,
    _locked: Listed<File>,
}

impl Unfinished {
    /// Created here, because SQLite would create a file that others can read. SQLite accepts an empty file.
    fn begin(to: &Path) -> Result<Self, Fault> {
        let path = beside(to, UNFINISHED);
        let failed = |error: io::Error| unwritable(to, &error);
        if fs::symlink_metadata(&path).is_ok_and(|known| !is_ours(&known)) {
            return Err(exists(&path));
        }
        // If locks belong to the process, another thread of it may be writing the file that is there.
        let open = || {
            if locks::locks_last() { locks::open_private(&path) } else { locks::create_private(&path) }
        };
        let locked = Listed::open(open)
            .map_err(|error| if error.kind() == AlreadyExists { exists(&path) } else { failed(error) })?;
        let file = locked.get().map_err(failed)?;
        let id = locks::id_of(&file.metadata().map_err(failed)?);
        // Another backup writes it, or has got its name meanwhile, or was deleted.
        if locks::lock_byte(file, WRITING).is_err() || !locks::lies_at(id, &path).map_err(failed)? {
            return Err(exists(&path));
        }
        // What a backup has left that was killed. SQLite would put the journal's pages into the file.
        delete(&beside(&path, "-journal")).and_then(|()| file.set_len(0)).map_err(failed)?;
        Ok(Self { path, id, _locked: locked })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // If the copy has got its name, another backup may be writing a file here.
        if locks::lies_at(self.id, &self.path).unwrap_or(false) {
            // The first failure is the one to report.
            let _ = delete(&beside(&self.path, "-journal"));
            let _ = delete(&self.path);
        }
    }
}

/// Whether a backup may have left this file: a plain one, only for this user.
fn is_ours(known: &fs::Metadata) -> bool {
    known.is_file() && known.nlink() == 1 && known.mode() & OTHERS == 0 && !locks::is_anothers(known)
}

fn delete(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if locks::is_absent(&error) { Ok(()) } else { Err(error) })
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
    locks::rename_new(unfinished, to)
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
    fn what_a_killed_backup_has_left_is_replaced_and_what_another_one_writes_is_not() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-unfinished-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let to = folder.join("a.db");
        let [left, journal] = [UNFINISHED, ".unfinished-journal"].map(|end| beside(&to, end));
        for path in [&left, &journal] {
            io::Write::write_all(&mut locks::create_private(path).unwrap(), b"ana@x.example").unwrap();
        }
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE one (number)").unwrap();
        let is_refused = || copy(&connection, &to, &Interrupt::default()).is_err() && !to.exists();
        let writing = Unfinished::begin(&to).unwrap();
        assert!(!journal.exists());
        assert_eq!(fs::metadata(&left).unwrap().len(), 0);
        assert!(is_refused(), "another backup writes it");
        assert!(left.exists());
        drop(writing);
        assert!(!left.exists());
        // What somebody else has put there is left alone.
        fs::write(&left, "mine").unwrap();
        fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(is_refused());
        assert_eq!(fs::read(&left).unwrap(), b"mine");
        fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        copy(&connection, &to, &Interrupt::default()).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "only the backup");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_name_that_another_file_has_got_meanwhile_is_left_to_it() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-backup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let [draft, to] = ["draft", "a.db"].map(|name| folder.join(name));
        // The second is for systems without the first.
        for rename in [locks::rename_new, locks::rename_to_reserved] {
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
