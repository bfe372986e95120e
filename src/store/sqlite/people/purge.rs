//! Forgetting a person: afterwards no byte of them is in any file of the store,
//! and all that is kept is a keyed hash, when it was, and what it had cost.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;

use super::super::SqliteStore;
use super::super::file::fault::Fault;
use super::super::file::schema::state;
use super::super::key::Key;
use super::super::process::interrupt::Interrupt;
use super::super::recognise::by_hash::named;
use super::super::recognise::by_target::{Mention, Seek};
use super::super::tables::block::{self, Sheet};
use super::super::tables::block_table;
use super::super::threads::shared::{Shared, now_ms};
use super::super::threads::writer_state::Ledger;
use super::super::transfer::backup;
use super::find::{Replies, Target, may_mention};

/// Requests whose answers are purged in one transaction.
const AT_ONCE: i64 = 200;

/// How long who reads just then keeps the log from being emptied, before it is left to another purge.
const LONGEST_READ: Duration = Duration::from_secs(2);

/// What a purge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purged {
    /// Identifiers that are `not_sent` from now on.
    pub identifiers: u64,
    /// Answers that are gone.
    pub answers: u64,
    /// Of which contacts.
    pub contacts: u64,
    /// Requests under way that no longer say whom they ask for.
    pub intents: u64,
    /// Kept replies that could not be read and were removed, because they may mention the person.
    pub replies: u64,
    /// What the contacts had cost.
    pub credits: u64,
    /// Whether the log was emptied, too. Where not, another process was reading just then: purge
    /// again.
    pub cleaned: bool,
    /// Backups that may still hold what is gone, also unfinished ones: delete them.
    pub leftovers: Vec<String>,
}

impl SqliteStore {
    /// Forgets them, in every file of the store, and bars them: a purged lookup is `not_sent` from
    /// then on, until [`SqliteStore::allow`]. Contacts of other lookups that mention the identifier
    /// go, too. The journal keeps its counts.
    ///
    /// # Errors
    /// Where the store cannot be read or written; purge again then.
    pub fn purge(&self, target: &Target) -> Result<Purged, Error> {
        let mut purged = match target {
            Target::Identifier(identifier) => self.purge_identifier(target, identifier)?,
            Target::OlderThan(at_ms) => self.purge_before(*at_ms)?,
            Target::Text(_) => {
                return Err(Error::new(
                    ErrorKind::Config,
                    "a purge takes an identifier, such as an e-mail address: use find to see whose they are",
                ));
            }
        };
        purged.cleaned = self.empty_log()?;
        purged.leftovers = leftovers(self.path());
        Ok(purged)
    }

