//! A run that is stopped, and its grace.

use std::sync::Arc;
use std::time::Duration;

use exactbuyer_core::config::{BodyFormat, Config};
use exactbuyer_core::results::Status;
use exactbuyer_dispatch::{Engine, RunOptions};
use tokio::time::{Instant, sleep, timeout};

use super::broken::Breaking;
use super::{Seen, Told, engine, finish, found, paused, person, start};

#[test]
fn a_stopped_run_outlasts_its_grace_for_nobodys_sake() {
    let hour = Duration::from_hours(1);
    paused(async {
        let (engine, seen) = engine(Config::default(), hour, |_, values| Ok(found(values, |_| true)));
        let asking = start(&engine, 0..4_000);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(seen.lock().unwrap().len(), 4, "another run asks for all of these");

        // What the other one asks for comes last: more rows before it than are admitted at once.
        let began = Instant::now();
        let stopped = start(&engine, (10_000..50_000).chain(0..4_000));
        let grace = Duration::from_secs(5);
        stopped.stop(grace);
        let done = finish(&stopped, &seen).await;
        assert_eq!(done.receipt.count(Status::NotSent), 44_000);
        assert!(began.elapsed() <= grace, "{:?}", began.elapsed());

        let began = Instant::now();
        let stopped = start(&engine, (10_000..50_000).chain(0..4_000));
        stopped.stop(Duration::ZERO);
        let done = finish(&stopped, &seen).await;
        assert_eq!(done.receipt.count(Status::NotSent), 44_000);
        assert!(began.elapsed().is_zero(), "{:?}", began.elapsed());
        assert_eq!(finish(&asking, &seen).await.receipt.count(Status::Found), 4_000);
    });
}

/// The process is stopped within the grace, and goes on long after it: what came meanwhile is read.
#[test]
fn a_grace_does_not_run_out_while_the_process_is_stopped() {
    let done = paused(async {
        let answer = |_: usize, values: &[String]| Ok(found(values, |_| true));
        let (engine, seen) = engine(Config::default(), Duration::from_secs(3), answer);
        let run = start(&engine, 0..5);
        while seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        run.stop(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::time::advance(Duration::from_hours(8)).await;
        finish(&run, &seen).await
    });
    assert_eq!(done.statuses(), [Status::Found; 5]);
}

/// Whatever happens to the task of a request, the next one goes out, and what it sent is not sent again.
#[test]
fn a_request_whose_task_panics_is_in_doubt_for_everybody_and_frees_its_slot() {
    let config = Config { max_concurrency: 1, chunk_size: 1, ..Config::default() };
    paused(async {
        let (engine, seen) = engine(config, Duration::from_secs(1), |number, values| {
            if number == 1 {
                // A panic that is not printed.
                std::panic::resume_unwind(Box::new("the transport has a bug"));
            }
            Ok(found(values, |_| true))
        });
        let run = start(&engine, 0..2);
        while seen.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let other = start(&engine, 0..1);
        let patience = Duration::from_hours(1);
        let done = timeout(patience, finish(&run, &seen)).await.expect("the slot is free again");
        assert_eq!(done.statuses(), [Status::Unknown, Status::Found]);
        assert_eq!((done.receipt.credits, done.receipt.credits_in_doubt), (1, 1));
        let other = timeout(patience, finish(&other, &seen)).await.expect("nobody asks any more");
        assert_eq!(other.statuses(), [Status::Unknown]);
        assert_eq!(other.seen.len(), 2);
    });
}

/// An engine whose store is slow, and what the service sees.
fn engine_of(store: Breaking) -> (Engine, Seen) {
    let seen = Seen::default();
    let answer = Arc::new(|_: usize, values: &[String]| Ok(found(values, |_| true)));
    let transport = Told { latency: Duration::from_secs(1), answer, seen: seen.clone() };
    let config = Config { body: BodyFormat::Json, ..Config::default() };
    (Engine::seeded(config, Arc::new(transport), Arc::new(store), 1), seen)
}

/// A claim waits as long as another program holds the store's lock, and the run may be stopped meanwhile.
#[test]
fn a_request_that_waits_for_its_claim_is_not_sent_after_a_stop() {
    for (grace_s, status, requests, in_doubt) in [(60, Status::NotSent, 0, 0), (5, Status::Unknown, 1, 10)] {
        paused(async {
            let (engine, seen) = engine_of(Breaking::slow(Duration::ZERO, Duration::from_secs(15)));
            let stopped = start(&engine, 0..10);
            sleep(Duration::from_secs(1)).await;
            stopped.stop(Duration::from_secs(grace_s));
            let done = finish(&stopped, &seen).await;
            assert_eq!(done.receipt.count(status), 10);
            assert_eq!((done.receipt.requests, done.receipt.credits_in_doubt), (requests, in_doubt));
            sleep(Duration::from_mins(1)).await;
            assert_eq!(seen.lock().unwrap().len(), 0, "nothing was sent");

            // What it had claimed is free again.
            let done = finish(&start(&engine, 0..10), &seen).await;
            assert_eq!((done.receipt.count(Status::Found), done.seen.len()), (10, 1));
        });
    }
}

/// While the task of a run waits for the store, it reads no events. Its requests see the stop all the same.
#[test]
fn a_stop_is_seen_by_requests_while_the_task_of_the_run_waits_for_the_store() {
    paused(async {
        let (consult, claim) = (Duration::from_secs(3), Duration::from_secs(5));
        let (engine, seen) = engine_of(Breaking::slow(consult, claim));
        let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
        run.feed((0..1_000).map(person).collect(), Vec::new());
        // A full request waits for its claim from the third second to the eighth.
        sleep(Duration::from_secs(6)).await;
        // The task asks the store about this row until the ninth.
        run.feed(vec![person(1_000)], Vec::new());
        sleep(Duration::from_secs(1)).await;
        run.finish();
        run.stop(Duration::from_mins(1));
        let done = finish(&run, &seen).await;
        assert_eq!((done.receipt.count(Status::NotSent), done.seen.len()), (1_001, 0));
    });
}
