//! The client beneath: how it is built, so that every send is ours, and when it is built anew.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Url, retry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind};

use super::HttpSettings;
use super::endpoint::{Endpoint, is_loopback};

/// A connection that was idle for longer is dropped. Servers and gateways commonly close theirs
/// after five seconds or more: a request must not meet that moment, as what it then gets is an
/// unknown outcome.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// When the wall clock has moved by this much more than the monotonic one, the machine slept.
const SLEPT: Duration = Duration::from_secs(1);

/// How the connection to the service is made; what the wording of a failure depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// Through a proxy.
    pub(super) proxied: bool,
    /// With TLS, to the service or to the proxy.
    pub(super) tls: bool,
}

/// The one client, and what it takes to build it again.
pub(super) struct Connections {
    recipe: Recipe,
    current: Mutex<Current>,
}

struct Recipe {
    tls: ClientConfig,
    proxy: Option<Url>,
    https_only: bool,
    direct: bool,
    route: Route,
    local: bool,
    connect_timeout: Duration,
    max_idle: usize,
}

struct Current {
    client: Client,
    last_send: Moment,
    /// Connections are kept for the next request.
    reuse: bool,
}

impl Connections {
    pub(super) fn new(
        endpoint: &Endpoint,
        settings: &HttpSettings,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let proxy = settings.proxy.as_deref().map(parse_proxy).transpose()?;
        let route = Route {
            proxied: proxy.is_some() || (!endpoint.is_loopback() && system_proxy_takes(endpoint.url())),
            tls: endpoint.is_https() || proxy.as_ref().is_some_and(|proxy| proxy.scheme() == "https"),
        };
        let recipe = Recipe {
            tls: tls(settings.ca_bundle.as_deref(), route.tls)?,
            https_only: endpoint.is_https(),
            direct: proxy.is_none() && endpoint.is_loopback(),
            route,
            local: endpoint.is_loopback()
                && proxy.as_ref().is_none_or(|proxy| proxy.host_str().is_some_and(is_loopback)),
            connect_timeout: settings.connect_timeout.min(timeout),
            max_idle: settings.max_concurrency,
            proxy,
        };
        let client = recipe.build(true)?;
        Ok(Self { recipe, current: Mutex::new(Current { client, last_send: Moment::now(), reuse: true }) })
    }

    /// The client for a send that happens now, without connections from before a pause. `None`
    /// where none could be built.
    pub(super) fn client(&self) -> Option<Client> {
        let now = Moment::now();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now.slept_since(current.last_send) {
            // The monotonic clock stood still meanwhile on most systems, so that to the pool a
            // connection of an hour ago looks fresh. Requests in flight keep the old client.
            current.client = self.recipe.build(current.reuse).ok()?;
        }
        current.last_send = now;
        Some(current.client.clone())
    }

    /// A connection dropped before an answer came: from now on each request has one of its own. What
    /// closes connections without a word, as some gateways do after each answer, could otherwise meet
    /// one request after the other as it leaves, and each would be of unknown outcome.
    pub(super) fn distrust(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut current.reuse)
            && let Ok(client) = self.recipe.build(false)
        {
            current.client = client;
        }
    }

    /// As if the machine had slept for an hour since the last send.
    #[cfg(test)]
    pub(super) fn pretend_a_pause(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.last_send.wall -= Duration::from_hours(1);
    }

    pub(super) const fn route(&self) -> Route {
        self.recipe.route
    }

    /// Whether both the service and the proxy, if any, are this machine.
    pub(super) const fn stays_on_this_machine(&self) -> bool {
        self.recipe.local
    }
}

impl Recipe {
    fn build(&self, reuse: bool) -> Result<Client, Error> {
        let mut builder = Client::builder()
            // A redirect would carry key and body to wherever it points.
            .redirect(Policy::none())
            .referer(false)
            // By default reqwest sends again what it takes for unprocessed.
            .retry(retry::never())
            // HTTP/1.1: one request a connection at a time. A reset then concerns one request, and
            // there is no GOAWAY, after which nobody can say which of many were worked on.
            .http1_only()
            .https_only(self.https_only)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(if reuse { self.max_idle } else { 0 })
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            // An answer may take minutes, in which nothing passes: keep middleboxes from forgetting
            // the connection, and notice within about a minute when the other side is gone.
            .tcp_keepalive(Duration::from_secs(15))
            .tcp_keepalive_interval(Duration::from_secs(15))
            .tcp_keepalive_retries(3)
            .gzip(true)
            // No resolver is asked about this name: it is this machine, or nothing is sent.
            .resolve_to_addrs(
                "localhost",
                &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
            )
            .tls_backend_preconfigured(self.tls.clone());
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::all(proxy.clone()).map_err(|_| wrong_proxy())?);
        } else if self.direct {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|_| {
            Error::new(ErrorKind::Config, "the HTTP client cannot be set up with these settings")
        })
    }
}

