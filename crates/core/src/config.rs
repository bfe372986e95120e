//! The settings of the engine. They are checked once, when an enricher is built, and never change
//! after that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::service::limits;

crate::listed! {
    /// What to do with a lookup whose outcome is unknown.
    pub enum OnUnknown {
        /// Leave it: its rows get the status `unknown`.
        Hold = "hold",
        /// Send it again; the doubt stays counted.
        Resend = "resend",
    }
}

crate::listed! {
    /// Over what `max_credits` is counted.
    pub enum Per {
        /// Each run by itself.
        Run = "run",
        /// A calendar day.
        Day = "day",
        /// A calendar month.
        Month = "month",
        /// Everything that a durable store has on record; without one, everything that this engine sends.
        Store = "store",
    }
}

crate::listed! {
    /// How the body is encoded.
    pub enum BodyFormat {
        /// `application/x-www-form-urlencoded`, each field JSON text.
        Form = "form",
        /// `application/json`.
        Json = "json",
    }
}

/// Names and values.
type Tags = Arc<[(Box<str>, Box<str>)]>;

/// The settings of the engine. The transport has its own.
///
/// They are deserialized under the names of their fields. A duration is a number of seconds, and its name ends in `_s`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(default)]
pub struct Config {
    /// The fields that a contact must have. Without all of them it is not a match.
    pub required_fields: Box<[Box<str>]>,
    /// The most credits to spend; `None` for no limit. Doubts count as spent.
    pub max_credits: Option<u64>,
    /// The period in which these credits are counted.
    pub per: Per,
    /// The time zone in which days and months begin: a name of the IANA database, or `UTC`.
    pub time_zone: Box<str>,
    /// The oldest stored hit that is still served; without it, any.
    #[serde(rename = "max_age_s", deserialize_with = "optional_seconds")]
    pub max_age: Option<Duration>,
    /// The oldest stored miss that is still served; without it, any.
    #[serde(rename = "miss_max_age_s", deserialize_with = "optional_seconds")]
    pub miss_max_age: Option<Duration>,
    /// Labels that the journal records with each request, in addition to its own columns.
    #[serde(deserialize_with = "tags")]
    pub tags: Tags,
    /// Stands for the API key in the journal: salted by the store, so that all processes that share
    /// it agree, and nobody else can.
    #[serde(skip)]
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
    /// How long requests in flight may still take once a run is stopped.
    #[serde(rename = "grace_s", deserialize_with = "seconds")]
    pub grace: Duration,
    /// How the body of a request is encoded.
    pub body: BodyFormat,
}

/// Who enforces `max_credits`: counts the credits, and refuses requests that would exceed the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// Each run, for itself.
    Run,
    /// The engine, for all of its runs.
    Engine,
    /// The store, for everybody who shares it.
    Store,
}

impl Config {
    /// Who enforces `max_credits`. `durable` says whether the store outlives the engine: then the store counts
    /// over several runs.
    #[must_use]
    pub fn keeper(&self, durable: bool) -> Keeper {
        match self.per {
            Per::Run => Keeper::Run,
            Per::Day | Per::Month | Per::Store if durable => Keeper::Store,
            Per::Day | Per::Month | Per::Store => Keeper::Engine,
        }
    }

    /// `max_credits`, if it is for this keeper.
    #[must_use]
    pub fn credits_of(&self, keeper: Keeper, durable: bool) -> Option<u64> {
        self.max_credits.filter(|_| self.keeper(durable) == keeper)
    }
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
        }
    }
}

/// Deserializes a number of seconds, zero or more.
///
/// # Errors
/// If it is something else, or more than a `Duration` can hold.
pub fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
}

/// Reads seconds, or null for no duration. The field itself must be there.
///
/// # Errors
/// As [`seconds`].
pub fn optional_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let seconds = Option::<f64>::deserialize(from)?;
    seconds.map(Duration::try_from_secs_f64).transpose().map_err(D::Error::custom)
}

fn tags<'de, D: Deserializer<'de>>(from: D) -> Result<Tags, D::Error> {
    Ok(BTreeMap::deserialize(from)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_under_their_names_and_the_others_keep_their_defaults() {
        let text = r#"{"grace_s": 1.5, "max_age_s": 2, "miss_max_age_s": null, "per": "day", "tags": {"team": "a"}}"#;
        let read = serde_json::from_str::<Config>(text).ok();
        let read =
            read.as_ref().map(|c| (c.grace, c.max_age, c.miss_max_age, c.per, &*c.tags, c.max_retries));
        let (team, a) = ("team".into(), "a".into());
        let grace = Duration::from_millis(1_500);
        let max_age = Some(Duration::from_secs(2));
        assert_eq!(
            read,
            Some((grace, max_age, None, Per::Day, &[(team, a)][..], Config::default().max_retries))
        );
    }

    #[test]
    fn a_duration_is_not_negative() {
        for text in [r#"{"grace_s": -1}"#, r#"{"max_age_s": -1}"#, r#"{"grace_s": 1e30}"#] {
            assert!(serde_json::from_str::<Config>(text).is_err(), "{text}");
        }
    }
}
