//! The files of a store: where they may be, who has them open, whether they are still the same, and what their tables
//! are.
//!
//! Owns paths and modes, the trial of a disk, the locks of owners, how long a lock is waited for, connections, the
//! schema, and the message for each failure. Knows nothing of lookups and threads.

pub(super) mod busy;
mod connection;
mod disk_kinds;
pub(super) mod disks;
mod fault;
pub(super) mod open_files;
pub(super) mod owners;
mod paths;
pub(super) mod place;
pub(super) mod schema;
mod trial;

pub(super) use busy::{LOCK_TIMEOUT, NearFork};
pub(super) use connection::{connect, open_file};
pub(super) use fault::Fault;
pub(super) use open_files::{NameLock, OpenFiles};
pub(super) use owners::Owners;
pub(super) use paths::{UNFINISHED, backups_of, beside};
pub(super) use schema::{Identity, SCHEMA_VERSION};
