//! Purges a person. Afterwards no byte of the person's data is in any file of the store. Only a keyed hash, the time of
//! the purge and the cost of the contacts are kept.
//!
//! The order of a purge by identifier, each step committed by itself:
//!
//! 1. Bar the identifier. From here on nobody sends it, and no answer brings the person back.
//! 2. Remove the person from the intents of requests in flight, and delete kept replies that may mention the person.
//! 3. Search all blocks, and erase what was found, one request at a time. Repeat with the blocks that were added
//!    meanwhile.
//! 4. Empty the log, which still has the deleted bytes, and name the backups that may have them.
//!
//! If it is interrupted or killed in between, the person stays barred, and purging again does the rest.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, params};

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::outcome::RequestOutcome;

use super::super::clock::now_ms;
use super::super::file::{Fault, backups_of, query};
use super::super::key::{Key, Secret};
use super::super::process::{Interrupt, SqliteStore};
use super::super::recognise::{Matcher, TargetMatcher, named};
use super::super::tables::{DecodedBlock, barred, block, block_table, index, requests, state};
use super::super::threads::WriterState;
use super::find::{Replies, may_mention};

/// Requests whose answers are purged in one transaction by a purge by age. Runs wait for it, so it must be short.
const AT_ONCE: i64 = 200;

/// How long we wait for processes that read, before the log is not emptied and the user must purge again.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// What a purge did.
///
/// Counts are of this call: what an earlier, interrupted call has removed is not among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Purged {
    /// Identifiers that are `not_sent` from now on.
    pub identifiers: u64,
    /// Answers that were removed, with or without a contact.
    pub answers: u64,
    /// Answers with a contact among them.
    pub contacts: u64,
    /// Requests in flight from which the person's identifier was removed.
    pub intents: u64,
    /// Kept replies that were removed because they may mention the person.
    pub replies: u64,
    /// What the contacts had cost. One for each contact. They still count as spent.
    pub credits: u64,
    /// Whether the log was emptied. If not, another process was reading at that moment: purge again.
    pub cleaned: bool,
    /// Backups, complete or not, that may still have the data: delete them.
    pub leftovers: Vec<String>,
}

impl Purged {
    /// Adds what a later purge did.
    ///
    /// `cleaned` stays true only if both were clean, and the later list of leftovers replaces the earlier one.
    pub fn add(&mut self, later: Self) {
        let Self { identifiers, answers, contacts, intents, replies, credits, cleaned, leftovers } = later;
        self.identifiers += identifiers;
        self.answers += answers;
        self.contacts += contacts;
        self.intents += intents;
        self.replies += replies;
        self.credits += credits;
        self.cleaned &= cleaned;
        self.leftovers = leftovers;
    }
}

impl SqliteStore {
    /// Removes the person with this identifier from every file of the store, and bars the person's lookups: they are
    /// `not_sent` until [`SqliteStore::allow`]. Contacts of other lookups that mention the identifier are removed too. The
    /// journal keeps its counts.
    ///
    /// # Errors
    /// If the store cannot be read or written. Purge again then.
    pub fn purge(&self, identifier: &Identifier) -> Result<Purged, Error> {
        let opening = self.opening()?;
        let (key, field_type) = (opening.shared.secret().key(identifier), identifier.field_type());
        // Bar it first, so that nobody asks for it any more, and no request in flight brings it back.
        self.write(move |connection, writer| {
            writer.purged_changed();
            // `named` also keeps the person out of contacts of others that arrive later.
            barred::bar_at(connection, key, now_ms(), 0, named(field_type))
        })?;
        let mut purged = Purged::default();
        let matcher: Arc<dyn Matcher> = Arc::new(TargetMatcher::person(identifier));
        let mut identifiers = self.erase_all(&matcher, &mut purged)?;
        identifiers.insert(key);
        purged.identifiers = identifiers.len() as u64;
        purged.credits = purged.contacts;
        self.clean(purged)
    }

    /// Removes every answer from before this moment, in milliseconds since 1970. A request that was answered late counts by
    /// when it was settled; requests in flight are spared.
    ///
    /// The lookups may be sent again, except those in doubt, and those that a user has decided not to send: they stay
    /// `not_sent` until [`SqliteStore::allow`].
    ///
    /// # Errors
    /// If the store cannot be read or written. Purge again then.
    pub fn purge_before(&self, at_ms: i64) -> Result<Purged, Error> {
        // A request that a dead process has left in flight is as old as when it was sent. A request of a living process is
        // not purged: it has no answer yet, and its lookups are the only evidence of what it may cost.
        self.opening()?.bury_the_dead()?;
        let (mut purged, mut after) = (Purged::default(), 0);
        // One pass over the journal, some requests in each transaction.
        loop {
            let interrupt = self.interrupt.clone();
            let (some, last) = self.write(move |connection, writer| {
                writer.fold(connection)?;
                purge_some(connection, writer.shared.secret(), (at_ms, after), &interrupt)
            })?;
            purged.add(some);
            match last {
                Some(last) => after = last,
                None => return self.clean(purged),
            }
        }
    }

