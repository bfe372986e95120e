//! The limits that a run keeps for itself.

use proptest::prelude::*;

use super::*;
use crate::config::Per;
use crate::schedule::limits::{Ceilings, Doubts, Ending, Pauses};
use crate::schedule::next::Blocked;
use crate::store::Room;

const SECOND: Duration = Duration::from_secs(1);

proptest! {
    /// What is left of a ceiling is never exceeded. Less than a chunk goes out only if nothing in flight may yet
    /// cost less than was set aside for it, and if it may buy a contact.
    #[test]
    fn the_last_credits_are_spent_if_they_may_buy_a_contact(
        own in prop::option::of(0_u64..100),
        engine in prop::option::of(0_u64..100),
        stored in prop::option::of((0_u64..100, any::<bool>())),
        (own_reserved, engine_reserved) in (0_u64..20, 0_u64..20),
        (answered, hits) in (0_u64..500).prop_flat_map(|answered| (Just(answered), 0..=answered)),
        size in 1_usize..60,
    ) {
        let now = Instant::now();
        let room = stored.map(|(credits, reserved)| Room { credits, spent: 1, ceiling: 101, per: Per::Store, reserved });
        let (mut own, mut engine) = (Budget::new(own), Budget::new(engine));
        let _ = (own.reserve(own_reserved), engine.reserve(engine_reserved));
        let mut hit_rate = HitRate::default();
        hit_rate.note(answered, hits);
        let ceilings = Ceilings { own, stored: room.map(|room| (room, now + SECOND)), hit_rate };
        let left = ceilings.own.room().min(engine.room()).min(room.map_or(u64::MAX, |room| room.credits));
        let may_grow = ceilings.own.reserved() > 0
            || engine.reserved() > 0
            || room.is_some_and(|room| room.reserved);
        match ceilings.fits(size, &engine) {
            Ok(fits) if fits == size => prop_assert!(left >= size as u64),
            Ok(fits) => {
                prop_assert_eq!(fits as u64, left);
                prop_assert!(fits < size && hit_rate.may_buy(left));
                prop_assert_eq!(ceilings.own.reserved(), 0);
            }
            Err(Blocked::Until(until, _)) => {
                prop_assert!(left < size as u64 && may_grow);
                prop_assert_eq!(until, room.map(|_| now + SECOND));
            }
            Err(Blocked::Over(_)) => prop_assert!(left < size as u64 && !hit_rate.may_buy(left)),
        }
    }

    /// A deadline is only put off for as long as the process was stopped, and then by at least a second.
    #[test]
    fn a_deadline_does_not_count_time_in_which_the_process_was_stopped(
        grace_ms in 0_u64..10_000,
        naps in prop::collection::vec(0_u64..5_000, 0..20),
    ) {
        let start = Instant::now();
        let mut now = start;
        let mut ending = Ending::default();
        prop_assert!(!ending.is_over(now) && ending.look(now).is_none());
        ending.shorten(start + Duration::from_millis(grace_ms));
        ending.shorten(start + 2 * Duration::from_millis(grace_ms));
        let mut stopped = Duration::ZERO;
        for late_ms in naps {
            let Some(until) = ending.look(now) else { break };
            prop_assert!(until > now && until <= now + SECOND);
            let late = Duration::from_millis(late_ms);
            now = until + late;
            ending.woke(until, now);
            if late_ms > 100 {
                stopped += late + SECOND;
                prop_assert!(!ending.is_over(now));
            }
        }
        prop_assert!(ending.deadline.unwrap() <= start + Duration::from_millis(grace_ms) + stopped);
    }
}

#[test]
fn doubt_is_what_is_in_flight_and_what_is_unknown() {
    let mut doubts = Doubts { most: 10, unknown: 0, in_a_row: 0 };
    doubts.unknown += 4;
    assert_eq!((doubts.room(0), doubts.room(5), doubts.room(9)), (6, 1, 0));
    assert_eq!([doubts.unanswered(), doubts.unanswered(), doubts.unanswered()], [false, false, true]);
}

#[test]
fn a_quarter_of_an_hour_of_429s_is_enough_unless_nothing_was_asked_meanwhile() {
    let (start, minute) = (Instant::now(), Duration::from_mins(1));
    let mut pauses = Pauses::default();
    let limited: Vec<bool> = (0..=16).map(|number| pauses.limited(start + number * minute, minute)).collect();
    assert_eq!(limited.iter().position(|limited| *limited), Some(16));
    let mut pauses = Pauses::default();
    assert!(!(0..=16).any(|number| pauses.limited(start + number * 3 * minute, minute)));
}
