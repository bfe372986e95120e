//! Single decisions.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::config::OnUnknown;
use crate::error::ErrorKind;
use crate::outcome::Seen;
use crate::results::Status;
use crate::store::RequestId;

fn statuses(scheduler: &mut Scheduler, now: Instant) -> Vec<(u64, Status)> {
    let mut outcomes = scheduler.report(now).0;
    outcomes.sort_unstable_by_key(|outcome| outcome.row);
    outcomes.into_iter().map(|outcome| (outcome.row, outcome.status)).collect()
}

proptest! {
    /// Halving a refused chunk asks for every part once, finds refused records that are few, and answers the others.
    #[test]
    fn a_split_loses_and_repeats_nothing(
        size in 1_usize..300,
        guilty in prop::collection::btree_set(0_usize..300, 1..5),
    ) {
        let config = Config { chunk_size: size, max_in_doubt: 1_000, ..Config::default() };
        let (mut scheduler, now) = started(config, 1_000..1_000 + size);
        scheduler.intake.over = false;
        let request = sent(next(&mut scheduler, now));
        land(&mut scheduler, request.number, hits(&request), now);
        scheduler.feed(rows(0..size), Vec::new());
        scheduler.finish();

        let guilty: HashSet<Identifier> = guilty.into_iter().filter(|one| *one < size).map(email).collect();
        let (mut requests, mut accepted) = (0, HashSet::new());
        while let Step::Send(request) = next(&mut scheduler, now) {
            requests += 1;
            let report = if request.identifiers.iter().any(|one| guilty.contains(one)) {
                Report::of(failed(Verdict::Refused(422)))
            } else {
                for identifier in &request.identifiers {
                    prop_assert!(accepted.insert(identifier.clone()), "asked for twice: {identifier:?}");
                }
                hits(&request)
            };
            land(&mut scheduler, request.number, report, now);
        }
        prop_assert!(requests <= 1 + 22);
        let statuses = statuses(&mut scheduler, now);
        prop_assert_eq!(statuses.len(), 2 * size);
        let count = |status| statuses.iter().filter(|(_, one)| *one == status).count();
        let (rejected, left) = (count(Status::Rejected), count(Status::NotSent));
        prop_assert_eq!(count(Status::Found), size + accepted.len());
        prop_assert_eq!(rejected + left + accepted.len(), size);
        prop_assert!(rejected <= guilty.len());
        if guilty.len() <= 1 {
            prop_assert_eq!((rejected, left), (guilty.len(), 0));
        }
    }
}

#[test]
fn a_record_that_is_too_large_does_not_make_the_other_requests_small() {
    for guilty in [0, 700, 3_999] {
        let config =
            Config { chunk_size: 1_000, max_in_doubt: 10_000, max_concurrency: 1, ..Config::default() };
        let (mut scheduler, now) = started(config, 0..20_000);
        let (mut sizes, large) = (Vec::new(), email(guilty));
        while let Step::Send(request) = next(&mut scheduler, now) {
            sizes.push(request.identifiers.len());
            let is_large = request.identifiers.contains(&large);
            let report = if is_large { Report::of(failed(Verdict::TooLarge)) } else { hits(&request) };
            land(&mut scheduler, request.number, report, now);
        }
        // Twenty full ones, ten to find the record, ten to grow, and some that are not full.
        assert!(sizes.len() <= 50, "{guilty}: {sizes:?}");
        let statuses = statuses(&mut scheduler, now);
        assert_eq!(statuses.iter().filter(|(_, status)| *status == Status::Rejected).count(), 1);
        assert_eq!(statuses.iter().filter(|(_, status)| *status == Status::Found).count(), 19_999);
    }
}