    /// Allows an identifier to be sent again that was purged, or dropped while in doubt. Returns whether it was.
    ///
    /// An older purge that comes with a merge does not bar it again.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn allow(&self, identifier: &Identifier) -> Result<bool, Error> {
        let key = self.opening()?.shared.secret().key(identifier);
        self.write(move |connection, writer| {
            writer.notify = true;
            writer.purged_changed();
            let barred = barred::allow(connection, key)?;
            let dropped = query::change(
                connection,
                "UPDATE answer SET state = ?2 WHERE key = ?1 AND state = ?3",
                params![key, state::ASKED_AGAIN, state::DROPPED],
            )?;
            Ok(barred + dropped > 0)
        })
    }

    /// Empties the log, which still holds purged rows, and lists the backups that may hold them.
    fn clean(&self, mut purged: Purged) -> Result<Purged, Error> {
        purged.cleaned = self.empty_log()?;
        purged.leftovers = backups_of(self.path());
        Ok(purged)
    }

    /// Erases the people whom the matcher recognises, and the answers that mention them. Returns the keys of the erased
    /// lookups.
    pub(super) fn erase_all(
        &self,
        matcher: &Arc<dyn Matcher>,
        purged: &mut Purged,
    ) -> Result<HashSet<Key>, Error> {
        let secret = self.opening()?.shared.secret().clone();
        // Reading all kept replies takes long, so this is done before the transaction, which keeps others from writing.
        let replies = self.search_replies(matcher)?;
        let (seeking, interrupt) = (matcher.clone(), self.interrupt.clone());
        let (intents, replies) = self.write(move |connection, writer| {
            let intents = blank_intents(connection, writer, &*seeking)?;
            Ok((intents, drop_replies(connection, &*seeking, &replies, &interrupt)?))
        })?;
        purged.intents += intents;
        purged.replies += replies;
        let (mut identifiers, mut after) = (HashSet::new(), 0);
        loop {
            // Blocks that were added meanwhile are searched in the next round.
            let found = self.search(matcher, &mut after)?;
            if found.is_empty() {
                return Ok(identifiers);
            }
            let mut by_request: HashMap<i64, HashSet<Key>> = HashMap::new();
            for contact in found {
                purged.answers += 1;
                purged.contacts += u64::from(contact.record.is_some());
                let key = secret.key(&contact.identifier);
                identifiers.insert(key);
                by_request.entry(contact.request).or_default().insert(key);
            }
            for (request, keys) in by_request {
                self.write(move |connection, writer| {
                    writer.fold(connection)?;
                    erase(connection, writer.shared.secret(), request, &keys)
                })?;
            }
        }
    }

    /// Writes the log into the file and empties it, because it contains deleted rows too. Waits for processes that read,
    /// but not for long. Returns whether the log was emptied.
    ///
    /// Uses a connection of its own, whose wait for readers is short. The cached blocks of the thread are forgotten
    /// too.
    pub(super) fn empty_log(&self) -> Result<bool, Error> {
        self.ask(|reader, shared| {
            reader.blocks.clear();
            let (connection, _) = shared.connect()?;
            connection.busy_timeout(LONGEST_READ)?;
            let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok(!busy)
        })
    }
}

/// Removes lookups of a request from their blocks and from the index. The lookups are given by key and not by place,
/// because a late answer may have moved them.
///
/// Each lookup is barred and its contact's credit added up. A lookup that is not found was erased already.
pub(super) fn erase(
    connection: &Connection,
    secret: &Secret,
    request: i64,
    keys: &HashSet<Key>,
) -> Result<(), Fault> {
    for (id, packed) in block_table::of(connection, request)? {
        let mut lookups = DecodedBlock::decode(&packed)?.lookups();
        let mut any = false;
        for lookup in &mut lookups {
            let Some(key) = lookup.key(secret).filter(|key| keys.contains(key)) else { continue };
            barred::bar(connection, key, i64::from(lookup.state == state::HIT))?;
            index::delete(connection, key, request)?;
            lookup.purge();
            any = true;
        }
        if any {
            block_table::rewrite(connection, id, &lookups)?;
        }
    }
    Ok(())
}

