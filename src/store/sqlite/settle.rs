//! What a request came to, into the file: answers first, then they are delivered.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::identifier::Identifier;
use crate::store::{Evidence, Outcome};

use super::block;
use super::fault::Fault;
use super::key::Key;
use super::ledger::{Ledger, put_answers, replace_doubts};
use super::mention::Seek as _;
use super::privacy::bar;
use super::schema::state;
use super::shared::Shared;
use super::shelf;
use super::tail::{self, Lines};
use super::writer::Work;

/// One lookup that came to something.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) key: Key,
    pub(super) identifier: Identifier,
    pub(super) state: u8,
    pub(super) body: Bytes,
}

/// A settlement, on its way to the writer.
pub(super) struct SettleWork {
    pub(super) request: i64,
    pub(super) lines: Vec<Line>,
    /// The lines packed, for the usual case that nobody in them was purged.
    pub(super) blocks: Vec<(i64, Vec<u8>)>,
    pub(super) evidence: Evidence,
    pub(super) unread: Option<Vec<u8>>,
    /// Contacts that are not stored because of a purge. Known once this work is done.
    pub(super) withheld: u64,
    /// It failed for a reason that does not pass: it is tried again, but nobody is to wait for it.
    pub(super) is_hopeless: bool,
    pub(super) reply: Option<oneshot::Sender<Result<u64, Error>>>,
}

/// Lines, and the blocks that they are packed into.
type Packed = (Vec<Line>, Vec<(i64, Vec<u8>)>);

/// What a request is settled with, packed outside of the writer: it takes its time.
pub(super) fn pack(shared: &Shared, lookups: Vec<(Identifier, Outcome)>) -> Result<Packed, Fault> {
    let text = |why: &Arc<str>| Bytes::copy_from_slice(why.as_bytes());
    let line = |(identifier, outcome)| {
        let (state, body) = match outcome {
            Outcome::Hit(record) => (state::HIT, record),
            Outcome::Miss => (state::MISS, Bytes::new()),
            Outcome::Rejected(why) => (state::REJECTED, text(&why)),
            Outcome::Unknown(why) => (state::UNKNOWN, text(&why)),
            Outcome::NotSent(_) => return None,
        };
        Some(Line { key: shared.identity.secret.key(&identifier), identifier, state, body })
    };
    let lines: Vec<Line> = lookups.into_iter().filter_map(line).collect();
    let blocks = pack_lines(&lines)?;
    Ok((lines, blocks))
}

fn pack_lines(lines: &[Line]) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
    block::pack(lines.iter().map(|line| (&line.identifier, line.state, &line.body[..])))
}

impl Work for SettleWork {
    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        let stored = self.store(connection, ledger);
        self.is_hopeless = stored.as_ref().is_err_and(|fault| !fault.may_pass());
        stored
    }

    fn done(mut self: Box<Self>, shared: &Shared, committed: Result<(), Error>) {
        let (reply, withheld) = (self.reply.take(), self.withheld);
        if committed.is_ok() {
            // Not before: whoever sees no intent is to find the answer.
            shared.intents().remove(self.request);
        } else {
            // Still under way in the file, where the next opening would find it in doubt. Here,
            // nobody need wait; and there may be room later.
            shared.intents().lose(self.request);
            shared.changed.notify_waiters();
            shared.keep_unsettled(*self);
        }
        if let Some(reply) = reply {
            // Nobody waits where the run is over.
            let _ = reply.send(committed.map(|()| withheld));
        }
    }
}

impl std::fmt::Debug for SettleWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettleWork").field("request", &self.request).finish_non_exhaustive()
    }
}

