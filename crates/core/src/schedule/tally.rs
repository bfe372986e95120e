//! The counts of one run: its receipt, how far it is, and what is reported at its end.
//!
//! Rows are counted when their outcome is reported, lookups and credits when their request has landed. So
//! during a run there may be credits for rows that no outcome shows yet, but never the reverse.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::message::Message;
use crate::outcome::Seen;
use crate::results::{Receipt, RowOutcome, Source, Status};

use super::Scheduler;
use super::counts::Counts;
use super::trouble::{Reception, rows_rejected, rows_unknown};

/// The receipt in the making.
///
/// Only grows: nothing that was counted is taken back.
#[derive(Debug)]
pub(super) struct Tally {
    /// What [`Scheduler::report`] shows at any time.
    pub(super) receipt: Receipt,
    /// Elapsed time is measured from here.
    started: Instant,
    /// A store keeps doubts after the run, and the user can decide what to do with them.
    pub(super) durable: bool,
    /// Decides the wording of a message about rejected rows.
    reception: Reception,
    /// The status with which the last record was refused.
    refused_with: Option<u16>,
    /// Some reply, whose credits are known, left lookups unknown.
    unreadable: bool,
    /// Why the first unknown lookup is unknown.
    first_doubt: Option<Arc<str>>,
    /// Why the run stopped: of each severity, the first.
    stopped_by: Vec<Error>,
}

/// The smaller, the worse: fatal, budget, unknown.
const fn severity(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::BudgetExceeded => 1,
        ErrorKind::UnknownOutcome => 2,
        _ => 0,
    }
}

impl Tally {
    pub(super) fn new(started: Instant, durable: bool) -> Self {
        Self {
            receipt: Receipt::default(),
            started,
            durable,
            reception: Reception::default(),
            refused_with: None,
            unreadable: false,
            first_doubt: None,
            stopped_by: Vec::new(),
        }
    }

    /// Counts rows that have their outcome.
    ///
    /// `counts` says how many rows of the caller's each outcome stands for.
    pub(super) fn count(&mut self, outcomes: &[RowOutcome], counts: &mut Counts, now: Instant) {
        for outcome in outcomes {
            let rows = counts.take(outcome.row);
            if let Some(count) = self.receipt.by_status.get_mut(outcome.status as usize) {
                *count += rows;
            }
            let is_found = outcome.status == Status::Found;
            let found = |rows: u64| if is_found { rows } else { 0 };
            match outcome.source {
                Source::Asked if matches!(outcome.status, Status::Missing | Status::Invalid) => {}
                // The first of equal rows asks, and its answer is the others'.
                Source::Asked => {
                    self.receipt.duplicates += rows - 1;
                    self.receipt.found_duplicates += found(rows - 1);
                }
                Source::Duplicate => {
                    self.receipt.duplicates += rows;
                    self.receipt.found_duplicates += found(rows);
                }
                Source::Store if outcome.status == Status::Unknown => self.receipt.inherited.rows += rows,
                Source::Store if outcome.status == Status::NotSent => self.receipt.barred += rows,
                Source::Store => {
                    self.receipt.from_store += rows;
                    self.receipt.found_from_store += found(rows);
                }
            }
        }
        self.receipt.elapsed = now.saturating_duration_since(self.started);
    }

    /// Lookups went out, and this is what they cost.
    pub(super) fn sent(&mut self, lookups: usize, credits: u64, in_doubt: u64) {
        self.receipt.requests += 1;
        self.receipt.sent += lookups as u64;
        self.receipt.credits += credits;
        self.receipt.credits_in_doubt += in_doubt;
    }

    /// The service accepted a request.
    pub(super) const fn accepted(&mut self) {
        self.reception = Reception::Accepted;
    }

    /// A single record was refused with this status.
    pub(super) fn refused(&mut self, status: u16) {
        self.refused_with = Some(status);
        self.reception = self.reception.max(Reception::Refused);
    }

