//! Finding a person: by whom was asked for, and by what is written in contacts.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use rusqlite::Connection;

use crate::error::Error;
use crate::identifier::Identifier;

use super::super::SqliteStore;
use super::super::file::fault::Fault;
use super::super::file::schema::state;
use super::super::process::interrupt::Interrupt;
use super::super::recognise::by_target::{Mention, Seek};
use super::super::tables::block::{self, Sheet, block_start};
use super::super::tables::block_table;
use super::super::threads::shared::{Fields, Shared};

/// Blocks looked through in one go, so that other questions get their turn.
const PAGE: i64 = 256;

/// Kept replies looked through in one go. A reply may have megabytes.
const REPLIES: i64 = 16;

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
            let (identifier, replies) = (identifier.clone(), self.search_replies(&seeker)?.found);
            found.extend(self.ask(move |reading, shared| {
                reading.at_once(|connection, _, _| kept_replies(connection, shared, &replies, &identifier))
            })?);
        }
        Ok(found)
    }

    /// Looks through all blocks numbered above `after`; what was found, and the last block.
    pub(in super::super) fn search<S: Seek + 'static>(
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

impl SqliteStore {
    /// Looks through all kept replies, some at a time. Writes nothing.
    pub(in super::super) fn search_replies<S: Seek + 'static>(
        &self,
        seeker: &Arc<S>,
    ) -> Result<Replies, Error> {
        let (mut replies, mut after) = (Replies::default(), 0);
        loop {
            let (seeker, interrupt) = (seeker.clone(), self.interrupt.clone());
            let page = self.ask(move |reading, _| {
                reading.at_once(|connection, _, _| replies_page(connection, &*seeker, &interrupt, after))
            })?;
            let Some((last, _)) = page.last() else { return Ok(replies) };
            after = *last;
            for (request, is_found) in page {
                replies.seen.insert(request);
                if is_found {
                    replies.found.push(request);
                }
            }
        }
    }
}

/// Kept replies, by request. The reply of a request never changes.
#[derive(Debug, Default)]
pub(in super::super) struct Replies {
    /// Those that may mention the people sought.
    pub(in super::super) found: Vec<i64>,
    /// All that were looked at.
    pub(in super::super) seen: HashSet<i64>,
}

type Page = Option<(Vec<Contact>, i64)>;

fn search_page(
    connection: &Connection,
    shared: &Shared,
    seeker: &impl Seek,
    after: i64,
) -> Result<Page, Fault> {
    let (mut found, mut last) = (Vec::new(), None);
    for (id, packed) in block_table::behind(connection, after, PAGE)? {
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

/// The kept replies of these requests.
fn kept_replies(
    connection: &Connection,
    shared: &Shared,
    requests: &[i64],
    identifier: &Identifier,
) -> Result<Vec<Contact>, Fault> {
    let mut found = Vec::new();
    for request in requests.iter().copied() {
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

/// The next kept replies, and whether each may mention the people sought.
fn replies_page(
    connection: &Connection,
    seeker: &impl Seek,
    interrupt: &Interrupt,
    after: i64,
) -> Result<Vec<(i64, bool)>, Fault> {
    let mut ask = connection
        .prepare_cached("SELECT request, body FROM unread WHERE request > ?1 ORDER BY request LIMIT ?2")?;
    let mut rows = ask.query([after, REPLIES])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        interrupt.check()?;
        let request = row.get(0)?;
        let packed = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        page.push((request, may_mention(connection, seeker, request, packed)?));
    }
    Ok(page)
}

/// Whether the kept reply of a request may mention the people sought: if the request asked for them, if the reply
/// mentions them, and if it is not whole JSON.
pub(in super::super) fn may_mention(
    connection: &Connection,
    seeker: &impl Seek,
    request: i64,
    packed: &[u8],
) -> Result<bool, Fault> {
    let reply = block::decompress(packed)?;
    Ok(!is_whole(&reply) || seeker.is_in(&reply) || is_asked_by(connection, seeker, request)?)
}

/// Whether a reply is whole JSON. If it is truncated, nobody can know who was in the missing part.
pub(in super::super) fn is_whole(reply: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(reply).is_ok()
}

/// Whether a settled request asked for the people sought.
fn is_asked_by(connection: &Connection, seeker: &impl Seek, request: i64) -> Result<bool, Fault> {
    for (_, packed) in block_table::of(connection, request)? {
        let entries = Sheet::read(&packed)?.entries();
        if entries.iter().filter_map(|entry| entry.identifier.as_ref()).any(|known| seeker.is_asked_by(known))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A request's required fields, and when it was over.
pub(in super::super) fn about(connection: &Connection, request: i64) -> Result<(i64, i64), Fault> {
    Ok(connection
        .prepare_cached("SELECT required, coalesce(settled_ms, sent_ms) FROM request WHERE id = ?1")?
        .query_row([request], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The word that people see.
pub(in super::super) const fn word(state: u8) -> &'static str {
    match state {
        state::HIT => "found",
        state::MISS => "not_found",
        state::REJECTED => "rejected",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::identifier::FieldType;

    #[test]
    fn a_search_of_kept_replies_ends_when_it_is_interrupted() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE unread (request INTEGER PRIMARY KEY, body BLOB)").unwrap();
        let reply = block::compress(b"{").unwrap();
        connection.execute("INSERT INTO unread VALUES (7, ?1)", [reply]).unwrap();
        let ana = Identifier::from_canonical(FieldType::Email, "ana@x.example");
        let (seeker, interrupt) = (Mention::of(&Target::Identifier(ana)), Interrupt::default());
        assert_eq!(replies_page(&connection, &seeker, &interrupt, 0).unwrap(), [(7, true)]);
        interrupt.interrupt();
        assert!(replies_page(&connection, &seeker, &interrupt, 0).is_err());
    }
}
