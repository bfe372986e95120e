//! Merges another store into this one. What the other store has paid for is not paid for again here, and its journal
//! becomes part of this store's journal.
//!
//! Requests are identified by their tokens, so stores can be copied and merged in any order and direction. Two copies can
//! know different things about a request that was in flight or in doubt when the copy was made. An answer replaces a
//! doubt, and a decision replaces an open doubt, whichever copy is merged into the other.
//!
//! What happens to a settled request of the other store:
//!
//! | in this store | the other store has | then |
//! |---|---|---|
//! | not there | anything | it is added, with its answers |
//! | in flight | anything | nothing: its process will settle it |
//! | left by a dead owner | any other outcome | journal row and answers are replaced; decisions made here are kept |
//! | settled in any other way | doubts, or decisions about them | decisions are applied |
//! | settled, with credits in doubt | the same cost, and fewer credits in doubt | the lower number is taken over |
//! | settled in any other way | nothing in doubt | nothing |
//!
//! A page of requests is one transaction here. A merge that ends early can be repeated: what was taken over is
//! recognised by its token.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::outcome::RequestOutcome;

use super::super::file::{Fault, query};
use super::super::key::Key;
use super::super::process::{Interrupt, SqliteStore};
use super::super::recognise::Matcher as _;
use super::super::tables::{DecodedBlock, barred, block, block_table, index, number_of, requests, state};
use super::super::threads::{Shared, WriterState};
use super::other_store::{self, COLUMNS, Head, OtherRequest, Token};

/// What a merge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Merged {
    /// Requests that were taken over, with their outcomes.
    pub requests: u64,
    /// Lookups that were taken over.
    pub lookups: u64,
    /// Requests that this store had already. Requests whose doubts this merge has settled or decided are among them.
    pub known: u64,
    /// Requests that were in flight at that moment: merge again when they are settled.
    pub under_way: u64,
    /// Identifiers that were purged from the other store, if it is not a copy of this one. This store
    /// cannot tell which they are, so purge them here, too. Those of a copy are taken over.
    pub purged_there: u64,
    /// `false` if people were purged here because they had been purged from the other store, and the log could not be
    /// emptied because another process was reading. Merge again then.
    pub cleaned: bool,
}

impl Default for Merged {
    fn default() -> Self {
        Self { requests: 0, lookups: 0, known: 0, under_way: 0, purged_there: 0, cleaned: true }
    }
}

impl SqliteStore {
    /// Takes over everything that another store of the same service has. It may be a copy of this store. If both have an
    /// answer, the newer one is used from then on, and neither is lost. Merges can be repeated, and done in any order and
    /// direction: no request is taken over twice, even if it comes through a third store. People who were purged from a
    /// copy of this store are purged here too.
    ///
    /// The cost is one pass over the other journal, and reading what is new in full. The order matters: purges
    /// are taken over before any answer.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the other belongs to another service, or is this one;
    /// [`ErrorKind::Store`] if either cannot be read or written. What was taken over until then stays.
    pub fn merge(&self, other: &Path) -> Result<Merged, Error> {
        let here = self.opening()?;
        if !other.exists() {
            return Err(Fault::absent(other));
        }
        let mut other = Self::open(other, &here.shared.identity.service)?;
        other.interrupt = self.interrupt.clone();
        let there = other.opening()?;
        if Arc::ptr_eq(here, there) {
            return Err(Error::new(
                ErrorKind::Config,
                "a store cannot be merged with itself: give another store's path",
            ));
        }
        let mut merged = Merged::default();
        if here.shared.identity.secret == there.shared.identity.secret {
            self.take_over_barred(&other)?;
            self.take_over_allowed(&other)?;
        } else {
            merged.purged_there = other.ask(|reader, _| barred::count(&reader.connection))?;
        }
        // This also completes an earlier merge that did not end.
        merged.cleaned = self.erase_barred()?;
        let mut after = 0;
        loop {
            let page = other.ask(move |reader, _| other_store::page(&reader.connection, after))?;
            let Some(last) = page.last else { return Ok(merged) };
            after = last;
            merged.under_way += page.under_way;
            merged.known += page.heads.len() as u64;
            // Most requests of a copy are here already. Only those with news are read in full.
            let heads = page.heads;
            let news = self.ask(move |reader, _| news(&reader.connection, heads))?;
            if news.is_empty() {
                continue;
            }
            let requests = other.ask(move |reader, shared| {
                reader
                    .in_transaction(|connection, _, tail| other_store::read(connection, shared, tail, &news))
            })?;
            let interrupt = self.interrupt.clone();
            let some =
                self.write(move |connection, writer| take_over(connection, writer, &requests, &interrupt))?;
            merged.requests += some.requests;
            merged.lookups += some.lookups;
            merged.known -= some.requests;
        }
    }
}

