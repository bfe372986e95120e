//! Reads the requests of another store for a merge, each in one state of the file. Writes nothing.
//!
//! A merge first reads a short head of each request, by which this store decides what is new, and then reads only the
//! new requests in full.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params};

use exactbuyer_core::outcome::RequestOutcome;
use exactbuyer_core::store::Required;

use super::super::file::Fault;
use super::super::tables::{DecodedBlock, Tail, block_start, block_table, requests};
use super::super::threads::Shared;

/// Requests read and written in one transaction.
const AT_ONCE: i64 = 100;

/// Identifies a request. It is a random number that is drawn with the claim, and that every copy and every merge keeps. The
/// number of a request does not identify it, because two copies of a store continue with the same numbers.
pub(super) type Token = [u8; 16];

/// The columns of a journal row that a merge takes over unchanged.
pub(super) const COLUMNS: [&str; 13] = [
    "sent_ms",
    "lookups",
    "credits",
    "in_doubt",
    "counted",
    "settled_ms",
    "outcome",
    "status",
    "took_ms",
    "hits",
    "misses",
    "rejected",
    "unknown",
];

/// A settled request, in short.
///
/// Enough to decide whether the request is worth reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// In the other store.
    pub(super) number: i64,
    pub(super) token: Token,
    /// Its process ended before the answer came. Another copy of the store may have the answer. Then this store's
    /// answer, if it has one, is better.
    pub(super) left: bool,
    /// Some of its lookups are in doubt, or were. A user may have decided about them.
    pub(super) doubtful: bool,
    /// What it has cost, and what it may have cost in addition.
    pub(super) credits: i64,
    pub(super) in_doubt: i64,
}

/// Some requests of the other store.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) heads: Vec<Head>,
    /// Requests that were skipped because they are not settled yet.
    pub(super) under_way: u64,
    /// The number of the last request that was read; `None` if there are no more.
    pub(super) last: Option<i64>,
}

/// A request of the other store, with everything about it.
///
/// Read in one transaction with all others of its page. Held in memory until this store has written it.
#[derive(Debug, Clone)]
pub(super) struct OtherRequest {
    pub(super) head: Head,
    pub(super) fields: Required,
    pub(super) tags: String,
    /// The values of [`COLUMNS`], in the same order.
    pub(super) columns: Vec<Value>,
    /// Milliseconds since 1970.
    pub(super) settled_ms: i64,
    /// Still compressed, each with the place of its first lookup.
    pub(super) blocks: Vec<(i64, Vec<u8>)>,
    /// State and time of each lookup in the other store's index, by place. `None` for a lookup that was purged there,
    /// or has no row any more.
    pub(super) states: Vec<Option<(u8, i64)>>,
    pub(super) unread: Option<Vec<u8>>,
}

/// The next requests numbered above `after`.
///
/// Requests in flight are counted and not read: they have no outcome yet.
pub(super) fn page(connection: &Connection, after: i64) -> Result<Page, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT id, token, settled_ms IS NULL, outcome IS ?3, unknown > 0, credits, in_doubt FROM request
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = ask.query(params![after, AT_ONCE, RequestOutcome::Left.as_str()])?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        page.last = Some(number);
        if row.get(2)? {
            page.under_way += 1;
        } else {
            page.heads.push(Head {
                number,
                token: row.get(1)?,
                left: row.get(3)?,
                doubtful: row.get(4)?,
                credits: row.get(5)?,
                in_doubt: row.get(6)?,
            });
        }
    }
    Ok(page)
}

/// These requests in full.
pub(crate) fn read(
    connection: &Connection,
    shared: &Shared,
    tail: &Tail,
    heads: &[Head],
) -> Result<Vec<OtherRequest>, Fault> {
    let columns = COLUMNS.join(", ");
    let mut ask = connection.prepare_cached(&format!(
        "SELECT required, text, settled_ms, {columns} FROM request JOIN tags ON tags.id = request.tags
         WHERE request.id = ?1"
    ))?;
    let mut read = Vec::with_capacity(heads.len());
    for head in heads {
        let number = head.number;
        let (required, tags, settled_ms, columns) = ask.query_row([number], |row| {
            let columns = (3..3 + COLUMNS.len()).map(|place| row.get(place)).collect::<Result<_, _>>()?;
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, columns))
        })?;
        let (blocks, states) = answers(connection, shared, tail, number)?;
        let unread = requests::unread(connection, number)?;
        let fields = shared.field_sets.get(connection, required)?;
        read.push(OtherRequest { head: *head, fields, tags, columns, settled_ms, blocks, states, unread });
    }
    Ok(read)
}

/// Blocks by the place of their first lookup, and each lookup's state and time in the index.
type Answers = (Vec<(i64, Vec<u8>)>, Vec<Option<(u8, i64)>>);

/// Keys are made with the secret of the other store.
fn answers(connection: &Connection, shared: &Shared, tail: &Tail, request: i64) -> Result<Answers, Fault> {
    let mut state =
        connection.prepare_cached("SELECT state, at_ms FROM answer WHERE key = ?1 AND request = ?2")?;
    let (mut blocks, mut states) = (Vec::new(), Vec::new());
    for (id, packed) in block_table::of(connection, request)? {
        for lookup in DecodedBlock::decode(&packed)?.lookups() {
            let key = lookup.key(shared.secret());
            let known = key.map(|key| {
                state.query_row(params![key, request], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            });
            // The newest answers of a store that is in use are not in the index yet.
            let newest = || tail.of(&key?).iter().find(|answer| answer.request == request);
            let newest = || newest().map(|answer| (answer.state, answer.at_ms));
            states.push(known.transpose()?.flatten().or_else(newest));
        }
        blocks.push((block_start(id).1, packed));
    }
    Ok((blocks, states))
}