/// Removes the person's identifier from requests in flight. Returns how many requests had it.
///
/// The requests go on: their answers arrive, and are not stored, because the person is barred. What they may cost
/// stays.
fn blank_intents(
    connection: &Connection,
    writer: &mut WriterState,
    matcher: &dyn Matcher,
) -> Result<u64, Fault> {
    let open: Vec<(i64, Vec<u8>)> =
        query::rows(connection, "SELECT id, intent FROM request WHERE settled_ms IS NULL", [])?;
    let mut blanked = 0;
    for (request, packed) in open {
        let mut lookups = DecodedBlock::decode(&packed)?.lookups();
        let mut any = false;
        for lookup in &mut lookups {
            if lookup.identifier.as_ref().is_some_and(|identifier| matcher.matches_lookup(identifier)) {
                lookup.identifier = None;
                any = true;
            }
        }
        if any {
            blanked += 1;
            query::change(
                connection,
                "UPDATE request SET intent = ?2 WHERE id = ?1",
                params![request, block::pack_one(&lookups)?],
            )?;
            writer.notify = true;
        }
    }
    Ok(blanked)
}

/// Removes the kept replies that may mention the person. `replies` are those that were searched before; the few that
/// were added since then are searched here, so that the transaction is short.
fn drop_replies(
    connection: &Connection,
    matcher: &dyn Matcher,
    replies: &Replies,
    interrupt: &Interrupt,
) -> Result<u64, Fault> {
    let kept: Vec<i64> = query::all(connection, "SELECT request FROM unread", [])?;
    let mut gone = replies.found.clone();
    for request in kept.into_iter().filter(|request| !replies.seen.contains(request)) {
        interrupt.check()?;
        if let Some(packed) = requests::unread(connection, request)?
            && may_mention(connection, matcher, request, &packed)?
        {
            gone.push(request);
        }
    }
    let mut dropped = 0;
    for request in gone {
        dropped += requests::delete_unread(connection, request)?;
    }
    Ok(dropped)
}

/// Purges the answers of the next requests. Returns the number of the last one, unless there are no more.
///
/// Lookups that must not be sent again are barred as of `at_ms`, with `named` 0: contacts of others may mention them. An
/// answer to them is stored if its request was sent after `at_ms`, or if a store that is merged got it after `at_ms`.
fn purge_some(
    connection: &Connection,
    secret: &Secret,
    (at_ms, after): (i64, i64),
    interrupt: &Interrupt,
) -> Result<(Purged, Option<i64>), Fault> {
    let requests: Vec<i64> = query::all(
        connection,
        "SELECT id FROM request WHERE id > ?1 AND (settled_ms < ?2 OR outcome = ?4 AND sent_ms < ?2)
         ORDER BY id LIMIT ?3",
        params![after, at_ms, AT_ONCE, RequestOutcome::Left.as_str()],
    )?;
    let mut purged = Purged::default();
    for request in &requests {
        interrupt.check()?;
        for (_, packed) in block_table::of(connection, *request)? {
            for lookup in DecodedBlock::decode(&packed)?.lookups() {
                let Some(key) = lookup.key(secret) else { continue };
                purged.answers += 1;
                purged.contacts += u64::from(lookup.state == state::HIT);
                if let Some(state::UNKNOWN | state::LEFT | state::DROPPED) =
                    index::delete(connection, key, *request)?
                {
                    purged.identifiers += u64::from(!barred::is_barred(connection, key)?);
                    barred::bar_at(connection, key, at_ms.min(now_ms()), 0, 0)?;
                }
            }
        }
        block_table::clear(connection, *request)?;
        purged.replies += requests::delete_unread(connection, *request)?;
    }
    purged.credits = purged.contacts;
    Ok((purged, requests.last().copied()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use exactbuyer_core::identifier::FieldType;

    use super::*;

    #[test]
    fn in_the_transaction_only_replies_that_were_added_since_the_search_are_read() {
        let connection = Connection::open_in_memory().unwrap();
        // These are not compressed, so reading one fails.
        let tables = "CREATE TABLE unread (request INTEGER PRIMARY KEY, body BLOB);
                      INSERT INTO unread VALUES (1, x'00'), (2, x'00')";
        connection.execute_batch(tables).unwrap();
        let ana = Identifier::from_canonical(FieldType::Email, "ana@x.example");
        let (matcher, interrupt) = (TargetMatcher::person(&ana), Interrupt::default());
        let searched = Replies { found: vec![1], seen: [1, 2].into_iter().collect() };
        assert_eq!(drop_replies(&connection, &matcher, &searched, &interrupt).unwrap(), 1);
        connection.execute("INSERT INTO unread VALUES (3, x'00')", []).unwrap();
        assert!(drop_replies(&connection, &matcher, &searched, &interrupt).is_err());
        let truncated = block::compress(b"{").unwrap();
        connection.execute("UPDATE unread SET body = ?1 WHERE request = 3", [truncated]).unwrap();
        assert_eq!(drop_replies(&connection, &matcher, &searched, &interrupt).unwrap(), 1);
        let left: i64 = connection.query_row("SELECT request FROM unread", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 2);
    }
}
