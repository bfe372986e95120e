//! Builds the HTTP client so that each request is sent once, on its own connection.

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

/// How the connection to the service is made. The name of a failure depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) via: Option<Via>,
    /// Whether the connection to the service uses TLS.
    pub(super) tls: bool,
    /// Whether the service and the proxy, if there is one, are on this machine.
    ///
    /// Only then may requests be sent while `EXACTBUYER_OFFLINE` is set.
    pub(super) local: bool,
}

/// The proxy of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Via {
    /// For messages: where the user has to correct it.
    pub(super) source: ProxySource,
    /// Whether a user name or a password is configured for it.
    pub(super) login: bool,
    /// Whether the connection to the proxy itself uses TLS.
    pub(super) tls: bool,
}

/// The client for these settings, and the route of its requests.
///
/// Connects to nothing. The certificates are read here, once, and not for each request.
///
/// # Errors
/// [`ErrorKind::Config`], which names the setting, for a proxy or a certificate file that cannot be used, or if
/// a key would leave this machine unencrypted.
pub(super) fn build(
    endpoint: &Endpoint,
    settings: &HttpSettings,
    timeout: Duration,
) -> Result<(Client, Route), Error> {
    let proxy = match &settings.proxy {
        Some(proxy) => Some((parse_proxy(proxy)?, ProxySource::Setting)),
        // The proxies of the environment and of the system are not for this machine.
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
        // A redirect would carry the key and the body to another address.
        .redirect(Policy::none())
        .referer(false)
        // By default, reqwest sends a request again if it believes that the server has not
        // processed it.
        .retry(retry::never())
        // HTTP/1.1: one request at a time on a connection. So a reset concerns one request only,
        // and there is no GOAWAY, after which it would be unclear which of many requests the server
        // worked on.
        .http1_only()
        .https_only(endpoint.is_https())
        // One request per connection: bytes that a server sends after a reply cannot be read as the
        // reply to the next request, and no request is sent at the moment in which the server
        // closes an idle connection.
        .pool_max_idle_per_host(0)
        .connect_timeout(settings.connect_timeout.min(timeout))
        .tcp_nodelay(true)
        // A reply may take minutes, during which no data flows. Keepalive prevents middleboxes from
        // dropping the connection, and detects within about a minute that the other side is gone.
        .tcp_keepalive(Duration::from_secs(15))
        .tcp_keepalive_interval(Duration::from_secs(15))
        .tcp_keepalive_retries(3)
        .dns_resolver(SystemResolver)
        // This name is never resolved: requests go to this machine or nowhere.
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

/// The TLS settings: rustls with ring. Both are chosen here and not through process-wide defaults,
/// so that it does not matter which other code in the process uses rustls.
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
        // The service is on this machine and uses no TLS. So the system's certificates are not
        // read, and none is trusted.
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Early data can be replayed by an attacker who has recorded it. Off is the default, and must
    // never change.
    config.enable_early_data = false;
    Ok(config)
}
