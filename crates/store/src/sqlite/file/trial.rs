//! Tries whether a disk does what a store needs: locks that exclude, shared memory, sync and rename. Knows nothing of
//! kinds of disks.
//!
//! The order: sync, rename, delete; then a lock that must exclude; then bytes through two mappings and the file
//! itself. The first fault ends the trial. A process that is killed within these milliseconds may leave the file
//! behind.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::platform::{self, SharedByte};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// No result: no file could be created, the disk is full, or something else failed that may pass, such as too many
    /// open files. SQLite's own errors say more.
    None,
    /// Everything that one process can try worked.
    Passed,
    /// Another descriptor of the file got a lock that was held, or locks are not supported.
    Locks,
    /// Two mappings of the file, or a mapping and the file itself, did not show the same bytes.
    Memory,
    /// A file could not be synchronised with the disk, or could not be renamed.
    Files,
}

/// The length of the file that is tried. The bytes are written before they are mapped: if the disk had no room for a
/// mapped part, using that part would end the process.
const LENGTH: usize = 4_096;

/// Tries the disk of this folder with a new file, which is deleted before anything is locked.
///
/// Never fails: what cannot be tried is [`Trial::None`].
pub(super) fn run(folder: &Path) -> Trial {
    let Ok((first, second)) = files(folder) else { return Trial::None };
    let outcome = renamed(&first.1, &first.0).and_then(|()| {
        locks(&first.0, &second)?;
        memory(&first.0, &second)
    });
    outcome.map_or_else(|shown| shown, |()| Trial::Passed)
}

type Named = (File, PathBuf);

/// Two openings of the same new file.
fn files(folder: &Path) -> io::Result<(Named, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!(".exactbuyer-trial-{}-{number}", std::process::id()));
    let first = platform::create_private(&path)?;
    let second = OpenOptions::new().read(true).write(true).open(&path).and_then(|second| {
        platform::write_at(&first, &[0; LENGTH], 0)?;
        Ok(second)
    });
    match second {
        Ok(second) => Ok(((first, path), second)),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

/// Synchronises, renames and deletes the file.
fn renamed(path: &Path, file: &File) -> Result<(), Trial> {
    let other = path.with_extension("renamed");
    let known = platform::status_of(file);
    let moved = platform::sync_data(file).and_then(|()| fs::rename(path, &other));
    let found = moved.and_then(|()| platform::lies_at(known?.id, &other));
    let _ = fs::remove_file(&other);
    let _ = fs::remove_file(path);
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trial::Files),
        Err(error) => Err(shown(&error, Trial::Files)),
    }
}

/// Two openings stand for two processes: a lock through one must exclude the other, and must be gone after it was
/// released.
fn locks(first: &File, second: &File) -> Result<(), Trial> {
    // Locks that belong to the process do not exclude that process, so only another process could try them.
    if !platform::locks_last() {
        return Ok(());
    }
    let failed = |error: io::Error| shown(&error, Trial::Locks);
    platform::lock_byte(first, 0).map_err(failed)?;
    let excluded = match platform::lock_byte(second, 0) {
        Ok(()) => false,
        Err(error) if shown(&error, Trial::Locks) == Trial::None => return Err(Trial::None),
        Err(_) => true,
    };
    let excluded = excluded && platform::is_locked(second, 0..1).map_err(failed)?;
    platform::unlock_byte(first, 0).and_then(|()| platform::lock_byte(second, 0)).map_err(failed)?;
    if excluded { Ok(()) } else { Err(Trial::Locks) }
}

/// SQLite's processes share the log's index through such mappings.
fn memory(first: &File, second: &File) -> Result<(), Trial> {
    let failed = |error: io::Error| shown(&error, Trial::Memory);
    let (one, other) = (SharedByte::map(first).map_err(failed)?, SharedByte::map(second).map_err(failed)?);
    let mut byte = [0];
    one.set(1);
    platform::read_at(second, &mut byte, 0).map_err(failed)?;
    let written = other.get() == 1 && byte == [1];
    other.set(2);
    platform::read_at(first, &mut byte, 0).map_err(failed)?;
    let back = one.get() == 2 && byte == [2];
    platform::write_at(second, &[3], 0).map_err(failed)?;
    let read = one.get() == 3 && other.get() == 3;
    if written && back && read { Ok(()) } else { Err(Trial::Memory) }
}

/// What an error shows: nothing if it may pass, otherwise this fault of the disk.
fn shown(error: &io::Error, fault: Trial) -> Trial {
    if platform::may_pass(error) { Trial::None } else { fault }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_local_disk_passes_and_nothing_is_left_on_it() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-trial-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(run(&folder), Trial::Passed);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(run(&folder), Trial::None);
    }

    #[test]
    fn faults_are_seen() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-trial-faults-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ((first, path), second) = files(&folder).unwrap();
        let ((other, other_path), _) = files(&folder).unwrap();
        // Two different files behave like one file whose locks and memory are not shared.
        assert_eq!(locks(&first, &other), Err(Trial::Locks));
        assert_eq!(memory(&first, &other), Err(Trial::Memory));
        assert_eq!(memory(&first, &second), Ok(()));
        assert_eq!(locks(&second, &first), Ok(()));
        // The path is that of another file.
        assert_eq!(renamed(&other_path, &first), Err(Trial::Files));
        assert_eq!(renamed(&path, &first), Ok(()));
        // Windows keeps the name of a deleted file until it is closed.
        drop((first, second, other));
        fs::remove_dir_all(&folder).unwrap();
    }
}
