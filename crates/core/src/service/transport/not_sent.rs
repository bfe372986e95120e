//! Why a request was not sent, and what the user can do about it. It contains no address and no
//! text of another library, because either could contain a user name or a password.

use std::fmt;

/// Why nothing was sent. Nothing can have been charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The name of the service could not be resolved.
    Dns,
    /// The service's machine refused the connection: no program listens on the port.
    Refused,
    /// There was no connection to the service within the time limit.
    TimedOut,
    /// The connection to the service failed in another way.
    Connect,
    /// TLS with the service failed.
    Tls(TlsFailure),
    /// The proxy failed, or refused.
    Proxy(ProxyFailure, ProxySource),
}

/// Why there is no TLS connection.
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

/// One phrase: what happened, and what to do.
impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => {
                "the host name of the service could not be resolved: check base_url and the network; if this \
                 network needs a proxy, set HTTPS_PROXY or proxy="
            }
            Self::Refused => {
                "no program listens at the address of the service (connection refused): check base_url, its port \
                 included"
            }
            Self::TimedOut => {
                "the service could not be reached in time: check the network and base_url; if this network needs \
                 a proxy, set HTTPS_PROXY or proxy="
            }
            Self::Connect => "no connection to the service could be made: check the network and base_url",
            Self::Tls(tls) => return tls.describe(f, "service", "base_url"),
            Self::Proxy(failure, source) => return failure.describe(f, *source),
        })
    }
}

impl TlsFailure {
    /// `peer` names the other side of the connection; `setting` says where its address is
    /// configured.
    fn describe(self, f: &mut fmt::Formatter<'_>, peer: &str, setting: impl fmt::Display) -> fmt::Result {
        match self {
            Self::UnknownIssuer => write!(
                f,
                "the certificate of the {peer} is signed by an authority that is not trusted here: if your company \
                 inspects TLS connections, save its root certificate as a PEM file, and name that file in ca_bundle= \
                 or in the environment variable SSL_CERT_FILE"
            ),
            Self::WrongName => write!(
                f,
                "the certificate of the {peer} is for another host name: check {setting}, and whether something on \
                 the network, such as a login page, answers in its place"
            ),
            Self::Expired => write!(
                f,
                "the certificate of the {peer} has expired: check the clock of this machine; if it is right, whoever \
                 runs the {peer} has to renew the certificate"
            ),
            Self::NotYetValid => {
                write!(f, "the certificate of the {peer} is not valid yet: check the clock of this machine")
            }
            Self::Certificate => write!(
                f,
                "the certificate of the {peer} cannot be accepted (it may be signed by itself, revoked or damaged): \
                 check {setting}, and whether something on the network answers in its place"
            ),
            Self::NotTls => write!(
                f,
                "the {peer} does not speak TLS on this port (it may speak plain HTTP): check {setting}, its port \
                 included"
            ),
            Self::Closed => write!(
                f,
                "the connection to the {peer} was closed during the TLS handshake: check {setting}, its port \
                 included, and whether a firewall blocks the connection"
            ),
            Self::Refused => write!(
                f,
                "the {peer} refused the TLS handshake, or has no TLS version (1.2 or 1.3) in common with this client: \
                 check {setting}"
            ),
        }
    }
}

impl ProxyFailure {
    fn describe(self, f: &mut fmt::Formatter<'_>, source: ProxySource) -> fmt::Result {
        match self {
            Self::Dns => write!(
                f,
                "the host name of the proxy could not be resolved: check the proxy in {source}, and the network"
            ),
            Self::Refused => write!(
                f,
                "no program listens at the address of the proxy (connection refused): check the proxy in {source}, \
                 its port included"
            ),
            Self::TimedOut => write!(
                f,
                "there was no connection through the proxy in time: check the proxy in {source}, and the network"
            ),
            Self::Connect => write!(
                f,
                "the connection to the proxy failed: check the proxy in {source}, its scheme and port included"
            ),
            Self::Tls(TlsFailure::NotTls) => write!(
                f,
                "the proxy does not speak TLS on this port: write http:// instead of https:// before the proxy in \
                 {source}"
            ),
            Self::Tls(tls) => tls.describe(f, "proxy", format_args!("the proxy in {source}")),
            Self::LoginMissing => write!(
                f,
                "the proxy asks for a user name and a password (407), and none are set: put them into {source}, as \
                 in http://user:password@proxy.example:3128"
            ),
            Self::LoginWrong => write!(
                f,
                "the proxy refused the user name and the password (407): correct them in {source}; characters such \
                 as @ : / % are written percent-encoded there (@ is %40)"
            ),
            Self::Denied => write!(
                f,
                "the proxy did not open a connection to the service: check base_url, and ask whoever runs the proxy \
                 in {source} to allow it"
            ),
        }
    }
}

impl fmt::Display for ProxySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => f.write_str("proxy="),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::System => f.write_str("the system's settings, or set proxy="),
        }
    }
}