#[test]
fn requests_stay_small_if_the_service_takes_only_small_ones() {
    let config = Config { chunk_size: 1_000, max_in_doubt: 10_000, max_concurrency: 1, ..Config::default() };
    let (mut scheduler, now) = started(config, 0..20_000);
    let (mut refused, large) = (0, email(2_500));
    while let Step::Send(request) = next(&mut scheduler, now) {
        let is_large = request.identifiers.len() > 300 || request.identifiers.contains(&large);
        refused += u32::from(is_large);
        let report = if is_large { Report::of(failed(Verdict::TooLarge)) } else { hits(&request) };
        land(&mut scheduler, request.number, report, now);
    }
    // 1000 and 500; 250, 125, … 1 with the large record; and once more than 300 when they had grown.
    assert!(refused <= 12, "{refused}");
    let statuses = statuses(&mut scheduler, now);
    assert_eq!(statuses.iter().filter(|(_, status)| *status == Status::Rejected).count(), 1);
    assert_eq!(statuses.iter().filter(|(_, status)| *status == Status::Found).count(), 19_999);
}

#[test]
fn a_wrong_request_is_known_after_twelve_refused_parts_one_at_a_time() {
    let config = Config { chunk_size: 1_000, ..Config::default() };
    let (mut scheduler, now) = started(config, 0..5_000);
    let first = sent(next(&mut scheduler, now));
    land(&mut scheduler, first.number, Report::of(failed(Verdict::Refused(400))), now);
    for _ in 0..12 {
        let part = sent(next(&mut scheduler, now));
        slept(next(&mut scheduler, now));
        land(&mut scheduler, part.number, Report::of(failed(Verdict::Refused(400))), now);
    }
    assert!(matches!(next(&mut scheduler, now), Step::Done));
    assert_eq!(scheduler.troubles()[0].kind(), ErrorKind::BadRequest);
}

#[test]
fn a_stop_sends_nothing_new_and_gives_what_is_in_flight_its_grace() {
    let config = Config { max_concurrency: 1, max_retries: 9, ..of_ten() };
    let (mut scheduler, now) = started(config, 0..30);
    let retried = sent(next(&mut scheduler, now));
    land(&mut scheduler, retried.number, Report::of(busy(Some(5 * SECOND))), now);
    let in_flight = sent(next(&mut scheduler, now));
    scheduler.stop(3 * SECOND, now);
    scheduler.stop(9 * SECOND, now);
    let nap = slept(next(&mut scheduler, now));
    assert_eq!(nap.until, Some(now + SECOND), "a clock that may stand still is looked at often");
    let left: Vec<_> = (0..10).chain(20..30).map(|row| (row, Status::NotSent)).collect();
    assert_eq!(statuses(&mut scheduler, now), left);
    assert!(matches!(next(&mut scheduler, now + 3 * SECOND), Step::GiveUp));
    scheduler.give_up("12:00:00 UTC");
    assert!(matches!(next(&mut scheduler, now + 3 * SECOND), Step::Done));
    assert!(statuses(&mut scheduler, now).iter().all(|(_, status)| *status == Status::Unknown));
    land(&mut scheduler, in_flight.number, hits(&in_flight), now + 4 * SECOND);
    assert!(statuses(&mut scheduler, now).is_empty());
    assert_eq!((scheduler.tally.receipt.credits, scheduler.tally.receipt.credits_in_doubt), (0, 10));
}

#[test]
fn a_fatal_answer_stops_the_run_and_warns_at_once() {
    let (mut scheduler, now) = started(Config { max_concurrency: 2, ..of_ten() }, 0..50);
    let (first, second) = (sent(next(&mut scheduler, now)), sent(next(&mut scheduler, now)));
    let error = Error::new(ErrorKind::Authentication, "401");
    land(&mut scheduler, first.number, Report::of(failed(Verdict::Fatal(error))), now);
    assert!(
        scheduler.effects().any(|effect| matches!(effect, Effect::Warn(troubles) if troubles.len() == 1))
    );
    slept(next(&mut scheduler, now));
    land(&mut scheduler, second.number, hits(&second), now);
    assert!(matches!(next(&mut scheduler, now), Step::Done));
    let found = statuses(&mut scheduler, now).iter().filter(|(_, status)| *status == Status::Found).count();
    assert_eq!(found, 10);
}

