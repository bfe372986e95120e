//! The terms of a run, and the result of a claim. Data only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::Per;
use crate::outcome::{Availability, RequestOutcome};

use super::RequestId;

/// What a run tells the store when it begins.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The oldest stored hit that the run uses; `None` means any age.
    pub max_age: Option<Duration>,
    /// The oldest stored miss that the run uses; `None` means any age.
    pub miss_max_age: Option<Duration>,
    /// Whether the run sends lookups again that were answered before it began. Each hit is then
    /// paid for again.
    pub refresh: bool,
    /// Whether the run sends lookups again that are in doubt. They may then be paid for twice.
    pub resend: bool,
    /// The most requests in any 60 s, for all processes that share the store and the key.
    pub requests_per_minute: u32,
    /// The fingerprint of the API key, for the journal.
    pub key_fingerprint: u64,
    /// The spending limit, if the store counts the credits. `None` means that only the run counts
    /// them.
    pub ceiling: Option<Ceiling>,
    /// The tags that the journal keeps with each request, as names and values.
    pub tags: Arc<[(Box<str>, Box<str>)]>,
}

/// A spending limit for a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// The most credits. Doubts and requests in flight count as spent.
    pub credits: u64,
    /// The period. It is never [`Per::Run`], because a run counts its own credits.
    pub per: Per,
    /// The time zone in which its days and months begin, such as `Europe/Berlin`.
    pub time_zone: Box<str>,
}

/// The result of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Whether each lookup may be sent, in order. Those that are [`Availability::Free`] or [`Availability::Again`] are
    /// claimed by this request.
    Granted {
        /// The request that must be settled.
        request: RequestId,
        /// One for each lookup.
        availability: Vec<Availability>,
    },
    /// Nothing was claimed: the processes that share the store have used up the rate, or the
    /// service has asked for a pause. Ask again after this time.
    NotBefore(Duration),
    /// Nothing was claimed, because the chunk could exceed the spending limit.
    NoRoom(Room),
}

/// What a spending limit still allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Credits that can still be claimed.
    pub credits: u64,
    /// Credits that all processes which share the store have spent in the limit's period. Doubts
    /// and requests in flight count as spent.
    pub spent: u64,
    /// The limit.
    pub ceiling: u64,
    /// The limit's period.
    pub per: Per,
    /// Whether requests are in flight that may cost less than was reserved for them. Then waiting
    /// may help.
    pub reserved: bool,
}

/// How a request ended, for the journal.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// When it ended, in milliseconds since 1970.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// The HTTP status, if there was a reply.
    pub status: Option<u16>,
    /// From the first byte sent to the last byte received.
    pub took: Duration,
    /// Whether a byte may have left this machine. If not, it counts neither as a request nor
    /// against the rate.
    pub left: bool,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub in_doubt: u64,
    /// Whether the run will send again what is unknown: then it is not the outcome yet, for other runs.
    pub resends: bool,
    /// How long nobody may send with the same key.
    pub pause: Option<Duration>,
    /// The body of a reply that was charged but could not be read completely, unchanged.
    pub unread: Option<Bytes>,
}
