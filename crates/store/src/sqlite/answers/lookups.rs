//! How a lookup stands: which of the stored answers may be used for it. A hit for some required fields answers any subset
//! of them, a miss any superset. Of several answers that may be used, the newest one is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension};

use exactbuyer_core::message;
use exactbuyer_core::message::{Advice, Message};
use exactbuyer_core::store::{Availability, Outcome, Seen};

use super::super::clock::{now_ms, utc};
use super::super::file::{Fault, owners, query};
use super::super::key::Key;
use super::super::process::RunState;
use super::super::tables::{BlockCache, Fields, Tail, TailAnswer, barred, state, within};
use super::super::threads::Shared;

/// A stored answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) request: i64,
    pub(super) place: i64,
    pub(super) state: u8,
    pub(super) at_ms: i64,
    /// Whether it is older than the run that asks.
    pub(super) inherited: bool,
}

/// How a lookup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nobody has asked.
    Free,
    /// There is a contact that may not be used.
    Again,
    /// A request of this owner is asking for it.
    Held(i64),
    /// A request of this process got an answer that could not be stored.
    Lost,
    /// There is an answer that may be used.
    Answer(Answer),
    /// A user decided not to send it again.
    Dropped(Answer),
    /// It was purged at this time.
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
#[derive(Debug)]
pub(super) struct LookupQuery<'a> {
    run: &'a RunState,
    fields: &'a Fields,
    keys: &'a [Key],
    held: Vec<Option<Found>>,
    now_ms: i64,
}