/// The state of a request in this store.
///
/// `left` means that its owner died before the answer came.
struct Here {
    number: i64,
    settled: bool,
    left: bool,
    credits: i64,
    in_doubt: i64,
}

/// Finds the request with this token, by the index.
fn here(connection: &Connection, token: Token) -> Result<Option<Here>, Fault> {
    let here = query::find_row(
        connection,
        "SELECT id, settled_ms IS NOT NULL, outcome IS ?2, credits, in_doubt FROM request WHERE token = ?1",
        params![token, RequestOutcome::Left.as_str()],
    )?;
    Ok(here.map(|(number, settled, left, credits, in_doubt)| Here {
        number,
        settled,
        left,
        credits,
        in_doubt,
    }))
}

/// The requests about which the other store may know more than this one.
///
/// This is a guess from a moment before the transaction; `take_over` decides again.
fn news(connection: &Connection, heads: Vec<Head>) -> Result<Vec<Head>, Fault> {
    let mut news = Vec::new();
    for head in heads {
        let is_news = here(connection, head.token)?.is_none_or(|here| {
            here.settled && (here.left && !head.left || head.doubtful || here.in_doubt > head.in_doubt)
        });
        if is_news {
            news.push(head);
        }
    }
    Ok(news)
}

/// Takes over a page of requests in the present transaction.
///
/// # Errors
/// If it is interrupted, or this store cannot be written: then nothing of the page stays.
fn take_over(
    connection: &Connection,
    writer: &mut WriterState,
    requests: &[OtherRequest],
    interrupt: &Interrupt,
) -> Result<Merged, Fault> {
    let shared = writer.shared.clone();
    let mut merged = Merged::default();
    for request in requests {
        interrupt.check()?;
        match here(connection, request.head.token)? {
            None => {
                let number = put_request(connection, request)?;
                merged.lookups += put_answers(connection, writer, request, number)?;
                merged.requests += 1;
            }
            // The process that sent it is alive and will settle it.
            Some(here) if !here.settled => {}
            Some(here) if here.left && !request.head.left => {
                let decided = decisions(connection, &shared, here.number)?;
                index::remove_outcome(connection, shared.secret(), here.number)?;
                replace_request(connection, request, here.number)?;
                merged.lookups += put_answers(connection, writer, request, here.number)?;
                decide(connection, here.number, decided)?;
                lower_doubt(connection, here.number, here.credits, here.in_doubt)?;
            }
            Some(here) => {
                let lookups =
                    request.blocks.iter().map(|(_, packed)| Ok(DecodedBlock::decode(packed)?.lookups()));
                let lookups = lookups.collect::<Result<Vec<_>, Fault>>()?;
                let decided = lookups
                    .iter()
                    .flatten()
                    .zip(&request.states)
                    .filter_map(|(lookup, state)| Some((lookup.key(shared.secret())?, (*state)?.0)));
                decide(connection, here.number, decided)?;
                lower_doubt(connection, here.number, request.head.credits, request.head.in_doubt)?;
            }
        }
    }
    writer.notify = true;
    Ok(merged)
}

/// The states in this store's index of the lookups of a request.
///
/// Remembered before the outcome is replaced, because replacing it forgets what a user has decided.
fn decisions(connection: &Connection, shared: &Shared, request: i64) -> Result<Vec<(Key, u8)>, Fault> {
    let mut ask = connection.prepare_cached("SELECT state FROM answer WHERE key = ?1 AND request = ?2")?;
    let mut decided = Vec::new();
    for key in index::keys_of(connection, shared.secret(), request)? {
        let state = ask.query_row(params![key, request], |row| row.get(0)).optional()?;
        decided.extend(state.map(|state| (key, state)));
    }
    Ok(decided)
}

