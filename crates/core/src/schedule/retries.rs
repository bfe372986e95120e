//! Chunks that go out again, and the search for the record that the service refuses: a chunk that was answered 400
//! or 422 is halved until the refused record stands alone.

use std::collections::VecDeque;
use std::time::Instant;

use super::chunk::Chunk;

/// Extra requests that one refused chunk may cost: enough to find one record of a thousand.
const MOST_PROBES: u32 = 22;

/// If so many parts of the first refused chunk were refused, and nothing was accepted, the request itself is
/// wrong, not a record.
const HOPELESS: u32 = 12;

/// Chunks that wait to be sent again.
#[derive(Debug)]
pub(super) struct Retries {
    /// The first that may go out is taken; chunks that are not due yet are passed over.
    queue: VecDeque<Chunk>,
    /// The refused chunks, and how far the search in each has come.
    pub(super) splits: Splits,
    /// Most lookups of one request; halved when the service finds one too large.
    pub(super) chunk_size: usize,
    /// The size at the beginning.
    full_size: usize,
    /// Whether a single record got a 413. That record may be why larger requests got one. So the size doubles with
    /// each full chunk that is accepted, until a request is too large again.
    may_grow: bool,
}

impl Retries {
    pub(super) fn new(chunk_size: usize) -> Self {
        let splits = Splits::default();
        Self { queue: VecDeque::new(), splits, chunk_size, full_size: chunk_size, may_grow: false }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.queue.iter()
    }

    /// A request with this many lookups was too large.
    pub(super) fn too_large(&mut self, lookups: usize) {
        self.may_grow = lookups == 1;
        if !self.may_grow {
            self.chunk_size = self.chunk_size.min(lookups / 2).max(1);
        }
    }

    /// A chunk was accepted.
    pub(super) fn accepted(&mut self, chunk: &Chunk) {
        self.splits.accepted(chunk.group);
        if self.may_grow && chunk.ids.len() >= self.chunk_size {
            self.chunk_size = (2 * chunk.ids.len()).min(self.full_size);
        }
    }

    /// Puts a chunk in front, so that the search for a record that the service refuses is depth-first.
    pub(super) fn push(&mut self, chunk: Chunk) {
        self.queue.push_front(chunk);
    }

    /// The place of the chunk that may go out now, and its size. While a refused chunk is suspect, only its
    /// parts go out.
    pub(super) fn ready(&self, now: Instant, suspect: Option<GroupId>) -> Option<(usize, usize)> {
        let place = self.queue.iter().position(|chunk| {
            (suspect.is_none() || chunk.group == suspect)
                && chunk.due.is_none_or(|due| due <= now)
                && chunk.group.is_none_or(|group| self.splits.may_send(group))
        })?;
        // A request of this size may have been found too large since the chunk was cut.
        self.queue.get(place).map(|chunk| (place, chunk.ids.len().min(self.chunk_size)))
    }

    /// When the next chunk becomes due.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.queue.iter().filter_map(|chunk| chunk.due).filter(|due| *due > now).min()
    }

    /// Takes so many lookups of a chunk. The rest stays where it is.
    pub(super) fn take(&mut self, place: usize, size: usize) -> Option<Chunk> {
        let chunk = self.queue.get_mut(place)?;
        if chunk.ids.len() <= size {
            return self.queue.remove(place);
        }
        let rest = chunk.ids.split_off(size);
        let ids = std::mem::replace(&mut chunk.ids, rest);
        Some(chunk.with(ids))
    }

    pub(super) fn take_all(&mut self, group: Option<GroupId>) -> VecDeque<Chunk> {
        let queue = std::mem::take(&mut self.queue);
        let (taken, others) = queue.into_iter().partition(|chunk| group.is_none() || chunk.group == group);
        self.queue = others;
        taken
    }
}

/// One refused chunk.
///
/// The chunk and all its parts carry the same number until the refused record is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupId(usize);

/// Counts of one search. None of them becomes negative, because each part that was sent comes back once.
#[derive(Debug, Default)]
struct Group {
    /// Requests that the search has cost.
    probes: u32,
    /// Parts that were refused, the whole chunk not included.
    refused: u32,
    /// Parts that were sent and have not come back.
    in_flight: u32,
}

