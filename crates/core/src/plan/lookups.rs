//! Each lookup once, however many rows name it, for as long as a row may.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::identifier::Identifier;
use crate::outcome::Outcome;
use crate::results::Origin;

use super::Row;
use super::slots::Slots;

/// If it is not known which rows will come, a lookup is remembered, with its answer, until so many rows
/// have come after the last row that named it. Memory stays bounded, and a duplicate within the window is
/// not paid for again.
const WINDOW: u64 = 100_000;

/// While so many contacts are kept, rows that need them are admitted before anything is sent.
const MOST_KEPT: usize = 16_384;

/// A lookup's place in a [`Table`](super::Table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(u32);

/// The state of a lookup without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Named by a row that has not come to it yet.
    Idle,
    /// The same, and somebody else is asking for it.
    Elsewhere,
    /// In the queue.
    Queued,
    /// With the dispatcher.
    Away,
}

/// What a lookup came to, and where that is from.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) origin: Origin,
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) identifier: Identifier,
    /// Rows, not yet done, that name it, and the last row that did.
    pub(super) named_by: u32,
    last_named: u64,
    /// A contact that no admitted row names, kept for rows to come.
    is_kept: bool,
    /// Whether it can be found by its identifier: not if it is known that no other row names it.
    is_indexed: bool,
    pub(super) state: State,
    /// In a box, as most lookups of a long call wait for most of its time.
    pub(super) done: Option<Box<Done>>,
    /// The row that brought it into the queue, and the last of those that wait for it.
    pub(super) asked_for: u64,
    pub(super) waiting: u64,
}

impl Lookup {
    pub(super) fn end(&mut self, outcome: Outcome, origin: impl Into<Origin>) {
        self.done = Some(Box::new(Done { outcome, origin: origin.into() }));
    }
}

/// The end of a list of rows.
pub(super) const NOBODY: u64 = u64::MAX;

/// Each lookup once.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    slots: Slots<Lookup>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// No more rows come: nothing is remembered that no row names.
    sealed: bool,
    /// If it is not known which rows will come: which lookups the rows of the [`WINDOW`] named, in order.
    recent: VecDeque<Naming>,
    /// Lookups that only rows before this one named are outside the window.
    window_start: u64,
    /// If the rows are foreseen: the hashes of the lookups that more than one row names, and how many of
    /// those rows are still to be admitted.
    upcoming: Option<Upcoming>,
    /// Contacts kept for such rows.
    kept: usize,
}

/// A row named a lookup.
#[derive(Debug)]
struct Naming {
    row: u64,
    lookup: LookupId,
    /// The lookup's hash. Taking the lookup out of the index would otherwise read its identifier again, long
    /// after it has left the processor's cache.
    hash: u64,
}

/// How many rows to come name a lookup with this hash. Two lookups with the same hash are counted together.
/// Both are then kept for longer than needed, but neither is mistaken for the other.
type Upcoming = HashMap<u64, u32>;

