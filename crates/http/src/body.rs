//! The body of a request. It can be sent only once, and it knows whether it was.
//!
//! When a request fails, one question matters: can the service have received it? The texts of error
//! types would only suggest an answer. The body knows it exactly. As long as the connection has not
//! asked for the body, no server can have received it, and a request without its body is not a
//! request. (hyper asks for the body before it writes the head, so at that time not a byte of
//! either has left.)

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The body is still here.
const HERE: u8 = 0;
/// A connection has taken the body. It may have left this machine.
const LEFT: u8 = 1;
/// The body is blocked and will never leave.
const REVOKED: u8 = 2;

/// The state of a body, shared by the request and the code that waits for the reply.
#[derive(Clone)]
pub(super) struct Departure(Arc<AtomicU8>);

impl Departure {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(HERE)))
    }

    /// Blocks the body. Returns false if it may have left already. After `true`, no connection gets
    /// it any more, not even one that is just taking the request.
    pub(super) fn revoke(&self) -> bool {
        match self.0.compare_exchange(HERE, REVOKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(state) => state == REVOKED,
        }
    }

    /// Marks the body as taken. Returns false if it was blocked before.
    fn leave(&self) -> bool {
        self.0.compare_exchange(HERE, LEFT, Ordering::AcqRel, Ordering::Acquire) != Err(REVOKED)
    }
}

/// The body as a single piece. It is not a buffer that can be copied, so a retry or a redirect
/// would have nothing to send.
pub(super) struct Body {
    bytes: Option<Bytes>,
    departure: Departure,
}

impl Body {
    pub(super) fn new(bytes: Bytes, departure: Departure) -> Self {
        if bytes.is_empty() {
            // A connection does not ask for an empty body, because the head alone is the request.
            // Assume that it has left.
            departure.leave();
        }
        Self { bytes: Some(bytes), departure }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Revoked;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Revoked>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        Poll::Ready(Some(if self.departure.leave() { Ok(Frame::data(bytes)) } else { Err(Revoked) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// What a connection gets if it asks for a body that was blocked. It then gives up before it has
/// written anything.
#[derive(Debug)]
pub(super) struct Revoked;

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was withdrawn")
    }
}

impl std::error::Error for Revoked {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures_util::task::noop_waker_ref;
    use http_body::Body as _;

    use super::*;

    fn ask(body: &mut Body) -> Option<Result<Bytes, Revoked>> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(noop_waker_ref())) {
            Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())),
            Poll::Pending => unreachable!("the bytes are at hand"),
        }
    }

    #[test]
    fn leaves_once() {
        let departure = Departure::new();
        let mut body = Body::new(Bytes::from_static(b"x"), departure.clone());
        assert_eq!(body.size_hint().exact(), Some(1));
        assert_eq!(ask(&mut body).unwrap().unwrap(), "x");
        assert!(ask(&mut body).is_none());
        assert!(body.is_end_stream());
        assert!(!departure.revoke());
    }

    #[test]
    fn once_revoked_never_leaves() {
        let departure = Departure::new();
        let mut body = Body::new(Bytes::from_static(b"x"), departure.clone());
        assert!(departure.revoke());
        assert!(ask(&mut body).unwrap().is_err());
        assert!(departure.revoke());
    }

    #[test]
    fn empty_counts_as_gone() {
        let departure = Departure::new();
        let _body = Body::new(Bytes::new(), departure.clone());
        assert!(!departure.revoke());
    }
}
