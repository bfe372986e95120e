//! Why a run stops or has rows without an answer, for the person who reads it.
//!
//! Each text is one line, says what to do next, and names no identifier, key or contact. Settings and advice
//! are terms, so that the Python API and the command line put their own words there.

use std::time::Duration;

use crate::config::Per;
use crate::error::{Error, ErrorKind};
use crate::message;
use crate::message::{Advice, Message, Setting};
use crate::policy::LONGEST_PAUSE;
use crate::store::Room;

/// Why a run that somebody stopped has rows that were not sent.
pub(super) const STOPPED: &str = "stopped before the end, by Ctrl-C, close() or cancelling";

/// Why a run that may not send leaves a row open.
pub(super) fn store_only() -> Message {
    message!("it is not in the store, and nothing may be sent: {}", Advice::AskWithoutStoreOnly)
}

/// Why the rest of a refused chunk is not sent.
///
/// The search for the record costs requests, so it has an end.
pub(super) const UNRESOLVED: &str = "the service refused the chunk for several of its records, and this row could not be cleared \
                          of it: look at the rejected rows, then run this again";

/// The service asks for a pause that no run should sleep through.
pub(super) fn pause_too_long(wait: Duration) -> Error {
    let minutes = counted(wait.as_secs().div_ceil(60), "minute");
    let message = format!("the service asks for a pause of {minutes} (429): run this again after that");
    Error::new(ErrorKind::RateLimit, message).with_status(429)
}

/// The service has answered 429 for so long that waiting will not help.
pub(super) fn nothing_but_429() -> Error {
    let minutes = counted(LONGEST_PAUSE.as_secs() / 60, "minute");
    let message = message!(
        "the service has answered nothing but 429 for {}: set {} lower if others use the same key, else \
         ask ExactBuyer whether a quota is used up; then run this again",
        &minutes,
        Setting::RequestsPerMinute
    );
    Error::new(ErrorKind::RateLimit, message).with_status(429)
}

/// The first refused chunk was divided again and again, and nothing of the run was accepted.
pub(super) fn every_part_refused(status: u16) -> Error {
    let message = message!(
        "the service refuses every part of a chunk: the request itself is wrong; check {}, {} and {}",
        Setting::RequiredFields,
        Setting::Body,
        Setting::BaseUrl
    );
    Error::new(ErrorKind::BadRequest, message).with_status(status)
}

/// Several requests with a single record were answered 413.
pub(super) fn every_size_too_large() -> Error {
    let message = message!(
        "the service finds even single records too large (413): something on the way refuses every \
         request; check {}, {} and {}",
        Setting::BaseUrl,
        Setting::Proxy,
        Setting::Body
    );
    Error::new(ErrorKind::BadRequest, message).with_status(413)
}

/// `first_doubt` is the reason of the first, in brackets, or empty.
pub(super) fn too_many_unanswered(first_doubt: &str) -> Error {
    let message = format!(
        "three requests in a row went unanswered and may have been charged{first_doubt}: check the service's \
         usage page before you run this again"
    );
    Error::new(ErrorKind::UnknownOutcome, message)
}

/// `unknown` is the number of lookups that have become unknown in this run.
pub(super) fn too_much_doubt(unknown: usize, first_doubt: &str) -> Error {
    let message = message!(
        "{} lookups went unknown, which is all that {} allows{}: check the service's usage page before \
         you increase it",
        &unknown,
        Setting::MaxInDoubt,
        &first_doubt
    );
    Error::new(ErrorKind::UnknownOutcome, message)
}

