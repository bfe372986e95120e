//! The durable store: one SQLite file that survives crashes and power cuts, and that several processes may share.
//!
//! The rooms, from the bottom to the top. Each room uses only the rooms before it; `ledger` and `people` do not know
//! `answers`, and nothing knows `transfer`.
//!
//! - `platform`: what differs between operating systems.
//! - `file`: the files of a store. Where they may be, who has them open, and what their tables are.
//! - `recognise`: recognises people in contacts. Pure.
//! - `tables`: reads and writes rows.
//! - `threads`: the threads that use SQLite, and what they remember.
//! - `process`: the stores that this process has open, and forks.
//! - `ledger`: the journal, doubts and spending limits.
//! - `answers`: the engine's side. Lookups, claims and settlements.
//! - `people`: find, purge and allow.
//! - `transfer`: merge, export, backup and migration. Rare.
//!
//! The store knows of a run only its terms, and of the service only the length of its rate window.

mod answers;
mod clock;
mod file;
mod key;
mod ledger;
mod people;
mod platform;
mod process;
mod recognise;
mod tables;
mod threads;
mod transfer;

pub use file::disks::distrust;
pub use file::place::service_of;
pub use ledger::{
    Doubt, Info, JournalEntry, Reconciliation, Resolution, Resolved, SummaryRow, Yield, check_time_zone,
};
pub use people::{Contact, Purged};
pub use process::{Interrupt, SqliteStore, after_fork, before_fork, service_at};
pub use recognise::Target;
pub use transfer::{Export, Merged, Migrated, migrate, migrate_unless};
