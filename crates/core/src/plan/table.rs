//! The open rows, and the lookups that they wait for.
//!
//! Each lookup exists once, however many rows name it. Each row waits for one lookup at a time.
//! Rows that wait for the same lookup form a linked list, without an allocation for each row.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::identifier::Identifier;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::results::{Origin, Reason, RowOutcome, Source, Status};

use super::Row;
use super::lookups::{LookupId, Lookups, NOBODY, State};
use super::slots::Slots;

/// Space for this many rows is kept even if they are finished.
const MOST_IDLE: usize = 1 << 16;

#[derive(Debug)]
struct Waiting {
    wants: Wants,
    /// The next row in the list of rows that wait for the same lookup.
    next: u64,
}

#[derive(Debug, Clone, Copy)]
enum Wants {
    Done,
    One(LookupId),
    /// A row with several identifiers; the number of its [`Choice`].
    Preference(u32),
}

impl Wants {
    const fn choice(self) -> Option<u32> {
        if let Self::Preference(choice) = self { Some(choice) } else { None }
    }
}

#[derive(Debug)]
struct Choice {
    first: u32,
    alternatives: Box<[(u32, LookupId)]>,
    at: usize,
    missed: bool,
}

/// The open rows, and the lookups that they wait for.
#[derive(Debug, Default)]
pub struct Table {
    rows: VecDeque<Waiting>,
    /// The number of the row at the front of `rows`.
    base: u64,
    lookups: Lookups,
    choices: Slots<Choice>,
    queue: VecDeque<LookupId>,
    /// Lookups that rows came to while another run or process was asking for them.
    awaited: Vec<LookupId>,
    closed: Option<Arc<Message>>,
    open: u64,
}

