//! The simulated service: it knows which people exist, bills for them, and fails as the scenario says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use exactbuyer_core::service::transport::{Cut, Failure, Lost, NotSent, Reply, Request, Transport};
use fastrand::Rng;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use crate::scenario::{Fate, Scenario};

/// One request that reached the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// When it arrived, and when its reply came back or it failed.
    pub at: Instant,
    pub over: Option<Instant>,
    pub lookups: Vec<String>,
    pub fate: Fate,
    pub status: Option<u16>,
    pub billed: u64,
    /// Whether each lookup got a clear answer: the reply was neither lost nor damaged.
    pub clean: bool,
    /// The pause that a 429 began: its `Retry-After`, or a minute.
    pub pause: Option<Duration>,
    /// The wait that the `Retry-After` of a 503 asked for.
    pub retry_after: Option<Duration>,
}

impl Seen {
    /// Whether it was refused without a charge.
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, Some(400 | 401 | 403 | 413 | 429 | 307))
            || self.status == Some(503) && self.fate == Fate::Busy
    }
}

/// The ledger of the service.
#[derive(Default)]
pub struct Books {
    pub started: Option<Instant>,
    pub seen: Vec<Seen>,
    /// How often each lookup was billed.
    pub billed: BTreeMap<String, u64>,
    /// When a lookup was first answered as a miss (in a body that can be read at least in part), or was refused alone.
    pub passed: BTreeMap<String, Instant>,
    /// Lookups of all requests that got no clear answer.
    pub doubtful: BTreeSet<String>,
    pub spent: u64,
    pub in_flight: usize,
    /// The lookups of the requests that were not sent.
    pub unsent: Vec<Vec<String>>,
}

pub struct Vendor {
    pub books: Arc<Mutex<Books>>,
    scenario: Arc<Scenario>,
    rng: Arc<Mutex<Rng>>,
}

/// Whether the service knows a person. This follows from the scenario's seed.
pub fn is_known(scenario: &Scenario, value: &str) -> bool {
    share_of(scenario.seed, value, 1) < scenario.hit_rate
}

/// Whether the service refuses a record.
pub fn is_refused(scenario: &Scenario, value: &str) -> bool {
    share_of(scenario.seed, value, 2) < scenario.refused
}

fn share_of(seed: u64, value: &str, salt: u64) -> f64 {
    let mut hash = seed ^ (salt << 60);
    for byte in value.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Rng::with_seed(hash).f64()
}

pub fn record_of(value: &str) -> String {
    format!(r#"{{"full_name":"{value}"}}"#)
}

impl Vendor {
    pub fn new(scenario: Arc<Scenario>) -> Self {
        let rng = Rng::with_seed(scenario.seed ^ 0x5eed);
        Self { books: Arc::default(), scenario, rng: Arc::new(Mutex::new(rng)) }
    }
}

fn read(request: &Request) -> Vec<String> {
    let list: serde_json::Value = if request.content_type == "application/json" {
        serde_json::from_slice::<serde_json::Value>(&request.body).unwrap()["query_list"].take()
    } else {
        let field = form_urlencoded::parse(&request.body).find(|(name, _)| name == "query_list");
        serde_json::from_str(&field.unwrap().1).unwrap()
    };
    let entries = list.as_array().unwrap().iter();
    entries.map(|entry| entry["value"].as_str().unwrap().to_owned()).collect()
}

impl Transport for Vendor {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let (books, scenario) = (self.books.clone(), self.scenario.clone());
        let mut rng = self.rng.lock().unwrap().fork();
        async move {
            let lookups = read(&request);
            let fate = draw_fate(&scenario, &mut rng);
            let (least, most) = scenario.latency_s;
            let latency = Duration::from_secs_f64(least + rng.f64() * (most - least));
            if fate == Fate::NotSent {
                books.lock().unwrap().unsent.push(lookups);
                sleep(latency.min(Duration::from_secs(10))).await;
                return Err(Failure::NotSent(NotSent::Connect));
            }
            let place = arrive(&books, &lookups, fate);
            let status = refusal(&scenario, &books, &lookups, fate);
            let (wait, outcome) = match status {
                // A slower 503 is `Fate::SlowBusy`.
                Some(503) => {
                    let retry_after = draw_wait(&mut rng);
                    books.lock().unwrap().seen[place].retry_after = retry_after;
                    let reply = Reply { retry_after, ..plain_reply(503) };
                    (latency.min(Duration::from_secs(10)), Ok(reply))
                }
                Some(status) => (latency, Ok(plain_reply(status))),
                None => serve(&scenario, &books, place, &lookups, fate, latency, &mut rng),
            };
            sleep(wait).await;
            leave(&books, &scenario, place, &lookups, &outcome);
            outcome
        }
        .boxed()
    }
}

fn draw_fate(scenario: &Scenario, rng: &mut Rng) -> Fate {
    for (fate, share) in &scenario.fates {
        if rng.f64() < *share {
            return *fate;
        }
    }
    Fate::Served
}

/// A Retry-After or none. One in twenty may be up to half an hour, which is too long to wait for.
fn draw_wait(rng: &mut Rng) -> Option<Duration> {
    let longest = if rng.u8(0..20) == 0 { 30 * 60 } else { 90 };
    rng.bool().then(|| Duration::from_secs(rng.u64(1..=longest)))
}

fn arrive(books: &Mutex<Books>, lookups: &[String], fate: Fate) -> usize {
    let mut books = books.lock().unwrap();
    books.in_flight += lookups.len();
    books.seen.push(Seen {
        at: Instant::now(),
        over: None,
        lookups: lookups.to_vec(),
        fate,
        status: None,
        billed: 0,
        clean: false,
        pause: None,
        retry_after: None,
    });
    books.seen.len() - 1
}

