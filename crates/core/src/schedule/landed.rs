//! What follows from the end of a request.
//!
//! The end of a request comes in as a [`Report`], and every lookup of its chunk goes to exactly one of these
//! places:
//!
//! | the outcome | credits | the lookups |
//! |---|---|---|
//! | answered | as the settlement says | over; those without an answer are in doubt |
//! | failed, `Later` or `Paused` | none | sent again, after a wait |
//! | failed, `Refused` or `TooLarge` | none | sent again in halves; a single one is rejected |
//! | failed, `Fatal` | none | put back, and the run stops |
//! | failed, `Unknown` | all in doubt | unknown, or sent again if `on_unknown` says so |
//! | nothing was sent | none | put back; what was reserved is free |
//!
//! Lookups that the claim left to other requests are taken out first: they were not sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::message::Message;
use crate::outcome::{Availability, Outcome};
use crate::policy::{LONGEST_PAUSE, TOO_LARGE, TOO_MANY, Verdict, answered, backoff, rejection};
use crate::results::{Origin, Source};
use crate::service::align::Settlement;

use super::chunk::{AttemptOutcome, Chunk, Flight, Report};
use super::log::{LogEntry, LogKind};
use super::next::PATIENCE;
use super::retries::GroupId;
use super::{Effect, Scheduler, trouble};

impl Scheduler {
    /// A request is over.
    ///
    /// The reserve of the worst case is replaced by what the request really cost, whichever way it ended. A
    /// report whose request was [given up](Self::give_up) changes nothing.
    pub fn landed(&mut self, number: u64, report: Report, now: Instant) {
        self.now = now;
        // Given up already: its lookups are unknown, and counted so.
        let Some(flight) = self.flights.remove(&number) else { return };
        let Flight { mut chunk, slot, reserved } = flight;
        let (mut held, mut bought_again) = (Vec::new(), 0);
        let mut claimed = report.claimed.into_iter();
        chunk.ids.retain(|id| match claimed.next() {
            None | Some(Availability::Free) => true,
            Some(Availability::Again) => {
                bought_again += 1;
                true
            }
            Some(Availability::Held) => {
                held.push(*id);
                false
            }
            Some(Availability::Known(outcome, seen)) => {
                self.take_over(*id, outcome, seen);
                false
            }
        });
        self.held.wait_and_look(chunk.with(held));
        if let (Some(request), AttemptOutcome::Answered(_)) = (report.not_stored, &report.outcome) {
            self.tally.receipt.not_stored += chunk.ids.len() as u64;
            self.unstored.push((request, chunk.ids.len()));
        }
        self.tally.receipt.withheld += report.withheld;
        if report.not_stored.is_some() || report.withheld > 0 {
            // Only this run has these answers: as long as it remembers them, they are not paid for again.
            self.table.set_window(None);
        }
        match report.outcome {
            AttemptOutcome::Answered(settlement) => {
                self.ceilings.stored = None;
                self.pauses.limited = None;
                self.tally.receipt.bought_again += bought_again;
                let asked = Origin { source: Source::Asked, fetched_at_ms: Some(report.at_ms) };
                self.answered(&chunk, reserved, settlement, asked);
            }
            AttemptOutcome::Failed { verdict, left } => {
                self.ceilings.stored = None;
                if let Verdict::Later { congested: true, .. } | Verdict::Unknown { congested: true, .. } =
                    verdict
                {
                    self.limits.lock().concurrency.congested(slot, now);
                }
                if !left {
                    self.limits.rate.give_back(slot);
                }
                self.failed(chunk, reserved, verdict, left);
            }
            unsent => {
                // Everything that was taken for it is free again.
                self.limits.rate.give_back(slot);
                self.settle_credits(reserved, 0, 0);
                self.unsent(chunk, unsent);
            }
        }
    }

    /// Nothing was sent, and the service was not asked.
    ///
    /// The chunk goes back as it was, without an attempt counted: nothing has been tried.
    fn unsent(&mut self, chunk: Chunk, outcome: AttemptOutcome) {
        match outcome {
            AttemptOutcome::NotNoted(error) => {
                self.again(chunk);
                return self.fail(error);
            }
            AttemptOutcome::Stopped => return self.again(chunk),
            _ => {}
        }
        if let Some(group) = chunk.group {
            self.retries.splits.undecided(group, false);
        }
        let wait = match outcome {
            AttemptOutcome::NotBefore(wait) => {
                self.pauses.not_before = Some(self.now + wait);
                wait
            }
            AttemptOutcome::NoRoom(room) => {
                self.ceilings.believe(room, self.now);
                Duration::ZERO
            }
            _ => return,
        };
        // A partial chunk has waited for more rows already. If it waited again, what the store has just said of
        // its ceiling would expire meanwhile, the claim would be refused again, and the run would never end.
        self.partial_since = self.now.checked_sub(PATIENCE);
        self.paused(chunk, wait);
    }