impl Table {
    /// The number of rows admitted so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.base + self.rows.len() as u64
    }

    /// The number of rows without an outcome.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// The number of lookups that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Announces all rows that will come.
    pub fn foresee<'a>(&mut self, rows: impl Iterator<Item = &'a Row> + Clone) {
        self.lookups.foresee(rows);
    }

    /// For how many rows a lookup is remembered if no rows are announced. `None` is the default.
    pub fn set_window(&mut self, rows: Option<u64>) {
        self.lookups.set_window(rows);
    }

    /// Whether so many contacts are kept for later rows that these should be admitted soon.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.lookups.is_full()
    }

    /// Adds a row. If it needs no lookup, its outcome goes to `out` at once. New lookups are added
    /// to `fresh`: first [`know`](Self::know) or [`hold`](Self::hold) them, then
    /// [`activate`](Self::activate) the rows.
    pub fn admit(&mut self, row: Row, fresh: &mut Vec<LookupId>, out: &mut Vec<RowOutcome>) {
        let number = self.rows();
        self.open += 1;
        self.lookups.forget_before(number);
        let (wants, over) = match row {
            Row::Missing => (Wants::Done, Some(plain(number, Status::Missing, 0, None))),
            Row::Invalid(place, reason) => {
                (Wants::Done, Some(plain(number, Status::Invalid, place, Some(Reason::Invalid(reason)))))
            }
            Row::One(identifier) => (Wants::One(self.lookups.intern(identifier, number, fresh)), None),
            Row::Preference(preference) => {
                let alternatives = preference
                    .alternatives
                    .into_iter()
                    .map(|(place, identifier)| (place, self.lookups.intern(identifier, number, fresh)))
                    .collect();
                let choice = Choice { first: preference.first, alternatives, at: 0, missed: false };
                (Wants::Preference(self.choices.insert(choice)), None)
            }
        };
        self.rows.push_back(Waiting { wants, next: NOBODY });
        if let Some(outcome) = over {
            self.finish(outcome, out);
        }
    }

    /// What the store knows of a lookup that no row has come to yet.
    pub fn know(&mut self, id: LookupId, outcome: Outcome, origin: impl Into<Origin>) {
        if let Some(lookup) = self.lookups.get_mut(id) {
            lookup.end(outcome, origin);
        }
    }

    /// Notes that another run or process asks for this lookup, which no row waits for yet. A row
    /// that comes to it does not queue it: it is then [awaited](Self::take_awaited).
    pub fn hold(&mut self, id: LookupId) {
        if let Some(lookup) = self.lookups.get_mut(id) {
            lookup.state = State::Elsewhere;
        }
    }

    /// The [held](Self::hold) lookups that rows have come to since the last call. They now belong
    /// to the scheduler, as those of [`take`](Self::take) do. Other held lookups do not: the last
    /// row that names one may end without coming to it, and the table then forgets it.
    pub fn take_awaited(&mut self) -> Vec<LookupId> {
        std::mem::take(&mut self.awaited)
    }

    /// Starts the rows from this one on: they queue their lookups, or end.
    pub fn activate(&mut self, from: u64, out: &mut Vec<RowOutcome>) {
        for number in from.max(self.base)..self.rows() {
            self.prefer_stored_hit(number);
            self.advance(number, out);
        }
    }

    /// Moves a row with several identifiers to the first one that is known to be a hit, so that an
    /// answer that is free is used before one that costs a credit.
    fn prefer_stored_hit(&mut self, number: u64) {
        let Some(choice) = self.choice(number) else { return };
        let known = choice.alternatives.iter().position(|(_, id)| {
            let Some(done) = self.lookups.get(*id).and_then(|lookup| lookup.done.as_ref()) else {
                return false;
            };
            matches!(done.outcome, Outcome::Hit(_)) && done.origin.source == Source::Store
        });
        if let (Some(at), Some(choice)) = (known, self.choice_mut(number)) {
            choice.at = at;
        }
    }

    fn choice(&self, row: u64) -> Option<&Choice> {
        self.choices.get(self.row(row)?.wants.choice()?)
    }

    fn choice_mut(&mut self, row: u64) -> Option<&mut Choice> {
        self.choices.get_mut(self.row(row)?.wants.choice()?)
    }

    fn row(&self, number: u64) -> Option<&Waiting> {
        self.rows.get(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    fn row_mut(&mut self, number: u64) -> Option<&mut Waiting> {
        self.rows.get_mut(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    /// The identifier of a lookup.
    #[must_use]
    pub fn identifier(&self, id: LookupId) -> Option<&Identifier> {
        self.lookups.get(id).map(|lookup| &lookup.identifier)
    }

    /// Takes up to `most` lookups from the queue. They belong to the scheduler until it settles
    /// them or puts them back.
    pub fn take(&mut self, most: usize) -> Vec<LookupId> {
        let taken: Vec<LookupId> = self.queue.drain(..most.min(self.queue.len())).collect();
        for id in &taken {
            if let Some(lookup) = self.lookups.get_mut(*id) {
                lookup.state = State::Away;
            }
        }
        taken
    }

    /// Puts lookups back into the queue. If the table is closed, they end as not sent.
    pub fn put_back(&mut self, ids: &[LookupId], out: &mut Vec<RowOutcome>) {
        if let Some(reason) = self.closed.clone() {
            for id in ids {
                self.settle(*id, Outcome::NotSent(reason.clone()), Source::Asked, out);
            }
            return;
        }
        for id in ids.iter().rev() {
            if let Some(lookup) = self.lookups.get_mut(*id) {
                lookup.state = State::Queued;
                self.queue.push_front(*id);
            }
        }
    }

    /// Whether a miss of one of these lookups would make a row ask for another one.
    #[must_use]
    pub fn may_refill(&self, ids: &[LookupId]) -> bool {
        ids.iter().any(|id| {
            let mut number = self.lookups.get(*id).map_or(NOBODY, |lookup| lookup.waiting);
            while let Some(row) = self.row(number) {
                if self.choice(number).is_some_and(|choice| choice.at + 1 < choice.alternatives.len()) {
                    return true;
                }
                number = row.next;
            }
            false
        })
    }

    /// Notes the outcome of a lookup. Rows that end with it go to `out`; rows that missed continue
    /// with their next alternative.
    pub fn settle(
        &mut self,
        id: LookupId,
        outcome: Outcome,
        origin: impl Into<Origin>,
        out: &mut Vec<RowOutcome>,
    ) {
        let Some(lookup) = self.lookups.get_mut(id) else { return };
        if lookup.done.is_some() {
            return;
        }
        lookup.end(outcome, origin);
        let mut number = std::mem::replace(&mut lookup.waiting, NOBODY);
        // The lookup must stay while the rows of its list end.
        lookup.named_by += 1;
        // The last row comes first in the list. Reverse it, so that outcomes come in input order.
        let mut turned = NOBODY;
        while let Some(row) = self.row_mut(number) {
            let next = std::mem::replace(&mut row.next, turned);
            turned = std::mem::replace(&mut number, next);
        }
        while let Some(row) = self.row_mut(turned) {
            let next = std::mem::replace(&mut row.next, NOBODY);
            self.advance(turned, out);
            turned = next;
        }
        self.lookups.release(id);
    }

    /// Stops the queue. Every row ends that waits for a queued lookup, or needs another one later.
    pub fn close(&mut self, reason: &Arc<Message>, out: &mut Vec<RowOutcome>) {
        self.closed.get_or_insert_with(|| reason.clone());
        for id in std::mem::take(&mut self.queue) {
            self.settle(id, Outcome::NotSent(reason.clone()), Source::Asked, out);
        }
    }

    /// Moves a row through its alternatives until it waits for one or ends.
    fn advance(&mut self, number: u64, out: &mut Vec<RowOutcome>) {
        loop {
            let Some(row) = self.row(number) else { return };
            let (id, place) = match row.wants {
                Wants::Done => return,
                Wants::One(id) => (id, 0),
                Wants::Preference(choice) => {
                    let choice = self.choices.get(choice);
                    match choice.and_then(|choice| choice.alternatives.get(choice.at)) {
                        Some((place, id)) => (*id, *place),
                        None => return,
                    }
                }
            };
            let closed = self.closed.clone();
            let Some(lookup) = self.lookups.get_mut(id) else { return };
            if lookup.asked_for == NOBODY {
                lookup.asked_for = number;
            }
            match (lookup.state, closed) {
                _ if lookup.done.is_some() => {}
                (State::Idle, Some(reason)) => lookup.end(Outcome::NotSent(reason), Source::Asked),
                (State::Idle, None) => {
                    self.queue.push_back(id);
                    lookup.state = State::Queued;
                }
                (State::Elsewhere, _) => {
                    self.awaited.push(id);
                    lookup.state = State::Away;
                }
                (State::Queued | State::Away, _) => {}
            }
            let Some(lookup) = self.lookups.get_mut(id) else { return };
            let Some(done) = &lookup.done else {
                let next = std::mem::replace(&mut lookup.waiting, number);
                if let Some(row) = self.row_mut(number) {
                    row.next = next;
                }
                return;
            };
            let source = match done.origin.source {
                Source::Asked if lookup.asked_for != number => Source::Duplicate,
                source => source,
            };
            let origin = Origin { source, ..done.origin };
            let outcome = done.outcome.clone();
            let may_go_on = matches!(outcome, Outcome::Miss | Outcome::Rejected(_));
            if may_go_on && self.next_alternative(number, &outcome) {
                continue;
            }
            self.conclude(number, place, outcome, origin, out);
            return;
        }
    }

    /// After a miss or a rejection, moves a row with several identifiers to its next one, if there is one.
    fn next_alternative(&mut self, number: u64, outcome: &Outcome) -> bool {
        let Some(choice) = self.choice_mut(number) else { return false };
        choice.missed |= *outcome == Outcome::Miss;
        let more = choice.at + 1 < choice.alternatives.len();
        choice.at += usize::from(more);
        more
    }

    fn conclude(
        &mut self,
        number: u64,
        place: u32,
        outcome: Outcome,
        origin: Origin,
        out: &mut Vec<RowOutcome>,
    ) {
        let Some(row) = self.row_mut(number) else { return };
        let wants = std::mem::replace(&mut row.wants, Wants::Done);
        let choice = wants.choice().and_then(|choice| self.choices.remove(choice));
        let (first, missed) = choice.as_ref().map_or((place, false), |choice| (choice.first, choice.missed));
        let (status, record, reason) = match outcome {
            Outcome::Hit(record) => (Status::Found, Some(record), None),
            Outcome::Miss => (Status::NotFound, None, None),
            // A row is rejected only if nothing else in it was answered.
            Outcome::Rejected(_) if missed => (Status::NotFound, None, None),
            Outcome::Rejected(why) => (Status::Rejected, None, Some(Reason::Run(why))),
            Outcome::Unknown(why) => (Status::Unknown, None, Some(Reason::Run(why))),
            Outcome::NotSent(why) => (Status::NotSent, None, Some(Reason::NotSent(why))),
        };
        let alternative = if status == Status::Found { place } else { first };
        let Origin { source, fetched_at_ms } = origin;
        let outcome = RowOutcome { row: number, status, alternative, record, reason, source, fetched_at_ms };
        self.finish(outcome, out);
        if let Wants::One(id) = wants {
            self.lookups.release(id);
        }
        for (_, id) in choice.iter().flat_map(|choice| &choice.alternatives) {
            self.lookups.release(*id);
        }
    }

    fn finish(&mut self, outcome: RowOutcome, out: &mut Vec<RowOutcome>) {
        self.open -= 1;
        out.push(outcome);
        while matches!(self.rows.front(), Some(Waiting { wants: Wants::Done, .. })) {
            self.rows.pop_front();
            self.base += 1;
        }
        if self.rows.capacity() > MOST_IDLE && self.rows.len() < self.rows.capacity() / 4 {
            self.rows.shrink_to(self.rows.len() * 2);
        }
    }

    /// Announces that no more rows come.
    pub fn seal(&mut self) {
        self.lookups.seal();
    }
}

fn plain(row: u64, status: Status, alternative: u32, reason: Option<Reason>) -> RowOutcome {
    let source = Source::Asked;
    RowOutcome { row, status, alternative, record: None, reason, source, fetched_at_ms: None }
}

#[cfg(test)]
mod tests;
