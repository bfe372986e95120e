//! Finds and checks the proxy that a request goes through, before anything is sent.

use std::ffi::OsString;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use exactbuyer_core::error::{Error, ErrorKind};
use exactbuyer_core::message;
use exactbuyer_core::message::{Message, Setting};
use exactbuyer_core::service::transport::ProxySource;

use super::client::Via;

/// Checks the setting `proxy`. It does not connect to the proxy.
///
/// # Errors
/// [`ErrorKind::Config`], which names `proxy`. The message does not contain its value, because that
/// may contain a password.
pub fn check_proxy(proxy: &str) -> Result<(), Error> {
    parse_proxy(proxy).map(drop)
}

/// Without a scheme, the proxy is reached by `http://`.
pub(super) fn parse_proxy(text: &str) -> Result<Url, Error> {
    parse(text).ok_or_else(|| wrong_proxy(Setting::Proxy))
}

fn parse(text: &str) -> Option<Url> {
    let spelled = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&spelled).ok()?;
    let known = matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h");
    // If reqwest's matcher cannot read a proxy, reqwest ignores it and would connect directly.
    let matcher = Matcher::builder().all(url.as_str()).build();
    let can_be_used = known
        && url.host_str().is_some_and(|host| !host.is_empty())
        && takes(&matcher, "https://service.example/");
    can_be_used.then_some(url)
}

pub(super) fn wrong_proxy(source: impl Into<Message>) -> Error {
    let message = message!(
        "{} must be a URL like http://proxy.example:3128 (http, https, socks4, socks4a, socks5 or socks5h)",
        source
    );
    Error::new(ErrorKind::Config, message)
}

/// The variables that name a proxy for https, in order of priority. A service on another machine is
/// never called by http.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The proxy that the environment names for this address. `None` if it names none.
///
/// # Errors
/// [`ErrorKind::Config`], which names the variable but not its value, if that value is not a proxy.
/// To connect directly instead would not be what the user has asked for.
pub(super) fn environment_proxy(url: &Url) -> Result<Option<(Url, ProxySource)>, Error> {
    proxy_of(url, |name| std::env::var_os(name))
}

/// The same with the environment as an argument, for tests.
fn proxy_of(
    url: &Url,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(Url, ProxySource)>, Error> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let exempt = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default();
    let all = Matcher::builder().all("http://proxy.example").no(exempt.to_string_lossy().into_owned());
    if !takes(&all.build(), url.as_str()) {
        return Ok(None);
    }
    let Some((name, value)) = VARIABLES.into_iter().find_map(|name| Some((name, set(name)?))) else {
        return Ok(None);
    };
    let proxy = value.to_str().and_then(parse);
    let proxy = proxy.map(|proxy| Some((proxy, ProxySource::Variable(name))));
    proxy.ok_or_else(|| wrong_proxy(format!("the environment variable {name}")))
}

/// The proxy that the settings of macOS or Windows name for this address. `None` if they name none.
pub(super) fn system_proxy(url: &Url) -> Option<Via> {
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let login = proxy.basic_auth().is_some() || proxy.raw_auth().is_some();
    Some(Via { source: ProxySource::System, login, tls: proxy.uri().scheme_str() == Some("https") })
}

/// Whether the matcher sends requests to this URL through a proxy.
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
            assert!(error.to_string().starts_with("proxy "));
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
    #[test]
    fn the_environment() {
        let proxy = |variables: &[(&str, &str)], url: &str| {
            let variable = |name: &str| {
                let value = variables.iter().find(|(known, _)| *known == name);
                value.map(|(_, value)| OsString::from(value))
            };
            proxy_of(&Url::parse(url).unwrap(), variable).map(|proxy| proxy.map(|(url, _)| url.to_string()))
        };
        let url = "https://api.service.example/v1";
        let good = ("HTTPS_PROXY", "http://one.example:1");
        let bad = "http://canary:x:y:z";
        let one = || Ok(Some("http://one.example:1/".to_owned()));
        assert_eq!(proxy(&[], url), Ok(None));
        assert_eq!(proxy(&[good], url), one());
        assert_eq!(proxy(&[("https_proxy", "one.example:1")], url), one());
        assert_eq!(proxy(&[("ALL_PROXY", "one.example:1")], url), one());
        assert_eq!(proxy(&[("HTTPS_PROXY", ""), ("all_proxy", "one.example:1")], url), one());
        // Variables with a lower priority are not read.
        assert_eq!(proxy(&[good, ("https_proxy", bad), ("ALL_PROXY", bad), ("HTTP_PROXY", bad)], url), one());
        assert_eq!(proxy(&[("HTTP_PROXY", bad)], url), Ok(None));
        for exempt in ["service.example", ".service.example", "*", "x.example, api.service.example"] {
            assert_eq!(proxy(&[("HTTPS_PROXY", bad), ("NO_PROXY", exempt)], url), Ok(None), "{exempt}");
            assert_eq!(proxy(&[good, ("no_proxy", exempt)], url), Ok(None), "{exempt}");
        }
        assert_eq!(proxy(&[good, ("NO_PROXY", "other.example")], url), one());
        for name in VARIABLES {
            for value in [bad, "ftp://canary.example", "http://", "http://ca nary", "://canary", " "] {
                let error = proxy(&[(name, value)], url).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(error.to_string().contains(&format!("variable {name} must be")), "{error}");
                assert!(!format!("{error:?}").contains("canary"));
            }
        }
    }
}
