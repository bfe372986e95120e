//! One random scenario: rows, settings, and how the simulated service behaves.

use std::time::Duration;

use exactbuyer_core::config::{Config, OnUnknown};
use exactbuyer_core::identifier::{FieldType, Identifier, Invalid};
use exactbuyer_core::plan::{Preference, Row};
use exactbuyer_core::service::wire::BodyFormat;
use fastrand::Rng;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answers as documented.
    Served,
    /// Nothing is sent.
    NotSent,
    /// The connection drops; whether it was billed is drawn.
    Lost,
    /// No answer within five minutes; whether it was billed is drawn.
    Hangs,
    /// 500, 502 or 504; whether it was billed is drawn.
    Fails,
    /// 503, at once.
    Busy,
    /// 503 from a gateway after 30 s; billed.
    SlowBusy,
    /// 429, with or without a Retry-After.
    Limited,
    /// 401.
    Unauthorized,
    /// A redirect.
    Moved,
    /// Billed, but the body ends early.
    Truncated,
    /// Billed, in another order.
    Reordered,
    /// Billed, with contacts left out.
    Fewer,
    /// Billed, with an additional miss for a value that was not in the request.
    More,
    /// Billed, with one contact under a value that was not in the request.
    Foreign,
    /// Billed, without `records_enriched`.
    Uncounted,
    /// Billed, and HTML.
    Html,
    /// Billed, with one record that is not JSON.
    Broken,
}

/// A second run at the same time.
pub struct Second {
    pub rows: Vec<Row>,
    /// How much later it gets its rows. By then, the first run may have some of the same lookups in flight.
    pub later: Duration,
}

/// Everything that determines one simulated run.
pub struct Scenario {
    pub config: Config,
    pub run_credits: Option<u64>,
    /// Whether the call is not a stream: it sends nothing before it has all its rows.
    pub whole: bool,
    /// How many lookups may wait to be sent.
    pub read_ahead: usize,
    pub rows: Vec<Row>,
    /// Rows are fed in slices of this size, with `slice_wait` between them; all at once if 0.
    pub slice: usize,
    pub slice_wait: Duration,
    /// A second run for some of the same people.
    pub second: Option<Second>,
    /// When the run is stopped, and with which grace.
    pub stop: Option<(Duration, Duration)>,
    /// Whether the results are read slowly.
    pub slow_reader: bool,
    pub fates: Vec<(Fate, f64)>,
    pub hit_rate: f64,
    /// The share of identifiers that the service refuses, with the status `refusal`.
    pub refused: f64,
    /// Requests with more lookups get a 413; if 0, all requests do.
    pub largest: usize,
    /// The credits of the account at the service.
    pub account: Option<u64>,
    pub latency_s: (f64, f64),
    pub seed: u64,
}

impl Scenario {
    /// The status for a request with a record that the service refuses.
    pub fn refusal(&self) -> u16 {
        if self.seed.is_multiple_of(3) { 413 } else { 400 }
    }

    /// Nothing fails, all rows are there at once, and each has one identifier.
    pub fn is_plain(&self) -> bool {
        self.is_undisturbed()
            && self.slice == 0
            && self.rows.iter().all(|row| !matches!(row, Row::Preference(_)))
    }

    /// Nothing fails, and only the input, the rate limit and the slots hold the run back.
    pub fn is_undisturbed(&self) -> bool {
        self.config.max_credits.is_none() && self.is_undisturbed_except_by_budget()
    }

