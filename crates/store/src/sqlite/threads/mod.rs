//! The threads of an open store, which are the only ones that use SQLite: one writes, one reads for runs, one reads for
//! the user's questions.
//!
//! Owns the order of commits, what the writer remembers between them, the requests in flight, and answers that could not
//! be stored yet. Knows nothing of what is written or asked: that comes as [`Work`] or as a [`ReadTask`].
//!
//! ```text
//!             Worker<Box<dyn Work>> ──▶ Writer  ── WriterState: owner, tail, purged people ─┐
//!  an Opening Worker<ReadTask>      ──▶ Reader  ── ReaderState: blocks, tail                ├─ Shared: identity, owners,
//!             Worker<ReadTask>      ──▶ Reader  ── ReaderState: blocks, tail               ─┘  intents, field sets, changed
//! ```
//!
//! Each thread has a connection of its own, which no other thread uses. A [`Worker`] is the thread, a `Role` is what
//! it does with its tasks. All threads can be parked for a fork: they close their files, and open them again for the
//! next task. Read `worker`, then `writer` and `writer_state`; the other files are short.

mod intents;
mod owner_work;
mod reader;
mod shared;
mod work;
mod worker;
mod writer;
mod writer_state;

pub(crate) use intents::Intent;
pub(crate) use owner_work::{AfterUnsettled, Bury, Listen};
pub(crate) use reader::{ReadTask, Reader, ReaderState};
pub(crate) use shared::Shared;
pub(crate) use work::Work;
pub(crate) use worker::{Parked, Worker, closed};
pub(crate) use writer::Writer;
pub(crate) use writer_state::WriterState;
