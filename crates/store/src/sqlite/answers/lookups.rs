//! How a lookup stands: which of the stored answers may be used for it. A hit for some required fields answers any subset
//! of them, a miss any superset. Of several answers that may be used, the newest one is.
//!
//! *Ours* are the required fields of the run, *theirs* those of the stored answer:
//!
//! | stored state | counts if | and then |
//! |---|---|---|
//! | `HIT` | ours ⊆ theirs, and fresh by `max_age` | it answers |
//! | `HIT` | otherwise | the lookup is `Again`: sending it pays for the person once more |
//! | `MISS` | theirs ⊆ ours, and fresh by `miss_max_age` | it answers |
//! | `REJECTED` | fresh by `miss_max_age`, whatever the fields | it answers |
//! | `UNKNOWN`, `LEFT` | ours ⊆ theirs or theirs ⊆ ours, and the run does not resend doubts | it is in doubt |
//! | `DROPPED` | ours ⊆ theirs or theirs ⊆ ours | it is not sent |
//! | `ASKED_AGAIN` | never | |
//!
//! An answer that came since the run began is always fresh. An inherited one is not if the run refreshes, or if it is
//! too old. If several rules apply, the first of these decides: an answer; a request in flight; a doubt; a dropped
//! doubt; `Again`; free. A lookup that would be sent is purged if it is barred.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension};

use exactbuyer_core::message;
use exactbuyer_core::message::{Advice, Message};
use exactbuyer_core::store::{Availability, Outcome, Required, Seen, Terms};

use super::super::clock::{now_ms, utc};
use super::super::file::{Fault, owners, query};
use super::super::key::Key;
use super::super::process::RunState;
use super::super::tables::{BlockCache, Tail, barred, state, within};
use super::super::threads::Shared;

/// A stored answer.
///
/// A row of the index or a line of the tail, as seen by one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// Together with `place`, it says where the body is.
    pub(super) request: i64,
    pub(super) place: i64,
    /// One of the numbers in `tables::state`.
    pub(super) state: u8,
    pub(super) at_ms: i64,
    /// Whether it is older than the run that asks. Then the run has not caused it, and reports it as found in the
    /// store.
    pub(super) inherited: bool,
}

/// How a lookup stands.
///
/// The verdict on one lookup, still without the body of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody has asked. It may be claimed.
    Free,
    /// There is a contact that may not be used. It may be claimed, at the price of another credit.
    Again,
    /// A request of this owner is asking for it. The run waits until the request is settled or its owner is dead.
    Held(i64),
    /// A request of this process got an answer that could not be stored. Only the run that asked got the answer. It
    /// must not be paid for again as long as this process may still store it.
    Lost,
    /// There is an answer that may be used. An answer, or a doubt that keeps the lookup from being sent.
    Answer(Answer),
    /// A user decided not to send it again.
    Dropped(Answer),
    /// It was purged at this time. Milliseconds since 1970.
    Purged(i64),
}

impl Found {
    /// Whether it may be claimed. [`Again`](Self::Again) costs a second credit for the same contact; the receipt says so.
    pub(super) const fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::Again)
    }
}

/// The lookups that a run asks about, and which of them were in flight when it asked. That is examined before the file,
/// so that a request which is settled in between is in the file by then.
///
/// A lookup may then be held here and answered in the file: the answer counts.
#[derive(Debug)]
pub(super) struct LookupQuery<'a> {
    run: &'a RunState,
    fields: &'a Required,
    /// In the order of the caller's lookups, like `held`.
    keys: &'a [Key],
    /// [`Found::Held`] or [`Found::Lost`] for lookups in flight. Empty if nothing is in flight.
    held: Vec<Option<Found>>,
    now_ms: i64,
}

impl<'a> LookupQuery<'a> {
    /// Examines which lookups are in flight.
    ///
    /// A lookup is lost only if all requests that ask for it are. If one of them may still answer, the run waits for
    /// that one.
    ///
    /// # Errors
    /// If lookups are held, and the side file is not where other processes look for it.
    pub(super) fn of(
        shared: &Shared,
        run: &'a RunState,
        fields: &'a Required,
        keys: &'a [Key],
    ) -> Result<Self, Fault> {
        let intents = shared.intents();
        let asking = |key| {
            let mut all = intents.asking(key, fields);
            let first = all.next()?;
            let lost = first.lost && all.all(|request| request.lost);
            Some(if lost { Found::Lost } else { Found::Held(first.owner) })
        };
        let held = if intents.is_empty() { Vec::new() } else { keys.iter().map(asking).collect() };
        drop(intents);
        if held.iter().flatten().any(|held| matches!(held, Found::Held(_))) && !shared.owners.is_in_place() {
            // Nobody can know whether their owners are alive.
            return Err(owners::lost(&shared.path));
        }
        Ok(Self { run, fields, keys, held, now_ms: now_ms() })
    }
}

