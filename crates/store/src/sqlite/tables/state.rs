//! The states of an answer. The numbers are in files: never change one.

/// Nobody was found.
pub(crate) const MISS: u8 = 0;
/// A contact was found.
pub(crate) const HIT: u8 = 1;
/// The service refused the lookup.
pub(crate) const REJECTED: u8 = 2;
/// In doubt: the outcome of its request is unknown.
pub(crate) const UNKNOWN: u8 = 3;
/// Was in doubt, and was or may be sent again. Its credits still count.
pub(crate) const ASKED_AGAIN: u8 = 4;
/// Was in doubt, and a user decided not to send it again.
pub(crate) const DROPPED: u8 = 5;
/// In doubt: the process that sent it ended before the answer came.
pub(crate) const LEFT: u8 = 6;

/// The status that users see.
pub(crate) const fn status(state: u8) -> &'static str {
    match state {
        HIT => "found",
        MISS => "not_found",
        REJECTED => "rejected",
        _ => "unknown",
    }
}
