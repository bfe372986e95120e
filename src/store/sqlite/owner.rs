//! Who is alive: an owner is one process's use of a store, and lives as long as it holds the lock
//! on its byte of the side file. The kernel lets go of it when the process dies, however it dies;
//! a laptop that sleeps keeps it; a forked child never has it. So neither clocks nor process
//! numbers, which containers share, are asked.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::place;

/// The side file of one store, opened once: closing any handle of it drops all locks that this
/// process has on it.
#[derive(Debug)]
pub(super) struct Owners {
    path: PathBuf,
    file: Mutex<File>,
    /// Owners of this process: the kernel does not tell a process of its own locks.
    ours: Mutex<HashSet<i64>>,
}

impl Owners {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = Mutex::new(place::open_owners(path)?);
        Ok(Self { path: path.to_owned(), file, ours: Mutex::default() })
    }

    /// Takes the lock of a new owner.
    pub(super) fn enter(&self, owner: i64) -> io::Result<()> {
        lock(&*self.file()?, owner, libc::F_WRLCK)?;
        self.ours().insert(owner);
        Ok(())
    }

    /// Gives it back.
    pub(super) fn leave(&self, owner: i64) {
        self.ours().remove(&owner);
        // What cannot be given back goes with the process.
        let _ = self.file().and_then(|file| lock(&file, owner, libc::F_UNLCK));
    }

    /// Whether this owner's process is alive. In doubt, it is.
    pub(super) fn is_alive(&self, owner: i64) -> bool {
        if self.ours().contains(&owner) {
            return true;
        }
        let mut asked = flock(owner, libc::F_WRLCK);
        let answered = self.file().and_then(|file| Ok(fcntl(&*file, FcntlArg::F_GETLK(&mut asked))?));
        answered.is_err() || i32::from(asked.l_type) != libc::F_UNLCK
    }

    /// The side file. If somebody has deleted it, a new one, with our locks: those of other
    /// processes are on the old one until they notice.
    fn file(&self) -> io::Result<MutexGuard<'_, File>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = file.metadata().map(|known| (known.dev(), known.ino()))?;
        if place::file_id(&place::owners(&self.path)).ok() != Some(opened) {
            *file = place::open_owners(&self.path)?;
            for owner in self.ours().iter() {
                lock(&file, *owner, libc::F_WRLCK)?;
            }
        }
        Ok(file)
    }

    fn ours(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(file: &File, owner: i64, kind: libc::c_int) -> io::Result<()> {
    Ok(fcntl(file, FcntlArg::F_SETLK(&flock(owner, kind))).map(|_| ())?)
}

/// One byte for each owner: their numbers are never used twice.
#[allow(clippy::cast_possible_truncation, clippy::cast_lossless)] // the types differ by platform
fn flock(owner: i64, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: owner as libc::off_t,
        l_len: 1,
        l_pid: 0,
    }
}
