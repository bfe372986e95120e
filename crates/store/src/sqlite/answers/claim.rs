//! A claim. One transaction checks that nobody else is asking, checks the rate and the spending limit, and records the
//! intent to send.
//!
//! The steps, and what ends a claim early:
//!
//! 1. The side file must be in place: without it, no process can see which owners are alive. → error
//! 2. Find each lookup. Requests of dead owners among those that hold them are buried, and the lookups are found
//!    again.
//! 3. If no lookup is free, answer without a request: number 0, which is never settled.
//! 4. No answer may wait to be stored: the next one could be lost as well. → error
//! 5. The rate and pauses. → [`Claim::NotBefore`]
//! 6. The spending limit, with a credit for each free lookup. → [`Claim::NoRoom`]
//! 7. Insert the request with its intent and its worst case.
//!
//! All of it is decided in one transaction that holds the write lock from its beginning, so no other process can
//! decide differently at the same time. Nothing is sent before its commit has returned.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::service::limits::{MARGIN, WINDOW};
use exactbuyer_core::store::{Claim, RequestId, Required, Room};

use super::super::clock::now_ms;
use super::super::file::{Fault, query};
use super::super::key::Key;
use super::super::ledger::spent;
use super::super::process::RunState;
use super::super::tables::{BlockCache, block, number_of, requests};
use super::super::threads::{Intent, Shared, Work, WriterState};
use super::lookups::{self, Found, LookupQuery};

/// The longest wait, whatever a damaged file says.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A claim, on its way to the writer.
///
/// Made for one chunk. Exactly one answer is sent to `reply`.
pub(super) struct ClaimWork {
    /// The terms of the run, and what it inherits.
    pub(super) run: Arc<RunState>,
    /// The run's number, for the journal.
    pub(super) number: u64,
    pub(super) fields: Required,
    /// One for each of `lookups`, in the same order.
    pub(super) keys: Vec<Key>,
    pub(super) lookups: Vec<Identifier>,
    /// All lookups packed, for the usual case that all of them are free.
    pub(super) packed: Vec<u8>,
    /// The lowest rate of this process's runs with this key.
    pub(super) per_minute: u32,
    /// The run's tags as a JSON object, with the names sorted: equal tags are equal text.
    pub(super) tags: String,
    /// Set by `write`. It is told only after the commit; if the transaction is repeated, the last one counts.
    pub(super) answer: Option<Claim>,
    pub(super) reply: oneshot::Sender<Result<Claim, Error>>,
}

impl Work for ClaimWork {
    fn write(&mut self, connection: &Connection, state: &mut WriterState) -> Result<(), Fault> {
        self.answer = Some(self.claim(connection, state)?);
        Ok(())
    }

    /// If the caller has gone, the claim is noted as an orphan: nothing was sent, so it costs nothing.
    fn finish(self: Box<Self>, shared: &Shared, committed: Result<(), Error>) -> Option<Box<dyn Work>> {
        let Self { answer, reply, .. } = *self;
        let answer = committed.and_then(|()| {
            answer.ok_or_else(|| Error::new(ErrorKind::Store, "the claim was not made: run this again"))
        });
        let request = match &answer {
            Ok(Claim::Granted { request, .. }) => Some(request.0),
            _ => None,
        };
        if reply.send(answer).is_err()
            && let Some(request) = request
        {
            shared.add_orphan(request);
        }
        None
    }
}

impl ClaimWork {
    /// A refusal writes no request. It may still write the rate of this process, bury dead owners, and correct a
    /// pause.
    fn claim(&self, connection: &Connection, state: &mut WriterState) -> Result<Claim, Fault> {
        let shared = state.shared.clone();
        shared.owners.check(connection)?;
        let now = now_ms();
        let find = |state: &WriterState| {
            let query = LookupQuery::of(&shared, &self.run, &self.fields, &self.keys)?;
            lookups::find(connection, &shared, &state.tail, &query)
        };
        let mut found = find(state)?;
        if bury_dead(connection, state, &found)? {
            found = find(state)?;
        }
        let free: Vec<usize> =
            (0..).zip(&found).filter(|(_, found)| found.is_free()).map(|(place, _)| place).collect();
        let granted = |request| {
            let availability = lookups::with_bodies(connection, &mut BlockCache::default(), &found)?;
            Ok(Claim::Granted { request: RequestId(request), availability })
        };
        if free.is_empty() {
            return granted(0);
        }
        state.check_stored()?;
        // Others must see this rate even if this claim has to wait for it.
        let terms = &self.run.terms;
        state.pace(connection, terms.key_fingerprint, self.per_minute)?;
        if let Some(wait) = not_before(connection, terms.key_fingerprint, self.per_minute, now)? {
            return Ok(Claim::NotBefore(wait));
        }
        if let Some(ceiling) = &terms.ceiling {
            let spent = spent(connection, ceiling, now)?;
            let credits = ceiling.credits.saturating_sub(spent);
            if credits < free.len() as u64 {
                // A request in flight may cost less than its worst case: then there will be room without any change
                // of the limit.
                let reserved = shared.intents().any_awaited();
                return Ok(Claim::NoRoom(Room {
                    credits,
                    spent,
                    ceiling: ceiling.credits,
                    per: ceiling.per,
                    reserved,
                }));
            }
        }
        let request = self.intend(connection, state, &free, now)?;
        granted(request)
    }