/// Finds how these lookups stand, in their order.
///
/// Two seeks for each lookup at most: one in the index, and one in `barred` if anybody is barred and the lookup is
/// free. The tail is in memory. The transaction gives one state of the file; the tail must have been compared with
/// it.
pub(super) fn find(
    connection: &Connection,
    shared: &Shared,
    tail: &Tail,
    query: &LookupQuery<'_>,
) -> Result<Vec<Found>, Fault> {
    let LookupQuery { run, fields, keys, ref held, now_ms } = *query;
    let first_look = run.first_look(connection)?;
    let mut rows = connection
        .prepare_cached("SELECT request, place, state, required, at_ms FROM answer WHERE key = ?1")?;
    let mut purged_at = connection.prepare_cached("SELECT purged_ms FROM barred WHERE key = ?1")?;
    let any_barred = barred::any(connection)?;
    // For each set of required fields, by its number, how it is related to ours. Nearly always there is one set.
    let mut relations: HashMap<i64, Relation> = HashMap::new();
    // In the order of the index, because neighbours share its pages.
    let mut order: Vec<(Key, usize)> = keys.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut found = vec![Found::Free; keys.len()];
    for (key, place) in order {
        let mut best: Option<(Rank, Answer)> = None;
        let indexed = rows.query_map([key], |row| row.try_into())?;
        let newest = tail.of(&key).iter();
        let newest = newest.map(|line| Ok((line.request, line.place, line.state, line.required, line.at_ms)));
        for stored in indexed.chain(newest) {
            let (request, place, state, required, at_ms) = stored?;
            let relation = if let Some(known) = relations.get(&required) {
                *known
            } else {
                let theirs = shared.field_sets.get(connection, required)?;
                let relation = (within(fields, &theirs), within(&theirs, fields));
                *relations.entry(required).or_insert(relation)
            };
            // A doubt that a dead process has left is not from this run.
            let inherited = state == state::LEFT || run.inherits(first_look, request, at_ms);
            let answer = Answer { request, place, state, at_ms, inherited };
            if let Some(meaning) = meaning(&answer, relation, &run.terms, now_ms) {
                // An answer from the future was stored before the clock was set back, so it counts as the oldest.
                let date = (at_ms <= now_ms.saturating_add(CORRECTION_MS)).then_some(at_ms);
                let rank = (meaning, date, at_ms, request);
                if best.is_none_or(|(known, _)| known < rank) {
                    best = Some((rank, answer));
                }
            }
        }
        let best = best.map(|((meaning, ..), answer)| (meaning, answer));
        let mut what = decide(best, held.get(place).copied().flatten());
        if any_barred && what.is_free() {
            let purged = purged_at.query_row([key], |row| row.get(0)).optional()?;
            what = purged.map_or(what, Found::Purged);
        }
        if let Some(slot) = found.get_mut(place) {
            *slot = what;
        }
    }
    Ok(found)
}

/// Whether the required fields of an answer contain ours, and whether ours contain theirs.
type Relation = (bool, bool);

/// Of the answers to one lookup, the one with the highest rank counts: the meaning, and then the newest.
type Rank = (Meaning, Option<i64>, i64, i64);

/// What a stored answer means for a lookup. If there are several, the last one of this list counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    /// There is a contact that may not be used: the same person would be charged again.
    PaidBefore,
    /// A user decided not to send the lookup again.
    Dropped,
    /// The lookup is in doubt, which keeps it from being sent.
    InDoubt,
    /// It answers the lookup.
    Answers,
}

