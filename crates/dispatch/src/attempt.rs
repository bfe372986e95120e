//! One request, from the claim to the stored answer, in a task of its own: whatever happens to the run, an
//! answer that is paid for is not dropped.
//!
//! How an attempt ends, what happens to its lookups in the store, and what is reported to the run:
//!
//! | what happened | the lookups in the store | report to the run |
//! |---|---|---|
//! | the intent could not be recorded | not claimed | `NotNoted` |
//! | the shared rate or limit leaves no room | not claimed | `NotBefore`, `NoRoom` |
//! | others ask for all of them, or have asked | not claimed | `NothingToSend` |
//! | the run was stopped while it waited for the store | free again | `Stopped` |
//! | a reply that was charged | settled with its answers | `Answered` |
//! | a failure that was free | free again, or rejected | `Failed`, with its verdict |
//! | a failure that may have been charged | unknown, in doubt | `Failed`, with `Verdict::Unknown` |
//! | a panic, or the end of the runtime | abandoned: in doubt | the same, by `shell::InFlight` |
//!
//! If the process is killed after the claim, the store still has the intent, and treats the lookups as in doubt once
//! another process notices. So a request that was claimed and never sent costs a doubt, and never a second payment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use exactbuyer_core::config::BodyFormat;
use exactbuyer_core::identifier::Identifier;
use exactbuyer_core::outcome::{Availability, Outcome, RequestOutcome};
use exactbuyer_core::policy::{TOO_LARGE, Verdict, judge, rejection};
use exactbuyer_core::schedule::{AttemptOutcome, Report};
use exactbuyer_core::service::align::settle_reply;
use exactbuyer_core::service::transport::{Failure, Transport};
use exactbuyer_core::service::wire::encode;
use exactbuyer_core::store::{Claim, Evidence, RequestId, Required, RunId, Store};

/// What one attempt needs.
///
/// The scheduler has chosen the lookups and set aside what they may cost. All of them have the same required fields.
pub(super) struct Attempt {
    pub(super) transport: Arc<dyn Transport>,
    pub(super) store: Arc<dyn Store>,
    /// The run that asks. The store checks its terms: rate, age of answers, spending limit.
    pub(super) run: RunId,
    /// Part of each lookup, and sent with the request.
    pub(super) required: Required,
    pub(super) format: BodyFormat,
    /// In the order of the request. The report's `claimed` has the same order.
    pub(super) identifiers: Vec<Identifier>,
    /// Whether the run will send again what becomes unknown. Then another run must not take the doubt for the
    /// lookup's outcome.
    pub(super) resends: bool,
    /// Whether the run was stopped. The claim may have waited for other programs that use the store.
    pub(super) halted: Arc<AtomicBool>,
    /// Whether a refusal of a single record is the record's own fault, and not perhaps the request's. Only then may a
    /// refusal be remembered as the outcome of that record.
    pub(super) cleared: bool,
}

/// What a request has claimed. If this is dropped before the lookups are taken out, as by a panic, they are in
/// doubt.
///
/// It exists from the claim until the outcome is known. From then on `lookups` is empty, and the store is told the
/// outcome before the next `await`, so nothing can be lost in between.
struct Claimed {
    store: Arc<dyn Store>,
    run: RunId,
    required: Required,
    request: RequestId,
    /// Those that this request sends: claimed, in the order of the request.
    lookups: Vec<Identifier>,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.lookups.is_empty() {
            self.store.abandon(self.run, &self.required, self.request, std::mem::take(&mut self.lookups));
        }
    }
}

