//! Finding a person: by whom was asked for, and by what is written in contacts.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use crate::error::Error;
use crate::identifier::Identifier;

use super::SqliteStore;
use super::block::{self, Sheet, block_start};
use super::fault::Fault;
use super::interrupt::Interrupt;
use super::mention::{Mention, Seek};
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
    /// Who was asked for. For a kept reply: the person who is looked for.
    pub identifier: Identifier,
    /// The required fields.
    pub required_fields: Fields,
    /// `found`, `not_found`, `rejected` or `unknown`; `unreadable` for a reply that could not be read
    /// and was kept.
    pub status: &'static str,
    /// The number of the request in the journal.
    pub request: i64,
    /// When it was answered, in milliseconds since 1970.
    pub fetched_at_ms: i64,
    /// The contact's JSON text.
    pub record: Option<Bytes>,
}

impl SqliteStore {
    /// Everything that a purge would remove: the answers to lookups of this person, the contacts that
    /// mention the person, and the kept replies that may mention the person. Reads the whole store: one to
    /// three seconds for each million contacts.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn find(&self, target: &Target) -> Result<Vec<Contact>, Error> {
        let seeker = Arc::new(Mention::of(target));
        let (mut found, _) = self.search(&seeker, 0)?;
        if let Target::Identifier(identifier) = target {
            let identifier = identifier.clone();
            found.extend(self.ask(move |reading, shared| {
                reading.at_once(|connection, _, _| kept_replies(connection, shared, &*seeker, &identifier))
            })?);
        }
        Ok(found)
    }

    /// Looks through all blocks numbered above `after`; what was found, and the last block.
    pub(super) fn search<S: Seek + 'static>(
        &self,
        seeker: &Arc<S>,
        after: i64,
    ) -> Result<(Vec<Contact>, i64), Error> {
        let (mut found, mut after) = (Vec::new(), after);
        loop {
            let seeker = seeker.clone();
            let page = self.ask(move |reading, shared| {
                reading.at_once(|connection, _, _| search_page(connection, shared, &*seeker, after))
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
    seeker: &impl Seek,
    after: i64,
) -> Result<Page, Fault> {
    let (mut found, mut last) = (Vec::new(), None);
    for (id, packed) in shelf::behind(connection, after, PAGE)? {
        last = Some(id);
        let (request, _) = block_start(id);
        for entry in Sheet::read(&packed)?.entries() {
            let Some(identifier) = entry.identifier else { continue };
            let mentions = entry.state == state::HIT && seeker.is_in(&entry.body);
            if !mentions && !seeker.is_asked_by(&identifier) {
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

/// Each kept reply that may mention the people sought.
fn kept_replies(
    connection: &Connection,
    shared: &Shared,
    seeker: &impl Seek,
    identifier: &Identifier,
) -> Result<Vec<Contact>, Fault> {
    let mut found = Vec::new();
    for request in replies(connection, seeker, &Interrupt::default())? {
        let (required, at_ms) = about(connection, request)?;
        found.push(Contact {
            identifier: identifier.clone(),
            required_fields: shared.fields(connection, required)?,
            status: "unreadable",
            request,
            fetched_at_ms: at_ms,
            record: None,
        });
    }
    Ok(found)
}

/// The requests whose kept replies may mention the people sought: requests that asked for them, replies that
/// mention them, and all replies that are not whole JSON. If a reply is truncated, nobody can know who was
/// in the missing part.
pub(super) fn replies(
    connection: &Connection,
    seeker: &impl Seek,
    interrupt: &Interrupt,
) -> Result<Vec<i64>, Fault> {
    let mut ask = connection.prepare("SELECT request, body FROM unread")?;
    let mut rows = ask.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        interrupt.check()?;
        let (request, packed): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let reply = block::decompress(&packed)?;
        let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(&reply).is_ok();
        if !is_whole || seeker.is_in(&reply) || is_asked_by(connection, seeker, request)? {
            found.push(request);
        }
    }
    Ok(found)
}

/// Whether a settled request asked for the people sought.
fn is_asked_by(connection: &Connection, seeker: &impl Seek, request: i64) -> Result<bool, Fault> {
    for (_, packed) in shelf::of(connection, request)? {
        let entries = Sheet::read(&packed)?.entries();
        if entries.iter().filter_map(|entry| entry.identifier.as_ref()).any(|known| seeker.is_asked_by(known))
        {
            return Ok(true);
        }
    }
    Ok(false)
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
