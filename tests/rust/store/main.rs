//! Whole runs over a store in a file: what was paid for stays paid for. On the real clock, as the
//! file's threads know no other.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod clock;
mod closing;
mod copies;
mod doubt;
mod files;
mod fixture;
mod forks;
mod histories;
mod interrupts;
mod money;
mod moves;
mod other;
mod privacy;
mod replaced;
mod resent;
mod reuse;
mod rules;
mod several;
mod spellings;
mod transfers;
mod trouble;
mod unsettled;
