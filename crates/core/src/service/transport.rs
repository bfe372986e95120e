//! The network, one method wide. The real one lives in [`http`](super), scripted ones in tests: a
//! whole run can be simulated without a socket.

mod not_sent;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use not_sent::{NotSent, ProxyFailure, ProxySource, TlsFailure};

/// One call to the vendor, ready to go out.
#[derive(Debug, Clone)]
pub struct Request {
    /// The encoded body, see [`super::wire`].
    pub body: Bytes,
    /// Its media type.
    pub content_type: &'static str,
}

/// What came back: a status line was read. The body may still have broken off.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, as a duration from the moment the reply came (a date is converted).
    pub retry_after: Option<Duration>,
    /// The decoded body, up to where it broke off.
    pub body: Bytes,
    /// What cut the body short, if anything did.
    pub cut: Option<Cut>,
}

/// What cut a body short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection ended before the body did.
    Disconnected,
    /// The time allowed for the whole request ran out.
    TimedOut,
    /// More bytes than any answer of the vendor's can have.
    TooLarge,
    /// The transfer coding or compression is broken.
    Garbled,
}

impl Cut {
    /// What happened, for the person whose rows it left open.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "the connection dropped inside the answer",
            Self::TimedOut => "the answer did not arrive whole in time",
            Self::TooLarge => "the answer was larger than any real one",
            Self::Garbled => "the answer's compression or transfer coding is broken",
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No status line was read. The variant says whether the request can have been counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// DNS, connect, TLS or proxy: the service got nothing. Free, may be sent again.
    NotSent(NotSent),
    /// A byte may have left. May have been charged; never sent again unasked.
    Lost(Lost),
    /// This machine forbids the send (`EXACTBUYER_OFFLINE`). Free; pointless to try again.
    Forbidden(&'static str),
}

/// What ended a request after a byte may have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Reset or closed before an answer.
    Disconnected,
    /// No answer within the time allowed.
    TimedOut,
    /// What came back is not HTTP.
    Garbled,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "the connection dropped before an answer came",
            Self::TimedOut => "no answer came in time",
            Self::Garbled => "what came back was not HTTP",
        })
    }
}

/// Carries one request to the vendor and one reply back.
///
/// An implementation sends *at most once*: no redirects followed, nothing retried, whatever the
/// library beneath would like to do.
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and reads the reply.
    ///
    /// # Errors
    /// A [`Failure`] where no status line was read.
    ///
    /// # Cancel safety
    /// Not safe: dropping the future drops a request that may have been charged. Callers run it in
    /// a task of its own.
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>>;
}
