//! A claim: that nobody else is asking, the rate, the ceiling and the intent, in one commit.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use crate::config::Per;
use crate::error::{Error, ErrorKind};
use crate::identifier::Identifier;
use crate::store::{Ceiling, Claim, RequestId, Room};
use crate::vendor::limits::{MARGIN, WINDOW};

use super::block;
use super::fault::Fault;
use super::key::Key;
use super::ledger::Ledger;
use super::look::{self, Blocks, Found, Question, RunState};
use super::shared::{Fields, Intent, Shared, now_ms, number_of};
use super::writer::Work;

/// Whatever a damaged file says, nobody means to wait for longer.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A claim, on its way to the writer.
pub(super) struct ClaimWork {
    pub(super) run: Arc<RunState>,
    pub(super) number: u64,
    pub(super) fields: Fields,
    pub(super) keys: Vec<Key>,
    pub(super) lookups: Vec<Identifier>,
    /// All lookups packed, for the usual case that all are free.
    pub(super) packed: Vec<u8>,
    /// The lowest rate of this process's runs with the same key.
    pub(super) per_minute: u32,
    pub(super) tags: String,
    pub(super) answer: Option<Claim>,
    pub(super) reply: oneshot::Sender<Result<Claim, Error>>,
}

impl Work for ClaimWork {
    fn work(&mut self, connection: &Connection, ledger: &mut Ledger) -> Result<(), Fault> {
        self.answer = Some(self.claim(connection, ledger)?);
        Ok(())
    }

    fn done(self: Box<Self>, shared: &Shared, committed: Result<(), Error>) {
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
            shared.orphan(request);
        }
    }
}

impl ClaimWork {
    fn claim(&self, connection: &Connection, ledger: &mut Ledger) -> Result<Claim, Fault> {
        let shared = ledger.shared.clone();
        shared.owners.check(connection)?;
        let now = now_ms();
        let find = |ledger: &Ledger| {
            let question = Question::of(&shared, &self.run, &self.fields, &self.keys)?;
            look::find(connection, &shared, &ledger.tail, &question)
        };
        let mut found = find(ledger)?;
        if bury_dead(connection, ledger, &found)? {
            found = find(ledger)?;
        }
        let free: Vec<usize> =
            (0..).zip(&found).filter(|(_, found)| found.is_free()).map(|(place, _)| place).collect();
        let told = |request| {
            let availability = look::tell(connection, &mut Blocks::default(), &found)?;
            Ok(Claim::Granted { request: RequestId(request), availability })
        };
        if free.is_empty() {
            return told(0);
        }
        shared.check_room()?;
        let terms = &self.run.terms;
        ledger.pace(connection, terms.key_fingerprint, self.per_minute)?;
        if let Some(wait) = not_before(connection, terms.key_fingerprint, self.per_minute, now)? {
            return Ok(Claim::NotBefore(wait));
        }
        if let Some(ceiling) = &terms.ceiling {
            let spent = spent(connection, ceiling, now)?;
            let credits = ceiling.credits.saturating_sub(spent);
            if credits < free.len() as u64 {
                let reserved = shared.intents().any_awaited();
                return Ok(Claim::NoRoom(Room { credits, spent, ceiling: ceiling.credits, reserved }));
            }
        }
        let request = self.intend(connection, ledger, &free, now)?;
        told(request)
    }

    /// Notes the intent to send these.
    fn intend(
        &self,
        connection: &Connection,
        ledger: &mut Ledger,
        free: &[usize],
        now: i64,
    ) -> Result<i64, Fault> {
        let owner = ledger.owner(connection)?;
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
        connection
            .prepare_cached(
                "INSERT INTO request (owner, run, key, required, tags, sent_ms, lookups, credits, in_doubt, counted, intent,
                 token) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7, 1, ?8, randomblob(16))",
            )?
            .execute(params![
                owner,
                self.number.cast_signed(),
                self.run.terms.key_fingerprint.cast_signed(),
                required,
                tags(connection, &self.tags)?,
                now,
                worst,
                packed,
            ])?;
        let request = connection.last_insert_rowid();
        connection.prepare_cached("UPDATE total SET in_doubt = in_doubt + ?1")?.execute([worst])?;
        let intent = Intent { owner, fields: self.fields.clone(), keys };
        ledger.shared.intents().add(request, intent);
        Ok(request)
    }
}

/// Whether any of those who hold a lookup is dead, and was buried.
fn bury_dead(connection: &Connection, ledger: &mut Ledger, found: &[Found]) -> Result<bool, Fault> {
    let mut owners: Vec<i64> = found
        .iter()
        .filter_map(|found| match found {
            Found::Held(owner) => Some(*owner),
            _ => None,
        })
        .collect();
    owners.sort_unstable();
    owners.dedup();
    owners.retain(|owner| !ledger.shared.owners.is_alive(*owner));
    for owner in &owners {
        ledger.bury(connection, *owner)?;
    }
    Ok(!owners.is_empty())
}

