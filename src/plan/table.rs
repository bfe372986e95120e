//! The rows under way and the lookups that they wait for.
//!
//! Each lookup is kept once however many rows name it; each row waits for one lookup at a time.
//! Rows that wait for the same lookup form a list threaded through the rows themselves, so that a
//! million rows cost no allocation each.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::identifier::Identifier;
use crate::results::{Reason, RowOutcome, Source, Status};

use super::Row;

/// While more rows may come, a lookup is remembered, with its answer, until so many rows have come
/// after the last that named it. Memory stays bounded, and a duplicate within the window is not
/// paid for again.
const WINDOW: u64 = 100_000;

/// A lookup's place in a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(u32);

/// What a lookup came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Final {
    /// The contact's JSON text.
    Hit(Bytes),
    /// Nothing was found.
    Miss,
    /// The vendor refused this record; why.
    Rejected(Arc<str>),
    /// It may have been charged; what happened.
    Unknown(Arc<str>),
    /// It was not sent, or refused free of charge; why.
    NotSent(Arc<str>),
}

#[derive(Debug)]
enum State {
    /// Named by a row that has not come to it yet.
    Idle,
    /// In the queue.
    Queued,
    /// With the dispatcher.
    Away,
    /// Over.
    Done(Final, Source),
}

#[derive(Debug)]
struct Lookup {
    identifier: Identifier,
    hash: u64,
    /// Rows, not yet done, that name it, and the last row that did.
    named_by: u32,
    last_named: u64,
    state: State,
    /// The row that brought it into the queue, and the last of those that wait for it.
    asked_for: u64,
    waiting: u64,
}

/// The end of a list of rows.
const NOBODY: u64 = u64::MAX;

#[derive(Debug)]
struct Waiting {
    wants: Wants,
    /// The next row that waits for the same lookup.
    next: u64,
}

#[derive(Debug)]
enum Wants {
    Done,
    One(LookupId),
    Preference(Box<Choice>),
}

#[derive(Debug)]
struct Choice {
    first: u32,
    alternatives: Box<[(u32, LookupId)]>,
    at: usize,
    missed: bool,
}

/// The rows under way and the lookups that they wait for.
#[derive(Debug, Default)]
pub struct Table {
    rows: VecDeque<Waiting>,
    /// The number of the row at the front of `rows`.
    base: u64,
    lookups: Vec<Option<Lookup>>,
    vacant: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    queue: VecDeque<LookupId>,
    closed: Option<Arc<str>>,
    open: u64,
    /// No more rows come: nothing is remembered that no row names.
    sealed: bool,
    /// Lookups that no row names any more, and the last row that did.
    remembered: VecDeque<(u64, LookupId)>,
}

