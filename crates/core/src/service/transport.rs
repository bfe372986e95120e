//! The network, as a trait with one method. The real one is the crate `exactbuyer_http`; tests use
//! scripted ones, so that a whole run can be simulated without a socket.

mod not_sent;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

pub use not_sent::{NotSent, ProxyFailure, ProxySource, TlsFailure};

/// One request to the service, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// The encoded body ([`super::wire`]).
    pub body: Bytes,
    /// The media type of the body.
    pub content_type: &'static str,
}

/// The reply, if at least a status line was read. Its body may be incomplete.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The wait that `Retry-After` asks for, counted from the arrival of the reply. A date is
    /// converted.
    pub retry_after: Option<Duration>,
    /// The body after decompression, up to where it ended or was cut.
    pub body: Bytes,
    /// Why the body is incomplete, or `None` if it is complete.
    pub cut: Option<Cut>,
}

/// Why a body is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection ended before the body was complete.
    Disconnected,
    /// The time limit for the whole request was reached.
    TimedOut,
    /// The body is larger than any reply of the service can be
    /// ([`MAX_BODY_BYTES`](super::limits::MAX_BODY_BYTES)).
    TooLarge,
    /// The transfer coding or the compression is damaged.
    Garbled,
}

impl Cut {
    /// A phrase that explains to the user why rows have no answer.
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

/// Why no status line was read. The variant says whether the request may have been charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A failure of DNS, connection, TLS or proxy: the service received nothing. Free; may be sent
    /// again.
    NotSent(NotSent),
    /// A byte may have left this machine, so the request may have been charged. It must not be sent
    /// again unless the user has asked for that.
    Lost(Lost),
    /// A setting of this machine forbids sending (`EXACTBUYER_OFFLINE`). Free; another attempt
    /// would fail in the same way.
    Forbidden(&'static str),
}

/// What ended a request of which a byte may have left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The connection was reset or closed before a reply.
    Disconnected,
    /// No reply arrived within the time limit.
    TimedOut,
    /// The bytes that arrived are not HTTP.
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

/// Sends one request to the service and returns the reply.
///
/// An implementation sends each request *at most once*. It must not follow redirects or retry, and
/// must disable these features of the library that it uses.
///
/// ```
/// use bytes::Bytes;
/// use exactbuyer_core::service::transport::{Failure, Reply, Request, Transport};
/// use futures_util::future::{BoxFuture, FutureExt as _, ready};
///
/// /// A service that is always busy.
/// struct Busy;
///
/// impl Transport for Busy {
///     fn send(&self, _: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
///         ready(Ok(Reply { status: 503, retry_after: None, body: Bytes::new(), cut: None })).boxed()
///     }
/// }
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends the request and reads the reply.
    ///
    /// # Errors
    /// A [`Failure`] if no status line was read.
    ///
    /// # Cancel safety
    /// Not cancel safe: if the future is dropped, a request that may have been charged is lost.
    /// Callers run it in its own task.
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>>;
}
