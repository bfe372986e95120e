//! What a run does with what came of a request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use exactbuyer_core::config::OnUnknown;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::plan::Final;
use exactbuyer_core::policy::{LONGEST_PAUSE, Verdict, backoff};
use exactbuyer_core::results::{Origin, Source};
use exactbuyer_core::service::align::{Answer, Settlement};
use exactbuyer_core::service::limits::WINDOW;

use super::attempt::{CameTo, Landed, Parcel, rejection};
use super::launch::{PATIENCE, pause_too_long};
use super::runner::{Flight, Runner, now};
use super::split::GroupId;
use super::tally::counted;

/// Unknown replies in a row after which a run stops: a gateway that bills and then fails must not
/// eat the list.
const MOST_UNKNOWN_IN_A_ROW: u32 = 3;

/// How long a run believes what the store says is left of its ceiling: others change it.
const BELIEVED: Duration = Duration::from_secs(1);

/// Why the rest of a refused chunk is not sent.
const UNRESOLVED: &str = "the service refused the chunk for several of its records, and this row could not be cleared \
                          of it: look at the rejected rows, then run this again";

impl Runner {
    /// A request is over.
    pub(super) fn land(&mut self, number: u64, landed: Landed) {
        // Given up already: its lookups are unknown, and counted as such.
        let Some(flight) = self.flights.remove(&number) else { return };
        let reserved = flight.parcel.ids.len();
        for (id, known, seen) in landed.known {
            self.take_over(id, known, seen);
        }
        for (id, why) in landed.barred {
            self.settle(id, Final::NotSent(why), Source::Store);
        }
        let parcel = landed.parcel;
        self.look_again |= !landed.held.is_empty();
        self.hold(Parcel { ids: landed.held, ..parcel.clone_without_ids() });
        if landed.not_stored.is_some() {
            self.tally.not_stored(parcel.ids.len());
        }
        self.tally.receipt.withheld += landed.withheld;
        match landed.came_to {
            CameTo::NothingToSend => {
                self.return_unused(&flight);
                if let Some(group) = parcel.group {
                    self.splits.undecided(group, false);
                }
            }
            CameTo::NotNoted(error) => {
                self.return_unused(&flight);
                self.again(parcel);
                self.fail(error);
            }
            CameTo::NotYet(wait) => {
                self.return_unused(&flight);
                self.not_before = Some(now() + wait);
                self.put_off(parcel, wait);
            }
            CameTo::NoRoom(room) => {
                self.return_unused(&flight);
                self.room = Some((room, now() + BELIEVED));
                self.put_off(parcel, Duration::ZERO);
            }
            CameTo::Answered(settlement) => {
                self.room = None;
                self.limited = None;
                self.tally.receipt.bought_again += landed.again;
                self.answered(&parcel, reserved, &settlement, landed.at_ms);
            }
            CameTo::Judged { verdict, left } => {
                self.room = None;
                if !left {
                    self.shared.limiter.give_back(flight.slot);
                }
                self.judged(parcel, reserved, &flight, verdict, left);
            }
        }
    }

    /// Nothing went out: everything that was taken for it is free again.
    fn return_unused(&mut self, flight: &Flight) {
        self.shared.limiter.give_back(flight.slot);
        self.settle_budget(flight.parcel.ids.len(), 0, 0);
    }

    /// Claimed by nobody yet: it goes back, at no cost, unless the wait is longer than a run sleeps.
    fn put_off(&mut self, parcel: Parcel, wait: Duration) {
        // If it is not full, it has waited for more already. Waiting again would outlast what the store has
        // just said of its ceiling, and so on for ever.
        self.partial_since = now().checked_sub(PATIENCE);
        if let Some(group) = parcel.group {
            self.splits.undecided(group, false);
        }
        self.paused(parcel, wait);
    }