/// Checks what `proxy` says, without connecting to it.
///
/// # Errors
/// [`ErrorKind::Config`], naming `proxy` and never repeating it: it may hold a password.
pub fn check_proxy(proxy: &str) -> Result<(), Error> {
    parse_proxy(proxy).map(drop)
}

fn parse_proxy(text: &str) -> Result<Url, Error> {
    let spelled = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&spelled).map_err(|_| wrong_proxy())?;
    let known = matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h");
    // reqwest ignores a proxy that its matcher cannot read, and would connect directly.
    let matcher = Matcher::builder().all(url.as_str()).build();
    if !known || url.host_str().is_none_or(str::is_empty) || !takes(&matcher, "https://service.example/") {
        return Err(wrong_proxy());
    }
    Ok(url)
}

fn wrong_proxy() -> Error {
    Error::new(
        ErrorKind::Config,
        "proxy must be a URL like http://proxy.example:3128 (http, https, socks4, socks4a, socks5 or socks5h)",
    )
}

fn system_proxy_takes(url: &Url) -> bool {
    takes(&Matcher::from_system(), url.as_str())
}

fn takes(matcher: &Matcher, url: &str) -> bool {
    url.parse().is_ok_and(|uri| matcher.intercept(&uri).is_some())
}

/// Checks that the file holds certificates that can be trusted.
///
/// # Errors
/// [`ErrorKind::Config`], naming `ca_bundle`.
pub fn check_ca_bundle(path: &Path) -> Result<(), Error> {
    certificates(path).map(drop)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |what: &str| Error::new(ErrorKind::Config, format!("ca_bundle {what}"));
    let pem = fs::read(path).map_err(|error| wrong(&format!("cannot be read: {}", error.kind())))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("is no PEM file of certificates"))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate; it must be a PEM file"));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|_| wrong("holds a certificate that cannot be read"))?;
    }
    Ok(certificates)
}

/// rustls with ring, both named here: no default of the process is asked for or set, so that it
/// does not matter who else in the process uses rustls and with what.
fn tls(ca_bundle: Option<&Path>, needed: bool) -> Result<ClientConfig, Error> {
    let extra = ca_bundle.map(certificates).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::new(ErrorKind::Config, "TLS cannot be set up on this machine"))?;
    let mut config = if needed {
        let verifier = Verifier::new_with_extra_roots(extra, provider).map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "ca_bundle is needed: this system has no trusted certificates of its own",
            )
        })?;
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        // Plain loopback: the system's certificates need not be read, and none is trusted.
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Early data can be replayed by whoever records it. Off is the default; this must never change.
    config.enable_early_data = false;
    Ok(config)
}

/// A point in time by both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// Whether the machine slept since then. A clock that is set forward looks the same, and costs
    /// a few new connections; one that is set back does not matter.
    fn slept_since(self, then: Self) -> bool {
        let awake = self.monotonic.saturating_duration_since(then.monotonic);
        self.wall.duration_since(then.wall).is_ok_and(|passed| passed > awake + SLEPT)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_pause_is_what_only_the_wall_clock_saw() {
        let then = Moment::now();
        let later = |awake: u64, passed: i64| Moment {
            monotonic: then.monotonic + Duration::from_secs(awake),
            wall: if passed < 0 {
                then.wall - Duration::from_secs(passed.unsigned_abs())
            } else {
                then.wall + Duration::from_secs(passed.unsigned_abs())
            },
        };
        assert!(!later(0, 0).slept_since(then));
        assert!(!later(3600, 3600).slept_since(then));
        assert!(!later(10, 11).slept_since(then));
        assert!(later(1, 30).slept_since(then));
        assert!(later(0, 3600).slept_since(then));
        assert!(!later(5, -3600).slept_since(then));
    }

    #[test]
    fn proxies() {
        for good in [
            "http://proxy.example:3128",
            "proxy.example:3128",
            "127.0.0.1:3128",
            "https://user:pass%40word@proxy.example",
            "socks5h://proxy.example",
        ] {
            check_proxy(good).unwrap();
        }
        for bad in
            ["", "http://", "ftp://canary.example", "http://canary:x:y:z", "http://ca nary", "://canary"]
        {
            let error = check_proxy(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().starts_with("proxy "));
            assert!(!format!("{error:?}").contains("canary"));
        }
    }

    #[test]
    fn ca_bundles() {
        let folder = std::env::temp_dir().join(format!("exactbuyer-ca-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("bundle.pem");
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "not PEM", junk, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            fs::write(&file, text).unwrap();
            let error = check_ca_bundle(&file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().starts_with("ca_bundle "), "{error}");
        }
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(&file, key.cert.pem()).unwrap();
        check_ca_bundle(&file).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert!(check_ca_bundle(&file).unwrap_err().message().starts_with("ca_bundle cannot be read"));
    }
}
