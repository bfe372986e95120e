//! Two stores become one: what the other has paid for is not paid for again here, and its journal
//! is part of this one's books.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use crate::error::{Error, ErrorKind};

use super::SqliteStore;
use super::block::{Sheet, block_start};
use super::fault::Fault;
use super::interrupt::Interrupt;
use super::key::Key;
use super::ledger::Ledger;
use super::privacy::bar;
use super::schema::state;
use super::shared::{Fields, Shared, number_of};
use super::shelf;
use super::tail::Tail;

/// Requests read and written in one go.
const AT_ONCE: i64 = 100;

/// What a merge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Requests taken over, with all that they came to.
    pub requests: u64,
    /// Lookups taken over.
    pub lookups: u64,
    /// Requests that an earlier merge has taken over.
    pub known: u64,
    /// Requests under way just then: merge again when they are over.
    pub under_way: u64,
    /// Identifiers that the other store has purged. Only it can tell which: purge them here, too.
    pub purged_there: u64,
}

/// Where a request was made: a store's name, and its number there. That of a request goes along from
/// merge to merge, so that it is known again by whatever way it comes.
type Origin = ([u8; 16], i64);

/// A request of the other store, with everything about it.
#[derive(Debug, Clone)]
struct Foreign {
    origin: Origin,
    fields: Fields,
    tags: String,
    columns: Columns,
    blocks: Vec<(i64, Vec<u8>)>,
    /// What its index says now of each lookup, by place.
    states: Vec<Option<(u8, i64)>>,
    unread: Option<Vec<u8>>,
}

/// What of a journal row is taken over as it is.
#[derive(Debug, Clone)]
struct Columns {
    sent_ms: i64,
    lookups: i64,
    credits: i64,
    in_doubt: i64,
    counted: i64,
    settled_ms: i64,
    outcome: Option<String>,
    status: Option<i64>,
    took_ms: Option<i64>,
    hits: i64,
    misses: i64,
    rejected: i64,
    unknown: i64,
}

impl SqliteStore {
    /// Takes over everything that another store of the same service has. Where both have an answer,
    /// the newer one is served from then on, and neither is lost. Can be repeated: what was taken
    /// over once is not again, nor what came to the other from here, or from a third that both have
    /// taken over.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the other belongs to another service, or is this one;
    /// [`ErrorKind::Store`] if either cannot be read or written. What was taken over until then is.
    pub fn merge(&self, other: &Path) -> Result<Merged, Error> {
        let here = self.opening()?;
        if !other.exists() {
            return Err(Error::new(
                ErrorKind::Store,
                format!("there is no store {}: check the path", other.display()),
            ));
        }
        let mut other = Self::open(other, &here.shared.identity.service)?;
        other.interrupt = self.interrupt.clone();
        let there = other.opening()?;
        if there.shared.identity.name == here.shared.identity.name {
            return Err(Error::new(
                ErrorKind::Config,
                "a store cannot be merged with itself or a copy of it: give another",
            ));
        }
        let purged_there: i64 = other.ask(|reading, _| {
            Ok(reading.connection.query_row("SELECT count(*) FROM barred", [], |row| row.get(0))?)
        })?;
        let mut merged = Merged { purged_there: purged_there.unsigned_abs(), ..Merged::default() };
        let (ours, mut after) = (here.shared.identity.name, 0);
        loop {
            let page = other.ask(move |reading, shared| {
                reading.at_once(|connection, _, tail| foreign(connection, shared, tail, after))
            })?;
            let Some(last) = page.last else { return Ok(merged) };
            after = last;
            merged.under_way += page.under_way;
            let interrupt = self.interrupt.clone();
            let some = self.write(move |connection, ledger| {
                take_over(connection, ledger, ours, &page.requests, &interrupt)
            })?;
            merged.requests += some.requests;
            merged.lookups += some.lookups;
            merged.known += some.known;
        }
    }
}

/// Some requests of the other store, as they were at one moment.
#[derive(Debug, Default)]
struct Page {
    requests: Vec<Foreign>,
    /// Passed over: they have come to nothing yet.
    under_way: u64,
    /// The number of the last; `None` behind the end.
    last: Option<i64>,
}

