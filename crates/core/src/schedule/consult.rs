//! What a run asks the store before it asks the service, and what it does with the answers.
//!
//! ```text
//! a new lookup ── question ──► store ──► known        over, without a request
//!                                   ├──► free         queued by the rows that want it
//!                                   └──► held         another request asks for it: wait for its answer
//! held ── after a change of the store: the same question ──► known, free, or still held
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Error;
use crate::identifier::Identifier;
use crate::outcome::{Availability, Outcome, Seen};
use crate::plan::LookupId;
use crate::results::{Origin, Source};

use super::chunk::Chunk;
use super::{Effect, Scheduler};

/// About how many held lookups the store is asked at once.
const MOST_AT_ONCE: usize = 10_000;

/// What the store is asked. Must be answered before the next step.
#[derive(Debug)]
pub struct Question {
    chunk: Chunk,
    /// The first of the rows that named these lookups, if nobody has asked about them before.
    ///
    /// `None`: they are held, and were asked about before.
    from: Option<u64>,
}

/// Lookups that other requests ask for. If those requests get no answer, this run sends the lookups.
///
/// The store does not say when a lookup becomes free. It says that something has changed; then all of them are
/// checked.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// In chunks, because lookups keep their past: see [`Chunk`].
    waiting: Vec<Chunk>,
    /// The chunks about which the store is being asked.
    checking: VecDeque<Chunk>,
    /// The store may know something new about them.
    look_again: bool,
}

impl Held {
    /// Whether no lookup is held by another request.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.checking.is_empty()
    }

    /// All chunks, whether the store is being asked about them or not.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Chunk> {
        self.waiting.iter().chain(&self.checking)
    }

    /// Used when the run ends: it waits for these answers no longer.
    pub(super) fn take_all(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.waiting)
    }

    /// Adds lookups to wait for. Returns whether there were any.
    fn wait_for(&mut self, chunk: Chunk) -> bool {
        let any = !chunk.ids.is_empty();
        // Each chunk costs one question to the store. A slow source would cost one question for each lookup.
        let last = self.waiting.last_mut().filter(|last| last.is_plain() && last.ids.len() < MOST_AT_ONCE);
        match last {
            Some(last) if chunk.is_plain() => last.ids.extend(chunk.ids),
            _ if any => self.waiting.push(chunk),
            _ => {}
        }
        any
    }

    /// Waits for lookups that a claim found to be asked for: they may be over by now.
    pub(super) fn wait_and_look(&mut self, chunk: Chunk) {
        self.look_again |= self.wait_for(chunk);
    }

    /// The next chunk to ask the store about.
    ///
    /// Each waiting chunk is asked about once for each change.
    fn check(&mut self) -> Option<Chunk> {
        if self.checking.is_empty() && !self.waiting.is_empty() && std::mem::take(&mut self.look_again) {
            self.checking = std::mem::take(&mut self.waiting).into();
        }
        self.checking.pop_front()
    }
}

impl Scheduler {
    /// What to ask the store now: first about new rows, once before each wait; then about what is held.
    ///
    /// `None` if there is nothing to ask before the next change of the store.
    pub(super) fn question(&mut self) -> Option<Question> {
        if !std::mem::replace(&mut self.admitted, true) && self.wants_rows() {
            let (from, mut ids) = (self.table.rows(), Vec::new());
            let Self { intake, table, out, .. } = self;
            intake.take_some(|row| table.admit(row, &mut ids, out));
            return Some(Question { chunk: Chunk { ids, ..Chunk::default() }, from: Some(from) });
        }
        if self.held.checking.is_empty() {
            // Another request asked for these when they were named, which may be long ago.
            let ids = self.table.take_awaited();
            self.held.wait_and_look(Chunk { ids, ..Chunk::default() });
        }
        Some(Question { chunk: self.held.check()?, from: None })
    }

    /// The lookups of a question.
    #[must_use]
    pub fn lookups(&self, question: &Question) -> (Vec<LookupId>, Vec<&Identifier>) {
        question.chunk.ids.iter().filter_map(|id| Some((*id, self.table.identifier(*id)?))).unzip()
    }

