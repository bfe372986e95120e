//! Social profiles: `host/path`, and nothing else of the address.
//!
//! Dropped: scheme, user, port, query, fragment, `www.`, `m.`, `mobile.`, on known networks a
//! language or country before the name, doubled and trailing slashes. Case is folded. The path is
//! in RFC 3986's normal form: what may stand for itself does, everything else is percent-encoded
//! UTF-8 with capital digits, so that `josé`, `jos%C3%A9` and `jos%c3%a9` meet. The host is in
//! IDNA's ASCII form.
//!
//! Whoever reads two addresses as one gives one person's data to the other: where a part that is
//! dropped might be the name itself, the address is refused. Knows nothing of the other kinds.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::domain::{self, Fault};
use super::invalid::Invalid;
use super::networks::{self, Network, Subdomains};
use super::text;

const MAX_CHARS: usize = 500;

/// What is encoded in a path segment: all but RFC 3986's `pchar`.
const NOT_PCHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The canonical form of a profile's address.
pub(super) fn canonical(value: &str) -> Result<Arc<str>, Invalid> {
    plain(value).map_or_else(|| parse(value), Ok)
}

/// The ways in which most are written: LinkedIn's, in lower case, with nothing behind the name. `None`
/// says only that this reader cannot tell; what it does accept, [`parse`] would answer the same.
fn plain(value: &str) -> Option<Arc<str>> {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or(value);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let slug = rest.strip_prefix("linkedin.com/in/")?;
    let is_plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let fits = !slug.is_empty() && value.len() <= MAX_CHARS;
    (fits && slug.bytes().all(is_plain)).then(|| rest.into())
}

fn parse(value: &str) -> Result<Arc<str>, Invalid> {
    let value = text::unwrap(value);
    if value.chars().count() > MAX_CHARS {
        return Err(Invalid::SocialTooLong);
    }
    if value.starts_with('@') {
        return Err(Invalid::SocialWithoutNetwork);
    }
    let (has_scheme, rest) = strip_scheme(value)?;
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = host(authority, has_scheme)?;
    let network = networks::of_host(&host);
    let host = strip_views(&host, network);
    if networks::is_short_link(host) {
        return Err(Invalid::SocialShortLink);
    }
    let (path, query) = path_and_query(tail);
    if path.contains(' ') {
        return Err(Invalid::SocialBlank);
    }

    let mut address = String::with_capacity(host.len() + path.len());
    address.push_str(host);
    push_path(&mut address, path)?;
    own_page(&mut address, host.len(), network.map(|(network, _)| network), query)?;
    // What is encoded has become longer; and a canonical form is one that can be read again.
    if address.len() > MAX_CHARS {
        return Err(Invalid::SocialTooLong);
    }
    Ok(address.into())
}

/// `host` with the scheme before it gone, and whether there was one.
fn strip_scheme(value: &str) -> Result<(bool, &str), Invalid> {
    for scheme in ["https:", "http:"] {
        if let Some(rest) = text::strip_prefix_ci(value, scheme) {
            return Ok((true, rest.trim_start_matches(['/', '\\'])));
        }
    }
    if let Some(rest) = value.strip_prefix("//") {
        return Ok((true, rest.trim_start_matches('/')));
    }
    if value.contains("://")
        && value.split("://").next().is_some_and(|scheme| !scheme.contains(['/', '?', '#']))
    {
        return Err(Invalid::SocialScheme);
    }
    Ok((false, value))
}

/// The host in lower case, without user and port.
fn host(authority: &str, has_scheme: bool) -> Result<Cow<'_, str>, Invalid> {
    let host = match authority.rsplit_once('@') {
        // Without a scheme it is an e-mail address, or nothing.
        Some(_) if !has_scheme => return Err(Invalid::SocialHost),
        Some((_, host)) => host,
        None => authority,
    };
    let host = match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return Err(Invalid::SocialHost),
        None => host,
    };
    // An encoded host can only be another script's.
    let host = match percent_decode_str(host.trim_end_matches('.')).decode_utf8() {
        Ok(Cow::Borrowed(host)) => domain::canonical(host),
        Ok(Cow::Owned(host)) => domain::canonical(&host).map(|host| Cow::Owned(host.into_owned())),
        Err(_) => Err(Fault::Syntax),
    };
    host.map_err(|fault| match fault {
        Fault::NoDot if !has_scheme => Invalid::SocialWithoutNetwork,
        _ => Invalid::SocialHost,
    })
}

/// The host without labels that only choose a view of the same page.
fn strip_views<'h>(host: &'h str, network: Option<(Network, &str)>) -> &'h str {
    let is_view = match network {
        Some((network, _)) if network.subdomains == Subdomains::Views => networks::is_view,
        // On a stranger's host two letters may be a site of their own.
        _ => networks::is_device,
    };
    let own = network.map_or(0, |(network, _)| network.host.len());
    let mut host = host;
    while host.len() > own {
        match host.split_once('.') {
            Some((label, rest)) if is_view(label) && rest.contains('.') => host = rest,
            _ => break,
        }
    }
    host
}

/// The path, and what stands between `?` and `#`.
fn path_and_query(tail: &str) -> (&str, &str) {
    // An old way of writing paths, `twitter.com/#!/ana`.
    let tail = tail.strip_prefix("/#!").or_else(|| tail.strip_prefix("#!")).unwrap_or(tail);
    let tail = tail.split_once('#').map_or(tail, |(before, _)| before);
    tail.split_once('?').unwrap_or((tail, ""))
}