impl Table {
    /// Rows admitted so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.base + self.rows.len() as u64
    }

    /// Rows without an outcome.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.open
    }

    /// Lookups that wait to be sent.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Adds a row; what needs no lookup is over at once and goes to `out`. Lookups that were not
    /// known before are added to `fresh`: say what is known of them, then [`Table::activate`] the
    /// rows.
    pub fn admit(&mut self, row: Row, fresh: &mut Vec<LookupId>, out: &mut Vec<RowOutcome>) {
        let number = self.rows();
        self.open += 1;
        self.forget_before(number.saturating_sub(WINDOW));
        let (wants, over) = match row {
            Row::Missing => (Wants::Done, Some(plain(number, Status::Missing, 0, None))),
            Row::Invalid(place, reason) => {
                (Wants::Done, Some(plain(number, Status::Invalid, place, Some(Reason::Invalid(reason)))))
            }
            Row::One(identifier) => (Wants::One(self.intern(identifier, fresh)), None),
            Row::Preference(preference) => {
                let alternatives = preference
                    .alternatives
                    .into_iter()
                    .map(|(place, identifier)| (place, self.intern(identifier, fresh)))
                    .collect();
                let first = preference.first;
                (Wants::Preference(Box::new(Choice { first, alternatives, at: 0, missed: false })), None)
            }
        };
        self.rows.push_back(Waiting { wants, next: NOBODY });
        if let Some(outcome) = over {
            self.finish(outcome, out);
        }
    }

    /// What the store knows of a lookup that no row has come to yet.
    pub fn know(&mut self, id: LookupId, outcome: Final, source: Source) {
        if let Some(lookup) = self.lookup_mut(id) {
            lookup.state = State::Done(outcome, source);
        }
    }

    /// Somebody else is asking for this lookup, which no row has come to yet.
    pub fn hold(&mut self, id: LookupId) {
        if let Some(lookup) = self.lookup_mut(id) {
            lookup.state = State::Away;
        }
    }

    /// Sets the rows from this one on going: they queue their lookups, or are over.
    pub fn activate(&mut self, from: u64, out: &mut Vec<RowOutcome>) {
        for number in from.max(self.base)..self.rows() {
            self.prefer_stored_hit(number);
            self.advance(number, out);
        }
    }

    /// Moves a list-row to the first of its alternatives that is known to be a hit, if there is
    /// one: what is free is used before anything is paid for.
    fn prefer_stored_hit(&mut self, number: u64) {
        let Some(Waiting { wants: Wants::Preference(choice), .. }) = self.row(number) else { return };
        let known = choice.alternatives.iter().position(|(_, id)| {
            matches!(self.lookup(*id), Some(Lookup { state: State::Done(Final::Hit(_), Source::Store), .. }))
        });
        if let (Some(at), Some(Waiting { wants: Wants::Preference(choice), .. })) =
            (known, self.row_mut(number))
        {
            choice.at = at;
        }
    }

    fn intern(&mut self, identifier: Identifier, fresh: &mut Vec<LookupId>) -> LookupId {
        let row = self.rows();
        let hash = self.hasher.hash_one(&identifier);
        let lookups = &self.lookups;
        let same = |place: &u32| {
            lookups
                .get(*place as usize)
                .and_then(Option::as_ref)
                .is_some_and(|known| known.identifier == identifier)
        };
        if let Some(place) = self.index.find(hash, same).copied() {
            if let Some(lookup) = self.lookup_mut(LookupId(place)) {
                lookup.named_by += 1;
                lookup.last_named = row;
            }
            return LookupId(place);
        }
        let lookup = Lookup {
            identifier,
            hash,
            named_by: 1,
            last_named: row,
            state: State::Idle,
            asked_for: NOBODY,
            waiting: NOBODY,
        };
        let place = if let Some(place) = self.vacant.pop() {
            if let Some(slot) = self.lookups.get_mut(place as usize) {
                *slot = Some(lookup);
            }
            place
        } else {
            self.lookups.push(Some(lookup));
            // Four thousand million lookups do not fit into memory; saturating keeps this total.
            u32::try_from(self.lookups.len() - 1).unwrap_or(u32::MAX)
        };
        let lookups = &self.lookups;
        self.index.insert_unique(hash, place, |place| {
            lookups.get(*place as usize).and_then(Option::as_ref).map_or(0, |known| known.hash)
        });
        fresh.push(LookupId(place));
        LookupId(place)
    }

    fn row(&self, number: u64) -> Option<&Waiting> {
        self.rows.get(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    fn row_mut(&mut self, number: u64) -> Option<&mut Waiting> {
        self.rows.get_mut(usize::try_from(number.checked_sub(self.base)?).ok()?)
    }

    fn lookup(&self, id: LookupId) -> Option<&Lookup> {
        self.lookups.get(id.0 as usize).and_then(Option::as_ref)
    }

    fn lookup_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.lookups.get_mut(id.0 as usize).and_then(Option::as_mut)
    }

    /// What a lookup asks by.
    #[must_use]
    pub fn identifier(&self, id: LookupId) -> Option<&Identifier> {
        self.lookup(id).map(|lookup| &lookup.identifier)
    }

    /// Takes up to so many lookups from the queue; they are the dispatcher's until it settles them
    /// or puts them back.
    pub fn take(&mut self, most: usize) -> Vec<LookupId> {
        let taken: Vec<LookupId> = self.queue.drain(..most.min(self.queue.len())).collect();
        for id in &taken {
            if let Some(lookup) = self.lookup_mut(*id) {
                lookup.state = State::Away;
            }
        }
        taken
    }

    /// Puts lookups back where they came from; once the table is closed, they are over.
    pub fn put_back(&mut self, ids: &[LookupId], out: &mut Vec<RowOutcome>) {
        if let Some(reason) = self.closed.clone() {
            for id in ids {
                self.settle(*id, Final::NotSent(reason.clone()), Source::Asked, out);
            }
            return;
        }
        for id in ids.iter().rev() {
            if let Some(lookup) = self.lookup_mut(*id) {
                lookup.state = State::Queued;
                self.queue.push_front(*id);
            }
        }
    }

    /// Whether a row that waits for one of these would ask for something else if it missed.
    #[must_use]
    pub fn may_refill(&self, ids: &[LookupId]) -> bool {
        ids.iter().any(|id| {
            let mut number = self.lookup(*id).map_or(NOBODY, |lookup| lookup.waiting);
            while let Some(row) = self.row(number) {
                if let Wants::Preference(choice) = &row.wants
                    && choice.at + 1 < choice.alternatives.len()
                {
                    return true;
                }
                number = row.next;
            }
            false
        })
    }

    /// Notes what a lookup came to; the rows that thereby come to an end go to `out`, and those
    /// that miss move on to their next alternative.
    pub fn settle(&mut self, id: LookupId, outcome: Final, source: Source, out: &mut Vec<RowOutcome>) {
        let Some(lookup) = self.lookup_mut(id) else { return };
        if matches!(lookup.state, State::Done(..)) {
            return;
        }
        lookup.state = State::Done(outcome, source);
        let mut number = std::mem::replace(&mut lookup.waiting, NOBODY);
        // While rows of the list come to an end, the lookup itself must stay.
        lookup.named_by += 1;
        // The list is last come, first: turn it round, so that outcomes come in input order.
        let mut in_order = Vec::new();
        while let Some(row) = self.row_mut(number) {
            in_order.push(number);
            number = std::mem::replace(&mut row.next, NOBODY);
        }
        for number in in_order.into_iter().rev() {
            self.advance(number, out);
        }
        self.release(id);
    }

    /// From now on nothing is queued: every row that waits for a lookup which is not with the
    /// dispatcher is over, and so is every row that would have to ask for another.
    pub fn close(&mut self, reason: &Arc<str>, out: &mut Vec<RowOutcome>) {
        if self.closed.is_none() {
            self.closed = Some(reason.clone());
        }
        for id in std::mem::take(&mut self.queue) {
            self.settle(id, Final::NotSent(reason.clone()), Source::Asked, out);
        }
    }

    /// Follows a row from alternative to alternative until it waits for one or is over.
    fn advance(&mut self, number: u64, out: &mut Vec<RowOutcome>) {
        loop {
            let Some(row) = self.row(number) else { return };
            let (id, place) = match &row.wants {
                Wants::Done => return,
                Wants::One(id) => (*id, 0),
                Wants::Preference(choice) => match choice.alternatives.get(choice.at) {
                    Some((place, id)) => (*id, *place),
                    None => return,
                },
            };
            let closed = self.closed.clone();
            let Some(lookup) = self.lookup_mut(id) else { return };
            if lookup.asked_for == NOBODY {
                lookup.asked_for = number;
            }
            if matches!(lookup.state, State::Idle) {
                match closed {
                    Some(reason) => lookup.state = State::Done(Final::NotSent(reason), Source::Asked),
                    None => {
                        lookup.state = State::Queued;
                        self.queue.push_back(id);
                    }
                }
            }
            let Some(lookup) = self.lookup_mut(id) else { return };
            let State::Done(outcome, source) = &lookup.state else {
                let next = std::mem::replace(&mut lookup.waiting, number);
                if let Some(row) = self.row_mut(number) {
                    row.next = next;
                }
                return;
            };
            let source = match source {
                Source::Asked if lookup.asked_for != number => Source::Duplicate,
                source => *source,
            };
            let outcome = outcome.clone();
            if matches!(outcome, Final::Miss | Final::Rejected(_)) && self.next_alternative(number, &outcome)
            {
                continue;
            }
            self.conclude(number, place, outcome, source, out);
            return;
        }
    }

    /// Moves a list-row on after a miss or a rejection; whether there was anything to move on to.
    fn next_alternative(&mut self, number: u64, outcome: &Final) -> bool {
        let Some(Waiting { wants: Wants::Preference(choice), .. }) = self.row_mut(number) else {
            return false;
        };
        choice.missed |= *outcome == Final::Miss;
        let more = choice.at + 1 < choice.alternatives.len();
        if more {
            choice.at += 1;
        }
        more
    }

    fn conclude(
        &mut self,
        number: u64,
        place: u32,
        outcome: Final,
        source: Source,
        out: &mut Vec<RowOutcome>,
    ) {
        let Some(row) = self.row_mut(number) else { return };
        let wants = std::mem::replace(&mut row.wants, Wants::Done);
        let (first, missed) = match &wants {
            Wants::Preference(choice) => (choice.first, choice.missed),
            _ => (place, false),
        };
        let (status, record, reason) = match outcome {
            Final::Hit(record) => (Status::Found, Some(record), None),
            Final::Miss => (Status::NotFound, None, None),
            // A row is rejected only if nothing else in it was answered.
            Final::Rejected(_) if missed => (Status::NotFound, None, None),
            Final::Rejected(why) => (Status::Rejected, None, Some(why)),
            Final::Unknown(why) => (Status::Unknown, None, Some(why)),
            Final::NotSent(why) => (Status::NotSent, None, Some(why)),
        };
        let alternative = if status == Status::Found { place } else { first };
        let reason = reason.map(Reason::Run);
        self.finish(RowOutcome { row: number, status, alternative, record, reason, source }, out);
        match wants {
            Wants::Done => {}
            Wants::One(id) => self.release(id),
            Wants::Preference(choice) => choice.alternatives.iter().for_each(|(_, id)| self.release(*id)),
        }
    }

    fn finish(&mut self, outcome: RowOutcome, out: &mut Vec<RowOutcome>) {
        self.open -= 1;
        out.push(outcome);
        while matches!(self.rows.front(), Some(Waiting { wants: Wants::Done, .. })) {
            self.rows.pop_front();
            self.base += 1;
        }
    }

    /// One row less names this lookup.
    fn release(&mut self, id: LookupId) {
        let Some(lookup) = self.lookup_mut(id) else { return };
        lookup.named_by -= 1;
        if lookup.named_by > 0 {
            return;
        }
        let last_named = lookup.last_named;
        if self.sealed {
            self.forget(id);
        } else {
            self.remembered.push_back((last_named, id));
        }
    }

    /// Says that no more rows come.
    pub fn seal(&mut self) {
        self.sealed = true;
        self.forget_before(u64::MAX);
    }

    /// Forgets lookups that no row has named since.
    fn forget_before(&mut self, row: u64) {
        while let Some((last_named, id)) = self.remembered.pop_front_if(|(last_named, _)| *last_named < row) {
            let named_since =
                self.lookup(id).is_none_or(|lookup| lookup.named_by > 0 || lookup.last_named != last_named);
            if !named_since {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: LookupId) {
        let Some(slot) = self.lookups.get_mut(id.0 as usize) else { return };
        let Some(lookup) = slot.take() else { return };
        self.vacant.push(id.0);
        if let Ok(entry) = self.index.find_entry(lookup.hash, |place| *place == id.0) {
            entry.remove();
        }
    }
}

fn plain(row: u64, status: Status, alternative: u32, reason: Option<Reason>) -> RowOutcome {
    RowOutcome { row, status, alternative, record: None, reason, source: Source::Asked }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::super::Preference;
    use super::*;
    use crate::identifier::FieldType;

    fn email(text: &str) -> Identifier {
        Identifier::from_canonical(FieldType::Email, text)
    }

    fn list(texts: &[&str]) -> Row {
        let alternatives = (0..).zip(texts).map(|(place, text)| (place, email(text))).collect();
        Row::Preference(Box::new(Preference { first: 0, alternatives }))
    }

    fn admit(table: &mut Table, rows: Vec<Row>) -> Vec<RowOutcome> {
        let (mut fresh, mut out, from) = (Vec::new(), Vec::new(), table.rows());
        rows.into_iter().for_each(|row| table.admit(row, &mut fresh, &mut out));
        table.activate(from, &mut out);
        out
    }

    fn hit() -> Final {
        Final::Hit(Bytes::from_static(b"{}"))
    }

    fn brief(out: &[RowOutcome]) -> Vec<(u64, Status, u32, Source)> {
        out.iter().map(|outcome| (outcome.row, outcome.status, outcome.alternative, outcome.source)).collect()
    }

    #[test]
    fn a_lookup_is_asked_once_and_answers_every_row() {
        let mut table = Table::default();
        admit(&mut table, vec![Row::One(email("a")), Row::One(email("b")), Row::One(email("a"))]);
        let ids = table.take(10);
        assert_eq!(ids.len(), 2);
        let mut out = Vec::new();
        table.settle(ids[0], hit(), Source::Asked, &mut out);
        assert_eq!(
            brief(&out),
            [(0, Status::Found, 0, Source::Asked), (2, Status::Found, 0, Source::Duplicate)]
        );
        // The answer is remembered while a row that came after it names it.
        let out = admit(&mut table, vec![Row::One(email("b"))]);
        assert!(out.is_empty());
        let mut out = Vec::new();
        table.settle(ids[1], Final::Miss, Source::Asked, &mut out);
        assert_eq!(
            brief(&out),
            [(1, Status::NotFound, 0, Source::Asked), (3, Status::NotFound, 0, Source::Duplicate)]
        );
        assert_eq!((table.open(), table.rows()), (0, 4));
        // While more rows may come, an answer is remembered.
        let out = admit(&mut table, vec![Row::One(email("a"))]);
        assert_eq!(brief(&out), [(4, Status::Found, 0, Source::Duplicate)]);
        table.seal();
        assert!(table.index.is_empty() && table.rows.is_empty());
    }

    #[test]
    fn a_list_row_asks_for_the_second_only_after_the_first_missed() {
        let mut table = Table::default();
        admit(&mut table, vec![list(&["a", "b", "c"]), Row::One(email("z"))]);
        let mut out = Vec::new();
        let ids = table.take(10);
        assert_eq!(ids.len(), 2);
        assert!(table.may_refill(&ids));
        assert!(!table.may_refill(&ids[1..]));
        table.settle(ids[0], Final::Miss, Source::Asked, &mut out);
        let ids = table.take(10);
        assert_eq!(table.identifier(ids[0]).unwrap().canonical(), "b");
        table.settle(ids[0], hit(), Source::Asked, &mut out);
        assert_eq!(brief(&out), [(0, Status::Found, 1, Source::Asked)]);
        assert_eq!(table.queued(), 0);
    }

    #[test]
    fn rejected_alternatives_are_skipped_and_doubt_ends_the_paying() {
        let mut table = Table::default();
        admit(&mut table, vec![list(&["a", "b"]), list(&["c", "d"]), list(&["e"])]);
        let ids = table.take(10);
        let mut out = Vec::new();
        table.settle(ids[0], Final::Rejected("bad".into()), Source::Asked, &mut out);
        table.settle(ids[1], Final::Unknown("lost".into()), Source::Asked, &mut out);
        table.settle(ids[2], Final::Rejected("bad".into()), Source::Asked, &mut out);
        let ids = table.take(10);
        assert_eq!(ids.len(), 1);
        table.settle(ids[0], Final::Miss, Source::Asked, &mut out);
        let statuses: Vec<_> = out.iter().map(|outcome| (outcome.row, outcome.status)).collect();
        assert_eq!(statuses, [(1, Status::Unknown), (2, Status::Rejected), (0, Status::NotFound)]);
    }

    #[test]
    fn a_stored_hit_of_any_alternative_is_used_before_anything_is_sent() {
        let mut table = Table::default();
        let (mut fresh, mut out) = (Vec::new(), Vec::new());
        table.admit(list(&["a", "b"]), &mut fresh, &mut out);
        table.know(fresh[1], hit(), Source::Store);
        table.activate(0, &mut out);
        assert_eq!(brief(&out), [(0, Status::Found, 1, Source::Store)]);
        assert_eq!(table.queued(), 0);
    }

    #[test]
    fn closed_means_that_nothing_more_is_queued() {
        let mut table = Table::default();
        admit(&mut table, vec![list(&["a", "b"]), Row::One(email("c")), Row::One(email("d"))]);
        let ids = table.take(2);
        let mut out = Vec::new();
        table.close(&"enough".into(), &mut out);
        assert_eq!(brief(&out), [(2, Status::NotSent, 0, Source::Asked)]);
        table.settle(ids[0], Final::Miss, Source::Asked, &mut out);
        table.put_back(&ids[1..], &mut out);
        let statuses: Vec<_> = out.iter().map(|outcome| (outcome.row, outcome.status)).collect();
        assert_eq!(statuses, [(2, Status::NotSent), (0, Status::NotSent), (1, Status::NotSent)]);
        assert_eq!(table.open(), 0);
    }
}
