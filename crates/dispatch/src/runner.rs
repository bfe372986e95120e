//! The task of one run: it alone holds the run's state, and everything reaches it as an event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;

use exactbuyer_core::budget::{Budget, HitRate};
use exactbuyer_core::config::Per;
use exactbuyer_core::error::Error;
use exactbuyer_core::plan::{Final, LookupId, Row, Table};
use exactbuyer_core::results::{Origin, RowOutcome, Source};
use exactbuyer_core::service::limits::WINDOW;
use exactbuyer_core::store::{Required, Room, RunId};

use super::attempt::{Landed, Parcel};
use super::consult::{STORE_ONLY, terms};
use super::run::{Port, Progress, STOPPED};
use super::split::Splits;
use super::tally::Tally;
use super::{RunOptions, Shared};

/// How often a run that waits for other processes looks whether they are done.
const LISTEN_EVERY: Duration = Duration::from_millis(100);

/// While a deadline counts, the clock is looked at this often.
const SLICE: Duration = Duration::from_secs(1);

/// A run that wakes later than this was held up: its process was stopped, or its machine slept.
const LATE: Duration = Duration::from_millis(100);

/// What reaches a run.
pub(super) enum Event {
    /// More rows.
    Fed(Vec<Row>),
    /// No more rows.
    Finished,
    /// Start nothing new, and wait so long for what is in flight.
    Stop(Duration),
    /// A request is over.
    Landed(u64, Box<Landed>),
}

/// A request in flight.
pub(super) struct Flight {
    pub(super) parcel: Parcel,
    /// When its slot was taken.
    pub(super) slot: Instant,
}

/// When rows that were fed are admitted.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    /// All rows are known before the first one is admitted.
    pub(super) whole: bool,
    /// No rows are admitted while so many lookups wait to be sent.
    pub(super) ahead: usize,
}

/// The state of one run.
pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) port: Arc<Port>,
    inbox: UnboundedReceiver<Event>,
    pub(super) run: RunId,
    pub(super) required: Required,
    /// Nothing is sent: why what the store cannot answer is `not_sent`.
    pub(super) store_only: Option<Arc<str>>,
    pub(super) table: Table,
    pub(super) admission: Admission,
    /// Rows fed and not yet admitted.
    pub(super) fed: VecDeque<std::vec::IntoIter<Row>>,
    /// No more rows come, or none will be waited for.
    pub(super) input_over: bool,
    finished: bool,
    /// When a partial chunk began to wait for more.
    pub(super) partial_since: Option<Instant>,
    /// What goes out again as it is.
    pub(super) retries: VecDeque<Parcel>,
    /// What others are asking for, with what it will be sent with if they do not get it.
    pub(super) held: Vec<Parcel>,
    pub(super) flights: BTreeMap<u64, Flight>,
    pub(super) launched: u64,
    pub(super) splits: Splits,
    pub(super) chunk_size: usize,
    /// The ceiling of this run alone.
    pub(super) budget: Budget,
    /// What the store last said is left of a ceiling that it keeps, and until when to believe it.
    pub(super) room: Option<(Room, Instant)>,
    /// Others who share the store have used the rate up until then.
    pub(super) not_before: Option<Instant>,
    pub(super) hit_rate: HitRate,
    /// Lookups gone unknown, each time they did.
    pub(super) unknown: usize,
    /// Unknown replies since the last answer.
    pub(super) streak: u32,
    /// Since when every reply was a 429, and until when the last one asked to wait.
    pub(super) limited: Option<(Instant, Instant)>,
    pub(super) tally: Tally,
    pub(super) out: Vec<RowOutcome>,
    /// Why nothing new is sent, once that is so.
    pub(super) stopping: Option<Arc<str>>,
    /// Something may have become known of what is held.
    pub(super) look_again: bool,
    /// Until when what is in flight may take.
    deadline: Option<Instant>,
    pub(super) limited_by: &'static str,
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A deadline, after a sleep that was to end at `until` and is over now. Time in which this process was
/// stopped does not count, and what has arrived meanwhile is read before it is given up.
fn put_off(deadline: Instant, until: Instant, now: Instant) -> Instant {
    let late = now.saturating_duration_since(until);
    if late > LATE { (deadline + late).max(now + SLICE) } else { deadline }
}

