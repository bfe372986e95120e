//! The terms of a run with the store, and the answer to a claim. Data only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::budget::Room;
use crate::config::Per;
use crate::outcome::Availability;

use super::RequestId;

/// The terms of a run with the store.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The oldest hit that the run uses; if `None`, any.
    pub max_age: Option<Duration>,
    /// The oldest miss that the run uses; if `None`, any.
    pub miss_max_age: Option<Duration>,
    /// Ask again for what was answered before the run began.
    pub refresh: bool,
    /// Send what is in doubt again.
    pub resend: bool,
    /// Most sends in any 60 s, of all runs that share the store and the key.
    pub requests_per_minute: u32,
    /// Stands for the key in the journal.
    pub key_fingerprint: u64,
    /// Most credits, if the store must count them.
    pub ceiling: Option<Ceiling>,
    /// Notes that the journal keeps with each request.
    pub tags: Arc<[(Box<str>, Box<str>)]>,
}

/// Most credits over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Most credits, doubts and requests under way counted as spent.
    pub credits: u64,
    /// The period. Never [`Per::Run`], which a run counts for itself.
    pub per: Per,
    /// Where days and months begin.
    pub time_zone: Box<str>,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Which lookups may be sent, in order: those that are [`Availability::Free`] or
    /// [`Availability::Again`] are claimed, and noted under this request.
    Granted {
        /// What to settle.
        request: RequestId,
        /// One for each lookup.
        availability: Vec<Availability>,
    },
    /// Nothing was claimed: other runs that share the store have used up the rate, or the service has asked all
    /// of them to pause. Ask again after so long.
    NotBefore(Duration),
    /// Nothing was claimed: it would exceed the ceiling.
    NoRoom(Room),
}

/// How a request ended, for the journal.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// When it was over, in milliseconds since 1970.
    pub at_ms: i64,
    /// In one word.
    pub outcome: &'static str,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// From the first byte to the last.
    pub took: Duration,
    /// Whether a byte may have left this machine. If not, it counts neither against the rate nor as a request.
    pub left: bool,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub in_doubt: u64,
    /// The run will send again what is unknown: other runs must not take it for the final outcome.
    pub resends: bool,
    /// No run that shares the key may send for so long.
    pub pause: Option<Duration>,
    /// A reply that was charged and could not be read whole, as it came.
    pub unread: Option<Bytes>,
}
