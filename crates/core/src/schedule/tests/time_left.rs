//! The time that is left, as the progress shows it.

use super::*;

#[test]
fn the_time_left_counts_a_pause() {
    let (mut scheduler, now) = started(Config { max_concurrency: 1, ..of_ten() }, 0..30);
    let first = sent(next(&mut scheduler, now));
    land(&mut scheduler, first.number, hits(&first), now + SECOND);
    let second = sent(next(&mut scheduler, now + SECOND));
    let minute = 60 * SECOND;
    scheduler.limits.rate.pause(now + SECOND + minute);
    land(&mut scheduler, second.number, Report::of(failed(Verdict::Paused(minute))), now + SECOND);
    assert_eq!(scheduler.report(now + SECOND).2.limited_by, LimitedBy::Pause);
    // Two more requests, each of which takes at most a second.
    let left_s = scheduler.report(now + SECOND).2.left_s.unwrap();
    assert!((60.0..63.0).contains(&left_s), "{left_s}");
    let logged = scheduler.effects().filter_map(|effect| match effect {
        Effect::Log(entry) => Some((entry.kind, entry.lookups, entry.wait)),
        _ => None,
    });
    assert_eq!(logged.collect::<Vec<_>>(), [(LogKind::Paused, 10, minute)]);
}

/// The progress of a run of `rows_of_run` rows, after `fed` of them were fed and ten requests were answered within a
/// second.
fn after_ten_requests(rows_of_run: u64, fed: usize, requests_per_minute: u32) -> Progress {
    let now = Instant::now();
    let config = Config { requests_per_minute, ..of_ten() };
    let options = RunOptions { rows: Some(rows_of_run), ..RunOptions::default() };
    let mut scheduler = scheduler(config, &options, now);
    scheduler.feed(rows(0..fed), Vec::new());
    for _ in 0..10 {
        let request = sent(next(&mut scheduler, now));
        land(&mut scheduler, request.number, hits(&request), now + SECOND);
    }
    scheduler.report(now + SECOND).2
}

#[test]
fn the_time_left_counts_rows_that_are_still_to_be_read() {
    for fed in [100, 200, 400] {
        let progress = after_ten_requests(400, fed, 1_000);
        assert_eq!(progress.requests_left, 30, "{fed}");
        // Ten requests took a second.
        assert!((2.9..3.1).contains(&progress.left_s.unwrap()), "{fed}: {progress:?}");
    }
}

#[test]
fn the_time_left_is_no_less_than_the_rate_allows() {
    // Ten requests a minute: the next ten begin after 61 s, the last of the thirty after three times as long.
    for (rows_of_run, left_s) in [(100, 0.0), (110, 60.0), (200, 60.0), (201, 121.0), (400, 182.0)] {
        let progress = after_ten_requests(rows_of_run, 100, 10);
        assert!((progress.left_s.unwrap() - left_s).abs() < 1.0, "{rows_of_run}: {progress:?}");
    }
}
