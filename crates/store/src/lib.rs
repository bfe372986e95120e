//! What was asked and paid, so that nothing is paid for twice: in memory, and in a file that outlives the process.
//!
//! Both implement [`Store`](exactbuyer_core::store::Store). Only this crate writes files; `http` reads those with
//! certificates.
//!
//! | | [`MemoryStore`] | [`sqlite::SqliteStore`] |
//! |---|---|---|
//! | answers are kept | while a run is live that may use them | until they are purged |
//! | a lookup is paid for once | among the runs at the same time | among all runs of all processes |
//! | after a crash | nothing is known | requests in flight are in doubt |
//! | cost of a request | nothing | two commits, each of which waits for the disk |
//! | spending limits | of a run or an engine | also for a day, a month or the store's life |
//!
//! Both take lookups as identifiers with required fields, and know an answer as bytes or a reason. Neither knows
//! rows, retries, HTTP or how a reply is read.

mod memory;
pub mod sqlite;

use exactbuyer_core::lock;

pub use memory::MemoryStore;