    /// Lets an identifier that was purged, or dropped while in doubt, be asked for again; whether
    /// it was.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub fn allow(&self, identifier: &Identifier) -> Result<bool, Error> {
        let key = self.opening()?.shared.identity.secret.key(identifier);
        self.write(move |connection, ledger| {
            ledger.notify = true;
            ledger.forget_forgotten();
            let barred = allow(connection, key)?;
            let dropped = connection.execute(
                "UPDATE answer SET state = ?2 WHERE key = ?1 AND state = ?3",
                params![key, state::ASKED_AGAIN, state::DROPPED],
            )?;
            Ok(barred + dropped > 0)
        })
    }

    fn purge_identifier(&self, target: &Target, identifier: &Identifier) -> Result<Purged, Error> {
        let opening = self.opening()?;
        let (key, field_type) = (opening.shared.identity.secret.key(identifier), identifier.field_type());
        // First of all nobody asks for it any more, and what is under way brings nothing back.
        self.write(move |connection, ledger| {
            ledger.forget_forgotten();
            // Also keeps the identifier out of contacts of others that come in later.
            purge_key(connection, key, 0, named(field_type))
        })?;
        let mut purged = Purged::default();
        let (some, _) = self.erase_all(&Arc::new(Mention::of(target)), 0, &mut purged)?;
        let mut identifiers = some;
        identifiers.insert(key);
        purged.identifiers = identifiers.len() as u64;
        purged.credits = purged.contacts;
        Ok(purged)
    }

    /// Erases the people sought, and the answers that mention them, from all blocks numbered above `after`.
    /// Returns the keys of the lookups that were erased, and the last block number.
    pub(in super::super) fn erase_all<S: Seek + 'static>(
        &self,
        seeker: &Arc<S>,
        after: i64,
        purged: &mut Purged,
    ) -> Result<(HashSet<Key>, i64), Error> {
        let secret = self.opening()?.shared.identity.secret.clone();
        // Reading all kept replies takes long, so it is done before the transaction, which keeps others from writing.
        let replies = self.search_replies(seeker)?;
        let (seeking, interrupt) = (seeker.clone(), self.interrupt.clone());
        let (intents, replies) = self.write(move |connection, ledger| {
            let intents = blank_intents(connection, ledger, &*seeking)?;
            Ok((intents, drop_replies(connection, &*seeking, &replies, &interrupt)?))
        })?;
        purged.intents += intents;
        purged.replies += replies;
        let (mut identifiers, mut after) = (HashSet::new(), after);
        loop {
            let (found, last) = self.search(seeker, after)?;
            if found.is_empty() {
                return Ok((identifiers, last));
            }
            // What came in meanwhile is looked through again.
            after = last;
            let mut by_request: HashMap<i64, HashSet<Key>> = HashMap::new();
            for contact in found {
                purged.answers += 1;
                purged.contacts += u64::from(contact.record.is_some());
                let key = secret.key(&contact.identifier);
                identifiers.insert(key);
                by_request.entry(contact.request).or_default().insert(key);
            }
            for (request, keys) in by_request {
                self.write(move |connection, ledger| {
                    ledger.fold(connection)?;
                    erase(connection, &ledger.shared, request, &keys)
                })?;
            }
        }
    }

    fn purge_before(&self, at_ms: i64) -> Result<Purged, Error> {
        // What the dead have left under way is as old as when it was sent. What the living have is not
        // old: it has no answer yet, and whom they ask for is the only evidence of what it may cost.
        self.opening()?.bury_the_dead()?;
        let (mut purged, mut after) = (Purged::default(), 0);
        loop {
            let interrupt = self.interrupt.clone();
            let (some, last) = self.write(move |connection, ledger| {
                ledger.fold(connection)?;
                purge_some(connection, &ledger.shared, (at_ms, after), &interrupt)
            })?;
            purged.identifiers += some.identifiers;
            purged.answers += some.answers;
            purged.contacts += some.contacts;
            purged.credits += some.credits;
            purged.replies += some.replies;
            match last {
                Some(last) => after = last,
                None => return Ok(purged),
            }
        }
    }

    /// Writes the log into the file and cuts it to nothing: deleted rows stand in it, too. Waits for
    /// who is reading, but not for long.
    pub(in super::super) fn empty_log(&self) -> Result<bool, Error> {
        self.ask(|reading, shared| {
            reading.blocks.forget();
            let (connection, _) = shared.connect()?;
            connection.busy_timeout(LONGEST_READ)?;
            let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            Ok(!busy)
        })
    }
}

/// Allows a key, whether or not it is barred: a copy of the store may bar it. Returns how many rows of `barred` it
/// had. The later of a purge and an `allow` counts, so each is later than the other one that it follows, whatever the
/// clock says.
fn allow(connection: &Connection, key: Key) -> Result<usize, Fault> {
    connection
        .prepare_cached(
            "INSERT INTO allowed SELECT ?1, max(?2, 1 + coalesce((SELECT purged_ms FROM barred WHERE key = ?1), 0)) WHERE 1
             ON CONFLICT DO UPDATE SET at_ms = max(at_ms, excluded.at_ms)",
        )?
        .execute(params![key, now_ms()])?;
    Ok(connection.prepare_cached("DELETE FROM barred WHERE key = ?1")?.execute([key])?)
}

