//! What the store answers, as Python reads it: dicts by the names of the classes in
//! `python/exactbuyer/store/`. Data only.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use exactbuyer_core::identifier::Identifier;
use exactbuyer_store::sqlite;

fn texts(fields: &[Box<str>]) -> Vec<String> {
    fields.iter().map(ToString::to_string).collect()
}

fn named(identifier: &Identifier) -> (&'static str, String) {
    (identifier.field_type().as_str(), identifier.canonical().to_owned())
}

/// A lookup that may have been charged.
#[derive(IntoPyObject)]
pub(crate) struct Doubt {
    field_type: &'static str,
    value: String,
    required_fields: Vec<String>,
    request: i64,
    sent_ms: i64,
    credits: u64,
    reason: String,
}

impl From<sqlite::Doubt> for Doubt {
    fn from(doubt: sqlite::Doubt) -> Self {
        let (field_type, value) = named(&doubt.identifier);
        Self {
            field_type,
            value,
            required_fields: texts(&doubt.required_fields),
            request: doubt.request,
            sent_ms: doubt.sent_ms,
            credits: doubt.credits,
            reason: doubt.reason,
        }
    }
}

/// What was resolved.
#[derive(IntoPyObject)]
pub(crate) struct Resolved {
    lookups: u64,
    credits: u64,
}

impl From<sqlite::Resolved> for Resolved {
    fn from(resolved: sqlite::Resolved) -> Self {
        Self { lookups: resolved.lookups, credits: resolved.credits }
    }
}

/// One request of the journal.
#[derive(IntoPyObject)]
pub(crate) struct Entry {
    request: i64,
    sent_ms: i64,
    settled_ms: Option<i64>,
    outcome: String,
    http_status: Option<u16>,
    took_ms: Option<i64>,
    required_fields: Vec<String>,
    lookups: u64,
    hits: u64,
    misses: u64,
    rejected: u64,
    unknown: u64,
    credits: u64,
    credits_in_doubt: u64,
    key_fingerprint: u64,
    tags: BTreeMap<String, String>,
}

impl From<sqlite::JournalEntry> for Entry {
    fn from(entry: sqlite::JournalEntry) -> Self {
        Self {
            request: entry.request,
            sent_ms: entry.sent_ms,
            settled_ms: entry.settled_ms,
            outcome: entry.outcome,
            http_status: entry.status,
            took_ms: entry.took_ms,
            required_fields: texts(&entry.required_fields),
            lookups: entry.lookups,
            hits: entry.hits,
            misses: entry.misses,
            rejected: entry.rejected,
            unknown: entry.unknown,
            credits: entry.credits,
            credits_in_doubt: entry.credits_in_doubt,
            key_fingerprint: entry.key_fingerprint,
            tags: entry.tags,
        }
    }
}

/// Requests that have something in common, added up.
#[derive(IntoPyObject)]
pub(crate) struct SummaryRow {
    group: Vec<Option<String>>,
    requests: u64,
    lookups: u64,
    hits: u64,
    credits: u64,
    credits_in_doubt: u64,
}

impl From<sqlite::SummaryRow> for SummaryRow {
    fn from(row: sqlite::SummaryRow) -> Self {
        let sqlite::SummaryRow { group, requests, lookups, hits, credits, credits_in_doubt } = row;
        Self { group, requests, lookups, hits, credits, credits_in_doubt }
    }
}

/// A month's books against the vendor's invoice.
#[derive(IntoPyObject)]
pub(crate) struct Reconciliation {
    charged: u64,
    in_doubt: u64,
    invoiced: u64,
    difference: i64,
    fits: bool,
}

impl From<sqlite::Reconciliation> for Reconciliation {
    fn from(books: sqlite::Reconciliation) -> Self {
        let sqlite::Reconciliation { charged, in_doubt, invoiced, difference, fits } = books;
        Self { charged, in_doubt, invoiced, difference, fits }
    }
}

/// What is in a store.
#[derive(IntoPyObject)]
pub(crate) struct Info {
    service: String,
    schema_version: u32,
    rules_version: u32,
    created_ms: i64,
    bytes: u64,
    requests: u64,
    under_way: u64,
    hits: u64,
    misses: u64,
    unknown: u64,
    purged: u64,
    credits: u64,
    credits_in_doubt: u64,
}

impl From<sqlite::Info> for Info {
    fn from(info: sqlite::Info) -> Self {
        Self {
            service: info.service,
            schema_version: info.schema_version,
            rules_version: info.rules_version,
            created_ms: info.created_ms,
            bytes: info.bytes,
            requests: info.requests,
            under_way: info.under_way,
            hits: info.hits,
            misses: info.misses,
            unknown: info.unknown,
            purged: info.purged,
            credits: info.credits,
            credits_in_doubt: info.credits_in_doubt,
        }
    }
}

/// What a merge did.
#[derive(IntoPyObject)]
pub(crate) struct Merged {
    requests: u64,
    lookups: u64,
    known: u64,
    under_way: u64,
    purged_there: u64,
    cleaned: bool,
}

impl From<sqlite::Merged> for Merged {
    fn from(merged: sqlite::Merged) -> Self {
        let sqlite::Merged { requests, lookups, known, under_way, purged_there, cleaned } = merged;
        Self { requests, lookups, known, under_way, purged_there, cleaned }
    }
}

/// What a migration did.
#[derive(IntoPyObject)]
pub(crate) struct Migrated {
    backup: Option<std::path::PathBuf>,
    rekeyed: u64,
    merged: u64,
    purged: u64,
}

impl From<sqlite::Migrated> for Migrated {
    fn from(migrated: sqlite::Migrated) -> Self {
        let sqlite::Migrated { backup, rekeyed, merged, purged } = migrated;
        Self { backup, rekeyed, merged, purged }
    }
}

/// What a purge did.
#[derive(IntoPyObject)]
pub(crate) struct Purged {
    identifiers: u64,
    answers: u64,
    contacts: u64,
    intents: u64,
    replies: u64,
    credits: u64,
    cleaned: bool,
    leftovers: Vec<String>,
}

impl From<sqlite::Purged> for Purged {
    fn from(purged: sqlite::Purged) -> Self {
        Self {
            identifiers: purged.identifiers,
            answers: purged.answers,
            contacts: purged.contacts,
            intents: purged.intents,
            replies: purged.replies,
            credits: purged.credits,
            cleaned: purged.cleaned,
            leftovers: purged.leftovers,
        }
    }
}

/// A contact's JSON text, as it came.
pub(crate) struct Record(bytes::Bytes);

impl<'py> IntoPyObject<'py> for Record {
    type Target = PyBytes;
    type Output = Bound<'py, PyBytes>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        Ok(PyBytes::new(py, &self.0))
    }
}

/// An answer that was found.
#[derive(IntoPyObject)]
pub(crate) struct Contact {
    field_type: &'static str,
    value: String,
    required_fields: Vec<String>,
    status: &'static str,
    request: i64,
    fetched_at_ms: i64,
    record: Option<Record>,
}

impl From<sqlite::Contact> for Contact {
    fn from(contact: sqlite::Contact) -> Self {
        let (field_type, value) = named(&contact.identifier);
        Self {
            field_type,
            value,
            required_fields: texts(&contact.required_fields),
            status: contact.status,
            request: contact.request,
            fetched_at_ms: contact.fetched_at_ms,
            record: contact.record.map(Record),
        }
    }
}