/// All refused chunks of a run.
#[derive(Debug, Default)]
pub(super) struct Splits {
    groups: Vec<Group>,
    /// A chunk of the run was accepted: the request itself is right.
    accepted: bool,
    /// Requests with a single record that were too large (413).
    too_large: u32,
}

impl Splits {
    /// A chunk was refused for the first time.
    pub(super) fn open(&mut self) -> GroupId {
        self.groups.push(Group::default());
        GroupId(self.groups.len() - 1)
    }

    /// The first refused chunk, while nothing of the run has been accepted: the request itself may be wrong.
    pub(super) fn suspect(&self) -> Option<GroupId> {
        (!self.accepted && !self.groups.is_empty()).then_some(GroupId(0))
    }

    /// Whether a chunk of the run was accepted: a record that is then refused alone is itself the cause.
    pub(super) const fn cleared(&self) -> bool {
        self.accepted
    }

    /// Whether a part may go out now. Parts of the suspect chunk go out one at a time, smaller and smaller, so
    /// that few requests are enough to decide.
    pub(super) fn may_send(&self, id: GroupId) -> bool {
        let group = self.groups.get(id.0);
        self.suspect() != Some(id) || group.is_some_and(|group| group.in_flight == 0)
    }

    /// Whether the chunk has cost as many requests as it may.
    pub(super) fn exhausted(&self, id: GroupId) -> bool {
        self.groups.get(id.0).is_some_and(|group| group.probes >= MOST_PROBES)
    }

    /// A part goes out.
    pub(super) fn sent(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(id.0) {
            group.probes += 1;
            group.in_flight += 1;
        }
    }

    /// A part came back, neither accepted nor refused. `counted` says whether it cost a request.
    pub(super) fn undecided(&mut self, id: GroupId, counted: bool) {
        if let Some(group) = self.groups.get_mut(id.0) {
            group.in_flight -= 1;
            group.probes -= u32::from(!counted);
        }
    }

    /// A part, or a whole chunk, was accepted.
    pub(super) fn accepted(&mut self, id: Option<GroupId>) {
        self.accepted = true;
        if let Some(group) = id.and_then(|id| self.groups.get_mut(id.0)) {
            group.in_flight -= 1;
        }
    }

    /// A request with a single record was too large. Returns whether by now every request must be too large.
    pub(super) const fn too_large(&mut self) -> bool {
        self.too_large += 1;
        !self.accepted && self.too_large >= HOPELESS
    }

    /// A part was refused; returns whether by now the request itself must be wrong.
    pub(super) fn refused(&mut self, id: GroupId) -> bool {
        let suspect = self.suspect() == Some(id);
        self.groups.get_mut(id.0).is_some_and(|group| {
            group.in_flight -= 1;
            group.refused += 1;
            suspect && group.refused >= HOPELESS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_record_of_a_thousand_is_found_within_the_probes() {
        for guilty in [0, 1, 499, 500, 731, 999] {
            let mut splits = Splits::default();
            let group = splits.open();
            let mut parts = vec![(0, 500), (500, 1_000)];
            let mut found = Vec::new();
            while let Some((from, to)) = parts.pop() {
                assert!(!splits.exhausted(group), "{guilty}");
                splits.sent(group);
                if !(from..to).contains(&guilty) {
                    splits.accepted(Some(group));
                    continue;
                }
                assert!(!splits.refused(group));
                if to - from == 1 {
                    found.push(from);
                } else {
                    let middle = usize::midpoint(from, to);
                    parts.extend([(from, middle), (middle, to)]);
                }
            }
            assert_eq!(found, [guilty]);
        }
    }

    #[test]
    fn what_refuses_every_size_is_told_from_a_large_record() {
        let mut splits = Splits::default();
        for alone in 1..=HOPELESS {
            assert_eq!(splits.too_large(), alone == HOPELESS);
        }
        splits.accepted(None);
        assert!(!splits.too_large());
    }

    #[test]
    fn an_accepted_part_clears_the_request() {
        let mut splits = Splits::default();
        let group = splits.open();
        splits.sent(group);
        splits.accepted(Some(group));
        for _ in 1..MOST_PROBES {
            splits.sent(group);
            assert!(!splits.refused(group));
        }
        assert!(splits.exhausted(group));
    }
}
