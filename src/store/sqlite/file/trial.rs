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

use super::super::platform::unix::locks;

/// What a trial has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Trial {
    /// There was none: no file could be made, the disk is full, or something else failed that may pass, such as too
    /// many open files. SQLite's own errors say more.
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
pub(in super::super) fn run(folder: &Path) -> Trial {
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
    let first = locks::create_private(&path)?;
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
    let moved = synced(file.sync_data(), || plain_sync(file)).and_then(|()| fs::rename(path, &other));
    let found =
        moved.and_then(|()| fs::metadata(&other)).and_then(|there| Ok((there.ino(), file.metadata()?.ino())));
    let _ = fs::remove_file(&other);
    let _ = fs::remove_file(path);
    match found {
        Ok((there, here)) if there == here => Ok(()),
        Err(error) => Err(shown(&error, Trial::Files)),
        Ok(_) => Err(Trial::Files),
    }
}

/// On macOS a sync is `F_FULLFSYNC`, which some disks (exFAT, SMB) do not know. SQLite then uses `fsync`.
fn synced(full: io::Result<()>, plain: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    full.or_else(|error| match error.raw_os_error() {
        Some(libc::ENOTSUP | libc::EINVAL | libc::ENOTTY) => plain(),
        _ => Err(error),
    })
}

fn plain_sync(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` lives.
    if unsafe { libc::fsync(file.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn locks(first: &File, second: &File) -> Result<(), Trial> {
    // Locks of a process do not exclude that process: only another process could try them.
    if !locks::locks_last() {
        return Ok(());
    }
    let failed = |error: io::Error| shown(&error, Trial::Locks);
    locks::lock_byte(first, 0).map_err(failed)?;
    let excluded = match locks::lock_byte(second, 0) {
        Ok(()) => false,
        Err(error) if shown(&error, Trial::Locks) == Trial::None => return Err(Trial::None),
        Err(_) => true,
    };
    let excluded = excluded && locks::is_locked(second, 0..1).map_err(failed)?;
    locks::unlock_byte(first, 0).and_then(|()| locks::lock_byte(second, 0)).map_err(failed)?;
    if excluded { Ok(()) } else { Err(Trial::Locks) }
}

fn memory(first: &File, second: &File) -> Result<(), Trial> {
    let failed = |error: io::Error| shown(&error, Trial::Memory);
    let (one, other) = (Map::of(first).map_err(failed)?, Map::of(second).map_err(failed)?);
    let mut byte = [0];
    one.set(1);
    second.read_exact_at(&mut byte, 0).map_err(failed)?;
    let written = other.get() == 1 && byte == [1];
    other.set(2);
    first.read_exact_at(&mut byte, 0).map_err(failed)?;
    let back = one.get() == 2 && byte == [2];
    second.write_all_at(&[3], 0).map_err(failed)?;
    let read = one.get() == 3 && other.get() == 3;
    if written && back && read { Ok(()) } else { Err(Trial::Memory) }
}

/// What an error shows: nothing, if it may pass, or this fault of the disk.
fn shown(error: &io::Error, fault: Trial) -> Trial {
    let passes = error.raw_os_error().is_some_and(|error| error == libc::EINTR || locks::is_passing(error));
    if passes { Trial::None } else { fault }
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
    fn trouble_that_may_pass_shows_nothing_about_a_disk() {
        for passing in [libc::ENOLCK, libc::EMFILE, libc::EIO, libc::EINTR, libc::ENOSPC, libc::ENOMEM] {
            let error = io::Error::from_raw_os_error(passing);
            assert_eq!(shown(&error, Trial::Locks), Trial::None, "{error}");
        }
        for lasting in [libc::EAGAIN, libc::EINVAL, libc::ENOSYS, libc::ENOTSUP, libc::ENODEV] {
            let error = io::Error::from_raw_os_error(lasting);
            assert_eq!(shown(&error, Trial::Locks), Trial::Locks, "{error}");
        }
    }

    #[test]
    fn a_disk_that_knows_only_the_plain_sync_passes() {
        let error = |number| Err(io::Error::from_raw_os_error(number));
        for unknown in [libc::ENOTSUP, libc::EINVAL, libc::ENOTTY] {
            assert!(synced(error(unknown), || Ok(())).is_ok());
            assert!(synced(error(unknown), || error(libc::EINVAL)).is_err());
        }
        assert!(synced(error(libc::EIO), || Ok(())).is_err(), "what was not written is not on the disk");
        assert!(synced(Ok(()), || error(libc::EIO)).is_ok());
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