    /// The service has accepted the request, so everything that follows concerns single lookups. A reply without
    /// any answer counts as unanswered, although its credits are known.
    fn answered(&mut self, chunk: &Chunk, reserved: usize, settlement: Settlement, asked: Origin) {
        let (credits, in_doubt) = (u64::from(settlement.credits), u64::from(settlement.in_doubt));
        let count = |is: fn(&Outcome) -> bool| settlement.outcomes.iter().filter(|one| is(one)).count();
        let hits = count(|outcome| matches!(outcome, Outcome::Hit(_)));
        let answers = hits + count(|outcome| matches!(outcome, Outcome::Miss));
        self.limits.lock().concurrency.answered();
        self.settle_credits(reserved, credits, in_doubt);
        self.tally.sent(chunk.ids.len(), credits, in_doubt);
        if let Some(note) = settlement.note {
            self.tally.noted(note);
        }
        self.ceilings.hit_rate.note(answers as u64, hits as u64);
        self.retries.accepted(chunk);
        self.tally.accepted();
        if answers > 0 {
            self.doubts.in_a_row = 0;
        }
        let mut doubtful: Vec<(Arc<str>, Vec<_>)> = Vec::new();
        for (id, outcome) in chunk.ids.iter().zip(settlement.outcomes) {
            let Outcome::Unknown(why) = outcome else {
                self.settle(*id, outcome, asked);
                continue;
            };
            match doubtful.iter_mut().find(|(known, _)| *known == why) {
                Some((_, ids)) => ids.push(*id),
                None => doubtful.push((why, vec![*id])),
            }
        }
        if in_doubt == 0 && !doubtful.is_empty() {
            self.tally.unreadable();
        }
        for (reason, ids) in doubtful {
            self.doubt(chunk.with(ids), reason);
        }
        if answers == 0 {
            self.unanswered();
        }
    }

    /// `left`: whether a byte may have left this machine. If not, the request costs neither the rate nor a
    /// probe.
    fn failed(&mut self, chunk: Chunk, reserved: usize, verdict: Verdict, left: bool) {
        let lookups = chunk.ids.len();
        let in_doubt = if matches!(verdict, Verdict::Unknown { .. }) { lookups as u64 } else { 0 };
        let was_judged = left && !matches!(verdict, Verdict::Paused(_));
        self.settle_credits(reserved, 0, in_doubt);
        if left {
            self.tally.sent(lookups, 0, in_doubt);
        }
        if let Some(group) = chunk.group
            && !matches!(verdict, Verdict::Refused(_))
        {
            self.retries.splits.undecided(group, was_judged);
        }
        if was_judged {
            self.pauses.limited = None;
        }
        match verdict {
            Verdict::Later { cause, trouble, wait, .. } => self.later(chunk, cause, trouble, wait),
            Verdict::Paused(wait) => {
                // Several requests may get the same answer at once.
                if self.pauses.lengthens(self.now + wait) {
                    self.log(LogKind::Paused, lookups, wait, answered(TOO_MANY));
                }
                self.paused(chunk, wait);
                if self.pauses.limited(self.now, wait) {
                    self.fail(trouble::nothing_but_429());
                }
            }
            Verdict::Refused(status) => self.refused(chunk, status),
            Verdict::TooLarge => self.too_large(chunk),
            Verdict::Fatal(error) => {
                self.again(chunk);
                self.fail(error);
            }
            Verdict::Unknown { reason, .. } => {
                self.log(LogKind::Unknown, lookups, Duration::ZERO, reason.clone().into());
                self.doubt(chunk, Arc::from(reason));
                self.unanswered();
            }
        }
    }

    /// Not sent, or refused for a while.
    ///
    /// Counts as an attempt. Beyond `max_retries`, or for a pause that no run should wait out, the run stops
    /// with the trouble; its lookups are free, so they end as not sent, unless they are in doubt already.
    fn later(&mut self, chunk: Chunk, cause: Message, trouble: Error, wait: Option<Duration>) {
        let attempts = chunk.attempts + 1;
        let too_long = wait.is_some_and(|wait| wait > LONGEST_PAUSE);
        // `Retry-After` is a minimum. A starting service may ask for 0 s; without backoff, all attempts would be used up
        // within a second.
        let wait = wait.unwrap_or_default().max(backoff(chunk.attempts, (self.chance)()));
        let over = attempts > self.config.max_retries || too_long;
        if !over && self.ending.reason.is_none() {
            self.log(LogKind::Retried, chunk.ids.len(), wait, cause);
        }
        self.again(Chunk { attempts, due: Some(self.now + wait), ..chunk });
        if over {
            self.fail(trouble);
        }
    }

    /// Over the rate limit.
    ///
    /// Counts as no attempt: a 429 says nothing about the lookups.
    fn paused(&mut self, chunk: Chunk, wait: Duration) {
        self.again(chunk);
        if wait > LONGEST_PAUSE {
            self.fail(trouble::pause_too_long(wait));
        }
    }

