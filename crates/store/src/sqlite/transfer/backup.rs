//! Copies a whole store, which may be in use. Requests that were in flight are in doubt in the copy.
//!
//! A backup is written to a new file with a random name, `OUT.0123456789abcdef.unfinished`, and renamed when it is
//! complete. So a file with the final name is always a whole store, and no other file is ever written to. A crash leaves
//! an unfinished file. The next backup to the same name deletes it if it can be recognised: by its name, by its access,
//! and by a lock, which shows whether somebody is writing it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind::AlreadyExists};
use std::iter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use exactbuyer_core::error::{Error, ErrorKind};

use super::super::clock::pause_shortly;
use super::super::file::{
    Fault, LOCK_TIMEOUT, SQLITE_FILES, UNFINISHED, beside, folder_of, generation, open_file, place, query,
    refuse_reserved,
};
use super::super::platform::{self, FileId, Listed};
use super::super::process::{Interrupt, SqliteStore};

/// The number of pages that are copied between two checks for an interrupt: 4 MB.
const PAGES: i32 = 1_000;

/// The number of hexadecimal digits in the name of an unfinished backup. They are random, so that no other file has such
/// a name.
const DIGITS: usize = 16;

/// How often a file for a backup is created. Another backup to the same name may delete it before it is locked.
const MOST_TRIES: u32 = 5;

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
    delete_left(to);
    let unfinished = Unfinished::begin(connection, to)?;
    copy_pages(connection, (&unfinished.path, to), interrupt, LOCK_TIMEOUT)?;
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
    file: Listed<File>,
}

impl Unfinished {
    /// Creates and locks the file. SQLite would create one that others can read, but accepts an empty file.
    ///
    /// # Errors
    /// If it cannot be created or locked.
    fn begin(connection: &Connection, to: &Path) -> Result<Self, Fault> {
        let mut tries = 1;
        loop {
            let new = Self::create(&unfinished(connection, to)?).map_err(|error| unwritable(to, &error))?;
            match new.lock() {
                Ok(()) => return Ok(new),
                Err(_) if tries < MOST_TRIES => tries += 1,
                Err(error) => return Err(unwritable(to, &error)),
            }
        }
    }

    fn create(path: &Path) -> io::Result<Self> {
        let file = Listed::open(|| platform::create_private(path))?;
        let id = platform::status_of(file.get()?)?.id;
        Ok(Self { path: path.to_owned(), id, file })
    }

    /// # Errors
    /// If another backup has taken the file for one that a dead process has left.
    fn lock(&self) -> io::Result<()> {
        platform::lock_byte(self.file.get()?, WRITING)?;
        if platform::lies_at(self.id, &self.path)? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// A new name for an unfinished backup.
fn unfinished(connection: &Connection, to: &Path) -> Result<PathBuf, Fault> {
    // Two digits for each byte.
    let random: String = query::one(connection, "SELECT lower(hex(randomblob(8)))", [])?;
    Ok(beside(to, &format!(".{random}{UNFINISHED}")))
}

/// Whether a file of this name is an unfinished backup to this path.
fn is_unfinished(name: &OsStr, to: &Path) -> bool {
    let begins = to.file_name().unwrap_or_default().as_encoded_bytes();
    let rest = name.as_encoded_bytes().strip_prefix(begins).and_then(|rest| rest.strip_prefix(b"."));
    let random = rest.and_then(|rest| rest.strip_suffix(UNFINISHED.as_bytes()));
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    random.is_some_and(|random| random.len() == DIGITS && random.iter().all(is_digit))
}

/// Deletes what killed backups to the same path have left. What cannot be deleted keeps nobody from making a backup.
fn delete_left(to: &Path) {
    // If locks belong to the process, another thread of it may be writing the file.
    if !platform::locks_last() {
        return;
    }
    let files = fs::read_dir(folder_of(to)).into_iter().flatten().flatten();
    for file in files.filter(|file| is_unfinished(&file.file_name(), to)) {
        let _ = delete_if_left(&file.path());
    }
}

fn delete_if_left(path: &Path) -> io::Result<()> {
    if platform::is_taken(path) {
        return Ok(());
    }
    let locked = Listed::open(|| platform::open_private(path))?;
    let file = locked.get()?;
    let id = platform::status_of(file)?.id;
    platform::lock_byte(file, WRITING)?;
    // Otherwise it was completed, or deleted, before it was locked here.
    if platform::lies_at(id, path)? { delete_with_journal(path) } else { Ok(()) }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // If the copy has got its name, another backup may be writing a file here.
        if platform::lies_at(self.id, &self.path).unwrap_or(false) {
            // The first failure is the one to report.
            let _ = delete_with_journal(&self.path);
        }
    }
}

/// Deletes an unfinished backup. The journal goes first: by its own, nobody would recognise it.
fn delete_with_journal(path: &Path) -> io::Result<()> {
    delete(&beside(path, "-journal")).and_then(|()| delete(path))
}

fn delete(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if platform::is_absent(&error) { Ok(()) } else { Err(error) })
}

