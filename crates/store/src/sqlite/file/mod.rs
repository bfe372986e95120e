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
pub(super) mod query;
pub(super) mod schema;
mod trial;

pub(crate) use busy::{LOCK_TIMEOUT, NearFork};
pub(crate) use connection::{connect, open_file};
pub(crate) use fault::Fault;
pub(crate) use open_files::{NameLock, OpenFiles};
pub(crate) use owners::Owners;
pub(crate) use paths::{UNFINISHED, backups_of, beside};
pub(crate) use schema::{Identity, SCHEMA_VERSION};
