//! Which lookup each contact of a reply answers, and what the call cost.
//!
//! The vendor promises the order of the query and repeats each `value`; where the two disagree,
//! the value decides as far as it is unambiguous, and what cannot be told stays unknown: a record
//! is never given to a row that it may not belong to.

use bytes::Bytes;

use crate::identifier::Identifier;

use super::decode::Decoded;

/// What one lookup of a billed call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The contact's JSON text.
    Hit(Bytes),
    /// Nothing was found.
    Miss,
    /// It cannot be told; the reason.
    Unknown(&'static str),
}

/// A billed call, settled.
#[derive(Debug)]
pub struct Settlement {
    /// One answer per lookup, in the order they were sent.
    pub answers: Vec<Answer>,
    /// Credits known to be charged: the larger of `records_enriched` and the contacts that are not
    /// null.
    pub credits: u32,
    /// Credits that may have been charged on top: where `records_enriched` is absent or absurd, up
    /// to the whole chunk.
    pub in_doubt: u32,
    /// What did not fit, in words, for the log and the receipt.
    pub note: Option<&'static str>,
}

/// Settles what was sent against what came back.
#[must_use]
pub fn settle(_sent: &[Identifier], _decoded: &Decoded<'_>) -> Settlement {
    Settlement { answers: Vec::new(), credits: 0, in_doubt: 0, note: None }
}
