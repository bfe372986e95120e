//! Doubts: what is in doubt, and what a user decides about it after a look at the service's usage page.

use rusqlite::Connection;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::store::Required;

use super::super::file::{Fault, query};
use super::super::process::SqliteStore;
use super::super::tables::{BlockCache, DecodedBlock, state};
use super::super::threads::Shared;

/// A lookup that may have been charged.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Doubt {
    /// The lookup's identifier.
    #[serde(flatten)]
    pub identifier: Identifier,
    /// The required fields.
    pub required_fields: Required,
    /// The number of the request in the journal.
    pub request: i64,
    /// When it was sent, in milliseconds since 1970.
    #[serde(rename = "sent_at_ms")]
    pub sent_ms: i64,
    /// Credits that this lookup may have cost in addition to the known credits: 0 if the request's known credits include
    /// it.
    pub credits: u64,
    /// What happened.
    pub reason: String,
}

exactbuyer_core::listed! {
    /// What happens to lookups in doubt.
    pub enum Resolution {
        /// It may be sent again. What it may have cost still counts.
        Resend = "resend",
        /// It is not sent again: it is `not_sent` until [`SqliteStore::allow`]. What it may have cost still counts.
        Drop = "drop",
        /// A user has found on the service's usage page that none of the credits in doubt was charged. It may be sent
        /// again, and these credits no longer count.
        NotCharged = "not_charged",
    }
}

/// What was resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Resolved {
    /// Lookups.
    pub lookups: u64,
    /// Credits that they may have cost. With [`Resolution::NotCharged`], all credits that no longer count: also those of
    /// doubts that were resolved before, and of replies without a count.
    pub credits: u64,
}

impl SqliteStore {
    /// Everything that is in doubt, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn unknown(&self) -> Result<Vec<Doubt>, Error> {
        self.read(doubts)
    }

    /// Resolves what is in doubt: everything, or what these requests have left. Requests in flight are not in doubt.
    ///
    /// # Errors
    /// If the store cannot be written: then nothing is resolved.
    pub fn resolve_unknown(
        &self,
        resolution: Resolution,
        requests: Option<&[i64]>,
    ) -> Result<Resolved, Error> {
        // A list in JSON; null stands for all requests.
        let requests = requests.map(|requests| serde_json::Value::from(requests).to_string());
        let to = match resolution {
            Resolution::Resend | Resolution::NotCharged => state::ASKED_AGAIN,
            Resolution::Drop => state::DROPPED,
        };
        self.write(move |connection, writer| {
            let (lookups, credits): (i64, i64) = query::row(
                connection,
                "SELECT count(*), coalesce(sum(in_doubt > 0), 0) FROM answer JOIN request ON request.id = answer.request
                 WHERE state IN (3, 6) AND (?1 IS NULL OR request.id IN (SELECT value FROM json_each(?1)))",
                [&requests],
            )?;
            query::change(
                connection,
                "UPDATE answer SET state = ?2
                 WHERE state IN (3, 6) AND (?1 IS NULL OR request IN (SELECT value FROM json_each(?1)))",
                (&requests, to),
            )?;
            let credits =
                if resolution == Resolution::NotCharged { release(connection, requests.as_ref())? } else { credits };
            writer.notify = true;
            Ok(Resolved { lookups: lookups.unsigned_abs(), credits: credits.unsigned_abs() })
        })
    }
}

/// Sets the credits in doubt of all settled requests, or of those of these requests, to 0. Returns how many they were.
fn release(connection: &Connection, requests: Option<&String>) -> Result<i64, Fault> {
    let settled = "WHERE settled_ms IS NOT NULL AND in_doubt > 0
                   AND (?1 IS NULL OR id IN (SELECT value FROM json_each(?1)))";
    let sum = format!("SELECT coalesce(sum(in_doubt), 0) FROM request {settled}");
    let credits: i64 = query::one(connection, &sum, [requests])?;
    query::change(connection, &format!("UPDATE request SET in_doubt = 0 {settled}"), [requests])?;
    Ok(credits)
}

fn doubts(connection: &Connection, shared: &Shared) -> Result<Vec<Doubt>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT answer.request, place, answer.required, sent_ms, in_doubt FROM answer
         JOIN request ON request.id = answer.request WHERE state IN (3, 6) ORDER BY answer.request, place",
    )?;
    let mut rows = ask.query([])?;
    let (mut doubts, mut blocks) = (Vec::new(), BlockCache::default());
    while let Some(row) = rows.next()? {
        let (request, place): (i64, i64) = (row.get(0)?, row.get(1)?);
        let in_doubt: i64 = row.get(4)?;
        let lookup = blocks.read(connection, (request, place), DecodedBlock::lookup_at)?;
        let Some(identifier) = lookup.identifier else { continue };
        doubts.push(Doubt {
            identifier,
            required_fields: shared.field_sets.get(connection, row.get(2)?)?,
            request,
            sent_ms: row.get(3)?,
            credits: u64::from(in_doubt > 0),
            reason: String::from_utf8_lossy(&lookup.body).into_owned(),
        });
    }
    Ok(doubts)
}