#[test]
fn the_last_credits_are_spent_once_nothing_in_flight_may_free_more() {
    let now = Instant::now();
    let options = RunOptions { max_credits: Some(14), ..RunOptions::default() };
    let mut scheduler = scheduler(of_ten(), &options, now);
    scheduler.feed(rows(0..100), Vec::new());
    scheduler.finish();
    let first = sent(next(&mut scheduler, now));
    slept(next(&mut scheduler, now));
    assert_eq!(scheduler.report(now).2.limited_by, LimitedBy::MaxCredits);
    land(&mut scheduler, first.number, hits(&first), now);
    let last = sent(next(&mut scheduler, now));
    assert_eq!(last.identifiers.len(), 4);
    land(&mut scheduler, last.number, hits(&last), now);
    assert!(matches!(next(&mut scheduler, now), Step::Done));
    assert_eq!(scheduler.troubles()[0].kind(), ErrorKind::BudgetExceeded);
    assert_eq!(scheduler.tally.receipt.credits, 14);
}

#[test]
fn a_partial_chunk_waits_a_second_for_a_slow_source_and_at_the_end_for_what_may_fill_it() {
    let now = Instant::now();
    let mut scheduler = scheduler(of_ten(), &RunOptions::default(), now);
    scheduler.feed(rows(0..3), Vec::new());
    assert_eq!(slept(next(&mut scheduler, now)).until, Some(now + SECOND));
    assert_eq!(sent(next(&mut scheduler, now + SECOND)).identifiers.len(), 3);

    let mut scheduler = self::scheduler(of_ten(), &RunOptions::default(), now);
    scheduler
        .feed((0..10).map(|number| list(&[number, 100 + number])).chain(rows(50..53)).collect(), Vec::new());
    scheduler.finish();
    let lists = sent(next(&mut scheduler, now));
    assert_eq!(slept(next(&mut scheduler, now)).until, None);
    land(&mut scheduler, lists.number, Report::of(answered(vec![Outcome::Miss; 10])), now);
    assert_eq!(sent(next(&mut scheduler, now)).identifiers.len(), 10);
}

#[test]
fn an_unknown_is_sent_again_only_if_told_so_and_what_is_left_of_it_stays_a_doubt() {
    let (mut scheduler, now) = started(of_ten(), 0..10);
    let request = sent(next(&mut scheduler, now));
    assert!(!request.resends);
    land(&mut scheduler, request.number, Report::of(lost()), now);
    assert!(matches!(next(&mut scheduler, now), Step::Done));

    let (mut scheduler, now) = started(Config { on_unknown: OnUnknown::Resend, ..of_ten() }, 0..10);
    let request = sent(next(&mut scheduler, now));
    assert!(request.resends);
    land(&mut scheduler, request.number, Report::of(lost()), now);
    let due = slept(next(&mut scheduler, now)).until.unwrap();
    assert_eq!(due, now + Duration::from_millis(250), "half of half a second");
    scheduler.stop(SECOND, due);
    let doubts: Vec<_> = scheduler.effects().filter(|effect| matches!(effect, Effect::Doubt(_))).collect();
    assert!(matches!(&doubts[..], [Effect::Doubt(lookups)] if lookups.len() == 10));
    assert!(matches!(next(&mut scheduler, due), Step::Done));
    assert!(statuses(&mut scheduler, now).iter().all(|(_, status)| *status == Status::Unknown));
}

#[test]
fn what_another_request_asks_for_is_sent_once_it_is_free() {
    let (mut scheduler, now) = started(of_ten(), 0..2);
    assert!(slept(next_if(&mut scheduler, now, &Availability::Held)).store);
    scheduler.store_changed();
    assert!(slept(next_if(&mut scheduler, now, &Availability::Held)).store);
    scheduler.store_changed();
    assert_eq!(sent(next(&mut scheduler, now)).identifiers, [email(0), email(1)]);
}

#[test]
fn what_the_store_knows_is_not_sent() {
    let (mut scheduler, now) = started(of_ten(), 0..2);
    let known = Availability::Known(hit(), Seen { at_ms: 7, inherited: true, in_doubt: 0 });
    assert!(matches!(next_if(&mut scheduler, now, &known), Step::Done));
    let outcomes = scheduler.report(now).0;
    assert!(outcomes.iter().all(|row| row.source == Source::Store && row.fetched_at_ms == Some(7)));

    let options = RunOptions { store_only: true, ..RunOptions::default() };
    let mut scheduler = self::scheduler(of_ten(), &options, now);
    scheduler.feed(rows(0..3), Vec::new());
    scheduler.finish();
    assert!(matches!(next(&mut scheduler, now), Step::Done));
    assert!(statuses(&mut scheduler, now).iter().all(|(_, status)| *status == Status::NotSent));
}

