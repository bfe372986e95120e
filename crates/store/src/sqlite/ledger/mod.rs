//! The journal and its sums: what was sent, what it has cost, what is in doubt, and what spending limits still allow.
//!
//! Owns the user's questions about money. Knows nothing of contacts.
//!
//! | question | where | cost |
//! |---|---|---|
//! | is there room under a spending limit? | `ceilings` | one row, or the requests of the period by index |
//! | what may have been charged, and what was decided about it? | `doubts` | the doubts, by index |
//! | how many of these rows will have a contact? | `estimate` | the journal from its end, until a thousand requests fit |
//! | what was sent, when, with which tags? what does the invoice say? | `journal` | the whole journal; for an invoice, the requests of the month |

mod ceilings;
mod doubts;
mod estimate;
mod journal;

pub use ceilings::check_time_zone;
pub(crate) use ceilings::spent;
pub use doubts::{Doubt, Resolution, Resolved};
pub use estimate::Yield;
pub use journal::{Info, JournalEntry, Reconciliation, SummaryRow};
