//! Translates errors of the HTTP libraries into those of the
//! [`Transport`](exactbuyer_core::service::transport) trait.
//!
//! The [departure](super::body) decides whether a request was sent. This file only names the cause,
//! from the types in the chain of errors. It keeps none of their text, which may contain the URL or
//! a password.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use rustls::CertificateError;
use tower_service::Service;

use exactbuyer_core::service::transport::{Cut, Lost, NotSent, ProxyFailure, TlsFailure};

use super::client::{Route, Via};
use super::resolve::Unresolved;

// hyper-util exports the connectors for proxies, but not the names of their error types.
type TunnelError = <Tunnel<HttpConnector> as Service<hyper::Uri>>::Error;
type SocksError = <SocksV5<HttpConnector> as Service<hyper::Uri>>::Error;

/// Why nothing was sent.
///
/// The chain of errors is searched from the outside to the inside, because a library may wrap the cause several
/// times.
pub(super) fn not_sent(error: &reqwest::Error, route: Route) -> NotSent {
    if causes(error).filter_map(<dyn StdError>::downcast_ref).any(is_too_many_files) {
        return NotSent::TooManyFiles;
    }
    let Some(via) = route.via else { return connection(error, route.tls) };
    let tunnel = find::<TunnelError>(error);
    let socks = find::<SocksError>(error);
    let failure = match (tunnel, socks) {
        (Some(TunnelError::ProxyAuthRequired), _) => via.login_refused(),
        (Some(TunnelError::TunnelUnsuccessful | TunnelError::ProxyHeadersTooLong), _) => ProxyFailure::Denied,
        (Some(TunnelError::ConnectFailed(_)), _) | (_, Some(SocksError::Inner(_))) => {
            at_proxy(connection(error, via.tls))
        }
        (_, Some(SocksError::V5(refusal))) if is_about_login(refusal) => via.login_refused(),
        (_, Some(SocksError::V4(_) | SocksError::V5(_) | SocksError::DnsFailure)) => ProxyFailure::Denied,
        (Some(_), _) | (_, Some(_)) => ProxyFailure::Connect,
        // The service's time limit covers both connections.
        (None, None) if error.is_timeout() => ProxyFailure::TimedOut,
        // The proxy has opened the connection. What failed is TLS with the service.
        (None, None) if route.tls => return connection(error, true),
        // Plain HTTP has no tunnel. The only connection is the one to the proxy.
        (None, None) => at_proxy(connection(error, via.tls)),
    };
    NotSent::Proxy(failure, via.source)
}

/// Why nothing was sent before the time limit of the whole request.
pub(super) fn timed_out(route: Route) -> NotSent {
    route.via.map_or(NotSent::TimedOut, |via| NotSent::Proxy(ProxyFailure::TimedOut, via.source))
}

/// Whether a SOCKS proxy refused because of the login. hyper-util has no public name for this type,
/// but its text is fixed.
fn is_about_login(refusal: &dyn std::fmt::Debug) -> bool {
    format!("{refusal:?}").starts_with("Auth(")
}

/// Why a connection, with or without TLS, could not be made.
fn connection(error: &reqwest::Error, tls: bool) -> NotSent {
    if let Some(error) = find::<rustls::Error>(error) {
        return NotSent::Tls(tls_failure(error));
    }
    if error.is_timeout() {
        return NotSent::TimedOut;
    }
    if find::<Unresolved>(error).is_some() {
        return NotSent::Dns;
    }
    let met = |kinds: &[io::ErrorKind]| causes(error).filter_map(io_kind).any(|kind| kinds.contains(&kind));
    if met(&[io::ErrorKind::ConnectionRefused]) {
        return NotSent::Refused;
    }
    // A TCP connection attempt cannot fail in these ways, so the TLS handshake had begun.
    let broke_off = met(&[
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::InvalidData,
    ]);
    if tls && error.is_connect() && broke_off { NotSent::Tls(TlsFailure::Closed) } else { NotSent::Connect }
}

/// The same failure, on the connection to a proxy.
const fn at_proxy(failure: NotSent) -> ProxyFailure {
    match failure {
        NotSent::Dns => ProxyFailure::Dns,
        NotSent::Refused => ProxyFailure::Refused,
        NotSent::TimedOut => ProxyFailure::TimedOut,
        NotSent::TooManyFiles | NotSent::Connect => ProxyFailure::Connect,
        NotSent::Tls(tls) => ProxyFailure::Tls(tls),
        NotSent::Proxy(failure, _) => failure,
    }
}

/// Why the TLS handshake failed, as far as the user can do something about it.
fn tls_failure(error: &rustls::Error) -> TlsFailure {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(why) => match why {
            // A bad signature usually means that a trusted authority has the same name as the real
            // one, but another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFailure::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFailure::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFailure::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsFailure::NotYetValid
            }
            _ => TlsFailure::Certificate,
        },
        E::InvalidMessage(_) | E::InappropriateMessage { .. } | E::InappropriateHandshakeMessage { .. } => {
            TlsFailure::NotTls
        }
        E::AlertReceived(_) | E::PeerIncompatible(_) | E::PeerMisbehaved(_) | E::NoApplicationProtocol => {
            TlsFailure::Refused
        }
        _ => TlsFailure::Certificate,
    }
}

impl Via {
    /// The failure if the proxy asks for a user name and a password, or refuses them.
    pub(super) const fn login_refused(self) -> ProxyFailure {
        if self.login { ProxyFailure::LoginWrong } else { ProxyFailure::LoginMissing }
    }
}

/// What ended a request that may have been charged.
pub(super) fn lost(error: &reqwest::Error) -> Lost {
    if causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_parse) {
        Lost::Garbled
    } else {
        Lost::Disconnected
    }
}

/// Why a body is incomplete.
pub(super) fn cut(error: &reqwest::Error) -> Cut {
    // hyper reports failures of the connection and of the transfer coding.
    let by_connection = causes(error).any(<dyn StdError>::is::<hyper::Error>);
    let not_understood = causes(error)
        .filter_map(io_kind)
        .any(|kind| matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    if by_connection && !not_understood { Cut::Disconnected } else { Cut::Garbled }
}

/// The kind of an [`io::Error`], or `None` for another error.
fn io_kind(cause: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    cause.downcast_ref::<io::Error>().map(io::Error::kind)
}

/// Whether this process or the system can open no further file or connection: `ENFILE` or `EMFILE` of Unix, or
/// `WSAEMFILE` of Windows.
fn is_too_many_files(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| [23, 24, 10024].contains(&number))
}

/// The first error of type `T` in the chain.
fn find<T: StdError + 'static>(error: &reqwest::Error) -> Option<&T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// The error and all its causes. An [`io::Error`] around another error, and the error of a SOCKS
/// proxy around that of its connection, do not return that error as their `source`.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |&cause| inner(cause))
}

fn inner<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    if let Some(wrapped) = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(wrapped);
    }
    match cause.downcast_ref::<SocksError>() {
        Some(SocksError::Inner(wrapped)) => Some(wrapped),
        _ => cause.source(),
    }
}