#[test]
fn what_is_stored_late_no_longer_counts_as_not_stored() {
    let (mut scheduler, now) = started(Config { max_concurrency: 3, ..of_ten() }, 0..30);
    for number in 0..3 {
        let request = sent(next(&mut scheduler, now));
        let outcome = if number == 2 { failed(Verdict::Refused(400)) } else { hits(&request).outcome };
        let report = Report { not_stored: Some(RequestId(number)), ..Report::of(outcome) };
        land(&mut scheduler, request.number, report, now);
    }
    assert_eq!(scheduler.unstored(), [RequestId(0), RequestId(1)], "the third one had no answers");
    assert_eq!(scheduler.tally.receipt.not_stored, 20);
    scheduler.stored_late(&[RequestId(1)]);
    assert_eq!((scheduler.unstored(), scheduler.tally.receipt.not_stored), (vec![RequestId(0)], 10));
    scheduler.stop(SECOND, now);
    assert_eq!(scheduler.unstored(), [], "there is no time to try again");
}

/// With a short window, the store answers a later row. What it would let the run send again, the run remembers itself.
#[test]
fn a_short_window_ends_with_what_the_store_does_not_answer() {
    let doubt = || Outcome::Unknown("lost".into());
    let stored = |outcome| Report::of(answered(vec![outcome]));
    for (report, remembered) in [
        (stored(hit()), false),
        (stored(Outcome::Miss), false),
        (stored(doubt()), true),
        (stored(Outcome::Rejected("bad".into())), true),
        (Report { not_stored: Some(RequestId(1)), ..stored(hit()) }, true),
        (Report { withheld: 1, ..stored(hit()) }, true),
    ] {
        let (now, config) = (Instant::now(), Arc::new(Config { chunk_size: 1, ..Config::default() }));
        let options = RunOptions { window: Some(0), ..RunOptions::default() };
        let limits = limits_of(&config, None);
        let mut scheduler = Scheduler::new(config, &options, limits, true, Box::new(|| 0.5), now);
        let mut report = Some(report);
        for person in [0, 1, 2] {
            scheduler.feed(rows([person]), Vec::new());
            let request = sent(next(&mut scheduler, now));
            let report = report.take().unwrap_or_else(|| stored(hit()));
            land(&mut scheduler, request.number, report, now);
        }
        scheduler.feed(rows([0]), Vec::new());
        let again = matches!(next(&mut scheduler, now), Step::Send(_));
        assert_eq!(again, !remembered);
    }
}

#[test]
fn what_was_not_claimed_is_not_taken_for_sent() {
    let (mut scheduler, now) = started(of_ten(), 0..4);
    let request = sent(next(&mut scheduler, now));
    let known = Availability::Known(Outcome::Miss, Seen::default());
    let claimed = vec![Availability::Free, Availability::Held, known, Availability::Again];
    let report = Report { claimed, at_ms: 5, ..Report::of(answered(vec![hit(), Outcome::Miss])) };
    land(&mut scheduler, request.number, report, now);
    let nap = slept(next_if(&mut scheduler, now, &Availability::Held));
    assert!(nap.store);
    let expected = [(0, Status::Found), (2, Status::NotFound), (3, Status::NotFound)];
    assert_eq!(statuses(&mut scheduler, now), expected);
    let receipt = &scheduler.tally.receipt;
    assert_eq!((receipt.sent, receipt.bought_again, receipt.credits), (2, 1, 1));
}

#[test]
fn a_slow_reader_and_a_full_store_hold_a_run_back() {
    let (mut scheduler, now) = started(of_ten(), 0..40);
    sent(next(&mut scheduler, now));
    assert!(matches!(scheduler.next(now, 4_000), Step::Sleep(nap) if nap.until.is_none()));
    let request = sent(next(&mut scheduler, now));
    land(&mut scheduler, request.number, Report::of(AttemptOutcome::NotBefore(SECOND)), now);
    assert_eq!(slept(next(&mut scheduler, now)).until, Some(now + SECOND));
    assert_eq!(scheduler.report(now).2.limited_by, LimitedBy::RequestsPerMinute);
    assert_eq!(sent(next(&mut scheduler, now + SECOND)).identifiers, request.identifiers);
}

