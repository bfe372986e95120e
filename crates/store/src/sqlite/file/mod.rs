//! The files of a store: where they may be, who has them open, whether they are still the same, and what their tables
//! are.
//!
//! Owns paths and modes, the trial of a disk, the locks of owners, how long a lock is waited for, connections, the
//! schema, and the message for each failure. Knows nothing of lookups and threads.
//!
//! | file | what it has | if it is missing |
//! |---|---|---|
//! | `people.db` | the tables | there is no store |
//! | `people.db-wal` | the log: commits that are not in the file yet | after a clean close there is none |
//! | `people.db-shm` | the log's index, shared by all processes | SQLite makes it again |
//! | `people.db-owners` | 40 bytes that mark it, and the locks of owners | see `owners` |
//! | `people.db.backup-…` | a backup that a migration has made | |
//! | `….unfinished` | a backup that is being written | |
//!
//! No store may have a name that ends like one of these side files: see [`paths::RESERVED_ENDS`].
//!
//! An opening passes through these files in this order: `place` (which folder, which disk),
//! `owners::refuse_replaced` (with `generation`), `NameLock`, `connection`, `schema`, `Owners`, `OpenFiles`.

pub(super) mod busy;
mod connection;
mod disk_kinds;
pub(super) mod disks;
mod fault;
pub(super) mod generation;
pub(super) mod open_files;
pub(super) mod owners;
pub(super) mod paths;
pub(super) mod place;
pub(super) mod query;
pub(super) mod schema;
mod trial;

pub(crate) use busy::{LOCK_TIMEOUT, NearFork};
pub(crate) use connection::{connect, open_file};
pub(crate) use fault::Fault;
pub(crate) use open_files::{NameLock, OpenFiles};
pub(crate) use owners::Owners;
pub(crate) use paths::{
    SIDE_FILES, SQLITE_FILES, UNFINISHED, backups_of, beside, folder_of, refuse_reserved,
};
pub(crate) use schema::{Identity, SCHEMA_VERSION};
