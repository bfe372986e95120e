//! Locks on bytes of a file.
//!
//! POSIX locks belong to the process, and the system drops all of them when the process closes *any* descriptor of the
//! file: a backup tool or a plain `open(path).read()` in the same process is enough. Locks of an open file description
//! (Linux 3.15, macOS 10.15) end only when that description is closed. We use them wherever they exist, for our own
//! locks and, by `system_calls`, for SQLite's. They conflict with POSIX locks of other programs in the same way as
//! POSIX locks conflict with each other.
#![allow(unsafe_code)] // `fcntl` with a lock has no safe interface on all systems

use std::ffi::{c_int, c_short};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::LazyLock;

use nix::errno::Errno;
use nix::libc::{self, flock, off_t};

/// Locks one byte. Fails if it is locked through another opening of the file.
pub(crate) fn lock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, WRITE, at)
}

/// Takes a shared lock on one byte.
pub(crate) fn share_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, READ, at)
}

pub(crate) fn unlock_byte(file: &File, at: i64) -> io::Result<()> {
    set(file, UNLOCK, at)
}

/// Whether any of these bytes is locked, not only shared, through another opening of the file.
pub(crate) fn is_locked(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    would_conflict(file, READ, bytes)
}

/// Whether any of these bytes is locked or shared through another opening of the file.
pub(crate) fn is_used(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    would_conflict(file, WRITE, bytes)
}

fn would_conflict(file: &File, kind: c_short, bytes: Range<i64>) -> io::Result<bool> {
    let mut asked = lock_of(kind, bytes);
    outcome(call(file.as_raw_fd(), COMMANDS.get, &mut asked))?;
    Ok(asked.l_type != UNLOCK)
}

/// Whether locks stay when another descriptor of the file is closed.
pub(crate) fn locks_last() -> bool {
    COMMANDS.by_description
}

#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)] // their types differ between platforms
const READ: c_short = libc::F_RDLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
const WRITE: c_short = libc::F_WRLCK as c_short;
#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation)]
pub(super) const UNLOCK: c_short = libc::F_UNLCK as c_short;

fn set(file: &File, kind: c_short, at: i64) -> io::Result<()> {
    let mut lock = lock_of(kind, at..at.saturating_add(1));
    outcome(call(file.as_raw_fd(), COMMANDS.set, &mut lock))
}

fn outcome(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast)]
fn lock_of(kind: c_short, bytes: Range<i64>) -> flock {
    // SAFETY: a C structure of numbers; zero is a valid value of each.
    let mut lock: flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind;
    lock.l_whence = libc::SEEK_SET as c_short;
    lock.l_start = bytes.start as off_t;
    lock.l_len = (bytes.end - bytes.start) as off_t;
    lock
}

pub(crate) fn call(fd: RawFd, command: c_int, lock: &mut flock) -> c_int {
    // The kernel requires 0 here for locks of a description.
    lock.l_pid = 0;
    // SAFETY: the command takes a lock, which lives until the call returns.
    unsafe { libc::fcntl(fd, command, std::ptr::from_mut(lock)) }
}

/// The commands of `fcntl` that set a lock and query one.
pub(crate) struct Commands {
    pub(crate) set: c_int,
    pub(crate) get: c_int,
    by_description: bool,
}

pub(super) static COMMANDS: LazyLock<Commands> = LazyLock::new(|| {
    let by_process = Commands { set: libc::F_SETLK, get: libc::F_GETLK, by_description: false };
    by_description().unwrap_or(by_process)
});

/// The commands for locks of a description; `None` if the system refuses them, as some sandboxes do.
#[cfg(all(
    target_pointer_width = "64", // elsewhere, SQLite's `flock` structure differs from ours
    any(target_os = "linux", target_os = "android", target_vendor = "apple")
))]
fn by_description() -> Option<Commands> {
    let known = Commands { set: libc::F_OFD_SETLK, get: libc::F_OFD_GETLK, by_description: true };
    let refused = cfg!(not(target_vendor = "apple"))
        && File::open("/dev/null").is_ok_and(|file| {
            call(file.as_raw_fd(), known.get, &mut lock_of(WRITE, 0..1)) != 0
                && Errno::last() == Errno::EINVAL
        });
    (!refused).then_some(known)
}

#[cfg(not(all(
    target_pointer_width = "64",
    any(target_os = "linux", target_os = "android", target_vendor = "apple")
)))]
fn by_description() -> Option<Commands> {
    None
}
