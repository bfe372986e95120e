//! What went wrong, in the words of the [transport](crate::vendor::transport).
//!
//! Whether a request left is not decided here but by its [departure](super::body): this room only
//! finds the word for it, from the types in the chain of causes. Nothing of an error's text is kept,
//! as that may hold the URL.

use std::error::Error as StdError;
use std::io;

use crate::vendor::transport::{Cut, Lost, NotSent};

use super::client::Route;

/// Why nothing left.
pub(super) fn not_sent(error: &reqwest::Error, route: Route) -> NotSent {
    if causes(error).any(<dyn StdError>::is::<rustls::Error>) {
        return NotSent::Tls;
    }
    if error.is_timeout() {
        return NotSent::Connect;
    }
    if route.proxied {
        return NotSent::Proxy;
    }
    if error.is_dns() {
        return NotSent::Dns;
    }
    // What a peer does that does not speak TLS at all; TCP cannot fail to connect like that.
    let broke_off = causes(error).filter_map(io_kind).any(|kind| {
        matches!(
            kind,
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::InvalidData
        )
    });
    if route.tls && error.is_connect() && broke_off { NotSent::Tls } else { NotSent::Connect }
}

/// What ended a request that may have been counted.
pub(super) fn lost(error: &reqwest::Error) -> Lost {
    if causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_parse) {
        Lost::Garbled
    } else {
        Lost::Disconnected
    }
}

/// What cut a body short.
pub(super) fn cut(error: &reqwest::Error) -> Cut {
    // hyper speaks of the connection and of the transfer coding.
    let by_connection = causes(error).any(<dyn StdError>::is::<hyper::Error>);
    let not_understood = causes(error)
        .filter_map(io_kind)
        .any(|kind| matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    if by_connection && !not_understood { Cut::Disconnected } else { Cut::Garbled }
}

fn io_kind(cause: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    cause.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// The error and all that it comes from. An [`io::Error`] around another error hides that one from
/// `source`, which goes straight to the other's own: look inside.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&cause| inner(cause))
}

fn inner<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}
