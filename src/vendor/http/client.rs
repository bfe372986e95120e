//! The HTTP client: how it is built, so that each request leaves once, on a connection of its own.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, retry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, ErrorKind};

use super::HttpSettings;
use super::endpoint::{Endpoint, is_loopback};
use super::proxy::{environment_proxy, parse_proxy, system_proxy_takes, wrong_proxy};

/// How the connection to the service is made; what the wording of a failure depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// Through a proxy.
    pub(super) proxied: bool,
    /// With TLS, to the service or to the proxy.
    pub(super) tls: bool,
    /// Both the service and the proxy, if any, are this machine.
    pub(super) local: bool,
}

/// The client for these settings, and the route that its requests take.
pub(super) fn build(
    endpoint: &Endpoint,
    settings: &HttpSettings,
    timeout: Duration,
) -> Result<(Client, Route), Error> {
    let proxy = match &settings.proxy {
        Some(proxy) => Some(parse_proxy(proxy)?),
        // What the environment and the system say is for everybody but this machine.
        None if endpoint.is_loopback() => None,
        None => environment_proxy(endpoint.url())?,
    };
    let away = proxy.as_ref().is_some_and(|proxy| !proxy.host_str().is_some_and(is_loopback));
    if away && !endpoint.is_https() {
        return Err(Error::new(
            ErrorKind::Config,
            "proxy must be on this machine too where base_url is http://: the key would leave it in clear text",
        ));
    }
    let route = Route {
        proxied: proxy.is_some() || (!endpoint.is_loopback() && system_proxy_takes(endpoint.url())),
        tls: endpoint.is_https() || proxy.as_ref().is_some_and(|proxy| proxy.scheme() == "https"),
        local: endpoint.is_loopback() && !away,
    };
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
        // No resolver is asked about this name: it is this machine, or nothing is sent.
        .resolve_to_addrs(
            "localhost",
            &[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
        )
        .tls_backend_preconfigured(tls(settings.ca_bundle.as_deref(), route.tls)?);
    if let Some(proxy) = proxy {
        builder = builder.proxy(Proxy::all(proxy).map_err(|_| wrong_proxy("proxy"))?);
    } else if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    let client = builder
        .build()
        .map_err(|_| Error::new(ErrorKind::Config, "the HTTP client cannot be set up with these settings"))?;
    Ok((client, route))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
