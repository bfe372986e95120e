//! The one error type of a run. What is wrong with a row is data ([`crate::results`]); what is
//! wrong with a run is an [`Error`]. Its kind answers the payer's two questions: *may it be sent
//! again* and *may it have been charged*.

use std::fmt;

use crate::message::Message;

crate::listed! {
    /// Why a run ended early or is incomplete. The name is that of the exception that users catch.
    pub enum ErrorKind {
        /// A setting is wrong. Nothing was sent or charged.
        Config = "ConfigError",
        /// Some rows cannot be looked up at all. Nothing was sent or charged.
        InvalidIdentifier = "InvalidIdentifierError",
        /// 401: the service refused the API key. Free. Sending again with the same key does not help.
        Authentication = "AuthenticationError",
        /// 403: the account has no credits left. Free. Send again after buying credits.
        InsufficientCredits = "InsufficientCreditsError",
        /// 429 that asks for a longer wait than a run should sleep. Free. Send again later.
        RateLimit = "RateLimitError",
        /// 400, 413 or 422: the service refused the request itself, or some of its records. Free. Sending it again
        /// does not help.
        BadRequest = "BadRequestError",
        /// 503 or 408 at every attempt. Free. Send again later.
        Server = "ServerError",
        /// Any other refusal: 404, another 4xx, or 3xx. Free. Check the base URL.
        Api = "ApiError",
        /// Nothing reached the service at any attempt, or a proxy asks for a login. Free. Send again.
        Transport = "TransportError",
        /// A request left this machine and no readable reply came back. It may have been charged. It is
        /// never sent again unless the user asks for that. Also: as many lookups are unknown as
        /// `max_in_doubt` allows.
        UnknownOutcome = "UnknownOutcomeError",
        /// The limit on credits stopped the run. Nothing beyond the limit was sent.
        BudgetExceeded = "BudgetExceededError",
        /// The store could not be read or written. A request whose intent cannot be recorded is not
        /// sent.
        Store = "StoreError",
    }
}

/// What is wrong with a run: a kind, one line that says what to do next, and the HTTP status if
/// there was a reply. It never contains a key or personal data.
///
/// ```
/// use exactbuyer_core::error::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::RateLimit, "run this again in an hour").with_status(429);
/// assert_eq!((error.kind(), error.status()), (ErrorKind::RateLimit, Some(429)));
/// assert_eq!(error.to_string(), "run this again in an hour");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: Message,
    status: Option<u16>,
}

impl Error {
    /// An error of this kind. `message` is one line that says what to do next.
    pub fn new(kind: ErrorKind, message: impl Into<Message>) -> Self {
        Self { kind, message: message.into(), status: None }
    }

    /// The same error with the HTTP status that caused it.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The kind of this error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The HTTP status, if a reply caused this error.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// Whether a setting (not a row) has to change before anything can be sent.
    #[must_use]
    pub const fn is_about_settings(&self) -> bool {
        match self.kind {
            ErrorKind::Config | ErrorKind::Authentication | ErrorKind::Api => true,
            // Only a proxy's refusal has a status although nothing was sent.
            ErrorKind::Transport => self.status.is_some(),
            _ => false,
        }
    }

    /// The line for people. Programs should use [`kind`](Self::kind).
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
