//! The results of a run: the outcome of each row, and the receipt. Data only.

mod standard_json;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serializer;

use crate::error::ErrorKind;
use crate::identifier::Invalid;
use crate::message::Message;

pub use standard_json::standard_json;

crate::listed! {
    /// The status of a row. The order is that of a receipt.
    #[repr(u8)]
    pub enum Status {
        /// There was nothing to ask.
        Missing = "missing",
        /// The value cannot be looked up.
        Invalid = "invalid",
        /// A contact was found.
        Found = "found",
        /// The service has no match.
        NotFound = "not_found",
        /// The service refused this record.
        Rejected = "rejected",
        /// It was sent and may have been charged, but its outcome is not known.
        Unknown = "unknown",
        /// It was not sent, or refused free of charge: it can be sent again at the normal price.
        NotSent = "not_sent",
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

/// The receipt of a run. `rows` is the sum of all statuses; the rows in `duplicates` and `from_store` are among
/// them, and cost nothing.
///
/// It is serialized under the names of Python's `Receipt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// All rows.
    pub rows: u64,
    /// Rows of each status, by [`Status`]'s own number.
    #[serde(flatten, serialize_with = "by_name")]
    pub by_status: [u64; Status::ALL.len()],
    /// Rows answered by another row's lookup.
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
    /// The doubts of earlier runs that rows of this run have.
    #[serde(flatten)]
    pub inherited: Inherited,
    /// Rows with the status `not_sent`, because the store forbids sending them.
    pub barred: u64,
    /// How long it took.
    #[serde(rename = "elapsed_s", serialize_with = "as_seconds")]
    pub elapsed: Duration,
    /// Why the run stopped before its end; `None` if it did not.
    #[serde(skip)]
    pub stopped: Option<Arc<Message>>,
    /// The kind of error that stopped it; `None` if the caller did, so that nothing needs to be corrected.
    pub stopped_error: Option<ErrorKind>,
    /// What was wrong with replies that were charged, each with the number of such replies. This
    /// explains, among other things, why credits are in doubt although every row was answered.
    pub notes: Vec<(&'static str, u64)>,
}

/// Doubts of earlier runs that rows of a run have. The store has recorded what they may cost; it is not in this
/// receipt's credits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Inherited {
    /// Lookups; rows that wait for them are `unknown`.
    #[serde(skip)]
    pub lookups: u64,
    /// Rows with the status `unknown` that have it only because of such a doubt.
    #[serde(rename = "inherited")]
    pub rows: u64,
    /// Credits that they may have cost.
    #[serde(rename = "inherited_credits")]
    pub credits: u64,
    /// When the first of them went out, in milliseconds since 1970.
    #[serde(rename = "inherited_since_ms")]
    pub since_ms: Option<i64>,
}

impl Receipt {
    /// The number of rows with this status.
    #[must_use]
    pub fn count(&self, status: Status) -> u64 {
        self.by_status.get(status as usize).copied().unwrap_or_default()
    }
}

fn by_name<S: Serializer>(by_status: &[u64; Status::ALL.len()], into: S) -> Result<S::Ok, S::Error> {
    into.collect_map(Status::ALL.map(|status| (status.as_str(), by_status.get(status as usize))))
}

fn as_seconds<S: Serializer>(duration: &Duration, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_f64(duration.as_secs_f64())
}
