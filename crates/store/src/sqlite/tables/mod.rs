//! The rows of the file: reads and writes one table at a time, and decides nothing.
//!
//! Owns the SQL of answers, blocks, requests and barred identifiers, the encoding of blocks and of the tail, and the
//! numbers of states and field types. Knows nothing of runs, of threads, or of who is waiting.

pub(super) mod barred;
pub(super) mod block;
mod block_cache;
pub(super) mod block_table;
mod field_sets;
pub(super) mod index;
pub(super) mod requests;
pub(super) mod state;
pub(super) mod tail;

pub(crate) use block::{DecodedBlock, block_start};
pub(crate) use block_cache::BlockCache;
pub(crate) use field_sets::{FieldSets, Fields, known_number, number_of, sorted, within};
pub(crate) use tail::{Lines, Tail, TailAnswer};