    /// As `is_undisturbed`, but the engine may have a `max_credits`.
    pub fn is_undisturbed_except_by_budget(&self) -> bool {
        self.fates.is_empty()
            && self.refused == 0.0
            && self.largest >= self.config.chunk_size
            && self.account.is_none()
            && self.stop.is_none()
            && self.second.is_none()
            && self.run_credits.is_none()
            && self.config.max_in_doubt > 1_000
    }

    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let pick = |rng: &mut Rng, share: f64| rng.f64() < share;
        let all_fates = [
            Fate::NotSent,
            Fate::Lost,
            Fate::Hangs,
            Fate::Fails,
            Fate::Busy,
            Fate::SlowBusy,
            Fate::Limited,
            Fate::Truncated,
            Fate::Reordered,
            Fate::Fewer,
            Fate::More,
            Fate::Foreign,
            Fate::Uncounted,
            Fate::Html,
            Fate::Broken,
        ];
        let mut fates = Vec::new();
        if pick(rng, 0.8) {
            for fate in all_fates {
                if pick(rng, 0.25) {
                    let most = if pick(rng, 0.1) { 0.9 } else { 0.15 };
                    fates.push((fate, rng.f64() * most));
                }
            }
            if pick(rng, 0.05) {
                fates.push((Fate::Unauthorized, 0.1));
            }
            if pick(rng, 0.03) {
                fates.push((Fate::Moved, 0.1));
            }
        }
        let chunk_size = if pick(rng, 0.85) { rng.usize(1..=12) } else { rng.usize(13..=60) };
        let config = Config {
            required_fields: Box::default(),
            max_credits: pick(rng, 0.4).then(|| rng.u64(0..60)),
            max_in_doubt: if pick(rng, 0.5) { rng.usize(1..=60) } else { 20_000 },
            on_unknown: if pick(rng, 0.25) { OnUnknown::Resend } else { OnUnknown::Hold },
            requests_per_minute: if pick(rng, 0.5) { rng.u32(1..=12) } else { 200 },
            max_concurrency: rng.usize(1..=12),
            chunk_size,
            max_retries: rng.u32(0..=5),
            grace: Duration::from_secs(rng.u64(0..=40)),
            body: if rng.bool() { BodyFormat::Form } else { BodyFormat::Json },
            ..Config::default()
        };
        let people = rng.usize(1..=80);
        let rows = draw_rows(rng, people);
        let (whole, read_ahead) = reading(seed);
        let (least, most) = (rng.f64() * 2.0, rng.f64() * 20.0);
        Self {
            config,
            run_credits: pick(rng, 0.15).then(|| rng.u64(0..60)),
            whole,
            read_ahead,
            slice: if pick(rng, 0.3) { rng.usize(1..=20) } else { 0 },
            slice_wait: Duration::from_millis(rng.u64(0..=3_000)),
            second: pick(rng, 0.2).then(|| second(rng, &rows, people)),
            rows,
            stop: pick(rng, 0.15)
                .then(|| (Duration::from_millis(rng.u64(0..=60_000)), Duration::from_secs(rng.u64(0..=20)))),
            slow_reader: pick(rng, 0.1),
            fates,
            hit_rate: if pick(rng, 0.1) { 1.0 } else { rng.f64() },
            refused: match rng.u8(0..20) {
                0 => 1.0,
                1..=3 => rng.f64() * 0.3,
                _ => 0.0,
            },
            largest: if pick(rng, 0.08) { rng.usize(0..=12) } else { usize::MAX },
            account: pick(rng, 0.08).then(|| rng.u64(0..60)),
            latency_s: (least, least + most),
            seed,
        }
    }
}

/// Three in four calls are not streams. In half of all calls, so few lookups may wait that answers come before the last
/// rows are admitted.
fn reading(seed: u64) -> (bool, usize) {
    let mut rng = Rng::with_seed(!seed);
    (rng.f64() < 0.75, if rng.bool() { rng.usize(1..=20) } else { 16_384 })
}

fn second(rng: &mut Rng, rows: &[Row], people: usize) -> Second {
    let rows = if rng.bool() { rows.to_vec() } else { draw_rows(rng, people) };
    let later = if rng.bool() { Duration::ZERO } else { Duration::from_millis(rng.u64(0..=60_000)) };
    Second { rows, later }
}

fn draw_rows(rng: &mut Rng, people: usize) -> Vec<Row> {
    let count = rng.usize(0..=120);
    let lists = rng.f64() * if rng.bool() { 1.0 } else { 0.0 };
    (0..count)
        .map(|_| match rng.f64() {
            share if share < 0.05 => Row::Missing,
            share if share < 0.08 => Row::Invalid(0, Invalid::Unrecognised),
            _ if rng.f64() < lists => {
                let count = rng.usize(1..=4);
                let alternatives = (0..count).map(|_| person(rng, people)).enumerate();
                let alternatives =
                    alternatives.map(|(place, id)| (u32::try_from(place).unwrap(), id)).collect();
                Row::Preference(Box::new(Preference { first: 0, alternatives }))
            }
            _ => Row::One(person(rng, people)),
        })
        .collect()
}

fn person(rng: &mut Rng, people: usize) -> Identifier {
    Identifier::from_canonical(FieldType::Email, format!("p{}@x.example", rng.usize(0..people)))
}

/// The identifiers of a row in order of preference, each with its place.
pub fn alternatives(row: &Row) -> Vec<(u32, String)> {
    match row {
        Row::Missing | Row::Invalid(..) => Vec::new(),
        Row::One(identifier) => vec![(0, identifier.canonical().to_owned())],
        Row::Preference(preference) => preference
            .alternatives
            .iter()
            .map(|(place, identifier)| (*place, identifier.canonical().to_owned()))
            .collect(),
    }
}
