//! The settings of the engine. They are checked once, when an enricher is built, and never change
//! after that.

use std::sync::Arc;
use std::time::Duration;

use crate::identifier::Rules;
use crate::service::limits;

/// What to do with a lookup that may have been charged and has no known outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// Do not send it again. Its rows get the status `unknown`.
    #[default]
    Hold,
    /// Send it again. It may then be charged twice, so the doubt stays counted.
    Resend,
}

/// The period in which `max_credits` is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Per {
    /// Each run separately.
    Run,
    /// A calendar day in `time_zone`.
    Day,
    /// A calendar month in `time_zone`.
    Month,
    /// Everything that the store has recorded. Without a durable store: everything that this engine
    /// sends.
    #[default]
    Store,
}

/// How the body of a request is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`; each field contains JSON text.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// The settings of the engine. The transport has its own.
///
/// `Default` gives the documented defaults of `BulkEnricher`.
///
/// ```
/// use exactbuyer_core::config::Config;
///
/// let config = Config { max_credits: Some(5_000), ..Config::default() };
/// assert_eq!((config.chunk_size, config.requests_per_minute), (1_000, 200));
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The fields that a contact must have. Without all of them it is not a match.
    pub required_fields: Box<[Box<str>]>,
    /// The most credits to spend; `None` for no limit. Doubts count as spent.
    pub max_credits: Option<u64>,
    /// The period in which these credits are counted.
    pub per: Per,
    /// The time zone in which days and months begin: a name of the IANA database, or `UTC`.
    pub time_zone: Box<str>,
    /// The oldest stored hit that is used; `None` for any age.
    pub max_age: Option<Duration>,
    /// The oldest stored miss that is used; `None` for any age. Asking again for a miss
    /// costs nothing unless there is a contact now.
    pub miss_max_age: Option<Duration>,
    /// Names and values that the journal keeps with each request.
    pub tags: Arc<[(Box<str>, Box<str>)]>,
    /// A hash that stands for the API key in the journal. The store's own salt goes into it, so
    /// that processes with the same store get the same hash, and nobody can compare it with that of
    /// another store.
    pub key_fingerprint: u64,
    /// The most lookups that may be in flight or unknown at any moment of a run.
    pub max_in_doubt: usize,
    /// What to do with a lookup whose outcome is unknown.
    pub on_unknown: OnUnknown,
    /// The most requests in any 60 s.
    pub requests_per_minute: u32,
    /// The most requests in flight.
    pub max_concurrency: usize,
    /// The most lookups in one request.
    pub chunk_size: usize,
    /// How many more times a request is tried that was not sent, or that the service refused only
    /// for a while.
    pub max_retries: u32,
    /// How long requests in flight may still take after a run was stopped.
    pub grace: Duration,
    /// How the body of a request is encoded.
    pub body: BodyFormat,
    /// How identifiers are read.
    pub rules: Rules,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            required_fields: Box::default(),
            max_credits: None,
            per: Per::Store,
            time_zone: "UTC".into(),
            max_age: None,
            miss_max_age: Some(Duration::from_hours(7 * 24)),
            tags: Arc::default(),
            key_fingerprint: 0,
            max_in_doubt: 20_000,
            on_unknown: OnUnknown::Hold,
            requests_per_minute: limits::REQUESTS_PER_MINUTE,
            max_concurrency: 64,
            chunk_size: limits::MAX_CHUNK,
            max_retries: 5,
            grace: Duration::from_secs(30),
            body: BodyFormat::Form,
            rules: Rules::default(),
        }
    }
}