/// From now on nobody asks for it. If it is barred already, that does not become a later decision.
pub(in super::super) fn bar(connection: &Connection, key: Key, credits: i64) -> Result<(), Fault> {
    let known = connection
        .prepare_cached("UPDATE barred SET credits = credits + ?2 WHERE key = ?1")?
        .execute(params![key, credits])?;
    if known == 0 { purge_key(connection, key, credits, 0) } else { Ok(()) }
}

/// Somebody decides that nobody asks for it from now on. `named` is that of [`named`], or 0.
fn purge_key(connection: &Connection, key: Key, credits: i64, named: i64) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO barred SELECT ?1, max(?2, 1 + coalesce((SELECT at_ms FROM allowed WHERE key = ?1), 0)), ?3, ?4
             WHERE 1 ON CONFLICT DO UPDATE SET purged_ms = max(purged_ms, excluded.purged_ms),
             credits = credits + excluded.credits, named = max(named, excluded.named)",
        )?
        .execute(params![key, now_ms(), credits, named])?;
    connection.prepare_cached("DELETE FROM allowed WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Takes lookups of a request out of their blocks, and out of the index. By who they are, and not by
/// where they were found: a late answer may have moved them since.
pub(in super::super) fn erase(
    connection: &Connection,
    shared: &Shared,
    request: i64,
    keys: &HashSet<Key>,
) -> Result<(), Fault> {
    for (id, packed) in block_table::of(connection, request)? {
        let mut entries = Sheet::read(&packed)?.entries();
        let mut any = false;
        for entry in &mut entries {
            let key = entry.identifier.as_ref().map(|identifier| shared.identity.secret.key(identifier));
            let Some(key) = key.filter(|key| keys.contains(key)) else { continue };
            (entry.identifier, entry.body, any) = (None, Bytes::new(), true);
            bar(connection, key, i64::from(entry.state == state::HIT))?;
            connection
                .prepare_cached("DELETE FROM answer WHERE key = ?1 AND request = ?2")?
                .execute(params![key, request])?;
        }
        if any {
            block_table::rewrite(connection, id, &entries)?;
        }
    }
    Ok(())
}

/// Requests under way no longer say whom they ask for.
fn blank_intents(connection: &Connection, ledger: &mut Ledger, seeker: &impl Seek) -> Result<u64, Fault> {
    let mut ask = connection.prepare("SELECT id, intent FROM request WHERE settled_ms IS NULL")?;
    let open: Vec<(i64, Vec<u8>)> =
        ask.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let mut blanked = 0;
    for (request, packed) in open {
        let mut entries = Sheet::read(&packed)?.entries();
        let mut hits = 0;
        for entry in &mut entries {
            if entry.identifier.as_ref().is_some_and(|identifier| seeker.is_asked_by(identifier)) {
                entry.identifier = None;
                hits += 1;
            }
        }
        if hits > 0 {
            blanked += 1;
            connection.execute(
                "UPDATE request SET intent = ?2 WHERE id = ?1",
                params![request, block::pack_one(&entries)?],
            )?;
            ledger.notify = true;
        }
    }
    Ok(blanked)
}

/// Removes the replies that could not be read and may mention the people sought. `replies` are those that were
/// searched before; the few that came in since are searched here.
fn drop_replies(
    connection: &Connection,
    seeker: &impl Seek,
    replies: &Replies,
    interrupt: &Interrupt,
) -> Result<u64, Fault> {
    let mut ask = connection.prepare_cached("SELECT request FROM unread")?;
    let kept: Vec<i64> = ask.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut gone = replies.found.clone();
    for request in kept.into_iter().filter(|request| !replies.seen.contains(request)) {
        interrupt.check()?;
        let packed: Vec<u8> = connection
            .prepare_cached("SELECT body FROM unread WHERE request = ?1")?
            .query_row([request], |row| row.get(0))?;
        if may_mention(connection, seeker, request, &packed)? {
            gone.push(request);
        }
    }
    let mut dropped = 0;
    for request in gone {
        dropped += connection.prepare_cached("DELETE FROM unread WHERE request = ?1")?.execute([request])?;
    }
    Ok(dropped as u64)
}

/// Purges the answers of the next requests; the last of them, unless there are no more.
fn purge_some(
    connection: &Connection,
    shared: &Shared,
    (at_ms, after): (i64, i64),
    interrupt: &Interrupt,
) -> Result<(Purged, Option<i64>), Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT id FROM request WHERE id > ?1 AND (settled_ms < ?2 OR outcome = 'left' AND sent_ms < ?2)
         ORDER BY id LIMIT ?3",
    )?;
    let requests: Vec<i64> =
        ask.query_map([after, at_ms, AT_ONCE], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let (mut purged, mut keys) = (Purged::default(), HashMap::<Key, i64>::new());
    for request in &requests {
        interrupt.check()?;
        for (_, packed) in block_table::of(connection, *request)? {
            for entry in Sheet::read(&packed)?.entries() {
                let Some(identifier) = entry.identifier else { continue };
                let (key, hit) = (shared.identity.secret.key(&identifier), entry.state == state::HIT);
                connection
                    .prepare_cached("DELETE FROM answer WHERE key = ?1 AND request = ?2")?
                    .execute(params![key, request])?;
                purged.answers += 1;
                purged.contacts += u64::from(hit);
                *keys.entry(key).or_default() += i64::from(hit);
            }
        }
        block_table::clear(connection, *request)?;
        let gone = connection.prepare_cached("DELETE FROM unread WHERE request = ?1")?.execute([request])?;
        purged.replies += gone as u64;
    }
    purged.credits = purged.contacts;
    for (key, credits) in keys {
        let known: Option<i64> = connection
            .prepare_cached("SELECT purged_ms FROM barred WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        purged.identifiers += u64::from(known.is_none());
        purge_key(connection, key, credits, 0)?;
    }
    Ok((purged, requests.last().copied()))
}

/// Backups beside the store, and what was left of a backup to any name that was killed.
fn leftovers(path: &Path) -> Vec<String> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let begins = format!("{name}.backup-");
    let ends = [backup::UNFINISHED.to_owned(), format!("{}-journal", backup::UNFINISHED)];
    let is_one = |name: &str| name.starts_with(&begins) || ends.iter().any(|end| name.ends_with(end));
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let backups = files.filter(|file| is_one(&file.file_name().to_string_lossy()));
    backups.map(|file| file.path().display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::identifier::FieldType;

    use super::*;

    #[test]
    fn in_the_transaction_only_replies_that_came_in_since_the_search_are_read() {
        let connection = Connection::open_in_memory().unwrap();
        // What is not a compressed reply cannot be read.
        let tables = "CREATE TABLE unread (request INTEGER PRIMARY KEY, body BLOB);
                      INSERT INTO unread VALUES (1, x'00'), (2, x'00')";
        connection.execute_batch(tables).unwrap();
        let ana = Identifier::from_canonical(FieldType::Email, "ana@x.example");
        let (seeker, interrupt) = (Mention::of(&Target::Identifier(ana)), Interrupt::default());
        let searched = Replies { found: vec![1], seen: [1, 2].into_iter().collect() };
        assert_eq!(drop_replies(&connection, &seeker, &searched, &interrupt).unwrap(), 1);
        connection.execute("INSERT INTO unread VALUES (3, x'00')", []).unwrap();
        assert!(drop_replies(&connection, &seeker, &searched, &interrupt).is_err());
        let truncated = block::compress(b"{").unwrap();
        connection.execute("UPDATE unread SET body = ?1 WHERE request = 3", [truncated]).unwrap();
        assert_eq!(drop_replies(&connection, &seeker, &searched, &interrupt).unwrap(), 1);
        let left: i64 = connection.query_row("SELECT request FROM unread", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 2);
    }
}
