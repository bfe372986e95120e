//! Finding a person: by whom was asked for, and by what is written in contacts.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use crate::error::Error;
use crate::identifier::Identifier;

use super::SqliteStore;
use super::block::{Sheet, block_start};
use super::fault::Fault;
use super::mention::Mention;
use super::schema::state;
use super::shared::{Fields, Shared};
use super::shelf;

/// Blocks looked through in one go, so that other questions get their turn.
const PAGE: i64 = 256;

/// What to find, or to purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Whoever was asked for by this identifier, and every contact that it occurs in.
    Identifier(Identifier),
    /// Every canonical form and every contact that this text occurs in; only to be found.
    Text(String),
    /// Every answer from before that moment, in milliseconds since 1970; only to be forgotten.
    OlderThan(i64),
}

/// An answer that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who was asked for.
    pub identifier: Identifier,
    /// The required fields.
    pub required_fields: Fields,
    /// `found`, `not_found`, `rejected` or `unknown`.
    pub status: &'static str,
    /// The number of the request in the journal.
    pub request: i64,
    /// When it was answered, in milliseconds since 1970.
    pub fetched_at_ms: i64,
    /// The contact's JSON text.
    pub record: Option<Bytes>,
}

impl SqliteStore {
    /// Every answer about that person: those asked for by it, and those whose contact mentions it.
    /// Reads the whole store: some seconds for each million contacts.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn find(&self, target: &Target) -> Result<Vec<Contact>, Error> {
        Ok(self.search(target, 0)?.0)
    }

    /// Looks through all blocks numbered above `after`; what was found, and the last block.
    pub(super) fn search(&self, target: &Target, after: i64) -> Result<(Vec<Contact>, i64), Error> {
        let mention = Arc::new(Mention::of(target));
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let mention = mention.clone();
            let page = self.ask(move |reading, shared| {
                reading.at_once(|connection, _, _| search_page(connection, shared, &mention, after))
            })?;
            let Some((some, last)) = page else { return Ok((found, after)) };
            found.extend(some);
            after = last;
        }
    }
}

type Page = Option<(Vec<Contact>, i64)>;

fn search_page(
    connection: &Connection,
    shared: &Shared,
    mention: &Mention,
    after: i64,
) -> Result<Page, Fault> {
    let (mut found, mut last) = (Vec::new(), None);
    for (id, packed) in shelf::behind(connection, after, PAGE)? {
        last = Some(id);
        let (request, _) = block_start(id);
        for entry in Sheet::read(&packed)?.entries() {
            let Some(identifier) = entry.identifier else { continue };
            let mentions = entry.state == state::HIT && mention.is_in(&entry.body);
            if !mentions && !mention.is_asked_by(&identifier) {
                continue;
            }
            let (required, at_ms) = about(connection, request)?;
            found.push(Contact {
                identifier,
                required_fields: shared.fields(connection, required)?,
                status: word(entry.state),
                request,
                fetched_at_ms: at_ms,
                record: (entry.state == state::HIT).then_some(entry.body),
            });
        }
    }
    Ok(last.map(|last| (found, last)))
}

/// A request's required fields, and when it was over.
pub(super) fn about(connection: &Connection, request: i64) -> Result<(i64, i64), Fault> {
    Ok(connection
        .prepare_cached("SELECT required, coalesce(settled_ms, sent_ms) FROM request WHERE id = ?1")?
        .query_row([request], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The word that people see.
pub(super) const fn word(state: u8) -> &'static str {
    match state {
        state::HIT => "found",
        state::MISS => "not_found",
        state::REJECTED => "rejected",
        _ => "unknown",
    }
}