    /// The service refused a record of the chunk, or the request itself: halve it until the record is found.
    ///
    /// Each part is sent by itself until the refused record stands alone. If every part is refused, it is the
    /// request that is wrong, and the run stops before it has cost many requests.
    fn refused(&mut self, chunk: Chunk, status: u16) {
        let splits = &mut self.retries.splits;
        let group = chunk.group.unwrap_or_else(|| splits.open());
        let hopeless = chunk.group.is_some() && splits.refused(group);
        self.halve(Chunk { group: Some(group), ..chunk }, status);
        if hopeless {
            self.fail(trouble::every_part_refused(status));
        } else if self.retries.splits.exhausted(group) {
            self.leave_unresolved(group);
        }
    }

    /// The request is too large: from now on, smaller ones.
    ///
    /// If many single records are too large, and nothing was accepted, every request would be, and the run stops.
    fn too_large(&mut self, chunk: Chunk) {
        self.retries.too_large(chunk.ids.len());
        let hopeless = chunk.ids.len() == 1 && self.retries.splits.too_large();
        self.halve(chunk, TOO_LARGE);
        if hopeless {
            self.fail(trouble::every_size_too_large());
        }
    }

    /// Sends a chunk again in halves, the first half first. A single lookup is rejected.
    fn halve(&mut self, mut chunk: Chunk, status: u16) {
        if let [id] = chunk.ids[..] {
            if let Some(doubt) = &chunk.doubt {
                // It may have been charged when it was sent before: nothing else may be bought in its place.
                self.remember_doubt(&chunk.ids, doubt);
                return;
            }
            self.tally.refused(status);
            self.settle(id, Outcome::Rejected(rejection(status)), Source::Asked);
            return;
        }
        if self.ending.reason.is_none() {
            self.log(LogKind::Halved, chunk.ids.len(), Duration::ZERO, answered(status));
        }
        let second = chunk.ids.split_off(chunk.ids.len() / 2);
        self.again(chunk.with(second));
        self.again(chunk);
    }

    /// The search for the refused record has cost enough.
    pub(super) fn leave_unresolved(&mut self, group: GroupId) {
        let reason = Arc::new(trouble::UNRESOLVED.into());
        for chunk in self.retries.take_all(Some(group)) {
            self.leave(chunk, &reason);
        }
    }

    /// Lookups that are not sent again are `not_sent`, unless they are in doubt already.
    ///
    /// So no lookup that may have been charged is ever reported as not sent.
    pub(super) fn leave(&mut self, chunk: Chunk, reason: &Arc<Message>) {
        if let Some(doubt) = chunk.doubt {
            self.remember_doubt(&chunk.ids, &doubt);
            return;
        }
        for id in chunk.ids {
            self.settle(id, Outcome::NotSent(reason.clone()), Source::Asked);
        }
    }

    fn log(&mut self, kind: LogKind, lookups: usize, wait: Duration, cause: Message) {
        self.effects.push(Effect::Log(LogEntry { kind, lookups, wait, cause }));
    }

    /// Returns a chunk to the place from which it is sent again.
    ///
    /// Plain lookups go back to the table, to be mixed with others. Lookups with a past (attempts, a group, a
    /// doubt) stay together, so that the past is known when they return.
    pub(super) fn again(&mut self, chunk: Chunk) {
        if let Some(reason) = self.ending.reason.clone() {
            self.leave(chunk, &reason);
        } else if chunk.group.is_some_and(|group| self.retries.splits.exhausted(group)) {
            self.leave(chunk, &Arc::new(trouble::UNRESOLVED.into()));
        } else if chunk.is_plain() {
            self.table.put_back(&chunk.ids, &mut self.out);
        } else {
            self.retries.push(chunk);
        }
    }

    /// It may have been charged: hold it, or send it again and count the doubt.
    ///
    /// Counted each time, also if it is sent again: each send may have been charged.
    fn doubt(&mut self, chunk: Chunk, reason: Arc<str>) {
        self.doubts.unknown += chunk.ids.len();
        if self.resends(&chunk) {
            let due = Some(self.now + backoff(chunk.attempts, (self.chance)()));
            self.again(Chunk { attempts: chunk.attempts + 1, due, doubt: Some(reason), ..chunk });
            return;
        }
        for id in chunk.ids {
            self.settle(id, Outcome::Unknown(reason.clone()), Source::Asked);
        }
    }

    /// Counts a request without any answer that was charged, or may have been.
    ///
    /// Otherwise a gateway that charges and then fails would use up the whole list.
    fn unanswered(&mut self) {
        if self.doubts.unanswered() && self.ending.reason.is_none() {
            let first_doubt = self.tally.first_doubt();
            self.fail(trouble::too_many_unanswered(&first_doubt));
        }
    }
}
