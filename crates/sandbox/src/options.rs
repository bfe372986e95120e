//! The options of a sandbox.

use std::time::Duration;

use exactbuyer_core::service::limits;

/// How a reply with status 429 tells the client when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryAfter {
    /// It does not say it, because the service documents no `Retry-After`.
    #[default]
    Unsaid,
    /// `Retry-After` in whole seconds, until the window has space again.
    Seconds,
    /// `Retry-After` as an HTTP date.
    Date,
}

/// The options of a sandbox. By default it behaves as the service is documented, with unlimited
/// credits.
#[derive(Debug, Clone)]
pub struct Options {
    /// The port on the loopback interface; 0 for any free port.
    pub port: u16,
    /// Determines which people exist and which requests are struck by faults with a probability.
    /// The same seed always gives the same results.
    pub seed: u64,
    /// The share of identifiers that belong to a person, in 0..=1. `required_fields` then reduces
    /// the matches.
    pub match_rate: f64,
    /// How long each reply takes. Any number of requests can wait at the same time.
    pub latency: Duration,
    /// The credits of the account; `None` for unlimited. A request that costs more than is
    /// left, or that arrives when nothing is left, is refused as a whole.
    pub credits: Option<u64>,
    /// How many requests are accepted in any 60 s; `None` for any number. A request that is refused
    /// for its rate or its key does not count.
    pub requests_per_minute: Option<u32>,
    /// How a request that is refused for its rate learns when to come back.
    pub retry_after: RetryAfter,
    /// The API key that is accepted; `None` for any that is not empty.
    pub api_key: Option<Box<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 0,
            match_rate: 0.7,
            latency: Duration::ZERO,
            credits: None,
            requests_per_minute: Some(limits::REQUESTS_PER_MINUTE),
            retry_after: RetryAfter::Unsaid,
            api_key: None,
        }
    }
}
