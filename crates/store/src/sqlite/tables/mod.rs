//! The rows of the file: reads and writes one table at a time, and decides nothing.
//!
//! Owns the SQL of answers, blocks, requests and barred identifiers, the encoding of blocks and of the tail, and the
//! numbers of states and field types. Knows nothing of runs, of threads, or of who is waiting.
//!
//! The way of an outcome through these files:
//!
//! ```text
//!  lookups with outcomes ─ block::pack ─▶ block_table::put           (all outcomes, byte for byte)
//!                        ─ tail::put ──▶ table `tail` ─ tail::fold ─▶ index::put   (found by key)
//!  a request with doubts ─────────────────────────────────────────▶ index::put   (doubts are found by state)
//! ```
//!
//! Functions that write expect to be called in a transaction; none begins or ends one. A function that writes more
//! than one row writes them in the order of the table's key. Read `state` first, then `block`, `tail` and `index`.

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
pub(crate) use field_sets::{FieldSets, known_number, number_of, within};
pub(crate) use tail::{Lines, Tail};
