//! Tries whether a disk does what a store needs: locks that exclude, shared memory, sync and rename. Knows
//! nothing of kinds of disks.
#![allow(unsafe_code)] // mapping a file into memory has no safe interface

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use nix::libc;

use super::platform;

/// What a trial has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trial {
    /// There was none: no file could be made, or the disk is full. SQLite's own errors say more.
    None,
    /// Everything that one process can try works.
    Passed,
    /// Another descriptor of the file got a lock that was held, or locks are not supported.
    Locks,
    /// Two mappings of the file, or a mapping and the file, did not show the same bytes.
    Memory,
    /// A file could not be synchronised with the disk, or not be renamed.
    Files,
}

/// Bytes of the file that is tried. They are written before they are mapped: where there is no room for a part
/// of a file, touching it in memory would end the process.
const LENGTH: usize = 4_096;

/// Tries the disk of this folder with a file of its own, whose name is gone again before anything is locked.
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
        first.write_all_at(&[0; LENGTH], 0)?;
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
    let moved = file.sync_data().and_then(|()| fs::rename(path, &other));
    let found =
        moved.and_then(|()| fs::metadata(&other)).and_then(|there| Ok((there.ino(), file.metadata()?.ino())));
    let _ = fs::remove_file(&other);
    let _ = fs::remove_file(path);
    match found {
        Ok((there, here)) if there == here => Ok(()),
        Err(error) if is_about_room(&error) => Err(Trial::None),
        _ => Err(Trial::Files),
    }
}

fn locks(first: &File, second: &File) -> Result<(), Trial> {
    // Locks of a process do not exclude that process: only another process could try them.
    if !platform::locks_last() {
        return Ok(());
    }
    platform::lock_byte(first, 0).map_err(|_| Trial::Locks)?;
    let excluded =
        platform::lock_byte(second, 0).is_err() && platform::is_locked(second, 0..1).unwrap_or(false);
    let released = platform::unlock_byte(first, 0).and_then(|()| platform::lock_byte(second, 0)).is_ok();
    if excluded && released { Ok(()) } else { Err(Trial::Locks) }
}

fn memory(first: &File, second: &File) -> Result<(), Trial> {
    let maps = Map::of(first).and_then(|one| Ok((one, Map::of(second)?)));
    let (one, other) = match maps {
        Ok(maps) => maps,
        Err(error) if is_about_room(&error) => return Err(Trial::None),
        Err(_) => return Err(Trial::Memory),
    };
    let mut byte = [0];
    one.set(1);
    let written = other.get() == 1 && second.read_exact_at(&mut byte, 0).is_ok() && byte == [1];
    other.set(2);
    let back = one.get() == 2 && first.read_exact_at(&mut byte, 0).is_ok() && byte == [2];
    let read = second.write_all_at(&[3], 0).is_ok() && one.get() == 3 && other.get() == 3;
    if written && back && read { Ok(()) } else { Err(Trial::Memory) }
}

fn is_about_room(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(platform::is_passing)
}

/// The file's bytes, shared with everybody who maps it.
struct Map(NonNull<libc::c_void>);

impl Map {
    fn of(file: &File) -> io::Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the system chooses; nothing else refers to it.
        let start =
            unsafe { libc::mmap(ptr::null_mut(), LENGTH, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start).map(Self).ok_or_else(|| io::Error::other("mapped at the address 0"))
    }

    /// The first byte. Others change it, so it is only ever used as an atomic one.
    fn byte(&self) -> &AtomicU8 {
        // SAFETY: the mapping is longer than a byte and lives as long as `self`. Nobody shortens the file, whose
        // name is gone.
        unsafe { AtomicU8::from_ptr(self.0.as_ptr().cast()) }
    }

    fn get(&self) -> u8 {
        self.byte().load(Ordering::SeqCst)
    }

    fn set(&self, value: u8) {
        self.byte().store(value, Ordering::SeqCst);
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: what `of` has mapped, and nobody uses any more.
        unsafe { libc::munmap(self.0.as_ptr(), LENGTH) };
    }
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
        // Two files behave like one file without locks and without shared memory.
        assert_eq!(locks(&first, &other), Err(Trial::Locks));
        assert_eq!(memory(&first, &other), Err(Trial::Memory));
        assert_eq!(memory(&first, &second), Ok(()));
        assert_eq!(locks(&second, &first), Ok(()));
        // A file that does not lie where it was made.
        assert_eq!(renamed(&other_path, &first), Err(Trial::Files));
        assert_eq!(renamed(&path, &first), Ok(()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
