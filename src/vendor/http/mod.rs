//! The real network: one request out, one reply back, over reqwest.
//!
//! Owns every rule about *how* a request may travel: where to (https, or loopback), how often (at
//! most once, whatever the libraries beneath would like to do), with whose certificate, through
//! which proxy, for how long, and how much of a reply is read. Knows nothing of lookups, money or
//! what is done about a failure. Only the files of this room name reqwest, hyper or rustls.
//!
//! Why a request cannot go out twice, piece by piece, is written down in `docs/transport.md`.

mod body;
mod client;
mod endpoint;
mod receive;
mod trouble;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, ErrorKind};
use crate::secret::ApiKey;

use super::limits;
use super::transport::{Failure, Lost, NotSent, Reply, Request, Transport};

pub use client::{check_ca_bundle, check_proxy};
pub use endpoint::Endpoint;

use body::{Body, Departure};
use client::Connections;

/// The environment variable that forbids every send which is not to a loopback address. Any value
/// but the empty one and `0` sets it. It is read at each send, so that a test suite can set it after
/// everything was built.
pub const OFFLINE_VARIABLE: &str = "EXACTBUYER_OFFLINE";

/// No request takes longer than this, whatever the settings say: it keeps the arithmetic of
/// deadlines within what every platform's clock can hold.
const LONGEST_TIMEOUT: Duration = Duration::from_hours(7 * 24);

/// How to reach the service.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where the service lives, without the path of the call. A path prefix is allowed.
    pub base_url: String,
    /// Whose credits are spent.
    pub key: ApiKey,
    /// How long one request may take, from the first attempt to connect to the last byte of the
    /// reply.
    pub timeout: Duration,
    /// How much of that may pass until a connection stands: name, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// A proxy for everything, loopback included. `None`: what `HTTPS_PROXY`, `ALL_PROXY` and
    /// `NO_PROXY` or the system say, and none for loopback.
    pub proxy: Option<String>,
    /// A PEM file with certificates to trust on top of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// How many connections are kept for the next request.
    pub max_concurrency: usize,
}

// By hand, as a base URL or a proxy may hold a password that has not been looked at yet.
impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("proxy", &self.proxy.as_ref().map(|_| "***"))
            .field("ca_bundle", &self.ca_bundle)
            .field("max_concurrency", &self.max_concurrency)
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
    connections: Connections,
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
        let connections = Connections::new(&endpoint, &settings, timeout)?;
        let large_replies = Semaphore::new(receive::LARGE_REPLIES);
        Ok(Self { shared: Arc::new(Shared { endpoint, headers, connections, timeout, large_replies }) })
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
        if offline() && !self.connections.stays_on_this_machine() {
            return Err(Failure::Forbidden(
                "EXACTBUYER_OFFLINE is set: only loopback addresses may be called; unset it, or use the sandbox",
            ));
        }
        let deadline = Instant::now() + self.timeout;
        let client = self.connections.client().ok_or(Failure::NotSent(NotSent::Connect))?;

        let departure = Departure::new();
        let mut outgoing = reqwest::Request::new(Method::POST, self.endpoint.url().clone());
        *outgoing.headers_mut() = self.headers.clone();
        outgoing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
        *outgoing.body_mut() = Some(reqwest::Body::wrap(Body::new(request.body, departure.clone())));

        // Our own deadline, not reqwest's: it ends in a question that only the departure can
        // answer, whether anything had left by then.
        match timeout_at(deadline, client.execute(outgoing)).await {
            Ok(Ok(response)) => Ok(receive::receive(response, deadline, &self.large_replies).await),
            Ok(Err(error)) if departure.revoke() => {
                Err(Failure::NotSent(trouble::not_sent(&error, self.connections.route())))
            }
            Ok(Err(error)) => {
                self.connections.distrust();
                Err(Failure::Lost(trouble::lost(&error)))
            }
            Err(_) if departure.revoke() => Err(Failure::NotSent(NotSent::Connect)),
            Err(_) => Err(Failure::Lost(Lost::TimedOut)),
        }
    }
}

fn headers(key: &ApiKey) -> Result<HeaderMap, Error> {
    let mut value = HeaderValue::from_str(key.expose()).map_err(|_| {
        Error::new(ErrorKind::Config, "api_key holds a character that no HTTP header can carry")
    })?;
    // Whatever prints a header map prints `Sensitive` in its place.
    value.set_sensitive(true);
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(HeaderName::from_static(limits::KEY_HEADER), value);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"))),
    );
    Ok(headers)
}

fn offline() -> bool {
    std::env::var_os(OFFLINE_VARIABLE).is_some_and(|value| !value.is_empty() && value != "0")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Everything else about the network is tested from outside, in `tests/rust/transport/`; a
    /// pause can only be pretended from here.
    #[tokio::test]
    async fn after_a_pause_no_old_connection_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    // A request is so small that it comes in one piece.
                    while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        let transport = HttpTransport::new(HttpSettings {
            base_url: format!("http://{address}"),
            key: ApiKey::new("key").unwrap(),
            timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(30),
            proxy: None,
            ca_bundle: None,
            max_concurrency: 1,
        })
        .unwrap();
        let mut so_far = 0;
        for _ in 0..3 {
            let request = Request { body: Bytes::from_static(b"x"), content_type: "text/plain" };
            assert_eq!(transport.send(request).await.unwrap().status, 200);
            so_far += 1;
            assert_eq!(connections.load(Ordering::Relaxed), so_far);
            transport.shared.connections.pretend_a_pause();
        }
    }
}
