//! The files of a store: where they may be, who has them open, whether they are still the same, and what their tables
//! are.
//!
//! Owns paths and modes, the trial of a disk, the locks of owners, how long a lock is waited for, connections, the
//! schema, and the message for each failure. Knows nothing of lookups and threads.

pub(super) mod busy;
pub(super) mod connection;
mod disk_kinds;
pub(super) mod disks;
pub(super) mod fault;
pub(super) mod open_files;
pub(super) mod owners;
pub(super) mod paths;
pub(super) mod place;
pub(super) mod schema;
mod trial;
