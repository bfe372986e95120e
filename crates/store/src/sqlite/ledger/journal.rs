//! The journal: every request and its outcome. A purge does not change it.

use std::collections::BTreeMap;
use std::iter;

use rusqlite::Connection;
use serde::Serialize as _;

use exactbuyer_core::config::Per;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::outcome::RequestOutcome;
use exactbuyer_core::store::Required;

use super::super::file::{Fault, SCHEMA_VERSION, SIDE_FILES, beside, query};
use super::super::process::SqliteStore;
use super::super::tables::{barred, state};
use super::super::threads::Shared;
use super::ceilings::{check_time_zone, period_start};

/// The number of requests that are read together.
const PAGE: i64 = 10_000;

/// A request in the journal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct JournalEntry {
    /// Its number.
    pub request: i64,
    /// When it was sent, in milliseconds since 1970.
    #[serde(rename = "sent_at_ms")]
    pub sent_ms: i64,
    /// When it was settled; `None` while it is in flight.
    #[serde(rename = "settled_at_ms")]
    pub settled_ms: Option<i64>,
    /// How it ended; `None` while it is in flight.
    pub outcome: Option<RequestOutcome>,
    /// The HTTP status, if there was a reply.
    #[serde(rename = "http_status")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub took_ms: Option<i64>,
    /// The required fields.
    pub required_fields: Required,
    /// The number of its lookups.
    pub lookups: u64,
    /// Lookups with a contact.
    pub hits: u64,
    /// Lookups without a contact.
    pub misses: u64,
    /// Lookups that the service refused.
    pub rejected: u64,
    /// Lookups whose outcome is unknown.
    pub unknown: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub credits_in_doubt: u64,
    /// The fingerprint of the key.
    pub key_fingerprint: u64,
    /// The enricher's tags, in the order of their names.
    pub tags: BTreeMap<String, String>,
}

/// Requests that have something in common, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct SummaryRow {
    /// What they have in common, in the order of `by`; `None` if they do not have a tag.
    pub group: Vec<Option<String>>,
    /// Requests that were sent.
    pub requests: u64,
    /// Lookups in them.
    pub lookups: u64,
    /// Lookups with a contact.
    pub hits: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub credits_in_doubt: u64,
}

/// The journal of a month compared with the service's invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Reconciliation {
    /// Credits known to be charged.
    pub charged: u64,
    /// Credits that may have been charged in addition.
    pub in_doubt: u64,
    /// Credits on the invoice.
    pub invoiced: u64,
    /// The invoice minus the known credits.
    pub difference: i64,
    /// Whether the doubts explain the difference.
    pub fits: bool,
}

/// What is in a store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Info {
    /// The service whose answers it has.
    pub service: String,
    /// The version of its tables.
    pub schema_version: u32,
    /// The version of the rules of canonical forms.
    pub rules_version: u32,
    /// When it was created, in milliseconds since 1970.
    #[serde(rename = "created_at_ms")]
    pub created_ms: i64,
    /// Bytes on the disk, side files included.
    pub bytes: u64,
    /// Requests in the journal that were sent.
    pub requests: u64,
    /// Requests in flight.
    pub under_way: u64,
    /// Contacts.
    pub hits: u64,
    /// Lookups without a contact.
    pub misses: u64,
    /// Lookups in doubt.
    pub unknown: u64,
    /// Identifiers that were purged.
    pub purged: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may have been charged in addition.
    pub credits_in_doubt: u64,
}

#[expect(
    clippy::ref_option,
    clippy::cast_precision_loss,
    reason = "serde passes it so; no request takes 2^53 ms"
)]
fn as_seconds<S: serde::Serializer>(ms: &Option<i64>, into: S) -> Result<S::Ok, S::Error> {
    ms.map(|ms| ms as f64 / 1_000.0).serialize(into)
}

