//! Finds a person: in lookups, in contacts, and in kept replies.
//!
//! Each page is read in a transaction of its own, so a search does not keep the log from being emptied for long, and
//! other questions wait for one page at most. A block that is added during the search has a higher number and is
//! found by a later page.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashSet;
use rusqlite::Connection;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::store::Required;

use super::super::file::Fault;
use super::super::process::{Interrupt, SqliteStore};
use super::super::recognise::{Matcher, Target, TargetMatcher, is_whole};
use super::super::tables::{DecodedBlock, block, block_start, block_table, requests, state};
use super::super::threads::Shared;

/// The number of blocks that are searched together, so that other questions get their turn.
const PAGE: i64 = 256;

/// The number of kept replies that are searched together. A reply may have megabytes.
const REPLIES: i64 = 16;

/// An answer that was found.
///
/// There is one for each answer, so a lookup that was sent twice may occur twice.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Contact {
    /// The lookup's identifier. For a kept reply: the identifier that is searched for.
    #[serde(flatten)]
    pub identifier: Identifier,
    /// The required fields.
    pub required_fields: Required,
    /// `found`, `not_found`, `rejected` or `unknown`; `unreadable` for a kept reply that could not be read. A doubt
    /// stays `unknown` after a decision about it.
    pub status: &'static str,
    /// The number of the request in the journal.
    pub request: i64,
    /// When it was answered, in milliseconds since 1970.
    pub fetched_at_ms: i64,
    /// The contact's JSON text.
    ///
    /// `None` if the answer has no contact, and for a kept reply.
    #[serde(rename = "enriched_contact")]
    pub record: Option<Bytes>,
}

