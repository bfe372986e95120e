//! The threads of an open store, which are the only ones that use SQLite: one writes, one reads for runs, one reads for
//! the user's questions.
//!
//! Owns the order of commits, what the writer remembers between them, the requests in flight, and answers that could not
//! be stored yet. Knows nothing of what is written or asked: that comes as [`Work`] or as a [`ReadTask`].

mod intents;
mod owner_work;
mod reader;
mod shared;
mod work;
mod worker;
mod writer;
mod writer_state;

pub(super) use intents::Intent;
pub(super) use owner_work::{Bury, Listen};
pub(super) use reader::{ReadTask, Reader, ReaderState};
pub(super) use shared::Shared;
pub(super) use work::Work;
pub(super) use worker::{Parked, Worker, closed};
pub(super) use writer::Writer;
#[cfg(test)]
pub(super) use writer_state::MOST_WAITING_BYTES;
pub(super) use writer_state::WriterState;