    /// A reply whose credits are known left lookups unknown.
    pub(super) const fn unreadable(&mut self) {
        self.unreadable = true;
    }

    /// A reply that was charged, and what was odd about it.
    pub(super) fn noted(&mut self, note: &'static str) {
        let notes = &mut self.receipt.notes;
        match notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, replies)) => *replies += 1,
            None => notes.push((note, 1)),
        }
    }

    /// Only the first doubt is reported.
    pub(super) fn doubted(&mut self, reason: &Arc<str>) {
        self.first_doubt.get_or_insert_with(|| reason.clone());
    }

    /// A row of this run has a doubt that an earlier run left.
    pub(super) fn inherited(&mut self, seen: Seen) {
        let inherited = &mut self.receipt.inherited;
        inherited.lookups += 1;
        inherited.credits += u64::from(seen.in_doubt);
        inherited.since_ms = Some(inherited.since_ms.map_or(seen.at_ms, |since| since.min(seen.at_ms)));
    }

    /// Why the first unknown lookup is unknown, in brackets, for a message about several.
    pub(super) fn first_doubt(&self) -> String {
        self.first_doubt.as_ref().map(|doubt| format!(" (first: {doubt})")).unwrap_or_default()
    }

    /// Why the run stopped: only the first reason is reported.
    pub(super) fn stopped(&mut self, reason: &Arc<Message>, error: Option<Error>) {
        if self.receipt.stopped.is_none() {
            self.receipt.stopped = Some(reason.clone());
            self.receipt.stopped_error = error.as_ref().map(Error::kind);
        }
        let is_new = |error: &Error| !self.stopped_by.iter().any(|known| severity(known) == severity(error));
        self.stopped_by.extend(error.filter(is_new));
        self.stopped_by.sort_by_key(severity);
    }

    /// The errors of the run, worst first: fatal, budget, unknown, rejected.
    ///
    /// Empty if every row was answered, missing or invalid.
    pub(super) fn troubles(&self) -> Vec<Error> {
        let mut troubles = self.stopped_by.clone();
        // Doubts that earlier runs left are on the receipt, and are not reported as trouble a second time.
        let unknown = self.receipt.count(Status::Unknown).saturating_sub(self.receipt.inherited.rows);
        if unknown > 0 {
            let reason = self.first_doubt.as_deref().unwrap_or("another run's request went unanswered");
            let in_doubt = self.receipt.credits_in_doubt;
            troubles.push(rows_unknown(unknown, in_doubt, reason, self.unreadable, self.durable));
        }
        let rejected = self.receipt.count(Status::Rejected);
        if rejected > 0 {
            let error = rows_rejected(rejected, self.reception);
            troubles.push(match self.refused_with {
                Some(status) => error.with_status(status),
                None => error,
            });
        }
        troubles
    }
}

crate::listed! {
    /// What holds a run back.
    #[derive(Default)]
    pub enum LimitedBy {
        /// Nothing yet: the run has only begun.
        #[default]
        Nothing = "",
        /// As many requests as the setting allows were sent in the last 60 s.
        RequestsPerMinute = "requests_per_minute",
        /// As many requests as the setting allows, or as the service can take, are in flight.
        MaxConcurrency = "max_concurrency",
        /// As many lookups as the setting allows are in flight or unknown.
        MaxInDoubt = "max_in_doubt",
        /// The credits that are left are set aside for requests in flight.
        MaxCredits = "max_credits",
        /// The service has asked for a pause (429).
        Pause = "the service's pause",
        /// The lookups that are left wait to be sent again.
        Retries = "retries",
        /// The input has no more rows yet.
        Source = "the source",
        /// The caller has not taken the results yet.
        Consumer = "the consumer",
        /// Another run is asking for the lookups that are left.
        AnotherRun = "another run",
        /// Everything is in flight.
        Latency = "latency",
    }
}

