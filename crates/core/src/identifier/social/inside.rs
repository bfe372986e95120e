//! Addresses inside addresses: sign-in pages, redirects, and addresses pasted one after the other.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::address::{Address, strip_scheme};
use super::lists::SEARCHES;
use super::redirects::{PATH_REDIRECTS, REDIRECTS, Spelling};
use crate::identifier::inference::names_network;
use crate::identifier::invalid::Invalid;
use crate::identifier::text::strip_prefix_ci;

/// How many times an address that is inside another one may be percent-encoded.
const ENCODED: usize = 3;

/// The target of a page.
pub(super) enum Leads {
    /// The page is neither a redirect nor a sign-in page.
    Nowhere,
    /// The page is one of these, but its address does not contain the target.
    Unsaid,
    /// The page leads to this address.
    To(String),
}

/// Finds the target of a redirect or a sign-in page.
pub(super) fn leads(address: &Address<'_>, network: Option<&str>) -> Leads {
    let host = network.unwrap_or(&address.host);
    let path = address.path.trim_start_matches(['/', '\\']);
    let mut found = Leads::Nowhere;
    for redirect in REDIRECTS {
        if strip_prefix_ci(path, redirect.path).is_none()
            || !(is_host(host, redirect.host) || is_host(&address.host, redirect.host))
        {
            continue;
        }
        found = Leads::Unsaid;
        let inner = redirect.parameters.iter().flat_map(|name| address.values(name));
        let mut targets = inner.filter_map(|inner| absolute(&inner, host));
        // With two targets, either of them could be meant.
        if let Some(mut inner) = targets.next()
            && targets.all(|other| other == inner)
        {
            // If the inner address is not encoded, its fragment was read as that of the outer
            // address.
            if !address.fragment.is_empty() && !inner.contains('#') {
                inner.push('#');
                inner.push_str(address.fragment);
            }
            return Leads::To(inner);
        }
    }
    found
}

/// The target of a page that has the other address in its path. `None` if `value` is not such a
/// page.
pub(super) fn leads_by_path(value: &str) -> Option<Result<String, Invalid>> {
    let (_, rest) = strip_scheme(value).ok()?;
    let (host, path) = rest.split_once('/')?;
    let mut redirects = PATH_REDIRECTS.iter().filter_map(|redirect| {
        host.eq_ignore_ascii_case(redirect.host).then_some(())?;
        Some((redirect, strip_prefix_ci(path, redirect.path)?))
    });
    let (redirect, path) = redirects.next()?;
    let (before, after) = redirect.around;
    let found = path.split_once(before).map(|(_, inner)| match after {
        "" => (inner, ""),
        after => inner.split_once(after).unwrap_or((inner, "")),
    });
    let Some((inner, rest)) = found else { return Some(Err(Invalid::SocialShortLink)) };
    if !starts(rest).is_empty() {
        return Some(Err(Invalid::SocialSeveral));
    }
    let inner = match redirect.spelling {
        Spelling::Plain => absolute(inner, host),
        // The characters that the stars stand for are encoded at the end of the link.
        Spelling::Starred => absolute(inner, host).filter(|inner| !inner.contains('*')),
        Spelling::Dashed => absolute(&inner.replace('-', "%").replace('_', "/"), host),
    };
    Some(inner.ok_or(Invalid::SocialShortLink))
}

/// `value` with the slashes of its path decoded. This is done only if one is encoded and cannot be
/// part of a name: on the host of a known network, or where another address begins.
pub(super) fn unslashed(value: &str) -> Option<String> {
    let end = value.find(['?', '#']).unwrap_or(value.len());
    let (path, query) = value.split_at_checked(end)?;
    if !path.contains('%') {
        return None;
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    let mut slashes = 0;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        // If the slash was encoded several times, the percent sign itself is encoded.
        let code = after.trim_start_matches("25");
        let mark =
            [("2f", '/'), ("3a", ':')].iter().find_map(|&(mark, c)| Some((c, strip_prefix_ci(code, mark)?)));
        rest = if let Some((c, tail)) = mark {
            slashes += usize::from(c == '/' || tail.starts_with('/'));
            plain.push(c);
            tail
        } else {
            plain.push('%');
            after
        };
    }
    if slashes == 0 {
        return None;
    }
    plain.push_str(rest);
    plain.push_str(query);
    let (_, address) = strip_scheme(value).ok()?;
    let address = strip_prefix_ci(address, "www.").unwrap_or(address);
    let others = || starts(&plain).iter().skip(1).any(|(_, listed)| !listed);
    (names_network(address) || others()).then_some(plain)
}