impl SqliteStore {
    /// Everything that a purge would remove: the answers to lookups of this person, the contacts that mention the person,
    /// and the kept replies that may mention the person. Reads the whole store, which takes one to three seconds for each
    /// million contacts.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn find(&self, target: &Target) -> Result<Vec<Contact>, Error> {
        let matcher: Arc<dyn Matcher> = Arc::new(TargetMatcher::of(target));
        let mut found = self.search(&matcher, &mut 0)?;
        if let Target::Identifier(identifier) = target {
            let (identifier, replies) = (identifier.clone(), self.search_replies(&matcher)?.found);
            found.extend(self.read(move |connection, shared| {
                let unreadable =
                    |request| contact(connection, shared, request, (identifier.clone(), "unreadable", None));
                replies.into_iter().map(unreadable).collect::<Result<Vec<_>, _>>()
            })?);
        }
        Ok(found)
    }

    /// Searches all blocks with numbers above `after`, which becomes the last block's number.
    ///
    /// Numbers of blocks grow with those of requests, so what was added since an earlier search has higher ones.
    /// A late answer to an old request is an exception: its blocks have low numbers. A purge has barred the
    /// person before, so such an answer is examined when it is settled.
    pub(super) fn search(&self, matcher: &Arc<dyn Matcher>, after: &mut i64) -> Result<Vec<Contact>, Error> {
        let mut found = Vec::new();
        loop {
            let (matcher, from) = (matcher.clone(), *after);
            let page =
                self.read(move |connection, shared| search_page(connection, shared, &*matcher, from))?;
            let Some((some, last)) = page else { return Ok(found) };
            found.extend(some);
            *after = last;
        }
    }

    /// Searches all kept replies, some at a time. Writes nothing.
    ///
    /// Replies are kept only for requests that were charged and could not be read completely, so there are few.
    pub(super) fn search_replies(&self, matcher: &Arc<dyn Matcher>) -> Result<Replies, Error> {
        let (mut replies, mut after) = (Replies::default(), 0);
        loop {
            let (matcher, interrupt) = (matcher.clone(), self.interrupt.clone());
            let page =
                self.read(move |connection, _| replies_page(connection, &*matcher, &interrupt, after))?;
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
pub(super) struct Replies {
    /// Those that may mention the person.
    pub(super) found: Vec<i64>,
    /// All that were searched.
    pub(super) seen: HashSet<i64>,
}

/// What was found, and the number of the last block; `None` after the last block.
type Page = Option<(Vec<Contact>, i64)>;

/// The quick check of the matcher sees each contact's bytes; most contacts are not read in full.
fn search_page(
    connection: &Connection,
    shared: &Shared,
    matcher: &dyn Matcher,
    after: i64,
) -> Result<Page, Fault> {
    let (mut found, mut last) = (Vec::new(), None);
    for (id, packed) in block_table::after(connection, after, PAGE)? {
        last = Some(id);
        let (request, _) = block_start(id);
        for lookup in DecodedBlock::decode(&packed)?.lookups() {
            let Some(identifier) = lookup.identifier else { continue };
            let mentions = lookup.state == state::HIT && matcher.is_mentioned_in(&lookup.body);
            if !mentions && !matcher.matches_lookup(&identifier) {
                continue;
            }
            // A copy: a slice would keep its whole block in memory.
            let record = (lookup.state == state::HIT).then(|| Bytes::copy_from_slice(&lookup.body));
            let answer = (identifier, state::status(lookup.state), record);
            found.push(contact(connection, shared, request, answer)?);
        }
    }
    Ok(last.map(|last| (found, last)))
}

/// An answer of a request, with the request's required fields and its time.
fn contact(
    connection: &Connection,
    shared: &Shared,
    request: i64,
    (identifier, status, record): (Identifier, &'static str, Option<Bytes>),
) -> Result<Contact, Fault> {
    let (required, fetched_at_ms) = requests::required_and_time(connection, request)?;
    let required_fields = shared.field_sets.get(connection, required)?;
    Ok(Contact { identifier, required_fields, status, request, fetched_at_ms, record })
}

/// The next kept replies, and whether each may mention the person.
fn replies_page(
    connection: &Connection,
    matcher: &dyn Matcher,
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
        page.push((request, may_mention(connection, matcher, request, packed)?));
    }
    Ok(page)
}

/// Whether the kept reply of a request may mention the person: if the request asked for the person, if the reply mentions
/// the person, or if it is not complete JSON.
pub(super) fn may_mention(
    connection: &Connection,
    matcher: &dyn Matcher,
    request: i64,
    packed: &[u8],
) -> Result<bool, Fault> {
    let reply = block::decompress(packed)?;
    Ok(!is_whole(&reply) || matcher.is_mentioned_in(&reply) || asked_for(connection, matcher, request)?)
}

/// Whether a settled request asked for the person.
///
/// By the blocks of the request, in which purged lookups have no identifier any more.
fn asked_for(connection: &Connection, matcher: &dyn Matcher, request: i64) -> Result<bool, Fault> {
    for (_, packed) in block_table::of(connection, request)? {
        let lookups = DecodedBlock::decode(&packed)?.lookups();
        let mut known = lookups.iter().filter_map(|lookup| lookup.identifier.as_ref());
        if known.any(|identifier| matcher.matches_lookup(identifier)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use exactbuyer_core::identifier::FieldType;

    #[test]
    fn a_search_of_kept_replies_ends_when_it_is_interrupted() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE unread (request INTEGER PRIMARY KEY, body BLOB)").unwrap();
        let reply = block::compress(b"{").unwrap();
        connection.execute("INSERT INTO unread VALUES (7, ?1)", [reply]).unwrap();
        let ana = Identifier::from_canonical(FieldType::Email, "ana@x.example");
        let (matcher, interrupt) = (TargetMatcher::person(&ana), Interrupt::default());
        assert_eq!(replies_page(&connection, &matcher, &interrupt, 0).unwrap(), [(7, true)]);
        interrupt.interrupt();
        assert!(replies_page(&connection, &matcher, &interrupt, 0).is_err());
    }
}