impl SqliteStore {
    /// The next requests of the journal with numbers above `after`, oldest first; at most some thousands. There are none
    /// at the end.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn receipts(&self, after: i64) -> Result<Vec<JournalEntry>, Error> {
        self.read(move |connection, shared| entries(connection, shared, after))
    }

    /// The sums of the journal by `"day"`, `"month"`, `"year"` (in `time_zone`) and the names of tags, in the order of the
    /// groups. Requests that were not sent do not count.
    ///
    /// # Errors
    /// If the store cannot be read, or there is no such time zone.
    pub fn summary(&self, by: &[&str], time_zone: &str) -> Result<Vec<SummaryRow>, Error> {
        let zone = zone(time_zone)?;
        let mut groups: BTreeMap<Vec<Option<String>>, SummaryRow> = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.receipts(after)?;
            let Some(last) = page.last() else { break };
            after = last.request;
            for entry in page.iter().filter(|entry| entry.outcome != Some(RequestOutcome::NotSent)) {
                let group: Vec<_> = by.iter().map(|by| part(entry, by, &zone)).collect();
                let sum = groups.entry(group).or_default();
                sum.requests += 1;
                sum.lookups += entry.lookups;
                sum.hits += entry.hits;
                sum.credits += entry.credits;
                sum.credits_in_doubt += entry.credits_in_doubt;
            }
        }
        Ok(groups.into_iter().map(|(group, sum)| SummaryRow { group, ..sum }).collect())
    }

    /// Compares the journal of a month with the invoice. `month` is written as `2026-10`.
    ///
    /// # Errors
    /// If the store cannot be read, or there is no such month or time zone.
    pub fn reconcile(&self, month: &str, invoiced: u64, time_zone: &str) -> Result<Reconciliation, Error> {
        zone(time_zone)?;
        let wrong = || Error::new(ErrorKind::Config, "a month is written as 2026-10");
        let first = format!("{month}-01").parse::<jiff::civil::Date>().map_err(|_| wrong())?;
        let noon = |day: jiff::civil::Date| {
            let noon = day.at(12, 0, 0, 0).in_tz(time_zone).map_err(|_| wrong())?;
            Ok::<_, Error>(noon.timestamp().as_millisecond())
        };
        let next = first.last_of_month().tomorrow().map_err(|_| wrong())?;
        let (in_month, after_it, zone) = (noon(first)?, noon(next)?, time_zone.to_owned());
        let (charged, in_doubt) = self.ask(move |reader, _| {
            let start = |at| period_start(Per::Month, &zone, at).map(Option::unwrap_or_default);
            query::row::<(i64, i64)>(
                &reader.connection,
                "SELECT coalesce(sum(credits), 0), coalesce(sum(in_doubt), 0) FROM request
                 WHERE sent_ms >= ?1 AND sent_ms < ?2",
                [start(in_month)?, start(after_it)?],
            )
        })?;
        let (charged, in_doubt) = (charged.unsigned_abs(), in_doubt.unsigned_abs());
        Ok(Reconciliation {
            charged,
            in_doubt,
            invoiced,
            difference: invoiced.cast_signed() - charged.cast_signed(),
            fits: (charged..=charged + in_doubt).contains(&invoiced),
        })
    }

    /// What is in the store. Counts everything, which takes seconds if there are millions of lookups.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn info(&self) -> Result<Info, Error> {
        self.write(|connection, writer| writer.fold(connection))?;
        self.read(info)
    }
}

fn zone(name: &str) -> Result<jiff::tz::TimeZone, Error> {
    check_time_zone(name)?;
    jiff::tz::TimeZone::get(name).map_err(|_| Error::new(ErrorKind::Config, "there is no such time zone"))
}

fn part(entry: &JournalEntry, by: &str, zone: &jiff::tz::TimeZone) -> Option<String> {
    let format = match by {
        "day" => "%Y-%m-%d",
        "month" => "%Y-%m",
        "year" => "%Y",
        tag => return entry.tags.get(tag).cloned(),
    };
    let at = jiff::Timestamp::from_millisecond(entry.sent_ms).ok()?;
    Some(at.to_zoned(zone.clone()).strftime(format).to_string())
}

fn entries(connection: &Connection, shared: &Shared, after: i64) -> Result<Vec<JournalEntry>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT request.id, sent_ms, settled_ms, outcome, status, took_ms, required, lookups, hits, misses, rejected,
         unknown, credits, in_doubt, key, text FROM request JOIN tags ON tags.id = request.tags
         WHERE request.id > ?1 ORDER BY request.id LIMIT ?2",
    )?;
    let mut rows = ask.query([after, PAGE])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let count = |place| row.get::<_, i64>(place).map(i64::unsigned_abs);
        let tags: String = row.get(15)?;
        entries.push(JournalEntry {
            request: row.get(0)?,
            sent_ms: row.get(1)?,
            settled_ms: row.get(2)?,
            outcome: row.get::<_, Option<String>>(3)?.as_deref().and_then(RequestOutcome::from_name),
            status: row.get(4)?,
            took_ms: row.get(5)?,
            required_fields: shared.field_sets.get(connection, row.get(6)?)?,
            lookups: count(7)?,
            hits: count(8)?,
            misses: count(9)?,
            rejected: count(10)?,
            unknown: count(11)?,
            credits: count(12)?,
            credits_in_doubt: count(13)?,
            key_fingerprint: row.get::<_, i64>(14)?.cast_unsigned(),
            tags: serde_json::from_str(&tags).unwrap_or_default(),
        });
    }
    Ok(entries)
}

fn info(connection: &Connection, shared: &Shared) -> Result<Info, Fault> {
    let number = |sql: &str| query::one::<i64>(connection, sql, []).map(i64::unsigned_abs);
    let states: BTreeMap<u8, i64> =
        query::rows(connection, "SELECT state, count(*) FROM answer GROUP BY state", [])?;
    let of = |state: u8| states.get(&state).map_or(0, |count| count.unsigned_abs());
    let side = |end: &str| std::fs::metadata(beside(&shared.path, end)).map_or(0, |known| known.len());
    Ok(Info {
        service: shared.identity.service.clone(),
        schema_version: u32::try_from(SCHEMA_VERSION).unwrap_or_default(),
        rules_version: shared.identity.rules_version,
        created_ms: shared.identity.created_ms,
        bytes: iter::once("").chain(SIDE_FILES).map(side).sum(),
        requests: query::one::<i64>(
            connection,
            "SELECT count(*) FROM request WHERE outcome IS NOT ?1",
            [RequestOutcome::NotSent.as_str()],
        )?
        .unsigned_abs(),
        under_way: number("SELECT count(*) FROM request WHERE settled_ms IS NULL")?,
        hits: of(state::HIT),
        misses: of(state::MISS),
        unknown: of(state::UNKNOWN) + of(state::LEFT),
        purged: barred::count(connection)?,
        credits: number("SELECT credits FROM total")?,
        credits_in_doubt: number("SELECT in_doubt FROM total")?,
    })
}
