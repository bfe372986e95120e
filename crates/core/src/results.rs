//! OUTPUT: what became of each row, and what the run took. Data only.

mod standard_json;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::identifier::Invalid;
use crate::message::Message;

pub use standard_json::standard_json;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// A contact was found.
    Found,
    /// The vendor was asked, and has nobody.
    NotFound,
    /// There was nothing to ask.
    Missing,
    /// What stands there cannot be looked up.
    Invalid,
    /// The vendor refused this record.
    Rejected,
    /// It was sent and may have been charged; what came of it cannot be told.
    Unknown,
    /// It was not sent, or refused free of charge: asking again costs what asking once does.
    NotSent,
}

impl Status {
    /// All of them, in the order of a receipt.
    pub const ALL: [Self; 7] = [
        Self::Missing,
        Self::Invalid,
        Self::Found,
        Self::NotFound,
        Self::Rejected,
        Self::Unknown,
        Self::NotSent,
    ];

    /// The word people see.
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

/// Why a row is not `found`, `not_found` or `missing`. Never holds a person's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It cannot be looked up.
    Invalid(Invalid),
    /// What happened to its lookup; many rows share one text.
    Run(Arc<str>),
    /// Why its lookup was not sent; many rows share one message.
    NotSent(Arc<Message>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::Run(text) => f.write_str(text),
            Self::NotSent(message) => message.fmt(f),
        }
    }
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This run asked for it, for this row first.
    Asked,
    /// Another row of the run, or another run at the same time, asked for it.
    Duplicate,
    /// The store had it.
    Store,
}

/// Where an answer came from, and when the vendor gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Where it came from.
    pub source: Source,
    /// When the vendor gave it, in milliseconds since 1970; `None` where it gave none.
    pub fetched_at_ms: Option<i64>,
}

impl From<Source> for Origin {
    fn from(source: Source) -> Self {
        Self { source, fetched_at_ms: None }
    }
}

/// What became of one row.
#[derive(Debug, Clone)]
pub struct RowOutcome {
    /// Its place in the input, from 0.
    pub row: u64,
    /// What became of it.
    pub status: Status,
    /// Which of the row's own values stands for it: of a list, the one that was found, else the
    /// first. 0 for a row that is no list.
    pub alternative: u32,
    /// The contact's JSON text, where it was found.
    pub record: Option<Bytes>,
    /// Why, where that is not plain from the status.
    pub reason: Option<Reason>,
    /// Where the answer came from.
    pub source: Source,
    /// When the vendor gave the answer that stands here, in milliseconds since 1970; `None` where it
    /// gave none.
    pub fetched_at_ms: Option<i64>,
}

/// What a run took. In rows: `rows` is the sum of the seven statuses, of which `duplicates` and
/// `from_store` cost nothing of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Rows read.
    pub rows: u64,
    /// Rows of each status, by [`Status`]'s own number.
    pub by_status: [u64; 7],
    /// Rows answered by another row's lookup.
    pub duplicates: u64,
    /// Rows answered by the store.
    pub from_store: u64,
    /// Of the rows found, those that another row's lookup answered.
    pub found_duplicates: u64,
    /// Of the rows found, those that the store answered.
    pub found_from_store: u64,
    /// Lookups that went out, each time they did.
    pub sent: u64,
    /// Requests that went out, whatever became of them.
    pub requests: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged on top.
    pub credits_in_doubt: u64,
    /// Lookups whose answers reached the caller but could not be stored.
    pub not_stored: u64,
    /// Lookups whose contacts reached the caller, and which the store does not keep because they mention a
    /// purged person.
    pub withheld: u64,
    /// Lookups that went out although the store has a contact for them: too old, found with other
    /// required fields, or to be asked again.
    pub bought_again: u64,
    /// What earlier runs left in doubt, and this one met.
    pub inherited: Inherited,
    /// Rows of status `not_sent` because the store says that they must not be.
    pub barred: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Why it stopped before the end, if it did.
    pub stopped: Option<Arc<Message>>,
    /// Whether somebody stopped it, so that nothing needs to be corrected.
    pub stopped_by_caller: bool,
    /// What was odd about replies that were charged, and in how many of them: why credits are in doubt
    /// though every row was answered, among others.
    pub notes: Vec<(&'static str, u64)>,
}

/// Doubts of earlier runs that a run met: they are on the books of the store, not on this
/// receipt's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Lookups; rows that wait for them are `unknown`.
    pub lookups: u64,
    /// Rows of status `unknown` that are so for no other reason.
    pub rows: u64,
    /// Credits that they may have cost.
    pub credits: u64,
    /// When the first of them went out, in milliseconds since 1970.
    pub since_ms: Option<i64>,
}

impl Receipt {
    /// Rows of this status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.by_status.get(status as usize).copied().unwrap_or_default()
    }
}
