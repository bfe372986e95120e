//! What a merge reads from the other store: its requests, each as it was at one moment. Writes nothing.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::file::fault::Fault;
use super::super::tables::block::{Sheet, block_start};
use super::super::tables::block_table;
use super::super::tables::tail::Tail;
use super::super::threads::shared::{Fields, Shared};

/// Requests read and written in one transaction.
const AT_ONCE: i64 = 100;

/// Identifies a request: drawn at random with the claim, and kept by every copy and every merge. The number
/// of a request does not identify it, because two copies of a store continue with the same numbers.
pub(in super::super) type Token = [u8; 16];

/// The outcome of a request whose process died before the answer came.
const LEFT: &str = "left";

/// A settled request, in short.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Head {
    pub(in super::super) number: i64,
    pub(in super::super) token: Token,
    /// Its process ended before the answer came. Another copy of the store may have the answer.
    pub(in super::super) left: bool,
    /// Some of its lookups are in doubt, or were.
    pub(in super::super) doubtful: bool,
}

/// Some requests of the other store.
#[derive(Debug, Default)]
pub(in super::super) struct Page {
    pub(in super::super) heads: Vec<Head>,
    /// Requests that were skipped because they are not settled yet.
    pub(in super::super) under_way: u64,
    /// The number of the last request read; `None` if there are no more.
    pub(in super::super) last: Option<i64>,
}

/// A request of the other store, with everything about it.
#[derive(Debug, Clone)]
pub(in super::super) struct Foreign {
    pub(in super::super) token: Token,
    pub(in super::super) fields: Fields,
    pub(in super::super) tags: String,
    pub(in super::super) columns: Columns,
    pub(in super::super) blocks: Vec<(i64, Vec<u8>)>,
    /// State and time of each lookup in its index, by place.
    pub(in super::super) states: Vec<Option<(u8, i64)>>,
    pub(in super::super) unread: Option<Vec<u8>>,
}

impl Foreign {
    pub(in super::super) fn is_left(&self) -> bool {
        self.columns.outcome.as_deref() == Some(LEFT)
    }
}

/// The columns of a journal row that are taken over unchanged.
#[derive(Debug, Clone)]
pub(in super::super) struct Columns {
    pub(in super::super) sent_ms: i64,
    pub(in super::super) lookups: i64,
    pub(in super::super) credits: i64,
    pub(in super::super) in_doubt: i64,
    pub(in super::super) counted: i64,
    pub(in super::super) settled_ms: i64,
    pub(in super::super) outcome: Option<String>,
    pub(in super::super) status: Option<i64>,
    pub(in super::super) took_ms: Option<i64>,
    pub(in super::super) hits: i64,
    pub(in super::super) misses: i64,
    pub(in super::super) rejected: i64,
    pub(in super::super) unknown: i64,
}

/// The next requests numbered above `after`.
pub(in super::super) fn page(connection: &Connection, after: i64) -> Result<Page, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT id, token, settled_ms IS NULL, outcome IS ?3, unknown > 0 FROM request
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = ask.query(params![after, AT_ONCE, LEFT])?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        page.last = Some(number);
        if row.get(2)? {
            page.under_way += 1;
        } else {
            let (token, left, doubtful) = (row.get(1)?, row.get(3)?, row.get(4)?);
            page.heads.push(Head { number, token, left, doubtful });
        }
    }
    Ok(page)
}

/// These requests in full.
pub(in super::super) fn read(
    connection: &Connection,
    shared: &Shared,
    tail: &Tail,
    heads: &[Head],
) -> Result<Vec<Foreign>, Fault> {
    let mut ask = connection.prepare_cached(
        "SELECT required, text, sent_ms, lookups, credits, in_doubt, counted, settled_ms, outcome, status, took_ms,
         hits, misses, rejected, unknown FROM request JOIN tags ON tags.id = request.tags WHERE request.id = ?1",
    )?;
    let mut requests = Vec::with_capacity(heads.len());
    for Head { number, token, .. } in heads {
        let (required, tags, columns) = ask.query_row([number], |row| {
            let columns = Columns {
                sent_ms: row.get(2)?,
                lookups: row.get(3)?,
                credits: row.get(4)?,
                in_doubt: row.get(5)?,
                counted: row.get(6)?,
                settled_ms: row.get(7)?,
                outcome: row.get(8)?,
                status: row.get(9)?,
                took_ms: row.get(10)?,
                hits: row.get(11)?,
                misses: row.get(12)?,
                rejected: row.get(13)?,
                unknown: row.get(14)?,
            };
            Ok((row.get(0)?, row.get(1)?, columns))
        })?;
        let (blocks, states) = answers(connection, shared, tail, *number)?;
        let unread = connection
            .prepare_cached("SELECT body FROM unread WHERE request = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?;
        let fields = shared.fields(connection, required)?;
        requests.push(Foreign { token: *token, fields, tags, columns, blocks, states, unread });
    }
    Ok(requests)
}

/// Blocks by the place of their first lookup, and each lookup's state and time in the index.
type Answers = (Vec<(i64, Vec<u8>)>, Vec<Option<(u8, i64)>>);

fn answers(connection: &Connection, shared: &Shared, tail: &Tail, request: i64) -> Result<Answers, Fault> {
    let mut state =
        connection.prepare_cached("SELECT state, at_ms FROM answer WHERE key = ?1 AND request = ?2")?;
    let (mut blocks, mut states) = (Vec::new(), Vec::new());
    for (id, packed) in block_table::of(connection, request)? {
        for entry in Sheet::read(&packed)?.entries() {
            let key = entry.identifier.as_ref().map(|identifier| shared.identity.secret.key(identifier));
            let known = key.map(|key| {
                state.query_row(params![key, request], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            });
            // In a store that is in use, the newest answers are not in the index yet.
            let newest = || tail.of(&key?).iter().find(|kept| kept.request == request);
            let newest = || newest().map(|kept| (kept.state, kept.at_ms));
            states.push(known.transpose()?.flatten().or_else(newest));
        }
        blocks.push((block_start(id).1, packed));
    }
    Ok((blocks, states))
}
