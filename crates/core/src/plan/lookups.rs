//! Each lookup once, however many rows name it. A lookup is remembered for as long as a later row
//! may name it.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::identifier::Identifier;
use crate::outcome::Outcome;
use crate::results::Origin;

use super::Row;
use super::slots::Slots;

/// How long a lookup and its answer are remembered if it is not known which rows will come: until
/// this many rows have come after the last row that named it. So memory stays bounded, and a
/// duplicate within the window is not paid for again. A run may have a shorter window, because its
/// store remembers the answers.
const WINDOW: u64 = 100_000;

/// If this many contacts are kept for later rows, those rows are admitted before anything else is
/// sent.
const MOST_KEPT: usize = 16_384;

/// The number of a lookup in a [`Table`](super::Table). It may be given to another lookup after
/// this one is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(u32);

/// The state of a lookup without an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No row waits for it yet: the rows that name it have earlier alternatives.
    Idle,
    /// As [`State::Idle`], but another run or process is asking for it.
    Elsewhere,
    /// In the queue of lookups to be sent.
    Queued,
    /// Handed to the scheduler.
    Away,
}

/// The outcome of a lookup, and its origin.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) origin: Origin,
}

/// A lookup that rows name.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) identifier: Identifier,
    /// The number of open rows that name it, and the last row that did.
    pub(super) named_by: u32,
    last_named: u64,
    /// Whether it is a contact that no open row names and that is kept for later rows.
    is_kept: bool,
    /// Whether it can be found by its identifier. It need not be if no other row is known to name
    /// it.
    is_indexed: bool,
    pub(super) state: State,
    /// In a box, because in a long call most lookups have no outcome for most of the time.
    pub(super) done: Option<Box<Done>>,
    /// The row that put it into the queue, and the last of the rows that wait for it.
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
    /// The lookups by their number.
    slots: Slots<Lookup>,
    /// The numbers of the lookups by the hash of their identifiers.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// Whether no more rows come. Then a lookup is forgotten as soon as no row names it.
    sealed: bool,
    /// In rows; `None`: [`WINDOW`].
    window: Option<u64>,
    /// The lookups that the rows of the window named, in order. Only used if it is not known
    /// which rows will come.
    recent: VecDeque<Naming>,
    /// A lookup is outside the window if only rows before this one named it.
    window_start: u64,
    /// If all rows are known in advance: the hash of each lookup that several rows name, and how
    /// many of those rows are still to be admitted.
    upcoming: Option<Upcoming>,
    /// The number of contacts that are kept for such rows.
    kept: usize,
}

/// The fact that a row named a lookup.
#[derive(Debug)]
struct Naming {
    row: u64,
    lookup: LookupId,
    /// The hash of the lookup. Without it, removing the lookup from the index would read its
    /// identifier again, long after that has left the processor's cache.
    hash: u64,
}

/// For each hash of a lookup, how many later rows name it. Two lookups with the same hash are
/// counted together. Both are then kept for longer than needed, but they are not confused.
type Upcoming = HashMap<u64, u32>;

impl Lookups {
    /// Announces all rows that will come. From then on a lookup is kept exactly as long as later
    /// rows name it, however many other rows come between.
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

    /// Whether so many contacts are kept for later rows that these rows should be admitted soon.
    pub(super) const fn is_full(&self) -> bool {
        self.kept >= MOST_KEPT
    }

    /// The lookup of this identifier, which the row `row` names. If it is new, it is added to
    /// `fresh`.
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

    /// Remembers that a row named this lookup, if a window decides how long lookups are kept.
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

    /// Notes that one row less names this lookup.
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
            // The window was shorter when its row left it, and has become wider.
            None if self.recent.front().is_none_or(|first| first.row > lookup.last_named) => {
                let hash = self.hasher.hash_one(&lookup.identifier);
                let row = lookup.last_named;
                self.recent.push_back(Naming { row, lookup: id, hash });
            }
            None => {}
        }
    }

    /// Announces that no more rows come.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
        // Identifiers are not looked up any more. Dropping the index at once is cheaper than
        // removing each lookup from it.
        self.index = HashTable::new();
        self.recent = VecDeque::new();
        for place in self.slots.numbers_where(|lookup| lookup.named_by == 0) {
            self.forget(LookupId(place), None);
        }
        self.kept = 0;
    }

    /// From now on the window has so many rows; `None` is [`WINDOW`], the most. What is already
    /// forgotten stays forgotten.
    pub(super) fn set_window(&mut self, rows: Option<u64>) {
        let rows = rows.map_or(WINDOW, |rows| rows.min(WINDOW));
        if rows > self.window() {
            self.window_start = self.window_start.saturating_sub(rows);
        }
        self.window = Some(rows);
    }

    fn window(&self) -> u64 {
        self.window.unwrap_or(WINDOW)
    }

    /// Forgets the lookups that no row of the window before `row` named.
    pub(super) fn forget_before(&mut self, row: u64) {
        self.window_start = row.saturating_sub(self.window());
        while let Some(naming) = self.recent.pop_front_if(|naming| naming.row < self.window_start) {
            let is_over = self
                .get(naming.lookup)
                .is_some_and(|lookup| lookup.named_by == 0 && lookup.last_named == naming.row);
            if is_over {
                self.forget(naming.lookup, Some(naming.hash));
            }
        }
    }

    /// Forgets a lookup. If its hash is not given, it is computed.
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
