//! The HTTP client: how it is built, so that each request leaves once, on a connection of its own.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, retry};
use rustls::{ClientConfig, RootCertStore};

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::Setting;
use exactbuyer_core::service::transport::ProxySource;

use super::endpoint::{Endpoint, is_loopback};
use super::proxy::{environment_proxy, parse_proxy, system_proxy, wrong_proxy};
use super::resolve::SystemResolver;
use super::{HttpSettings, authorities};

/// How the connection to the service is made. What a failure is called depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// Through a proxy.
    pub(super) via: Option<Via>,
    /// With TLS to the service.
    pub(super) tls: bool,
    /// Both the service and the proxy, if any, are this machine.
    pub(super) local: bool,
}

/// The proxy of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Via {
    pub(super) source: ProxySource,
    /// With a user name or a password.
    pub(super) login: bool,
    /// With TLS to the proxy itself.
    pub(super) tls: bool,
}

/// The client for these settings, and the route that its requests take.
pub(super) fn build(
    endpoint: &Endpoint,
    settings: &HttpSettings,
    timeout: Duration,
) -> Result<(Client, Route), Error> {
    let proxy = match &settings.proxy {
        Some(proxy) => Some((parse_proxy(proxy)?, ProxySource::Setting)),
        // What the environment and the system say is for everybody but this machine.
        None if endpoint.is_loopback() => None,
        None => environment_proxy(endpoint.url())?,
    };
    let away = proxy.as_ref().is_some_and(|(proxy, _)| !proxy.host_str().is_some_and(is_loopback));
    if away && !endpoint.is_https() {
        return Err(Error::new(
            ErrorKind::Config,
            message!(
                "{} must be on this machine too where {} is http://: the key would leave it in clear text",
                Setting::Proxy,
                Setting::BaseUrl
            ),
        ));
    }
    let via = match &proxy {
        Some((proxy, source)) => Some(Via {
            source: *source,
            login: !proxy.username().is_empty() || proxy.password().is_some(),
            tls: proxy.scheme() == "https",
        }),
        None if endpoint.is_loopback() => None,
        None => system_proxy(endpoint.url()),
    };
    let route = Route { via, tls: endpoint.is_https(), local: endpoint.is_loopback() && !away };
    let tls_needed = route.tls || via.is_some_and(|via| via.tls);
    let mut builder = Client::builder()
        // A redirect would carry key and body to wherever it points.
        .redirect(Policy::none())
        .referer(false)
        // By default reqwest sends again what it takes for unprocessed.
        .retry(retry::never())
        // HTTP/1.1: one request a connection at a time. A reset then concerns one request, and there is
        // no GOAWAY, after which nobody can say which of many were worked on.
        .http1_only()
        .https_only(endpoint.is_https())
        // One request per connection: bytes that a server sends after a reply cannot be taken for the reply to
        // the next request, and no request is sent just when the server closes an idle connection.
        .pool_max_idle_per_host(0)
        .connect_timeout(settings.connect_timeout.min(timeout))
        .tcp_nodelay(true)
        // An answer may take minutes, in which nothing passes: keep middleboxes from forgetting the
        // connection, and notice within about a minute when the other side is gone.
        .tcp_keepalive(Duration::from_secs(15))
        .tcp_keepalive_interval(Duration::from_secs(15))
        .tcp_keepalive_retries(3)
        .dns_resolver(SystemResolver)
        // No resolver is asked about this name: it is this machine, or nothing is sent.
        .resolve_to_addrs(
            "localhost",
            &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
        )
        .tls_backend_preconfigured(tls(settings.ca_bundle.as_deref(), tls_needed)?);
    if let Some((proxy, _)) = proxy {
        builder = builder.proxy(Proxy::all(proxy).map_err(|_| wrong_proxy(Setting::Proxy))?);
    } else if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    let client = builder
        .build()
        .map_err(|_| Error::new(ErrorKind::Config, "the HTTP client cannot be set up with these settings"))?;
    Ok((client, route))
}

/// rustls with ring, both named here: no default of the process is asked for or set, so that it
/// does not matter who else in the process uses rustls and with what.
fn tls(ca_bundle: Option<&Path>, needed: bool) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::new(ErrorKind::Config, "TLS cannot be set up on this machine"))?;
    let mut config = if needed {
        let verifier = authorities::verifier(ca_bundle, provider)?;
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        ca_bundle.map_or(Ok(()), authorities::check_ca_bundle)?;
        // Plain loopback: the system's certificates need not be read, and none is trusted.
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Early data can be replayed by whoever records it. Off is the default; this must never change.
    config.enable_early_data = false;
    Ok(config)
}