fn foreign(connection: &Connection, shared: &Shared, tail: &Tail, after: i64) -> Result<Page, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT request.id, required, text, sent_ms, lookups, credits, in_doubt, counted, settled_ms, outcome, status,
         took_ms, hits, misses, rejected, unknown, merged.store, merged.request
         FROM request JOIN tags ON tags.id = request.tags LEFT JOIN merged ON merged.here = request.id
         WHERE request.id > ?1 ORDER BY request.id LIMIT ?2",
    )?;
    let mut rows = ask.query([after, AT_ONCE])?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        page.last = Some(number);
        let Some(settled_ms) = row.get(8)? else {
            page.under_way += 1;
            continue;
        };
        let columns = Columns {
            sent_ms: row.get(3)?,
            lookups: row.get(4)?,
            credits: row.get(5)?,
            in_doubt: row.get(6)?,
            counted: row.get(7)?,
            settled_ms,
            outcome: row.get(9)?,
            status: row.get(10)?,
            took_ms: row.get(11)?,
            hits: row.get(12)?,
            misses: row.get(13)?,
            rejected: row.get(14)?,
            unknown: row.get(15)?,
        };
        let (blocks, states) = answers(connection, shared, tail, number)?;
        let unread = connection
            .prepare_cached("SELECT body FROM unread WHERE request = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let fields = shared.fields(connection, row.get(1)?)?;
        let from: Option<[u8; 16]> = row.get(16)?;
        let origin = match from {
            Some(store) => (store, row.get(17)?),
            None => (shared.identity.name, number),
        };
        page.requests.push(Foreign { origin, fields, tags: row.get(2)?, columns, blocks, states, unread });
    }
    Ok(page)
}

/// Blocks by the place of their first lookup, and what the index says of each lookup.
type Answers = (Vec<(i64, Vec<u8>)>, Vec<Option<(u8, i64)>>);

fn answers(connection: &Connection, shared: &Shared, tail: &Tail, request: i64) -> Result<Answers, Fault> {
    let mut state =
        connection.prepare_cached("SELECT state, at_ms FROM answer WHERE key = ?1 AND request = ?2")?;
    let (mut blocks, mut states) = (Vec::new(), Vec::new());
    for (id, packed) in shelf::of(connection, request)? {
        for entry in Sheet::read(&packed)?.entries() {
            let key = entry.identifier.as_ref().map(|identifier| shared.identity.secret.key(identifier));
            let known = key.map(|key| {
                state.query_row(params![key, request], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            });
            // Of a store in use, the newest answers are not in the index yet.
            let newest = || tail.of(&key?).iter().find(|kept| kept.request == request);
            let newest = || newest().map(|kept| (kept.state, kept.at_ms));
            states.push(known.transpose()?.flatten().or_else(newest));
        }
        blocks.push((block_start(id).1, packed));
    }
    Ok((blocks, states))
}

fn take_over(
    connection: &Connection,
    ledger: &mut Ledger,
    ours: [u8; 16],
    page: &[Foreign],
    interrupt: &Interrupt,
) -> Result<Merged, Fault> {
    let mut merged = Merged::default();
    for request in page {
        interrupt.check()?;
        if is_known(connection, ours, request)? {
            merged.known += 1;
            continue;
        }
        let here = put_request(connection, request)?;
        let (store, number) = request.origin;
        connection
            .prepare_cached("INSERT INTO merged VALUES (?1, ?2, ?3)")?
            .execute(params![store, number, here])?;
        merged.lookups += put_answers(connection, ledger, request, here)?;
        merged.requests += 1;
    }
    ledger.notify = true;
    Ok(merged)
}

/// Whether a request is here already: made here, or taken over before.
fn is_known(connection: &Connection, ours: [u8; 16], request: &Foreign) -> Result<bool, Fault> {
    let (store, number) = request.origin;
    if store == ours {
        // A backup put back in place has not made what came after it, and may have given its number to
        // another request since: then it comes back with the other store.
        let made_here = "SELECT EXISTS (SELECT 1 FROM request WHERE id = ?1 AND sent_ms = ?2)";
        let mut ask = connection.prepare_cached(made_here)?;
        if ask.query_row([number, request.columns.sent_ms], |row| row.get(0))? {
            return Ok(true);
        }
    }
    let mut ask = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM merged WHERE store = ?1 AND request = ?2)")?;
    Ok(ask.query_row(params![store, number], |row| row.get(0))?)
}