    fn answered(&mut self, parcel: &Parcel, reserved: usize, settlement: &Settlement, at_ms: i64) {
        let (credits, in_doubt) = (u64::from(settlement.credits), u64::from(settlement.in_doubt));
        let hits = settlement.answers.iter().filter(|answer| matches!(answer, Answer::Hit(_))).count();
        let misses = settlement.answers.iter().filter(|answer| matches!(answer, Answer::Miss)).count();
        self.shared.resources().concurrency.answered();
        self.settle_budget(reserved, credits, in_doubt);
        self.tally.sent(parcel.ids.len(), credits, in_doubt);
        if let Some(note) = settlement.note {
            self.tally.noted(note);
        }
        self.hit_rate.note((hits + misses) as u64, hits as u64);
        self.splits.accepted(parcel.group);
        self.tally.accepted();
        if hits + misses > 0 {
            self.streak = 0;
        }
        let asked = Origin { source: Source::Asked, fetched_at_ms: Some(at_ms) };
        let mut doubtful: Vec<(Arc<str>, Vec<_>)> = Vec::new();
        for (id, answer) in parcel.ids.iter().zip(&settlement.answers) {
            match answer {
                Answer::Hit(record) => self.settle(*id, Final::Hit(record.clone()), asked),
                Answer::Miss => self.settle(*id, Final::Miss, asked),
                Answer::Unknown(why) => match doubtful.iter_mut().find(|(known, _)| **known == **why) {
                    Some((_, ids)) => ids.push(*id),
                    None => doubtful.push(((*why).into(), vec![*id])),
                },
            }
        }
        if in_doubt == 0 && !doubtful.is_empty() {
            self.tally.unreadable();
        }
        for (reason, ids) in doubtful {
            self.unknown += ids.len();
            self.doubt(Parcel { ids, ..parcel.clone_without_ids() }, &reason);
        }
        if hits + misses == 0 {
            self.one_more_unknown();
        }
    }

    fn judged(&mut self, parcel: Parcel, reserved: usize, flight: &Flight, verdict: Verdict, left: bool) {
        let lookups = parcel.ids.len();
        let in_doubt = if matches!(verdict, Verdict::Unknown { .. }) { lookups as u64 } else { 0 };
        if let Verdict::Later { congested: true, .. } | Verdict::Unknown { congested: true, .. } = verdict {
            self.shared.resources().concurrency.congested(flight.slot, now());
        }
        self.settle_budget(reserved, 0, in_doubt);
        if left {
            self.tally.sent(lookups, 0, in_doubt);
        }
        if let Some(group) = parcel.group
            && !matches!(verdict, Verdict::Refused(_))
        {
            self.splits.undecided(group, left && !matches!(verdict, Verdict::Paused(_)));
        }
        if left && !matches!(verdict, Verdict::Paused(_)) {
            self.limited = None;
        }
        match verdict {
            Verdict::Answered => {}
            Verdict::Later { trouble, wait, .. } => self.later(parcel, trouble, wait),
            Verdict::Paused(wait) => {
                let wait = wait.unwrap_or(WINDOW);
                self.paused(parcel, wait);
                self.limited_again(wait);
            }
            Verdict::Refused(status) => self.refused(parcel, status),
            Verdict::TooLarge => self.too_large(parcel),
            Verdict::Fatal(error) => {
                self.again(parcel);
                self.fail(error);
            }
            Verdict::Unknown { reason, .. } => {
                self.unknown += lookups;
                self.doubt(parcel, &Arc::from(reason));
                self.one_more_unknown();
            }
        }
    }

    /// Not sent, or refused for a while.
    fn later(&mut self, parcel: Parcel, trouble: Error, wait: Option<Duration>) {
        let attempts = parcel.attempts + 1;
        let too_long = wait.is_some_and(|wait| wait > LONGEST_PAUSE);
        let wait = wait.unwrap_or_else(|| backoff(parcel.attempts, self.shared.chance()));
        let over = attempts > self.shared.config.max_retries || too_long;
        self.again(Parcel { attempts, due: Some(now() + wait), ..parcel });
        if over {
            self.fail(trouble);
        }
    }

    /// Over the rate limit.
    fn paused(&mut self, parcel: Parcel, wait: Duration) {
        self.again(parcel);
        if wait > LONGEST_PAUSE {
            self.fail(pause_too_long(wait));
        }
    }

    /// Nothing but 429s for as long as no pause may be: waiting does not help. Time in which nothing
    /// was asked does not count.
    fn limited_again(&mut self, wait: Duration) {
        let now = now();
        let since = match self.limited {
            Some((since, until)) if now <= until + WINDOW => since,
            _ => now,
        };
        self.limited = Some((since, now + wait));
        if now.saturating_duration_since(since) > LONGEST_PAUSE {
            let minutes = counted(LONGEST_PAUSE.as_secs() / 60, "minute");
            let message = format!(
                "the service has answered nothing but 429 for {minutes}: set requests_per_minute lower if others use \
                 the same key, else ask ExactBuyer whether a quota is used up; then run this again"
            );
            self.fail(Error::new(ErrorKind::RateLimit, message).with_status(429));
        }
    }

