//! The durable store, and what is in it.

pub(crate) mod store;
pub(crate) mod stored;