impl SettleWork {
    fn store(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        let shared = ledger.shared.clone();
        let known: Option<(i64, bool, i64, i64)> = connection
            .prepare_cached(
                "SELECT in_doubt, settled_ms IS NOT NULL, credits, required FROM request WHERE id = ?1",
            )?
            .query_row([self.request], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let Some((was_in_doubt, settled, was_credits, required)) = known else {
            return Err(Fault::damaged("a request is missing in it"));
        };
        if settled {
            // Given up for dead, and yet it has answered: what is known replaces the doubt.
            take_back(connection, &shared, self.request)?;
        }
        let rest = self.without_purged(connection, ledger)?;
        let hits = |lines: &[Line]| lines.iter().filter(|line| line.state == state::HIT).count() as u64;
        self.withheld = rest.as_ref().map_or(0, |(rest, _)| hits(&self.lines) - hits(rest));
        let (lines, blocks) = rest.as_ref().map_or((&self.lines, &self.blocks), |rest| (&rest.0, &rest.1));
        for (first, block) in blocks {
            shelf::put(connection, self.request, *first, block)?;
        }
        let answers = (0..).zip(lines).map(|(place, line)| (line.key, place, line.state));
        let answers: Lines = answers.collect();
        replace_doubts(connection, &shared, self.request, required, &answers)?;
        if let Some(unread) = &self.unread
            && rest.is_none()
        {
            connection
                .prepare_cached("INSERT OR REPLACE INTO unread VALUES (?1, ?2)")?
                .execute(params![self.request, unread])?;
        }
        self.journal(connection, lines, was_credits, was_in_doubt)?;
        // After the journal, which knows when that was.
        self.put(connection, ledger, required, answers)?;
        ledger.notify = true;
        Ok(())
    }

    /// How much memory it takes, roughly.
    pub(super) fn bytes(&self) -> usize {
        let lines = self
            .lines
            .iter()
            .map(|line| size_of::<Line>() + line.identifier.canonical().len() + line.body.len());
        let blocks = self.blocks.iter().map(|(_, block)| block.len());
        lines.chain(blocks).sum::<usize>() + self.unread.as_ref().map_or(0, Vec::len)
    }

    /// Doubts go into the index at once: they are looked for by their state, too.
    fn put(
        &self,
        connection: &Connection,
        ledger: &mut Ledger,
        required: i64,
        answers: Lines,
    ) -> Result<(), Fault> {
        let at_ms = self.evidence.at_ms;
        if answers.iter().any(|(_, _, state)| *state == state::UNKNOWN) {
            return put_answers(connection, self.request, required, at_ms, answers);
        }
        if answers.is_empty() {
            return Ok(());
        }
        tail::put(connection, self.request, &answers)?;
        ledger.tail.add(self.request, required, at_ms, &answers);
        if ledger.tail.is_full(connection)? {
            ledger.fold(connection)?;
        }
        Ok(())
    }

    /// Leaves out people who were purged: their own answers, and contacts that mention them. The lookup of
    /// such a contact is barred, since it would be paid for again. Returns what may be stored, or `None` if that
    /// is everything. If it is not, a reply that could not be read is not stored either.
    fn without_purged(&self, connection: &Connection, ledger: &mut Ledger) -> Result<Option<Packed>, Fault> {
        let any: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM barred)")?
            .query_row([], |row| row.get(0))?;
        if !any {
            return Ok(None);
        }
        let forgotten = ledger.forgotten(connection)?;
        let mut ask = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM barred WHERE key = ?1)")?;
        let mut rest = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            if ask.query_row([line.key], |row| row.get::<_, bool>(0))? {
                continue;
            }
            if line.state == state::HIT && forgotten.is_in(&line.body) {
                bar(connection, line.key, 1)?;
                continue;
            }
            rest.push(line.clone());
        }
        let unread = self.unread.as_deref().map(block::decompress).transpose()?;
        if rest.len() == self.lines.len() && unread.is_none_or(|reply| forgotten.may_keep(&reply)) {
            return Ok(None);
        }
        let blocks = pack_lines(&rest)?;
        Ok(Some((rest, blocks)))
    }

    fn journal(
        &self,
        connection: &Connection,
        lines: &[Line],
        was_credits: i64,
        was_in_doubt: i64,
    ) -> Result<(), Fault> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let count = |state| number(lines.iter().filter(|line| line.state == state).count() as u64);
        let evidence = &self.evidence;
        let (credits, in_doubt) = (number(evidence.credits), number(evidence.in_doubt));
        connection
            .prepare_cached(
                "UPDATE request SET settled_ms = ?2, outcome = ?3, status = ?4, took_ms = ?5, hits = ?6, misses = ?7,
                 rejected = ?8, unknown = ?9, credits = ?10, in_doubt = ?11, counted = ?12, intent = NULL WHERE id = ?1",
            )?
            .execute(params![
                self.request,
                evidence.at_ms,
                evidence.outcome,
                evidence.status,
                i64::try_from(evidence.took.as_millis()).unwrap_or(i64::MAX),
                count(state::HIT),
                count(state::MISS),
                count(state::REJECTED),
                count(state::UNKNOWN),
                credits,
                in_doubt,
                evidence.left,
            ])?;
        connection
            .prepare_cached("UPDATE total SET credits = credits + ?1, in_doubt = in_doubt + ?2")?
            .execute([credits - was_credits, in_doubt - was_in_doubt])?;
        if let Some(pause) = evidence.pause {
            let until = evidence.at_ms.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
            connection
                .prepare_cached(
                    "INSERT INTO pause SELECT key, ?2 FROM request WHERE id = ?1
                     ON CONFLICT DO UPDATE SET until_ms = max(until_ms, excluded.until_ms)",
                )?
                .execute([self.request, until])?;
            // Since when: who sets the clock back does not make it longer.
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO meta SELECT 'paused ' || key, ?2 FROM request WHERE id = ?1",
                )?
                .execute([self.request, evidence.at_ms])?;
        }
        Ok(())
    }
}

/// Removes the outcome of a settled request, so that a later outcome can replace it.
pub(super) fn take_back(connection: &Connection, shared: &Shared, request: i64) -> Result<(), Fault> {
    let mut drop = connection.prepare_cached("DELETE FROM answer WHERE key = ?1 AND request = ?2")?;
    let mut keys = keys_of(connection, shared, request)?;
    keys.sort_unstable();
    for key in keys {
        drop.execute(params![key, request])?;
    }
    shelf::clear(connection, request)
}

/// The lookups of a request that is on file as settled.
pub(super) fn keys_of(connection: &Connection, shared: &Shared, request: i64) -> Result<Vec<Key>, Fault> {
    let mut keys = Vec::new();
    for (_, packed) in shelf::of(connection, request)? {
        let entries = block::Sheet::read(&packed)?.entries();
        let known = entries.iter().filter_map(|entry| entry.identifier.as_ref());
        keys.extend(known.map(|known| shared.identity.secret.key(known)));
    }
    Ok(keys)
}
