//! How a lookup stands: what of the answers on file may be used for it. A hit for some required
//! fields answers any subset of them, a miss any superset; the newest answer that may be used is.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use rusqlite::{Connection, OptionalExtension};

use crate::store::{Availability, Outcome, Seen, Terms};

use super::block::{Sheet, block_start};
use super::fault::Fault;
use super::key::Key;
use super::owner;
use super::schema::state;
use super::shared::{Fields, Shared, clock, now_ms, within};
use super::shelf;
use super::tail::{Kept, Tail};

/// Blocks that are kept after they were read.
const KEPT_BLOCKS: usize = 8;

/// A run, as the store keeps it in mind.
#[derive(Debug)]
pub(super) struct RunState {
    pub(super) terms: Terms,
    pub(super) began_ms: i64,
    mark: OnceLock<Mark>,
}

/// What was on file when a run first looked.
#[derive(Debug, Default)]
struct Mark {
    /// The last request.
    last: i64,
    /// Those that had no answer.
    open: HashSet<i64>,
    at_ms: i64,
}

impl RunState {
    pub(super) fn new(terms: Terms, began_ms: i64) -> Self {
        Self { terms, began_ms, mark: OnceLock::new() }
    }

    fn mark(&self, connection: &Connection) -> Result<&Mark, Fault> {
        if let Some(mark) = self.mark.get() {
            return Ok(mark);
        }
        let last: Option<i64> = connection.query_row("SELECT max(id) FROM request", [], |row| row.get(0))?;
        let mut ask = connection.prepare_cached("SELECT id FROM request WHERE settled_ms IS NULL")?;
        let open = ask.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(self.mark.get_or_init(|| Mark { last: last.unwrap_or_default(), open, at_ms: now_ms() }))
    }

    /// Whether an answer was there before the run began. One that was on file and yet is dated later
    /// is from before somebody set the clock back.
    fn inherits(&self, mark: &Mark, request: i64, at_ms: i64) -> bool {
        let from_the_future = at_ms > mark.at_ms && !mark.open.contains(&request);
        request <= mark.last && (at_ms <= self.began_ms || from_the_future)
    }
}

/// An answer on file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) request: i64,
    pub(super) place: i64,
    pub(super) state: u8,
    pub(super) at_ms: i64,
    /// It is older than the run that asks.
    pub(super) inherited: bool,
}

/// How a lookup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Free,
    Again,
    /// With the owner whose request it is.
    Held(i64),
    /// This process's own request brought an answer that could not be stored.
    Lost,
    Answer(Answer),
    Dropped(Answer),
    Purged(i64),
}

impl Found {
    pub(super) const fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::Again)
    }
}

/// Lookups that a run asks about, and what was under way of them at that moment: looked at before
/// the file is, so that what is settled in between is on file by then.
#[derive(Debug)]
pub(super) struct Question<'a> {
    run: &'a RunState,
    fields: &'a Fields,
    keys: &'a [Key],
    held: Vec<Option<Found>>,
    now_ms: i64,
}

impl<'a> Question<'a> {
    /// Asks now.
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
            let lost = first.lost && all.all(|asking| asking.lost);
            Some(if lost { Found::Lost } else { Found::Held(first.owner) })
        };
        let held = if intents.is_empty() { Vec::new() } else { keys.iter().map(asking).collect() };
        drop(intents);
        if held.iter().flatten().any(|held| matches!(held, Found::Held(_))) && !shared.owners.is_in_place() {
            // Whether any of those will ever answer cannot be told.
            return Err(owner::lost(&shared.path));
        }
        Ok(Self { run, fields, keys, held, now_ms: now_ms() })
    }
}

/// Finds how these lookups stand, in their order.
pub(super) fn find(
    connection: &Connection,
    shared: &Shared,
    tail: &Tail,
    question: &Question<'_>,
) -> Result<Vec<Found>, Fault> {
    let Question { run, fields, keys, ref held, now_ms } = *question;
    let mark = run.mark(connection)?;
    let mut rows = connection
        .prepare_cached("SELECT request, place, state, required, at_ms FROM answer WHERE key = ?1")?;
    let mut barred = connection.prepare_cached("SELECT purged_ms FROM barred WHERE key = ?1")?;
    let any_barred: bool =
        connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM barred)")?.query_row([], |row| row.get(0))?;
    let mut judge = Judge { shared, run, fields, now_ms, related: HashMap::new() };
    // In the order of the index: neighbours share its pages.
    let mut order: Vec<(Key, usize)> = keys.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut found = vec![Found::Free; keys.len()];
    for (key, place) in order {
        let held = held.get(place).copied().flatten();
        let mut view = View::default();
        let mut answers = rows.query([key])?;
        while let Some(row) = answers.next()? {
            let (request, at_ms) = (row.get(0)?, row.get(4)?);
            let inherited = run.inherits(mark, request, at_ms);
            let answer = Answer { request, place: row.get(1)?, state: row.get(2)?, at_ms, inherited };
            judge.weigh(connection, &mut view, answer, row.get(3)?)?;
        }
        for kept in tail.of(&key) {
            let Kept { request, place, state, required, at_ms } = *kept;
            let inherited = run.inherits(mark, request, at_ms);
            let answer = Answer { request, place, state, at_ms, inherited };
            judge.weigh(connection, &mut view, answer, required)?;
        }
        let mut what = view.verdict(held);
        if any_barred && what.is_free() {
            let purged = barred.query_row([key], |row| row.get(0)).optional()?;
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
    /// Of each set of fields, whether ours lies within it, and it within ours.
    related: HashMap<i64, (bool, bool)>,
}

#[derive(Default)]
struct View {
    usable: Option<Answer>,
    doubt: Option<Answer>,
    dropped: Option<Answer>,
    /// There is a contact on file that may not be used.
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
            let theirs = self.shared.fields(connection, required)?;
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
            // Too old, or asked for with fields that ours are no part of: the same person is charged
            // for again.
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
        // What is dated ahead of the clock is from before it was set back: older than any other.
        let date = |answer: Answer| {
            (age_ms(answer.at_ms, self.now_ms).map(|_| answer.at_ms), answer.at_ms, answer.request)
        };
        if slot.is_none_or(|known| date(known) < date(answer)) {
            // What a process left behind is nothing that this run has done.
            let inherited = answer.inherited || answer.state == state::LEFT;
            *slot = Some(Answer { inherited, ..answer });
        }
        Ok(())
    }
}

