//! The results of a run: the outcome of each row, and the receipt. Data only.

mod standard_json;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::identifier::Invalid;

pub use standard_json::standard_json;

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// A contact was found. It costs a credit, unless the store or another row had it.
    Found,
    /// The service was asked and found nothing. Free.
    NotFound,
    /// The row has nothing to look up. Free.
    Missing,
    /// The row's value cannot be looked up. Free.
    Invalid,
    /// The service refused this record. Free.
    Rejected,
    /// The lookup was sent and may have been charged, but its result is not known.
    Unknown,
    /// The lookup was not sent, or was refused free of charge. Asking for it later costs the same
    /// as asking now.
    NotSent,
}

impl Status {
    /// All statuses, in the order of a receipt.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Invalid,
        Self::Found,
        Self::NotFound,
        Self::Rejected,
        Self::Unknown,
        Self::NotSent,
    ];

    /// The name of this status in results, such as `not_found`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
        }
    }
}

/// Why a row has a status other than `found`, `not_found` and `missing`. It never contains personal
/// data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The value cannot be looked up.
    Invalid(Invalid),
    /// Something that happened during the run. Many rows share one text.
    Run(Arc<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Run(text) => f.write_str(text),
        }
    }
}

/// Where the answer to a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From a request of this run, made for this row first.
    Asked,
    /// From a request that was made for another row of the run, or by another run at the same time.
    Duplicate,
    /// From the store.
    Store,
}

/// Where an answer came from, and when the service gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Where it came from.
    pub source: Source,
    /// When the service gave the answer, in milliseconds since 1970; `None` if the service gave
    /// none.
    pub fetched_at_ms: Option<i64>,
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Self { source, fetched_at_ms: None }
    }
}

/// The outcome of one row.
#[derive(Debug, Clone)]
pub struct RowOutcome {
    /// The position of the row in the input, from 0.
    pub row: u64,
    /// The outcome.
    pub status: Status,
    /// The position of the row's value that the outcome is about. In a list this is the value that
    /// was found, or else the first. 0 if the row is not a list.
    pub alternative: u32,
    /// The contact's JSON text, if one was found.
    pub record: Option<Bytes>,
    /// The reason, if the status alone does not tell it.
    pub reason: Option<Reason>,
    /// Where the answer came from.
    pub source: Source,
    /// When the service gave this answer, in milliseconds since 1970; `None` if the service gave
    /// none.
    pub fetched_at_ms: Option<i64>,
}

/// What a run did and what it cost. `rows` is the sum of the seven statuses. Of those rows,
/// `duplicates` and `from_store` cost nothing themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// All rows.
    pub rows: u64,
    /// The number of rows of each status, at the index `status as usize`.
    pub by_status: [u64; 7],
    /// Rows that another row's lookup answered.
    pub duplicates: u64,
    /// Rows that the store answered.
    pub from_store: u64,
    /// Found rows that another row's lookup answered.
    pub found_duplicates: u64,
    /// Found rows that the store answered.
    pub found_from_store: u64,
    /// Lookups that were sent, counted again each time they were sent again.
    pub sent: u64,
    /// Requests that were sent, whatever their result.
    pub requests: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub credits_in_doubt: u64,
    /// Lookups whose answers reached the caller but could not be stored.
    pub not_stored: u64,
    /// Lookups whose contacts reached the caller, but which the store does not keep because they
    /// mention a purged person.
    pub withheld: u64,
    /// Lookups that were sent although the store has a contact for them. That contact is too old,
    /// was found with other required fields, or the caller asked for everything again.
    pub bought_again: u64,
    /// Doubts that earlier runs left and that rows of this run wait for.
    pub inherited: Inherited,
    /// Rows with the status `not_sent`, because the store forbids sending them.
    pub barred: u64,
    /// How long the run took.
    pub elapsed: Duration,
    /// Why the run stopped before its end; `None` if it did not.
    pub stopped: Option<Arc<str>>,
    /// What was wrong with replies that were charged, each with the number of such replies. This
    /// explains, among other things, why credits are in doubt although every row was answered.
    pub notes: Vec<(&'static str, u64)>,
}

/// Doubts of earlier runs that this run found. The store has them on record; this receipt does not
/// count them as its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Lookups in doubt. Rows that wait for them are `unknown`.
    pub lookups: u64,
    /// Rows that are `unknown` only for this reason.
    pub rows: u64,
    /// The credits that they may have cost.
    pub credits: u64,
    /// When the first of them was sent, in milliseconds since 1970.
    pub since_ms: Option<i64>,
}

impl Receipt {
    /// The number of rows with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.by_status.get(status as usize).copied().unwrap_or_default()
    }
}
