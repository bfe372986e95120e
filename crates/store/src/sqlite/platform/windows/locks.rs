//! Locks on bytes of a file. They belong to one opening of the file, and end when that is closed.
//!
//! Unlike on Unix, the bytes that are locked cannot be read through another opening. So the locks lie far beyond the
//! data, each as far as it would lie from the beginning of the file on Unix. Windows has no call that reports a lock:
//! to check whether a lock is held, a process must try to take it. It then has the lock for a moment, so a lock that
//! is refused is tried again.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::Duration;

use super::super::super::clock::pause;
use super::calls::{self, Lock};
use super::errors::is_locked_out;

/// Where the locks begin. No file is as long as that.
const LOCKS: i64 = 1 << 42;

/// How often a lock is tried. A process that only checks for it has it for some microseconds.
const MOST_TRIES: u32 = 5;

/// Locks one byte. Fails if it is locked through another opening of the file.
pub(crate) fn lock_byte(file: &File, at: i64) -> io::Result<()> {
    take(file, Lock::Exclusive, at)
}

/// Takes a shared lock on one byte.
pub(crate) fn share_byte(file: &File, at: i64) -> io::Result<()> {
    take(file, Lock::Shared, at)
}

pub(crate) fn unlock_byte(file: &File, at: i64) -> io::Result<()> {
    calls::unlock(file, beyond(&(at..at.saturating_add(1))))
}

/// Whether any of these bytes is locked, not only shared, through another opening of the file. The caller has none of
/// them.
pub(crate) fn is_locked(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    would_conflict(file, Lock::Shared, &bytes)
}

/// Whether any of these bytes is locked or shared through another opening of the file. The caller has none of them.
pub(crate) fn is_used(file: &File, bytes: Range<i64>) -> io::Result<bool> {
    would_conflict(file, Lock::Exclusive, &bytes)
}

/// Whether locks stay when another opening of the file is closed.
pub(crate) fn locks_last() -> bool {
    true
}

fn take(file: &File, kind: Lock, at: i64) -> io::Result<()> {
    let mut tries = 1;
    loop {
        match calls::lock(file, kind, beyond(&(at..at.saturating_add(1)))) {
            Err(error) if is_locked_out(&error) && tries < MOST_TRIES => tries += 1,
            done => return done,
        }
        pause(Duration::from_millis(1));
    }
}

fn would_conflict(file: &File, kind: Lock, bytes: &Range<i64>) -> io::Result<bool> {
    let bytes = beyond(bytes);
    match calls::lock(file, kind, bytes.clone()) {
        Ok(()) => calls::unlock(file, bytes).map(|()| false),
        Err(error) if is_locked_out(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn beyond(bytes: &Range<i64>) -> Range<u64> {
    bytes.start.saturating_add(LOCKS).unsigned_abs()..bytes.end.saturating_add(LOCKS).unsigned_abs()
}
