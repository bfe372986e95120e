//! The address that requests go to: the base URL, checked once.

use std::net::IpAddr;

use reqwest::Url;
use rustls::pki_types::ServerName;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::{Message, Setting};
use exactbuyer_core::service::limits;

/// The URL of the only call that the client makes.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The complete URL, with the path of the call.
    url: Url,
    /// Scheme, host and port. The rate limiter uses it to tell services apart.
    origin: String,
    loopback: bool,
}

impl Endpoint {
    /// Parses a base URL. It must use https, or http for a loopback address. A path prefix is kept.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], which names `base_url`. The message does not contain the URL, because
    /// it may contain a password.
    ///
    /// ```
    /// use exactbuyer_http::Endpoint;
    ///
    /// let endpoint = Endpoint::parse("https://proxy.acme.example/exactbuyer")?;
    /// assert_eq!(endpoint.origin(), "https://proxy.acme.example:443");
    /// assert!(Endpoint::parse("http://api.exactbuyer.com").is_err()); // not encrypted
    /// # Ok::<(), exactbuyer_core::error::Error>(())
    /// ```
    pub fn parse(base_url: &str) -> Result<Self, Error> {
        let mut url = Url::parse(base_url)
            .map_err(|_| wrong("is not a URL; it looks like https://api.exactbuyer.com"))?;
        let loopback = url.host_str().is_some_and(is_loopback);
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(wrong("must start with https://; http:// is for loopback addresses only")),
            _ => return Err(wrong("must start with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(message!(
                "must not hold a user name or password; the key goes into {}",
                Setting::ApiKey
            )));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must not hold a query (?) or a fragment (#)"));
        }
        let prefix = url.path().trim_end_matches('/');
        // If the base URL contains the version, too, every request would fail with 404. Find that
        // out now.
        let version = limits::PATH.rsplit_once('/').map_or(limits::PATH, |(version, _)| version);
        if let Some(own) = [limits::PATH, version].into_iter().find(|own| prefix.ends_with(own)) {
            return Err(wrong(format!("is the address of the service alone; leave out {own}")));
        }
        let path = format!("{prefix}{}", limits::PATH);
        url.set_path(&path);
        let (Some(host), Some(port)) =
            (url.host_str(), url.port_or_known_default().filter(|&port| port != 0))
        else {
            return Err(wrong("must name a host, and a port other than 0"));
        };
        // No certificate can be issued for such a host. Every connection would fail, as if the
        // network were broken.
        if ServerName::try_from(host.trim_matches(['[', ']'])).is_err() {
            return Err(wrong("must name a host that a certificate can be for"));
        }
        let origin = format!("{}://{host}:{port}", url.scheme());
        Ok(Self { url, origin, loopback })
    }

    /// Scheme, host and port, such as `https://api.exactbuyer.com:443`. The port is always
    /// included.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The host without scheme and port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether the service is on this machine: 127.0.0.0/8, `::1` or `localhost`.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// Whether `host` is a loopback address. The URL parser has already normalised forms such as
/// `127.1` and `LOCALHOST`.
///
/// `localhost` can be trusted, because the client never asks a resolver for it.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn wrong(what: impl Into<Message>) -> Error {
    Error::new(ErrorKind::Config, message!("{} {}", Setting::BaseUrl, what))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn good_ones() {
        for (base_url, url, origin, loopback) in [
            (
                "https://api.exactbuyer.com",
                "https://api.exactbuyer.com/v1/bulk-enrich",
                "https://api.exactbuyer.com:443",
                false,
            ),
            (
                "https://gate.example:8443/eb/",
                "https://gate.example:8443/eb/v1/bulk-enrich",
                "https://gate.example:8443",
                false,
            ),
            ("http://127.1:80", "http://127.0.0.1/v1/bulk-enrich", "http://127.0.0.1:80", true),
            ("http://[::1]:9", "http://[::1]:9/v1/bulk-enrich", "http://[::1]:9", true),
            ("http://LOCALHOST:9", "http://localhost:9/v1/bulk-enrich", "http://localhost:9", true),
            ("https://127.9.9.9", "https://127.9.9.9/v1/bulk-enrich", "https://127.9.9.9:443", true),
        ] {
            let endpoint = Endpoint::parse(base_url).unwrap();
            assert_eq!(endpoint.url().as_str(), url);
            assert_eq!(endpoint.origin(), origin);
            assert_eq!(endpoint.is_loopback(), loopback, "{base_url}");
        }
    }

    #[test]
    fn bad_ones_are_named_but_not_repeated() {
        for base_url in [
            "",
            "canary.example",
            "http://canary.example",
            "http://localhost.canary.example",
            "http://127.0.0.1.canary.example",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://[::ffff:127.0.0.1]",
            "ftp://canary.example",
            "file:///canary",
            "https://canary.example/v1",
            "https://canary.example/eb/v1/",
            "https://canary@x.example",
            "https://user:canary@x.example",
            "https://:canary@x.example",
            "https://x.example/?canary",
            "https://x.example/?",
            "https://x.example/#canary",
            "https://x.example/canary/v1/bulk-enrich/",
            "https://canary.example:0",
            "https://-canary.example",
        ] {
            let error = Endpoint::parse(base_url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().starts_with("base_url "), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
