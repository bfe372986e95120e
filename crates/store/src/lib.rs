//! What was asked and paid, so that nothing is paid for twice: in memory, and in a file that outlives the process.
//!
//! Both implement [`Store`](exactbuyer_core::store::Store). Only this crate writes files; `http` reads those with
//! certificates.

mod memory;
pub mod sqlite;

pub use memory::MemoryStore;
