//! The threads of an open store, which are the only ones that use SQLite: one writes, one reads for runs, one reads for
//! the user's questions.
//!
//! Owns the order of commits, what the writer remembers between them, the requests in flight, and answers that could not
//! be stored yet. Knows nothing of what is written or asked: that comes as a [`work::Work`] or a [`reader::ReadTask`].

mod intents;
pub(super) mod owner_work;
pub(super) mod reader;
pub(super) mod shared;
pub(super) mod work;
pub(super) mod worker;
pub(super) mod writer;
pub(super) mod writer_state;

pub(super) use intents::Intent;
