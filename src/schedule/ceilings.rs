//! Credits: the run's own ceiling, and what it was told of ceilings that others keep.

use std::time::{Duration, Instant};

use crate::budget::{Budget, HitRate, Room};

use super::next::Blocked;
use super::trouble;

/// How long a run believes what the store says is left of its ceiling: others change it.
const BELIEVED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Ceilings {
    pub(super) own: Budget,
    /// What the store last said is left of a ceiling that it keeps, and until when to believe it.
    stored: Option<(Room, Instant)>,
    pub(super) hit_rate: HitRate,
}

impl Ceilings {
    pub(super) fn new(own: Option<u64>) -> Self {
        Self { own: Budget::new(own), stored: None, hit_rate: HitRate::default() }
    }

    pub(super) fn believe(&mut self, room: Room, now: Instant) {
        self.stored = Some((room, now + BELIEVED));
    }

    pub(super) fn forget_stored(&mut self) {
        self.stored = None;
    }

    pub(super) fn forget_stale(&mut self, now: Instant) {
        self.stored = self.stored.filter(|(_, until)| now < *until);
    }

    /// Whether a change of the store may let more be spent.
    pub(super) const fn waits_for_store(&self) -> bool {
        self.stored.is_some()
    }

    /// How many of so many lookups may be sent if each of them costs a credit. `engine` is the budget that the
    /// runs of the engine share.
    pub(super) fn fits(&self, size: usize, engine: &Budget) -> Result<usize, Blocked> {
        let (shared, own) = (engine.room(), self.own.room());
        let stored = self.stored.map_or(u64::MAX, |(room, _)| room.credits);
        let room = shared.min(own).min(stored);
        if room >= size as u64 {
            return Ok(size);
        }
        // What is in flight may cost less than was set aside for it: wait, and do not waste requests on a few
        // lookups each.
        let tightest = |this: u64| this <= room;
        let reserved = self.own.reserved() > 0
            || (tightest(shared) && engine.reserved() > 0)
            || (tightest(stored) && self.stored.is_some_and(|(room, _)| room.reserved));
        if reserved {
            return Err(Blocked::Until(self.stored.map(|(_, until)| until), "max_credits"));
        }
        if self.hit_rate.likely_buys(room) {
            return Ok(usize::try_from(room).unwrap_or(size));
        }
        Err(Blocked::Over(match self.stored {
            Some((room, _)) if tightest(stored) => trouble::ceiling_reached(room.ceiling, Some(room.spent)),
            _ if tightest(shared) => trouble::ceiling_reached(engine.ceiling().unwrap_or_default(), None),
            _ => trouble::ceiling_reached(self.own.ceiling().unwrap_or_default(), None),
        }))
    }
}
