//! The real network: sends one request and returns one reply, through reqwest.
//!
//! This crate owns every rule about *how* a request travels: to which address (https, or loopback),
//! how often (at most once), with which certificates, through which proxy, for how long, and how
//! much of a reply is read. It knows nothing of lookups and money, and does not decide what follows
//! a failure. No other crate names reqwest, hyper or rustls for requests to the service.
//!
//! `docs/design/transport.md` explains why a request cannot be sent twice.

mod authorities;
mod body;
mod client;
mod coding;
mod endpoint;
mod patience;
mod proxy;
mod receive;
mod resolve;
mod trouble;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use reqwest::{Client, Method, StatusCode};
use tokio::sync::Semaphore;

use exactbuyer_core::config::seconds;
use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;
use exactbuyer_core::secret::ApiKey;

use exactbuyer_core::service::limits;
use exactbuyer_core::service::transport::{Failure, Lost, NotSent, Reply, Request, Transport};

pub use authorities::check_ca_bundle;
pub use endpoint::Endpoint;
pub use proxy::check_proxy;

use body::{Body, Departure};
use client::Route;
use patience::Patience;

/// The environment variable that forbids all requests except those to a loopback address. Any value
/// sets it, except the empty one and `0`. It is read for each request, so that a test suite can set
/// it at any time.
pub const OFFLINE_VARIABLE: &str = "EXACTBUYER_OFFLINE";

/// The longest time limit of a request, whatever the settings say. With it, sums of times cannot
/// exceed what the clock of any platform can represent.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// The settings of the network. A duration is deserialized from a number of seconds, and its name then ends in `_s`.
#[derive(Clone, serde::Deserialize)]
#[serde(default)]
pub struct HttpSettings {
    /// The service's address without the path of the call: `https`, or `http` on this machine ([`Endpoint::parse`]).
    /// A path prefix is allowed.
    pub base_url: String,
    /// The time limit of one request, from the start of the connection to the last byte of the
    /// reply. Time during which this process is stopped does not count.
    #[serde(rename = "timeout_s", deserialize_with = "seconds")]
    pub timeout: Duration,
    /// The part of `timeout` that the connection may take: name resolution, TCP, proxy and TLS
    /// together.
    #[serde(rename = "connect_timeout_s", deserialize_with = "seconds")]
    pub connect_timeout: Duration,
    /// A proxy for all requests, including those to this machine. `None`: the proxy that
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` or the system name, and no proxy for this machine.
    /// It may contain a login, so it is not deserialized with the others.
    #[serde(skip)]
    pub proxy: Option<String>,
    /// A PEM file with certificates that are trusted in addition to the system's. `None`: the
    /// certificates that the first of `SSL_CERT_FILE` and `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE`,
    /// `CURL_CA_BUNDLE` names, or else the system's.
    pub ca_bundle: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            base_url: limits::BASE_URL.to_owned(),
            timeout: Duration::from_mins(5),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            ca_bundle: None,
        }
    }
}

// Not derived, because a base URL or a proxy may contain a password that has not been checked yet.
impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy.as_ref().map(|_| "***"))
            .field("ca_bundle", &self.ca_bundle)
            .finish_non_exhaustive()
    }
}

/// The service, reached over the network.
///
/// Creating it needs no runtime. Sending needs a tokio runtime with I/O and time. It belongs to the
/// process that created it: after a fork, create another one.
pub struct HttpTransport {
    shared: Arc<Shared>,
}

/// The parts of a transport that its requests share.
struct Shared {
    endpoint: Endpoint,
    /// The headers that every request has, among them the key.
    headers: HeaderMap,
    client: Client,
    route: Route,
    timeout: Duration,
    /// A permit for each body that may be large at the same time.
    large_replies: Semaphore,
}

impl HttpTransport {
    /// Checks the settings and prepares a client. It sends nothing and resolves no name. `key` is that of the account
    /// that pays.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], which names the setting: `base_url`, `proxy`, `ca_bundle` or
    /// `api_key`.
    ///
    /// ```
    /// use exactbuyer_core::secret::ApiKey;
    /// use exactbuyer_http::{HttpSettings, HttpTransport};
    ///
    /// let settings = HttpSettings { base_url: "http://127.0.0.1:8000".into(), ..HttpSettings::default() };
    /// let transport = HttpTransport::new(&settings, &ApiKey::new("k-123").unwrap())?;
    /// assert_eq!(transport.origin(), "http://127.0.0.1:8000");
    /// # Ok::<(), exactbuyer_core::error::Error>(())
    /// ```
    pub fn new(settings: &HttpSettings, key: &ApiKey) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&settings.base_url)?;
        let headers = headers(key)?;
        let timeout = settings.timeout.min(LONGEST_TIMEOUT);
        let (client, route) = client::build(&endpoint, settings, timeout)?;
        let large_replies = Semaphore::new(receive::LARGE_REPLIES);
        Ok(Self { shared: Arc::new(Shared { endpoint, headers, client, route, timeout, large_replies }) })
    }

    /// Scheme, host and port of the service. Enrichers with the same origin and key share one rate
    /// limiter.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.endpoint.origin()
    }

    /// Asks for the head of the page at the root of the service's address, over the route of all requests. It sends
    /// neither the key nor a lookup, so it costs nothing. Returns the status of the reply, whatever it is.
    ///
    /// # Errors
    /// A [`Failure`] if nothing answered.
    ///
    /// # Cancel safety
    /// Safe: the service does nothing for it.
    pub async fn probe(&self) -> Result<u16, Failure> {
        let shared = &self.shared;
        shared.check_online()?;
        let mut url = shared.endpoint.url().clone();
        url.set_path("/");
        let request = shared.client.head(url).header(USER_AGENT, AGENT).header(CONNECTION, "close");
        match tokio::time::timeout(shared.timeout, request.send()).await {
            Ok(Ok(response)) => {
                shared.check_proxy_login(response.status())?;
                Ok(response.status().as_u16())
            }
            Ok(Err(error)) if error.is_connect() => {
                Err(Failure::NotSent(trouble::not_sent(&error, shared.route)))
            }
            Ok(Err(error)) => Err(Failure::Lost(trouble::lost(&error))),
            Err(_) => Err(Failure::Lost(Lost::TimedOut)),
        }
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("origin", &self.shared.endpoint.origin())
            .field("timeout", &self.shared.timeout)
            .finish_non_exhaustive()
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Reply, Failure>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.send(request).await })
    }
}