/// How far a clock may be corrected without anybody having set it.
const CORRECTION_MS: i64 = 60_000;

/// How old something is; `None` where it is dated ahead of the clock, so that nobody can tell.
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

/// Blocks that were read lately: neighbours in the list are neighbours in a block.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<(i64, Sheet)>);

impl Blocks {
    /// What a lookup came to.
    fn body(&mut self, connection: &Connection, answer: Answer) -> Result<bytes::Bytes, Fault> {
        let Answer { request, place, .. } = answer;
        let damaged = || Fault::damaged("an answer is missing in it");
        let within = |(id, sheet): &(i64, Sheet)| {
            let (of, first) = block_start(*id);
            let at = usize::try_from(place.checked_sub(first)?).ok()?;
            // What was read before a late answer came is a doubt yet, and no contact.
            let same = of == request && sheet.is_hit(at) == (answer.state == state::HIT);
            if same { sheet.body(at) } else { None }
        };
        if let Some(body) = self.0.iter().rev().find_map(within) {
            return Ok(body);
        }
        let (id, packed) = shelf::with(connection, request, place)?.ok_or_else(damaged)?;
        let read = (id, Sheet::read(&packed)?);
        let body = within(&read).ok_or_else(damaged)?;
        if self.0.len() >= KEPT_BLOCKS {
            self.0.remove(0);
        }
        self.0.push(read);
        Ok(body)
    }

    /// After a purge, nothing of what was read before may be served.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

/// Whether each lookup would be sent, for a plan. A plan only counts, so no contact and no reason is read.
pub(super) fn foretell(found: &[Found]) -> Vec<Availability> {
    let availability = |found: &Found| match *found {
        Found::Free => Availability::Free,
        Found::Again => Availability::Again,
        Found::Held(_) => Availability::Held,
        Found::Lost => {
            let why =
                "its answer came, but could not be stored: free the disk, and ask again in a new process";
            Availability::Known(Outcome::Unknown(why.into()), Seen::default())
        }
        Found::Dropped(answer) => Availability::barred(left_alone(answer.at_ms)),
        Found::Purged(at_ms) => Availability::barred(purged(at_ms)),
        Found::Answer(answer) => {
            let outcome = match answer.state {
                state::HIT => Outcome::Hit(bytes::Bytes::new()),
                state::MISS => Outcome::Miss,
                state::REJECTED => Outcome::Rejected(Arc::default()),
                _ => Outcome::Unknown(Arc::default()),
            };
            Availability::Known(
                outcome,
                Seen { at_ms: answer.at_ms, inherited: answer.inherited, in_doubt: 0 },
            )
        }
    };
    found.iter().map(availability).collect()
}

/// What a run is told of each.
pub(super) fn tell(
    connection: &Connection,
    blocks: &mut Blocks,
    found: &[Found],
) -> Result<Vec<Availability>, Fault> {
    let mut availability = foretell(found);
    let answer = |(place, found): (usize, &Found)| match *found {
        Found::Answer(answer) => Some((answer.request, answer.place, place, answer)),
        _ => None,
    };
    let mut answers: Vec<_> = (0..).zip(found).filter_map(answer).collect();
    answers.sort_unstable_by_key(|(request, place, ..)| (*request, *place));
    let mut doubts: HashMap<i64, u32> = HashMap::new();
    let mut texts: HashSet<Arc<str>> = HashSet::new();
    for (request, _, place, answer) in answers {
        let body = |blocks: &mut Blocks| blocks.body(connection, answer);
        let mut text = |blocks: &mut Blocks| {
            let why = body(blocks)?;
            let why = String::from_utf8_lossy(&why);
            Ok::<_, Fault>(texts.get_or_insert_with(&*why, |why| Arc::from(why)).clone())
        };
        let mut in_doubt = 0;
        let outcome = match answer.state {
            state::HIT => Outcome::Hit(body(blocks)?),
            state::MISS => Outcome::Miss,
            state::REJECTED => Outcome::Rejected(text(blocks)?),
            _ => {
                in_doubt = if let Some(known) = doubts.get(&request) {
                    *known
                } else {
                    let of_request: i64 = connection
                        .prepare_cached("SELECT in_doubt FROM request WHERE id = ?1")?
                        .query_row([request], |row| row.get(0))?;
                    *doubts.entry(request).or_insert(u32::from(of_request > 0))
                };
                Outcome::Unknown(text(blocks)?)
            }
        };
        let seen = Seen { at_ms: answer.at_ms, inherited: answer.inherited, in_doubt };
        if let Some(slot) = availability.get_mut(place) {
            *slot = Availability::Known(outcome, seen);
        }
    }
    Ok(availability)
}

fn left_alone(at_ms: i64) -> Arc<str> {
    format!(
        "in doubt since {}, and left alone since: store.allow(identifier) lets it be asked again",
        clock(at_ms)
    )
    .into()
}

fn purged(at_ms: i64) -> Arc<str> {
    format!("purged on {}: store.allow(identifier) lets it be asked again", clock(at_ms)).into()
}
