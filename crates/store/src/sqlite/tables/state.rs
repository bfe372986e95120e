//! The states of an answer. The numbers are in files: never change one.
//!
//! | state | how it begins | what may follow |
//! |---|---|---|
//! | `MISS`, `HIT`, `REJECTED` | the answer is settled | final; a purge removes it |
//! | `UNKNOWN` | a request was settled without an answer | `DROPPED` or `ASKED_AGAIN` |
//! | `LEFT` | a dead owner was buried | the late answer; or as `UNKNOWN` |
//! | `DROPPED` | `resolve_unknown` | `ASKED_AGAIN`, by `allow` or by a merge |
//! | `ASKED_AGAIN` | `resolve_unknown`, `allow`, or a later request with an outcome | final; its credits still count, except after `not_charged` |

use exactbuyer_core::results::Status;

/// Nobody was found.
pub(crate) const MISS: u8 = 0;
/// A contact was found.
pub(crate) const HIT: u8 = 1;
/// The service refused the lookup.
pub(crate) const REJECTED: u8 = 2;
/// In doubt: the outcome of its request is unknown.
pub(crate) const UNKNOWN: u8 = 3;
/// Was in doubt, and was or may be sent again. Its credits still count, unless a user has found that they were not
/// charged.
pub(crate) const ASKED_AGAIN: u8 = 4;
/// Was in doubt, and a user decided not to send it again.
pub(crate) const DROPPED: u8 = 5;
/// In doubt: the process that sent it ended before the answer came.
pub(crate) const LEFT: u8 = 6;

// SQL names these by number.
const _: () = assert!(UNKNOWN == 3 && DROPPED == 5 && LEFT == 6);

/// The status that users see.
pub(crate) const fn status(state: u8) -> &'static str {
    match state {
        HIT => Status::Found.as_str(),
        MISS => Status::NotFound.as_str(),
        REJECTED => Status::Rejected.as_str(),
        _ => Status::Unknown.as_str(),
    }
}