    /// What the store answered: for each of the [lookups](Self::lookups), whether it may be sent. A store that
    /// cannot be read ends the run.
    pub fn consulted(
        &mut self,
        Question { chunk, from }: Question,
        answer: Result<impl Iterator<Item = (LookupId, Availability)>, Error>,
        now: Instant,
    ) {
        self.now = now;
        let answer = answer.map_err(|error| self.fail(error));
        if let Some(from) = from {
            for (id, availability) in answer.into_iter().flatten() {
                self.admitted(id, availability);
            }
            self.table.activate(from, &mut self.out);
            self.seal_if_complete();
            return;
        }
        // Nobody knows any more what the others get: the run is stopping, and leaves it.
        let Ok(answer) = answer else { return self.again(chunk) };
        let (mut free, mut held) = (Vec::new(), Vec::new());
        for (id, availability) in answer {
            match availability {
                Availability::Free | Availability::Again => free.push(id),
                Availability::Held => held.push(id),
                Availability::Known(outcome, seen) => self.take_over(id, outcome, seen),
            }
        }
        if !free.is_empty() {
            self.again(chunk.with(free));
        }
        self.held.wait_for(chunk.with(held));
    }

    /// Whether a lookup of a new row may be sent.
    ///
    /// With `store_only`, whatever the store does not know ends as not sent.
    fn admitted(&mut self, id: LookupId, availability: Availability) {
        match (availability, &self.store_only) {
            (Availability::Known(outcome, seen), _) => {
                let origin = self.origin(&outcome, seen, self.tally.durable);
                if let (Outcome::Unknown(why), false) = (&outcome, seen.inherited) {
                    self.tally.doubted(why);
                }
                self.table.know(id, outcome, origin);
            }
            (_, Some(why)) => self.table.know(id, Outcome::NotSent(why.clone()), Source::Asked),
            (Availability::Held, None) => self.table.hold(id),
            (Availability::Free | Availability::Again, None) => {}
        }
    }

    /// The source of an answer that this run has not asked for. `stored` says whether the answer was there before
    /// the run came to it. A doubt counts as the store's only if no live run has caused it.
    fn origin(&mut self, outcome: &Outcome, seen: Seen, stored: bool) -> Origin {
        let doubt = matches!(outcome, Outcome::Unknown(_));
        if doubt && seen.inherited {
            self.tally.inherited(seen);
        }
        let source = if seen.inherited || (stored && !doubt) { Source::Store } else { Source::Duplicate };
        Origin { source, fetched_at_ms: (!doubt && seen.at_ms > 0).then_some(seen.at_ms) }
    }

    /// Another request has asked for it meanwhile.
    pub(super) fn take_over(&mut self, id: LookupId, outcome: Outcome, seen: Seen) {
        let origin = self.origin(&outcome, seen, false);
        self.settle(id, outcome, origin);
    }

    /// The store has changed: what is held may be free, and more may be spent.
    pub fn store_changed(&mut self) {
        self.held.look_again = true;
        self.ceilings.stored = None;
    }

    /// These lookups were sent once and will not be sent again: they are unknown, for this run and for others.
    ///
    /// This tells the store so, because it may have freed them in the expectation that this run would send them
    /// again.
    pub(super) fn remember_doubt(&mut self, ids: &[LookupId], doubt: &Arc<str>) {
        let doubted = ids.iter().filter_map(|id| Some((self.table.identifier(*id)?.clone(), doubt.clone())));
        let doubted = doubted.collect();
        self.effects.push(Effect::Doubt(doubted));
        for id in ids {
            self.settle(*id, Outcome::Unknown(doubt.clone()), Source::Asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::identifier::FieldType;
    use crate::plan::{Row, Table};

    use super::*;

    #[test]
    fn held_lookups_without_a_past_are_asked_about_together() {
        let (mut table, mut held) = (Table::default(), Held::default());
        for (number, attempts) in (0..).zip([0, 0, 1, 0, 0]) {
            let (mut ids, mut out) = (Vec::new(), Vec::new());
            let person = Identifier::from_canonical(FieldType::Email, format!("p{number}@x.example"));
            table.admit(Row::One(person), &mut ids, &mut out);
            held.wait_and_look(Chunk { ids, attempts, ..Chunk::default() });
        }
        let asked: Vec<_> = std::iter::from_fn(|| held.check()).map(|chunk| chunk.ids.len()).collect();
        assert_eq!(asked, [2, 1, 2]);
    }
}