fn put_request(connection: &Connection, request: &Foreign) -> Result<i64, Fault> {
    let columns = &request.columns;
    let required = number_of(connection, &request.fields)?;
    // Key and owner are the other store's own: nobody's, here.
    connection
        .prepare_cached(
            "INSERT INTO request (owner, run, key, required, tags, sent_ms, lookups, credits, in_doubt, counted,
             settled_ms, outcome, status, took_ms, hits, misses, rejected, unknown)
             VALUES (0, 0, 0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            required,
            super::claim::tags(connection, &request.tags)?,
            columns.sent_ms,
            columns.lookups,
            columns.credits,
            columns.in_doubt,
            columns.counted,
            columns.settled_ms,
            columns.outcome,
            columns.status,
            columns.took_ms,
            columns.hits,
            columns.misses,
            columns.rejected,
            columns.unknown,
        ])?;
    let here = connection.last_insert_rowid();
    connection
        .prepare_cached("UPDATE total SET credits = credits + ?1, in_doubt = in_doubt + ?2")?
        .execute([columns.credits, columns.in_doubt])?;
    Ok(here)
}

/// Who was purged here stays so, and does not come with what is said of others.
fn put_answers(
    connection: &Connection,
    ledger: &mut Ledger,
    request: &Foreign,
    here: i64,
) -> Result<u64, Fault> {
    let shared = ledger.shared.clone();
    let forgotten = ledger.forgotten(connection)?;
    let is_mentioned = |text: &[u8]| forgotten.is_mentioned(&shared.identity.secret, text);
    let required = number_of(connection, &request.fields)?;
    let mut barred = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM barred WHERE key = ?1)")?;
    let (mut answers, mut any_barred, mut place) = (Vec::<(Key, i64, u8, i64)>::new(), false, 0_i64);
    for (first, packed) in &request.blocks {
        let (mut entries, mut rewritten) = (Sheet::read(packed)?.entries(), false);
        for entry in &mut entries {
            let key = entry.identifier.as_ref().map(|identifier| shared.identity.secret.key(identifier));
            let known =
                usize::try_from(place).ok().and_then(|place| request.states.get(place)).copied().flatten();
            if let Some(key) = key {
                // Also what no index points at any more.
                let mut out: bool = barred.query_row([key], |row| row.get(0))?;
                if !out && entry.state == state::HIT && is_mentioned(&entry.body) {
                    bar(connection, key, 1)?;
                    out = true;
                }
                if out {
                    (entry.identifier, entry.body, rewritten) = (None, bytes::Bytes::new(), true);
                } else if let Some((state, at_ms)) = known {
                    answers.push((key, place, state, at_ms));
                }
            }
            place += 1;
        }
        any_barred |= rewritten;
        let again = rewritten.then(|| super::block::pack_one(&entries)).transpose()?;
        shelf::put(connection, here, *first, again.as_ref().unwrap_or(packed))?;
    }
    let unread = request.unread.as_ref().filter(|_| !any_barred);
    if let Some(unread) = unread
        && !is_mentioned(&super::block::decompress(unread)?)
    {
        connection.prepare_cached("INSERT INTO unread VALUES (?1, ?2)")?.execute(params![here, unread])?;
    }
    answers.sort_unstable();
    let mut put =
        connection.prepare_cached("INSERT OR REPLACE INTO answer VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (key, place, state, at_ms) in &answers {
        put.execute(params![key, here, place, state, required, at_ms])?;
    }
    Ok(answers.len() as u64)
}