/// Applies decisions about doubts. A doubt goes through the stages open, dropped and asked again. The later stage wins, so
/// that the order of merges does not matter.
///
/// Only rows in the index change. A decision about an answer that is no doubt any more changes nothing.
fn decide(
    connection: &Connection,
    request: i64,
    decided: impl IntoIterator<Item = (Key, u8)>,
) -> Result<(), Fault> {
    for (key, state) in decided {
        let earlier = match state {
            state::DROPPED => {
                "UPDATE answer SET state = ?3 WHERE key = ?1 AND request = ?2 AND state IN (3, 6)"
            }
            state::ASKED_AGAIN => {
                "UPDATE answer SET state = ?3 WHERE key = ?1 AND request = ?2 AND state IN (3, 6, 5)"
            }
            _ => continue,
        };
        query::change(connection, earlier, params![key, request, state])?;
    }
    Ok(())
}

/// If both stores have the same known credits for a request, the lower number of credits in doubt counts: it is lower where
/// a user has found that they were not charged.
fn lower_doubt(connection: &Connection, request: i64, credits: i64, in_doubt: i64) -> Result<(), Fault> {
    query::change(
        connection,
        "UPDATE request SET in_doubt = ?3 WHERE id = ?1 AND credits = ?2 AND in_doubt > ?3",
        [request, credits, in_doubt],
    )?;
    Ok(())
}

/// First an empty row with the token, then the same as for a request that is replaced.
fn put_request(connection: &Connection, request: &OtherRequest) -> Result<i64, Fault> {
    // Key and owner mean nothing outside of the other store.
    query::change(
        connection,
        "INSERT INTO request (owner, run, key, required, tags, sent_ms, lookups, credits, in_doubt, counted, token)
         VALUES (0, 0, 0, ?1, ?2, 0, 0, 0, 0, 0, ?3)",
        params![
            number_of(connection, &request.fields)?,
            requests::tags_number(connection, &request.tags)?,
            request.head.token,
        ],
    )?;
    let number = connection.last_insert_rowid();
    replace_request(connection, request, number)?;
    Ok(number)
}

/// Replaces the journal row of a request by the other store's.
fn replace_request(connection: &Connection, request: &OtherRequest, number: i64) -> Result<(), Fault> {
    let replace = format!(
        "UPDATE request SET ({}) = (?{}) WHERE id = ?",
        COLUMNS.join(", "),
        ", ?".repeat(COLUMNS.len() - 1)
    );
    let values = request.columns.iter().cloned().chain([number.into()]);
    query::change(connection, &replace, params_from_iter(values))?;
    Ok(())
}

/// Stores the answers of a request, except those to lookups of people who were purged here, and contacts that mention such
/// people. Of a purge by age, only lookups that were in doubt or dropped are barred: older answers to them are kept out.
///
/// Returns how many lookups have an answer here now. The answers go into the index at once, not into the tail. Purged
/// lookups stay as empty entries, so that the places of the others are the same in both stores.
fn put_answers(
    connection: &Connection,
    writer: &mut WriterState,
    request: &OtherRequest,
    here: i64,
) -> Result<u64, Fault> {
    let shared = writer.shared.clone();
    let purged = writer.purged(connection)?;
    let required = number_of(connection, &request.fields)?;
    let (mut rows, mut any_barred, mut place) = (Vec::new(), false, 0_i64);
    for (first, packed) in &request.blocks {
        let (mut lookups, mut rewritten) = (DecodedBlock::decode(packed)?.lookups(), false);
        for lookup in &mut lookups {
            let known =
                usize::try_from(place).ok().and_then(|place| request.states.get(place)).copied().flatten();
            if let Some(key) = lookup.key(shared.secret()) {
                // Also lookups that the other store's index does not have any more.
                let at_ms = known.map_or(request.settled_ms, |(_, at_ms)| at_ms);
                let mut out = barred::keeps_out(connection, key, at_ms)?;
                if !out && lookup.state == state::HIT && purged.is_mentioned_in(&lookup.body) {
                    barred::bar(connection, key, 1)?;
                    out = true;
                }
                if out {
                    lookup.purge();
                    rewritten = true;
                } else if let Some((state, at_ms)) = known {
                    rows.push((key, here, place, state, required, at_ms));
                }
            }
            place += 1;
        }
        any_barred |= rewritten;
        let again = rewritten.then(|| block::pack_one(&lookups)).transpose()?;
        block_table::put(connection, here, *first, again.as_ref().unwrap_or(packed))?;
    }
    if let Some(unread) = request.unread.as_ref().filter(|_| !any_barred)
        && purged.may_keep(&block::decompress(unread)?)
    {
        requests::put_unread(connection, here, unread)?;
    }
    let count = rows.len() as u64;
    index::put(connection, rows)?;
    Ok(count)
}