/// The status with which a request is refused, if it is.
fn refusal(scenario: &Scenario, books: &Mutex<Books>, lookups: &[String], fate: Fate) -> Option<u16> {
    match fate {
        Fate::Unauthorized => return Some(401),
        Fate::Moved => return Some(307),
        Fate::Busy => return Some(503),
        _ => {}
    }
    if matches!(fate, Fate::Limited | Fate::SlowBusy) {
        return None;
    }
    if lookups.len() > scenario.largest {
        return Some(413);
    }
    if lookups.iter().any(|value| is_refused(scenario, value)) {
        return Some(scenario.refusal());
    }
    let cost = lookups.iter().filter(|value| is_known(scenario, value)).count() as u64;
    let spent = books.lock().unwrap().spent;
    (scenario.account.is_some_and(|account| spent + cost > account)).then_some(403)
}

fn plain_reply(status: u16) -> Reply {
    Reply { status, retry_after: None, body: Bytes::from_static(b"<html></html>"), cut: None }
}

/// Bills (unless the fate says otherwise) and answers according to the fate. Returns the time that this takes.
fn serve(
    scenario: &Scenario,
    books: &Mutex<Books>,
    place: usize,
    lookups: &[String],
    fate: Fate,
    latency: Duration,
    rng: &mut Rng,
) -> (Duration, Result<Reply, Failure>) {
    let bills = match fate {
        Fate::Limited => false,
        Fate::Lost | Fate::Hangs | Fate::Fails => rng.bool(),
        _ => true,
    };
    if bills {
        let mut books = books.lock().unwrap();
        for value in lookups.iter().filter(|value| is_known(scenario, value)) {
            *books.billed.entry(value.clone()).or_default() += 1;
            books.spent += 1;
            books.seen[place].billed += 1;
        }
    }
    match fate {
        Fate::Lost => (latency, Err(Failure::Lost(Lost::Disconnected))),
        Fate::Hangs => (Duration::from_mins(5), Err(Failure::Lost(Lost::TimedOut))),
        Fate::Fails => (latency, Ok(plain_reply([500, 502, 504][rng.usize(0..3)]))),
        Fate::SlowBusy => {
            (Duration::from_secs(30), Ok(Reply { retry_after: draw_wait(rng), ..plain_reply(503) }))
        }
        Fate::Limited => {
            let retry_after = draw_wait(rng);
            books.lock().unwrap().seen[place].pause = Some(retry_after.unwrap_or(Duration::from_mins(1)));
            (latency, Ok(Reply { retry_after, ..plain_reply(429) }))
        }
        _ => (latency, Ok(answer(scenario, lookups, fate, rng))),
    }
}

fn answer(scenario: &Scenario, lookups: &[String], fate: Fate, rng: &mut Rng) -> Reply {
    let hits = lookups.iter().filter(|value| is_known(scenario, value)).count();
    let mut contacts: Vec<String> = lookups
        .iter()
        .map(|value| {
            let record = if is_known(scenario, value) { record_of(value) } else { "null".to_owned() };
            format!(r#"{{"enriched_contact":{record},"value":"{value}"}}"#)
        })
        .collect();
    let some = rng.usize(0..contacts.len());
    match fate {
        Fate::Reordered => rng.shuffle(&mut contacts),
        Fate::Fewer => drop(contacts.remove(some)),
        Fate::More => {
            contacts.insert(some, r#"{"enriched_contact":null,"value":"nobody@y.example"}"#.to_owned());
        }
        Fate::Foreign => contacts[some] = contacts[some].replace("@x.example\"}", "@z.example\"}"),
        Fate::Broken => contacts[some] = contacts[some].replace("\"full_name\":", "\"full_name\" "),
        _ => {}
    }
    let count =
        if fate == Fate::Uncounted { String::new() } else { format!(r#","records_enriched":{hits}"#) };
    let mut body = format!(r#"{{"contacts":[{}]{count}}}"#, contacts.join(","));
    let mut cut = None;
    if fate == Fate::Truncated {
        body.truncate(rng.usize(0..body.len()));
        cut = Some(Cut::Disconnected);
    }
    if fate == Fate::Html {
        "<html>oops</html>".clone_into(&mut body);
    }
    Reply { status: 200, retry_after: None, body: body.into(), cut }
}

/// Enters the reply in the ledger before the engine can act on it.
fn leave(
    books: &Mutex<Books>,
    scenario: &Scenario,
    place: usize,
    lookups: &[String],
    outcome: &Result<Reply, Failure>,
) {
    let mut books = books.lock().unwrap();
    let books = &mut *books;
    books.in_flight -= lookups.len();
    let seen = &mut books.seen[place];
    seen.over = Some(Instant::now());
    seen.status = outcome.as_ref().ok().map(|reply| reply.status);
    seen.clean = seen.status == Some(200) && matches!(seen.fate, Fate::Served | Fate::Reordered | Fate::More);
    let answered = seen.status == Some(200) && seen.fate != Fate::Html;
    let refused_alone = lookups.len() == 1 && matches!(seen.status, Some(400 | 413));
    for value in lookups {
        if refused_alone || answered && !is_known(scenario, value) {
            books.passed.entry(value.clone()).or_insert_with(Instant::now);
        }
        if !seen.clean && !seen.is_refusal() {
            books.doubtful.insert(value.clone());
        }
    }
}
