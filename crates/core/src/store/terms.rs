//! The terms of a run, and the result of a claim. Data only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::Per;
use crate::outcome::Availability;

use super::RequestId;

/// What a run tells the store at its beginning.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The oldest hit that it uses; `None` for any.
    pub max_age: Option<Duration>,
    /// The oldest miss that it uses; `None` for any.
    pub miss_max_age: Option<Duration>,
    /// Whether it sends lookups again that were answered before it began.
    pub refresh: bool,
    /// Whether it sends lookups again that are in doubt.
    pub resend: bool,
    /// The most requests in any 60 s, by all processes that share the store and the key.
    pub requests_per_minute: u32,
    /// The fingerprint of the key in the journal.
    pub key_fingerprint: u64,
    /// The spending limit, if the store counts the credits.
    pub ceiling: Option<Ceiling>,
    /// The tags of each request in the journal.
    pub tags: Arc<[(Box<str>, Box<str>)]>,
}

/// A spending limit for a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// The most credits. Doubts and requests in flight count as spent.
    pub credits: u64,
    /// The period; never [`Per::Run`], which a run counts itself.
    pub per: Per,
    /// The time zone of its days and months.
    pub time_zone: Box<str>,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Whether each lookup may be sent, in order. Those that are [`Availability::Free`] or [`Availability::Again`] are
    /// claimed by this request.
    Granted {
        /// The request to settle.
        request: RequestId,
        /// One for each lookup.
        availability: Vec<Availability>,
    },
    /// Nothing was claimed, because the processes that share the store have used up the rate, or the service has asked for a
    /// pause. Ask again after this time.
    NotBefore(Duration),
    /// Nothing was claimed, because it would exceed the spending limit.
    NoRoom(Room),
}

/// What a spending limit still allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Credits that can still be claimed.
    pub credits: u64,
    /// Credits spent in its period by all processes that share the store. Doubts and requests in flight count as spent.
    pub spent: u64,
    /// The limit.
    pub ceiling: u64,
    /// Whether there are requests in flight that may cost less than was reserved for them.
    pub reserved: bool,
}

/// The outcome of a request, for the journal.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// The outcome in one word.
    pub outcome: &'static str,
    /// The HTTP status, if there was a reply.
    pub status: Option<u16>,
    /// From the first byte to the last.
    pub took: Duration,
    /// Whether a byte may have left this machine. If not, it does not count as a request or against the rate.
    pub left: bool,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub in_doubt: u64,
    /// Whether the run will send again what is unknown: then it is not the outcome yet, for other runs.
    pub resends: bool,
    /// How long nobody may send with the same key.
    pub pause: Option<Duration>,
    /// A reply that was charged and could not be read completely, as it arrived.
    pub unread: Option<Bytes>,
}