#[test]
fn a_slow_reader_holds_back_the_answers_of_the_store() {
    let (mut scheduler, now) = started(of_ten(), 0..40_000);
    let known = Availability::Known(Outcome::Miss, Seen::default());
    let behind = |scheduler: &mut Scheduler| loop {
        match scheduler.next(now, 4_000) {
            Step::Consult(question) => {
                let (ids, _) = scheduler.lookups(&question);
                scheduler.consulted(question, Ok(ids.into_iter().map(|id| (id, known.clone()))), now);
            }
            Step::More => {}
            step => return step,
        }
    };
    assert!(slept(behind(&mut scheduler)).until.is_none());
    assert_eq!(scheduler.report(now).0.len(), 0);
    assert!(matches!(scheduler.next(now, 3_999), Step::Consult(_)), "the reader has taken some");

    let (mut stopped, now) = started(of_ten(), 0..40_000);
    assert!(slept(behind(&mut stopped)).until.is_none());
    stopped.stop(SECOND, now);
    assert!(matches!(behind(&mut stopped), Step::Done), "its reader may have gone");
    assert_eq!(stopped.report(now).0.len(), 40_000);
}

#[test]
fn a_row_that_stands_for_several_counts_as_these() {
    let now = Instant::now();
    let mut scheduler = scheduler(of_ten(), &RunOptions::default(), now);
    scheduler.feed(vec![Row::One(email(0)), Row::Missing, Row::One(email(1))], vec![5, 3, 1]);
    scheduler.feed(rows([0]), Vec::new());
    scheduler.feed(rows([2]), vec![4]);
    scheduler.finish();
    assert_eq!(scheduler.report(now).2.rows, 14, "before anything is admitted");
    let request = sent(next(&mut scheduler, now));
    assert_eq!(request.identifiers.len(), 3);
    let outcomes = vec![hit(), Outcome::Miss, Outcome::Unknown("lost".into())];
    land(&mut scheduler, request.number, Report::of(answered(outcomes)), now);
    assert!(matches!(next(&mut scheduler, now), Step::Done));
    let (_, receipt, progress) = scheduler.report(now);
    let by_status = |status| receipt.count(status);
    assert_eq!((by_status(Status::Found), by_status(Status::Missing)), (6, 3));
    assert_eq!((by_status(Status::NotFound), by_status(Status::Unknown)), (1, 4));
    assert_eq!((receipt.rows, receipt.duplicates, receipt.found_duplicates), (14, 8, 5));
    assert_eq!((receipt.sent, receipt.requests, receipt.credits), (3, 1, 1));
    assert_eq!((progress.rows, progress.done), (14, 14));
}

#[test]
fn what_the_store_answers_counts_for_every_equal_row() {
    let now = Instant::now();
    let mut scheduler = scheduler(of_ten(), &RunOptions::default(), now);
    scheduler.feed(rows([0]), vec![7]);
    scheduler.finish();
    let known = Availability::Known(hit(), Seen { inherited: true, ..Seen::default() });
    assert!(matches!(next_if(&mut scheduler, now, &known), Step::Done));
    let receipt = scheduler.report(now).1;
    assert_eq!((receipt.from_store, receipt.found_from_store, receipt.duplicates), (7, 7, 0));
}

#[test]
fn a_run_may_send_smaller_requests_at_once() {
    let now = Instant::now();
    for (chunk_size, lookups) in [(Some(3), Some(3)), (Some(50), None), (None, None)] {
        let options = RunOptions { chunk_size, ..RunOptions::default() };
        let mut scheduler = scheduler(of_ten(), &options, now);
        scheduler.feed(rows(0..3), Vec::new());
        // Fewer than a chunk wait for more rows.
        let request = match next(&mut scheduler, now) {
            Step::Send(request) => Some(request.identifiers.len()),
            _ => None,
        };
        assert_eq!(request, lookups, "{chunk_size:?}");
    }
}
