//! Social profiles: the one address of somebody's page.
//!
//! On the networks of [`table`], the canonical form has only the host and the path that name a person; all
//! other pages of these networks are refused. On other hosts it keeps everything that may be the name. Only
//! parts that cannot be are dropped, such as scheme, user, port, `www.` and tracking parameters. The path is in
//! RFC 3986's normal form: unreserved characters are plain, all others are percent-encoded UTF-8 with capital
//! digits, so that `josé`, `jos%C3%A9` and `jos%c3%a9` are the same. The host is in IDNA's ASCII form.
//!
//! If two people's addresses had one canonical form, one person's data would be given to the other. So an
//! address is refused if a part that is dropped might be the name. Knows nothing of the other kinds, except
//! that links of messengers are phone numbers.

mod address;
mod inside;
mod lists;
mod networks;
mod person;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::invalid::Invalid;
use super::phone::links;
use address::Address;
use inside::Leads;

/// The longest canonical form.
const MAX_CHARS: usize = 500;
/// The longest value that is read: an address with another one inside may be long.
const MAX_VALUE: usize = 4_000;
/// The most digits after an address that do not count as a phone number.
const MAX_REMARK_DIGITS: usize = 6;
/// The longest word in place of a name that is no name, as `your-profile` on LinkedIn.
const LONGEST_WORD: usize = 12;
/// The deepest nesting of addresses inside addresses.
const DEPTH: u8 = 4;

/// The canonical form of a profile's address.
pub(super) fn canonical(value: &str) -> Result<Arc<str>, Invalid> {
    plain(value).map_or_else(|| parse(value), Ok)
}

/// The ways in which most are written: LinkedIn's, with nothing behind the name but a query. `None` says only
/// that this reader cannot tell; what it does accept, [`parse`] would answer the same.
pub(super) fn plain(value: &str) -> Option<Arc<str>> {
    const START: &str = "linkedin.com/in/";
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or(value);
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let slug = rest.strip_prefix(START)?;
    let (slug, query) = slug.split_once('?').unwrap_or((slug, ""));
    let slug = slug.strip_suffix('/').unwrap_or(slug);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    // No character that may begin or end another address.
    let is_query = |byte: u8| is_plain(byte) || matches!(byte, b'=' | b'&' | b'%');
    // A member's id needs its case. No word that is not a name has a digit.
    let has_digit = slug.bytes().any(|byte| byte.is_ascii_digit());
    let fits =
        value.len() <= MAX_CHARS && !networks::is_member_id(slug) && (has_digit || slug.len() > LONGEST_WORD);
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

fn parse(value: &str) -> Result<Arc<str>, Invalid> {
    if value.len() > MAX_VALUE {
        return Err(Invalid::SocialTooLong);
    }
    if value.starts_with('@') {
        return Err(Invalid::SocialWithoutNetwork);
    }
    let canonical = person(value, DEPTH)?.0;
    // A canonical form must be short enough to be read again.
    if canonical.len() > MAX_CHARS { Err(Invalid::SocialTooLong) } else { Ok(canonical.into()) }
}

/// Whether `host` is one of a network that is known, whatever its case.
pub(super) fn is_network(host: &str) -> bool {
    networks::of_host(host).is_some()
}

/// A canonical form, and whether its network is in the table.
type Person = (String, bool);

/// The one person that `value` names, if it has one address or several that name the same.
fn person(value: &str, depth: u8) -> Result<Person, Invalid> {
    let starts = inside::starts(value);
    let first = starts.first().map_or(0, |(at, _)| *at);
    // The text before the first address is words, or an address of a host that is not in the table.
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
    let mut why = None;
    let mut found: Option<Person> = None;
    for (piece, listed) in pieces {
        match piece_of(piece, depth, several) {
            Ok(person) => match &found {
                None => found = Some(person),
                Some(before) if *before == person => {}
                // Pasted after a page of a host that is not in the table: the network's address is meant.
                Some((_, false)) if !listed && person.1 => found = Some(person),
                Some((_, true)) if !listed && !person.1 => {}
                Some(_) => return Err(Invalid::SocialSeveral),
            },
            Err(Invalid::SocialSeveral) => return Err(Invalid::SocialSeveral),
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    found.ok_or(why.unwrap_or(Invalid::SocialHost))
}

/// The person that one address names. `several`: the value has other addresses.
fn piece_of(piece: &str, depth: u8, several: bool) -> Result<Person, Invalid> {
    let piece = piece.trim_matches([' ', ',', ';', '|', '<', '>', '"', '\'']);
    let piece = if several { piece.split(' ').next().unwrap_or(piece) } else { without_remark(piece)? };
    if links::number(piece).is_some() {
        return Err(Invalid::SocialWithoutProfile);
    }
    let address = Address::parse(piece)?;
    let network = networks::of_host(&address.host);
    if networks::is_short_link(&address.host) {
        return Err(Invalid::SocialShortLink);
    }
    let name = network
        .filter(|(_, labels)| labels.split('.').all(|label| label.is_empty() || networks::is_view(label)));
    match inside::leads(&address, name.and_then(|(network, _)| network.hosts.first().copied())) {
        Leads::To(inner) if depth > 0 => return person(&inner, depth - 1),
        Leads::To(_) | Leads::Unsaid => return Err(Invalid::SocialWithoutProfile),
        Leads::Nowhere => {}
    }
    match network {
        Some((network, labels)) => Ok((person::on_network(network, labels, &address)?, true)),
        None if inside::is_search(&address.host) => Err(Invalid::SocialWithoutProfile),
        // `linkedin.com.br` is not LinkedIn.
        None if networks::imitates(&address.host) => Err(Invalid::SocialHost),
        None => Ok((person::elsewhere(&address, false)?, false)),
    }
}

/// The address before a remark: `https://… (Ana)`, `https://… - Ana`. Any other blank may be inside the name, and
/// is refused.
fn without_remark(piece: &str) -> Result<&str, Invalid> {
    let end = piece.find(['?', '#']).unwrap_or(piece.len());
    let Some(at) = piece.find(' ') else { return Ok(piece) };
    let (address, rest) = piece.split_at_checked(at).unwrap_or((piece, ""));
    let is_remark = rest.trim_start().starts_with(['(', '[', '-', '–', '—', '|', ',', ';', '/', '<']);
    if rest.contains('@') || rest.bytes().filter(u8::is_ascii_digit).count() > MAX_REMARK_DIGITS {
        return Err(Invalid::SocialSeveral);
    }
    if is_remark {
        return Ok(address.trim_end_matches([',', ';']));
    }
    if at < end { Err(Invalid::SocialBlank) } else { Ok(piece) }
}
