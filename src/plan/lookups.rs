//! Each lookup once, however many rows name it, for as long as a row may.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::identifier::Identifier;
use crate::results::Origin;

/// While more rows may come, a lookup is remembered, with its answer, until so many rows have come
/// after the last that named it. Memory stays bounded, and a duplicate within the window is not
/// paid for again.
const WINDOW: u64 = 100_000;

/// A lookup's place in a [`Table`](super::Table).
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
pub(super) enum State {
    /// Named by a row that has not come to it yet.
    Idle,
    /// The same, and somebody else is asking for it.
    Elsewhere,
    /// In the queue.
    Queued,
    /// With the dispatcher.
    Away,
    /// Over.
    Done(Final, Origin),
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) identifier: Identifier,
    hash: u64,
    /// Rows, not yet done, that name it, and the last row that did.
    pub(super) named_by: u32,
    last_named: u64,
    pub(super) state: State,
    /// The row that brought it into the queue, and the last of those that wait for it.
    pub(super) asked_for: u64,
    pub(super) waiting: u64,
}

/// The end of a list of rows.
pub(super) const NOBODY: u64 = u64::MAX;

/// Each lookup once.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    slots: Vec<Option<Lookup>>,
    vacant: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// No more rows come: nothing is remembered that no row names.
    sealed: bool,
    /// Lookups that no row names any more, and the last row that did.
    remembered: VecDeque<(u64, LookupId)>,
}

impl Lookups {
    /// Makes room for so many more, less those that have gone.
    pub(super) fn expect(&mut self, more: usize) {
        let more = more.saturating_sub(self.vacant.len());
        self.slots.reserve(more);
        let slots = &self.slots;
        self.index.reserve(more, |place| hash_at(slots, *place));
    }

    /// The lookup of this identifier, for the row of this number; if it was not known before, it is
    /// added to `fresh`.
    pub(super) fn intern(&mut self, identifier: Identifier, row: u64, fresh: &mut Vec<LookupId>) -> LookupId {
        let hash = self.hasher.hash_one(&identifier);
        let slots = &self.slots;
        let same = |place: &u32| {
            slots
                .get(*place as usize)
                .and_then(Option::as_ref)
                .is_some_and(|known| known.identifier == identifier)
        };
        if let Some(place) = self.index.find(hash, same).copied() {
            if let Some(lookup) = self.get_mut(LookupId(place)) {
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
            if let Some(slot) = self.slots.get_mut(place as usize) {
                *slot = Some(lookup);
            }
            place
        } else {
            self.slots.push(Some(lookup));
            // Four thousand million lookups do not fit into memory; saturating keeps this total.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, place, |place| hash_at(slots, *place));
        fresh.push(LookupId(place));
        LookupId(place)
    }

    pub(super) fn get(&self, id: LookupId) -> Option<&Lookup> {
        self.slots.get(id.0 as usize).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, id: LookupId) -> Option<&mut Lookup> {
        self.slots.get_mut(id.0 as usize).and_then(Option::as_mut)
    }

    /// One row less names this lookup.
    pub(super) fn release(&mut self, id: LookupId) {
        let Some(lookup) = self.get_mut(id) else { return };
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
    pub(super) fn seal(&mut self) {
        self.sealed = true;
        // Nobody will look for an identifier any more: letting the index go at once is cheaper than
        // taking each lookup out of it.
        self.index = HashTable::new();
        self.forget_before(u64::MAX);
    }

    /// Forgets what no row has named in the [`WINDOW`] before this one.
    pub(super) fn forget_before(&mut self, row: u64) {
        let row = if self.sealed { row } else { row.saturating_sub(WINDOW) };
        while let Some((last_named, id)) = self.remembered.pop_front_if(|(last_named, _)| *last_named < row) {
            let named_since =
                self.get(id).is_none_or(|lookup| lookup.named_by > 0 || lookup.last_named != last_named);
            if !named_since {
                self.forget(id);
            }
        }
    }

    fn forget(&mut self, id: LookupId) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return };
        let Some(lookup) = slot.take() else { return };
        self.vacant.push(id.0);
        if !self.sealed
            && let Ok(entry) = self.index.find_entry(lookup.hash, |place| *place == id.0)
        {
            entry.remove();
        }
    }
}

fn hash_at(slots: &[Option<Lookup>], place: u32) -> u64 {
    slots.get(place as usize).and_then(Option::as_ref).map_or(0, |known| known.hash)
}

#[cfg(test)]
impl Lookups {
    pub(super) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }
}