/// The number of a request's tags.
pub(super) fn tags(connection: &Connection, text: &str) -> Result<i64, Fault> {
    let known = connection
        .prepare_cached("SELECT id FROM tags WHERE text = ?1")?
        .query_row([text], |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    connection.prepare_cached("INSERT INTO tags (text) VALUES (?1)")?.execute([text])?;
    Ok(connection.last_insert_rowid())
}

/// How long nobody with this key may send: an exact sliding window over the journal, or a pause
/// that the service has asked for.
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
    let slowest: Option<u32> = connection
        .prepare_cached("SELECT min(per_minute) FROM pace WHERE key = ?1")?
        .query_row([key], |row| row.get(0))?;
    let rate = slowest.map_or(per_minute, |slowest| slowest.min(per_minute)).max(1);
    let window = i64::try_from((WINDOW + MARGIN).as_millis()).unwrap_or(i64::MAX);
    // What seems to lie far ahead is from before somebody set the clock back.
    let blocking: Option<i64> = connection
        .prepare_cached(
            "SELECT sent_ms FROM request WHERE sent_ms > ?1 AND sent_ms <= ?2 AND key = ?3 AND counted = 1
             ORDER BY sent_ms DESC LIMIT 1 OFFSET ?4",
        )?
        .query_row(params![now - window, now + window, key, rate - 1], |row| row.get(0))
        .optional()?;
    Ok(blocking.and_then(|sent| wait(sent + window)))
}

/// Until when the service has asked for a pause. One that has yet to begin is from before somebody set
/// the clock back: it begins now.
fn paused_until(connection: &Connection, key: i64, now: i64) -> Result<Option<i64>, Fault> {
    let paused: Option<(i64, Option<i64>)> = connection
        .prepare_cached(
            "SELECT until_ms, (SELECT value FROM meta WHERE name = 'paused ' || ?1) FROM pause WHERE key = ?1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((until, Some(since))) = paused else { return Ok(paused.map(|(until, _)| until)) };
    if since <= now {
        return Ok(Some(until));
    }
    let until = now.saturating_add(until.saturating_sub(since).max(0));
    connection.prepare_cached("UPDATE pause SET until_ms = ?2 WHERE key = ?1")?.execute([key, until])?;
    connection
        .prepare_cached("UPDATE meta SET value = ?2 WHERE name = 'paused ' || ?1")?
        .execute([key, now])?;
    Ok(Some(until))
}

/// Credits that the ceiling still has, doubts and what is under way counted as spent.
pub(super) fn spent(connection: &Connection, ceiling: &Ceiling, now: i64) -> Result<u64, Fault> {
    let spent: i64 = match period_start(ceiling.per, &ceiling.time_zone, now)? {
        None => connection
            .prepare_cached("SELECT credits + in_doubt FROM total")?
            .query_row([], |row| row.get(0))?,
        Some(start) => connection
            .prepare_cached("SELECT coalesce(sum(credits + in_doubt), 0) FROM request WHERE sent_ms >= ?1")?
            .query_row([start], |row| row.get(0))?,
    };
    Ok(u64::try_from(spent).unwrap_or_default())
}

/// When the day or month began in which `now` lies.
pub(super) fn period_start(per: Per, time_zone: &str, now: i64) -> Result<Option<i64>, Fault> {
    let wrong = |_: jiff::Error| {
        Fault::Told(Error::new(
            ErrorKind::Config,
            "the time zone has to be a name such as \"UTC\" or \"Europe/Berlin\"",
        ))
    };
    let begins = |day: fn(jiff::Zoned) -> Result<jiff::Zoned, jiff::Error>| {
        let now = jiff::Timestamp::from_millisecond(now)?.in_tz(time_zone)?;
        Ok(day(now)?.start_of_day()?.timestamp().as_millisecond())
    };
    match per {
        Per::Run | Per::Store => Ok(None),
        Per::Day => begins(Ok).map(Some).map_err(wrong),
        Per::Month => begins(|now| now.first_of_month()).map(Some).map_err(wrong),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn days_and_months_begin_where_the_person_lives() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let now = at("2026-03-31T23:30:00Z");
        let start = |per, zone| period_start(per, zone, now).unwrap().unwrap();
        assert_eq!(start(Per::Month, "UTC"), at("2026-03-01T00:00:00Z"));
        assert_eq!(start(Per::Day, "UTC"), at("2026-03-31T00:00:00Z"));
        assert_eq!(start(Per::Month, "Europe/Berlin"), at("2026-03-31T22:00:00Z"));
        assert_eq!(start(Per::Day, "America/New_York"), at("2026-03-31T04:00:00Z"));
        assert!(period_start(Per::Day, "Atlantis", now).is_err());
        assert_eq!(period_start(Per::Store, "UTC", now).unwrap(), None);
    }
}
