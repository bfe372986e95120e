//! What was asked and paid: the trait, and the store that remembers for as long as a run lasts.

/// What was asked and paid.
pub trait Store: Send + Sync + 'static {}

/// Remembers only while runs are under way.
#[derive(Debug, Default)]
pub struct MemoryStore {}

impl Store for MemoryStore {}
