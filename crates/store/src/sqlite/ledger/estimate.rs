//! What a plan asks about money: the recent hit rate, and what a spending limit still allows.

use rusqlite::params;

use exactbuyer_core::error::Error;
use exactbuyer_core::store::{Ceiling, RequestOutcome};

use super::super::clock::now_ms;
use super::super::file::query;
use super::super::process::SqliteStore;
use super::super::tables::known_number;
use super::ceilings::spent;

/// How many requests count: older ones say little about the next list.
const LATEST: i64 = 1_000;

/// The outcome of recent requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Yield {
    /// Lookups with a contact. At most `answered`.
    pub hits: u64,
    /// Lookups with an answer, with or without a contact.
    pub answered: u64,
}

impl SqliteStore {
    /// The outcome of the last thousand requests with these required fields.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn lately(&self, required: &[Box<str>]) -> Result<Yield, Error> {
        let fields = required.iter().cloned().collect();
        self.ask(move |reader, _| {
            let Some(number) = known_number(&reader.connection, &fields)? else {
                return Ok(Yield::default());
            };
            let (hits, answered): (i64, i64) = query::row(
                &reader.connection,
                "SELECT coalesce(sum(hits), 0), coalesce(sum(hits + misses), 0) FROM
                 (SELECT hits, misses FROM request WHERE required = ?1 AND outcome = ?2 ORDER BY id DESC LIMIT ?3)",
                params![number, RequestOutcome::Answered.as_str(), LATEST],
            )?;
            Ok(Yield { hits: hits.unsigned_abs(), answered: answered.unsigned_abs() })
        })
    }

    /// Credits that a spending limit still allows. Doubts and requests in flight count as spent.
    ///
    /// # Errors
    /// If the store cannot be read, or there is no such time zone.
    pub fn room(&self, ceiling: &Ceiling) -> Result<u64, Error> {
        let ceiling = ceiling.clone();
        self.ask(move |reader, _| {
            let spent = spent(&reader.connection, &ceiling, now_ms())?;
            Ok(ceiling.credits.saturating_sub(spent))
        })
    }
}