/// The progress of a run. It is serialized under the names of Python's `Progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Progress {
    /// Rows fed.
    pub rows: u64,
    /// Rows whose outcome is known.
    pub done: u64,
    /// Rows of these without an answer: unknown, or not sent.
    pub open_rows: u64,
    /// Credits known to be charged.
    pub credits: u64,
    /// Credits that may be charged in addition: in doubt, and in flight.
    pub credits_in_doubt: u64,
    /// Requests in flight.
    pub in_flight: usize,
    /// Sends within the last 60 s, by all who share the limiter.
    pub requests_last_minute: usize,
    /// Requests still to be sent, as far as is known.
    pub requests_left: u64,
    /// What holds the run back.
    pub limited_by: LimitedBy,
    /// Seconds until it is done, as far as can be estimated.
    pub left_s: Option<f64>,
}

impl Scheduler {
    /// The outcomes that became known since the last call, the receipt so far, and how far the run is.
    ///
    /// Taking the outcomes is the only side effect: a second call returns none.
    pub fn report(&mut self, now: Instant) -> (Vec<RowOutcome>, &Receipt, Progress) {
        self.counts.admit(self.table.rows());
        self.tally.count(&self.out, &mut self.counts, now);
        self.tally.receipt.rows = self.table.rows() + self.counts.more_admitted();
        let (recent, paused_until) = self.limits.rate.look(now);
        let receipt = &self.tally.receipt;
        let rows = self.table.rows() + self.intake.rows() + self.counts.more_fed();
        let requests_left = self.lookups_left(rows).div_ceil(self.retries.chunk_size as u64);
        let progress = Progress {
            rows,
            done: receipt.by_status.iter().sum(),
            open_rows: receipt.count(Status::Unknown) + receipt.count(Status::NotSent) - receipt.barred,
            credits: receipt.credits,
            credits_in_doubt: receipt.credits_in_doubt + self.ceilings.own.reserved(),
            in_flight: self.flights.len(),
            requests_last_minute: recent,
            requests_left,
            limited_by: if paused_until.is_some() { LimitedBy::Pause } else { self.limited_by },
            left_s: self.left_s(requests_left, paused_until.max(self.pauses.not_before), now),
        };
        (std::mem::take(&mut self.out), &self.tally.receipt, progress)
    }

    /// Lookups to be sent: those that wait, and for the other rows an estimate from the rows before. `fed` is how many
    /// of the caller's rows were fed.
    ///
    /// Lookups that a miss adds later are not known here.
    fn lookups_left(&self, fed: u64) -> u64 {
        let retries = self.retries.iter().map(|chunk| chunk.ids.len()).sum::<usize>();
        let waiting = (self.table.queued() + retries) as u64;
        let rows = self.table.rows();
        let asked = (self.tally.receipt.sent + waiting).min(rows);
        // A row of the run may stand for several of the caller's.
        let estimate = |more: u64, rows: u64| more.saturating_mul(asked).checked_div(rows).unwrap_or(more);
        let to_come = estimate(self.intake.to_come(fed), self.tally.receipt.rows);
        waiting + estimate(self.intake.rows(), rows) + to_come
    }

    /// The time until the end of the pause, and then as fast as up to now; but never faster than the limiter allows.
    ///
    /// `None` before the first request has landed.
    #[allow(clippy::cast_precision_loss)] // counts of requests
    fn left_s(&self, requests_left: u64, paused_until: Option<Instant>, now: Instant) -> Option<f64> {
        let (requests, elapsed) = (self.tally.receipt.requests, self.tally.receipt.elapsed);
        let left = (requests_left + self.flights.len() as u64) as f64;
        let as_before = (requests > 0).then(|| left * elapsed.as_secs_f64() / requests as f64)?;
        let seconds_until = |end: Instant| end.saturating_duration_since(now).as_secs_f64();
        let fastest = seconds_until(self.limits.rate.earliest(now, requests_left));
        Some((paused_until.map_or(0.0, seconds_until) + as_before).max(fastest))
    }
}
