//! Why a request was not sent, and what the user can do about it. It contains no address and no
//! text of another library, because either could contain a user name or a password.
//!
//! Each variant is a cause that a user can tell from the others and do something about. All of them are free:
//! whatever the variant, the lookups may be sent again. Only [`NotSent::is_final`] says that this is pointless
//! before a setting changes.

use std::fmt;

use crate::message;
use crate::message::{Message, Setting};

/// Why nothing was sent. Nothing can have been charged.
///
/// The transport decides which one it is, from the types of its libraries' errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The name of the service could not be resolved.
    Dns,
    /// The service's machine refused the connection: no program listens on the port.
    Refused,
    /// There was no connection to the service within the time limit.
    TimedOut,
    /// This process, or this machine, may open no further connection or file.
    TooManyFiles,
    /// The connection to the service failed in another way.
    Connect,
    /// TLS with the service failed.
    Tls(TlsFailure),
    /// The proxy failed, or refused.
    Proxy(ProxyFailure, ProxySource),
}

/// Why there is no TLS connection.
///
/// For the service and for a proxy that is reached by `https://` alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is signed by an authority that is not trusted.
    UnknownIssuer,
    /// The certificate is for another host.
    WrongName,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate was not accepted for another reason.
    Certificate,
    /// What came back is not TLS, such as an HTTP reply in plain text.
    NotTls,
    /// The connection was closed during the handshake.
    Closed,
    /// The two sides have no TLS version or cipher in common, or the other side refused.
    Refused,
}

/// What went wrong between this machine and the service, at the proxy.
///
/// Nothing reached the service, so the address of the service may still be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyFailure {
    /// The name of the proxy could not be resolved.
    Dns,
    /// No program listens at the proxy's address.
    Refused,
    /// There was no connection through the proxy within the time limit.
    TimedOut,
    /// The connection to the proxy failed in another way, or was closed.
    Connect,
    /// TLS with the proxy itself failed.
    Tls(TlsFailure),
    /// The proxy asks for a user name and a password (407), and none are set.
    LoginMissing,
    /// The proxy refused the user name and the password (407).
    LoginWrong,
    /// The proxy did not open a connection to the service.
    Denied,
}

/// Where the proxy was configured.
///
/// A message names it, so that the user corrects the right place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxySource {
    /// The setting `proxy`.
    Setting,
    /// This environment variable.
    Variable(&'static str),
    /// The settings of the operating system.
    System,
}

impl NotSent {
    /// Whether another attempt would fail in the same way until a setting is changed.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Proxy(ProxyFailure::LoginMissing | ProxyFailure::LoginWrong, _))
    }
}

impl NotSent {
    /// What happened, and what to do.
    #[must_use]
    pub fn message(self) -> Message {
        let no_proxy = || message!("if this network needs a proxy, set HTTPS_PROXY or {}", Setting::Proxy);
        match self {
            Self::Dns => message!(
                "the host name of the service could not be resolved: check {} and the network; {}",
                Setting::BaseUrl,
                no_proxy()
            ),
            Self::Refused => message!(
                "no program listens at the address of the service (connection refused): check {}, its \
                 port included",
                Setting::BaseUrl
            ),
            Self::TimedOut => message!(
                "the service could not be reached in time: check the network and {}; {}",
                Setting::BaseUrl,
                no_proxy()
            ),
            Self::TooManyFiles => message!(
                "no connection could be opened, because this process has too many files and connections open: \
                 close some, raise the limit (ulimit -n), or lower {}",
                Setting::MaxConcurrency
            ),
            Self::Connect => {
                message!(
                    "no connection to the service could be made: check the network and {}",
                    Setting::BaseUrl
                )
            }
            Self::Tls(tls) => tls.message("service", Setting::BaseUrl.into()),
            Self::Proxy(failure, source) => failure.message(source.message()),
        }
    }
}

impl TlsFailure {
    /// `peer` names the other side of the connection; `setting` says where its address is configured.
    fn message(self, peer: &str, setting: Message) -> Message {
        match self {
            Self::UnknownIssuer => message!(
                "the certificate of the {} is signed by an authority that is not trusted here: if your \
                 company inspects TLS connections, save its root certificate as a PEM file, and name \
                 that file in {} or in the environment variable SSL_CERT_FILE",
                &peer,
                Setting::CaBundle
            ),
            Self::WrongName => message!(
                "the certificate of the {} is for another host name: check {}, and whether something on \
                 the network, such as a login page, answers in its place",
                &peer,
                setting
            ),
            Self::Expired => message!(
                "the certificate of the {} has expired: check the clock of this machine; if it is right, \
                 the certificate of the {} has to be renewed",
                &peer,
                &peer
            ),
            Self::NotYetValid => {
                message!("the certificate of the {} is not valid yet: check the clock of this machine", &peer)
            }
            Self::Certificate => message!(
                "the certificate of the {} cannot be accepted (it may be signed by itself, revoked or \
                 damaged): check {}, and whether something on the network answers in its place",
                &peer,
                setting
            ),
            Self::NotTls => message!(
                "the {} does not speak TLS on this port (it may speak plain HTTP): check {}, its port \
                 included",
                &peer,
                setting
            ),
            Self::Closed => message!(
                "the connection to the {} was closed during the TLS handshake: check {}, its port \
                 included, and whether a firewall blocks the connection",
                &peer,
                setting
            ),
            Self::Refused => message!(
                "the {} refused the TLS handshake, or has no TLS version (1.2 or 1.3) in common with \
                 this client: check {}",
                &peer,
                setting
            ),
        }
    }
}

impl ProxyFailure {
    /// `source` says where the proxy is configured.
    fn message(self, source: Message) -> Message {
        match self {
            Self::Dns => message!(
                "the host name of the proxy could not be resolved: check the proxy in {}, and the network",
                source
            ),
            Self::Refused => message!(
                "no program listens at the address of the proxy (connection refused): check the proxy in \
                 {}, its port included",
                source
            ),
            Self::TimedOut => message!(
                "there was no connection through the proxy in time: check the proxy in {}, and the \
                 network",
                source
            ),
            Self::Connect => message!(
                "the connection to the proxy failed: check the proxy in {}, its scheme and port included",
                source
            ),
            Self::Tls(TlsFailure::NotTls) => message!(
                "the proxy does not speak TLS on this port: write http:// instead of https:// before the \
                 proxy in {}",
                source
            ),
            Self::Tls(tls) => tls.message("proxy", message!("the proxy in {}", source)),
            Self::LoginMissing => message!(
                "the proxy asks for a user name and a password (407), and none are set: put them into \
                 {}, as in http://user:password@proxy.example:3128",
                source
            ),
            Self::LoginWrong => message!(
                "the proxy refused the user name and the password (407): correct them in {}; characters \
                 such as @ : / % are written percent-encoded there (@ is %40)",
                source
            ),
            Self::Denied => message!(
                "the proxy did not open a connection to the service: check {}, and ask the \
                 administrator of the proxy in {} to allow it",
                Setting::BaseUrl,
                source
            ),
        }
    }
}

impl ProxySource {
    /// The place to correct, in the words of the audience.
    fn message(self) -> Message {
        match self {
            Self::Setting => Setting::Proxy.into(),
            Self::Variable(name) => message!("the environment variable {}", name),
            Self::System => message!("the system's settings, or set {}", Setting::Proxy),
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(f)
    }
}
