//! Chunks that go out again as they are, and the size that the next ones may have.

use std::collections::VecDeque;
use std::time::Instant;

use super::chunk::Chunk;
use super::splits::{GroupId, Splits};

/// Chunks that wait to be sent again.
#[derive(Debug)]
pub(super) struct Retries {
    queue: VecDeque<Chunk>,
    pub(super) splits: Splits,
    /// Most lookups of one request; halved when the service finds one too large.
    pub(super) chunk_size: usize,
}

impl Retries {
    pub(super) fn new(chunk_size: usize) -> Self {
        Self { queue: VecDeque::new(), splits: Splits::default(), chunk_size }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.queue.iter()
    }

    /// Puts a chunk in front: the search for a record that the service refuses goes down before it goes on.
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

    /// Takes the chunks of a group, or all.
    pub(super) fn take_all(&mut self, group: Option<GroupId>) -> VecDeque<Chunk> {
        let queue = std::mem::take(&mut self.queue);
        let (taken, others) = queue.into_iter().partition(|chunk| group.is_none() || chunk.group == group);
        self.queue = others;
        taken
    }

    /// A chunk was too large a request: from now on they have half its size.
    pub(super) fn too_large(&mut self, lookups: usize) {
        self.chunk_size = self.chunk_size.min(lookups / 2).max(1);
    }
}
