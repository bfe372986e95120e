//! Proxies: which one a request goes through, checked before anything is sent.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::error::{Error, ErrorKind};

/// Checks what `proxy` says, without connecting to it.
///
/// # Errors
/// [`ErrorKind::Config`], naming `proxy` and never repeating it: it may hold a password.
pub fn check_proxy(proxy: &str) -> Result<(), Error> {
    parse_proxy(proxy).map(drop)
}

pub(super) fn parse_proxy(text: &str) -> Result<Url, Error> {
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

pub(super) fn wrong_proxy() -> Error {
    Error::new(
        ErrorKind::Config,
        "proxy must be a URL like http://proxy.example:3128 (http, https, socks4, socks4a, socks5 or socks5h)",
    )
}

pub(super) fn system_proxy_takes(url: &Url) -> bool {
    takes(&Matcher::from_system(), url.as_str())
}

fn takes(matcher: &Matcher, url: &str) -> bool {
    url.parse().is_ok_and(|uri| matcher.intercept(&uri).is_some())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
}