/// Copies one state of the store: a transaction does not see the commits of others.
///
/// Reads in one transaction, so the log of the store grows while others write, until the copy is complete.
///
/// # Errors
/// If another program keeps one of the files locked for longer than `patience`, or one of both cannot be used.
fn copy_pages(
    connection: &Connection,
    (unfinished, to): (&Path, &Path),
    interrupt: &Interrupt,
    patience: Duration,
) -> Result<(), Fault> {
    let mut copy = open_file(unfinished)?;
    let reading = connection.unchecked_transaction()?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(connection, &mut copy)?;
    let mut progress = Instant::now();
    loop {
        interrupt.check()?;
        match backup.step(PAGES)? {
            StepResult::Done => break,
            StepResult::More => progress = Instant::now(),
            _ if progress.elapsed() >= patience => return Err(locked(unfinished, to)),
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

fn locked(unfinished: &Path, to: &Path) -> Fault {
    Fault::of(format!(
        "the backup {} cannot be written: another program keeps the store or {} locked: let that finish, and run this \
         again, or give a path in another folder",
        to.display(),
        unfinished.display()
    ))
}

fn unwritable(to: &Path, error: &std::io::Error) -> Fault {
    Fault::system(format_args!("the backup {} cannot be written", to.display()), error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::super::file::busy;
    use super::*;

    /// A folder, and a store of a kind.
    fn begin(name: &str) -> (PathBuf, Connection) {
        let folder = std::env::temp_dir().join(format!("exactbuyer-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE one (number)").unwrap();
        (folder, connection)
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_backup_has_left_is_deleted_and_no_other_file() {
        let (folder, connection) = begin("unfinished");
        let to = folder.join("a.db");
        let put = |name: &str| {
            let mut file = platform::create_private(&folder.join(name)).unwrap();
            io::Write::write_all(&mut file, b"ana@x.example").unwrap();
        };
        put("a.db.0123456789abcdef.unfinished");
        put("a.db.0123456789abcdef.unfinished-journal");
        let mut others = vec![
            "a.db.0123456789abcde.unfinished",
            "a.db.0123456789abcdeF.unfinished",
            "a.db.unfinished",
            "a.db.unfinished-journal",
            "b.db.0123456789abcdef.unfinished",
        ];
        others.iter().copied().for_each(put);
        // Others can read it, so it is none of ours.
        others.push("a.db.0000456789abcdef.unfinished");
        put("a.db.0000456789abcdef.unfinished");
        platform::set_others_may_read(&folder.join("a.db.0000456789abcdef.unfinished"), true);
        let writing = Unfinished::begin(&connection, &to).unwrap();
        assert!(is_unfinished(writing.path.file_name().unwrap(), &to));
        copy(&connection, &to, &Interrupt::default()).unwrap();
        assert!(writing.path.exists(), "another backup is writing it");
        assert!(copy(&connection, &to, &Interrupt::default()).is_err(), "the first one has got the name");
        drop(writing);
        assert_eq!(names_in(&folder).len(), others.len() + 1, "only the backup: {:?}", names_in(&folder));
        for name in others {
            assert_eq!(fs::read(folder.join(name)).unwrap(), b"ana@x.example", "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_backup_does_not_wait_forever_for_a_locked_file() {
        let (folder, connection) = begin("locked-backup");
        let to = folder.join("a.db");
        let unfinished = Unfinished::begin(&connection, &to).unwrap();
        let other = Connection::open(&unfinished.path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let patience = Duration::from_millis(30);
        let copied = busy::within(patience, || {
            copy_pages(&connection, (&unfinished.path, &to), &Interrupt::default(), patience)
        });
        let error = copied.unwrap_err().into_error(&to);
        assert!(error.to_string().contains("locked: let that finish"), "{error}");
        drop((other, unfinished));
        assert_eq!(names_in(&folder), [""; 0]);
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
