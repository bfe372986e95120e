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
//!
//! # Words
//!
//! | word | one of these is |
//! |---|---|
//! | lookup | an identifier with the required fields: what is paid for once |
//! | key | the keyed hash of an identifier, 12 bytes; the index has no identifiers in plain text |
//! | request | a row of the journal: a claim, and later what became of it |
//! | token | a request's random number, equal in all copies of a store; the row's number is not |
//! | place | the position of a lookup among those of its request that have an outcome, from 0 |
//! | intent | the lookups of a request in flight, packed like a block, without outcomes |
//! | block | some tens of lookups of a request with their outcomes, compressed together |
//! | tail | the newest answers, by request; *folding* moves them into the index `answer` |
//! | doubt | a lookup that may have been charged and has no answer |
//! | owner | one opening of the store by a process, once it has claimed something; alive while it holds its lock |
//! | burying | putting the requests that a dead owner left in flight in doubt |
//! | barred | must not be sent: purged, or found to mention a purged person |
//! | opening, handle, user | a file that is open in this process; one reference to it; a handle that somebody will close |
//! | work, question | what the writer and the readers are given to do |
//! | fault | a failure with SQLite's own words; it becomes an `Error` where it leaves the store |
//!
//! # The way of a lookup
//!
//! ```text
//!  consult ──▶ reader: one read transaction ─▶ answer index, tail, intents ─▶ Availability
//!  claim   ──▶ writer: availability again, rate, limit, then INSERT request with its intent ─▶ COMMIT ─▶ send
//!  settle  ──▶ writer: blocks, tail (or index, for doubts), journal, intent gone            ─▶ COMMIT ─▶ deliver
//! ```
//!
//! Handles pack, compress and hash on the thread that calls. Only the store's own threads use SQLite, so no
//! consultation, claim or settlement keeps the engine's thread waiting for a disk.
//!
//! # What always holds
//!
//! - A request is sent only after the transaction with its intent was committed, with `synchronous = FULL`.
//! - `total` is the sum of `credits` and `in_doubt` over all requests. Both change in the same transaction.
//! - A lookup is in the file in at most one of these ways for each request: in the intent, or in a block. Its row in
//!   the index or the tail exists only together with a block.
//! - An answer replaces a doubt about the same request, and a doubt never replaces an answer.
//! - What a process remembers (intents, tail, purged people) may be behind the file. The writer compares it with the
//!   file at the beginning of each transaction, so decisions about money are made with the present state.

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
pub use file::paths::{RESERVED_ENDS, SIDE_FILES, reserved_end};
pub use file::place::service_of;
pub use ledger::{
    Doubt, Info, JournalEntry, Reconciliation, Resolution, Resolved, SummaryRow, Yield, check_time_zone,
};
pub use people::{Contact, Purged};
pub use process::{Interrupt, SqliteStore, after_fork, before_fork, service_at};
pub use recognise::Target;
pub use transfer::{Merged, Migrated, migrate};
