//! Single promises of the engine, each shown by one run against a vendor that does as told, under
//! a paused clock. What holds in every run is the simulation's to show.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod broken;
mod stopping;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use exactbuyer_core::config::{BodyFormat, Config};
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::identifier::{FieldType, Identifier};
use exactbuyer_core::plan::Row;
use exactbuyer_core::results::{Receipt, RowOutcome, Status};
use exactbuyer_core::service::transport::{Failure, Lost, Reply, Request, Transport};
use exactbuyer_dispatch::{Engine, Run, RunOptions};
use exactbuyer_store::MemoryStore;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

/// How a request is answered.
type Answer = dyn Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync;

/// When each request came, and for how many.
type Seen = Arc<Mutex<Vec<(Instant, usize)>>>;

/// Answers each request after a while as the test says, and notes when it came and for how many.
struct Told {
    latency: Duration,
    answer: Arc<Answer>,
    seen: Seen,
}

impl Transport for Told {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let entries = body["query_list"].as_array().unwrap().iter();
        let values: Vec<String> = entries.map(|entry| entry["value"].as_str().unwrap().to_owned()).collect();
        let mut seen = self.seen.lock().unwrap();
        seen.push((Instant::now(), values.len()));
        let (number, latency, answer) = (seen.len(), self.latency, self.answer.clone());
        async move {
            sleep(latency).await;
            answer(number, &values)
        }
        .boxed()
    }
}

