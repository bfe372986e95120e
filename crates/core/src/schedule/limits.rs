//! The limits that a run keeps for itself: on credits, on unknown lookups, on requests and on time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::budget::{Budget, HitRate};
use crate::message::Message;
use crate::policy::LONGEST_PAUSE;
use crate::service::limits::WINDOW;
use crate::store::Room;

use super::next::Blocked;
use super::tally::LimitedBy;
use super::trouble;

/// How long a run relies on the store's last word about the credits that are left: other processes change this
/// number.
const BELIEVED: Duration = Duration::from_secs(1);

/// Unknown replies in a row after which a run stops: a gateway that charges and then fails must not use up the
/// whole list.
const MOST_UNKNOWN_IN_A_ROW: u32 = 3;

/// How often the clock is read while there is a deadline.
const SLICE: Duration = Duration::from_secs(1);

/// A run that wakes later than this was held up: its process was stopped, or its machine slept.
const LATE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Ceilings {
    /// The limit of this run; the enricher's own is in [`Limits`](super::Limits).
    pub(super) own: Budget,
    /// The credits that were left of the store's limit when the store was last asked, and until when to rely on
    /// that.
    pub(super) stored: Option<(Room, Instant)>,
    /// How many of the answers so far were hits: whether the few credits that are left are worth a request.
    pub(super) hit_rate: HitRate,
}

impl Ceilings {
    /// Called when the store has refused a claim because it would exceed the limit.
    pub(super) fn believe(&mut self, room: Room, now: Instant) {
        self.stored = Some((room, now + BELIEVED));
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
            return Err(Blocked::Until(self.stored.map(|(_, until)| until), LimitedBy::MaxCredits));
        }
        if self.hit_rate.may_buy(room) {
            return Ok(usize::try_from(room).unwrap_or(size));
        }
        Err(Blocked::Over(match self.stored {
            Some((room, _)) if tightest(stored) => trouble::stored_ceiling_reached(&room),
            _ if tightest(shared) => trouble::ceiling_reached(engine.ceiling(), room),
            _ => trouble::ceiling_reached(self.own.ceiling(), room),
        }))
    }
}

/// Lookups that may have been charged and whose answers are not known.
#[derive(Debug)]
pub(super) struct Doubts {
    /// Most lookups in flight or unknown.
    pub(super) most: usize,
    /// Lookups that became unknown, each time they did.
    pub(super) unknown: usize,
    /// Unknown replies since the last answer.
    pub(super) in_a_row: u32,
}

impl Doubts {
    /// How many more lookups may be sent while so many are in flight.
    pub(super) const fn room(&self, in_flight: usize) -> usize {
        self.most.saturating_sub(in_flight + self.unknown)
    }

    /// Counts a request without any answer that was or may have been charged. Returns whether there were too many in
    /// a row.
    pub(super) const fn unanswered(&mut self) -> bool {
        self.in_a_row += 1;
        self.in_a_row >= MOST_UNKNOWN_IN_A_ROW
    }
}

/// The pauses that the run has to keep.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// Other processes that share the store have used up the rate until then.
    pub(super) not_before: Option<Instant>,
    /// Since when every reply was a 429, and until when the last one asked to wait.
    pub(super) limited: Option<(Instant, Instant)>,
}

impl Pauses {
    /// Whether a 429 that asks to wait until then makes the pause longer, by more than the time between two replies.
    pub(super) fn lengthens(&self, until: Instant) -> bool {
        self.limited.is_none_or(|(_, known)| known + Duration::from_secs(1) < until)
    }

    /// Notes another 429. Returns whether there have been only 429s for longer than the longest pause: then
    /// waiting does not help. Time in which nothing was sent does not count.
    pub(super) fn limited(&mut self, now: Instant, wait: Duration) -> bool {
        let since = match self.limited {
            Some((since, until)) if now <= until + WINDOW => since,
            _ => now,
        };
        self.limited = Some((since, now + wait));
        now.saturating_duration_since(since) > LONGEST_PAUSE
    }
}

/// How the run stops.
///
/// Once there is a reason, nothing new is sent any more.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Why nothing new is sent, once the run stops.
    pub(super) reason: Option<Arc<Message>>,
    /// Until when requests in flight may still take.
    pub(super) deadline: Option<Instant>,
}

impl Ending {
    /// Sets the deadline, or brings it forward.
    pub(super) fn shorten(&mut self, until: Instant) {
        self.deadline = Some(self.deadline.map_or(until, |known| known.min(until)));
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// When to look at the clock again.
    pub(super) fn look(&self, now: Instant) -> Option<Instant> {
        self.deadline.filter(|deadline| *deadline > now).map(|deadline| deadline.min(now + SLICE))
    }

    /// A sleep that was to end at `until` is over. Time in which this process was stopped does not count, and
    /// what has arrived meanwhile is read before it is given up.
    pub(super) fn woke(&mut self, until: Instant, now: Instant) {
        let late = now.saturating_duration_since(until);
        if let Some(deadline) = self.deadline.filter(|_| late > LATE) {
            self.deadline = Some((deadline + late).max(now + SLICE));
        }
    }
}