impl Runner {
    pub(super) fn new(
        shared: Arc<Shared>,
        port: Arc<Port>,
        inbox: UnboundedReceiver<Event>,
        options: RunOptions,
    ) -> Self {
        let (config, durable) = (&shared.config, shared.store.durable());
        let run = shared.store.begin(terms(config, options.refresh, durable));
        // A ceiling per run is the run's own to keep; the lower of the two holds.
        let per_run = config.max_credits.filter(|_| config.per == Per::Run);
        let ceiling = per_run.into_iter().chain(options.max_credits).min();
        let required = options.required_fields.unwrap_or_else(|| config.required_fields.clone()).into();
        let chunk_size = shared.config.chunk_size.clamp(1, shared.config.max_in_doubt.max(1));
        Self {
            shared,
            port,
            inbox,
            run,
            required,
            store_only: options.store_only.then(|| STORE_ONLY.into()),
            table: Table::default(),
            admission: Admission { whole: options.whole, ahead: options.read_ahead.max(1) },
            fed: VecDeque::new(),
            input_over: false,
            finished: false,
            partial_since: None,
            retries: VecDeque::new(),
            held: Vec::new(),
            flights: BTreeMap::new(),
            launched: 0,
            splits: Splits::default(),
            chunk_size,
            budget: Budget::new(ceiling),
            room: None,
            not_before: None,
            hit_rate: HitRate::default(),
            unknown: 0,
            streak: 0,
            limited: None,
            tally: Tally::new(now(), durable),
            out: Vec::new(),
            stopping: None,
            look_again: false,
            deadline: None,
            limited_by: "",
        }
    }

