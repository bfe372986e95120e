//! Everything that differs between operating systems. No other file of the store asks for which system it is
//! compiled; a port to another system is a folder beside `unix/` with the same items.
//!
//! Owns the identity, the owner and the mode of a file, locks that belong to an open file, shared memory, the kind of
//! a disk as the system names it, SQLite's system calls, the open descriptors that a forked child must close, and the
//! meaning of the system's error numbers. Knows nothing of stores.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use unix::*;