impl Attempt {
    /// Claims, sends, reads and stores.
    ///
    /// The order matters. In a durable store, the intent is committed before the first byte is sent, and the answer
    /// before the run delivers it. If the store cannot take the answer, the report has it all the same.
    ///
    /// # Cancel safety
    /// Not safe: run it in a task of its own.
    pub(super) async fn run(self) -> Report {
        let Self { transport, store, run, required, format, identifiers, resends, halted, cleared } = self;
        let (request, availability) = match store.claim(run, &required, &identifiers).await {
            Ok(Claim::Granted { request, availability }) => (request, availability),
            Ok(Claim::NotBefore(wait)) => return Report::of(AttemptOutcome::NotBefore(wait)),
            Ok(Claim::NoRoom(room)) => return Report::of(AttemptOutcome::NoRoom(room)),
            Err(error) => return Report::of(AttemptOutcome::NotNoted(error)),
        };
        // The store decides again, in the transaction of the claim: since the run consulted it, another one may have
        // asked.
        let is_mine = |one: &Availability| matches!(one, Availability::Free | Availability::Again);
        let pairs = identifiers.into_iter().zip(&availability);
        let mine: Vec<Identifier> = pairs.filter(|(_, one)| is_mine(one)).map(|(mine, _)| mine).collect();
        let report = Report { claimed: availability, ..Report::of(AttemptOutcome::NothingToSend) };
        if mine.is_empty() {
            return report;
        }
        let mut claimed = Claimed { store, run, required, request, lookups: mine };

        let (started, started_ms) = (tokio::time::Instant::now(), now_ms());
        let reply = if halted.load(Ordering::Acquire) {
            None
        } else {
            let body = encode(claimed.lookups.iter(), &claimed.required, format);
            Some(transport.send(body).await)
        };
        let at_ms = now_ms();
        // The longer of both clocks: one of them stands still while a machine sleeps, and nobody knows when a
        // reply came that was found after a sleep.
        let slept = Duration::from_millis(u64::try_from(at_ms - started_ms).unwrap_or(0));
        let took = started.elapsed().max(slept);

        let left = !matches!(reply, Some(Err(Failure::NotSent(_) | Failure::Forbidden(_))));
        let status = reply.as_ref().and_then(|reply| reply.as_ref().ok()).map(|reply| reply.status);
        let mut unread = None;
        let outcome = match reply.map(|reply| judge(reply, took)) {
            None => AttemptOutcome::Stopped,
            Some(Ok(reply)) => {
                let settlement = settle_reply(&claimed.lookups, &reply);
                let is_unknown = |outcome: &Outcome| matches!(outcome, Outcome::Unknown(_));
                unread = settlement.outcomes.iter().any(is_unknown).then_some(reply.body);
                AttemptOutcome::Answered(settlement)
            }
            Some(Err(verdict)) => AttemptOutcome::Failed { verdict: stamped(verdict, at_ms), left },
        };
        // The outcome is known: from here on, nothing must abandon these lookups.
        let mine = std::mem::take(&mut claimed.lookups);
        let report = Report { outcome, at_ms, ..report };
        // A store in memory with no other run has nobody to tell: the answers go only to this run.
        let store = &claimed.store;
        if store.release_if_alone(run, &claimed.required, &mine) {
            return report;
        }
        let lookups = mine.len() as u64;
        let evidence =
            Evidence { at_ms, status, took, resends, unread, ..evidence(&report.outcome, lookups) };
        let outcomes = outcomes(&report.outcome, mine, cleared);
        match store.settle(run, &claimed.required, request, outcomes, evidence).await {
            Ok(withheld) => Report { withheld, ..report },
            Err(_) => Report { not_stored: Some(request), ..report },
        }
    }
}

/// The journal entry of a request of so many lookups.
///
/// `credits` and `in_doubt` replace the worst case that the claim has noted. An unknown request may have cost one
/// credit for each lookup. All other outcomes end an attempt before there is a request in the journal, so the last
/// arm is never stored.
fn evidence(outcome: &AttemptOutcome, lookups: u64) -> Evidence {
    match outcome {
        AttemptOutcome::Answered(settlement) => Evidence {
            outcome: RequestOutcome::Answered,
            left: true,
            credits: settlement.credits.into(),
            in_doubt: settlement.in_doubt.into(),
            ..Evidence::default()
        },
        AttemptOutcome::Failed { verdict, left } => {
            let (outcome, in_doubt, pause) = match verdict {
                _ if !left => (RequestOutcome::NotSent, 0, None),
                Verdict::Unknown { .. } => (RequestOutcome::Unknown, lookups, None),
                Verdict::Paused(wait) => (RequestOutcome::Paused, 0, Some(*wait)),
                Verdict::Later { .. } => (RequestOutcome::Busy, 0, None),
                Verdict::TooLarge => (RequestOutcome::TooLarge, 0, None),
                Verdict::Refused(_) | Verdict::Fatal(_) => (RequestOutcome::Refused, 0, None),
            };
            Evidence { outcome, left: *left, in_doubt, pause, ..Evidence::default() }
        }
        AttemptOutcome::Stopped => Evidence { outcome: RequestOutcome::NotSent, ..Evidence::default() },
        _ => Evidence::default(),
    }
}

/// An unknown, with the time at which it became one.
///
/// The user looks for the request in the service's log by this time.
fn stamped(verdict: Verdict, at_ms: i64) -> Verdict {
    match verdict {
        Verdict::Unknown { reason, congested } => {
            Verdict::Unknown { reason: format!("{reason}, at {}", time_of_day(at_ms)), congested }
        }
        other => other,
    }
}

/// Now, in milliseconds since 1970.
///
/// A clock that is set before 1970 counts as 1970.
pub(super) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time of day, for people who compare it with the service's log.
pub(super) fn time_of_day(at_ms: i64) -> String {
    let second = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", second / 3_600, second / 60 % 60, second % 60)
}

/// The outcome of each lookup that was sent. A refusal that may be the request's fault is not remembered: once
/// the request is corrected, the record can be asked for again.
///
/// Each lookup keeps its place. `NotSent` tells the store to release the lookup: somebody may ask for it again, at no
/// extra cost.
fn outcomes(outcome: &AttemptOutcome, mine: Vec<Identifier>, cleared: bool) -> Vec<(Identifier, Outcome)> {
    let alone = mine.len() == 1;
    let outcome = match outcome {
        AttemptOutcome::Answered(settlement) => {
            return mine.into_iter().zip(settlement.outcomes.iter().cloned()).collect();
        }
        AttemptOutcome::Failed { verdict: Verdict::Unknown { reason, .. }, .. } => {
            Outcome::Unknown(reason.as_str().into())
        }
        AttemptOutcome::Failed { verdict: Verdict::Refused(status), .. } if alone && cleared => {
            Outcome::Rejected(rejection(*status))
        }
        AttemptOutcome::Failed { verdict: Verdict::TooLarge, .. } if alone && cleared => {
            Outcome::Rejected(rejection(TOO_LARGE))
        }
        _ => Outcome::NotSent(Arc::default()),
    };
    mine.into_iter().map(|identifier| (identifier, outcome.clone())).collect()
}