/// What this answer means for a lookup of a run with these terms; `None` if it does not count.
fn meaning(
    answer: &Answer,
    (ours_in_theirs, theirs_in_ours): Relation,
    terms: &Terms,
    now_ms: i64,
) -> Option<Meaning> {
    // The age of an answer from the future is unknown. It is used unless its date is further ahead than the longest age:
    // otherwise, correcting a clock would buy everything again.
    let age = Duration::from_millis(now_ms.abs_diff(answer.at_ms));
    let is_young = |longest: Option<Duration>| longest.is_none_or(|longest| age <= longest);
    let is_fresh = |longest| !answer.inherited || !terms.refresh && is_young(longest);
    let is_related = ours_in_theirs || theirs_in_ours;
    match answer.state {
        state::HIT if ours_in_theirs && is_fresh(terms.max_age) => Some(Meaning::Answers),
        state::HIT => Some(Meaning::PaidBefore),
        state::MISS if theirs_in_ours && is_fresh(terms.miss_max_age) => Some(Meaning::Answers),
        state::REJECTED if is_fresh(terms.miss_max_age) => Some(Meaning::Answers),
        state::UNKNOWN | state::LEFT if is_related && !terms.resend => Some(Meaning::InDoubt),
        state::DROPPED if is_related => Some(Meaning::Dropped),
        _ => None,
    }
}

/// How a lookup stands, by its best answer and a request in flight. A request that was sent in spite of a doubt will
/// replace the doubt, so the request counts.
fn decide(best: Option<(Meaning, Answer)>, held: Option<Found>) -> Found {
    match (best, held) {
        (Some((Meaning::Answers, answer)), _) => Found::Answer(answer),
        (_, Some(held)) => held,
        (Some((Meaning::InDoubt, doubt)), None) => Found::Answer(doubt),
        (Some((Meaning::Dropped, dropped)), None) => Found::Dropped(dropped),
        (Some((Meaning::PaidBefore, _)), None) => Found::Again,
        (None, None) => Found::Free,
    }
}

/// The largest automatic correction of a clock.
///
/// An answer that is further in the future was stored before the clock was set back.
const CORRECTION_MS: i64 = 60_000;

/// The contact or the reason of an answer: a copy, because a slice would keep its whole block in memory for as long as
/// the caller has the answer.
fn body(connection: &Connection, blocks: &mut BlockCache, answer: Answer) -> Result<Bytes, Fault> {
    blocks.read(connection, (answer.request, answer.place), |block, at| {
        // A block that was read before a late answer came has a doubt, and no contact.
        let is_current = block.is_hit(at) == (answer.state == state::HIT);
        if is_current { block.body(at).map(Bytes::copy_from_slice) } else { None }
    })
}

/// The availability of each lookup, without contacts and reasons: a plan only counts.
///
/// Contacts are empty, and so are reasons, except for those that say why a lookup must not be sent.
pub(super) fn without_bodies(found: &[Found]) -> Vec<Availability> {
    let availability = |found: &Found| match *found {
        Found::Free => Availability::Free,
        Found::Again => Availability::Again,
        Found::Held(_) => Availability::Held,
        Found::Lost => {
            let why = "its answer came, and is kept by this process until it can be stored: make room on the disk, and \
                 ask again before the process ends";
            Availability::Known(Outcome::Unknown(why.into()), Seen::default())
        }
        Found::Dropped(answer) => Availability::barred(dropped(answer.at_ms)),
        Found::Purged(at_ms) => Availability::barred(purged(at_ms)),
        Found::Answer(answer) => {
            let known = match answer.state {
                state::HIT => Outcome::Hit(Bytes::new()),
                state::MISS => Outcome::Miss,
                state::REJECTED => Outcome::Rejected(Arc::default()),
                _ => Outcome::Unknown(Arc::default()),
            };
            Availability::Known(known, Seen { at_ms: answer.at_ms, inherited: answer.inherited, in_doubt: 0 })
        }
    };
    found.iter().map(availability).collect()
}

