//! Everything that was answered, as lines of JSON: for other tools, and for whoever leaves.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use crate::error::Error;
use crate::identifier::Identifier;
use crate::results::standard_json;

use super::super::SqliteStore;
use super::super::file::fault::Fault;
use super::super::file::schema::state;
use super::super::people::find::{about, word};
use super::super::tables::block::{self, Sheet, block_start};
use super::super::tables::block_table;
use super::super::threads::shared::{Fields, Shared};

/// Blocks read in one go.
const PAGE: i64 = 64;

/// The answers of a store, one JSON object a line, in the order in which they were asked for. What
/// is answered meanwhile may come or not.
#[derive(Debug)]
pub struct Export {
    store: SqliteStore,
    lines: VecDeque<String>,
    /// The last block read; `None` once there are no more.
    after: Option<i64>,
}

impl SqliteStore {
    /// Every answer as JSON Lines: `field_type`, `value` (the canonical form), `required_fields`,
    /// `status`, `fetched_at` (RFC 3339), `request` (its number in the journal) and, for a contact,
    /// `enriched_contact`, else `reason`. Where a lookup was asked again, every answer has its line.
    #[must_use]
    pub fn export(&self) -> Export {
        Export { store: self.clone(), lines: VecDeque::new(), after: Some(0) }
    }

    /// A reply that was charged and could not be read whole, as it came; `None` where there is none.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn read_unread(&self, request: i64) -> Result<Option<Bytes>, Error> {
        self.ask(move |reading, _| {
            let packed: Option<Vec<u8>> = reading
                .connection
                .prepare_cached("SELECT body FROM unread WHERE request = ?1")?
                .query_row([request], |row| row.get(0))
                .optional()?;
            packed.map(|packed| block::decompress(&packed).map(Bytes::from)).transpose()
        })
    }
}

impl Iterator for Export {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.lines.is_empty() {
            let after = self.after?;
            let page = self.store.ask(move |reading, shared| {
                reading.at_once(|connection, _, _| page(connection, shared, after))
            });
            match page {
                Ok(Some((lines, last))) => {
                    self.lines = lines;
                    self.after = Some(last);
                }
                Ok(None) => self.after = None,
                Err(error) => {
                    self.after = None;
                    return Some(Err(error));
                }
            }
        }
        self.lines.pop_front().map(Ok)
    }
}

fn page(
    connection: &Connection,
    shared: &Shared,
    after: i64,
) -> Result<Option<(VecDeque<String>, i64)>, Fault> {
    let (mut lines, mut last) = (VecDeque::new(), None);
    for (id, packed) in block_table::behind(connection, after, PAGE)? {
        let (request, _) = block_start(id);
        let (required, at_ms) = about(connection, request)?;
        let fields = shared.fields(connection, required)?;
        for entry in Sheet::read(&packed)?.entries() {
            if let Some(identifier) = &entry.identifier {
                lines.push_back(line(identifier, &fields, entry.state, &entry.body, request, at_ms));
            }
        }
        last = Some(id);
    }
    Ok(last.map(|last| (lines, last)))
}

fn line(identifier: &Identifier, fields: &Fields, kind: u8, body: &[u8], request: i64, at_ms: i64) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let fields = serde_json::Value::from(fields.iter().map(|field| &**field).collect::<Vec<_>>());
    let at = jiff::Timestamp::from_millisecond(at_ms).map(|at| at.to_string()).unwrap_or_default();
    let mut line = format!(
        r#"{{"field_type":{},"value":{},"required_fields":{fields},"status":{},"fetched_at":{},"request":{request},"#,
        quoted(identifier.field_type().as_str()),
        quoted(identifier.canonical()),
        quoted(word(kind)),
        quoted(&at),
    );
    let body = if kind == state::HIT { standard_json(body) } else { body.into() };
    let body = String::from_utf8_lossy(&body);
    // Writing to a string does not fail.
    let _ = if kind == state::HIT {
        // In JSON a line can only break between two tokens.
        write!(line, r#""enriched_contact":{}}}"#, body.replace(['\n', '\r'], " "))
    } else {
        let reason = if body.is_empty() { "null".to_owned() } else { quoted(&body) };
        write!(line, r#""enriched_contact":null,"reason":{reason}}}"#)
    };
    line
}
