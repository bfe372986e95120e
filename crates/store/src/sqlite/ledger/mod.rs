//! The journal and its sums: what was sent, what it has cost, what is in doubt, and what spending limits still allow.
//!
//! Owns the user's questions about money. Knows nothing of contacts.

mod ceilings;
mod doubts;
mod estimate;
mod journal;

pub use ceilings::check_time_zone;
pub(crate) use ceilings::spent;
pub use doubts::{Doubt, Resolution, Resolved};
pub use estimate::Yield;
pub use journal::{Info, JournalEntry, Reconciliation, SummaryRow};