    /// The vendor refused a record in it, or the request itself: halve it down to the guilty one.
    fn refused(&mut self, parcel: Parcel, status: u16) {
        let group = parcel.group.unwrap_or_else(|| self.splits.open());
        let hopeless = parcel.group.is_some() && self.splits.refused(group);
        self.halve(Parcel { group: Some(group), ..parcel }, &Verdict::Refused(status));
        if hopeless {
            let message = "the service refuses every part of a chunk: the request itself is wrong; check \
                           required_fields, body and base_url";
            self.fail(Error::new(ErrorKind::BadRequest, message).with_status(status));
        } else if self.splits.exhausted(group) {
            self.leave_unresolved(group);
        }
    }

    /// The request is too large: from now on, smaller ones.
    fn too_large(&mut self, parcel: Parcel) {
        self.chunk_size = self.chunk_size.min(parcel.ids.len() / 2).max(1);
        let hopeless = parcel.ids.len() == 1 && self.splits.too_large();
        self.halve(parcel, &Verdict::TooLarge);
        if hopeless {
            let message = "the service finds even single records too large (413): something on the way \
                           refuses every request; check base_url, proxy and body";
            self.fail(Error::new(ErrorKind::BadRequest, message).with_status(413));
        }
    }

    /// Sends a parcel again in halves, the first half first; a single lookup is rejected.
    fn halve(&mut self, mut parcel: Parcel, verdict: &Verdict) {
        if let [id] = parcel.ids[..] {
            if let Some(doubt) = &parcel.doubt {
                // It may have been charged when it was sent before: nothing else may be bought in its place.
                self.remember_doubt(&parcel.ids, doubt);
                return;
            }
            self.tally.refused();
            self.settle(id, Final::Rejected(rejection(verdict)), Source::Asked);
            return;
        }
        let ids = parcel.ids.split_off(parcel.ids.len() / 2);
        let second = Parcel { ids, ..parcel.clone_without_ids() };
        self.again(second);
        self.again(parcel);
    }

    /// The search for the guilty record has cost enough.
    pub(super) fn leave_unresolved(&mut self, group: GroupId) {
        let (parts, others) =
            std::mem::take(&mut self.retries).into_iter().partition(|parcel| parcel.group == Some(group));
        self.retries = others;
        let parts: VecDeque<Parcel> = parts;
        for parcel in parts {
            self.leave(parcel, &Arc::from(UNRESOLVED));
        }
    }

    /// What is not sent again is `not_sent`, unless it is in doubt already.
    pub(super) fn leave(&mut self, parcel: Parcel, reason: &Arc<str>) {
        if let Some(doubt) = parcel.doubt {
            self.remember_doubt(&parcel.ids, &doubt);
            return;
        }
        for id in parcel.ids {
            self.settle(id, Final::NotSent(reason.clone()), Source::Asked);
        }
    }

    /// Puts a parcel where it is sent from again.
    pub(super) fn again(&mut self, parcel: Parcel) {
        if let Some(reason) = self.stopping.clone() {
            self.leave(parcel, &reason);
        } else if parcel.group.is_some_and(|group| self.splits.exhausted(group)) {
            self.leave(parcel, &Arc::from(UNRESOLVED));
        } else if parcel.is_plain() {
            self.table.put_back(&parcel.ids, &mut self.out);
        } else {
            // In front: a search for a guilty record goes down before it goes on.
            self.retries.push_front(parcel);
        }
    }

    /// It may have been charged: hold it, or send it again with the doubt on the books.
    fn doubt(&mut self, parcel: Parcel, reason: &Arc<str>) {
        let attempts = parcel.attempts + 1;
        let config = &self.shared.config;
        if config.on_unknown == OnUnknown::Resend && attempts <= config.max_retries {
            let wait = backoff(parcel.attempts, self.shared.chance());
            let due = Some(now() + wait);
            self.again(Parcel { attempts, due, doubt: Some(reason.clone()), ..parcel });
            return;
        }
        for id in parcel.ids {
            self.settle(id, Final::Unknown(reason.clone()), Source::Asked);
        }
    }

    fn one_more_unknown(&mut self) {
        self.streak += 1;
        if self.streak < MOST_UNKNOWN_IN_A_ROW || self.stopping.is_some() {
            return;
        }
        let message = format!(
            "three requests in a row went unanswered and may have been charged{}: compare the vendor's usage page \
             before you run this again",
            self.tally.first_doubt()
        );
        self.fail(Error::new(ErrorKind::UnknownOutcome, message));
    }
}
