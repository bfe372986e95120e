//! What a plan asks of a store: what was found of late, and what is left of a ceiling.

use rusqlite::{OptionalExtension, params};

use crate::config::Per;
use crate::error::Error;
use crate::store::Ceiling;

use super::super::SqliteStore;
use super::super::answers::claim::{period_start, spent};
use super::super::threads::shared::{known_number, now_ms, sorted};

/// Requests looked back upon: what was found long ago says little of the next list.
const LATEST: i64 = 1_000;

/// What came of the latest requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Yield {
    /// Lookups of which a contact was found.
    pub hits: u64,
    /// Lookups that were answered either way.
    pub answered: u64,
}

impl SqliteStore {
    /// What came of the latest thousand requests with these required fields.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn lately(&self, required: &[Box<str>]) -> Result<Yield, Error> {
        let fields = sorted(required);
        self.ask(move |reading, _| {
            let Some(number) = known_number(&reading.connection, &fields)? else {
                return Ok(Yield::default());
            };
            let counts = reading
                .connection
                .prepare_cached(
                    "SELECT coalesce(sum(hits), 0), coalesce(sum(hits + misses), 0) FROM
                     (SELECT hits, misses FROM request WHERE required = ?1 AND outcome = 'answered'
                      ORDER BY id DESC LIMIT ?2)",
                )?
                .query_row(params![number, LATEST], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
                .optional()?;
            let (hits, answered) = counts.unwrap_or_default();
            Ok(Yield { hits: hits.unsigned_abs(), answered: answered.unsigned_abs() })
        })
    }

    /// Credits that are left of a ceiling right now, doubts and requests under way counted as spent.
    ///
    /// # Errors
    /// Where the store cannot be read, or there is no such time zone.
    pub fn room(&self, ceiling: &Ceiling) -> Result<u64, Error> {
        let ceiling = ceiling.clone();
        self.ask(move |reading, _| {
            let spent = spent(&reading.connection, &ceiling, now_ms())?;
            Ok(ceiling.credits.saturating_sub(spent))
        })
    }
}

/// Whether there is a time zone of this name.
///
/// # Errors
/// [`ErrorKind::Config`](crate::error::ErrorKind::Config) if there is none.
pub fn check_time_zone(name: &str) -> Result<(), Error> {
    period_start(Per::Day, name, now_ms()).map(drop).map_err(|fault| fault.told(std::path::Path::new("")))
}