impl Lookups {
    /// Says which rows will come, and that no others will. From then on a lookup is kept exactly as long
    /// as rows that name it are still to come, however many others come between.
    pub(super) fn foresee<'a>(&mut self, rows: impl Iterator<Item = &'a Row> + Clone) {
        let mut hashes = Vec::with_capacity(rows.clone().map(|row| row.identifiers().count()).sum());
        hashes.extend(rows.flat_map(Row::identifiers).map(|identifier| self.hasher.hash_one(identifier)));
        hashes.sort_unstable();
        let repeated = || hashes.chunk_by(|one, next| one == next).filter(|same| same.len() > 1);
        let mut upcoming = Upcoming::with_capacity(repeated().count());
        for same in repeated() {
            let rows = u32::try_from(same.len()).unwrap_or(u32::MAX);
            upcoming.extend(same.first().map(|hash| (*hash, rows)));
        }
        self.upcoming = Some(upcoming);
    }

    /// Whether so many contacts are kept for rows to come that these should be admitted soon.
    pub(super) const fn is_full(&self) -> bool {
        self.kept >= MOST_KEPT
    }

    /// The lookup of this identifier, for the row of this number; if it was not known before, it is
    /// added to `fresh`.
    pub(super) fn intern(&mut self, identifier: Identifier, row: u64, fresh: &mut Vec<LookupId>) -> LookupId {
        let hash = self.hasher.hash_one(&identifier);
        let rows = self.upcoming.as_mut().map(|upcoming| upcoming.get_mut(&hash));
        let is_indexed = rows.as_ref().is_none_or(Option::is_some);
        if let Some(Some(rows)) = rows {
            *rows = rows.saturating_sub(1);
        }
        let slots = &self.slots;
        let same = |place: &u32| slots.get(*place).is_some_and(|known| known.identifier == identifier);
        let known = if is_indexed { self.index.find(hash, same).copied() } else { None };
        if let Some(place) = known {
            if let Some(lookup) = self.slots.get_mut(place) {
                self.kept -= usize::from(std::mem::take(&mut lookup.is_kept));
                lookup.named_by += 1;
                lookup.last_named = row;
            }
            self.note(row, LookupId(place), hash);
            return LookupId(place);
        }
        let lookup = Lookup {
            identifier,
            named_by: 1,
            last_named: row,
            is_kept: false,
            is_indexed,
            state: State::Idle,
            done: None,
            asked_for: NOBODY,
            waiting: NOBODY,
        };
        let place = self.slots.insert(lookup);
        if is_indexed {
            let (slots, hasher) = (&self.slots, &self.hasher);
            let hash_at =
                |place: &u32| slots.get(*place).map_or(0, |known| hasher.hash_one(&known.identifier));
            self.index.insert_unique(hash, place, hash_at);
        }
        fresh.push(LookupId(place));
        self.note(row, LookupId(place), hash);
        LookupId(place)
    }

    fn note(&mut self, row: u64, lookup: LookupId, hash: u64) {
        if self.upcoming.is_none() {
            self.recent.push_back(Naming { row, lookup, hash });
        }
    }

    pub(super) fn get(&self, id: LookupId) -> Option<&Lookup> {
        self.slots.get(id.0)
    }

    pub(super) fn get_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.slots.get_mut(id.0)
    }

    /// One row less names this lookup.
    pub(super) fn release(&mut self, id: LookupId) {
        let Some(lookup) = self.slots.get_mut(id.0) else { return };
        lookup.named_by -= 1;
        if lookup.named_by > 0 {
            return;
        }
        let is_upcoming = |upcoming: &Upcoming| {
            lookup.is_indexed
                && upcoming.get(&self.hasher.hash_one(&lookup.identifier)).is_some_and(|rows| *rows > 0)
        };
        match &self.upcoming {
            _ if self.sealed => self.forget(id, None),
            Some(upcoming) if !is_upcoming(upcoming) => self.forget(id, None),
            Some(_) => {
                if let Some(done) = &mut lookup.done
                    && let Outcome::Hit(record) = &mut done.outcome
                {
                    // A copy, because a slice would keep the whole reply in memory.
                    *record = Bytes::copy_from_slice(record);
                    lookup.is_kept = true;
                    self.kept += 1;
                }
            }
            None if lookup.last_named < self.window_start => self.forget(id, None),
            None => {}
        }
    }

    /// Says that no more rows come.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
        // Nobody will look for an identifier any more: letting the index go at once is cheaper than
        // taking each lookup out of it.
        self.index = HashTable::new();
        self.recent = VecDeque::new();
        for place in self.slots.numbers_where(|lookup| lookup.named_by == 0) {
            self.forget(LookupId(place), None);
        }
        self.kept = 0;
    }

    /// Forgets what no row has named in the [`WINDOW`] before this one.
    pub(super) fn forget_before(&mut self, row: u64) {
        self.window_start = row.saturating_sub(WINDOW);
        while let Some(naming) = self.recent.pop_front_if(|naming| naming.row < self.window_start) {
            let is_over = self
                .get(naming.lookup)
                .is_some_and(|lookup| lookup.named_by == 0 && lookup.last_named == naming.row);
            if is_over {
                self.forget(naming.lookup, Some(naming.hash));
            }
        }
    }

    /// Forgets a lookup. Its hash is computed where it is not given.
    fn forget(&mut self, id: LookupId, hash: Option<u64>) {
        let Some(lookup) = self.slots.remove(id.0) else { return };
        if self.sealed || !lookup.is_indexed {
            return;
        }
        let hash = hash.unwrap_or_else(|| self.hasher.hash_one(&lookup.identifier));
        if let Ok(entry) = self.index.find_entry(hash, |place| *place == id.0) {
            entry.remove();
        }
    }
}

#[cfg(test)]
impl Lookups {
    /// The number of lookups, and the number of contacts that are kept for rows to come.
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.slots.numbers_where(|_| true).len(), self.kept)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept() == (0, 0)
    }
}
