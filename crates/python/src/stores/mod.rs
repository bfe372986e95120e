//! The durable store.

pub(crate) mod store;
