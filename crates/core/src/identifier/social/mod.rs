//! Social profiles: the one canonical address of a person's page.
//!
//! On the networks of [`table`], the canonical form has only the host and the path that name a
//! person. All other pages of these networks are refused. On other hosts, the canonical form keeps
//! everything that may be the name. Only parts that cannot name a person are dropped, such as
//! scheme, user, port, `www.` and tracking parameters.
//!
//! The path is in RFC 3986's normal form: unreserved characters are plain, and all others are
//! percent-encoded UTF-8 with capital digits. So `josé`, `jos%C3%A9` and `jos%c3%a9` are the same.
//! The host is in IDNA's ASCII form.
//!
//! If the addresses of two people had one canonical form, one person's data would be given to the
//! other. So an address is refused if a part that is dropped might be the name. Knows nothing of
//! the other kinds, except that links of messengers are phone numbers.

mod address;
mod codes;
mod inside;
mod lists;
mod networks;
mod person;
mod redirects;
mod reserved;
mod short_links;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::invalid::Invalid;
use super::phone::links;
use address::Address;
use inside::Leads;
use lists::JUNK;

/// The most characters of a canonical form.
const MAX_CHARS: usize = 500;
/// The most bytes of a value that is parsed. It is larger than [`MAX_CHARS`], because an address
/// that contains another one may be long.
const MAX_VALUE: usize = 4_000;
/// The most digits after an address that do not count as a phone number.
const MAX_REMARK_DIGITS: usize = 6;
/// The fewest characters of a name on LinkedIn.
const SHORTEST_NAME: usize = 2;
/// The length of the longest word that stands in the place of a name and is not one, such as
/// LinkedIn's `your-linkedin-profile`.
const LONGEST_WORD: usize = 21;
/// How deep addresses may be nested inside addresses.
const DEPTH: u8 = 5;

/// The canonical form of a profile's address.
pub(super) fn canonical(value: &str) -> Result<Arc<str>, Invalid> {
    plain(value).map_or_else(|| parse(value), Ok)
}

/// Reads the most common form: a profile on LinkedIn, with nothing but a query after the name.
/// `None` means only that this fast path cannot decide. What it accepts, [`parse`] reads in the
/// same way.
pub(super) fn plain(value: &str) -> Option<Arc<str>> {
    const START: &str = "linkedin.com/in/";
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or(value);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let slug = rest.strip_prefix(START)?;
    let (slug, query) = slug.split_once('?').unwrap_or((slug, ""));
    let slug = slug.strip_suffix('/').unwrap_or(slug);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // These characters can neither begin nor end another address.
    let is_query = |byte: u8| is_plain(byte) || matches!(byte, b'=' | b'&' | b'%');
    // A word that is not a name never has a digit.
    let may_be_word = slug.len() <= LONGEST_WORD && !slug.bytes().any(|byte| byte.is_ascii_digit());
    let is_word =
        may_be_word && JUNK.iter().chain(reserved::LINKEDIN).any(|word| word.eq_ignore_ascii_case(slug));
    // The case of a member's id matters.
    let fits = (SHORTEST_NAME..=MAX_CHARS).contains(&slug.len())
        && value.len() <= MAX_CHARS
        && !networks::is_member_id(slug)
        && !is_word;
    let is_name = slug.bytes().all(is_plain) && slug.bytes().any(|byte| byte.is_ascii_alphanumeric());
    if !fits || !is_name || !query.bytes().all(is_query) {
        return None;
    }
    let mut address = String::with_capacity(START.len() + slug.len());
    address.push_str(START);
    address.push_str(slug);
    address.make_ascii_lowercase();
    Some(address.into())
}

/// The canonical form of a value that may contain several addresses.
fn parse(value: &str) -> Result<Arc<str>, Invalid> {
    if value.len() > MAX_VALUE {
        return Err(Invalid::SocialTooLong);
    }
    if value.starts_with('@') {
        return Err(Invalid::SocialWithoutNetwork);
    }
    let canonical = person(value, DEPTH)?.0;
    // The canonical form must be short enough to be parsed again.
    if canonical.len() > MAX_CHARS { Err(Invalid::SocialTooLong) } else { Ok(canonical.into()) }
}

/// Whether another address of this profile has its name in the host: `ana.tumblr.com` is `tumblr.com/ana`.
#[must_use]
pub fn is_named_in_host(canonical: &str) -> bool {
    let host = canonical.split('/').next();
    let accounts = table::NETWORKS
        .iter()
        .filter(|network| matches!(network.subdomains, networks::Subdomains::Accounts(_)));
    accounts.into_iter().any(|network| network.hosts.first().copied() == host)
}

/// Whether `host` belongs to a known network. Its case does not matter.
pub(super) fn is_network(host: &str) -> bool {
    networks::of_host(host).is_some()
}

/// A canonical form, and whether its network is in the table.
type Person = (String, bool);