    /// Records the intent to send these lookups.
    ///
    /// Returns the number of the request. Its `in_doubt` is the worst case, one credit for each lookup, until it is
    /// settled. The token is drawn here, so every copy of the file has it.
    fn intend(
        &self,
        connection: &Connection,
        state: &mut WriterState,
        free: &[usize],
        now: i64,
    ) -> Result<i64, Fault> {
        let owner = state.owner(connection)?;
        let required = number_of(connection, &self.fields)?;
        let keys: Vec<Key> = free.iter().filter_map(|place| self.keys.get(*place)).copied().collect();
        let some;
        let packed = if free.len() == self.lookups.len() {
            &self.packed
        } else {
            some = block::pack_intent(free.iter().filter_map(|place| self.lookups.get(*place)))?;
            &some
        };
        let worst = i64::try_from(free.len()).unwrap_or(i64::MAX);
        query::change(
            connection,
            "INSERT INTO request (owner, run, key, required, tags, sent_ms, lookups, credits, in_doubt, counted, intent,
             token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7, 1, ?8, randomblob(16))",
            params![
                owner,
                self.number.cast_signed(),
                self.run.terms.key_fingerprint.cast_signed(),
                required,
                requests::tags_number(connection, &self.tags)?,
                now,
                worst,
                packed,
            ],
        )?;
        let request = connection.last_insert_rowid();
        let intent = Intent { owner, fields: self.fields.clone(), keys };
        state.shared.intents().add(request, intent);
        Ok(request)
    }
}

/// Puts the requests of dead owners in doubt that hold any of these lookups. Returns whether there were any.
///
/// Only owners that are in the way are examined: each costs system calls. An owner that may be alive is left alone.
fn bury_dead(connection: &Connection, state: &mut WriterState, found: &[Found]) -> Result<bool, Fault> {
    let mut owners: Vec<i64> = found
        .iter()
        .filter_map(|found| match found {
            Found::Held(owner) => Some(*owner),
            _ => None,
        })
        .collect();
    owners.sort_unstable();
    owners.dedup();
    owners.retain(|owner| !state.shared.owners.is_alive(*owner));
    for owner in &owners {
        state.bury(connection, *owner)?;
    }
    Ok(!owners.is_empty())
}

/// How long nobody may send with this key: by an exact sliding window over the journal, or by a pause that the service has
/// asked for.
///
/// The window holds every request with this key for 61 seconds: the 60 of the service's limit and a margin for the
/// time on the way. If `rate` requests are in it, the next one may be sent when the oldest of the latest `rate`
/// leaves it. The rate is the lowest that any living owner has announced, so a slow enricher slows all others, and
/// nobody exceeds it.
fn not_before(
    connection: &Connection,
    key: u64,
    per_minute: u32,
    now: i64,
) -> Result<Option<Duration>, Fault> {
    let key = key.cast_signed();
    let wait = |until: i64| {
        let wait = u64::try_from(until.saturating_sub(now)).ok().filter(|wait| *wait > 0)?;
        Some(Duration::from_millis(wait).min(LONGEST_WAIT))
    };
    if let Some(wait) = paused_until(connection, key, now)?.and_then(wait) {
        return Ok(Some(wait));
    }
    let slowest: Option<u32> =
        query::one(connection, "SELECT min(per_minute) FROM pace WHERE key = ?1", [key])?;
    let rate = slowest.map_or(per_minute, |slowest| slowest.min(per_minute)).max(1);
    let window = i64::try_from((WINDOW + MARGIN).as_millis()).unwrap_or(i64::MAX);
    // A time that is far in the future is from before the clock was set back. What is looked for is the `rate`-th
    // latest request in the window: the index `request_sent` has all that this needs.
    let blocking: Option<i64> = query::find(
        connection,
        "SELECT sent_ms FROM request WHERE sent_ms > ?1 AND sent_ms <= ?2 AND key = ?3 AND counted = 1
             ORDER BY sent_ms DESC LIMIT 1 OFFSET ?4",
        params![now - window, now + window, key, rate - 1],
    )?;
    Ok(blocking.and_then(|sent| wait(sent + window)))
}

/// The end of a pause that the service has asked for. A pause that begins in the future is from before the clock was set
/// back, and begins now.
fn paused_until(connection: &Connection, key: i64, now: i64) -> Result<Option<i64>, Fault> {
    let pause: Option<(i64, i64)> =
        query::find_row(connection, "SELECT since_ms, until_ms FROM pause WHERE key = ?1", [key])?;
    let Some((since, until)) = pause else { return Ok(None) };
    if since <= now {
        return Ok(Some(until));
    }
    let until = now.saturating_add(until.saturating_sub(since).max(0));
    query::change(
        connection,
        "UPDATE pause SET since_ms = ?2, until_ms = ?3 WHERE key = ?1",
        [key, now, until],
    )?;
    Ok(Some(until))
}