/// A 200 in which those whose name the test knows are found.
fn found(values: &[String], known: impl Fn(&str) -> bool) -> Reply {
    let hits = values.iter().filter(|value| known(value)).count();
    let contacts: Vec<String> = values
        .iter()
        .map(|value| {
            let record = if known(value) { "{}" } else { "null" };
            format!(r#"{{"enriched_contact":{record},"value":"{value}"}}"#)
        })
        .collect();
    let body = format!(r#"{{"contacts":[{}],"records_enriched":{hits}}}"#, contacts.join(","));
    Reply { body: body.into(), ..status(200) }
}

fn status(status: u16) -> Reply {
    Reply { status, retry_after: None, body: bytes::Bytes::new(), cut: None }
}

struct Done {
    outcomes: Vec<RowOutcome>,
    receipt: Receipt,
    troubles: Vec<Error>,
    seen: Vec<(Instant, usize)>,
}

impl Done {
    fn statuses(&self) -> Vec<Status> {
        let mut outcomes: Vec<_> =
            self.outcomes.iter().map(|outcome| (outcome.row, outcome.status)).collect();
        outcomes.sort_unstable_by_key(|(row, _)| *row);
        outcomes.into_iter().map(|(_, status)| status).collect()
    }
}

/// An engine against a vendor that answers as told, and what that one sees.
fn engine(
    config: Config,
    latency: Duration,
    answer: impl Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync + 'static,
) -> (Engine, Seen) {
    let seen = Seen::default();
    let transport = Told { latency, answer: Arc::new(answer), seen: Arc::clone(&seen) };
    let config = Config { body: BodyFormat::Json, ..config };
    (Engine::seeded(config, Arc::new(transport), Arc::new(MemoryStore::default()), 1), seen)
}

/// A run over the people of these numbers.
fn start(engine: &Engine, people: impl Iterator<Item = usize>) -> Run {
    let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
    run.feed(people.map(person).collect(), Vec::new());
    run.finish();
    run
}

fn person(number: usize) -> Row {
    Row::One(Identifier::from_canonical(FieldType::Email, format!("p{number}@x.example")))
}

async fn finish(run: &Run, seen: &Seen) -> Done {
    let mut outcomes = Vec::new();
    while let Some(more) = run.next().await {
        outcomes.extend(more);
    }
    let seen = seen.lock().unwrap().clone();
    Done { outcomes, receipt: run.receipt(), troubles: run.troubles(), seen }
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

fn run(
    config: Config,
    rows: usize,
    latency: Duration,
    answer: impl Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync + 'static,
) -> Done {
    run_in_parts(config, rows, rows.max(1), latency, answer)
}

/// The same, the rows fed in parts of so many.
fn run_in_parts(
    config: Config,
    rows: usize,
    part: usize,
    latency: Duration,
    answer: impl Fn(usize, &[String]) -> Result<Reply, Failure> + Send + Sync + 'static,
) -> Done {
    paused(async {
        let (engine, seen) = engine(config, latency, answer);
        let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
        for from in (0..rows).step_by(part) {
            run.feed((from..rows.min(from + part)).map(person).collect(), Vec::new());
        }
        run.finish();
        finish(&run, &seen).await
    })
}

#[test]
fn the_rate_is_used_up_where_records_wait() {
    let config = Config { chunk_size: 10, max_concurrency: 64, ..Config::default() };
    let done = run(config, 30_000, Duration::from_secs(10), |_, values| Ok(found(values, |_| true)));
    assert_eq!(done.receipt.count(Status::Found), 30_000);
    // Sends come in bursts of a window's worth: from the beginning of the second burst to that of the
    // last, how many went out for each 60 s?
    let last = (done.seen.len() - 1) / 200 * 200;
    let sends = last - 200;
    let minutes = (done.seen[last].0 - done.seen[200].0).as_secs_f64() / 60.0;
    #[allow(clippy::cast_precision_loss)]
    let used = sends as f64 / minutes / 200.0;
    println!("{:.1} % of the rate over {minutes:.1} minutes", used * 100.0);
    assert!(used >= 0.97, "{used}");
}

/// Rows that need no request wait for the reader, too: otherwise their contacts would fill the memory.
#[test]
fn a_run_that_sends_nothing_waits_for_a_slow_reader() {
    paused(async {
        let (engine, seen) = engine(Config::default(), Duration::ZERO, |_, _| Ok(status(500)));
        let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
        run.feed(vec![Row::Missing; 100_000], Vec::new());
        run.finish();
        sleep(Duration::from_secs(1)).await;
        assert_eq!(run.receipt().rows, 16_384, "one part, and nobody has taken it");
        assert_eq!(run.next().await.unwrap().len(), 16_384);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(run.receipt().rows, 2 * 16_384);
        let done = finish(&run, &seen).await;
        assert_eq!(16_384 + done.outcomes.len(), 100_000);
    });
}

#[test]
fn requests_are_full_however_small_the_parts_that_rows_come_in() {
    let config = Config { chunk_size: 100, ..Config::default() };
    let done = paused(async {
        let (engine, seen) =
            engine(config, Duration::from_millis(100), |_, values| Ok(found(values, |_| true)));
        let run = engine.start(&tokio::runtime::Handle::current(), RunOptions::default());
        let person = |number| Identifier::from_canonical(FieldType::Email, format!("p{number}@x.example"));
        for from in (0..950).step_by(7) {
            run.feed((from..950.min(from + 7)).map(|number| Row::One(person(number))).collect(), Vec::new());
        }
        run.finish();
        finish(&run, &seen).await
    });
    let mut sizes: Vec<_> = done.seen.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100, 100, 100, 100, 100, 100, 100, 100]);
}

#[test]
fn wall_time_is_latency_times_requests_by_concurrency() {
    for concurrency in [4_u32, 16, 32, 64] {
        let requests = 20 * concurrency;
        let config = Config {
            chunk_size: 10,
            max_concurrency: concurrency as usize,
            requests_per_minute: 1_000_000,
            ..Config::default()
        };
        let latency = Duration::from_millis(200);
        let done = run(config, 10 * requests as usize, latency, |_, values| Ok(found(values, |_| true)));
        let ideal = latency * requests / concurrency;
        let took = done.receipt.elapsed.as_secs_f64() / ideal.as_secs_f64();
        println!("{concurrency} in flight: {took:.3} of latency x requests / concurrency");
        assert!(took <= 1.15, "{took}");
    }
}

#[test]
fn the_ceiling_is_used_up_to_the_last_credit_and_never_passed() {
    for ceiling in [0, 1, 7, 64, 999, 1_000] {
        let config = Config { chunk_size: 50, max_credits: Some(ceiling), ..Config::default() };
        let done = run(config, 5_000, Duration::from_secs(1), |_, values| {
            // Four of five are found.
            Ok(found(values, |value| !value.split_once('@').unwrap().0.ends_with(['3', '8'])))
        });
        assert_eq!(done.receipt.credits, ceiling);
        assert_eq!(done.troubles[0].kind(), ErrorKind::BudgetExceeded);
    }
}

#[test]
fn three_unknown_replies_in_a_row_stop_the_run() {
    let config = Config { chunk_size: 10, max_concurrency: 1, ..Config::default() };
    let done = run(config, 1_000, Duration::from_secs(1), |_, _| Ok(status(504)));
    assert_eq!(done.receipt.requests, 3);
    assert_eq!(done.receipt.count(Status::Unknown), 30);
    assert_eq!(done.receipt.count(Status::NotSent), 970);
    assert_eq!(done.receipt.credits_in_doubt, 30);
    assert_eq!(done.troubles[0].kind(), ErrorKind::UnknownOutcome);
    assert!(done.troubles[0].to_string().contains("504"), "the cause is told: {}", done.troubles[0]);
}

#[test]
fn no_more_doubt_than_allowed_even_when_every_other_reply_is_lost() {
    let config = Config { chunk_size: 10, max_in_doubt: 45, ..Config::default() };
    let done = run(config, 1_000, Duration::from_secs(1), |number, values| {
        if number % 2 == 0 { Err(Failure::Lost(Lost::Disconnected)) } else { Ok(found(values, |_| true)) }
    });
    assert_eq!(done.receipt.credits_in_doubt, 45);
    assert_eq!(done.receipt.count(Status::Unknown), 45);
    assert!(done.seen.iter().all(|(_, lookups)| *lookups <= 10));
}

#[test]
fn the_guilty_record_is_found_and_the_others_are_answered() {
    let config = Config::default();
    let done = run(config, 1_000, Duration::from_secs(1), |_, values| {
        let guilty = values.iter().any(|value| value == "p731@x.example");
        if guilty { Ok(status(422)) } else { Ok(found(values, |_| true)) }
    });
    let statuses = done.statuses();
    assert_eq!(statuses[731], Status::Rejected);
    assert_eq!(statuses.iter().filter(|status| **status == Status::Found).count(), 999);
    assert!(done.receipt.requests <= 23, "{}", done.receipt.requests);
}

#[test]
fn a_request_that_is_wrong_as_such_is_told_after_few_probes() {
    let done = run(Config::default(), 5_000, Duration::from_secs(1), |_, _| Ok(status(400)));
    assert_eq!(done.troubles[0].kind(), ErrorKind::BadRequest);
    assert_eq!(done.troubles[0].status(), Some(400));
    // The chunks in flight when the first was refused, and twelve parts of that one.
    assert!(done.receipt.requests <= 4 + 12, "{}", done.receipt.requests);
    assert_eq!(done.receipt.credits, 0);
}

#[test]
fn smaller_requests_after_a_413() {
    let done = run(Config::default(), 4_000, Duration::from_secs(1), |_, values| {
        if values.len() > 300 { Ok(status(413)) } else { Ok(found(values, |_| true)) }
    });
    assert_eq!(done.receipt.count(Status::Found), 4_000);
    let accepted = done.seen.iter().filter(|(_, lookups)| *lookups <= 300);
    assert!(accepted.clone().all(|(_, lookups)| *lookups == 250));
    assert_eq!(accepted.count(), 16);
}

#[test]
fn nothing_but_429s_end_a_run_after_a_quarter_of_an_hour() {
    let done = run(Config::default(), 3_000, Duration::from_secs(1), |number, values| match number {
        1 => Ok(found(values, |_| true)),
        _ => Ok(Reply { retry_after: Some(Duration::ZERO), ..status(429) }),
    });
    assert_eq!((done.receipt.credits, done.receipt.count(Status::NotSent)), (1_000, 2_000));
    assert_eq!(done.troubles[0].kind(), ErrorKind::RateLimit);
    let took = done.seen.last().unwrap().0 - done.seen[0].0;
    assert!(took > Duration::from_mins(15) && took < Duration::from_mins(17), "{took:?}");
}

#[test]
fn what_never_gets_out_is_tried_again_and_then_told() {
    use exactbuyer_core::service::transport::NotSent;
    let config = Config { max_retries: 2, ..Config::default() };
    let done = run(config, 10, Duration::ZERO, |_, _| Err(Failure::NotSent(NotSent::Connect)));
    assert_eq!(done.seen.len(), 3);
    assert_eq!((done.receipt.requests, done.receipt.sent), (0, 0));
    assert_eq!(done.receipt.count(Status::NotSent), 10);
    assert_eq!(done.troubles[0].kind(), ErrorKind::Transport);
}

#[test]
fn a_service_that_asks_for_no_wait_gets_some_time_to_start() {
    let done = run(Config::default(), 10, Duration::ZERO, |number, values| match number {
        1..=4 => Ok(Reply { retry_after: Some(Duration::ZERO), ..status(503) }),
        _ => Ok(found(values, |_| true)),
    });
    assert_eq!(done.receipt.count(Status::Found), 10);
    let waits: Vec<Duration> = done.seen.windows(2).map(|two| two[1].0 - two[0].0).collect();
    assert!(waits.iter().sum::<Duration>() > Duration::from_secs(1), "full jitter, from 0.5 s: {waits:?}");
}

#[test]
fn what_waits_to_be_sent_again_is_cut_down_after_a_413_too() {
    let done = run(Config::default(), 2_000, Duration::from_secs(1), |number, values| {
        let busy = Reply { retry_after: Some(Duration::from_secs(5)), ..status(503) };
        match (number, values.len()) {
            (1, _) => Ok(busy),
            (_, 501..) => Ok(status(413)),
            _ => Ok(found(values, |_| true)),
        }
    });
    assert_eq!(done.receipt.count(Status::Found), 2_000);
    let sizes: Vec<usize> = done.seen.iter().map(|(_, lookups)| *lookups).collect();
    assert_eq!(sizes, [1_000, 1_000, 500, 500, 500, 500]);
}

#[test]
fn a_pause_too_long_to_sleep_through_is_told_to_every_run_until_it_is_short() {
    let minute = Duration::from_mins(1);
    paused(async {
        let (engine, seen) = engine(Config::default(), Duration::from_secs(1), move |number, values| {
            let pause = Reply { retry_after: Some(30 * minute), ..status(429) };
            if number == 1 { Ok(pause) } else { Ok(found(values, |_| true)) }
        });
        for _ in 0..2 {
            let done = finish(&start(&engine, 0..10), &seen).await;
            assert_eq!(done.receipt.count(Status::NotSent), 10);
            assert_eq!(done.troubles[0].kind(), ErrorKind::RateLimit);
            assert_eq!(done.troubles[0].status(), Some(429));
            assert!(done.troubles[0].to_string().contains("30 minutes"), "{}", done.troubles[0]);
            assert_eq!(done.seen.len(), 1, "the second run sends nothing");
        }
        sleep(20 * minute).await;
        let began = Instant::now();
        let done = finish(&start(&engine, 0..10), &seen).await;
        assert_eq!(done.receipt.count(Status::Found), 10);
        let waited = began.elapsed();
        assert!((9 * minute..=10 * minute + 2 * Duration::from_secs(1)).contains(&waited), "{waited:?}");
    });
}

#[test]
fn why_credits_are_in_doubt_is_noted_where_every_row_was_answered() {
    let config = Config { chunk_size: 10, ..Config::default() };
    let done = run(config, 30, Duration::from_secs(1), |number, values| {
        let reply = found(values, |value| value.contains('1'));
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let (contacts, _) = text.rsplit_once(r#","records_enriched""#).unwrap();
        Ok(if number > 1 { Reply { body: format!("{contacts}}}").into(), ..reply } } else { reply })
    });
    assert_eq!(done.receipt.count(Status::Unknown), 0);
    assert_eq!((done.receipt.credits, done.receipt.credits_in_doubt), (12, 9));
    assert!(matches!(done.receipt.notes[..], [(note, 2)] if note.contains("records_enriched")));
}

#[test]
fn a_receipt_tells_what_was_found_for_nothing() {
    paused(async {
        let answer = |_, values: &[String]| Ok(found(values, |value| value.starts_with("p1")));
        let (engine, seen) = engine(Config::default(), Duration::from_secs(1), answer);
        let done = finish(&start(&engine, [1, 2, 1, 2, 1].into_iter()), &seen).await;
        assert_eq!((done.receipt.count(Status::Found), done.receipt.found_duplicates), (3, 2));
        assert_eq!((done.receipt.duplicates, done.receipt.credits), (3, 1));
        assert_eq!(done.receipt.found_from_store, 0);
    });
}