/// Rows have no answer and may have been charged. `in_doubt` is what this run's own requests may have cost in addition to
/// the known credits, and `unreadable` is whether a reply with known credits left lookups unknown. A durable store keeps
/// the doubts, and the user can decide about them.
pub(super) fn rows_unknown(rows: u64, in_doubt: u64, reason: &str, unreadable: bool, durable: bool) -> Error {
    let rows = counted(rows, "row");
    let before_asking_again = || {
        if durable {
            message!(", then {}", Advice::ResolveDoubts)
        } else {
            " before you ask for them again".into()
        }
    };
    let message = match in_doubt {
        0 if !unreadable => message!(
            "{} may have been charged to another call that asked for the same: {}. Nothing is sent again \
             unless you ask for it: check the service's usage page{}",
            &rows,
            &reason,
            before_asking_again()
        ),
        0 => message!(
            "{} got no readable answer, which the known credits include: {}. To ask for them again costs \
             again{}",
            &rows,
            &reason,
            if durable { message!(": {}", Advice::ResolveDoubts) } else { Message::default() }
        ),
        most => message!(
            "{} may have been charged (0 to {}): {}. Nothing is sent again unless you ask for it: check \
             the service's usage page{}",
            &rows,
            &counted(most, "credit"),
            &reason,
            before_asking_again()
        ),
    };
    Error::new(ErrorKind::UnknownOutcome, message)
}

/// Whether the service has accepted a request of the run so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reception {
    /// No request of the run was accepted or refused. Rejected rows were refused before this run.
    #[default]
    Unasked,
    /// Single records were refused, and nothing was accepted.
    Refused,
    /// At least one request was accepted. So a refused record is wrong, and not the settings.
    Accepted,
}

/// The service refused rows.
pub(super) fn rows_rejected(rows: u64, reception: Reception) -> Error {
    let rows = counted(rows, "row");
    let message = match reception {
        Reception::Unasked => {
            message!("the service refused {} when they were asked for before: {}", &rows, Advice::SeeReasons)
        }
        Reception::Refused => message!(
            "the service refused {}, and accepted nothing of this run: check {}, {} and {}, and \
             {}",
            &rows,
            Setting::RequiredFields,
            Setting::Body,
            Setting::BaseUrl,
            Advice::SeeReasons
        ),
        Reception::Accepted => {
            message!("the service refused {}; the others were answered: {}", &rows, Advice::SeeReasons)
        }
    };
    Error::new(ErrorKind::BadRequest, message)
}

/// For a limit that only this run or enricher has. `left` is how many of its credits are not used.
pub(super) fn ceiling_reached(ceiling: Option<u64>, left: u64) -> Error {
    let ceiling = counted(ceiling.unwrap_or_default(), "credit");
    Error::new(
        ErrorKind::BudgetExceeded,
        message!(
            "{} reached ({}{}): increase it, and {}",
            Setting::MaxCredits,
            &ceiling,
            &too_few(left),
            Advice::AskAgain
        ),
    )
}

/// Why credits are left although a limit was reached.
fn too_few(left: u64) -> String {
    if left == 0 {
        String::new()
    } else {
        format!("; {left} left, with which another request would probably find nobody")
    }
}

/// For a limit that all who share a store have.
pub(super) fn stored_ceiling_reached(room: &Room) -> Error {
    let (a_period, or_wait) = match room.per {
        Per::Day => (" a day", ", or wait for the next day,"),
        Per::Month => (" a month", ", or wait for the next month,"),
        Per::Run | Per::Store => ("", ","),
    };
    let ceiling = counted(room.ceiling, "credit") + a_period;
    let message = message!(
        "{} reached ({}; {} spent or in doubt by all who share the store{}): increase it{} and {}",
        Setting::MaxCredits,
        &ceiling,
        &counted(room.spent, "credit"),
        &too_few(room.credits),
        &or_wait,
        Advice::AskAgain
    );
    Error::new(ErrorKind::BudgetExceeded, message)
}

/// `1 row`, `1,000 rows`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(0, "row"), "0 rows");
        assert_eq!(counted(999, "row"), "999 rows");
        assert_eq!(counted(1_000, "credit"), "1,000 credits");
        assert_eq!(counted(1_234_567, "credit"), "1,234,567 credits");
    }
}
