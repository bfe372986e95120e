//! On what terms a run asks, and what the store says to a claim. Data only.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::budget::Room;
use crate::config::Per;
use crate::outcome::Availability;

use super::RequestId;

/// What a run settles with the store before it asks.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The oldest hit that it takes; without it, any.
    pub max_age: Option<Duration>,
    /// The oldest miss that it takes; without it, any.
    pub miss_max_age: Option<Duration>,
    /// Ask again for what was answered before the run began.
    pub refresh: bool,
    /// Send what is in doubt again.
    pub resend: bool,
    /// Most sends in any 60 s, by all who share the store and the key.
    pub requests_per_minute: u32,
    /// Stands for the key in the journal.
    pub key_fingerprint: u64,
    /// Most credits, where the store is to count them.
    pub ceiling: Option<Ceiling>,
    /// What the journal says of each request.
    pub tags: Arc<[(Box<str>, Box<str>)]>,
}

/// Most credits over a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ceiling {
    /// Most credits, doubts and requests under way counted as spent.
    pub credits: u64,
    /// Over what; never [`Per::Run`], which a run counts for itself.
    pub per: Per,
    /// Where days and months begin.
    pub time_zone: Box<str>,
}

/// What came of a claim.
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
    /// Nothing was claimed: others who share the store have used the rate up, or the service has
    /// asked all of them to pause. Ask again after so long.
    NotBefore(Duration),
    /// Nothing was claimed: it would go beyond the ceiling.
    NoRoom(Room),
}

/// What a request came to, for the journal.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// When it was over, in milliseconds since 1970.
    pub at_ms: i64,
    /// In one word.
    pub outcome: &'static str,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// From the first byte to the last.
    pub took: Duration,
    /// Whether a byte may have left: what did not leave counts neither against the rate nor as a
    /// request.
    pub left: bool,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged on top.
    pub in_doubt: u64,
    /// The run will send again what is unknown: other runs must not take it for the final outcome.
    pub resends: bool,
    /// Nobody who shares the key may send for so long.
    pub pause: Option<Duration>,
    /// A reply that was charged and could not be read whole, as it came.
    pub unread: Option<Bytes>,
}
