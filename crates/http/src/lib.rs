//! The real network: one request out, one reply back, over reqwest.
//!
//! Owns every rule about *how* a request may travel: where to (https, or loopback), how often (at
//! most once, whatever the libraries beneath would like to do), with whose certificate, through
//! which proxy, for how long, and how much of a reply is read. Knows nothing of lookups, money or
//! what is done about a failure. Only the files of this room name reqwest, hyper or rustls.
//!
//! Why a request cannot go out twice, piece by piece, is written down in `docs/transport.md`.

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

/// The environment variable that forbids every send which is not to a loopback address. Any value
/// but the empty one and `0` sets it. It is read at each send, so that a test suite can set it after
/// everything was built.
pub const OFFLINE_VARIABLE: &str = "EXACTBUYER_OFFLINE";

/// No request takes longer than this, whatever the settings say: it keeps the arithmetic of
/// time limits within what every platform's clock can hold.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// How to reach the service.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where the service lives, without the path of the call. A path prefix is allowed.
    pub base_url: String,
    /// Whose credits are spent.
    pub key: ApiKey,
    /// How long one request may take, from the first attempt to connect to the last byte of the
    /// reply. Time in which this process is stopped does not count.
    pub timeout: Duration,
    /// How much of that may pass until a connection stands: name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// A proxy for everything, loopback included. `None`: what `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` or the system say, and none for loopback.
    pub proxy: Option<String>,
    /// A PEM file with certificates to trust on top of the system's. `None`: what the first of
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR`, `REQUESTS_CA_BUNDLE` and `CURL_CA_BUNDLE` names, else the system's.
    pub ca_bundle: Option<PathBuf>,
}

// By hand, as a base URL or a proxy may hold a password that has not been looked at yet.
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

/// The vendor's service, over the network.
///
/// Needs no runtime to be made, one with I/O and time to send. Belongs to the process that made it:
/// after a fork, make another.
pub struct HttpTransport {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    headers: HeaderMap,
    client: Client,
    route: Route,
    timeout: Duration,
    large_replies: Semaphore,
}

impl HttpTransport {
    /// Checks the settings and prepares a client. Nothing is sent, no name is resolved.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], naming the setting: `base_url`, `proxy`, `ca_bundle` or `api_key`.
    #[expect(clippy::needless_pass_by_value, reason = "the settings end here: their key is wiped")]
    pub fn new(settings: HttpSettings) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(&settings.base_url)?;
        let headers = headers(&settings.key)?;
        let timeout = settings.timeout.min(LONGEST_TIMEOUT);
        let (client, route) = client::build(&endpoint, &settings, timeout)?;
        let large_replies = Semaphore::new(receive::LARGE_REPLIES);
        Ok(Self { shared: Arc::new(Shared { endpoint, headers, client, route, timeout, large_replies }) })
    }

    /// Where requests go: scheme, host and port, as the limiter tells services apart.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.endpoint.origin()
    }

    /// Whether requests go to this machine, where nothing costs anything.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.shared.endpoint.is_loopback()
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
    async fn send(&self, request: Request) -> Result<Reply, Failure> {
        if offline() && !self.route.local {
            return Err(Failure::Forbidden(
                "EXACTBUYER_OFFLINE is set: only loopback addresses may be called; unset it, or use the sandbox",
            ));
        }
        let mut patience = Patience::new(self.timeout);
        loop {
            let departure = Departure::new();
            let mut outgoing = reqwest::Request::new(Method::POST, self.endpoint.url().clone());
            *outgoing.headers_mut() = self.headers.clone();
            outgoing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
            let body = Body::new(request.body.clone(), departure.clone());
            *outgoing.body_mut() = Some(reqwest::Body::wrap(body));

            // Our own limit, not reqwest's: it ends in a question that only the departure can answer,
            // whether anything had left by then.
            return match patience.wait(self.client.execute(outgoing)).await {
                Some(Ok(response)) => {
                    // Plain HTTP has no tunnel: this is the proxy's own reply, and the service has got nothing.
                    if let Some(via) = self.route.via
                        && !self.route.tls
                        && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
                    {
                        return Err(Failure::NotSent(NotSent::Proxy(via.login_refused(), via.source)));
                    }
                    Ok(receive::receive(response, &mut patience, &self.large_replies).await)
                }
                Some(Err(error)) if departure.revoke() => {
                    // The limit for connecting is reqwest's: if it was over because this process was
                    // stopped, it says nothing, and nothing has left.
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
}

fn headers(key: &ApiKey) -> Result<HeaderMap, Error> {
    let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
        Error::new(
            ErrorKind::Config,
            message!("{} holds a character that no HTTP header can carry", Setting::ApiKey),
        )
    })?;
    // Whatever prints a header map prints `Sensitive` in its place.
    value.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(HeaderName::from_static(limits::KEY_HEADER), value);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("exactbuyer/", env!("CARGO_PKG_VERSION"))));
    Ok(headers)
}

fn offline() -> bool {
    std::env::var_os(OFFLINE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}