/// Whether `host` is a search engine. Its pages are not profiles.
pub(super) fn is_search(host: &str) -> bool {
    SEARCHES.iter().any(|rule| is_host(host, rule))
}

/// Whether `host` matches a rule: `.x` means any host under `x`, and `x.*` means `x` in all
/// countries.
fn is_host(host: &str, rule: &str) -> bool {
    match rule.strip_suffix(".*") {
        Some(name) => host.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.len() <= 7),
        None if rule.starts_with('.') => host.ends_with(rule),
        None => host == rule,
    }
}

/// The address in a parameter. If the parameter is only a path, it gets the host of the page.
fn absolute(value: &str, host: &str) -> Option<String> {
    let mut value = Cow::Borrowed(value);
    for _ in 0..ENCODED {
        let lower = value.to_ascii_lowercase();
        if !lower.contains("%2f") && !lower.contains("%3a") || value.contains("://") {
            break;
        }
        value = Cow::Owned(percent_decode_str(&value).decode_utf8().ok()?.into_owned());
    }
    if value.starts_with('/') && !value.starts_with("//") {
        return Some(format!("{host}{value}"));
    }
    value.contains('.').then(|| value.into_owned())
}

/// The positions where addresses begin in `value`. The flag is true if the address is an item of a
/// list, and false if it was pasted into the address before it.
pub(super) fn starts(value: &str) -> Vec<(usize, bool)> {
    const SCHEMES: [&str; 4] = ["https:", "http:", "https//", "http//"];
    const LISTS: [char; 14] = [' ', ';', ',', '|', '<', '>', '"', '\'', '(', ')', '[', ']', '\t', '\n'];
    let mut starts: Vec<(usize, bool)> = Vec::new();
    let mut before: Option<char> = None;
    let mut in_query = false;
    let mut expecting_host = 0;
    for (at, c) in value.char_indices() {
        let rest = value.get(at..).unwrap_or_default();
        let listed = before.is_none_or(|before| LISTS.contains(&before));
        let begins = at >= expecting_host && c.is_ascii_alphanumeric() && (!in_query || listed);
        let scheme = SCHEMES.iter().find(|scheme| {
            let tail = if begins && matches!(c, 'h' | 'H') { strip_prefix_ci(rest, scheme) } else { None };
            tail.is_some_and(|tail| {
                scheme.ends_with("//")
                    || tail.starts_with(['/', '\\'])
                    || strip_prefix_ci(tail, "www.").is_some()
            })
        });
        let apart = listed || matches!(before, Some('/' | '\\' | ':'));
        let is_scheme =
            scheme.is_some() && !before.is_some_and(|before| before.is_alphanumeric() && starts.is_empty());
        let is_host = begins && apart && (strip_prefix_ci(rest, "www.").is_some() || names_network(rest));
        if is_scheme || is_host {
            // `http://https://www.…` is one address.
            let glued = starts
                .last()
                .is_some_and(|(start, _)| is_prefix_only(value.get(*start..at).unwrap_or_default()));
            if glued {
                let listed = starts.pop().is_some_and(|(_, listed)| listed);
                starts.push((at, listed));
            } else {
                starts.push((at, listed));
            }
            in_query = false;
            if let Some(scheme) = scheme.filter(|_| is_scheme) {
                // The host after the scheme does not begin another address.
                let tail = rest.get(scheme.len()..).unwrap_or_default();
                let blanks = tail.len() - tail.trim_start_matches(['/', '\\']).len();
                let next_scheme = SCHEMES
                    .iter()
                    .any(|scheme| strip_prefix_ci(tail.trim_start_matches(['/', '\\']), scheme).is_some());
                expecting_host = at + scheme.len() + blanks + usize::from(!next_scheme);
            } else {
                expecting_host = at + 1;
            }
        }
        in_query |= matches!(c, '?' | '#') && !rest.starts_with("#!");
        before = Some(c);
    }
    starts
}

/// Whether `text` has only one or more schemes.
pub(super) fn is_prefix_only(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.replace("https", "").replace("http", "").chars().all(|c| matches!(c, ':' | '/' | '\\'))
}