/// Appends the normal form of `path`.
fn push_path(address: &mut String, path: &str) -> Result<(), Invalid> {
    let host_len = address.len();
    for segment in path.split(['/', '\\']) {
        let is_plain = segment.bytes().all(
            |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' | b'+' | b'@'),
        );
        if is_plain {
            if !segment.is_empty() {
                address.push('/');
                let start = address.len();
                address.push_str(segment);
                if let Some(pushed) = address.get_mut(start..) {
                    pushed.make_ascii_lowercase();
                }
            }
            continue;
        }
        match &*normal_segment(segment)? {
            "" | "." => {}
            ".." => {
                let parent = address.rfind('/').unwrap_or(host_len).max(host_len);
                address.truncate(parent);
            }
            segment => {
                address.push('/');
                address.push_str(segment);
            }
        }
    }
    Ok(())
}

fn normal_segment(segment: &str) -> Result<String, Invalid> {
    let bytes: Cow<'_, [u8]> = percent_decode_str(segment).into();
    if bytes.iter().any(u8::is_ascii_control) {
        return Err(Invalid::ControlCharacter);
    }
    let folded = match std::str::from_utf8(&bytes) {
        Ok(decoded) => {
            let seen: String = decoded.chars().filter(|&c| !text::is_unseen(c)).collect();
            if seen.chars().any(char::is_control) {
                return Err(Invalid::ControlCharacter);
            }
            text::fold(&seen).into_bytes()
        }
        // Kept as they are: nobody can say which letters such bytes stand for.
        Err(_) => bytes.to_ascii_lowercase(),
    };
    // The same as is taken off a whole value, so that what ends a segment never ends an address.
    let is_left_over = |byte: &u8| matches!(byte, b' ' | b',' | b';');
    let start = folded.iter().position(|byte| !is_left_over(byte)).unwrap_or(folded.len());
    let end = folded.iter().rposition(|byte| !is_left_over(byte)).map_or(start, |last| last + 1);
    Ok(percent_encode(folded.get(start..end).unwrap_or_default(), NOT_PCHAR).to_string())
}

/// Makes sure that `address` names somebody's page, and cuts what only chooses a part of it.
fn own_page(
    address: &mut String,
    host_len: usize,
    network: Option<Network>,
    query: &str,
) -> Result<(), Invalid> {
    let (host, path) = address.split_at_checked(host_len).unwrap_or((address, ""));
    let mut segments = path.split('/').skip(1);
    let first = segments.next();
    let second = segments.next();
    let last = path.rsplit('/').next().unwrap_or_default();

    if first.is_none() {
        // `ana.tumblr.com` is a page; `tumblr.com` is a network.
        let is_person = network.is_some_and(|network| {
            network.subdomains == Subdomains::People && host.len() > network.host.len()
        });
        return if is_person { Ok(()) } else { Err(Invalid::SocialWithoutProfile) };
    }
    match host {
        "linkedin.com" => {
            if first == Some("mwlite") {
                address.replace_range(host_len..host_len + "/mwlite".len(), "");
                return own_page(address, host_len, network, query);
            }
            match (first, second) {
                (Some("in" | "pub"), None) => return Err(Invalid::SocialWithoutProfile),
                // A slug is one segment; a language, `details/…` or `overlay/…` after it is a part
                // of the same page. Not so under `pub`, where the numbers belong to the name.
                (Some("in"), Some(slug)) => {
                    address.truncate(host_len + "/in/".len() + slug.len());
                    return Ok(());
                }
                _ => {}
            }
        }
        "facebook.com" if path == "/profile.php" => {
            // Facebook serves the same page under the bare number.
            let id = query.split('&').find_map(|pair| pair.strip_prefix("id=")).unwrap_or_default();
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Invalid::SocialWithoutProfile);
            }
            let id = id.to_owned();
            address.truncate(host_len + 1);
            address.push_str(&id);
            return Ok(());
        }
        _ => {}
    }
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    let is_endpoint = matches!(extension, Some("php" | "asp" | "aspx"))
        || matches!(last, "view" | "watch" | "profile" | "user" | "citations");
    if names_somebody(query) && (network.is_none() || is_endpoint) {
        return Err(Invalid::SocialNamedInQuery);
    }
    if network.is_some() && path == "/profile/view" {
        return Err(Invalid::SocialWithoutProfile);
    }
    Ok(())
}

/// Whether a query has a parameter that may say whose page it is.
fn names_somebody(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = key.to_ascii_lowercase();
        let ends = ["id", "user", "username", "profile", "member", "author", "account", "name"];
        !value.is_empty()
            && (key == "u" || key == "v" || key == "p" || ends.iter().any(|end| key.ends_with(end)))
            // Ad click ids end like names and name nobody.
            && !matches!(key.as_str(), "fbclid" | "gclid" | "msclkid" | "igshid" | "twclid" | "dclid" | "trackingid")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The short way never says yes where the long one says no, and never another form.
        #[test]
        fn the_short_way_agrees_with_the_long_one(
            value in "(https?://|//)?(www[.]|m[.])?linkedin[.]com/(in|pub)/[a-bA-B0-1_%.?#/@ -]{0,6}/?",
        ) {
            if let Some(address) = plain(&value) {
                prop_assert_eq!(parse(&value), Ok(address));
            }
        }
    }
}
