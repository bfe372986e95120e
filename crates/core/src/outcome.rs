//! The outcome of a lookup: one type from the reply to the result. Data only.

use std::sync::Arc;

use bytes::Bytes;

use crate::message::Message;

/// The outcome of a lookup. The reasons never contain a person's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The contact's JSON text, as the service sent it.
    Hit(Bytes),
    /// The service has no contact for it.
    Miss,
    /// The service refused this record; why.
    Rejected(Arc<str>),
    /// It may have been charged, and the answer is not known. Contains what happened.
    Unknown(Arc<str>),
    /// It was not sent, or refused free of charge, so it can be sent at the normal price. Contains the reason.
    NotSent(Arc<Message>),
}

crate::listed! {
    /// How a request ended, in the journal's word. The words are in stored files: never change one.
    #[derive(Default)]
    pub enum RequestOutcome {
        /// It was charged, and its reply was read.
        Answered = "answered",
        /// It may have been charged, and the answers are not known.
        Unknown = "unknown",
        /// The process that sent it ended before the answer came. It may have been charged.
        Left = "left",
        /// The service did not accept it. Free.
        Refused = "refused",
        /// It was larger than the service accepts. Free.
        TooLarge = "too_large",
        /// It exceeded the rate limit. Free.
        Paused = "paused",
        /// The service was too busy for it. Free.
        Busy = "busy",
        /// No byte of it left this machine. Free.
        #[default]
        NotSent = "not_sent",
    }
}

/// When and how an outcome became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// It was known before the run began, or a dead process has left it: neither this run nor another live run
    /// has asked for it.
    pub inherited: bool,
    /// Credits that it may have cost and that are not known to be charged.
    pub in_doubt: u32,
}

/// Whether a lookup may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Nobody has asked for it, so it may be sent. In the answer to a claim: it is claimed.
    Free,
    /// As [`Free`](Self::Free), but the store has a contact for it that this run may not use: the contact is too
    /// old, must be asked for again, or may lack required fields. Sending the lookup pays for a contact a second
    /// time.
    Again,
    /// Another request is asking for it right now.
    Held,
    /// It was asked for before, or the store says that it must not be sent.
    Known(Outcome, Seen),
}

impl Availability {
    /// The store says that this lookup must not be sent; why.
    #[must_use]
    pub fn barred(why: Message) -> Self {
        Self::Known(Outcome::NotSent(Arc::new(why)), Seen { inherited: true, ..Seen::default() })
    }
}