impl<'a> LookupQuery<'a> {
    /// Examines which lookups are in flight.
    pub(super) fn of(
        shared: &Shared,
        run: &'a RunState,
        fields: &'a Fields,
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
    let mut judge = Judge { shared, run, fields, now_ms, related: HashMap::new() };
    // In the order of the index, because neighbours share its pages.
    let mut order: Vec<(Key, usize)> = keys.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut found = vec![Found::Free; keys.len()];
    for (key, place) in order {
        let held = held.get(place).copied().flatten();
        let mut view = View::default();
        let mut answers = rows.query([key])?;
        while let Some(row) = answers.next()? {
            let (request, at_ms) = (row.get(0)?, row.get(4)?);
            let inherited = run.inherits(first_look, request, at_ms);
            let answer = Answer { request, place: row.get(1)?, state: row.get(2)?, at_ms, inherited };
            judge.weigh(connection, &mut view, answer, row.get(3)?)?;
        }
        for answer in tail.of(&key) {
            let TailAnswer { request, place, state, required, at_ms } = *answer;
            let inherited = run.inherits(first_look, request, at_ms);
            let answer = Answer { request, place, state, at_ms, inherited };
            judge.weigh(connection, &mut view, answer, required)?;
        }
        let mut what = view.verdict(held);
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

struct Judge<'a> {
    shared: &'a Shared,
    run: &'a RunState,
    fields: &'a Fields,
    now_ms: i64,
    /// For each set of fields, whether it contains ours, and whether ours contains it.
    related: HashMap<i64, (bool, bool)>,
}

#[derive(Default)]
struct View {
    usable: Option<Answer>,
    doubt: Option<Answer>,
    dropped: Option<Answer>,
    /// Whether there is a contact that may not be used.
    again: bool,
}

impl Judge<'_> {
    fn weigh(
        &mut self,
        connection: &Connection,
        view: &mut View,
        answer: Answer,
        required: i64,
    ) -> Result<(), Fault> {
        let (ours_within, within_ours) = if let Some(known) = self.related.get(&required) {
            *known
        } else {
            let theirs = self.shared.field_sets.get(connection, required)?;
            let related = (within(self.fields, &theirs), within(&theirs, self.fields));
            self.related.insert(required, related);
            related
        };
        let terms = &self.run.terms;
        let fresh = |most: Option<Duration>| {
            let age = age_ms(answer.at_ms, self.now_ms);
            let may_be = |most| age.is_some_and(|age| Duration::from_millis(age) <= most);
            !answer.inherited || (!terms.refresh && most.is_none_or(may_be))
        };
        let slot = match answer.state {
            state::HIT if ours_within && fresh(terms.max_age) => &mut view.usable,
            // Too old, or its required fields do not contain ours: the same person would be charged again.
            state::HIT => {
                view.again = true;
                return Ok(());
            }
            state::MISS if within_ours && fresh(terms.miss_max_age) => &mut view.usable,
            state::REJECTED if fresh(terms.miss_max_age) => &mut view.usable,
            state::UNKNOWN | state::LEFT if (ours_within || within_ours) && !terms.resend => &mut view.doubt,
            state::DROPPED if ours_within || within_ours => &mut view.dropped,
            _ => return Ok(()),
        };
        // An answer with a time in the future is from before the clock was set back, so it counts as the oldest.
        let date = |answer: Answer| {
            (age_ms(answer.at_ms, self.now_ms).map(|_| answer.at_ms), answer.at_ms, answer.request)
        };
        if slot.is_none_or(|known| date(known) < date(answer)) {
            // A doubt that a dead process has left is not from this run.
            let inherited = answer.inherited || answer.state == state::LEFT;
            *slot = Some(Answer { inherited, ..answer });
        }
        Ok(())
    }
}

/// The largest automatic correction of a clock.
const CORRECTION_MS: i64 = 60_000;

/// The age of an answer; `None` if its time is in the future, so that nobody can know.
fn age_ms(at_ms: i64, now_ms: i64) -> Option<u64> {
    let age = now_ms.saturating_sub(at_ms);
    (age >= -CORRECTION_MS).then(|| u64::try_from(age).unwrap_or_default())
}

impl View {
    fn verdict(self, held: Option<Found>) -> Found {
        if let Some(usable) = self.usable {
            return Found::Answer(usable);
        }
        if let Some(held) = held {
            return held;
        }
        match (self.doubt, self.dropped) {
            (Some(doubt), _) => Found::Answer(doubt),
            (None, Some(dropped)) => Found::Dropped(dropped),
            (None, None) if self.again => Found::Again,
            (None, None) => Found::Free,
        }
    }
}

/// The contact or the reason of an answer.
fn body(connection: &Connection, blocks: &mut BlockCache, answer: Answer) -> Result<Bytes, Fault> {
    blocks.read(connection, (answer.request, answer.place), |block, at| {
        // A block that was read before a late answer came has a doubt, and no contact.
        let is_current = block.is_hit(at) == (answer.state == state::HIT);
        if is_current { block.body(at) } else { None }
    })
}

/// The availability of each lookup, without contacts and reasons: a plan only counts.
pub(super) fn without_bodies(found: &[Found]) -> Vec<Availability> {
    let availability = |found: &Found| match *found {
        Found::Free => Availability::Free,
        Found::Again => Availability::Again,
        Found::Held(_) => Availability::Held,
        Found::Lost => {
            let why =
                "its answer came, but could not be stored: free the disk, and ask again in a new process";
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
pub(super) fn with_bodies(
    connection: &Connection,
    blocks: &mut BlockCache,
    found: &[Found],
) -> Result<Vec<Availability>, Fault> {
    let mut availability = without_bodies(found);
    let answer = |(place, found): (usize, &Found)| match *found {
        Found::Answer(answer) => Some((answer.request, answer.place, place, answer)),
        _ => None,
    };
    let mut answers: Vec<_> = (0..).zip(found).filter_map(answer).collect();
    answers.sort_unstable_by_key(|(request, place, ..)| (*request, *place));
    let mut doubts: HashMap<i64, u32> = HashMap::new();
    let mut texts: HashSet<Arc<str>> = HashSet::new();
    for (request, _, place, answer) in answers {
        let mut text = |blocks: &mut BlockCache| {
            let why = body(connection, blocks, answer)?;
            let why = String::from_utf8_lossy(&why);
            Ok::<_, Fault>(texts.get_or_insert_with(&*why, |why| Arc::from(why)).clone())
        };
        let mut in_doubt = 0;
        let known = match answer.state {
            state::HIT => Outcome::Hit(body(connection, blocks, answer)?),
            state::MISS => Outcome::Miss,
            state::REJECTED => Outcome::Rejected(text(blocks)?),
            _ => {
                in_doubt = if let Some(known) = doubts.get(&request) {
                    *known
                } else {
                    let of_request: i64 =
                        query::one(connection, "SELECT in_doubt FROM request WHERE id = ?1", [request])?;
                    *doubts.entry(request).or_insert(u32::from(of_request > 0))
                };
                Outcome::Unknown(text(blocks)?)
            }
        };
        let seen = Seen { at_ms: answer.at_ms, inherited: answer.inherited, in_doubt };
        if let Some(slot) = availability.get_mut(place) {
            *slot = Availability::Known(known, seen);
        }
    }
    Ok(availability)
}

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
