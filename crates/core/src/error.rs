//! The one error of a run. A row's trouble is data (see [`crate::results`]); a run's trouble is an
//! [`Error`], and its kind answers the payer's two questions: *may it be sent again* and *may it
//! have been charged*.

use std::fmt;

use crate::message::Message;

/// What kind of trouble ended or marred a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting is wrong. Nothing was sent, nothing was charged.
    Config,
    /// Rows that cannot be looked up at all. Nothing was sent, nothing was charged.
    InvalidIdentifier,
    /// 401: the key was refused. Free; sending again with the same key is pointless.
    Authentication,
    /// 403: the account has no credits left. Free; send again once there are credits.
    InsufficientCredits,
    /// 429 with a wait longer than a run should sleep. Free; send again later.
    RateLimit,
    /// 400 or 422 that no part of the chunk escaped: the request itself is wrong. Free; sending it
    /// again is pointless.
    BadRequest,
    /// 503 or 408, each time it was tried. Free; send again later.
    Server,
    /// Any other refusal: 404, other 4xx, 3xx. Free; check the base URL.
    Api,
    /// Nothing reached the service, each time it was tried, or a proxy asks for a login. Free; send again.
    Transport,
    /// A request went out and no readable answer came back: it may have been charged, and is never
    /// sent again unasked.
    UnknownOutcome,
    /// The ceiling on credits, or on doubt, stopped the run. Nothing beyond it was sent.
    BudgetExceeded,
    /// The store could not be read or written. Nothing is sent that could not be noted first.
    Store,
}

impl ErrorKind {
    /// Every kind, for the test that compares them with the Python classes.
    pub const ALL: [Self; 12] = [
        Self::Config,
        Self::InvalidIdentifier,
        Self::Authentication,
        Self::InsufficientCredits,
        Self::RateLimit,
        Self::BadRequest,
        Self::Server,
        Self::Api,
        Self::Transport,
        Self::UnknownOutcome,
        Self::BudgetExceeded,
        Self::Store,
    ];
}

/// A run's trouble: a kind, one line that says what to do next, and the HTTP status where there
/// was one. Never holds a key or a person's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Message,
    status: Option<u16>,
}

impl Error {
    /// An error of this kind; `message` is one line that says what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<Message>) -> Self {
        Self { kind, message: message.into(), status: None }
    }

    /// The same, with the HTTP status that brought it.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status, where a reply brought the error.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether it is a setting that has to change, and no row, before anything can be sent.
    #[must_use]
    pub const fn is_about_settings(&self) -> bool {
        match self.kind {
            ErrorKind::Config | ErrorKind::Authentication | ErrorKind::Api => true,
            // Only a proxy's refusal has a status although nothing was sent.
            ErrorKind::Transport => self.status.is_some(),
            _ => false,
        }
    }

    /// The line for the person who reads it.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl std::error::Error for Error {}
