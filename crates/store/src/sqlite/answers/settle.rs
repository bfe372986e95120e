//! A settlement: stores the outcome of a request. Answers are delivered after they are stored.
//!
//! In one transaction it stores blocks, answers, the kept reply and the journal row, and corrects the sums. The
//! request may have been settled already: its process looked dead, and was buried. Then the answer replaces the
//! doubt.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use exactbuyer_core::error::Error;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::store::{Evidence, Outcome};

use super::super::clock::now_ms;
use super::super::file::{Fault, query};
use super::super::key::Key;
use super::super::recognise::Matcher as _;
use super::super::tables::{Lines, barred, block, block_table, index, requests, state, tail};
use super::super::threads::{Shared, Work, WriterState};

/// A lookup that has an outcome.
///
/// In the form in which it is stored. Lookups that were not sent have none: without an answer they are free again.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) key: Key,
    pub(super) identifier: Identifier,
    pub(super) state: u8,
    /// The contact or the reason; empty for a miss.
    pub(super) body: Bytes,
}

/// A settlement, on its way to the writer.
///
/// It is repeated until it is committed, or the store is closed. The caller hears only of the first attempt.
pub(super) struct SettleWork {
    pub(super) request: i64,
    /// In the order of the request. The position of a line is its place.
    pub(super) lines: Vec<Line>,
    /// What it stores. `None` if it could not be packed when the answer came: then the writer packs it.
    pub(super) packed: Option<Packed>,
    pub(super) evidence: Evidence,
    /// Contacts that are not stored because of a purge. Known after `write`. They are delivered to the caller all
    /// the same.
    pub(super) withheld: u64,
    /// Whether it failed for a reason that does not pass. It is tried again, but must not keep others from claiming.
    pub(super) is_hopeless: bool,
    /// `None` once it was told, and for a request that nobody waits for.
    pub(super) reply: Option<oneshot::Sender<Result<u64, Error>>>,
}

/// What a settlement stores, compressed.
pub(super) struct Packed {
    /// The lines, for the usual case that nobody in them was purged.
    blocks: Blocks,
    /// A reply that was charged and not read completely.
    unread: Option<Vec<u8>>,
}

/// Blocks, each with the place of its first lookup.
type Blocks = Vec<(i64, Vec<u8>)>;

/// The outcome of a request, in the form in which it is stored.
pub(super) fn lines(shared: &Shared, lookups: Vec<(Identifier, Outcome)>) -> Vec<Line> {
    let text = |why: &Arc<str>| Bytes::copy_from_slice(why.as_bytes());
    let line = |(identifier, outcome)| {
        let (state, body) = match outcome {
            Outcome::Hit(record) => (state::HIT, record),
            Outcome::Miss => (state::MISS, Bytes::new()),
            Outcome::Rejected(why) => (state::REJECTED, text(&why)),
            Outcome::Unknown(why) => (state::UNKNOWN, text(&why)),
            Outcome::NotSent(_) => return None,
        };
        Some(Line { key: shared.secret().key(&identifier), identifier, state, body })
    };
    lookups.into_iter().filter_map(line).collect()
}

/// Packs the outcome of a request. This takes time. The writer packs only what could not be packed when the answer came.
pub(super) fn pack(lines: &[Line], evidence: &Evidence) -> Result<Packed, Fault> {
    let unread = evidence.unread.as_deref().map(block::compress).transpose()?;
    Ok(Packed { blocks: pack_lines(lines)?, unread })
}

fn pack_lines(lines: &[Line]) -> Result<Blocks, Fault> {
    block::pack(lines.iter().map(|line| (&line.identifier, line.state, &line.body[..])))
}

impl Work for SettleWork {
    fn write(&mut self, connection: &Connection, writer: &mut WriterState) -> Result<(), Fault> {
        let packed = self.packed.take().map_or_else(|| pack(&self.lines, &self.evidence), Ok);
        let stored = packed.and_then(|packed| {
            let stored = self.store(connection, writer, &packed);
            self.packed = Some(packed);
            stored
        });
        self.is_hopeless = stored.as_ref().is_err_and(|fault| !fault.may_pass());
        stored
    }

    /// After a failure it returns itself: the writer tries it again.
    fn finish(mut self: Box<Self>, shared: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
        if committed.is_ok() {
            // Not earlier: who finds no intent must find the answer.
            shared.intents().remove(self.request);
        } else {
            // In the file, the request stays in flight, and the next opening would find it in doubt. In this process, nobody
            // needs to wait for it.
            shared.intents().lose(self.request);
            shared.changed.notify_waiters();
        }
        let failed = committed.is_err();
        if let Some(reply) = self.reply.take() {
            // Nobody waits for the reply if the run is over.
            let _ = reply.send(committed.map(|()| self.withheld));
        }
        if failed { Some(self) } else { None }
    }

    fn blocks_claims(&self) -> bool {
        !self.is_hopeless
    }
}

