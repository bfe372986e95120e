//! Exports all answers as lines of JSON, for other tools and for users who leave.
//!
//! Nothing is held between two pages: each page is read in a transaction of its own, so an export may take hours.

use std::fmt::Write as _;

use bytes::Bytes;
use rusqlite::Connection;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::results::standard_json;
use exactbuyer_core::store::Required;

use super::super::file::Fault;
use super::super::process::SqliteStore;
use super::super::tables::{DecodedBlock, block, block_start, block_table, requests, state};
use super::super::threads::Shared;

/// The number of blocks that are read together.
const PAGE: i64 = 64;

impl SqliteStore {
    /// The next answers as JSON Lines, and the number to pass as `after` for those that follow; begin with 0. `None` at
    /// the end. In the order of the requests; answers that arrive meanwhile may be missing.
    ///
    /// A line has `field_type`, `value` (the canonical form), `required_fields`, `status`, `fetched_at` (RFC 3339),
    /// `request` (its number in the journal) and, for a contact, `enriched_contact`, else `reason`. If a lookup was sent
    /// again, each answer has its line. A page without lines is not the end: its answers may have been purged.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn export(&self, after: i64) -> Result<Option<(Vec<String>, i64)>, Error> {
        self.read(move |connection, shared| page(connection, shared, after))
    }

    /// The kept reply of a request that was charged and could not be read completely, as it arrived; `None` if there is
    /// none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read_unread(&self, request: i64) -> Result<Option<Bytes>, Error> {
        self.ask(move |reader, _| {
            let packed = requests::unread(&reader.connection, request)?;
            packed.map(|packed| block::decompress(&packed).map(Bytes::from)).transpose()
        })
    }
}

/// Without the index: a block has all that a line needs, but for the time and the required fields of its request.
fn page(connection: &Connection, shared: &Shared, after: i64) -> Result<Option<(Vec<String>, i64)>, Fault> {
    let (mut lines, mut last) = (Vec::new(), None);
    for (id, packed) in block_table::after(connection, after, PAGE)? {
        let (request, _) = block_start(id);
        let (required, at_ms) = requests::required_and_time(connection, request)?;
        let fields = shared.field_sets.get(connection, required)?;
        for lookup in DecodedBlock::decode(&packed)?.lookups() {
            if let Some(identifier) = &lookup.identifier {
                lines.push(line(identifier, &fields, lookup.state, &lookup.body, request, at_ms));
            }
        }
        last = Some(id);
    }
    Ok(last.map(|last| (lines, last)))
}

/// Built as text, because a contact's JSON is copied as it is, in standard JSON.
fn line(
    identifier: &Identifier,
    fields: &Required,
    kind: u8,
    body: &[u8],
    request: i64,
    at_ms: i64,
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let fields = serde_json::Value::from(fields.iter().map(|field| &**field).collect::<Vec<_>>());
    let at = jiff::Timestamp::from_millisecond(at_ms).map(|at| at.to_string()).unwrap_or_default();
    let mut line = format!(
        r#"{{"field_type":{},"value":{},"required_fields":{fields},"status":{},"fetched_at":{},"request":{request},"#,
        quoted(identifier.field_type().as_str()),
        quoted(identifier.canonical()),
        quoted(state::status(kind)),
        quoted(&at),
    );
    let body = if kind == state::HIT { standard_json(body) } else { body.into() };
    let body = String::from_utf8_lossy(&body);
    // Writing to a string does not fail.
    let _ = if kind == state::HIT {
        // In JSON, line breaks are only between two tokens.
        write!(line, r#""enriched_contact":{}}}"#, body.replace(['\n', '\r'], " "))
    } else {
        let reason = if body.is_empty() { "null".to_owned() } else { quoted(&body) };
        write!(line, r#""enriched_contact":null,"reason":{reason}}}"#)
    };
    line
}
