//! The durable store.
//!
//! Python's `exactbuyer.store` is the public side: it checks arguments, makes dataclasses, and knows nothing of
//! SQLite. The crate `store` does the work. Here is only the way between the two, and who waits where.

pub(crate) mod store;
