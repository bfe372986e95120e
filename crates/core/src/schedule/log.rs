//! What a log shows while the run goes on. An entry is about one request, and contains no identifier.

use std::time::Duration;

use crate::message::Message;

crate::listed! {
    /// What happened to a request.
    pub enum LogKind {
        /// It was not charged, and is sent again after the wait.
        Retried = "retried",
        /// It was not charged, and is sent again in halves.
        Halved = "halved",
        /// It was not charged. No request is sent before the wait is over.
        Paused = "paused",
        /// It may have been charged.
        Unknown = "unknown",
    }
}

/// An entry of the log. The audience makes the sentence.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// What happened.
    pub kind: LogKind,
    /// The lookups of the request.
    pub lookups: usize,
    /// How long the wait is; zero without a wait.
    pub wait: Duration,
    /// Why.
    pub cause: Message,
}