/// The one person that `value` names. It may have several addresses if all of them name the same
/// person.
fn person(value: &str, depth: u8) -> Result<Person, Invalid> {
    let inner = inside::leads_by_path(value).or_else(|| inside::unslashed(value).map(Ok));
    if let Some(inner) = inner {
        return if depth > 0 { person(&inner?, depth - 1) } else { Err(Invalid::SocialWithoutProfile) };
    }
    let starts = inside::starts(value);
    let first = starts.first().map_or(0, |(at, _)| *at);
    // The text before the first address is either words or an address on a host that is not in the
    // table.
    let before = value.get(..first).unwrap_or_default().trim_end_matches([' ', ';', ',', '|']);
    if before.ends_with("://") && !inside::is_prefix_only(before) {
        return Err(Invalid::SocialScheme);
    }
    let mut pieces = Vec::with_capacity(starts.len() + 1);
    if starts.is_empty() || before.contains('.') && before.contains('/') {
        pieces.push((if starts.is_empty() { value } else { before }, true));
    }
    for (index, (start, listed)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(value.len(), |(end, _)| *end);
        pieces.push((value.get(*start..end).unwrap_or_default(), *listed || index == 0));
    }
    let several = pieces.len() > 1;
    let mut failed = None;
    let mut found: Option<Person> = None;
    for (index, &(piece, listed)) in pieces.iter().enumerate() {
        let is_before = index == 0 && pieces.len() > starts.len();
        // The next address was pasted into this one, so this one is only the start of a page.
        let goes_on = pieces.get(index + 1).is_some_and(|(_, listed)| !listed);
        match piece_of(piece, depth, several) {
            Ok(person) => match &found {
                None => found = Some(person),
                Some(before) if *before == person => {}
                // The second address was pasted after a page of an unknown host. The network's
                // address is meant.
                Some((_, false)) if !listed && person.1 => found = Some(person),
                Some((_, true)) if !listed && !person.1 => {}
                Some(_) => return Err(Invalid::SocialSeveral),
            },
            // It is unknown whom these lead to.
            Err(why @ (Invalid::SocialSeveral | Invalid::SocialShortLink)) => return Err(why),
            Err(why) => {
                let is_other = several && !is_before && !goes_on && has_path(piece);
                failed = failed.or(Some((why, is_other)));
            }
        }
    }
    match (found, failed) {
        // If the page leads to other pages, its address would stand for several people.
        (Some((_, false)), Some((why, _))) => Err(why),
        (Some(_), Some((_, true))) => Err(Invalid::SocialSeveral),
        (Some(person), _) => Ok(person),
        (None, why) => Err(why.map_or(Invalid::SocialHost, |(why, _)| why)),
    }
}

/// Whether `address` has a path after its host.
pub(super) fn has_path(address: &str) -> bool {
    let rest = address::strip_scheme(address.trim()).map_or(address, |(_, rest)| rest);
    rest.trim_end_matches(['/', '\\']).contains(['/', '\\'])
}

/// The person that one address names. `several` says whether the value has other addresses.
fn piece_of(piece: &str, depth: u8, several: bool) -> Result<Person, Invalid> {
    let piece = piece.trim_matches([' ', ',', ';', '|', '<', '>', '"', '\'']);
    let piece = without_remark(piece).map_err(|why| if several { Invalid::SocialSeveral } else { why })?;
    if links::number(piece).is_some() {
        return Err(Invalid::SocialWithoutProfile);
    }
    let address = Address::parse(piece)?;
    let site = networks::of_host(&address.host);
    let own = site.as_ref().filter(|site| site.is_own());
    if own.is_none() && networks::is_short_link(&address.host) {
        return Err(Invalid::SocialShortLink);
    }
    match inside::leads(&address, own.and_then(|site| site.network.hosts.first().copied())) {
        Leads::To(inner) if depth > 0 => return person(&inner, depth - 1),
        Leads::To(_) | Leads::Unsaid => return Err(Invalid::SocialWithoutProfile),
        Leads::Nowhere => {}
    }
    match &site {
        Some(site) => Ok((person::on_network(site, &address)?, true)),
        None if inside::is_search(&address.host) => Err(Invalid::SocialWithoutProfile),
        // `linkedin.com.br` is not LinkedIn.
        None if networks::imitates(&address.host) => Err(Invalid::SocialHost),
        None => Ok((person::elsewhere(&address, false)?, false)),
    }
}

/// The address before a remark: `https://… (Ana)`, `https://… - Ana`. A blank in any other place
/// may be inside the name, so it is refused. Brackets are refused, too, unless the address is on a
/// known network.
fn without_remark(piece: &str) -> Result<&str, Invalid> {
    let Some((address, rest)) = piece.split_once(' ') else { return Ok(piece) };
    let rest = rest.trim_start();
    if rest.contains('@') || rest.bytes().filter(u8::is_ascii_digit).count() > MAX_REMARK_DIGITS {
        return Err(Invalid::SocialSeveral);
    }
    // A query may have blanks.
    if address.contains(['?', '#']) {
        return Ok(piece);
    }
    // A dash may be part of the name: `ana -lopez`.
    let is_dash = |c: char| matches!(c, '-' | '–' | '—' | '/' | '|' | '&' | '+' | '·' | '•');
    let is_remark = rest.starts_with(['[', ',', ';', '<'])
        || rest.starts_with('(')
            && rest.contains(')')
            && Address::parse(address).is_ok_and(|address| is_network(&address.host))
        || rest.strip_prefix(is_dash).is_some_and(|tail| tail.is_empty() || tail.starts_with(' '));
    if is_remark { Ok(address.trim_end_matches([',', ';'])) } else { Err(Invalid::SocialBlank) }
}