impl Shared {
    /// Sends one request within the time limit.
    ///
    /// # Cancel safety
    /// Not cancel safe: see [`Transport::send`].
    async fn send(&self, request: Request) -> Result<Reply, Failure> {
        self.check_online()?;
        let mut patience = Patience::new(self.timeout);
        loop {
            let departure = Departure::new();
            let mut outgoing = reqwest::Request::new(Method::POST, self.endpoint.url().clone());
            *outgoing.headers_mut() = self.headers.clone();
            outgoing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
            let body = Body::new(request.body.clone(), departure.clone());
            *outgoing.body_mut() = Some(reqwest::Body::wrap(body));

            // Our own time limit, and not reqwest's. When it ends, we must find out whether
            // anything has left, and only the departure knows that.
            return match patience.wait(self.client.execute(outgoing)).await {
                Some(Ok(response)) => {
                    self.check_proxy_login(response.status())?;
                    Ok(receive::receive(response, &mut patience, &self.large_replies).await)
                }
                Some(Err(error)) if departure.revoke() => {
                    // The time limit for connecting is reqwest's. If it ended because this process
                    // was stopped, it means nothing, and nothing has left.
                    if error.is_timeout() && patience.was_late() {
                        continue;
                    }
                    Err(Failure::NotSent(trouble::not_sent(&error, self.route)))
                }
                Some(Err(error)) => Err(Failure::Lost(trouble::lost(&error))),
                None if departure.revoke() => Err(Failure::NotSent(trouble::timed_out(self.route))),
                None => Err(Failure::Lost(Lost::TimedOut)),
            };
        }
    }

    fn check_online(&self) -> Result<(), Failure> {
        if offline() && !self.route.local {
            return Err(Failure::Forbidden(
                "EXACTBUYER_OFFLINE is set: only loopback addresses may be called; unset it, or use the sandbox",
            ));
        }
        Ok(())
    }

    /// Plain HTTP has no tunnel. So a 407 is the proxy's own reply, and the service has received nothing.
    fn check_proxy_login(&self, status: StatusCode) -> Result<(), Failure> {
        match self.route.via {
            Some(via) if !self.route.tls && status == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(Failure::NotSent(NotSent::Proxy(via.login_refused(), via.source)))
            }
            _ => Ok(()),
        }
    }
}

/// How the client names itself.
const AGENT: &str = concat!("exactbuyer/", env!("CARGO_PKG_VERSION"));

/// The headers of every request.
fn headers(key: &ApiKey) -> Result<HeaderMap, Error> {
    let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            message!("{} holds a character that no HTTP header can carry", Setting::ApiKey),
        )
    })?;
    // A debug print of the header map shows `Sensitive` in place of the key.
    value.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(HeaderName::from_static(limits::KEY_HEADER), value);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    Ok(headers)
}

/// Whether [`OFFLINE_VARIABLE`] is set at this moment.
fn offline() -> bool {
    std::env::var_os(OFFLINE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}