    /// Runs until every row has its outcome.
    pub(super) async fn run(mut self) {
        let (shared, port) = (self.shared.clone(), self.port.clone());
        loop {
            // Registered before the state is read, so that nothing that happens in between is lost.
            let (freed, changed) = (shared.freed.notified(), shared.store.changed());
            tokio::pin!(freed, changed);
            freed.as_mut().enable();

            while let Ok(event) = self.inbox.try_recv() {
                self.absorb(event);
            }
            self.room = self.room.filter(|(_, until)| now() < *until);
            self.admit_some().await;
            self.look_at_held().await;
            let wake = self.send_what_may_go();
            self.give_up_when_due();
            self.publish();
            if self.is_over() {
                break;
            }
            if self.wants_rows() {
                tokio::task::yield_now().await;
            } else {
                let waits = !self.held.is_empty() || self.room.is_some();
                let began = now();
                let listen = (waits && shared.store.durable()).then(|| began + LISTEN_EVERY);
                // A deadline that is over has been seen to: what comes after it is given up at once.
                let deadline = self.deadline.filter(|deadline| *deadline > began);
                let slice = deadline.map(|deadline| deadline.min(began + SLICE));
                let until = wake.into_iter().chain(slice).chain(listen).min();
                let sleep = async {
                    match until {
                        Some(at) => tokio::time::sleep_until(at.into()).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    Some(event) = self.inbox.recv() => self.absorb(event),
                    () = freed => {}
                    () = changed.as_mut(), if waits => {}
                    () = port.taken.notified() => {}
                    () = sleep => {}
                }
                if listen.is_some() {
                    shared.store.listen();
                }
                // Not the one from before: a stop may have come with less grace meanwhile.
                if let (Some(_), Some(until), Some(deadline)) = (deadline, until, self.deadline) {
                    self.deadline = Some(put_off(deadline, until.max(began), now()));
                }
            }
            // However it came to this: what was told is told once.
            if changed.as_mut().now_or_never().is_some() {
                self.look_again = true;
                self.room = None;
            }
        }
        shared.store.end(self.run);
        self.port.end(self.tally.troubles());
        shared.freed.notify_waiters();
    }

    fn is_over(&self) -> bool {
        self.input_over && self.fed.is_empty() && self.table.open() == 0 && self.flights.is_empty()
    }

    fn absorb(&mut self, event: Event) {
        match event {
            Event::Fed(rows) => self.fed.push_back(rows.into_iter()),
            Event::Finished => {
                if self.admission.whole && !self.input_over {
                    self.table.foresee(self.fed.iter().flat_map(std::vec::IntoIter::as_slice));
                }
                self.input_over = true;
                self.finished = true;
                self.seal_if_complete();
            }
            Event::Stop(grace) => {
                self.input_over = true;
                self.halt(&Arc::from(STOPPED), None);
                let until = now() + grace;
                self.deadline = Some(self.deadline.map_or(until, |known| known.min(until)));
            }
            Event::Landed(number, landed) => self.land(number, *landed),
        }
    }

    pub(super) fn seal_if_complete(&mut self) {
        if self.finished && self.fed.is_empty() {
            self.table.seal();
        }
    }

    pub(super) fn settle(&mut self, id: LookupId, outcome: Final, origin: impl Into<Origin>) {
        let origin = origin.into();
        if let Final::Unknown(reason) = &outcome
            && origin.source != Source::Store
        {
            self.tally.doubted(reason);
        }
        self.table.settle(id, outcome, origin, &mut self.out);
    }

    /// From now on nothing new is sent: what waits is `not_sent`, unless it is in doubt already.
    pub(super) fn halt(&mut self, reason: &Arc<str>, error: Option<Error>) {
        self.tally.stopped(reason, error);
        self.port.warn(self.tally.troubles());
        self.stopping.get_or_insert_with(|| reason.clone());
        // What others are asking for costs this run nothing: their answers are still waited for.
        self.table.close(reason, &mut self.out);
        for parcel in std::mem::take(&mut self.retries) {
            self.leave(parcel, reason);
        }
    }

    /// The run cannot go on; what is in flight may still finish.
    pub(super) fn fail(&mut self, error: Error) {
        let grace = self.shared.config.grace;
        self.deadline.get_or_insert(now() + grace);
        self.halt(&Arc::from(error.message()), Some(error));
    }

    /// Once the grace is over, what is still in flight is unknown, and nobody else's answer is waited
    /// for: nor for rows that are admitted only then.
    fn give_up_when_due(&mut self) {
        if self.deadline.is_none_or(|deadline| now() < deadline) {
            return;
        }
        for parcel in std::mem::take(&mut self.held) {
            self.again(parcel);
        }
        let reason: Arc<str> =
            format!("stopped before the answer came, at {}", super::attempt::utc_now()).into();
        for (_, flight) in std::mem::take(&mut self.flights) {
            let lookups = flight.parcel.ids.len();
            self.settle_budget(lookups, 0, lookups as u64);
            self.tally.sent(lookups, 0, lookups as u64);
            for id in flight.parcel.ids {
                self.settle(id, Final::Unknown(reason.clone()), Source::Asked);
            }
        }
    }

    /// A reservation is replaced by what the request came to.
    pub(super) fn settle_budget(&mut self, reserved: usize, spent: u64, in_doubt: u64) {
        let reserved = reserved as u64;
        self.budget.settle(reserved, spent, in_doubt);
        let mut resources = self.shared.resources();
        resources.budget.settle(reserved, spent, in_doubt);
        drop(resources);
        self.shared.freed.notify_waiters();
    }

    /// Lookups in flight and gone unknown.
    pub(super) fn in_doubt(&self) -> usize {
        let in_flight: usize = self.flights.values().map(|flight| flight.parcel.ids.len()).sum();
        in_flight + self.unknown
    }

    fn publish(&mut self) {
        let now = now();
        self.tally.count(&self.out, now);
        let (recent, paused) = self.shared.limiter.look(now);
        self.tally.receipt.rows = self.table.rows();
        let receipt = &self.tally.receipt;
        let requests_left = self.lookups_left().div_ceil(self.chunk_size as u64);
        let limited_by = if paused { "the vendor's pause" } else { self.limited_by };
        let progress = Progress {
            rows: receipt.rows + self.fed_rows(),
            done: receipt.by_status.iter().sum(),
            credits: receipt.credits,
            credits_in_doubt: receipt.credits_in_doubt + self.budget.reserved(),
            in_flight: self.flights.len(),
            requests_last_minute: recent,
            requests_left,
            limited_by,
            left_s: self.left_s(receipt.requests, receipt.elapsed, requests_left),
        };
        self.port.deliver(std::mem::take(&mut self.out), &self.tally.receipt, progress);
    }

    /// Rows fed and not yet admitted.
    fn fed_rows(&self) -> u64 {
        self.fed.iter().map(|rows| rows.len() as u64).sum()
    }

    /// Lookups to be sent: those that wait, and an estimate for the rows to come from the rows before.
    fn lookups_left(&self) -> u64 {
        let retries = self.retries.iter().map(|parcel| parcel.ids.len()).sum::<usize>();
        let waiting = (self.table.queued() + retries) as u64;
        let (rows, fed) = (self.table.rows(), self.fed_rows());
        let asked = (self.tally.receipt.sent + waiting).min(rows);
        waiting + (fed * asked).checked_div(rows).unwrap_or(fed)
    }

    /// As fast as up to now, and never faster than the limiter lets anybody.
    #[allow(clippy::cast_precision_loss)] // counts of requests
    fn left_s(&self, requests: u64, elapsed: Duration, requests_left: u64) -> Option<f64> {
        let left = (requests_left + self.flights.len() as u64) as f64;
        let fastest = left * WINDOW.as_secs_f64() / f64::from(self.shared.config.requests_per_minute);
        let beyond_burst = requests_left > u64::from(self.shared.config.requests_per_minute);
        let as_before = (requests > 0).then(|| left * elapsed.as_secs_f64() / requests as f64)?;
        Some(if beyond_burst { as_before.max(fastest) } else { as_before })
    }
}
