//! The options of a sandbox.

use std::time::Duration;

use exactbuyer_core::config::seconds;
use exactbuyer_core::service::limits;

/// How the sandbox tells a client to wait when it sends too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RetryAfter {
    /// `Retry-After` in whole seconds, until the window has room again.
    Seconds,
    /// `Retry-After` as an HTTP date.
    Date,
}

/// How a sandbox is set up. The defaults are those that the service documents, with unlimited credits.
///
/// Python passes them by their serde names; an unknown name is an error.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The port on the loopback interface; 0 for any free port.
    pub port: u16,
    /// Determines which people exist and which requests are struck by faults with a probability.
    /// The same seed always gives the same results.
    pub seed: u64,
    /// The share of identifiers that belong to a person, in 0..=1. `required_fields` then reduces
    /// the matches.
    pub match_rate: f64,
    /// How long each answer takes. Any number of requests wait at the same time.
    #[serde(rename = "latency_s", deserialize_with = "seconds")]
    pub latency: Duration,
    /// The credits of the account; `None` for unlimited. A request that costs more than is
    /// left, or that arrives when nothing is left, is refused as a whole.
    pub credits: Option<u64>,
    /// How many requests are accepted in any 60 s; `None` for any number. A request that is refused
    /// for its rate or its key does not count.
    pub requests_per_minute: Option<u32>,
    /// How a refused call learns when to send again; `None`: not at all, as the service documents nothing.
    pub retry_after: Option<RetryAfter>,
    /// The key that is accepted; `None`: any that is not empty.
    pub api_key: Option<Box<str>>,
}

/// The rate is that of the service's documentation. The match rate is this sandbox's own: tests meet matches
/// and misses.
impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            seed: 0,
            match_rate: 0.7,
            latency: Duration::ZERO,
            credits: None,
            requests_per_minute: Some(limits::REQUESTS_PER_MINUTE),
            retry_after: None,
            api_key: None,
        }
    }
}
