//! One random scenario: who asks for what, of which settings, and what luck the vendor has.

use std::time::Duration;

use exactbuyer_core::config::{Config, OnUnknown};
use exactbuyer_core::identifier::{FieldType, Identifier, Invalid};
use exactbuyer_core::plan::{Preference, Row};
use exactbuyer_core::service::wire::BodyFormat;
use fastrand::Rng;

/// What the vendor may do to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answers as documented.
    Served,
    /// Not a byte leaves.
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
    /// Billed, but the body breaks off.
    Truncated,
    /// Billed, in another order.
    Reordered,
    /// Billed, with contacts left out.
    Fewer,
    /// Billed, with a miss nobody asked for on top.
    More,
    /// Billed, with one contact given to somebody else's value.
    Foreign,
    /// Billed, without `records_enriched`.
    Uncounted,
    /// Billed, and HTML.
    Html,
    /// Billed, with one record that is not JSON.
    Broken,
}

/// The run beside the first.
pub struct Second {
    pub rows: Vec<Row>,
    /// How much later it gets them: the first may have some of its people on the way by then.
    pub later: Duration,
}

/// Everything that one simulated run follows from.
pub struct Scenario {
    pub config: Config,
    pub run_credits: Option<u64>,
    /// Nothing is sent before all rows are known, and then no answer is forgotten too early.
    pub whole: bool,
    /// The most lookups that wait to be sent.
    pub read_ahead: usize,
    pub rows: Vec<Row>,
    /// Rows are fed in slices of so many, with so long between them; all at once if 0.
    pub slice: usize,
    pub slice_wait: Duration,
    /// A second run at the same time, for some of the same people.
    pub second: Option<Second>,
    /// The run is stopped then, with so much grace.
    pub stop: Option<(Duration, Duration)>,
    /// The reader of outcomes dawdles.
    pub slow_reader: bool,
    pub fates: Vec<(Fate, f64)>,
    pub hit_rate: f64,
    /// Share of identifiers that the vendor refuses.
    pub guilty: f64,
    /// Calls with more lookups are 413; if 0, all of them.
    pub largest: usize,
    /// Credits on the vendor's side.
    pub account: Option<u64>,
    pub latency_s: (f64, f64),
    pub seed: u64,
}

impl Scenario {
    /// Nothing goes wrong, everything is there at once, and each row asks for one thing.
    pub fn is_plain(&self) -> bool {
        self.is_serene() && self.slice == 0 && self.rows.iter().all(|row| !matches!(row, Row::Preference(_)))
    }

    /// Nothing goes wrong, and nothing but the input, the pace and the slots holds the run back.
    pub fn is_serene(&self) -> bool {
        self.config.max_credits.is_none() && self.is_serene_but_for_money()
    }

    pub fn is_serene_but_for_money(&self) -> bool {
        self.fates.is_empty()
            && self.guilty == 0.0
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
            guilty: match rng.u8(0..20) {
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

/// Mostly a whole call. Often so few lookups may wait that answers come before the last rows are admitted.
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

/// What can be asked of a row, in order of preference, with each identifier's place.
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