impl SettleWork {
    /// # Errors
    /// If the file does not have the request.
    fn store(
        &mut self,
        connection: &Connection,
        writer: &mut WriterState,
        packed: &Packed,
    ) -> Result<(), Fault> {
        let shared = writer.shared.clone();
        let known: Option<(bool, i64, i64)> = query::find_row(
            connection,
            "SELECT settled_ms IS NOT NULL, required, sent_ms FROM request WHERE id = ?1",
            [self.request],
        )?;
        let Some((settled, required, sent_ms)) = known else {
            return Err(Fault::Damaged("a request is missing in it"));
        };
        if settled {
            // Its process looked dead and has answered all the same: the answer replaces the doubt.
            index::remove_outcome(connection, shared.secret(), self.request)?;
        }
        let rest = self.without_purged(connection, writer, sent_ms)?;
        let hits = |lines: &[Line]| lines.iter().filter(|line| line.state == state::HIT).count() as u64;
        self.withheld = rest.as_ref().map_or(0, |(rest, _)| hits(&self.lines) - hits(rest));
        let (lines, blocks) = rest.as_ref().map_or((&self.lines, &packed.blocks), |rest| (&rest.0, &rest.1));
        for (first, block) in blocks {
            block_table::put(connection, self.request, *first, block)?;
        }
        let answers = (0..).zip(lines).map(|(place, line)| (line.key, place, line.state));
        let answers: Lines = answers.collect();
        let keys = answers.iter().map(|(key, ..)| *key);
        index::replace_doubts(connection, &shared.field_sets, (self.request, required), keys)?;
        if let Some(unread) = &packed.unread
            && rest.is_none()
        {
            requests::put_unread(connection, self.request, unread)?;
        }
        self.journal(connection, lines)?;
        // After the journal, from which the tail takes the time.
        self.put(connection, writer, required, answers)?;
        writer.notify = true;
        Ok(())
    }

    /// Stores the answers in the tail. Doubts go into the index at once, because they are also found by their state.
    ///
    /// All answers of a request with any doubt go into the index, so that no doubt is ever in the tail.
    fn put(
        &self,
        connection: &Connection,
        writer: &mut WriterState,
        required: i64,
        answers: Lines,
    ) -> Result<(), Fault> {
        let at_ms = self.evidence.at_ms;
        if answers.iter().any(|(_, _, state)| *state == state::UNKNOWN) {
            let row = |(key, place, state)| (key, self.request, place, state, required, at_ms);
            return index::put(connection, answers.into_iter().map(row).collect());
        }
        if answers.is_empty() {
            return Ok(());
        }
        tail::put(connection, self.request, &answers)?;
        writer.tail.add(self.request, required, at_ms, &answers);
        if writer.tail.is_full(connection)? {
            writer.fold(connection)?;
        }
        Ok(())
    }

    /// Removes answers to lookups of people who were purged, and contacts that mention such people. The lookup of such a
    /// contact is barred, because it would be paid for again. Returns what may be stored, or `None` if that is everything.
    /// If it is not, a reply that could not be read is not stored either.
    ///
    /// A purge bars the identifier before it erases anything, so an answer that arrives later is recognised here. What
    /// counts is when the request was sent. If a contact mentioned a purged person, its lookup is barred as of that
    /// moment. An answer that was requested before it may mention the same person, so it is not stored.
    fn without_purged(
        &self,
        connection: &Connection,
        writer: &mut WriterState,
        sent_ms: i64,
    ) -> Result<Option<(Vec<Line>, Blocks)>, Fault> {
        if !barred::any(connection)? {
            return Ok(None);
        }
        let purged = writer.purged(connection)?;
        let mut rest = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            if barred::keeps_out(connection, line.key, sent_ms)? {
                continue;
            }
            if line.state == state::HIT && purged.is_mentioned_in(&line.body) {
                barred::bar(connection, line.key, 1)?;
                continue;
            }
            rest.push(line.clone());
        }
        let unread = self.evidence.unread.as_deref();
        if rest.len() == self.lines.len() && unread.is_none_or(|reply| purged.may_keep(reply)) {
            return Ok(None);
        }
        let blocks = pack_lines(&rest)?;
        Ok(Some((rest, blocks)))
    }

    /// The worst case of the claim is replaced by what the reply says. `counted` becomes whether a byte may have
    /// left. Counts are of the lines that are stored: those of purged people are missing.
    fn journal(&self, connection: &Connection, lines: &[Line]) -> Result<(), Fault> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let count = |state| number(lines.iter().filter(|line| line.state == state).count() as u64);
        let evidence = &self.evidence;
        query::change(
            connection,
            "UPDATE request SET settled_ms = ?2, outcome = ?3, status = ?4, took_ms = ?5, hits = ?6, misses = ?7,
             rejected = ?8, unknown = ?9, credits = ?10, in_doubt = ?11, counted = ?12, intent = NULL WHERE id = ?1",
            params![
                self.request,
                evidence.at_ms,
                evidence.outcome.as_str(),
                evidence.status,
                i64::try_from(evidence.took.as_millis()).unwrap_or(i64::MAX),
                count(state::HIT),
                count(state::MISS),
                count(state::REJECTED),
                count(state::UNKNOWN),
                number(evidence.credits),
                number(evidence.in_doubt),
                evidence.left,
            ],
        )?;
        if let Some(pause) = evidence.pause {
            let until = evidence.at_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            // `since_ms` is kept so that setting the clock back does not lengthen a pause. A pause that begins in the
            // future was noted before that; it begins now, as in a claim.
            query::change(
                connection,
                "INSERT INTO pause SELECT key, ?2, ?3 FROM request WHERE id = ?1 ON CONFLICT DO UPDATE
                 SET since_ms = min(max(since_ms, excluded.since_ms), ?4),
                 until_ms = max(until_ms - max(since_ms - ?4, 0), excluded.until_ms)",
                [self.request, evidence.at_ms, until, now_ms()],
            )?;
        }
        Ok(())
    }
}