/// The availability of each lookup for a run.
///
/// Reads blocks in the order of their numbers, so that each is read and decompressed once, whatever the order of the
/// rows. Equal reasons share one text: a failed request of 1,000 lookups has one.
pub(super) fn with_bodies(
    connection: &Connection,
    blocks: &mut BlockCache,
    found: &[Found],
) -> Result<Vec<Availability>, Fault> {
    let mut all = without_bodies(found);
    let mut answers: Vec<_> = found
        .iter()
        .zip(&mut all)
        .filter_map(|pair| match pair {
            (Found::Answer(answer), Availability::Known(outcome, seen)) => Some((*answer, outcome, seen)),
            _ => None,
        })
        .collect();
    answers.sort_unstable_by_key(|(answer, ..)| (answer.request, answer.place));
    let mut doubts: HashMap<i64, u32> = HashMap::new();
    let mut texts: HashSet<Arc<str>> = HashSet::new();
    for (answer, outcome, seen) in answers {
        let mut text = |blocks: &mut BlockCache| {
            let why = body(connection, blocks, answer)?;
            let why = String::from_utf8_lossy(&why);
            Ok::<_, Fault>(texts.get_or_insert_with(&*why, |why| Arc::from(why)).clone())
        };
        match outcome {
            Outcome::Hit(record) => *record = body(connection, blocks, answer)?,
            Outcome::Rejected(why) => *why = text(blocks)?,
            Outcome::Unknown(why) => {
                // A lookup's share of what its request may have cost: a credit, or nothing if the request has no
                // credits in doubt.
                let request = answer.request;
                seen.in_doubt = if let Some(known) = doubts.get(&request) {
                    *known
                } else {
                    let of_request: i64 =
                        query::one(connection, "SELECT in_doubt FROM request WHERE id = ?1", [request])?;
                    *doubts.entry(request).or_insert(u32::from(of_request > 0))
                };
                *why = text(blocks)?;
            }
            Outcome::Miss | Outcome::NotSent(_) => {}
        }
    }
    Ok(all)
}

/// The reason why a lookup is not sent if a user has decided about it.
fn dropped(at_ms: i64) -> Message {
    message!(
        "in doubt since {}, and left alone since: {} lets it be asked for again",
        &utc(at_ms),
        Advice::Allow
    )
}

fn purged(at_ms: i64) -> Message {
    message!("purged on {}: {} lets it be asked for again", &utc(at_ms), Advice::Allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_and_the_age_decide_whether_an_answer_counts() {
        use Meaning::{Answers, Dropped, InDoubt, PaidBefore};
        let week = Some(Duration::from_hours(7 * 24));
        let terms = Terms { max_age: week, miss_max_age: week, ..Terms::default() };
        let mean = |state, relation, days, terms: &Terms| {
            let (now_ms, day_ms) = (100 * 86_400_000_i64, 86_400_000_i64);
            let answer =
                Answer { request: 1, place: 0, state, at_ms: now_ms - days * day_ms, inherited: true };
            let own = Answer { inherited: false, ..answer };
            [answer, own].map(|answer| meaning(&answer, relation, terms, now_ms))
        };
        // The same fields; theirs have more; ours have more; neither contains the other.
        let relations = [(true, true), (true, false), (false, true), (false, false)];
        for (state, expected) in [
            (state::HIT, [Some(Answers), Some(Answers), Some(PaidBefore), Some(PaidBefore)]),
            (state::MISS, [Some(Answers), None, Some(Answers), None]),
            (state::REJECTED, [Some(Answers); 4]),
            (state::UNKNOWN, [Some(InDoubt), Some(InDoubt), Some(InDoubt), None]),
            (state::LEFT, [Some(InDoubt), Some(InDoubt), Some(InDoubt), None]),
            (state::DROPPED, [Some(Dropped), Some(Dropped), Some(Dropped), None]),
            (state::ASKED_AGAIN, [None; 4]),
        ] {
            for (relation, expected) in relations.into_iter().zip(expected) {
                assert_eq!(mean(state, relation, 7, &terms), [expected; 2], "{state} {relation:?}");
            }
        }
        // Answers that are too old, or that a run refreshes, unless they came since it began.
        let refresh = Terms { refresh: true, ..terms.clone() };
        for (days, terms) in [(8, &terms), (-8, &terms), (1, &refresh)] {
            assert_eq!(mean(state::HIT, (true, true), days, terms), [Some(PaidBefore), Some(Answers)]);
            assert_eq!(mean(state::MISS, (true, true), days, terms), [None, Some(Answers)]);
        }
        // The clock was set back.
        assert_eq!(mean(state::HIT, (true, true), -7, &terms), [Some(Answers); 2]);
        assert_eq!(mean(state::UNKNOWN, (true, true), 1, &Terms { resend: true, ..terms }), [None; 2]);
    }
}
